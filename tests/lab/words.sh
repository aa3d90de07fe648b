# SPDX-License-Identifier: BSD-2-Clause
# The words that boot.sh and boot-bochs.sh share, checked: [--check] KERNEL COMMAND..., LAB, MODULES and KVM's options. Sourced by
# them at their top. Sets kernel, root and lib, and check to 1 or nothing; takes the words up to COMMAND away.
# Knows nothing of the emulators.
# shellcheck shell=bash disable=SC2034 # variables are shared with those that source it

LAB=${LAB:-${O:-build}/lab}
OUT=${OUT:-$LAB/out} MODULES=${MODULES:-} TIMEOUT=${TIMEOUT:-600}
KVM_OPTIONS=${KVM_OPTIONS:-} KVM_VENDOR_OPTIONS=${KVM_VENDOR_OPTIONS:-}

error() {
	echo "lab: error: $*" >&2
	exit 125
}

usage="usage: ${0##*/} KERNEL COMMAND... or ${0##*/} --check KERNEL"
(($# >= 2)) || error "$usage"
check=
if [ "$1" = --check ]; then
	(($# == 2)) || error "$usage"
	check=1
	shift
fi
kernel=$LAB/kernel-$1
shift
[ -r "$LAB/root/.stamp" ] || error "LAB=$LAB: there is no lab: make lab"
[ -r "$kernel/.stamp" ] || error "${kernel##*/}: not in $LAB, which has: $(cd "$LAB" && echo kernel-*); make lab"
[ -z "$MODULES" ] || [ -r "$LAB/modules/$MODULES" ] || error "MODULES=$MODULES: not in $LAB/modules; make lab"
[ -z "$MODULES" ] || [ "${kernel##*-}" = 6.1 ] || error "MODULES=$MODULES: made for kernel-6.1, not for ${kernel##*/}"
[[ "$KVM_OPTIONS$KVM_VENDOR_OPTIONS" != *,* ]] || error "KVM_OPTIONS, KVM_VENDOR_OPTIONS: blanks part them, not commas"
root=$(realpath "$LAB/root")
lib=$root/usr/lib/x86_64-linux-gnu
