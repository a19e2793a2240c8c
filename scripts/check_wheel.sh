#!/usr/bin/env bash
# check_wheel.sh [--demo] [--suite bookworm|trixie|bullseye] [--arch amd64|arm64] WHEEL: installs a wheel with --no-index
# into a new minimal Debian with nothing but python3-venv, and works with it there: no VART, no compiler, no sources.
# The golden vectors run through the VART that the wheel brings; --demo installs the extras too and runs nerone demo.
# A wheel for arm64, which brings no VART, gets Debian's, and runs under qemu. Needs root and mmdebstrap.
set -euo pipefail
cd "$(dirname "$0")/.."
suite=bookworm arch=amd64 demo=
fail() { echo "check_wheel.sh: $*" >&2; exit 2; }
while [[ ${1:-} == --* ]]; do
  case $1 in
    --demo) demo=1; shift ;;
    --suite) suite=$2; shift 2 ;;
    --arch) arch=$2; shift 2 ;;
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
machine=$([[ $arch == arm64 ]] && echo aarch64 || echo x86_64)
root=build/wheel-root house=build/wheelhouse-$version-$machine
trap 'rm -rf --one-file-system "$root"' EXIT
rm -rf --one-file-system "$root"
started=$SECONDS

mkdir -p "$house"
extras=cli
[[ -z $demo ]] || extras=cli,data,quantize,pictures
# An arm64 pip under qemu would take minutes; what it needs is known here.
.venv/bin/pip download -q --disable-pip-version-check --only-binary :all: --python-version "$version" \
  --platform "manylinux_2_28_$machine" --platform "manylinux_2_17_$machine" --platform "manylinux2014_$machine" \
  --dest "$house" numpy typer rich pytest 2>&1 | grep -v 'is ignored: it is neither' || true
[[ -z $demo ]] || .venv/bin/pip download -q --disable-pip-version-check --dest "$house" "nerone[$extras] @ file://$(realpath "$wheel")" \
  2>&1 | grep -v 'is ignored: it is neither' || true
echo "=== $(basename "$wheel") on a new Debian $suite ($arch): wheelhouse $((SECONDS - started)) s"

include=python3-venv
[[ $arch == amd64 ]] || include+=,libvart2
mmdebstrap --quiet --mode=root --variant=minbase --architectures="$arch" --include="$include" "$suite" "$root"
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
[[ $arch == amd64 ]] || grep -q interpreter /proc/sys/fs/binfmt_misc/qemu-aarch64 2>/dev/null ||
  fail "this machine does not run arm64 programs through qemu (binfmt_misc); apt-get install qemu-user-static"
unshare --mount --pid --fork --kill-child "$PWD/scripts/check_wheel.sh" --inside "$root" "${demo:+$extras}"
echo "=== $(basename "$wheel") on a new Debian $suite ($arch): $(stat -c %s "$wheel") bytes, $((SECONDS - started)) s in all"
