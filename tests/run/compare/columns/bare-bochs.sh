# SPDX-License-Identifier: BSD-2-Clause
# The column bare-bochs of the comparison. Sourced by compare.sh. Knows nothing of other columns.
# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared with compare.sh

about="the guest alone, on Bochs' own interrupt controllers"
deadline=${TIMEOUT:-900}
column_can() { L0=bare-bochs GUEST='' CMDLINE='' MODULE='' "$here/bare.sh" --check; }
column_run() { L0=bare-bochs TIMEOUT=$deadline NAME=compare-$(basename "$dir") GUEST='' CMDLINE='' MODULE='' "$here/bare.sh"; }
