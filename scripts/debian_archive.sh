#!/usr/bin/env bash
# debian_archive.sh SUITE: the archive that mmdebstrap makes a root of the suite from, taken from apt's sources here;
# nothing where its own choice will do.
set -euo pipefail

# Debian 11's updates are no longer where mmdebstrap looks for them.
[[ $1 == bullseye ]] || exit 0
# shellcheck disable=SC2016  # apt's own names
archive=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -m 1 '/debian/$' || true)
if [[ -z $archive ]]; then
  echo "apt's sources name no Debian archive (an address that ends with /debian), which Debian 11 is taken from; add one" >&2
  exit 2
fi
echo "$archive"
