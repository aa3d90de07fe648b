#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What an exit costs: builds Intack with its VMCS accesses counted, runs the benchmark's guest on L0 (default bochs-vmx), and
# prints, per kind of exit, how many VMREADs and VMWRITEs lie between one exit and the next.
# Takes L0, VID, RULE and IRQCHIP from the environment, as run.sh. Exit status: as run.sh.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
O=${O:-build}
MAKE=${MAKE:-make}

mkdir -p "$O"
"$MAKE" -s O="$O/bench" CFLAGS=-DVMCS_COUNT SETUP=skip all >"$O/bench.log" 2>&1 || {
	tail -n 20 "$O/bench.log" >&2
	exit 2
}
export O=$O/bench L0=${L0:-bochs-vmx} NAME=bench
log=$O/report
GUEST=$O/bench.elf tests/run/run.sh >"$log"
status=$?
grep -E '^# (bench|intack: (rule|bench|error))' "$log"
exit "$status"
