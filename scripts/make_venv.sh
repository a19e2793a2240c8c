#!/usr/bin/env bash
# Makes the virtual environment DIR with the requirements of FILE and, without what they ask for, those of ALONE, unless it
# already has exactly those.
set -euo pipefail
dir=$1
requirements=$2
alone=$3
python=${PYTHON:-python3}

stamp="$dir/.requirements"
if [[ -f $stamp ]] && cmp -s "$stamp" <(cat "$requirements" "$alone"); then
  exit 0
fi
if ! command -v "$python" >/dev/null || ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then
  echo "Python 3.10 or newer is needed, '$python' is not one. Set PYTHON=/path/to/python3.10 or newer." >&2
  exit 2
fi
echo "Making the virtual environment $dir" >&2
[[ -x $dir/bin/python ]] || "$python" -m venv "$dir"
"$dir/bin/pip" install -q --disable-pip-version-check -r "$requirements"
"$dir/bin/pip" install -q --disable-pip-version-check --no-deps -r "$alone"
cat "$requirements" "$alone" >"$stamp"
