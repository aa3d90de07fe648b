#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Proves what bare.sh makes of a guest that hangs, ends its emulator, bails out or says nothing: with an emulator that only
# says what such guests say.
# Exit status: 0 all ok, 1 not, 2 the test bench itself.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
dir=${O:-build}/run/bare-test
failed=0
# The test's own: what was meant for the suite must not reach these runs.
unset RULE IRQCHIP VID ONLY GUEST CMDLINE MODULE SEED TIMEOUT TRACE TESTDEV MEM NAME
mkdir -p "$dir" || exit 2
dir=$(realpath "$dir") || exit 2
rm -rf "${dir:?}"/*
mkdir -p "$dir/o/guest" && : >"$dir/o/guest/guest.elf" || exit 2
export O=$dir/o L0=bare-qemu QEMU=$dir/qemu

# It plays the scenarios of $dir/scenarios from the one that it is told to begin with: EXPECTED RESULT...
cat >"$QEMU" <<'END'
#!/bin/bash
[ "$1" != --version ] || { echo 'QEMU emulator version 9.8.7' && exit; }
here=$(dirname "$0")
for words; do :; done
echo "$words" >>"$here/started"
first=${words##*first=}
mapfile -t scenarios <"$here/scenarios"
((first > 1)) || printf 'KTAP version 1\r\n1..%d\r\n' ${#scenarios[@]}
for ((n = first; n <= ${#scenarios[@]}; n++)); do
	read -r expected result <<<"${scenarios[n - 1]}"
	printf '# scenario %d s.%d deadline_ms=500 expect=%s\r\n' "$n" "$n" "${expected#-}"
	case $result in
	hang) exec sleep 60 ;;
	die) exit ;;
	bail*) echo "Bail out! ${result#bail }" && exit ;;
	leave) printf 'ok %d s.%d\n# the guest wants a fresh machine\n' "$n" "$n" && exit ;;
	cut) printf 'ok %d s.%d # cut=1' "$n" "$n" && exit ;;
	'not '*) printf 'not ok %d s.%d %s\n' "$n" "$n" "${result#not }" ;;
	*) printf 'ok %d s.%d %s\n' "$n" "$n" "$result" ;;
	esac
done
END
chmod +x "$QEMU"

# expect NAME STATUS STARTS REPORT...: the scenarios on standard input end with STATUS and this report, an emulator having been
# started STARTS times.
expect() {
	local name=$1 wanted=$2 starts=$3 status why=''
	shift 3
	cat >"$dir/scenarios"
	rm -f "$dir/started"
	NAME=$name tests/run/bare.sh >"$dir/$name.out" 2>"$dir/$name.err" </dev/null
	status=$?
	printf '%s\n' "$@" >"$dir/$name.wanted"
	[ "$status" = "$wanted" ] || why+="; exit status $status instead of $wanted"
	[ "$(wc -l <"$dir/started")" = "$starts" ] || why+="; not $starts emulators"
	diff "$dir/$name.wanted" "$dir/$name.out" >"$dir/$name.diff" || why+="; not its report"
	if [ -n "$why" ]; then
		echo "not ok $name: ${why#; }; see $dir/$name.*"
		failed=$((failed + 1))
	else
		echo "ok $name: ${*: -1} [exit status $status]"
	fi
}

expect passes 0 1 'KTAP version 1' 1..3 'ok 1 s.1 # n=1' 'ok 2 s.2 # SKIP why' 'ok 3 s.3 ' \
	'# Totals: pass:2 fail:0 xfail:0 skip:1 error:0' <<'END'
- # n=1
- # SKIP why
-
END
expect fails 1 4 'KTAP version 1' 1..4 'not ok 1 s.1 # fail: x' 'ok 2 s.2 # XFAIL fail: y' 'not ok 3 s.3 # XPASS late' \
	'not ok 4 s.4 # ERROR z' '# Totals: pass:0 fail:2 xfail:1 skip:0 error:1' <<'END'
- not # fail: x
- # XFAIL fail: y
late not # XPASS late
- not # ERROR z
END
expect hangs 1 3 'KTAP version 1' 1..3 'not ok 1 s.1 # hung: no end 5 s after twice its deadline' \
	'ok 2 s.2 # XFAIL hung: no end 5 s after twice its deadline' 'ok 3 s.3 ' '# Totals: pass:1 fail:1 xfail:1 skip:0 error:0' <<'END'
- hang
hung hang
-
END
expect dies 1 4 'KTAP version 1' 1..4 'not ok 1 s.1 # died: the emulator has ended' 'ok 2 s.2 # XFAIL died: the emulator has ended' \
	'not ok 3 s.3 # died: Bail out! of a plane' 'ok 4 s.4 ' '# Totals: pass:1 fail:2 xfail:1 skip:0 error:0' <<'END'
- die
died die
- bail of a plane
-
END
expect goes-on 0 3 'KTAP version 1' 1..3 'ok 1 s.1' '# the guest wants a fresh machine' 'ok 2 s.2 # cut=1' 'ok 3 s.3 ' \
	'# Totals: pass:3 fail:0 xfail:0 skip:0 error:0' <<'END'
- leave
- cut
-
END
TIMEOUT=3 expect deadline 3 1 'KTAP version 1' 1..2 'not ok 1 s.1 # hung: the deadline of the run, 3 s, has passed' \
	'# Totals: pass:0 fail:1 xfail:0 skip:0 error:1' <<'END'
- hang
-
END
expect nothing 2 1 'KTAP version 1' 1..0 </dev/null

((failed == 0))
