# SPDX-License-Identifier: BSD-2-Clause
# The column kvm-amd-current of the comparison. Sourced by compare.sh. Knows nothing of other columns.
# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared with compare.sh

about="kvm_amd of Debian's newest kernel in the lab, our devices by the runner"
# shellcheck source=tests/run/compare/kvm.sh
. "$here/compare/kvm.sh"
column_can() { kvm_lab_can current; }
column_run() { kvm_run kvm-amd-current; }
