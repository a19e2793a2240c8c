#!/usr/bin/env bash
# arm64_sysroot.sh [2.31]: makes build/arm64-sysroot, what Debian 12's cross compiler builds with and qemu runs in; with
# 2.31 also build/arm64-sysroot-2.31, Debian 11's C and C++ libraries with the headers of Debian 12's VART, XIR, UniLog
# and Highway. Does nothing where they are whole.
set -euo pipefail
cd "$(dirname "$0")/.."
sysroot=build/arm64-sysroot
oldest=build/arm64-sysroot-2.31

# make SUITE FOLDER PACKAGES: the arm64 -dev packages cannot be installed beside the amd64 ones, so they are
# unpacked into a folder. One that was made of another list is made anew.
make() {
  [[ $(cat "$2/.complete" 2>/dev/null) != "$3" ]] || return 0
  echo "Unpacking $2" >&2
  rm -rf "$2"
  mkdir -p build
  local archive
  archive=$(scripts/debian_archive.sh "$1")
  mmdebstrap --quiet --variant=extract --architectures=arm64 --mode=root --include="$3" "$1" "$2" ${archive:+"$archive"}
  [[ $1 == bookworm ]] || complete_oldest
  echo "$3" >"$2/.complete"
}

complete_oldest() {
  local libraries=usr/lib/aarch64-linux-gnu part link
  # Debian 11's links to /lib lead out of the folder.
  for link in "$oldest/$libraries"/*.so; do
    [[ $(readlink "$link") != /* ]] || ln -sfr "$oldest$(readlink "$link")" "$link"
  done
  for part in xir vart UniLog glog gflags hwy; do cp -r "$sysroot/usr/include/$part" "$oldest/usr/include/"; done
  mkdir -p "$oldest/$libraries/cmake"
  cp -r "$sysroot/$libraries/cmake/hwy" "$oldest/$libraries/cmake/"
  cp -P "$sysroot/$libraries"/libhwy*.so* "$oldest/$libraries/"
}

packages=libvart-dev,libxir-dev,libunilog-dev,libprotobuf-dev,libgoogle-glog-dev,libboost-filesystem1.74.0
packages+=,libhwy-dev,libgtest-dev,libpython3-dev,python3-minimal,python3-numpy,libc6-dev,libstdc++-12-dev,zlib1g-dev
packages+=,libpng-dev,nlohmann-json3-dev
make bookworm "$sysroot" "$packages"
[[ ${1:-} != 2.31 ]] || make bullseye "$oldest" libc6-dev,libstdc++-10-dev,zlib1g-dev,libpng-dev,nlohmann-json3-dev
