# SPDX-License-Identifier: BSD-2-Clause
# The column nested-kvm of the comparison. Sourced by compare.sh. Knows nothing of other columns.
# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared with compare.sh

about="Intack on the nested SVM of kvm_amd (Linux 6.12), on a CPU emulated by QEMU"
export LAB_KERNEL=6.12 KERNEL_IRQCHIP=split
# shellcheck source=tests/run/compare/intack.sh
. "$here/compare/intack.sh"
column_can() { intack_can nested-kvm; }
column_run() { intack_run nested-kvm off; }
