# SPDX-License-Identifier: BSD-2-Clause
# Boots the firmware's shell and has it run one command after the other. Sourced by tests; they print one line
# `ok NAME: ...` or `not ok NAME: ...` for each thing that they have looked at.
# shellcheck shell=bash
# Takes O, L0 and what the platform takes from the environment. The one who sources it calls:
#   shell_begin FOLDER            a new list of commands; what comes of it is kept in $O/run/FOLDER
#   shell_command NAME COMMAND... COMMANDs, one line each, whose screen is to be called NAME
#   shell_boot [FILE=PATH]...     boots with these files on the volume, and runs the list. more=() are words
#                                 for the emulator, efi is the application; preset.efi (tests/efi) is beside it
#   shell_screen NAME             what the screen showed
#   shell_status NAME             the status that the last of the COMMANDs left behind
#   check*                        look at that, and print the lines

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 2
here=tests/run
O=${O:-build}
L0=${L0:-tcg-svm}
script=${0##*/} efi=$O/intack.efi
failed=0 more=()

bench() {
	echo "${script%.sh}: error: $*" >&2
	exit 2
}

ok() { # NAME WHAT
	echo "ok $1: $2"
}

not_ok() { # NAME WHY
	echo "not ok $1: $2; see $dir/screen.log"
	failed=$((failed + 1))
}

# For those who source it: the codes of the UEFI Specification without their error bit, as the shell shows them.
# shellcheck disable=SC2034
{
	success=0x0 load_error=0x1 invalid_parameter=0x2 unsupported=0x3 device_error=0x7 out_of_resources=0x9 not_found=0xE
	access_denied=0xF
}
declare -A efi_name=([0x0]=EFI_SUCCESS [0x1]=EFI_LOAD_ERROR [0x2]=EFI_INVALID_PARAMETER [0x3]=EFI_UNSUPPORTED
	[0x7]=EFI_DEVICE_ERROR [0x9]=EFI_OUT_OF_RESOURCES [0xE]=EFI_NOT_FOUND [0xF]=EFI_ACCESS_DENIED [0x12]=EFI_TIMEOUT
	[0x15]=EFI_ABORTED)

shell_begin() {
	local f
	for f in "$O/intack.efi" "$O/preset.efi"; do
		[ -r "$f" ] || bench "$f is not built"
	done
	[ -r "$here/l0/$L0.sh" ] || bench "L0=$L0: no such platform"
	dir=$O/run/$1
	mkdir -p "$dir" || bench "$dir: cannot be made"
	rm -f "$dir"/*
	: >"$dir/intack.cfg"
	printf '@echo -off\r\nfs0:\r\n' >"$dir/startup.nsh"
}

shell_command() {
	local name=$1 command
	shift
	{
		printf 'echo "BEGIN %s"\r\n' "$name"
		for command; do
			printf '%s\r\n' "$command"
		done
		printf 'echo "STATUS %%lasterror%%"\r\n'
	} >>"$dir/startup.nsh"
}

# The shell counts five seconds down before it starts the script, unless a key is pressed. Nobody reads the keys that come
# later.
keys() {
	while sleep 0.5 && printf ' '; do :; done 2>/dev/null
}

shell_boot() {
	local image=$dir/disk.img mem=64 seconds=${TIMEOUT:-300} esc=$'\e'

	# The firmware's own `reset -s` hangs on Bochs.
	printf 'preset.efi off\r\n' >>"$dir/startup.nsh"
	# shellcheck source=tests/run/l0/tcg-svm.sh
	. "$here/l0/$L0.sh"
	BOOT=no "$here/mkimage.sh" "$image" "$efi" "$dir/intack.cfg" "$dir/startup.nsh=startup.nsh" \
		"$O/preset.efi=preset.efi" "$@" || bench "the disk image cannot be made"
	# Bochs listens to no other signal.
	keys | timeout -s HUP -k 3 "$seconds" "${emulator[@]}" "${more[@]}" >"$dir/serial.log" 2>"$dir/emulator.log"
	sed -e "s/$esc\\[[0-9;=?]*[A-Za-z]//g" -e 's/\r//g' "$dir/serial.log" | tr -d '\000' >"$dir/screen.log"
}

shell_screen() {
	sed -n "/^BEGIN $1\$/,/^STATUS /p" "$dir/screen.log" | sed '1d;$d'
}

shell_status() {
	sed -n "/^BEGIN $1\$/,/^STATUS /p" "$dir/screen.log" | sed -n 's/^STATUS //p'
}

# The shell keeps a few pages of its own; one run of ours takes tens of thousands.
shell_pages() { # NAME of a memmap
	shell_screen "$1" | awk '/ Available : / { gsub(",", ""); n = $3 } END { print n + 0 }'
}

# Is there a line like this on the screen? Sets line.
find_line() { # SCREEN PATTERN
	local pattern=${2//\\/\\\\}
	while IFS= read -r line; do
		# shellcheck disable=SC2053 # a pattern is wanted
		[[ $line != $pattern ]] || return 0
	done <<<"$1"
	return 1
}

check_case() { # NAME STATUS PATTERN
	local screen status line
	screen=$(shell_screen "$1")
	status=$(shell_status "$1")
	if [ -z "$status" ]; then
		not_ok "$1" "the firmware did not come back"
	elif ! find_line "$screen" "$3"; then
		not_ok "$1" "status $status, but no line: $3"
	elif [ "$status" != "$2" ]; then
		not_ok "$1" "$line, but status $status instead of $2"
	else
		ok "$1" "$line [$status ${efi_name[$2]}]"
	fi
}

check() { # NAME WHAT CONDITION...
	if "${@:3}"; then
		ok "$1" "$2"
	else
		not_ok "$1" "$2"
	fi
}

error_pattern() { # TEXT
	echo "# intack: error: $1"
}

# Did the machine look the same before and after? But for the one line that had to change.
check_state() { # NAME [LINE CHANGED], of two `preset.efi show`: NAME-before and NAME-after
	local before after
	before=$(shell_screen "$1-before")
	after=$(shell_screen "$1-after")
	if [[ $before != *cr4=* || $after != *cr4=* ]]; then
		not_ok "$1-state" "preset.efi shows nothing"
		return
	fi
	[ $# = 1 ] || before=${before/$'\n'"$2"$'\n'/$'\n'"$3"$'\n'}
	if [ "$before" != "$after" ]; then
		not_ok "$1-state" "changed: $(diff <(echo "$before") <(echo "$after") | grep '^[<>]' | tr '\n' ' ')"
	else
		ok "$1-state" "$(wc -l <<<"$after") registers as before${3:+, but for $3}"
	fi
}
