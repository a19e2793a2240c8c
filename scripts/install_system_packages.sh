#!/usr/bin/env bash
# Installs the Debian packages listed in the files given, where they are missing. Does nothing when all are there.
# On another distribution it names what is missing and stops.
set -euo pipefail

mapfile -t wanted < <(cat "$@" | sed 's/#.*//' | awk 'NF {print $1}')

if ! command -v dpkg-query >/dev/null; then
  echo "NERONE's set-up installs packages on Debian 12 only. On this distribution install their counterparts by hand:" >&2
  printf '  %s\n' "${wanted[@]}" >&2
  echo "then run again with NERONE_SKIP_SYSTEM_PACKAGES=1." >&2
  exit 2
fi

missing=()
for package in "${wanted[@]}"; do
  status=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
  [[ $status == "install ok installed" ]] || missing+=("$package")
done
[[ ${#missing[@]} -gt 0 ]] || exit 0

as_root=()
if [[ $(id -u) -ne 0 ]]; then
  if ! command -v sudo >/dev/null; then
    echo "These packages are missing and there is no sudo; install them as root: ${missing[*]}" >&2
    exit 2
  fi
  as_root=(sudo)
fi
echo "Installing system packages: ${missing[*]}" >&2
"${as_root[@]}" apt-get update -qq
if ! "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2; then
  echo "A package of the list above is not available here. NERONE's set-up is made for Debian 12 (bookworm), whose" >&2
  echo "archive has VART and XIR 2.5. Install the missing ones by hand, then set NERONE_SKIP_SYSTEM_PACKAGES=1." >&2
  exit 2
fi
