#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Proves what `make trace` makes of traces, with short ones that were recorded and cut: no emulator runs.
# Exit status: 0 all ok, 1 not, 2 the test bench itself.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
dir=${O:-build}/run/trace-test
failed=0
unset RULE PLATFORMS ONLY CONTEXT TIMEOUT TRACE
rm -rf "$dir"
mkdir -p "$dir" || exit 2
dir=$(realpath "$dir") || exit 2
export O=$dir/o TRACE_COLUMNS=$dir/columns
mkdir -p "$O/run" "$TRACE_COLUMNS" || exit 2

ok() { # NAME WHAT
	echo "ok $1: $2"
}

not_ok() { # NAME WHY
	echo "not ok $1: $2; see $dir"
	failed=$((failed + 1))
}

# --- recorded runs -------------------------------------------------------------------------------------------------------
reason() { # HVM_EXIT_... or VCPU_EXIT_...: its number, whatever it is today
	awk -v name="$1" '/^enum .*{/ { n = 0; next }
		match($1, /^[A-Z_0-9]+/) { if (substr($1, 1, RLENGTH) == name) { print n; exit } n++ }' hv/core/hvm.h include/vcpu_run.h
}

# Lines with @NAME@ for a reason, numbered; `T ` in front of an event is its time.
trace() {
	local line n=0
	while read -r line; do
		while [[ $line =~ @([A-Z_]+)@ ]]; do
			line=${line/@${BASH_REMATCH[1]}@/$(reason "${BASH_REMATCH[1]}")}
		done
		echo "$n $line"
		n=$((n + 1))
	done
}

intack() { # NAME: a run of Intack, its events on standard input
	mkdir -p "$dir/$1"
	{
		echo '1.000000000 kvm_exit: reason=@HVM_EXIT_IO@ rip=0x100'
		echo '1.000000000 kvm_pio: port=0x62c value=0x13ec20'
		echo '1.000000000 kvm_userspace_exit: reason=@VCPU_EXIT_IO@ ready=0'
		cat
		echo '2.000000000 kvm_exit: reason=@HVM_EXIT_IO@ rip=0x900'
		echo '2.000000000 kvm_pio: port=0x62c value=0'
		echo '2.000000000 kvm_userspace_exit: reason=@VCPU_EXIT_IO@ ready=0'
		echo '2.000000000 kvm_entry: rip=0x902 inject=0'
		echo '2.000000000 kvm_exit: reason=@HVM_EXIT_CPUID@ rip=0x903'
	} | trace >"$dir/$1/trace.txt"
}

# The runner's half on standard input, the tracepoints in KERNEL.
kvm() { # NAME KERNEL
	mkdir -p "$dir/$1"
	{
		echo '1.000090999 kvm_pio: port=0x62c value=0x13ec20'
		echo '1.000091000 kvm_userspace_exit: reason=@VCPU_EXIT_IO@ ready=0'
		cat
		echo '2.000100000 kvm_pio: port=0x62c value=0'
		echo '2.000101000 kvm_userspace_exit: reason=@VCPU_EXIT_IO@ ready=0'
	} | trace >"$dir/$1/trace.txt"
	{
		echo '# tracer: nop'
		echo '# entries-in-buffer/entries-written: 20/20   #P:1'
		point 1.000050 'kvm_exit: vcpu 0 reason io rip 0x100 info1 0x00000000062c0040 info2 0x0000000000000101'
		point 1.000090 'kvm_userspace_exit: reason KVM_EXIT_IO (2)'
		echo "$2"
		point 2.000050 'kvm_exit: vcpu 0 reason io rip 0x900 info1 0x00000000062c0040 info2 0x0000000000000901'
		point 2.000090 'kvm_userspace_exit: reason KVM_EXIT_IO (2)'
	} >"$dir/$1/kvm_trace.txt"
}

point() { # TIME TEXT
	echo "      intack-kvm-96      [000] d..1.     $1: $2"
}

# diffs NAME STATUS LEFT RIGHT LAST-LINE ROW...: these rows, one behind the other, with one blank between words.
diffs() {
	local name=$1 wanted=$2 last=$5 left=$3 right=$4 status row got rows='' expected=''
	shift 5
	tests/run/trace_diff.sh "$dir/$left" "$dir/$right" >"$dir/$name.out" 2>"$dir/$name.err"
	status=$?
	got=$(tr -s ' ' <"$dir/$name.out")
	for row; do
		expected+=$row$'\n'
	done
	rows=$(tail -n +2 <<<"${got#*"$left $right"}" | head -n -1)$'\n'
	if [ "$status" != "$wanted" ] || [ "${got##*$'\n'}" != "$last" ]; then
		not_ok "$name" "exit status $status instead of $wanted, or not '$last': ${got##*$'\n'}"
	elif [ "$rows" != "$expected" ] && (($# > 0)); then
		not_ok "$name" "other rows: $(diff <(echo "$expected") <(echo "$rows") | grep '^[<>]' | head -n 2 | tr '\n' ' ')"
	else
		ok "$name" "$last"
	fi
}

# fails NAME PATTERN COMMAND...: a bench error of this kind.
fails() {
	local name=$1 pattern=$2 status said
	shift 2
	said=$("$@" 2>&1 >"$dir/$name.out" </dev/null | tail -n 1)
	status=$?
	# shellcheck disable=SC2053 # a pattern is wanted
	if [ "$status" = 2 ] && [[ $said == $pattern ]]; then
		ok "$name" "$said"
	else
		not_ok "$name" "exit status $status instead of 2, or not like '$pattern': $said"
	fi
}

# --- the arming hole, as tcg-svm and kvm-amd have it ----------------------------------------------------------------------
intack boundary <<'END'
1.000000000 irq_window: armed=0 state=0x0
1.000000000 kvm_entry: rip=0x102 inject=0
1.000000000 kvm_exit: reason=@HVM_EXIT_IO@ rip=0x200
1.000000000 kvm_pio: port=0x604 value=0x18
1.000000000 kvm_userspace_exit: reason=@VCPU_EXIT_IO@ ready=1
1.000000000 kvm_pic_set_irq: pin=3 level=1
1.000000000 kvm_ioapic_set_irq: pin=3 level=1
1.000000000 kvm_pic_set_irq: pin=4 level=1
1.000000000 kvm_ioapic_set_irq: pin=4 level=1
1.000000000 kvm_ack_irq: vector=0x23 intr=1
1.000000000 dm_stash: vector=0x23 result=0
1.000000000 kvm_inj_virq: vector=0x23 reinjected=0
1.000000000 irq_window: armed=0 state=0x45
1.000000000 kvm_entry: rip=0x202 inject=1
1.000000000 kvm_exit: reason=@HVM_EXIT_NPF@ rip=0x202
1.000000000 irq_window: armed=1 state=0x41
1.000000000 kvm_entry: rip=0x202 inject=0
1.000000000 kvm_exit: reason=@HVM_EXIT_WINDOW@ rip=0x202
1.000000000 kvm_userspace_exit: reason=@VCPU_EXIT_IRQ_WINDOW_OPEN@ ready=1
1.000000000 kvm_ack_irq: vector=0x24 intr=0
1.000000000 dm_stash: vector=0x24 result=0
1.000000000 kvm_inj_virq: vector=0x24 reinjected=0
1.000000000 irq_window: armed=0 state=0x44
1.000000000 kvm_entry: rip=0x202 inject=1
END
# The tracepoints have microseconds: those of one are in the order that the halves can only have had.
kvm amd "$(
	point 1.000092 'kvm_entry: vcpu 0, rip 0x102'
	point 1.000150 'kvm_exit: vcpu 0 reason interrupt rip 0x150 info1 0x0000000000000000 info2 0x0000000000000000'
	point 1.000151 'kvm_userspace_exit: reason restart (4)'
	point 1.000152 'kvm_entry: vcpu 0, rip 0x150'
	point 1.000153 'kvm_exit: vcpu 0 reason DB excp rip 0x152 info1 0x0000000000000000 info2 0x0000000000000000'
	point 1.000154 'kvm_entry: vcpu 0, rip 0x152'
	point 1.000200 'kvm_exit: vcpu 0 reason io rip 0x200 info1 0x0000000006040020 info2 0x0000000000000202'
	point 1.000200 'kvm_pio: pio_write at 0x604 size 2 count 1 val 0x18 '
	point 1.000200 'kvm_userspace_exit: reason KVM_EXIT_IO (2)'
	point 1.000201 'kvm_inj_virq: IRQ 0x23'
	point 1.000201 'kvm_entry: vcpu 0, rip 0x202'
	point 1.000202 'kvm_exit: vcpu 0 reason npf rip 0x202 info1 0x0000000100000014 info2 0x0000000000000202'
	point 1.000203 'kvm_entry: vcpu 0, rip 0x202'
	point 1.000204 'kvm_exit: vcpu 0 reason vintr rip 0x202 info1 0x0000000000000000 info2 0x0000000000000000'
	point 1.000205 'kvm_userspace_exit: reason KVM_EXIT_IRQ_WINDOW_OPEN (7)'
	point 1.000300 'kvm_inj_virq: IRQ 0x24'
	point 1.000301 'kvm_entry: vcpu 0, rip 0x202'
)" <<'END'
1.000200100 kvm_pio: port=0x604 value=0x18
1.000200200 kvm_userspace_exit: reason=@VCPU_EXIT_IO@ ready=1
1.000200200 kvm_pic_set_irq: pin=3 level=1
1.000200200 kvm_ioapic_set_irq: pin=3 level=1
1.000200200 kvm_pic_set_irq: pin=4 level=1
1.000200200 kvm_ioapic_set_irq: pin=4 level=1
1.000201000 kvm_ack_irq: vector=0x23 intr=1
1.000201500 dm_stash: vector=0x23 result=0
1.000206000 kvm_userspace_exit: reason=@VCPU_EXIT_IRQ_WINDOW_OPEN@ ready=1
1.000207000 kvm_ack_irq: vector=0x24 intr=0
1.000208000 dm_stash: vector=0x24 result=0
END
diffs alike 0 boundary amd '15 events alike, 0 differ' \
	'entry 0x102 entry 0x102' \
	' . exit intr' \
	' . entry 0x150' \
	' . exit db' \
	' . entry 0x152' \
	'exit io LAB_UP exit io LAB_UP' \
	'userspace exit io ready userspace exit io ready' \
	'raise 3 raise 3' \
	'raise 4 raise 4' \
	'ack 0x23, INTR still high ack 0x23, INTR still high' \
	'stash 0x23 stash 0x23' \
	'inject 0x23 inject 0x23' \
	'window wanted, not armed .' \
	'entry 0x202 entry 0x202' \
	'exit npf . exit npf' \
	'window armed .' \
	'entry 0x202 . entry 0x202' \
	'window open window open' \
	'userspace exit irq_window_open ready userspace exit irq_window_open ready' \
	'ack 0x24 ack 0x24' \
	'stash 0x24 stash 0x24' \
	'inject 0x24 inject 0x24' \
	'entry 0x202 entry 0x202'

# Between two runs of Intack, that a window is armed counts.
sed 's/armed=0 state=0x45/armed=1 state=0x45/' "$dir/boundary/trace.txt" >"$dir/rearm.txt"
mkdir -p "$dir/rearm"
mv "$dir/rearm.txt" "$dir/rearm/trace.txt"
export CONTEXT=1
diffs armed 1 boundary rearm '16 events alike, 1 differ' \
	'... 7 rows' 'inject 0x23 inject 0x23' ' > window armed' 'window wanted, not armed .' '... 10 rows'
diffs armed-left 1 rearm boundary '16 events alike, 1 differ' \
	'... 7 rows' 'inject 0x23 inject 0x23' 'window armed <' ' . window wanted, not armed' '... 10 rows'
unset CONTEXT
diffs armed-not-shown 0 rearm amd '15 events alike, 0 differ'
diffs itself 0 amd amd '15 events alike, 0 differ'

# An exit of another kind, an interrupt more, another line, another vector: each is a difference.
broken() { # NAME LAST-LINE SED-SCRIPT ROW...: of the run `boundary`
	local name=$1 last=$2 script=$3
	shift 3
	mkdir -p "$dir/$name"
	sed "$script" "$dir/boundary/trace.txt" >"$dir/$name/trace.txt"
	diffs "$name" 1 boundary "$name" "$last" "$@"
}
export CONTEXT=0
broken other-exit '15 events alike, 2 differ' "s/reason=$(reason HVM_EXIT_WINDOW) rip/reason=$(reason HVM_EXIT_HLT) rip/" \
	'... 14 rows' 'window open <' ' > exit hlt' '... 5 rows'
broken other-port '15 events alike, 1 differ' 's/port=0x604/port=0x608/' '... 1 rows' 'exit io LAB_UP | exit io LAB_PULSE' '... 17 rows'
broken other-line '15 events alike, 1 differ' 's/pin=4 level/pin=5 level/' '... 4 rows' 'raise 4 | raise 5' '... 14 rows'
broken other-vector '15 events alike, 1 differ' 's/kvm_inj_virq: vector=0x24/kvm_inj_virq: vector=0x25/' \
	'... 17 rows' 'inject 0x24 | inject 0x25' '... 1 rows'
# A delivery that memory cuts short is no mapping like others.
broken again '16 events alike, 3 differ' \
	"/reason=$(reason HVM_EXIT_NPF) rip/{p;s/kvm_exit.*/kvm_inj_virq: vector=0x23 reinjected=1/}"
broken not-ready '14 events alike, 2 differ' 's/ ready=1/ ready=0/'
broken refused '15 events alike, 1 differ' 's/0x24 result=0/0x24 result=-17/' \
	'... 16 rows' 'stash 0x24 | stash 0x24 refused' '... 2 rows'
broken eoi '16 events alike, 1 differ' '/dm_stash: vector=0x24/{p;s/dm_stash.*/kvm_eoi: vector=0x61/}'
broken lower '15 events alike, 2 differ' 's/pin=4 level=1/pin=4 level=0/' '... 4 rows' 'raise 4 <' ' > lower 4' '... 14 rows'
broken pin '16 events alike, 1 differ' '/kvm_ioapic_set_irq: pin=4/{p;s/pin=4/pin=17/}' '... 5 rows' ' > raise 17' '... 14 rows'
unset CONTEXT

# --- what only KVM has -----------------------------------------------------------------------------------------------------
# kvm_intel, in its words; a user irqchip, where KVM calls each injection one more; an entry that is called off; the local APIC
# between two exits.
kvm intel "$(
	point 1.000092 'kvm_entry: vcpu 0, rip 0x102'
	point 1.000150 'kvm_exit: vcpu 0 reason EXTERNAL_INTERRUPT rip 0x150 info1 0x0000000000000000 info2 0x0000000000000000'
	point 1.000152 'kvm_entry: vcpu 0, rip 0x150[immediate exit]'
	point 1.000190 'kvm_exit: vcpu 0 reason IO_INSTRUCTION rip 0x200 info1 0x0000000006040020 info2 0x0000000000000202'
	point 1.000200 'kvm_userspace_exit: reason KVM_EXIT_IO (2)'
	point 1.000201 'kvm_inj_virq: IRQ 0x23 [reinjected]'
	point 1.000201 'kvm_inj_virq: IRQ 0x23 [reinjected]'
	point 1.000201 'kvm_entry: vcpu 0, rip 0x202'
	point 1.000202 'kvm_exit: vcpu 0 reason EPT_VIOLATION rip 0x202 info1 0x0000000100000014 info2 0x0000000000000202'
	point 1.000203 'kvm_apic_accept_irq: apicid 0 vec 96 (Fixed|edge)'
	point 1.000203 'kvm_entry: vcpu 0, rip 0x202'
	point 1.000204 'kvm_exit: vcpu 0 reason INTERRUPT_WINDOW rip 0x202 info1 0x0000000000000000 info2 0x0000000000000000'
	point 1.000205 'kvm_userspace_exit: reason KVM_EXIT_IRQ_WINDOW_OPEN (7)'
	point 1.000300 'kvm_inj_virq: IRQ 0x24'
	point 1.000301 'kvm_entry: vcpu 0, rip 0x202'
)" < <(sed 's/^[0-9]* //' "$dir/amd/trace.txt" | sed '1,2d' | head -n -2)
diffs intel 0 boundary intel '15 events alike, 0 differ' \
	'entry 0x102 entry 0x102' \
	' . exit intr' \
	' . entry 0x150 [immediate exit]' \
	'exit io LAB_UP exit io LAB_UP' \
	'userspace exit io ready userspace exit io ready' \
	'raise 3 raise 3' \
	'raise 4 raise 4' \
	'ack 0x23, INTR still high ack 0x23, INTR still high' \
	'stash 0x23 stash 0x23' \
	'inject 0x23 inject 0x23' \
	'window wanted, not armed .' \
	' . inject 0x23 again' \
	'entry 0x202 entry 0x202' \
	'exit npf . exit npf' \
	'window armed .' \
	' . local APIC accepts 0x60' \
	'entry 0x202 . entry 0x202' \
	'window open window open' \
	'userspace exit irq_window_open ready userspace exit irq_window_open ready' \
	'ack 0x24 ack 0x24' \
	'stash 0x24 stash 0x24' \
	'inject 0x24 inject 0x24' \
	'entry 0x202 entry 0x202'
# Between two of KVM's, that counts.
CONTEXT=0 diffs accept 1 amd intel '15 events alike, 1 differ'

# An exit for memory that is not entered again where it was, MSRs, exceptions, and an end that never comes.
intack more <<'END'
1.000000000 kvm_exit: reason=@HVM_EXIT_RDMSR@ rip=0x200
1.000000000 kvm_msr: index=0x1b value=0x0
1.000000000 kvm_entry: rip=0x202 inject=0
1.000000000 kvm_exit: reason=@HVM_EXIT_NPF@ rip=0x202
1.000000000 kvm_entry: rip=0x206 inject=0
1.000000000 kvm_exit: reason=@HVM_EXIT_NPF@ rip=0x206
1.000000000 kvm_mmio: gpa=0xfec00000 value=0
1.000000000 kvm_userspace_exit: reason=@VCPU_EXIT_MMIO@ ready=0
1.000000000 kvm_entry: rip=0x206 inject=0
1.000000000 kvm_exit: reason=@HVM_EXIT_UD@ rip=0x206
1.000000000 kvm_inj_exception: vector=0x6 reinjected=0
1.000000000 kvm_inj_nmi: reinjected=0
1.000000000 kvm_entry: rip=0x206 inject=3
1.000000000 kvm_exit: reason=@HVM_EXIT_NMI_WINDOW@ rip=0x206
1.000000000 kvm_eoi: vector=0x61
END
sed -i '/port=0x62c value=0$/,$d' "$dir/more/trace.txt"
kvm kmore "$(
	point 1.000092 'kvm_exit: vcpu 0 reason msr rip 0x200 info1 0x0000000000000000 info2 0x0000000000000000'
	point 1.000093 'kvm_msr: msr_read 1b = 0xfee00900'
	point 1.000094 'kvm_entry: vcpu 0, rip 0x202'
	point 1.000095 'kvm_exit: vcpu 0 reason npf rip 0x202 info1 0x0000000000000000 info2 0x00000000fee00000'
	point 1.000096 'kvm_entry: vcpu 0, rip 0x206'
	point 1.000097 'kvm_exit: vcpu 0 reason npf rip 0x206 info1 0x0000000000000000 info2 0x00000000fec00000'
	point 1.000098 'kvm_userspace_exit: reason KVM_EXIT_MMIO (6)'
	point 1.000100 'kvm_entry: vcpu 0, rip 0x206'
	point 1.000101 'kvm_exit: vcpu 0 reason UD excp rip 0x206 info1 0x0000000000000000 info2 0x0000000000000000'
	point 1.000102 'kvm_inj_exception: #UD (0x0)'
	point 1.000103 'kvm_entry: vcpu 0, rip 0x206'
	point 1.000104 'kvm_exit: vcpu 0 reason iret rip 0x206 info1 0x0000000000000000 info2 0x0000000000000000'
	point 1.000105 'kvm_eoi: apicid 0 vector 97'
)" <<'END'
1.000099000 kvm_mmio: gpa=0xfec00000 value=0
1.000099000 kvm_userspace_exit: reason=@VCPU_EXIT_MMIO@ ready=0
END
diffs more 1 more kmore '12 events alike, 1 differ' \
	'exit rdmsr 0x1b exit rdmsr 0x1b' \
	'entry 0x202 entry 0x202' \
	'exit npf exit npf' \
	'entry 0x206 entry 0x206' \
	'exit npf 0xfec00000 exit npf 0xfec00000' \
	'userspace exit mmio userspace exit mmio' \
	'entry 0x206 entry 0x206' \
	'exit ud exit ud' \
	'inject #UD inject #UD' \
	'inject NMI .' \
	'entry 0x206 entry 0x206' \
	'exit nmi_window exit nmi_window' \
	'eoi 0x61 eoi 0x61' \
	'exit io <'

# --- what cannot be compared -------------------------------------------------------------------------------------------------
copy() { # NAME OF FILE SED-SCRIPT
	rm -rf "${dir:?}/$1"
	cp -r "$dir/$2" "$dir/$1"
	sed -i "$4" "$dir/$1/$3"
	echo "$dir/$1"
}
two=tests/run/trace_diff.sh
fails no-trace 'trace: error: */nothing: no trace.txt is there*' $two "$dir/boundary" "$dir/nothing"
fails half "trace: error: bad: its trace has no entry: KVM's half is not there (*/bad/kvm_trace.txt)" \
	$two "$dir/boundary" "$(copy bad amd trace.txt 's/x/x/' && rm "$dir/bad/kvm_trace.txt")"
fails lost 'trace: error: the traces cannot be read' \
	$two "$dir/boundary" "$(copy bad amd kvm_trace.txt 's/written: 20/written: 21/')"
fails overrun 'trace: error: the traces cannot be read' \
	$two "$dir/boundary" "$(copy bad amd kvm_trace.txt '3iCPU:0 [LOST 12 EVENTS]')"
for what in 'kvm_inj_virq: /kvm_injects: ' 'rip=/pc=' "reason=$(reason HVM_EXIT_NPF) /reason=99 " 'irq_window: .*/&\nnot a record'; do
	fails "not-understood-${what%%[:=]*}" 'trace: error: the traces cannot be read' \
		$two "$(copy bad boundary trace.txt "s/$what/")" "$dir/boundary"
done
fails two-scenarios 'trace: error: the traces cannot be read' \
	$two "$(copy bad boundary trace.txt '1i99 0.000000000 kvm_pio: port=0x62c value=0x13ec20')" "$dir/boundary"
grep -q 'bad: 2 scenarios begin' <($two "$dir/bad" "$dir/boundary" 2>&1) || not_ok two-scenarios 'the message does not tell'
fails none 'trace: error: the traces cannot be read' $two "$dir/amd" "$(copy bad boundary trace.txt '/0x13ec20/d')"
fails bad-context 'trace: error: CONTEXT=few: must be a number' env CONTEXT=few $two "$dir/amd" "$dir/boundary"
fails one-folder 'trace: error: usage: *' $two "$dir/amd"

# --- the choice of platforms -------------------------------------------------------------------------------------------------
# Columns whose runs are the recorded ones.
column() { # NAME FOLDER [COMMAND]
	cat >"$TRACE_COLUMNS/$1.sh" <<-END
		about='made up' rules='rearm boundary'
		column_can() { :; }
		column_run() {
			${3:-:}
			local run=\$O/run/compare-\$(basename "\$dir")
			cp -r $2 "\$run" && echo "ok 1 \$ONLY # rule=\$rule trace=\$TRACE"
		}
	END
}
column a "$dir/boundary"
column b "$dir/amd"
column blind "$dir/boundary" 'echo "run: error: no totals" >&2; return 2'
printf 'about=x\ncolumn_can() { echo "no such lab"; return 1; }\n' >"$TRACE_COLUMNS/absent.sh"
ONLY=x.y PLATFORMS='a:boundary b' $two >"$dir/columns.out" 2>"$dir/columns.err"
status=$?
if [ "$status" = 0 ] && [ "$(tail -n 1 "$dir/columns.out")" = '15 events alike, 0 differ' ] &&
	grep -qx '# a:boundary: ok 1 x.y # rule=boundary trace=on' "$dir/columns.out" &&
	grep -qx '# b: ok 1 x.y # rule=rearm trace=on' "$dir/columns.out" && grep -q '^a:boundary  *b$' "$dir/columns.out"; then
	ok columns "$(tail -n 1 "$dir/columns.out")"
else
	not_ok columns "exit status $status, or not what the columns' runs are"
fi
fails one-column 'trace: error: PLATFORMS=a: must be two columns*' env ONLY=x PLATFORMS=a $two
fails no-column 'trace: error: PLATFORMS: there is no column nope' env ONLY=x PLATFORMS='a nope' $two
fails path-for-a-column 'trace: error: PLATFORMS: there is no column ../columns/a' env ONLY=x PLATFORMS='../columns/a a' $two
fails no-rule 'trace: error: PLATFORMS: a has no rule fast; it has: rearm boundary' env ONLY=x PLATFORMS='a:fast b' $two
fails pattern 'trace: error: ONLY=x.*: must be the name of one scenario' env ONLY='x.*' PLATFORMS='a b' $two
fails no-scenario 'trace: error: ONLY=: must be *' env PLATFORMS='a b' $two
fails absent 'trace: error: absent: cannot run here: no such lab' env ONLY=x PLATFORMS='absent b' $two
fails blind 'trace: error: blind: its run has left no trace: run: error: no totals' env ONLY=x PLATFORMS='a blind' $two

# --- the tracepoints, recorded -------------------------------------------------------------------------------------------------
# A folder in place of tracefs; what it said while the command ran is in `seen`.
fs=$dir/tracefs
mkdir -p "$fs"/events/kvm/{kvm_entry,kvm_exit,kvm_userspace_exit,kvm_inj_virq,kvm_eoi,kvm_fpu}
for event in "$fs"/events/kvm/*; do
	echo 0 >"$event/enable"
done
echo 'entries' >"$fs/recorded"
record() { # COMMAND...
	TRACEFS=$fs tests/lab/kvm_trace.sh "$dir/recorded" "$@" 2>"$dir/recorded.err"
}
# shellcheck disable=SC2016 # expanded there
record bash -c 'grep -H . "$0"/{tracing_on,trace_clock,buffer_size_kb,set_event_pid,events/kvm/*/enable} >"$0/seen"
	[ "$(cat "$0/set_event_pid")" = $$ ] && cp "$0/recorded" "$0/trace"; exit 3' "$fs"
status=$?
off=$(cat "$fs/tracing_on" "$fs"/events/kvm/*/enable | tr '\n' ' ')
if [ "$status" = 3 ] && [ "$(cat "$dir/recorded")" = entries ] && [ "$off" = '0 0 0 0 0 0 0 ' ] &&
	[ "$(grep -c 'enable:1' "$fs/seen")" = 5 ] && grep -q 'trace_clock:mono' "$fs/seen" && grep -q 'kvm_fpu/enable:0' "$fs/seen" &&
	[ -z "$(cat "$fs/set_event_pid")" ]; then
	ok recorder "exit status $status, five tracepoints on, and off again"
else
	not_ok recorder "exit status $status, or tracefs was not set as it has to be: $off"
fi
rm -r "$fs/events/kvm/kvm_exit"
record true
status=$?
if [ "$status" = 125 ] && grep -qx 'kvm_trace: error: this KVM has no tracepoint kvm_exit' "$dir/recorded.err"; then
	ok recorder-without "$(cat "$dir/recorded.err")"
else
	not_ok recorder-without "exit status $status: $(cat "$dir/recorded.err")"
fi
((failed == 0))
