# SPDX-License-Identifier: BSD-2-Clause
# What the columns share that run the guest on KVM by kvm.sh. Sourced by them, into compare.sh, which has set here, dir, rule
# and deadline.
# Knows nothing of the platforms.
# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared with compare.sh

# KVM's rule is its own: there is nothing to choose.
rules=''

# shellcheck disable=SC2317
runner_is_built() {
	[ -r "$O/intack-kvm" ] && return
	echo "$O/intack-kvm is not built"
	return 1
}

# shellcheck disable=SC2317
kvm_host_can() {
	runner_is_built || return
	{ : <>/dev/kvm; } 2>/dev/null && return
	echo "/dev/kvm cannot be opened: this machine has no KVM, or its user may not use it"
	return 1
}

# In the lab, with MODULES in place of the kernel's own.
# shellcheck disable=SC2317
kvm_lab_can() { # KERNEL [MODULES]
	runner_is_built || return
	LAB=${LAB:-$O/lab} MODULES=${2:-} "$here/../lab/boot.sh" --check "$1"
}

# In the lab's Bochs.
# shellcheck disable=SC2317
kvm_intel_can() { # [MODULES]
	runner_is_built || return
	LAB=${LAB:-$O/lab} MODULES=${1:-} MEM='' "$here/../lab/boot-bochs.sh" --check 6.1
}

# The comparison is one of the suite: other guests are not meant for it.
kvm_run() { # L0 [MODULES [VID]]
	L0=$1 MODULES=${2:-} RULE='' VID=${3:-} TIMEOUT=$deadline NAME=compare-$(basename "$dir") GUEST='' CMDLINE='' MODULE='' \
		"$here/kvm.sh"
}
