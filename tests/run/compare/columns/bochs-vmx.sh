# SPDX-License-Identifier: BSD-2-Clause
# The column bochs-vmx of the comparison. Sourced by compare.sh. Knows nothing of other columns.
# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared with compare.sh

about="Intack on VMX, modelled by Bochs; software delivers the local APIC's vectors"
# shellcheck source=tests/run/compare/intack.sh
. "$here/compare/intack.sh"
column_can() { intack_can bochs-vmx; }
column_run() { intack_run bochs-vmx off; }
