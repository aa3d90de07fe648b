# SPDX-License-Identifier: BSD-2-Clause
# The column kvm-intel-vid of the comparison. Sourced by compare.sh. Knows nothing of other columns.
# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared with compare.sh

about="As kvm-intel; the CPU delivers the local APIC's vectors itself (VID, without posted interrupts)"
# shellcheck source=tests/run/compare/kvm.sh
. "$here/compare/kvm.sh"
# Emulated by the instruction, a storm takes a minute.
deadline=${TIMEOUT:-1200}
column_can() { kvm_intel_can today; }
column_run() { kvm_run kvm-intel today on; }
