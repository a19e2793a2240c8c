#!/usr/bin/env bash
# All linters; every finding is an error.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=.venv/bin

"$bin/ruff" check python tests benchmarks
"$bin/ruff" format --check python tests benchmarks
"$bin/mypy"
git ls-files '*.cpp' '*.hpp' | xargs clang-format --dry-run -Werror
echo "lint: clean"
