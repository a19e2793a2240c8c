#!/usr/bin/env bash
# Makes build/arm64-sysroot, what Debian 12's cross compiler builds with and qemu runs in; does nothing where it is whole.
set -euo pipefail
cd "$(dirname "$0")/.."
sysroot=build/arm64-sysroot

# The arm64 -dev packages cannot be installed beside the amd64 ones, so they are unpacked into a sysroot.
packages=libvart-dev,libxir-dev,libunilog-dev,libprotobuf-dev,libgoogle-glog-dev,libboost-filesystem1.74.0
packages+=,libhwy-dev,libgtest-dev,libpython3-dev,python3-minimal,python3-numpy,libc6-dev,libstdc++-12-dev,zlib1g-dev
packages+=,libpng-dev,nlohmann-json3-dev
# A sysroot that was made of another list is made anew.
if [[ $(cat "$sysroot/.complete" 2>/dev/null) != "$packages" ]]; then
  echo "Unpacking the arm64 sysroot" >&2
  rm -rf "$sysroot"
  mkdir -p build
  mmdebstrap --quiet --variant=extract --architectures=arm64 --mode=root --include="$packages" bookworm "$sysroot"
  echo "$packages" >"$sysroot/.complete"
fi
