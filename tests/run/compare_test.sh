#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Proves what `make compare` makes of reports, with columns that print made-up ones: no emulator runs.
# Exit status: 0 all ok, 1 not, 2 the test bench itself.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
dir=${O:-build}/run/compare-test
failed=0
unset RULE RULES PLATFORMS ONLY TIMEOUT JOBS PROGRESS COMPARE_OUT
rm -rf "$dir"
mkdir -p "$dir" || exit 2
dir=$(realpath "$dir") || exit 2
export O=$dir/o COMPARE_COLUMNS=$dir/columns COMPARE_EXPLAINED=$dir/explained
md=$O/compare/index.md html=$O/compare/index.html

ok() { # NAME WHAT
	echo "ok $1: $2"
}

not_ok() { # NAME WHY
	echo "not ok $1: $2; see $dir"
	failed=$((failed + 1))
}

# --- a bench for each ------------------------------------------------------------------------------------------------------
anew() {
	rm -rf "$O" "$COMPARE_COLUMNS"
	mkdir -p "$COMPARE_COLUMNS"
	: >"$COMPARE_EXPLAINED"
}

# column NAME [STATUS [COMMAND]]: prints the report on standard input, does COMMAND, and ends with STATUS.
column() {
	cat >"$dir/$1.ktap"
	{
		printf 'about="made up"\ncolumn_can() { :; }\n'
		printf 'column_run() {\n\tcat %q\n\t%s\n\treturn %s\n}\n' "$dir/$1.ktap" "${3:-:}" "${2:-0}"
	} >"$COMPARE_COLUMNS/$1.sh"
}

column_that_cannot() { # NAME WHY
	printf 'about="made up"\ncolumn_can() { echo %q; return 1; }\n' "$2" >"$COMPARE_COLUMNS/$1.sh"
}

explain() { # SCENARIO COLUMN VERDICT ANCHOR
	echo "$1 | $2 | $3 | $4" >>"$COMPARE_EXPLAINED"
}

# compare NAME STATUS LAST-LINE WORD...: the command with these VARIABLE=VALUEs, or this argument, ends so.
compare() {
	local name=$1 wanted=$2 pattern=$3 log=$dir/$1.log status line word words=() arguments=()
	shift 3
	for word; do
		[[ $word == *=* ]] && words+=("$word") || arguments+=("$word")
	done
	env "${words[@]}" tests/run/compare.sh "${arguments[@]}" >"$log" 2>&1 </dev/null
	status=$?
	line=$(tail -n 1 "$log")
	# shellcheck disable=SC2053 # a pattern is wanted
	if [ "$status" = "$wanted" ] && [[ $line == $pattern ]]; then
		ok "$name" "$line [exit status $status]"
	else
		not_ok "$name" "exit status $status instead of $wanted, or not like '$pattern': $line"
	fi
}

# has NAME FILE PATTERN...: lines like these, in this order, whatever is between them.
has() {
	local name=$1 file=$2 pattern line
	shift 2
	[ -r "$file" ] || {
		not_ok "$name" "there is no ${file##*/}"
		return
	}
	exec 3<"$file"
	for pattern; do
		while IFS= read -r line <&3; do
			# shellcheck disable=SC2053 # a pattern is wanted
			[[ $line != $pattern ]] || continue 2
		done
		not_ok "$name" "no line (or not in this order): $pattern"
		return
	done
	ok "$name" "$# lines in ${file##*/}"
}

hasnt() { # NAME FILE TEXT
	if grep -qF -- "$3" "$2"; then
		not_ok "$1" "there is '$3' in ${2##*/}"
	else
		ok "$1" "no '$3' in ${2##*/}"
	fi
}

report() { # LINE...: a report with its plan, numbered
	local line n=0
	printf '# intack: rule=rearm irqchip=split vid=off tsc_khz=1\nKTAP version 1\n1..%s\n' $#
	for line; do
		n=$((n + 1))
		case $line in
		'not '*) echo "not ok $n ${line#not }" ;;
		*) echo "ok $n $line" ;;
		esac
	done
	echo '# intack: exits=7 user_exits=3'
}

# totals NAME LINE...: what `make test` makes of the last comparison
totals() {
	awk -f tests/run/compare/totals.awk "$O/compare/matrix" >"$dir/$1.totals"
	has "$1" "$dir/$1.totals" "${@:2}"
}

findings=docs/findings.md#1-the-arming-hole

# --- nothing to tell -------------------------------------------------------------------------------------------------------
anew
report 'a.one' 'a.two # n=1' 'b.three # SKIP no x2APIC' | tee "$dir/same" | column x
column y <"$dir/same"
compare all-the-same 0 'compare: 2 columns, 3 scenarios, 0 differences, 0 unexplained, 0 did not run'
has all-the-same "$md" '| x | made up | rule=rearm irqchip=split vid=off | pass:2 xfail:0 skip:1 fail:0 | * |  |' '## a' \
	'| a.one | pass | pass |' '| a.two | pass n=1 | pass n=1 |' '## b' '| b.three | skip | skip |' '- x: exits=7 user_exits=3'
hasnt all-the-same "$md" '## Differences'

# --- a column that cannot be killed ----------------------------------------------------------------------------------------
anew
report 'a.one' | column x
report 'a.one' | column y 0 'exec sleep 20'
mkdir -p "$dir/bin"
# shellcheck disable=SC2016 # its own arguments
printf '#!/bin/bash\nshift 3\nexec "$@"\n' >"$dir/bin/timeout"
chmod +x "$dir/bin/timeout"
compare stuck 1 'compare: 2 columns, 1 scenarios, 0 differences, 0 unexplained, 0 did not run' TIMEOUT=1 GRACE=0 STUCK=1 PATH="$dir/bin:$PATH"
has stuck "$dir/stuck.log" 'compare: y: does not end, though it was killed: left behind, 1 scenarios, * s'
has stuck "$md" '| y | made up | * | its deadline has passed |'

# --- a column that proves nothing ------------------------------------------------------------------------------------------
anew
report 'a.one' 'a.two' 'a.three # XFAIL late: x' | column x
report 'not a.one # fail: y' 'a.two' 'a.three' | column y 1
echo 'unjudged="a made-up machine"' >>"$COMPARE_COLUMNS/y.sh"
explain 'a.three' 'x' 'xfail late' $findings
compare unjudged 0 'compare: 2 columns, 3 scenarios, 0 differences, 0 unexplained, 0 did not run'
totals unjudged-totals '# Totals: pass:2 fail:0 xfail:1 skip:0 error:0'
has unjudged "$md" '| y | made up | * | pass:2 xfail:0 skip:0 fail:1 | * | not judged: a made-up machine; exit status 1* |' \
	'## a' 'The same in every column that is judged.' '| a.one | pass | \*\*fail\*\*<br>not judged<br>y |' \
	'| a.three | xfail late<br>*x | \*\*pass\*\*<br>not judged |'

# --- every verdict, and its explanation ------------------------------------------------------------------------------------
anew
report 's.same' 's.numbers # late_exits=0 n_2=5' 's.late' 's.skipped' 's.hole' 's.xpass' 's.error' 's.fail' 's.hung' 's.bare' |
	column x
report 's.same' 's.numbers # late_exits=2 n_2=5' 's.late # XFAIL late: 1 of 3 | at <once> window_exits=0 late_exits=2' \
	's.skipped # SKIP no lab device' 's.hole # XFAIL starved: 64 windows, 0 ExtINT' 'not s.xpass # XPASS late' \
	'not s.error # ERROR the timer does not expire' 'not s.fail # fail: a.c:9: n is 0, expected 0x1 tries=3' \
	'not s.hung # hung: n, IF=1 rip=0x1a stash=-1 vector=none' 'not s.bare' | column y 1 'echo "y: error: what y says" >&2'
explain 's.late' '*' 'xfail late' $findings
explain 's.skipped' 'y' 'skip' $findings
explain 's.hole' 'x' 'xfail *' $findings # not this column
explain 's.h?le' 'y' 'xfail late' $findings # not this verdict
explain 's' 'y' '*' $findings # not the whole name
explain 's.fail' '?' 'fail' docs/findings.md#2-inversion-and-starvation
explain 's.same' 'y' 'fail' docs/findings.md#3-an-interrupt-with-if0
explain 's.num*' 'y' 'numbers' docs/findings.md#10-the-shadow-survives-an-exception
compare verdicts 1 'compare: 2 columns, 10 scenarios, 8 differences, 5 unexplained, 0 did not run'
totals verdicts-totals 'not ok y: exit status 1: y: error: what y says' \
	'not ok y: s.hole: xfail starved, and nobody has explained it' 'not ok y: s.error: ERROR: the timer does not expire' \
	'# Totals: pass:12 fail:5 xfail:2 skip:1 error:2'
has verdicts "$md" '| y | made up | * | pass:2 xfail:2 skip:1 fail:5 | * | exit status 1: y: error: what y says |' \
	'## Differences that nobody has explained' \
	'| s.hole | pass | \*\*xfail starved\*\*<br>unexplained<br>64 windows, 0 ExtINT |' \
	'| s.xpass | pass | \*\*xpass late\*\*<br>unexplained |' \
	'| s.error | pass | \*\*ERROR\*\*<br>unexplained<br>the timer does not expire |' \
	'| s.hung | pass | \*\*fail hung\*\*<br>unexplained<br>n, IF=1<br>rip=0x1a stash=-1 vector=none |' \
	'| s.bare | pass | \*\*fail\*\*<br>unexplained |' \
	'## Differences' \
	'| s.late | pass | \*\*xfail late\*\*<br>*1. The arming hole*docs/findings.md#1-the-arming-hole*<br>1 of 3 \\| at &lt;once><br>*' \
	'| s.fail | pass | \*\*fail\*\*<br>?2. Inversion*<br>a.c:9: n is 0, expected 0x1<br>tries=3 |' \
	'## Not run everywhere' '| s.skipped | pass | \*\*skip\*\*<br>*' \
	'## Other numbers' '| s.numbers | pass late_exits=0 n_2=5 | pass<br>?10. The shadow*late_exits=2 n_2=5 |' \
	'## s' '| s.same | pass | pass |' \
	'## Explanations that nothing needed' '| s.hole | x | *' '| s.h?le | y | xfail late | *' '| s.same | y | *'
hasnt verdicts "$md" '| s.late | x |' # an explanation that was needed
has page "$html" '<h1>*' '<p>2 columns, 10 scenarios, 8 differences, 5 unexplained, 0 did not run' \
	'<tr><th>s.hole' '<td class="pass"><span class="verdict">pass</span>' \
	'<td class="xfail differs"><span class="verdict">xfail starved</span><span class="unexplained">unexplained</span>*' \
	'<tr><th>s.error' '<td class="bad differs"><span class="verdict">ERROR</span>*' \
	'<tr><th>s.late' '*<a href="#docs_findings_md_1-the-arming-hole">1. The arming hole</a>*at &lt;once&gt;*' \
	'<h3 id="docs_findings_md_1-the-arming-hole">*' '*legitimately high*' '<h3 id="docs_findings_md_2-*'
hasnt page "$html" '3. An interrupt with IF=0</h3>' # nothing needed it

# Every link of the page leads to something in it, and it loads nothing.
broken=''
while read -r link; do
	grep -qF "id=\"$link\"" "$html" || broken+=" $link"
done < <(grep -o 'href="#[^"]*' "$html" | cut -d '#' -f 2 | sort -u)
if [ -n "$broken" ] || grep -qE 'href="[^#]|src=|url\(|@import' "$html"; then
	not_ok page-stands-alone "broken links:$broken, or something to load"
else
	ok page-stands-alone "$(grep -c 'href="#' "$html") links"
fi

# --- again, from the reports -----------------------------------------------------------------------------------------------
for scenario in s.hole s.xpass s.error s.hung s.bare; do
	explain $scenario y '*' $findings
done
rm -f "$md"
compare again 1 'compare: 2 columns, 10 scenarios, 8 differences, 0 unexplained, 0 did not run' page
has again "$md" '## Differences' '| s.late | *' '| s.bare | pass | *1. The arming hole*'
hasnt again "$md" '## Differences that nobody'
hasnt again "$dir/again.log" 'begins'

# --- columns that have no report, or half of one -----------------------------------------------------------------------------
anew
report 'a.one' 'a.two' 'a.three' | column fine
report 'a.one' 'a.two' 'a.three' | column twin
column_that_cannot missing 'QEMU=nope: no such program | <here>'
echo 'nothing' | column broken 2 'echo "run: error: no totals" >&2'
report 'a.one' 'a.two' 'a.three' | grep -v a.three | column cut
report 'a.one' 'a.two' 'a.three' | sed 's/^ok 3.*/Bail out! no memory/' | column bails
report 'a.one' 'a.two' 'a.three' | sed '$!b; iok 2 a.two' | column twice
report 'a.one' 'a.two' 'a.three' | grep -v a.three | column hangs 0 'sleep 60'
column empty </dev/null
compare absent 1 'compare: 6 columns, 3 scenarios, 4 differences, 4 unexplained, 3 did not run' TIMEOUT=1 GRACE=0 PROGRESS=1
totals absent-totals 'skip missing: QEMU=nope: no such program | <here>' '# Totals: pass:14 fail:1 xfail:0 skip:1 error:8'
has absent "$md" '| bails | * | bail out: no memory; 2 of 3 scenarios have ended |' \
	'| broken | * | no results: exit status 2: run: error: no totals |' \
	'| cut | * | 2 of 3 scenarios have ended |' '| empty | * | no results: its report is empty |' '| fine | * | pass:3 * |  |' \
	'| hangs | * | its deadline has passed; 2 of 3 scenarios have ended |' \
	'| missing | * | did not run: QEMU=nope: no such program \\| &lt;here> |' '| twice | * | pass:2 * fail:1 | * | failed |' \
	'| scenario | bails | cut | fine | hangs | twice | twin |' \
	'| a.two | pass | pass | pass | pass | \*\*ERROR\*\*<br>unexplained<br>two results | pass |' \
	'| a.three | \*\*none\*\*<br>unexplained | \*\*none\*\** | pass | \*\*none\*\** | pass | pass |'
has absent "$html" '<tr class="skip"><th>missing<*did not run: QEMU=nope: no such program | &lt;here&gt;'
has absent "$dir/absent.log" 'compare: missing: cannot run here: QEMU=nope*' 'compare: see *'
has progress "$dir/absent.log" 'compare: [0-9] of 9 columns done, *hangs 2 scenarios in [0-9] s*'
compare none-runs 2 'compare: error: no column has run' PLATFORMS='missing empty'

# --- the choice of columns ---------------------------------------------------------------------------------------------------
anew
for name in p-one p-two q; do
	report 'a.one' | column $name
done
printf 'rules="rearm legacy"\n' >>"$COMPARE_COLUMNS/p-one.sh"
# shellcheck disable=SC2016 # the column's own
printf 'rules="rearm legacy"\ncolumn_run() { echo "ok 1 a.one # XFAIL $rule: here"; }\n' >>"$COMPARE_COLUMNS/p-two.sh"
head_of() { # NAME COLUMNS: the columns of the last run
	has "$1" "$md" "| scenario | $2 |"
}
compare rules 0 '* 0 differences, *' PLATFORMS='q p-one' RULES='legacy rearm'
head_of rules 'q | p-one:legacy | p-one'
compare rule-of-a-pattern 1 '* 1 differences, 1 unexplained, *' PLATFORMS='q p-*:legacy p-one' RULE=rearm
head_of rule-of-a-pattern 'q | p-one:legacy | p-two:legacy | p-one'
has rule-reaches-the-column "$md" '| a.one | pass | pass | \*\*xfail legacy\*\** | pass |'
compare pass-is-the-measure 1 '* 1 differences, 1 unexplained, *' PLATFORMS='p-two:legacy q p-one'
has pass-is-the-measure "$md" '| a.one | \*\*xfail legacy\*\** | pass | pass |'
compare all-columns 1 'compare: 3 columns, 1 scenarios, 1 differences, *'
head_of all-columns 'p-one | p-two | q'
compare no-such-rule 2 'compare: error: p-one has no rule fast; it has: rearm legacy' PLATFORMS=p-one:fast
compare no-such-column 2 'compare: error: PLATFORMS: no column is like nope*' PLATFORMS='p-one nope*'
compare bad-jobs 2 'compare: error: JOBS=0: must be a number' JOBS=0
compare bad-word 2 'compare: error: pages: no such word; there is: page' pages
for line in 'a | b | c' "a | b | c | docs/findings.md#nope" 'a | b | c | docs/nope.md#nope'; do
	echo "$line" >"$COMPARE_EXPLAINED"
	compare bad-explanation 2 'compare: error: *explained:1: *'
done
rm -rf "$O"
: >"$COMPARE_EXPLAINED"
compare no-reports-yet 2 'compare: error: there are no reports in * yet' page

# --- two at a time, and none when it is stopped --------------------------------------------------------------------------------
anew
for name in a b c d; do
	at_work=$dir/at-work.$name
	report 'a.one' | column $name 0 "mkdir $at_work; ls -d $dir/at-work.* | wc -l >>$dir/at-work; sleep 0.5; rmdir $at_work"
done
compare two-at-a-time 0 'compare: 4 columns, *'
if [ "$(sort -n "$dir/at-work" | tail -n 1)" = 2 ]; then
	ok two-at-a-time "$(tr '\n' ' ' <"$dir/at-work")at work"
else
	not_ok two-at-a-time "$(tr '\n' ' ' <"$dir/at-work")at work"
fi
anew
report 'a.one' | column sleeps 0 ": >$dir/asleep; sleep 3; : >$dir/awake"
tests/run/compare.sh >"$dir/stopped.log" 2>&1 </dev/null &
for ((i = 0; i < 100; i++)); do
	[ ! -e "$dir/asleep" ] || break
	sleep 0.1
done
kill $!
wait $!
status=$?
sleep 4
if [ "$status" = 2 ] && [ -e "$dir/asleep" ] && [ ! -e "$dir/awake" ]; then
	ok stopped "exit status 2, and nothing goes on"
else
	not_ok stopped "exit status $status, or its column goes on"
fi
((failed == 0))
