# SPDX-License-Identifier: BSD-2-Clause
# The column bochs-svm of the comparison. Sourced by compare.sh. Knows nothing of other columns.
# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared with compare.sh

about="Intack on SVM, modelled by Bochs"
# shellcheck source=tests/run/compare/intack.sh
. "$here/compare/intack.sh"
column_can() { intack_can bochs-svm; }
column_run() { intack_run bochs-svm off; }
