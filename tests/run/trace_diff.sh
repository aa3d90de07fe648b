#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# One scenario on two platforms, the two sequences of events side by side (docs/trace.md), and `N events alike, N differ`.
#   trace_diff.sh                 runs the scenario ONLY on the two PLATFORMS, NAME or NAME:RULE, columns of the comparison
#   trace_diff.sh FOLDER FOLDER   takes the runs, made with TRACE=on, that are in these folders (build/run/NAME)
# Takes from the environment: ONLY, PLATFORMS, CONTEXT (rows around a difference; all of them if empty), and what the columns
# take: IRQCHIP SEED MEM, TIMEOUT of one run, QEMU BOCHS ...
# Exit status: 0 alike, 1 different, 2 the test bench itself.
set -uo pipefail
O=${O:-build}
here=$(dirname "$0")
export O
awks=$here/trace
columns=${TRACE_COLUMNS:-$here/compare/columns}
out=$O/trace

bench() {
	echo "trace: error: $*" >&2
	exit 2
}

say() {
	echo "trace: $*" >&2
}

# --- runs ----------------------------------------------------------------------------------------------------------------
# A column's file is what compare.sh knows it for.
load() { # NAME or NAME:RULE
	local file=$columns/${1%%:*}.sh has
	about='' rules='' deadline=${TIMEOUT:-600} rule=rearm
	[[ $1 != *:* ]] || rule=${1#*:}
	[[ ${1%%:*} != */* && -r $file ]] || bench "PLATFORMS: there is no column ${1%%:*}"
	# shellcheck source=tests/run/compare/columns/tcg-svm.sh
	. "$file"
	has=$rules
	[[ $1 != *:* || " $has " == *" $rule "* ]] || bench "PLATFORMS: ${1%%:*} has no rule $rule${has:+; it has: $has}"
}

# Its name is what the columns give to run.sh and to kvm.sh: NAME=compare-...
run_folder() { # DIR
	echo "$O/run/compare-$(basename "$1")"
}

# Sets seconds: the column's own deadline comes first, this one is for a column that hangs nevertheless.
ask() { # PLATFORM DIR
	local why
	why=$(
		load "$1"
		dir=$2
		column_can 2>&1 || exit 1
		echo $((deadline + 30))
	)
	case $? in
	0) seconds=${why##*$'\n'} ;;
	1) bench "$1: cannot run here: ${why:-it does not say why}" ;;
	*) exit 2 ;; # load() has said why
	esac
}

pids=()
# shellcheck disable=SC2317 # by trap
stop() {
	((${#pids[@]} == 0)) || kill "${pids[@]}" 2>/dev/null
}

run_both() {
	local i dir seconds limits=()
	for i in 0 1; do
		dir=$out/$((i + 1)).${platforms[i]/:/.}
		rm -rf "$dir" "$(run_folder "$dir")"
		mkdir -p "$dir" || bench "$dir: cannot be made"
		ask "${platforms[i]}" "$dir"
		dirs[i]=$dir limits[i]=$seconds
	done
	trap stop EXIT
	trap 'exit 2' INT TERM HUP
	for i in 0 1; do
		say "${platforms[i]}: begins"
		timeout -k 10 "${limits[i]}" "$0" column "${platforms[i]}" "${dirs[i]}" \
			>"${dirs[i]}/report.ktap" 2>"${dirs[i]}/log" </dev/null &
		pids[i]=$!
	done
	for i in 0 1; do
		wait "${pids[i]}"
		say "${platforms[i]}: exit status $?"
	done
	pids=()
	for i in 0 1; do
		folders[i]=$(run_folder "${dirs[i]}")
		[ -r "${folders[i]}/trace.txt" ] || bench "${platforms[i]}: its run has left no trace: $(last_words "${dirs[i]}")"
	done
}

last_words() { # DIR
	grep -h 'error:' "$1/log" "$1/report.ktap" | tail -n 1 | grep . || cat "$1/log" "$1/report.ktap" | tail -n 1
}

# --- events --------------------------------------------------------------------------------------------------------------
# The runner's trace and that of KVM's tracepoints are two halves of one.
is_kvm() { # FOLDER
	[ -e "$1/kvm_trace.txt" ]
}

records() { # FOLDER TO
	if is_kvm "$1"; then
		awk -f "$awks/tracepoints.awk" "$1/kvm_trace.txt" >"$2.kernel" &&
			awk -v half=user -f "$awks/records.awk" "$out/names" "$1/trace.txt" >"$2.user" &&
			awk -f "$awks/merge.awk" "$2.kernel" "$2.user" >"$2.records"
	else
		awk -f "$awks/records.awk" "$out/names" "$1/trace.txt" >"$2.records"
	fi
}

# A run of the runner whose tracepoints nobody has recorded is half a run.
has_entries() { # TITLE FOLDER
	is_kvm "$2" || grep -q ' kvm_entry: ' "$2/trace.txt" ||
		bench "$1: its trace has no entry: KVM's half is not there ($2/kvm_trace.txt)"
}

# Kinds of events that one cannot show.
hidden() { # FOLDER
	if is_kvm "$1"; then
		echo 'armed nmi'
	else
		echo 'accept'
	fi
}

# Labels of the guest, if it is the one that has run.
labels() { # FOLDER
	local guest=$O/guest/guest64.elf
	if [ -r "$guest" ] && [ "$guest" -ot "$1/trace.txt" ]; then
		nm -n "$guest"
	fi
}

events() { # FOLDER OTHER-FOLDER TO
	records "$1" "$3" && labels "$1" >"$3.labels" &&
		awk -v run="$1" -v hidden="$(hidden "$2")" -f "$awks/scenario.awk" "$out/names" "$3.labels" "$3.records" >"$3.events" &&
		awk -F '\t' '$1 == "=" { print $2 }' "$3.events" >"$3.keys"
}

verdict() { # FOLDER
	grep -hE '^(not )?ok [0-9]' "$1/report.ktap" 2>/dev/null | head -n 1
}

cannot() { # TITLE FOLDER
	if is_kvm "$2"; then
		echo "$1 does not show when a window is armed, nor the injection of an NMI: KVM has no tracepoint for them"
	else
		echo "$1 does not show what the local APIC accepts: Intack has no record of it"
	fi
}

side_by_side() {
	local i said=''
	for i in 0 1; do
		said=$(verdict "${dirs[i]:-${folders[i]}}")
		echo "# ${titles[i]}: ${said:-no report}"
	done
	cannot "${titles[0]}" "${folders[0]}" | sed 's/^/# /'
	if [ "$(hidden "${folders[0]}")" != "$(hidden "${folders[1]}")" ]; then
		cannot "${titles[1]}" "${folders[1]}" | sed 's/^/# /'
	fi
	awk -v left="${titles[0]}" -v right="${titles[1]}" -v context="$CONTEXT" -f "$awks/side.awk" \
		"$out/marks" "$out/1.events" "$out/2.events"
}

# --- what is wanted ------------------------------------------------------------------------------------------------------
CONTEXT=${CONTEXT:-} dirs=() folders=() titles=()
if [ "${1:-}" = column ]; then
	load "$2"
	# shellcheck disable=SC2034 # the column's
	dir=$3
	column_run
	exit
fi
[[ -z $CONTEXT || $CONTEXT =~ ^[0-9]{1,4}$ ]] || bench "CONTEXT=$CONTEXT: must be a number"
mkdir -p "$out" || bench "$out: cannot be made"
case $# in
0)
	read -ra platforms <<<"${PLATFORMS:-}"
	((${#platforms[@]} == 2)) || bench "PLATFORMS=${PLATFORMS:-}: must be two columns of the comparison, NAME or NAME:RULE"
	[[ -n ${ONLY:-} && $ONLY != *[*?[]* ]] || bench "ONLY=${ONLY:-}: must be the name of one scenario"
	export ONLY TRACE=on
	titles=("${platforms[@]}")
	run_both
	;;
2)
	folders=("$1" "$2") titles=("$(basename "$1")" "$(basename "$2")")
	for folder; do
		[ -r "$folder/trace.txt" ] || bench "$folder: no trace.txt is there: a run with TRACE=on leaves one"
	done
	;;
*) bench "usage: trace_diff.sh [FOLDER FOLDER]" ;;
esac

read_both() {
	has_entries "${titles[0]}" "${folders[0]}"
	has_entries "${titles[1]}" "${folders[1]}"
	awk -f "$awks/names.awk" "$here"/../../{include/guest_abi.h,include/vcpu_run.h,hv/core/hvm.h} >"$out/names" &&
		events "${folders[0]}" "${folders[1]}" "$out/1" && events "${folders[1]}" "${folders[0]}" "$out/2"
}

read_both || bench "the traces cannot be read"
# Nothing is guessed about the order: the longest common subsequence is diff's.
diff -d --old-line-format=$'<\n' --new-line-format=$'>\n' --unchanged-line-format=$'=\n' \
	"$out/1.keys" "$out/2.keys" >"$out/marks"
status=$?
((status < 2)) || bench "the events cannot be compared"
side_by_side || bench "the events cannot be shown"
exit $status
