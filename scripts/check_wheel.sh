#!/usr/bin/env bash
# check_wheel.sh [--demo] [--suite bookworm|trixie|bullseye] WHEEL: installs a wheel with --no-index into a new minimal
# Debian with nothing but python3-venv, and works with it there: no VART, no compiler, no sources. The golden vectors run
# through the VART that the wheel brings; --demo installs the extras too and runs nerone demo. Needs root and mmdebstrap.
# A wheel for aarch64, which brings no VART, is unpacked and runs on the sysroot's, under qemu as a Cortex-A53.
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
if [[ $wheel == *aarch64* ]]; then
  scripts/arm64_sysroot.sh
  sysroot=$PWD/build/arm64-sysroot place=$PWD/build/arm64-wheel site=$PWD/build/arm64-site
  rm -rf "$place"
  python3 -m zipfile -e "$wheel" "$place/site"
  cp -r pyproject.toml tests "$place/"
  [[ -d $site ]] || .venv/bin/pip install -q --disable-pip-version-check --no-deps --target "$site" \
    pytest pluggy iniconfig packaging pygments
  cd "$place"
  libraries=/usr/lib/aarch64-linux-gnu
  qemu=(qemu-aarch64-static -E "LD_LIBRARY_PATH=$libraries/blas:$libraries/lapack" -cpu cortex-a53 -L "$sysroot" "$sysroot/usr/bin/python3.11")
  export PYTHONHOME=$sysroot/usr PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$place/site:$site:$sysroot/usr/lib/python3/dist-packages
  "${qemu[@]}" -c 'import nerone._core as core; print("=== VART", core.vart_installation(), core.__file__)'
  exec "${qemu[@]}" -m pytest -q -p no:cacheprovider tests/python/softdpu/test_golden.py -k "libvart and portable"
fi
version=$(sed -E 's/.*-cp([0-9])([0-9]+)-cp.*/\1.\2/' <<<"$wheel")
root=build/wheel-root house=build/wheelhouse-$version-x86_64
trap 'rm -rf --one-file-system "$root"' EXIT
rm -rf --one-file-system "$root"
started=$SECONDS

mkdir -p "$house"
extras=cli
[[ -z $demo ]] || extras=cli,data,quantize,pictures
.venv/bin/pip download -q --disable-pip-version-check --only-binary :all: --python-version "$version" \
  --platform manylinux_2_28_x86_64 --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 \
  --dest "$house" numpy typer rich pytest 2>&1 | grep -v 'is ignored: it is neither' || true
[[ -z $demo ]] || .venv/bin/pip download -q --disable-pip-version-check --dest "$house" "nerone[$extras] @ file://$(realpath "$wheel")" \
  2>&1 | grep -v 'is ignored: it is neither' || true
echo "=== $(basename "$wheel") on a new Debian $suite: wheelhouse $((SECONDS - started)) s"

mmdebstrap --quiet --mode=root --variant=minbase --include=python3-venv "$suite" "$root"
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
