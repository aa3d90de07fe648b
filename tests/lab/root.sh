#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# root.sh FOLDER: the lab's Debian root, with the newest QEMU, OVMF and Bochs of a stable Debian, and the few tools that
# the rest of the lab is made with. Its files belong to whoever makes it.
# Knows nothing of kernels.
here=$(dirname "$0")
# shellcheck source=tests/lab/apt.sh
. "$here/apt.sh"

out=$1 include=''
lab_lists
suite=$(awk '$1 == "root" { print $2; exit }' "$here/pins")
while read -r package version; do
	took=$(lab_take "$suite" "$package" "$version") || lab_error "$package: not in $suite of $LAB_MIRROR"
	echo "$took"
	read -r package version _ <<<"$took"
	include+=${include:+,}$package=$version
done < <(awk '$1 == "root" { print $3, $4 }' "$here/pins")

# As a stream: whatever mmdebstrap had to be to make it, who unpacks it owns it. Device nodes are devtmpfs' affair.
mmdebstrap --mode=auto --variant=essential --format=tar --include="$include" --aptopt='APT::Install-Recommends "false"' \
	--dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
	--dpkgopt='path-exclude=/usr/share/man/*' \
	"$suite" - "$(lab_source "$suite")" | tar -x -C "$out" --no-same-owner --exclude='./dev/*' ||
	lab_error "mmdebstrap failed"
