# SPDX-License-Identifier: BSD-2-Clause
# L0=bochs-svm: Bochs models AMD SVM with nested paging. Sourced by run.sh.
# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared with run.sh

BOCHS_CPU=${BOCHS_CPU:-ryzen}
# shellcheck source=tests/run/bochs.sh
. "$here/bochs.sh"
