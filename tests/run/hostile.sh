#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Boots once and runs every guest of guest/hostile, one after the other: each must get the verdict that its source promises,
# and leave Intack and the firmware alive for the next. Afterwards our own must still pass.
# Takes O, L0, VID and what the platform takes from the environment. ONLY_GUESTS: a pattern over their names.
# Exit status: 0 all ok, 1 not, 2 the test bench itself.
set -uo pipefail
# shellcheck source=tests/run/shell.sh
. "$(dirname "$0")/shell.sh"
source_dir=guest/hostile vid=${VID:+ vid=$VID}
good="intack.efi only=windows.raise-if1$vid"
export TIMEOUT=${TIMEOUT:-900} # of all of them: on Bochs five minutes are too few where others run beside it

# What the head of a source says behind a word; `WORD on PLATFORM` goes before `WORD`.
promise() { # SOURCE WORD
	local head platform text everywhere=
	while IFS= read -r head; do
		text=${head#*: } platform=${head%%: *}
		platform=${platform#"$2"}
		# shellcheck disable=SC2053 # a pattern is wanted
		if [ -z "$platform" ]; then
			everywhere=$text
		elif [[ $L0 == ${platform# on } ]]; then
			echo "$text"
			return
		fi
	done < <(sed -n "s,^ \\* \\($2\\( on [^ ]*\\)\\?: .*\\),\\1,p" "$1" | sed 's, *\*/$,,')
	echo "$everywhere"
}

shell_begin "hostile-$L0${VID:+-vid_$VID}"
files=() names=()
shell_command warm-up "$good" # locks IA32_FEATURE_CONTROL, where there is one
shell_command memory-before memmap
shell_command firmware-before 'preset.efi show'
for source in "$source_dir"/*.S; do
	name=$(basename "$source" .S)
	# shellcheck disable=SC2053 # a pattern is wanted
	[[ $name == ${ONLY_GUESTS:-*} ]] || continue
	why=$(promise "$source" Not)
	[ -z "$why" ] || { echo "skip $name: $why" && continue; }
	[ -r "$O/hostile/$name.elf" ] || bench "$O/hostile/$name.elf is not built"
	names+=("$name")
	files+=("$O/hostile/$name.elf=$name.elf")
	seconds=60
	[ "$(promise "$source" Timeout)" != short ] || seconds=2
	shell_command "$name" "intack.efi guest=/$name.elf mem=8 timeout=$seconds$vid"
done
((${#names[@]})) || bench "ONLY_GUESTS=${ONLY_GUESTS:-}: no such guest"
shell_command good "$good"
shell_command firmware-after 'preset.efi show'
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

for name in "${names[@]}"; do
	screen=$(shell_screen "$name")
	status=$(shell_status "$name")
	verdict=$(promise "$source_dir/$name.S" Verdict)
	if [ -z "$status" ]; then
		not_ok "$name" "it never ended"
	elif ! line=$(grep '^# intack: ' <<<"$screen" | grep -m1 -F -- "$verdict"); then
		not_ok "$name" "not '$verdict' but status $status, $(grep '^# intack: ' <<<"$screen" | tail -n 1)"
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
check_state firmware
((failed == 0))
