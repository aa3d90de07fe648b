#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# setup.sh run|bochs|bare-bochs|lab|test...: installs the packages of .ci/packages for these purposes that are missing; test
# is for all of them. Quick when none is.
# SETUP=skip: does nothing.
# Exit status: 0 nothing is missing any more, 2 otherwise.
set -uo pipefail
[ "${SETUP:-}" != skip ] || exit 0

list=$(dirname "$0")/../../.ci/packages
mapfile -t wanted < <(awk -v purposes=" ${*:-run} " '
	/^[^#]/ && (index(purposes, " test ") || index(purposes, " " $2 " ")) { print $1 }' "$list")

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
	echo "setup: this is not a Debian-like system; please install what these Debian packages hold," >&2
	echo "setup: then use SETUP=skip: ${wanted[*]}" >&2
	exit 2
fi

missing=()
# shellcheck disable=SC2016 # the braces are dpkg-query's
installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "${wanted[@]}" 2>/dev/null)
for p in "${wanted[@]}"; do
	[[ $'\n'$installed$'\n' == *$'\n'"$p installed"$'\n'* ]] || missing+=("$p")
done
[ ${#missing[@]} -gt 0 ] || exit 0

sudo=()
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null || {
		echo "setup: missing packages, and neither root nor sudo to install them: ${missing[*]}" >&2
		exit 2
	}
	sudo=(sudo)
fi
echo "setup: installing ${missing[*]}" >&2
apt=("${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y)
"${apt[@]}" install --no-install-recommends "${missing[@]}" >&2 ||
	{ "${apt[@]}" update >&2 && "${apt[@]}" install --no-install-recommends "${missing[@]}" >&2; } ||
	{
		echo "setup: apt-get could not install: ${missing[*]}" >&2
		exit 2
	}
