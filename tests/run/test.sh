#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Every check that a change must pass, one line each, and `N passed, N failed, N skipped` at the end. What a check printed
# is in $O/test/. ONLY_TESTS: a pattern over the checks' names, to run some of them.
# Exit status: 0 nothing failed, 1 something failed.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
export O=${O:-build}
MAKE=${MAKE:-make}
logs=$O/test
mkdir -p "$logs"
passed=0 failed=0 skipped=0 began=$SECONDS

# check NAME COUNTER COMMAND...: COUNTER reads the log and sets p, f and s; a command that fails without a count has
# failed once.
check() {
	local name=$1 counter=$2 log=$logs/$1.log status p=0 f=0 s=0 start=$SECONDS
	shift 2
	# shellcheck disable=SC2053 # a pattern is wanted
	[[ $name == ${ONLY_TESTS:-*} ]] || return 0
	"$@" >"$log" 2>&1 </dev/null
	status=$?
	"$counter" "$log" "$status"
	((status == 0 || f > 0)) || f=1
	((p + f + s > 0)) || f=1 # a check that ran nothing proves nothing
	((passed += p, failed += f, skipped += s))
	printf '%-4s %-32s %5d passed %3d failed %3d skipped %5d s\n' "$( ((f)) && echo FAIL || echo ok)" "$name" "$p" "$f" \
		"$s" $((SECONDS - start))
	((f == 0)) || { grep -hE '^not ok|FAILED|error:|warning:|: fail' "$log" || tail -n 15 "$log"; } | head -n 30
}

# The functions below set the variables of check().
# shellcheck disable=SC2034
once() { (($2 == 0)) && p=1; }

# shellcheck disable=SC2034
cmocka() {
	p=$(grep -c '^\[       OK \]' "$1")
	f=$(grep -c '^\[  FAILED  \] [a-z_0-9]*$' "$1")
	s=$(grep -c '^\[  SKIPPED \] [a-z_0-9]*$' "$1")
}

# An expected failure that fails as expected has passed.
# shellcheck disable=SC2034
ktap() {
	if [[ $(grep '^# Totals: ' "$1" | tail -n 1) =~ pass:([0-9]+)\ fail:([0-9]+)\ xfail:([0-9]+)\ skip:([0-9]+)\ error:([0-9]+) ]]; then
		p=$((BASH_REMATCH[1] + BASH_REMATCH[3]))
		f=$((BASH_REMATCH[2] + BASH_REMATCH[5]))
		s=${BASH_REMATCH[4]}
	fi
}

# Lines `ok NAME: ...`, `not ok NAME: ...`, `skip NAME: ...`
# shellcheck disable=SC2034
lines() {
	p=$(grep -c '^ok ' "$1")
	f=$(grep -c '^not ok ' "$1")
	s=$(grep -c '^skip ' "$1")
}

check build-gcc once "$MAKE" -s O="$O" CC=gcc all
check build-clang once "$MAKE" -s O="$O/clang" CC=clang all
check pure once "$MAKE" -s O="$O" check-pure
check headers once "$MAKE" -s O="$O" check-headers
check budget once "$MAKE" -s O="$O" budget
check cppcheck once "$MAKE" -s O="$O" cppcheck
check clang-tidy once "$MAKE" -s O="$O" clang-tidy
check shellcheck once "$MAKE" -s O="$O" shellcheck
check unit cmocka "$MAKE" -s O="$O" unit
check unit-clang cmocka "$MAKE" -s O="$O/clang" CC=clang unit
check native lines "$MAKE" -s O="$O" native
check fuzz once "$MAKE" -s O="$O" fuzz
check runner lines tests/run/runner_test.sh
check bad-input lines tests/run/bad_input.sh
check bad-input-vmx lines tests/run/bad_input_vmx.sh
check hostile lines tests/run/hostile.sh
check hostile-vmx lines env L0=bochs-vmx tests/run/hostile.sh
check hostile-random lines env N=100 tests/run/random.sh
check hostile-random-vmx lines env L0=bochs-vmx N=100 tests/run/random.sh
check compare lines tests/run/compare_test.sh
check trace lines tests/run/trace_test.sh
check bare lines tests/run/bare_test.sh

# The suite: L0 RULE IRQCHIP VID. `make compare` has the rest.
suites=("tcg-svm "{legacy,stash,boundary,rearm}" "{split,user}" off"
	"bochs-vmx "{legacy,stash,boundary,rearm}" split on"
	"bochs-vmx "{legacy,rearm}" split off" "bochs-vmx rearm user off"
	"bochs-svm legacy split off" "bochs-svm rearm "{split,user}" off")
# Two at a time: each is one process that keeps one core busy.
jobs=2

suite() { # L0 RULE IRQCHIP VID
	local name="suite-$1-$2-$3-vid_$4"
	# shellcheck disable=SC2053 # a pattern is wanted
	[[ $name == ${ONLY_TESTS:-*} ]] || return 0
	L0=$1 RULE=$2 IRQCHIP=$3 VID=$4 NAME="test-$name" tests/run/run.sh >"$logs/$name.out" 2>&1 </dev/null
	echo $? >"$logs/$name.status"
}

ended() { # NAME: as if it had run now
	cat "$logs/$1.out"
	return "$(cat "$logs/$1.status")"
}

# The README's first command, where nothing is installed yet.
newcomer() {
	local why name=newcomer
	# shellcheck disable=SC2053 # a pattern is wanted
	[[ $name == ${ONLY_TESTS:-*} ]] || return 0
	if ! why=$(tests/run/newcomer.sh can 2>&1); then
		echo "skip newcomer: no bare root can be made here: ${why#newcomer: error: }"
	else
		SUITE=trixie COMMANDS=run BARE=yes tests/run/newcomer.sh
	fi >"$logs/$name.out" 2>&1 </dev/null
	echo $? >"$logs/$name.status"
}

# It waits for the archive and the disk at first, so it is one of the two.
newcomer &
for s in "${suites[@]}"; do
	while (($(jobs -r | wc -l) >= jobs)); do wait -n; done
	# shellcheck disable=SC2086 # four words
	suite $s &
done
wait
check newcomer lines ended newcomer
for s in "${suites[@]}"; do
	read -r l0 rule irqchip vid <<<"$s"
	check "suite-$l0-$rule-$irqchip-vid_$vid" ktap ended "suite-$l0-$rule-$irqchip-vid_$vid"
done

# KVM, and Intack on it, in the reference lab: as much of `make compare` as there is time for.
lab() {
	local why
	if ! why=$(tests/lab/lab.sh can 2>&1); then
		echo "skip lab: none can be made here: ${why#lab: error: }"
	else
		"$MAKE" -s O="$O" SETUP=skip lab-short && echo "ok lab: $(wc -l <"${LAB:-$O/lab}/versions") packages"
	fi
}

compare_lab() { # IRQCHIP COLUMN...
	local out=$logs/compare-lab-$1 status
	rm -rf "$out"
	IRQCHIP=$1 PLATFORMS=${*:2} COMPARE_OUT=$out tests/run/compare.sh
	status=$?
	awk -f tests/run/compare/totals.awk "$out/matrix"
	return $status
}
check lab lines lab
check native-lab lines "$MAKE" -s O="$O" native-lab
check compare-lab-split ktap compare_lab split tcg-svm:boundary nested-kvm:boundary,rearm kvm-amd-6.12
check compare-lab-user ktap compare_lab user tcg-svm:boundary kvm-amd-6.12

echo "tests took $((SECONDS - began)) s"
echo "$passed passed, $failed failed, $skipped skipped"
((failed == 0))
