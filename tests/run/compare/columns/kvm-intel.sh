# SPDX-License-Identifier: BSD-2-Clause
# The column kvm-intel of the comparison. Sourced by compare.sh. Knows nothing of other columns.
# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared with compare.sh

about="Linux 6.1's kvm_intel on Bochs' model of a CPU, our devices by the runner"
# shellcheck source=tests/run/compare/kvm.sh
. "$here/compare/kvm.sh"
# Emulated by the instruction, a storm takes a minute.
deadline=${TIMEOUT:-1200}
column_can() { kvm_intel_can ''; }
column_run() { kvm_run kvm-intel; }
