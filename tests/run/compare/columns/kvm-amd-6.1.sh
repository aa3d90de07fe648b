# SPDX-License-Identifier: BSD-2-Clause
# The column kvm-amd-6.1 of the comparison. Sourced by compare.sh. Knows nothing of other columns.
# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared with compare.sh

about="Linux 6.1's kvm_amd in the lab, our devices by the runner"
# shellcheck source=tests/run/compare/kvm.sh
. "$here/compare/kvm.sh"
column_can() { kvm_lab_can 6.1; }
column_run() { kvm_run kvm-amd-6.1; }
