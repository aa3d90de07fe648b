#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Breaks the rule on purpose, one way at a time, in a copy of the tree, and names the tests that notice. A mutant that
# neither the unit tests nor the booted suite notices is a hole in the tests: exit status 1.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
O=${O:-build} MAKE=${MAKE:-make}
copy=$(realpath -m "$O/mutant")
survivors=0

# few WHERE NAMES: how many failed, and the first of them
few() {
	local names
	mapfile -t names < <(printf '%s' "$2" | grep .)
	echo "  $1: ${#names[@]} failed: ${names[*]:0:8}"
}

# mutant NAME FILE SED-SCRIPT
mutant() {
	local name=$1 file=$2 script=$3 unit booted
	rm -rf "$copy/tree"
	mkdir -p "$copy/tree"
	cp -r Makefile .ci boot guest hv include tests "$copy/tree"
	sed -i "$script" "$copy/tree/$file"
	if cmp -s "$file" "$copy/tree/$file"; then
		echo "mutant $name: the place to break was not found in $file"
		survivors=$((survivors + 1))
		return
	fi
	"$MAKE" -s -C "$copy/tree" SETUP=skip CFLAGS=-Wno-error O="$copy/o" all >"$copy/build.log" 2>&1 || {
		echo "mutant $name: does not build: see $copy/build.log"
		survivors=$((survivors + 1))
		return
	}
	"$MAKE" -k -s -C "$copy/tree" SETUP=skip CFLAGS=-Wno-error O="$copy/o" unit >"$copy/unit.log" 2>&1
	unit=$(grep '^\[  FAILED  \] [a-z_0-9]*$' "$copy/unit.log" | awk '{ print $4 }' | sort -u)
	(cd "$copy/tree" && O="$copy/o" TIMEOUT=240 tests/run/run.sh) >"$copy/booted.log" 2>&1
	booted=$(sed -n 's/^not ok [0-9]* \([^ ]*\).*/\1/p' "$copy/booted.log")
	echo "mutant $name"
	few "unit" "$unit"
	few "booted" "$booted"
	[[ -n $unit && -n $booted ]] || {
		echo "  NOT NOTICED by both"
		survivors=$((survivors + 1))
	}
}

mutant accept-always hv/core/irq.c 's/return !irq_has_extint(q) \&\& lint0_open(q);/return true;/'
mutant ready-without-if hv/core/irq.c 's/return q->a \&\& irq_can_accept(rule, q) \&\& !q->r/return irq_can_accept(rule, q) \&\& !q->r/'
mutant extint-below-lapic hv/core/events.c \
	's/if (vector != STASH_EMPTY \&\& lapic_accepts_extint(&v->lapic)) {/if (vector != STASH_EMPTY \&\& lapic_accepts_extint(\&v->lapic) \&\& lapic_pending(\&v->lapic) < 0) {/'
mutant no-re-evaluation hv/core/irq.c 's/return rule == IRQ_RULE_REARM;/return false;/'
((survivors == 0))
