#!/usr/bin/env bash
# All linters; every finding is an error. clang-tidy reads a configured build and runs with `lint.sh tidy`.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=.venv/bin

if [[ ${1:-} == tidy ]]; then
  cmake --preset test -DCMAKE_EXPORT_COMPILE_COMMANDS=ON >/dev/null
  git ls-files 'cpp/src/*.cpp' | grep -Fxf <(sed -n "s#^ *\"file\": \"$PWD/\(.*\)\",\?#\1#p" build/test/compile_commands.json) |
    xargs -P "$(nproc)" -n 4 clang-tidy -p build/test --quiet
  echo "lint: clang-tidy clean"
  exit
fi
"$bin/ruff" check python tests benchmarks scripts
"$bin/ruff" format --check python tests benchmarks scripts
"$bin/mypy"
git ls-files '*.cpp' '*.hpp' | xargs clang-format --dry-run -Werror
git ls-files | grep -vE '\.(png|svg|h5|ipynb|gz|xmodel)$' | xargs "$bin/codespell"
git ls-files '*.sh' .ci/run | xargs "$bin/shellcheck"
echo "lint: clean"
