#!/usr/bin/env bash
# check_wheel.sh [--demo] [--suite bookworm|trixie|bullseye] WHEEL: installs a wheel with --no-index into a new minimal
# Debian, the one that has its Python unless --suite names another, with nothing but python3-venv, and works with it there:
# no VART, no compiler, no sources. The golden vectors and the pipeline's tests run through the VART that the wheel brings; --demo installs the
# extras too and runs nerone demo. On bullseye pip has to refuse a wheel for x86-64. A wheel for aarch64, which brings no
# VART, is installed and run under qemu as a Cortex-A53. Needs root and mmdebstrap.
set -euo pipefail
cd "$(dirname "$0")/.."
suite='' demo=
fail() { echo "check_wheel.sh: $*" >&2; exit 2; }
while [[ ${1:-} == --* ]]; do
  case $1 in
    --demo) demo=1; shift ;;
    --suite) suite=$2; shift 2 ;;
    --inside | --inside-arm64) break ;;
    *) fail "unknown option $1" ;;
  esac
done

# Inside the namespaces: every mount ends with this process.
if [[ ${1:-} == --inside ]]; then
  root=$2
  mount -t proc proc "$root/proc"
  mount --bind /dev "$root/dev"
  exec chroot "$root" env -i HOME=/root LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin NERONE_DEMO="$3" NERONE_REFUSED="$4" bash /check.sh
fi

if [[ ${1:-} == --inside-arm64 ]]; then
  root=$2 version=$3
  mkdir -p "$root/proc"
  mount -t proc proc "$root/proc"
  mount --bind /dev "$root/dev"
  # As a Cortex-A53: an instruction that boards lack ends the process.
  python() {
    env -i PATH="$PATH" HOME=/root LANG=C.UTF-8 PYTHONDONTWRITEBYTECODE=1 "PYTHONPATH=$site" \
      chroot "$root" /qemu -E LD_LIBRARY_PATH=/vart -cpu cortex-a53 "/usr/bin/python$version" "$@"
  }
  pip=$(basename "$root"/house/pip-*.whl)
  site=/house/$pip python -m pip install -q --no-index --no-compile --find-links /house --root-user-action ignore --target /site "nerone[cli]" pytest
  site=/site
  python -c 'import platform, nerone._core as core; print("=== Python", platform.python_version(), *platform.libc_ver(), "VART", core.vart_installation())'
  python -m nerone.cli.main doctor || true
  python -m pytest -q -p no:cacheprovider -c /check/pyproject.toml --rootdir /check /check/tests/python/softdpu/test_golden.py -k "libvart and portable"
  exit
fi

wheel=${1:?a wheel}
[[ -f $wheel ]] || fail "there is no '$wheel'; make wheels makes it"
[[ $(id -u) -eq 0 ]] || fail "a root file system can be made by root only: sudo $0 $*"
version=$(sed -E 's/.*-cp([0-9])([0-9]+)-cp.*/\1.\2/' <<<"$wheel")
machine=$(sed -E 's/.*_(x86_64|aarch64)\.whl$/\1/' <<<"$wheel")
if [[ -z $suite ]]; then
  case $version in
    3.9) suite=bullseye ;;
    3.11) suite=bookworm ;;
    3.13) suite=trixie ;;
    *) fail "no Debian has Python $version; its wheel cannot run on one" ;;
  esac
fi
house=build/wheelhouse-$version-$machine
started=$SECONDS
archive=$(scripts/debian_archive.sh "$suite")

# The wheels of the packages that are named and of what they need, from the package index. pip asks the Python that runs it
# which requirements are of other versions only: the wheel's own is taken where it is on PATH.
fetch() {
  local tag platforms=() pip=(.venv/bin/python -m pip)
  for tag in manylinux_2_35 manylinux_2_34 manylinux_2_28 manylinux_2_27 manylinux_2_17 manylinux2014; do platforms+=(--platform "${tag}_$machine"); done
  if "python$version" -m pip --version >/dev/null 2>&1; then
    pip=("python$version" -m pip)
  elif [[ ${version#3.} -lt 11 ]]; then
    set -- "$@" exceptiongroup tomli typing_extensions
  fi
  mkdir -p "$house"
  "${pip[@]}" download -q --disable-pip-version-check --only-binary :all: --python-version "$version" "${platforms[@]}" \
    --dest "$house" "$@" 2>&1 | grep -v 'is ignored: it is neither' || true
}

# A board's root: Debian's Python, the VART of Debian 12 as a board has its own, and pip to install with. Nothing but the
# first process runs under qemu there (Debian's qemu is not registered with the kernel), which pip does with.
if [[ $machine == aarch64 ]]; then
  scripts/arm64_sysroot.sh
  sysroot=build/arm64-sysroot root=build/python-arm64/$version libraries=lib/aarch64-linux-gnu
  if [[ ! -f $root/.complete ]]; then
    rm -rf "$root"
    mkdir -p "$(dirname "$root")"
    mmdebstrap --quiet --variant=extract --architectures=arm64 --mode=root \
      --include=python3-minimal,libpython3-stdlib,libstdc++6 "$suite" "$root" ${archive:+"$archive"}
    mkdir "$root/vart"
    for part in vart xir unilog glog gflags protobuf boost_filesystem json-c unwind lzma; do
      find "$sysroot/usr/$libraries" "$sysroot/$libraries" -name "lib$part*.so.*" -exec cp -L {} "$root/vart/" \;
    done
    # No board with VART 2.5 has Debian 11's C library: PetaLinux 2022 has Python 3.9 with glibc 2.34.
    [[ $suite != bullseye ]] || cp -a "$sysroot/$libraries/." "$root/$libraries/"
    [[ $suite != bullseye ]] || cp -a "$sysroot/usr/$libraries"/libstdc++.so.6* "$root/vart/"
    cp /usr/bin/qemu-aarch64-static "$root/qemu"
    touch "$root/.complete"
  fi
  fetch numpy typer rich pytest pip
  rm -rf "$root/house" "$root/site" "$root/check"
  mkdir "$root/check"
  cp -r "$house" "$root/house"
  cp "$wheel" "$root/house/"
  cp -r pyproject.toml tests "$root/check/"
  unshare --mount --pid --fork --kill-child "$PWD/scripts/check_wheel.sh" --inside-arm64 "$root" "$version"
  echo "=== $(basename "$wheel") under qemu with Debian $suite's Python: $(stat -c %s "$wheel") bytes, $((SECONDS - started)) s in all"
  exit
fi
# Debian 11's C library is older than the VART that the wheel brings: pip must say so.
refused=
[[ $suite != bullseye ]] || refused=1
root=build/wheel-root
trap 'rm -rf --one-file-system "$root"' EXIT
rm -rf --one-file-system "$root"
extras=cli
[[ -z $demo ]] || extras=cli,data,quantize,pictures
if [[ -n $demo ]]; then fetch "nerone[$extras] @ file://$(realpath "$wheel")" pytest; else fetch numpy typer rich pytest; fi
echo "=== $(basename "$wheel") on a new Debian $suite: wheelhouse $((SECONDS - started)) s"

mmdebstrap --quiet --mode=root --variant=minbase --include=python3-venv "$suite" "$root" ${archive:+"$archive"}
cp -r "$house" "$root/house"
cp "$wheel" "$root/house/"
mkdir "$root/check"
cp -r pyproject.toml tests "$root/check/"
cat >"$root/check.sh" <<'INSIDE'
set -euo pipefail
python3 -m venv /env
started=$SECONDS
if [[ -n ${NERONE_REFUSED:-} ]]; then
  for what in "nerone[cli]" /house/nerone-*.whl; do
    if /env/bin/pip install -q --no-index --find-links /house "$what" >/said 2>&1; then echo "pip installed $what"; exit 1; fi
    echo "=== $(/env/bin/pip --version | cut -d' ' -f1,2) refuses: $(grep -m1 '^ERROR: ' /said)"
  done
  exit
fi
/env/bin/pip install -q --no-index --find-links /house "nerone[${NERONE_DEMO:-cli}]" pytest
echo "=== installed in $((SECONDS - started)) s, $(du -sm /env/lib/python3*/site-packages/nerone | cut -f1) MB of NERONE"
! command -v cc >/dev/null || { echo "there is a compiler"; exit 1; }
cd /check
/env/bin/python -c 'import nerone._core as core; print("=== VART", core.vart_installation())'
/env/bin/nerone doctor || true
/env/bin/python -m pytest -q -p no:cacheprovider tests/python/softdpu/test_golden.py -k "libvart and portable"
/env/bin/python -m pytest -q -p no:cacheprovider tests/python/runtime/test_pipeline.py
[[ -z ${NERONE_DEMO:-} ]] || (cd /tmp && time /env/bin/nerone demo)
INSIDE
unshare --mount --pid --fork --kill-child "$PWD/scripts/check_wheel.sh" --inside "$root" "${demo:+$extras}" "$refused"
echo "=== $(basename "$wheel") on a new Debian $suite: $(stat -c %s "$wheel") bytes, $((SECONDS - started)) s in all"
