# SPDX-License-Identifier: BSD-2-Clause
# The column kvm-host of the comparison. Sourced by compare.sh. Knows nothing of other columns.
# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared with compare.sh

about="this machine's own /dev/kvm, our devices by the runner"
# shellcheck source=tests/run/compare/kvm.sh
. "$here/compare/kvm.sh"
# A KVM that does without is no KVM of a release, nor quick: it switches page tables, or emulates.
if ! grep -qE '^flags[[:space:]]*:.* (svm|vmx)( |$)' /proc/cpuinfo; then
	about="this machine's own /dev/kvm, which has no hardware virtualization under it; our devices by the runner"
	unjudged="/proc/cpuinfo has neither svm nor vmx, so this KVM is another than Linux's on hardware"
	deadline=${TIMEOUT:-180}
fi
column_can() { kvm_host_can; }
column_run() { kvm_run kvm-host; }
