#!/usr/bin/env bash
# check_wheel.sh [--demo] [--suite bookworm|trixie|bullseye] WHEEL: installs a wheel with --no-index into a new minimal
# Debian with nothing but python3-venv, and works with it there: no VART, no compiler, no sources. The golden vectors run
# through the VART that the wheel brings; --demo installs the extras too and runs nerone demo. Needs root and mmdebstrap.
# A wheel for aarch64, which brings no VART, runs with the Python of the Debian that has it and the VART of the sysroot,
# under qemu as a Cortex-A53.
# shellcheck disable=SC2046  # archive prints one word or none
set -euo pipefail
cd "$(dirname "$0")/.."
suite=bookworm demo=
fail() { echo "check_wheel.sh: $*" >&2; exit 2; }
while [[ ${1:-} == --* ]]; do
  case $1 in
    --demo) demo=1; shift ;;
    --suite) suite=$2; shift 2 ;;
    --inside) break ;;
    *) fail "unknown option $1" ;;
  esac
done

# Inside the namespaces: every mount ends with this process.
if [[ ${1:-} == --inside ]]; then
  root=$2
  mount -t proc proc "$root/proc"
  mount --bind /dev "$root/dev"
  exec chroot "$root" env -i HOME=/root LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin NERONE_DEMO="$3" bash /check.sh
fi

wheel=${1:?a wheel}
[[ -f $wheel ]] || fail "there is no '$wheel'; make wheels makes it"
[[ $(id -u) -eq 0 ]] || fail "a root file system can be made by root only: sudo $0 $*"
version=$(sed -E 's/.*-cp([0-9])([0-9]+)-cp.*/\1.\2/' <<<"$wheel")
machine=$(sed -E 's/.*_(x86_64|aarch64)\.whl$/\1/' <<<"$wheel")
house=build/wheelhouse-$version-$machine
started=$SECONDS
# Debian 11's updates are no longer where mmdebstrap looks for them.
archive() { [[ $1 != bullseye ]] || echo http://deb.debian.org/debian; }

# The wheels of the packages that are named and of what they need, from the package index.
fetch() {
  local tag platforms=()
  for tag in manylinux_2_35 manylinux_2_34 manylinux_2_28 manylinux_2_27 manylinux_2_17 manylinux2014; do platforms+=(--platform "${tag}_$machine"); done
  # pip asks its own Python whether a requirement is one of older ones only.
  [[ ${version#3.} -ge 11 ]] || set -- "$@" exceptiongroup tomli typing_extensions
  mkdir -p "$house"
  .venv/bin/pip download -q --disable-pip-version-check --only-binary :all: --python-version "$version" "${platforms[@]}" \
    --dest "$house" "$@" 2>&1 | grep -v 'is ignored: it is neither' || true
}

if [[ $machine == aarch64 ]]; then
  case $version in
    3.9) suite=bullseye ;;
    3.11) suite=bookworm ;;
    3.13) suite=trixie ;;
    *) fail "no Debian has Python $version for aarch64; its wheel cannot run here" ;;
  esac
  scripts/arm64_sysroot.sh
  sysroot=$PWD/build/arm64-sysroot root=$PWD/build/python-arm64/$version place=$PWD/build/arm64-wheel
  libraries=usr/lib/aarch64-linux-gnu
  if [[ ! -f $root/.complete ]]; then
    rm -rf "$root"
    mkdir -p "$(dirname "$root")"
    mmdebstrap --quiet --variant=extract --architectures=arm64 --mode=root \
      --include=python3-minimal,libpython3-stdlib,libstdc++6 "$suite" "$root" $(archive "$suite")
    touch "$root/.complete"
  fi
  fetch numpy typer rich pytest
  rm -rf "$place"
  mkdir -p "$place/vart"
  for part in "$house"/*.whl "$wheel"; do python3 -m zipfile -e "$part" "$place/site"; done
  cp -r pyproject.toml tests "$place/"
  for part in vart xir unilog glog gflags protobuf boost_filesystem json-c unwind lzma; do
    find "$sysroot/$libraries" "$sysroot/lib/aarch64-linux-gnu" -name "lib$part*.so.*" -exec cp -L {} "$place/vart/" \;
  done
  cd "$place"
  # The C library of the newer of the two: it serves what was built with the older one.
  newer=$sysroot
  [[ $suite != trixie ]] || newer=$root
  qemu=(qemu-aarch64-static -E "LD_LIBRARY_PATH=/lib/aarch64-linux-gnu:/$libraries:$place/vart:$root/$libraries:$root/lib/aarch64-linux-gnu" -cpu cortex-a53 -L "$newer" "$root/usr/bin/python$version")
  export PYTHONHOME=$root/usr PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$place/site
  "${qemu[@]}" -c 'import platform, nerone._core as core; print("=== Python", platform.python_version(), "VART", core.vart_installation(), core.__file__)'
  "${qemu[@]}" -m nerone.cli.main doctor || true
  "${qemu[@]}" -m pytest -q -p no:cacheprovider tests/python/softdpu/test_golden.py -k "libvart and portable"
  echo "=== $(basename "$wheel") under qemu with Debian $suite's Python: $(stat -c %s "$wheel") bytes, $((SECONDS - started)) s in all"
  exit
fi
root=build/wheel-root
trap 'rm -rf --one-file-system "$root"' EXIT
rm -rf --one-file-system "$root"
extras=cli
[[ -z $demo ]] || extras=cli,data,quantize,pictures
if [[ -n $demo ]]; then fetch "nerone[$extras] @ file://$(realpath "$wheel")" pytest; else fetch numpy typer rich pytest; fi
echo "=== $(basename "$wheel") on a new Debian $suite: wheelhouse $((SECONDS - started)) s"

mmdebstrap --quiet --mode=root --variant=minbase --include=python3-venv "$suite" "$root" $(archive "$suite")
cp -r "$house" "$root/house"
cp "$wheel" "$root/house/"
mkdir "$root/check"
cp -r pyproject.toml tests "$root/check/"
cat >"$root/check.sh" <<'INSIDE'
set -euo pipefail
python3 -m venv /env
started=$SECONDS
/env/bin/pip install -q --no-index --find-links /house "nerone[${NERONE_DEMO:-cli}]" pytest
echo "=== installed in $((SECONDS - started)) s, $(du -sm /env/lib/python3*/site-packages/nerone | cut -f1) MB of NERONE"
! command -v cc >/dev/null || { echo "there is a compiler"; exit 1; }
cd /check
/env/bin/python -c 'import nerone._core as core; print("=== VART", core.vart_installation())'
/env/bin/nerone doctor || true
/env/bin/python -m pytest -q -p no:cacheprovider tests/python/softdpu/test_golden.py -k "libvart and portable"
[[ -z ${NERONE_DEMO:-} ]] || (cd /tmp && time /env/bin/nerone demo)
INSIDE
unshare --mount --pid --fork --kill-child "$PWD/scripts/check_wheel.sh" --inside "$root" "${demo:+$extras}"
echo "=== $(basename "$wheel") on a new Debian $suite: $(stat -c %s "$wheel") bytes, $((SECONDS - started)) s in all"
