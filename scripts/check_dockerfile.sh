#!/usr/bin/env bash
# check_dockerfile.sh CONTEXT: runs the RUN and COPY lines of deploy/Dockerfile one by one in a new minimal Debian 12,
# then nerone doctor, where no container engine is. Needs root and mmdebstrap.
# shellcheck disable=SC2016  # what stands in single quotes is expanded by mmdebstrap
set -euo pipefail
cd "$(dirname "$0")/.."
fail() { echo "check_dockerfile.sh: $*" >&2; exit 2; }

# Inside the namespaces: every mount ends with this process.
if [[ ${1:-} == --inside ]]; then
  root=$2 context=$3
  mount -t proc proc "$root/proc"
  mount --bind /dev "$root/dev"
  cp -L /etc/resolv.conf "$root/etc/"
  in_root=(chroot "$root" env -i HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive)
  path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
  while read -r word rest; do
    case $word in
      RUN) echo "=== $word $rest"; "${in_root[@]}" PATH="$path" sh -ec "$rest" </dev/null ;;
      COPY) echo "=== $word $rest"; cp -r "$context/${rest% *}" "$root${rest#* }" ;;
      ENV) [[ $rest == PATH=* ]] && path=${rest#PATH=} ;;
      '' | '#'* | FROM | ENTRYPOINT) ;;
      *) fail "deploy/Dockerfile has a line that is not run here: $word" ;;
    esac
  done <deploy/Dockerfile
  [[ $(grep -c '^ENTRYPOINT \["nerone"\]$' deploy/Dockerfile) == 1 ]] || fail "the entry point is not nerone"
  exec "${in_root[@]}" PATH="$path" nerone doctor
fi

context=${1:?a folder that holds wheels}
[[ -d $context/wheels ]] || fail "there is no folder '$context/wheels'"
[[ $(id -u) -eq 0 ]] || fail "a root file system can be made by root only: sudo $0 $*"
root=build/container-root
trap 'rm -rf --one-file-system "$root"' EXIT
rm -rf --one-file-system "$root"
mkdir -p build
mmdebstrap --quiet --mode=root --variant=minbase --include=ca-certificates \
  --setup-hook='mkdir -p "$1/etc/apt/apt.conf.d"; cp /etc/apt/apt.conf.d/* "$1/etc/apt/apt.conf.d/" 2>/dev/null || true' \
  bookworm "$root"
cp -r /usr/local/share/ca-certificates "$root/usr/local/share/" 2>/dev/null || true
chroot "$root" update-ca-certificates >/dev/null 2>&1
unshare --mount --pid --fork --kill-child "$PWD/scripts/check_dockerfile.sh" --inside "$root" "$(realpath "$context")"
