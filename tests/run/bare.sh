#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Runs the guest's suite without Intack, on an emulator's own 8259s, 8254, local APIC and I/O APIC, and prints its report.
# Nobody under the guest enforces a scenario's deadline: that is done here. A scenario that hangs or ends the emulator gets
# its verdict, and the suite goes on behind it in a fresh emulator; behind one that has failed, as well.
# Takes its words from the environment: L0 ONLY SEED TIMEOUT, NAME of the folder of this run under $O/run, and what the
# platform takes: QEMU, or BOCHS BOCHS_CPU GRUB.
# `bare.sh --check` runs nothing: it succeeds if the platform can run here, or says in one line why not.
# Exit status: 0 as expected, 1 failures, 2 the test bench itself, 3 deadline.
set -uo pipefail
here=$(dirname "$0")
O=${O:-build}

# shellcheck source=tests/run/report.sh
. "$here/report.sh"
# shellcheck disable=SC2317 # by name
[ "$*" != --check ] || bench() {
	echo "$*"
	exit 1
}

# --- the words -----------------------------------------------------------------------------------------------------------
# RULE, IRQCHIP, VID and the like mean nothing here: there is no hypervisor.
L0=${L0:-bare-qemu} TIMEOUT=${TIMEOUT:-600}
one_of L0 bare-qemu bare-bochs
common_words
[ -z "$GUEST$CMDLINE$MODULE" ] || bench "GUEST, CMDLINE, MODULE: $L0 runs the suite, nothing else"
[ $# = 0 ] || [ "$*" = --check ] || bench "$*: no such word; there is: --check"
guest=$O/guest/guest.elf
[ -r "$guest" ] || bench "$guest is not built"

# Sets `version`, and defines prepare WORDS, which makes in $dir what the emulator starts from and sets `emulator`.
# shellcheck source=tests/run/bare/qemu.sh
. "$here/bare/${L0#bare-}.sh"
[ $# = 0 ] || exit 0
run_folder "$L0"
mkfifo "$dir/serial" || bench "$dir/serial: cannot be made"
# The guest hears of the version: what is wrong with a device may be right in the next.
words="l0=$L0-$version${SEED:+ seed=$SEED}${ONLY:+ only=$ONLY}"

# --- the totals ----------------------------------------------------------------------------------------------------------
plan=0 results=0 pass=0 fail=0 xfail=0 skip=0 error=0
tally() { # RESULT-LINE
	((results += 1))
	case $1 in
	*' # SKIP'*) ((skip += 1)) ;;
	*' # ERROR'*) ((error += 1)) ;;
	'not ok '*) ((fail += 1)) ;;
	*' # XFAIL'*) ((xfail += 1)) ;;
	*) ((pass += 1)) ;;
	esac
	printf '%s\n' "$1"
}

totals() {
	((results >= plan)) || ((error += plan - results))
	echo "# Totals: pass:$pass fail:$fail xfail:$xfail skip:$skip error:$error"
}

# --- one emulator --------------------------------------------------------------------------------------------------------
# number, name, expect: the scenario that runs, 0 if none does. next: the one to go on with in a fresh emulator.
began=$SECONDS boot_seconds=90 grace_seconds=5
pid='' wire='' number=0 name='' expect='' next=1 until=0 last_words=''

# shellcheck disable=SC2317 # by trap
stop() {
	[ -z "$pid" ] || kill -HUP "$pid" 2>/dev/null
}
trap stop EXIT
trap 'exit 2' INT TERM HUP

start() {
	prepare "$words first=$next"
	exec {wire}< <(exec tee -a "$dir/serial.log" <"$dir/serial")
	# timeout passes HUP on, and kills what does not listen to it. Bochs listens to no other signal. Our own deadline comes first.
	timeout -s HUP -k 3 $((TIMEOUT + grace_seconds)) "${emulator[@]}" </dev/null >"$dir/serial" 2>>"$dir/emulator.log" &
	pid=$!
	number=0 last_words='' until=$((SECONDS + boot_seconds))
}

finish() {
	kill -HUP "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null # whatever ends it, bash would have a word on it
	pid=''
	# To its end: a reader that is left over would take the next emulator's first words.
	cat <&"$wire" >/dev/null
	exec {wire}<&-
}

# Twice its own deadline and some: it is counted in the guest's time, and an emulator shares its machine with others.
announced() { # NUMBER NAME DEADLINE EXPECT
	number=$1 name=$2 expect=${4#expect=}
	until=$((SECONDS + grace_seconds + 2 * ${3#deadline_ms=} / 1000))
}

ended() { # RESULT-LINE
	tally "$1"
	next=$((number + 1)) number=0 until=$((SECONDS + boot_seconds))
}

# The verdict on a scenario that cannot give its own.
verdict() { # WORD TEXT
	if [ "$expect" = "$1" ]; then
		ended "ok $number $name # XFAIL $1: $2"
	else
		ended "not ok $number $name # $1: $2"
	fi
}

# A line of the guest. Fails if the suite must go on in a fresh emulator: what has failed may have left anything behind.
heard() { # LINE
	case $1 in
	'# scenario '*)
		# shellcheck disable=SC2086 # its words
		announced ${1#\# scenario }
		;;
	'ok '* | 'not ok '*)
		ended "$1"
		[[ $1 != 'not ok '* && $1 != *' # XFAIL '* ]]
		;;
	'1..'*)
		plan=${1#1..}
		echo "$1"
		;;
	'Bail out!'*) last_words=$1 ;;
	*) echo "$1" ;;
	esac
}

# One line of the guest. Fails with more than 128 if there is none in time, with 1 if there will be none.
hear() {
	local left=$((until < deadline ? until - SECONDS : deadline - SECONDS)) status
	((left > 0)) || return 142
	IFS= read -r -t "$left" line <&"$wire"
	status=$?
	line=${line//$'\r'/}
	[ -z "$line" ] || ((status > 128)) || status=0
	return "$status"
}

# Relays until the emulator has ended, or has to.
follow() {
	local line status=0
	while hear || { status=$? && false; }; do
		heard "$line" || break
	done
	finish
	if ((status > 128 && SECONDS >= deadline)); then
		out_of_time
	elif ((status > 128 && number == 0)); then
		bench "nothing from the guest for $boot_seconds s; see $dir"
	elif ((status > 128)); then
		verdict hung "no end $grace_seconds s after twice its deadline"
	elif ((number > 0)); then
		verdict died "${last_words:-the emulator has ended}"
	fi
}

out_of_time() {
	((number == 0)) || verdict hung "the deadline of the run, $TIMEOUT s, has passed"
	totals
	echo "run: error: deadline of $TIMEOUT s; see $dir" >&2
	exit 3
}

# --- the suite -----------------------------------------------------------------------------------------------------------
deadline=$((began + TIMEOUT))
while ((next == 1 || next <= plan)); do
	before=$next
	start
	follow
	((next > before)) || bench "${ONLY:+ONLY=$ONLY: }${last_words:-the guest runs no scenario}; see $dir"
done
totals
((fail == 0 && error == 0))
