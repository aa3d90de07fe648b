#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Proves that Intack is a well-behaved UEFI application: started many times from the firmware's shell, with good words and
# with bad ones, with files that are no guests, on machines that are too small or have no SVM, it prints one line that
# names what is wrong, returns the right status, gives all memory back and leaves the firmware at work.
# Takes O, QEMU, OVMF_CODE and OVMF_VARS from the environment. Exit status: 0 all ok, 1 not, 2 the test bench itself.
set -uo pipefail
L0=tcg-svm
# shellcheck source=tests/run/shell.sh
. "$(dirname "$0")/shell.sh"

one="only=windows.raise-if1"
passes='# Totals: pass:1 fail:0 xfail:0 skip:0 error:0'
config_file='\intack\intack.cfg'

# Each: NAME|STATUS|what stands behind `intack.efi`|the whole line that the screen must show, where * is anything
good_cases=(
	"one-scenario|$success|$one|$passes"
	"options-over-file|$success|$one seed=0x10|# intack: rule=rearm * l0=shell mem=8 seed=16 *"
	"file-is-read|$success|$one|# intack: rule=rearm * l0=shell mem=8 seed=99 *"
	"rule|$success|$one rule=stash|# intack: rule=stash irqchip=split *"
	"irqchip|$success|$one irqchip=user|# intack: rule=rearm irqchip=user *"
	"trace|$success|$one trace|$passes"
	"least-memory|$success|$one mem=4|$passes"
)
must='bad value, must be'
word_cases=(
	"unknown-option|$invalid_parameter|frobnicate|load options: unknown word frobnicate"
	"unknown-option-with-value|$invalid_parameter|frob=1|load options: unknown word frob=1"
	"value-for-a-flag|$invalid_parameter|trace=on|load options: unknown word trace=on"
	"no-value|$invalid_parameter|rule|load options: unknown word rule"
	"bad-rule|$invalid_parameter|rule=fast|load options: rule=fast: $must legacy, stash, boundary or rearm"
	"bad-irqchip|$invalid_parameter|irqchip=on|load options: irqchip=on: $must split or user"
	"bad-vid|$invalid_parameter|vid=yes|load options: vid=yes: $must on or off"
	"bad-mem|$invalid_parameter|mem=3|load options: mem=3: $must a number from 4 to 3072"
	"bad-timeout|$invalid_parameter|timeout=0|load options: timeout=0: $must a number from 1 to 86400"
	"bad-seed|$invalid_parameter|seed=x|load options: seed=x: $must a number of at most 64 bits"
	"open-quote|$invalid_parameter|cmdline='a b|load options: no closing ' in cmdline='a b"
	"vid-without-hardware|$unsupported|$one vid=on|vid=on: SVM here has no virtual-interrupt delivery"
)
guest_cases=(
	"missing-guest|$not_found|guest=/nope.elf|guest=/nope.elf: no such file on the volume"
	"missing-module|$not_found|module='/nope x y'|module=/nope: no such file on the volume"
	"guest-is-a-folder|$device_error|guest=/intack|guest=/intack: cannot be read"
	"guest-is-a-text|$load_error|guest=/startup.nsh|guest=/startup.nsh: not an ELF file"
	"guest-is-empty|$load_error|guest=/empty|guest=/empty: not an ELF file"
	"guest-without-header|$load_error|guest=/headless.elf|guest=/headless.elf: no multiboot header in the first 8192 bytes"
	"guest-of-64-bits|$load_error|guest=/long.elf|guest=/long.elf: a 64-bit ELF file: Multiboot takes 32-bit ones (objcopy -O elf32-i386)"
	"guest-is-no-ELF|$load_error|guest=/notelf|guest=/notelf: not an ELF file"
	"guest-truncated|$load_error|guest=/cut.elf|guest=/cut.elf: truncated: segment 1 needs * bytes at 0x2000, the file has 8193"
	"guest-too-large|$out_of_resources|guest=/large.elf|guest=/large.elf: does not fit: segment 0 needs 268435456 bytes of memory at 0x100000, the guest has 8388608"
	"module-too-large|$out_of_resources|mem=4 guest=/ok.elf module=/5m|guest=/ok.elf: does not fit: module 0 needs 5242880 bytes of memory at 0x*, the guest has 4194304"
	"mem-beyond-the-machine|$out_of_resources|mem=3072|out of memory: mem=3072: the firmware has no 3072 MiB in one piece"
)
# Each: NAME|STATUS|file that takes the place of intack.cfg|the line
file_cases=(
	"file-unknown-word|$invalid_parameter|unknown.cfg|$config_file: unknown word frobnicate"
	"file-bad-value|$invalid_parameter|value.cfg|$config_file: mem=0x: $must a number from 4 to 3072"
	"file-is-binary|$invalid_parameter|empty.elf|$config_file: cannot be read as text"
	"file-too-long|$out_of_resources|long.cfg|$config_file: too long"
)

# Bytes of the ELF's first program header: the size in memory, which becomes 256 MiB.
memsz_at=72
make_files() {
	local good=$O/hostile/prints-and-exits.elf

	for f in "$good" "$O/guest/guest64.elf"; do
		[ -r "$f" ] || bench "$f is not built"
	done
	cp "$good" "$dir/ok.elf"
	head -c 8193 "$good" >"$dir/cut.elf"
	cp "$good" "$dir/large.elf"
	printf '\x00\x00\x00\x10' | dd of="$dir/large.elf" bs=1 seek=$memsz_at conv=notrunc status=none
	LC_ALL=C sed 's/\x02\xb0\xad\x1b/\x03\xb0\xad\x1b/' "$good" >"$dir/headless.elf"
	LC_ALL=C sed '1s/^.ELF/text/' "$good" >"$dir/notelf"
	cp "$O/guest/guest64.elf" "$dir/long.elf"
	: >"$dir/empty"
	head -c 5242880 /dev/zero >"$dir/5m"
	echo frobnicate >"$dir/unknown.cfg"
	echo 'seed=1 mem=0x' >"$dir/value.cfg"
	printf '\177ELF\377\001' >"$dir/empty.elf"
	head -c 9000 /dev/zero | tr '\0' '#' >"$dir/long.cfg"
	printf '# seed=99 from the file, unless the options say otherwise\r\nl0=shell mem=8 seed=99 timeout=60\r\n' >"$dir/intack.cfg"
	cp "$dir/intack.cfg" "$dir/good.cfg"
	files=()
	for f in ok.elf cut.elf large.elf headless.elf notelf long.elf empty 5m unknown.cfg value.cfg empty.elf long.cfg \
		good.cfg; do
		files+=("$dir/$f=$f")
	done
}

# --- one boot for all that does not need a machine of its own --------------------------------------------------------------
shell_begin bad-input
make_files
# Twice the same, and the firmware has as much memory as before. The first time it keeps some itself.
all_sorts=("intack.efi $one trace" "intack.efi frobnicate" "intack.efi guest=/nope" "intack.efi guest=/large.elf module=/5m"
	"intack.efi vid=on" "intack.efi mem=3072")
shell_command warm-up "${all_sorts[@]}"
shell_command memory-before memmap
shell_command all-sorts-before 'preset.efi show'
shell_command all-sorts "${all_sorts[@]}"
shell_command memory memmap
shell_command all-sorts-after 'preset.efi show'
for c in "${good_cases[@]}" "${word_cases[@]}" "${guest_cases[@]}"; do
	IFS='|' read -r name _ words _ <<<"$c"
	shell_command "$name" "intack.efi $words"
done
for c in "${file_cases[@]}"; do
	IFS='|' read -r name _ file _ <<<"$c"
	shell_command "$name" "cp -q $file $config_file" "intack.efi $one"
done
shell_command name-without-suffix "cp -q good.cfg $config_file" "intack $one"
shell_command path "fs0:\\intack.efi $one"
shell_command firmware-ls 'ls intack.efi'
shell_boot "${files[@]}"

for c in "${good_cases[@]}"; do
	IFS='|' read -r name status _ text <<<"$c"
	check_case "$name" "$status" "$text"
done
for c in "${word_cases[@]}" "${guest_cases[@]}" "${file_cases[@]}"; do
	IFS='|' read -r name status _ text <<<"$c"
	check_case "$name" "$status" "$(error_pattern "$text")"
done
check_case name-without-suffix "$success" "$passes"
check_case path "$success" "$passes"
check_case firmware-ls "$success" '*File(s)*bytes*'
free=$(shell_pages memory)
check memory-given-back "$free pages free, before $(shell_pages memory-before)" \
	[ "$free" -gt 0 -a "$free" = "$(shell_pages memory-before)" ]
check_state all-sorts
mcopy -n -i "$dir/disk.img@@1M" ::/intack/report.ktap ::/intack/trace.txt "$dir" 2>/dev/null
check report-on-the-volume "$(tail -n 1 "$dir/report.ktap" 2>&1)" grep -qsx "$passes" "$dir/report.ktap"
check trace-on-the-volume "$(grep -m1 kvm_entry "$dir/trace.txt" 2>&1)" grep -qs 'kvm_entry: rip=0x' "$dir/trace.txt"

# --- machines that cannot run Intack -----------------------------------------------------------------------------------------
# machine NAME STATUS WORDS PATTERN EMULATOR-WORDS...
machine() {
	shell_begin "bad-input-$1"
	shell_command "$1-before" 'preset.efi show'
	shell_command "$1" "intack.efi $3"
	shell_command "$1-after" 'preset.efi show'
	shell_command "$1-then-ls" 'ls intack.efi'
	shell_command "$1-again" "intack.efi frobnicate"
	more=("${@:5}")
	shell_boot
	check_case "$1" "$2" "$(error_pattern "$4")"
	check_case "$1-then-ls" "$success" '*File(s)*bytes*'
	check_state "$1"
	check_case "$1-again" "$invalid_parameter" "$(error_pattern 'load options: unknown word frobnicate')"
}

machine no-svm "$unsupported" "$one" 'this CPU has no SVM (CPUID Fn8000_0001 ECX.SVM = 0)' -cpu qemu64,-svm
machine no-svm-and-no-vmx "$unsupported" "$one" \
	'this CPU has neither VMX (CPUID.1:ECX.VMX = 0) nor SVM (CPUID Fn8000_0001 ECX.SVM = 0)' \
	-cpu qemu64,-svm,vendor=GenuineIntel
machine no-nested-paging "$unsupported" "$one" 'this CPU has no nested paging (CPUID Fn8000_000A EDX.NP = 0)' \
	-cpu qemu64,+svm,-npt
machine too-little-memory "$out_of_resources" "$one" 'out of memory: mem=64: the firmware has no 64 MiB in one piece' -m 96

# No firmware of QEMU disables SVM. In this copy of Intack the number of VM_CR is that of the microcode's revision, which QEMU
# lets one choose: here SVMDIS.
efi=$O/run/bad-input/vm-cr.efi
LC_ALL=C sed 's/\xb9\x14\x01\x01\xc0/\xb9\x8b\x00\x00\x00/g' "$O/intack.efi" >"$efi"
machine svm-disabled "$unsupported" "$one" \
	"SVM is disabled and locked by firmware (VM_CR.SVMDIS = 1): enable it in the firmware's set-up" -cpu max,ucode-rev=0x10
((failed == 0))
