# SPDX-License-Identifier: BSD-2-Clause
# The column kvm-intel-prefix of the comparison. Sourced by compare.sh. Knows nothing of other columns.
# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared with compare.sh

about="As kvm-intel, with the rule of before 71cc849b7093 (legacy); the CPU delivers the local APIC's vectors itself (VID)"
# shellcheck source=tests/run/compare/kvm.sh
. "$here/compare/kvm.sh"
# As kvm-intel; and a livelock is told by a second of the emulated CPU.
deadline=${TIMEOUT:-1200}
column_can() { kvm_intel_can prefix; }
column_run() { kvm_run kvm-intel prefix on; }
