"""What the scripts here share: programs that are run and measured, and how figures are printed."""
import os
import statistics
import subprocess
import sys
import time


def run(command, **options):
    """The output of a program. If it fails, it has said why, and this ends with its code."""
    return run_measured(command, **options)[0]


def run_measured(command, **options):
    """The output, the seconds from start to end, and the peak of memory in MiB."""
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, **options) as process:
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(process.returncode if process.returncode > 0 else 1)
    return output, seconds, usage.ru_maxrss / 1024


def spread(values, digits=0):
    """The median (smallest .. largest)."""
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} .. {max(values):.{digits}f})"
