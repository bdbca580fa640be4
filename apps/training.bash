# What the programs apps/*/train share. Each begins with a comment, which is its help, and then sources this file. It takes --help and
# --no-install (never install packages) off the command line.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
here=$(cd "$(dirname "${BASH_SOURCE[1]}")" && pwd) # The folder of the program that trains.
programs=$root/build/release

install_option=()
if [[ ${1:-} == --no-install ]]; then
  install_option=(--no-install)
  shift
fi
if [[ ${1:-} == --help || ${1:-} == -h ]]; then
  sed -n '2,/^source /{s/^# \{0,1\}//;/^source /!p}' "${BASH_SOURCE[1]}"
  exit 0
fi

build_programs() {
  "$root/apps/build_troupe" "${install_option[@]}" release training_programs
}

# make_up FILE GENERATOR OPTION...: writes training data, unless it is there already.
make_up() {
  local file=$1 generator=$2
  shift 2
  [[ -e $file ]] && return
  mkdir -p "$(dirname "$file")"
  echo "Making up $file" >&2
  "$programs/$generator" "$@" > "$file.part"
  mv "$file.part" "$file"
}

# train_model CONFIG FOLDER: trains by a configuration of this folder in FOLDER, or goes on with what was begun there.
train_model() {
  local config=$1 folder=$2 resume=()
  cp "$here/$config" "$folder/"
  [[ -e $folder/run/last ]] && resume=(--resume)
  "$programs/troupe" train "$folder/$config" "${resume[@]}"
}

# keep_model FOLDER: the model that was trained in FOLDER, in half precision, and its loss curve replace those beside the program.
keep_model() {
  rm -rf "$here/model"
  "$programs/troupe" export -m "$1/run/best" --folder "$here/model" --type f16
  cp "$1/run/loss.svg" "$here/loss.svg"
}
