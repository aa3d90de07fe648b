# SPDX-License-Identifier: BSD-2-Clause
# The column kvm of the comparison. Sourced by compare.sh. Knows nothing of other columns.
# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared with compare.sh

about="Intack on the nested SVM or VMX of this machine's own KVM"
# shellcheck source=tests/run/compare/intack.sh
. "$here/compare/intack.sh"
column_can() { intack_can kvm; }
column_run() { intack_run kvm off; }
