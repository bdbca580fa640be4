"""What the scripts here share: jinja2 as Hugging Face's apply_chat_template sets it up, our program, and their comparison."""
import datetime
import json
import subprocess
import sys
import warnings

warnings.filterwarnings("ignore")  # Of Python, about escapes in string literals of templates.

NOW = "2026-11-30T08:15:00"


def skip_without_jinja2():
    try:
        import jinja2  # noqa: F401
    except ImportError:
        print("SKIPPED: jinja2 is not installed (apt-get install python3-jinja2)")
        sys.exit(77)


def environment():
    import jinja2
    import jinja2.ext
    import jinja2.sandbox

    class generation_tag(jinja2.ext.Extension):
        """{% generation %}: a call block, as in transformers, of which only the text matters here."""
        tags = {"generation"}

        def parse(self, parser):
            line = next(parser.stream).lineno
            body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
            return jinja2.nodes.CallBlock(self.call_method("pass_through"), [], [], body).set_lineno(line)

        def pass_through(self, caller):
            return caller()

    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    made = jinja2.sandbox.ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True,
                                                        extensions=[generation_tag, jinja2.ext.loopcontrols])
    made.filters["tojson"] = tojson
    made.globals["raise_exception"] = raise_exception
    return made


class refusal:
    """An error of jinja2. said: the text of raise_exception(), which ours must give, too."""

    def __init__(self, error):
        import jinja2
        self.text = f"{type(error).__name__}: {error}"
        self.said = str(error) if type(error) is jinja2.exceptions.TemplateError else None


def render_with_jinja2(env, template, variables):
    variables = json.loads(json.dumps(variables))  # A template may change them: list.pop is not kept from it.
    if isinstance(variables.get("strftime_now"), str):
        moment = datetime.datetime.fromisoformat(variables["strftime_now"])
        variables["strftime_now"] = moment.strftime
    try:
        text = env.from_string(template).render(**variables)
        text.encode("utf-8")
        return text
    except Exception as error:
        return refusal(error)


def render_with_ours(program, cases):
    """cases: pairs of template and variables. One answer each, {"text"} or {"error"}."""
    lines = "".join(json.dumps({"template": template, "variables": variables}) + "\n" for template, variables in cases)
    done = subprocess.run([program], input=lines.encode("utf-8"), capture_output=True)
    answers = [json.loads(line) for line in done.stdout.decode("utf-8").split("\n") if line]
    if done.returncode != 0 or len(answers) != len(cases):
        at = cases[len(answers)] if len(answers) < len(cases) else None
        print(f"our program ended with {done.returncode} at {at!r}: {done.stderr.decode(errors='replace')[-2000:]}")
        sys.exit(1)
    return answers


def differs(wanted, found):
    """What is wrong with our answer; None where it is right."""
    if isinstance(wanted, refusal):
        if "error" not in found:
            return f"jinja2 refuses ({wanted.text}); ours gives {found['text']!r}"
        if wanted.said is not None and wanted.said != found["error"]:
            return f"the template says {wanted.said!r}; ours {found['error']!r}"
        return None
    if "error" in found:
        return f"jinja2 gives {wanted!r}; ours refuses: {found['error']}"
    return None if wanted == found["text"] else f"jinja2 gives {wanted!r}\n      ours gives  {found['text']!r}"


def is_constant_slice(template, found):
    """jinja2 makes Undefined of (5)[1:], because it is constant, and raises where it is not: ours always refuses."""
    return found["error"].endswith(" has no slices")


def compare(program, cases, allowed=is_constant_slice, shown=10):
    """Prints how many of the cases differ, and the first. allowed(template, found): whether ours may refuse what jinja2 does not.
    Returns (different, refused by both, refused by ours alone)."""
    env = environment()
    different = refused = alone = 0
    for (template, variables), found in zip(cases, render_with_ours(program, cases)):
        wanted = render_with_jinja2(env, template, variables)
        refused += isinstance(wanted, refusal) and "error" in found
        wrong = differs(wanted, found)
        if wrong is None:
            continue
        if "error" in found and not isinstance(wanted, refusal) and allowed(template, found):
            alone += 1
            continue
        different += 1
        if different <= shown:
            print(f"  {template!r}\n    with {json.dumps(variables)[:300]}\n    {wrong}")
    print(f"{len(cases)} templates: {different} different, {refused} refused by both, {alone} refused by ours as documented")
    return different, refused, alone
