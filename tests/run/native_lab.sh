#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The native oracle in 16- and 32-bit mode where the machine's own CPU has none that a process may use: Bochs' CPU, under the lab's
# Linux, is the judge then. 64-bit mode is left to the machine: Bochs 3.0 panics there (docs/findings.md, "REP with 32-bit addresses in 64-bit mode").
# Lines as the oracle prints them.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
export O=${O:-build}
export LAB=${LAB:-$O/lab}
seconds=${NATIVE_LAB:-5} kernel=6.1 out=$O/native/lab

if ! why=$(tests/lab/boot-bochs.sh --check $kernel 2>&1); then
	for mode in 16-bit 32-bit; do echo "skip $mode on Bochs: ${why#lab: error: }"; done
	exit 0
fi
mkdir -p "$out/files"
cp "$O/native/oracle-static" "$out/files/oracle" || exit 2
FILES=$out/files OUT=$out/boot MEM=256 tests/lab/boot-bochs.sh $kernel \
	sh -c "./oracle $seconds 1 16-bit; ./oracle $seconds 1 32-bit" | grep -v 'not asked for'
exit "${PIPESTATUS[0]}"
