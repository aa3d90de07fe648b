# SPDX-License-Identifier: BSD-2-Clause
# L0=bochs-vmx: Bochs models Intel VMX, with virtual-interrupt delivery. Sourced by run.sh.
# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared with run.sh

BOCHS_CPU=${BOCHS_CPU:-corei7_haswell_4770}
# shellcheck source=tests/run/bochs.sh
. "$here/bochs.sh"
