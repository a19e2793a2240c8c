#!/usr/bin/env bash
# fresh.sh [--only COMMAND] [root|user]...: the README's first commands on a new Debian 12, as root or as an ordinary
# user with sudo; only the one that is named, where it is.
# Nothing enters its root but a clone of HEAD and this machine's package sources, certificates and pip configuration,
# with the folders which that one names. Needs root and mmdebstrap. NERONE_TESTS=sample runs one test per folder.
# shellcheck disable=SC2016  # what stands in single quotes is expanded by others
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD/build/fresh/root
fail() { echo "fresh.sh: $*" >&2; exit 2; }

# The host's apt sources that are Debian 12's; none of them: mmdebstrap's own.
apt_sources() {
  grep -lw 'bookworm' /etc/apt/sources.list /etc/apt/sources.list.d/*.{list,sources} 2>/dev/null || true
}

make_root() {
  local programs=make,ca-certificates sources
  [[ $1 == root ]] || programs+=,sudo
  mapfile -t sources < <(apt_sources)
  rm -rf --one-file-system "$root" "$root.alone"
  mkdir -p "$(dirname "$root")"
  mmdebstrap --quiet --mode=root --variant=minbase --include="$programs" \
    --setup-hook='mkdir -p "$1/etc/apt/apt.conf.d"; cp /etc/apt/apt.conf.d/* "$1/etc/apt/apt.conf.d/" 2>/dev/null || true' \
    --setup-hook='for d in keyrings trusted.gpg.d auth.conf.d; do [ ! -d "/etc/apt/$d" ] || cp -rL "/etc/apt/$d" "$1/etc/apt/"; done' \
    bookworm "$root" "${sources[@]}" ||
    fail "no Debian 12 root could be made here; mmdebstrap's lines above say why (it needs the sources of bookworm in /etc/apt, or the network)"
}

# What pip and the programs under it read from the environment.
inherited_environment() {
  env | grep -E '^(PIP_[A-Z_]+|SSL_CERT_[A-Z]+|[A-Z]+_CA_BUNDLE|(https?|no|HTTPS?|NO)_(proxy|PROXY)|NERONE_TESTS)=' || true
}

# The files and folders that pip's configuration names, with the parent of an index: its files lie beside it.
pip_paths() {
  local value
  { python3 -m pip config list 2>/dev/null | cut -d= -f2- | tr -d "'\""; env | grep '^PIP_' | cut -d= -f2-; } |
    tr ' ' '\n' | sed 's/\\n/\n/g' | while read -r value; do
      case $value in
        file://*) value=${value#file://}; [[ $(dirname "$value") == /*/* ]] && value=$(dirname "$value") ;;
        /etc/* | /dev/*) continue ;;  # copied, or made by the root's own packages
      esac
      [[ $value == /* && -e $value ]] && echo "$value" || true
    done | sort -u
}

# Copies certificates and pip's configuration; mounts what it names. Runs in a mount namespace of its own.
furnish() {
  local home=$1 path
  cp -r /usr/local/share/ca-certificates "$root/usr/local/share/" 2>/dev/null || true
  chroot "$root" update-ca-certificates >/dev/null 2>&1
  cp -L /etc/resolv.conf /etc/hosts "$root/etc/" 2>/dev/null || true
  printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"  # packages start no service
  chmod +x "$root/usr/sbin/policy-rc.d"
  for path in /etc/pip.conf /etc/xdg/pip; do
    [[ ! -e $path ]] || { mkdir -p "$root$(dirname "$path")"; cp -rL "$path" "$root$path"; }
  done
  for path in .pip .config/pip; do
    [[ ! -e $HOME/$path ]] || { mkdir -p "$root$home/$(dirname "$path")"; cp -rL "$HOME/$path" "$root$home/$path"; }
  done
  mount -t proc proc "$root/proc"
  mount --rbind /sys "$root/sys"
  mount --rbind /dev "$root/dev"
  while read -r path; do
    if [[ -d $path ]]; then mkdir -p "$root$path"; else mkdir -p "$root$(dirname "$path")"; touch "$root$path"; fi
    mount --bind "$path" "$root$path"
    mount -o remount,bind,ro "$root$path"
  done < <(pip_paths)
}

# Inside the namespaces: process 1, whose end ends every process and every mount.
run_commands() {
  local who=$1 home=/root as=() packages started commands
  trap 'exit 130' INT TERM
  if [[ $who == user ]]; then
    home=/home/someone
    chroot "$root" useradd --create-home --shell /bin/bash someone
    echo 'someone ALL=(ALL) NOPASSWD: ALL' >"$root/etc/sudoers.d/someone"
    as=(--userspec=someone:someone)
  fi
  furnish "$home"
  git clone --quiet --no-hardlinks "file://$PWD" "$root$home/nerone"
  chroot "$root" chown -R "$(basename "$home"):" "$home"
  packages=$(chroot "$root" dpkg-query -W -f '${Package}\n' | wc -l)
  mapfile -t commands < <(awk '/^## Start/ {start = 1} start && /^```/ {if (inside) exit; inside = 1; next} inside' README.md)
  [[ ${#commands[@]} -gt 0 ]] || fail "no commands stand below README.md's \"## Start\""
  mapfile -t environment < <(inherited_environment)
  [[ -z ${NERONE_FRESH_ONLY:-} ]] || commands=("$NERONE_FRESH_ONLY")
  for command in "${commands[@]}"; do
    started=$SECONDS
    echo "=== new Debian 12, as $who: $command"
    chroot "${as[@]}" "$root" env -i HOME="$home" LANG=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
      "${environment[@]}" bash -c "cd ~/nerone && $command" </dev/null || fail "\"$command\" failed as $who on a new Debian 12"
    echo "=== new Debian 12, as $who: $command took $((SECONDS - started)) s"
  done
  mkdir "$root.alone"
  mount --bind "$root" "$root.alone"  # without what is mounted below it
  echo "=== new Debian 12, as $who: $(($(chroot "$root" dpkg-query -W -f '${Package}\n' | wc -l) - packages)) packages by apt," \
    "$(find "$root$home/nerone/.venv/lib" -maxdepth 3 -name '*.dist-info' | wc -l) by pip, $(du -sm "$root.alone" | cut -f1) MB with the system"
}

if [[ ${1:-} == --inside ]]; then
  run_commands "$2"
  exit
fi
if [[ ${1:-} == --only ]]; then
  export NERONE_FRESH_ONLY=$2
  shift 2
fi
[[ $(id -u) -eq 0 ]] || fail "a root file system can be made by root only: sudo $0 $*"
command -v mmdebstrap >/dev/null || fail "mmdebstrap is missing: apt-get install mmdebstrap"
[[ -z $(git status --porcelain) ]] || echo "fresh.sh: only what is committed is run" >&2
child=
trap '[[ -z $child ]] || kill -KILL "$child" 2>/dev/null || true; rm -rf --one-file-system "$root" "$root.alone"' EXIT
trap 'exit 130' INT TERM
for who in "${@:-root}"; do
  [[ $who == root || $who == user ]] || fail "unknown user \"$who\"; root and user are known"
  started=$SECONDS
  echo "=== new Debian 12, as $who: mmdebstrap"
  make_root "$who"
  echo "=== new Debian 12, as $who: mmdebstrap took $((SECONDS - started)) s"
  unshare --mount --pid --fork --kill-child "$PWD/scripts/fresh.sh" --inside "$who" &
  child=$!
  wait "$child"
  child=
done
