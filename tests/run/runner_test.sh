#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Proves what `make run` promises: an exit status of 0, 1, 2 or 3, a line that says why, and a guest that gets the command
# line and the modules that it was given.
# Takes O, QEMU, OVMF_CODE and OVMF_VARS from the environment. Exit status: 0 all ok, 1 not, 2 the test bench itself.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
export O=${O:-build}
MAKE=${MAKE:-make}
dir=$O/run/runner-test
failed=0
# The test's own: what was meant for the suite must not reach these runs.
unset L0 RULE IRQCHIP VID ONLY GUEST CMDLINE MODULE SEED TIMEOUT TRACE TESTDEV MEM NAME LAB_KERNEL KERNEL_IRQCHIP MODULES OUT
unset KVM_OPTIONS KVM_VENDOR_OPTIONS LAB_QEMU
mkdir -p "$dir" || exit 2
rm -rf "${dir:?}"/*
for f in intack.efi foreign.elf hostile/prints-and-exits.elf; do
	[ -r "$O/$f" ] || {
		echo "runner_test: error: $O/$f is not built" >&2
		exit 2
	}
done

# Is there a line like this? Sets line. Only * is special.
find_line() { # FILE PATTERN
	while IFS= read -r line; do
		# shellcheck disable=SC2053 # a pattern is wanted
		[[ $line != $2 ]] || return 0
	done <"$1"
	return 1
}

# expect NAME STATUS PATTERN WORD...: `make run WORD...` ends with STATUS and prints a line like PATTERN.
expect() {
	ends "$1" "$2" "$3" "$MAKE" -s run SETUP=skip O="$O" "${@:4}"
}

ends() { # NAME STATUS PATTERN COMMAND...
	local name=$1 wanted=$2 pattern=$3 log=$dir/$1.log status line
	shift 3
	"$@" >"$log" 2>&1 </dev/null
	status=$?
	if [ "$status" != "$wanted" ]; then
		echo "not ok $name: exit status $status instead of $wanted; see $log"
	elif ! find_line "$log" "$pattern"; then
		echo "not ok $name: exit status $status, but no line: $pattern; see $log"
	else
		echo "ok $name: $line [exit status $status]"
		return
	fi
	failed=$((failed + 1))
}

# also NAME PATTERN...: the run of this name has printed these lines too.
also() {
	local name=$1 pattern line
	shift
	for pattern; do
		if find_line "$dir/$name.log" "$pattern"; then
			echo "ok $name: $line"
		else
			echo "not ok $name: no line: $pattern; see $dir/$name.log"
			failed=$((failed + 1))
		fi
	done
}

# --- 2: words that mean nothing, things that are not there ----------------------------------------------------------------------
error='run: error:'
expect bad-rule 2 "$error RULE=fast: must be one of: legacy stash boundary rearm" RULE=fast
expect bad-irqchip 2 "$error IRQCHIP=kernel: must be one of: split user" IRQCHIP=kernel
expect bad-vid 2 "$error VID=yes: must be one of: on off" VID=yes
expect bad-platform 2 "$error L0=nope: must be one of: *" L0=nope
expect bad-trace 2 "$error TRACE=yes: must be one of: *" TRACE=yes
expect bad-testdev 2 "$error TESTDEV=yes: must be one of: on off" TESTDEV=yes
expect bad-mem 2 "$error MEM=3: must be a number from 4 to 3072" MEM=3
expect bad-timeout 2 "$error TIMEOUT=1h: must be a number from 1 to 86400" TIMEOUT=1h
expect bad-seed 2 "$error SEED=x: must be a number" SEED=x
expect bad-pattern 2 "$error ONLY=a b: must be a pattern without blanks and quotes" ONLY='a b'
expect bad-quotes 2 "$error CMDLINE=*: holds both kinds of quotes" CMDLINE=\'\"
expect no-guest 2 "$error GUEST=/nope.elf: no such file" GUEST=/nope.elf
expect no-module 2 "$error MODULE=/nope: no such file" MODULE='README.md; /nope x'
expect no-emulator 2 "$error QEMU=/nope: no such program" QEMU=/nope
expect no-firmware 2 "$error OVMF_CODE=/nope: no such file" OVMF_CODE=/nope
expect no-variables 2 "$error OVMF_VARS=/nope: no such file" OVMF_VARS=/nope
expect bad-rule-with-jobs 2 "$error RULE=fast: must be one of: *" -j2 RULE=fast

expect no-bochs 2 "$error BOCHS=/nope: no such program" L0=bochs-svm BOCHS=/nope
expect no-bochs-cpu 2 "$error BOCHS_CPU=foo: bochs --help cpu does not list it" L0=bochs-vmx BOCHS_CPU=foo
expect no-bochs-firmware 2 "$error OVMF=/foo: no such file" L0=bochs-vmx OVMF=/foo
expect bochs-memory 2 "$error MEM=1665: Bochs has room for no more than 1664" L0=bochs-svm MEM=1665

# --- KVM: this machine's, and the lab's -----------------------------------------------------------------------------------------
if [ ! -e /dev/kvm ]; then
	expect kvm 2 "$error L0=kvm: this machine has no KVM: there is no /dev/kvm" L0=kvm
elif ! { : <>/dev/kvm; } 2>/dev/null; then
	expect kvm 2 "$error L0=kvm: /dev/kvm does not open: *" L0=kvm
elif ! grep -qs '^[Yy1]' /sys/module/kvm_{amd,intel}/parameters/nested; then
	expect kvm 2 "$error L0=kvm: this machine's KVM offers its guests neither SVM nor VMX: *" L0=kvm
else
	expect kvm 0 '# Totals: pass:1 *' L0=kvm ONLY=windows.raise-if1
fi
# A lab with a root and a kernel, as far as can be seen from outside.
lab=$dir/lab
rm -rf "$lab"
mkdir -p "$lab/root/usr/share/OVMF" "$lab/kernel-6.1" "$lab/kernel-6.12" "$lab/modules"
touch "$lab"/{root,kernel-6.1,kernel-6.12}/.stamp "$lab"/kernel-6.{1,12}/{vmlinuz,initrd} "$lab/modules/rearm" \
	"$lab/root/usr/share/OVMF/OVMF_VARS_4M.fd"
expect no-lab 2 "$error L0=nested-kvm: LAB=/nope: there is no lab: make lab" L0=nested-kvm LAB=/nope
expect no-lab-kernel 2 "$error L0=nested-kvm: kernel-nope: not in $lab, which has: kernel-6.1 kernel-6.12; make lab" \
	L0=nested-kvm LAB="$lab" LAB_KERNEL=nope
expect no-lab-qemu 2 "$error L0=nested-kvm: qemu: not in $lab; make lab" L0=nested-kvm LAB="$lab"
expect no-lab-modules 2 "$error L0=nested-kvm: MODULES=nope: not in $lab/modules; make lab" L0=nested-kvm LAB="$lab" MODULES=nope
expect bad-kernel-irqchip 2 "$error KERNEL_IRQCHIP=off: must be one of: split on" L0=nested-kvm KERNEL_IRQCHIP=off
boot=tests/lab/boot.sh
ends boot-no-command 125 'lab: error: usage: boot.sh KERNEL COMMAND... or *' env LAB="$lab" $boot 6.12
ends boot-no-qemu 125 'lab: error: LAB_QEMU=/nope: no such program' env LAB="$lab" LAB_QEMU=/nope $boot 6.12 true
ends boot-other-modules 125 'lab: error: MODULES=rearm: made for kernel-6.1, not for kernel-6.12' env LAB="$lab" \
	MODULES=rearm $boot 6.12 true
ends boot-options 125 'lab: error: KVM_OPTIONS, KVM_VENDOR_OPTIONS: blanks part them, not commas' env LAB="$lab" \
	KVM_OPTIONS=a=1,b=2 $boot 6.12 true
printf '#!/bin/sh\necho "# intack: rule=rearm"; echo "KTAP version 1"; echo 1..1; exit 1\n' >"$dir/ends"
chmod +x "$dir/ends"
ends boot-no-folder 125 "lab: error: OUT=$lab/root/.stamp: cannot be made" env LAB="$lab" LAB_QEMU="$dir/ends" \
	OUT="$lab/root/.stamp" $boot 6.12 true
ends lab-no-part 2 'lab: error: nope: the lab has no such part; it has: root kernel-6.1 *' env LAB="$lab" LAB_PARTS='root nope' \
	tests/lab/lab.sh
ends lab-no-word 2 'lab: error: nope: no such word; there is: can' tests/lab/lab.sh nope

# --- emulators that are none ------------------------------------------------------------------------------------------------------
printf '#!/bin/sh\nexec sleep 60\n' >"$dir/hangs"
printf '#!/bin/sh\necho "KTAP version 1"; echo "# Totals: pass:0 fail:1 xfail:0 skip:0 error:0"; exit 3\n' >"$dir/fails"
chmod +x "$dir/hangs" "$dir/fails"
expect emulator-ends 2 "$error no totals (the emulator's exit status 1); *" QEMU="$dir/ends"
expect emulator-hangs 3 "$error deadline of 1 s: the emulator was killed; *" QEMU="$dir/hangs" TIMEOUT=1
ends lab-ends 125 "lab: error: the lab broke (QEMU's exit status 1); its console is $dir/out/.console: *" env LAB="$lab" \
	OUT="$dir/out" LAB_QEMU="$dir/ends" $boot 6.12 true
ends lab-hangs 124 'lab: error: deadline of 1 s: the lab was killed; *' env LAB="$lab" OUT="$dir/out" TIMEOUT=1 \
	LAB_QEMU="$dir/hangs" $boot 6.12 true
expect lab-breaks 2 "$error the lab broke (QEMU's exit status 1); *" L0=nested-kvm LAB="$lab" \
	LAB_QEMU="$dir/ends"
expect a-scenario-fails 1 '# Totals: pass:0 fail:1 *' QEMU="$dir/fails"

# --- guests ---------------------------------------------------------------------------------------------------------------------
hostile=$O/hostile
expect guest-succeeds 0 'a line from the guest' GUEST="$hostile/prints-and-exits.elf"
expect guest-fails 1 '# intack: guest exit status 7' GUEST="$hostile/exit-status-7.elf"
expect guest-faults 1 '# intack: triple fault at rip=0x*' GUEST="$hostile/triple-fault.elf"
expect guest-faults-in-its-report 1 '# intack: triple fault at rip=0x*' GUEST="$hostile/ktap-cut.elf"
also guest-faults-in-its-report '# Totals: pass:1 fail:0 xfail:0 skip:0 error:1' # the half line is no result
expect guest-spins 3 '# intack: deadline of the run passed, *IF=0' GUEST="$hostile/cli-spin.elf" TIMEOUT=32
expect guest-is-none 2 "$error Intack could not run the guest; *" GUEST=README.md
also guest-is-none '# intack: error: guest=/intack/guest.elf: not an ELF file'

printf 'first module' >"$dir/one"
printf 'second module' >"$dir/two"
expect foreign 0 'foreign: done' GUEST="$O/foreign.elf" MEM=8 CMDLINE='a "b"  c=d' MODULE="$dir/one its args; $dir/two"
also foreign "foreign: cmdline 'a \"b\"  c=d'" 'foreign: memory 0x00000000 length 0x0009fc00 available' \
	'foreign: memory 0x0009fc00 length 0x00060400 reserved' 'foreign: memory 0x00100000 length 0x00700000 available' \
	"foreign: module 'its args': first module" "foreign: module '': second module" '# intack: guest exit status 0'
expect testdev 0 '# intack: guest exit status 0' GUEST="$hostile/testdev.elf" TESTDEV=on

# --- the suite ------------------------------------------------------------------------------------------------------------------
expect one-scenario 0 '# Totals: pass:1 fail:0 xfail:0 skip:0 error:0' ONLY=windows.raise-if1 SEED=7 TRACE=on
also one-scenario '# intack: rule=rearm irqchip=split vid=off cpu=svm l0=tcg-svm-* mem=64 seed=7 *'
run=$O/run/tcg-svm-rearm-split
for f in report.ktap trace.txt; do
	if [ -s "$run/$f" ]; then
		echo "ok $f: $(wc -l <"$run/$f") lines"
	else
		echo "not ok $f: $run/$f is missing"
		failed=$((failed + 1))
	fi
done
expect expected-failure 0 '# Totals: pass:0 fail:0 xfail:1 skip:0 error:0' RULE=boundary ONLY=rule.aeoi-back-to-back
expect no-scenario 2 "$error ONLY=nothing: no scenario ran" ONLY=nothing
((failed == 0))
