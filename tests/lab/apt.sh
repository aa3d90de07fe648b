# SPDX-License-Identifier: BSD-2-Clause
# Debian's packages for the lab, from lists of its own: the machine's own packages and lists stay as they are.
# Sourced by the scripts that make a part of the lab; each makes one folder, says on standard output what it took
# (`PACKAGE VERSION`, and behind it `instead of PACKAGE VERSION` where that is not what tests/lab/pins names), and fails
# with a line `error: ...` on standard error.
# shellcheck shell=bash

set -uo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
LAB=${LAB:-${O:-build}/lab}
LAB_MIRROR=${LAB_MIRROR:-http://deb.debian.org/debian}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

lab_error() {
	echo "error: $*" >&2
	exit 2
}

lab_source() { # SUITE: its line for apt's list
	echo "deb [signed-by=$keyring] $LAB_MIRROR $1 main"
}

lab_apt() { # TOOL ARGUMENT...
	local tool=$1 state
	shift
	state=$(realpath "$LAB")/apt
	"$tool" -o Dir::State="$state" -o Dir::State::lists="$state/lists" -o Dir::State::status="$state/status" \
		-o Dir::Cache="$state/cache" -o Dir::Cache::pkgcache=pkgcache.bin -o Dir::Cache::srcpkgcache=srcpkgcache.bin \
		-o Dir::Etc::sourcelist="$state/sources.list" -o Dir::Etc::sourceparts=- \
		-o APT::Architecture=amd64 -o Acquire::Languages=none -o APT::Sandbox::User= \
		-o Acquire::Check-Valid-Until=false "$@"
}

# The lists are read anew once for each build: the archive moves on.
lab_lists() {
	local state=$LAB/apt suite
	[ ! -e "$state/new" ] || return 0
	rm -rf "$state"
	mkdir -p "$state"/lists/partial "$state"/cache/archives/partial
	: >"$state/status"
	while read -r suite; do
		lab_source "$suite"
	done < <(awk '/^[^#]/ { print $2 }' "$here/pins" | sort -u) >"$state/sources.list"
	lab_source "$(awk '$1 == "root" { print $2; exit }' "$here/pins")" | sed 's/^deb /deb-src /' >>"$state/sources.list"
	lab_apt apt-get -q --error-on=any update >&2 || lab_error "the lists of $LAB_MIRROR cannot be read"
	: >"$state/new"
}

# lab_has SUITE PACKAGE: the versions of it that the suite has, newest first
lab_has() {
	lab_apt apt-cache madison "$2" | awk -F ' *\\| *' -v suite="$1/main" '
		$3 ~ / amd64 Packages$/ { split($3, from, " "); if (from[2] == suite) print $2 }'
}

# lab_take SUITE PACKAGE VERSION: what to take for it
lab_take() {
	local has
	has=$(lab_has "$1" "$2")
	[ -n "$has" ] || return 1
	if grep -qxF "$3" <<<"$has"; then
		echo "$2 $3"
	else
		echo "$2 $(head -n1 <<<"$has") instead of $2 $3"
	fi
}

# A program of the lab's root, run where we are, with the libraries that it was made for.
lab_run() { # ROOT NAME [NAME-IT-GOES-BY=NAME] ARGUMENT...
	local root=$1 name=$2
	shift 2
	"$root/usr/lib64/ld-linux-x86-64.so.2" --library-path "$root/usr/lib/x86_64-linux-gnu" --argv0 "$name" \
		"$(realpath "$(command -v "$root/usr/bin/$name" || command -v "$root/usr/sbin/$name")")" "$@"
}

# Compiles in a root that is not kept: FOLDER/lab is its /lab, and what the build.sh in it leaves in /lab/out goes to OUT.
# Nothing of our environment is meant for it.
lab_compile() { # SUITE PACKAGES-WITH-COMMAS FOLDER OUT
	# shellcheck disable=SC2016 # the hook's shell has a $1 of its own
	mmdebstrap --mode=auto --variant=essential --format=null --include="$2" --aptopt='APT::Install-Recommends "false"' \
		--dpkgopt=force-unsafe-io --customize-hook="copy-in $3/lab /" \
		--customize-hook='chroot "$1" env -i PATH=/usr/sbin:/usr/bin LC_ALL=C bash /lab/build.sh' \
		--customize-hook="sync-out /lab/out $4" "$1" /dev/null "$(lab_source "$1")" >&2
}
