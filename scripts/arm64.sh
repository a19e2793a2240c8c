#!/usr/bin/env bash
# Cross-builds everything for Cortex-A53, then runs the C++ tests, nerone-run and one Python test run under qemu.
set -euo pipefail
cd "$(dirname "$0")/.."
sysroot=build/arm64-sysroot
stage=build/arm64-stage
python_tests=(tests/python/runtime/test_model.py tests/python/softdpu/test_golden.py tests/python/preprocessing/test_pair.py)

[[ -n "${NERONE_SKIP_SYSTEM_PACKAGES:-}" ]] ||
  scripts/install_system_packages.sh scripts/system_packages.txt scripts/arm64_packages.txt

scripts/arm64_sysroot.sh

pybind11_dir=$(.venv/bin/python -m pybind11 --cmakedir)
cmake --preset arm64 \
  -DNERONE_BUILD_PYTHON=ON \
  -Dpybind11_DIR="$pybind11_dir" \
  -DNERONE_PYTHON_INCLUDE="$PWD/$sysroot/usr/include/python3.11" \
  -DNERONE_PYTHON_SUFFIX=.cpython-311-aarch64-linux-gnu.so \
  -DCMAKE_FIND_ROOT_PATH_MODE_PACKAGE=BOTH
cmake --build --preset arm64 --parallel "$(nproc)"
# Damaged files meet the same reader on every machine, and ten thousand of them take minutes under qemu.
ctest --test-dir build/arm64 --output-on-failure --parallel "$(nproc)" --exclude-regex '^Fuzz\.'

# Convolutions use what the processor has: SMLAL above, SDOT and SMMLA here.
for cpu in neoverse-n1 max; do
  qemu-aarch64-static -cpu "$cpu" -L "$sysroot" build/arm64/tests/cpp/softdpu/test_softdpu --gtest_filter='Simd.*:*EveryEngine*'
done

# The program for the boards gives the masks and classes of this machine's Python.
NERONE_RUN="qemu-aarch64-static -cpu cortex-a53 -L $sysroot build/arm64/cpp/src/run/nerone-run" \
  .venv/bin/python -m pytest -p no:cacheprovider -q tests/python/run/test_nerone_run.py \
  -k "(masks_of_the_network_grid or table_of_nerone_run) and not paper"

# One interpreter only: under qemu its start alone costs seconds.
rm -rf "$stage"
cmake --install build/arm64 --component python --prefix "$stage" >/dev/null
cp -r python/nerone/. "$stage/nerone/"
site=build/arm64-site
[[ -d $site ]] || .venv/bin/pip install -q --disable-pip-version-check --no-deps --target "$site" \
  pytest pluggy iniconfig packaging pygments
libraries=/usr/lib/aarch64-linux-gnu
PYTHONHOME=$sysroot/usr PYTHONDONTWRITEBYTECODE=1 \
  PYTHONPATH=$PWD/$stage:$PWD/$site:$PWD/$sysroot/usr/lib/python3/dist-packages \
  qemu-aarch64-static -E "LD_LIBRARY_PATH=$libraries/blas:$libraries/lapack" -cpu cortex-a53 -L "$sysroot" \
  "$sysroot/usr/bin/python3.11" -m pytest -p no:cacheprovider -q "${python_tests[@]}"
