#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Runs the suite on every platform that this machine can run and writes scenario by platform, differences first, to
# $O/compare/index.md and index.html. Each platform is a column of that table: compare/columns/NAME.sh runs it.
# `compare.sh page` writes the pages again, from the reports of the last run.
# Takes from the environment: PLATFORMS, patterns over the columns in the order wanted, NAME or NAME:RULE,RULE; RULES (or
# RULE), for those that came without; JOBS, columns at a time; PROGRESS, seconds between two lines about them. And what the
# columns take: IRQCHIP ONLY SEED MEM, TIMEOUT of one column, QEMU BOCHS ... COMPARE_OUT names another folder for the results.
# Exit status: 0 as expected, 1 a column has failed or a difference has no explanation, 2 the test bench itself.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
export O=${O:-build}
here=tests/run
awks=$here/compare
columns=${COMPARE_COLUMNS:-$awks/columns}
explained=${COMPARE_EXPLAINED:-$awks/explained}
out=${COMPARE_OUT:-$O/compare}
default_rule=rearm

bench() {
	echo "compare: error: $*" >&2
	exit 2
}

say() {
	echo "compare: $*"
}

# --- columns -------------------------------------------------------------------------------------------------------------
# A column's file sets `about`, and if it wants `rules` (those that it can be run with), `deadline` (seconds), and
# `unjudged`: why what it shows proves nothing, so that it cannot fail the comparison; and defines
#   column_can   says in one line why this machine cannot run it, and fails; or succeeds
#   column_run   prints the report; $rule is the rule, $dir a folder of its own
load() { # NAME or NAME:RULE
	name=$1 dir=$out/${1/:/.} rule=$default_rule
	about='' rules='' deadline=${TIMEOUT:-600} unjudged=''
	[[ $name != *:* ]] || rule=${name#*:}
	# shellcheck source=tests/run/compare/columns/tcg-svm.sh
	. "$columns/${name%%:*}.sh"
}

rules_of() { # BASE
	(load "$1" && echo "$rules")
}

declare -A chosen=()
queue=()
choose() { # BASE RULE-OR-NOTHING
	local name=$1
	[ -z "$2" ] || [ "$2" = $default_rule ] || name+=:$2
	[ -z "${chosen[$name]:-}" ] || return 0
	chosen[$name]=1
	queue+=("$name")
}

choose_rules() { # BASE RULES-WANTED ASKED-FOR
	local has rule
	has=$(rules_of "$1")
	if [ -z "$has" ]; then
		choose "$1" ''
		return
	fi
	for rule in ${2//,/ }; do
		if [[ " $has " == *" $rule "* ]]; then
			choose "$1" "$rule"
		elif [ -n "$3" ]; then
			bench "$1 has no rule $rule; it has: $has"
		fi
	done
}

choose_pattern() { # PATTERN ASKED-FOR
	local file base glob=${1%%:*} wanted=$RULES found=''
	[[ $1 != *:* ]] || wanted=${1#*:}
	for file in "$columns"/*.sh; do
		base=$(basename "$file" .sh)
		# shellcheck disable=SC2053 # a pattern is wanted
		[[ $base == $glob ]] || continue
		found=1
		choose_rules "$base" "$wanted" "$2"
	done
	[ -n "$found" ] || [ -z "$2" ] || bench "PLATFORMS: no column is like $glob"
}

choose_all() {
	local patterns pattern asked=${PLATFORMS:+1}
	# KVM has the rule boundary: what it is to be like.
	read -ra patterns <<<"${PLATFORMS:-tcg-* tcg-svm:boundary bochs-svm bochs-vmx *}"
	for pattern in "${patterns[@]}"; do
		choose_pattern "$pattern" "$asked"
	done
	((${#queue[@]} > 0)) || bench "no column is chosen"
}

# --- runs ----------------------------------------------------------------------------------------------------------------
declare -A pid=() began=() limit=()
done_columns=0

# shellcheck disable=SC2317 # by trap
stop() {
	((${#pid[@]} == 0)) || kill "${pid[@]}" 2>/dev/null
}

# What is known of a column besides its report. status: of its run, or `absent`
note() { # NAME STATUS SECONDS WHY
	(
		load "$1"
		printf 'C\t%s\t%s\t%s\t%s\t%s\t%s\n' "$1" "${about//$'\t'/ }" "$2" "$3" "${4//[$'\t\n']/ }" "$unjudged" \
			>"$dir/state"
	)
}

results() { # NAME: how many scenarios have ended
	grep -cE '^(not )?ok [0-9]' "$out/${1/:/.}/report.ktap"
}

begin() { # NAME
	local dir=$out/${1/:/.} why seconds
	mkdir -p "$dir" || bench "$dir: cannot be made"
	rm -f "$dir"/*
	: >"$dir/report.ktap"
	if ! why=$( (load "$1" && column_can) 2>&1); then
		note "$1" absent 0 "${why:-it does not say why}"
		done_columns=$((done_columns + 1))
		say "$1: cannot run here: ${why:-it does not say why}"
		return
	fi
	# The column's own deadline comes first; this one is for a column that hangs nevertheless.
	seconds=$( (load "$1" && echo $((deadline + ${GRACE:-30}))))
	timeout -k 10 "$seconds" "$0" column "$1" >"$dir/report.ktap" 2>"$dir/log" </dev/null &
	pid[$1]=$! began[$1]=$SECONDS limit[$1]=$((seconds + ${STUCK:-20}))
	say "$1: begins"
}

last_words() { # LOG: what explains best that a run has failed
	grep 'error:' "$1" | tail -n 1 | grep . || tail -n 1 "$1"
}

finish() { # NAME
	local dir=$out/${1/:/.} status why='' took=$((SECONDS - began[$1]))
	wait "${pid[$1]}"
	status=$?
	unset "pid[$1]"
	((status == 0)) || why=$(last_words "$dir/log")
	note "$1" "$status" "$took" "$why"
	done_columns=$((done_columns + 1))
	say "$1: exit status $status, $(results "$1") scenarios, $took s${why:+: $why}"
}

# A process that the kernel does not let go cannot be waited for.
abandon() { # NAME
	local took=$((SECONDS - began[$1]))
	unset "pid[$1]"
	note "$1" 137 "$took" ''
	done_columns=$((done_columns + 1))
	say "$1: does not end, though it was killed: left behind, $(results "$1") scenarios, $took s"
}

progress() {
	local name line=''
	for name in "${queue[@]}"; do
		[ -z "${pid[$name]:-}" ] || line+=", $name $(results "$name") scenarios in $((SECONDS - began[$name])) s"
	done
	say "$done_columns of ${#queue[@]} columns done$line"
}

run_all() {
	local waiting=("${queue[@]}") name last=$SECONDS
	while ((${#waiting[@]} + ${#pid[@]} > 0)); do
		while ((${#waiting[@]} > 0 && ${#pid[@]} < JOBS)); do
			begin "${waiting[0]}"
			waiting=("${waiting[@]:1}")
		done
		sleep 0.2
		for name in "${!pid[@]}"; do
			if ! kill -0 "${pid[$name]}" 2>/dev/null; then
				finish "$name"
			elif ((SECONDS - began[$name] > limit[$name])); then
				abandon "$name"
			fi
		done
		if ((SECONDS - last >= PROGRESS && ${#pid[@]} > 0)); then
			progress
			last=$SECONDS
		fi
	done
}

# --- pages ---------------------------------------------------------------------------------------------------------------
explanations() {
	awk -f "$awks/explain.awk" "$explained"
}

records() {
	local name
	explanations || return
	while read -r name; do
		cat "$out/${name/:/.}/state" || return
		awk -v column="$name" -f "$awks/read.awk" "$out/${name/:/.}/report.ktap" || return
	done <"$out/columns"
}

write_pages() {
	local up
	up=$(realpath --relative-to="$out" .) || return
	records >"$out/records" &&
		awk -f "$awks/matrix.awk" "$out/records" >"$out/matrix" &&
		awk -v up="$up" -f "$awks/md.awk" "$out/matrix" >"$out/index.md" &&
		awk -f "$awks/html.awk" "$out/matrix" >"$out/index.html"
}

# --- what is wanted ------------------------------------------------------------------------------------------------------
if [ "${1:-}" = column ]; then
	load "$2"
	column_run
	exit
fi

RULES=${RULES:-${RULE:-$default_rule}} JOBS=${JOBS:-2} PROGRESS=${PROGRESS:-10}
for name in JOBS PROGRESS; do
	[[ ${!name} =~ ^[1-9][0-9]{0,3}$ ]] || bench "$name=${!name}: must be a number"
done
# Asked before a run: afterwards is late to hear of it.
explanations >/dev/null || exit 2

if [ "${1:-}" = page ]; then
	[ -r "$out/columns" ] || bench "there are no reports in $out yet"
else
	[ $# = 0 ] || bench "$1: no such word; there is: page"
	mkdir -p "$out" || bench "$out: cannot be made"
	choose_all
	printf '%s\n' "${queue[@]}" >"$out/columns"
	trap stop EXIT
	trap 'exit 2' INT TERM HUP
	run_all
fi

write_pages || bench "the pages cannot be written"
IFS=$'\t' read -r _ ran scenarios differences unexplained absent failed < <(grep '^TOTAL' "$out/matrix")
say "see $out/index.html and $out/index.md"
say "$ran columns, $scenarios scenarios, $differences differences, $unexplained unexplained, $absent did not run"
((ran > 0)) || bench "no column has run"
((failed == 0 && unexplained == 0))
