#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Boots once and runs every guest of guest/hostile, one after the other: each must get the verdict that its source promises,
# and leave Intack and the firmware alive for the next. Afterwards our own must still pass.
# Takes O, QEMU, OVMF_CODE and OVMF_VARS from the environment. Exit status: 0 all ok, 1 not, 2 the test bench itself.
set -uo pipefail
# shellcheck source=tests/run/shell.sh
. "$(dirname "$0")/shell.sh"
source_dir=guest/hostile
good='intack.efi only=windows.raise-if1'

# What the head of a source says behind a word.
promise() { # SOURCE WORD
	sed -n "s,^ \\* $2: ,,p" "$1" | sed 's, *\*/$,,'
}

shell_begin hostile
files=() names=()
shell_command memory-before memmap
for source in "$source_dir"/*.S; do
	name=$(basename "$source" .S)
	[ -r "$O/hostile/$name.elf" ] || bench "$O/hostile/$name.elf is not built"
	names+=("$name")
	files+=("$O/hostile/$name.elf=$name.elf")
	seconds=60
	[ "$(promise "$source" Timeout)" != short ] || seconds=2
	shell_command "$name" "intack.efi guest=/$name.elf mem=8 timeout=$seconds"
done
shell_command good "$good"
shell_command memory memmap
shell_boot "${files[@]}"

# What a verdict makes of the EFI status.
status_of() {
	case $1 in
	'guest exit status 0') echo 0x0 ;;
	'deadline of the run passed') echo 0x12 ;;
	*) echo 0x15 ;;
	esac
}

# The first of the promised verdicts that a line of Intack's own holds: sets verdict and line.
find_verdict() { # SCREEN SOURCE
	while IFS= read -r verdict; do
		line=$(grep '^# intack: ' <<<"$1" | grep -m1 -F -- "$verdict") && return
	done < <(promise "$2" Verdict)
	return 1
}

for name in "${names[@]}"; do
	screen=$(shell_screen "$name")
	status=$(shell_status "$name")
	if [ -z "$status" ]; then
		not_ok "$name" "it never ended"
	elif ! find_verdict "$screen" "$source_dir/$name.S"; then
		not_ok "$name" "not the verdict that it must get but status $status, $(grep '^# intack: ' <<<"$screen" | tail -n 1)"
	elif [ "$status" != "$(status_of "$verdict")" ]; then
		not_ok "$name" "$line, but with EFI status $status"
	else
		ok "$name" "$line"
	fi
done

totals=$(shell_screen good | grep -m1 '^# Totals: ')
if [[ $(shell_status good) = 0x0 && $totals = '# Totals: pass:1 fail:0 '* ]]; then
	ok good-guest-afterwards "$totals"
else
	not_ok good-guest-afterwards "${totals:-no totals}"
fi
lost=$(($(shell_pages memory-before) - $(shell_pages memory)))
if [ "$(shell_pages memory)" -gt 0 ] && ((lost < 256)); then
	ok firmware-afterwards "memmap works, $lost pages of $(shell_pages memory-before) are missing"
else
	not_ok firmware-afterwards "$lost pages are missing"
fi
((failed == 0))
