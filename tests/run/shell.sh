# SPDX-License-Identifier: BSD-2-Clause
# Boots the firmware's shell and has it run one command after the other. Sourced by tests; they print one line
# `ok NAME: ...` or `not ok NAME: ...` for each thing that they have looked at.
# shellcheck shell=bash
# Takes O, QEMU, OVMF_CODE and OVMF_VARS from the environment. The one who sources it calls:
#   shell_begin FOLDER            a new list of commands; what comes of it is kept in $O/run/FOLDER
#   shell_command NAME COMMAND... COMMANDs, one line each, whose screen is to be called NAME
#   shell_boot [FILE=PATH]...     boots with these files on the volume, and runs the list. more=() are words
#                                 for the emulator, efi is the application
#   shell_screen NAME             what the screen showed
#   shell_status NAME             the status that the last of the COMMANDs left behind

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 2
here=tests/run
O=${O:-build}
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
declare -A efi_name=([0x0]=EFI_SUCCESS [0x1]=EFI_LOAD_ERROR [0x2]=EFI_INVALID_PARAMETER [0x3]=EFI_UNSUPPORTED
	[0x7]=EFI_DEVICE_ERROR [0x9]=EFI_OUT_OF_RESOURCES [0xE]=EFI_NOT_FOUND [0x12]=EFI_TIMEOUT [0x15]=EFI_ABORTED)

shell_begin() {
	[ -r "$O/intack.efi" ] || bench "$O/intack.efi is not built"
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

	printf 'reset -s\r\n' >>"$dir/startup.nsh"
	# shellcheck source=tests/run/l0/tcg-svm.sh
	. "$here/l0/tcg-svm.sh"
	BOOT=no "$here/mkimage.sh" "$image" "$efi" "$dir/intack.cfg" "$dir/startup.nsh=startup.nsh" "$@" ||
		bench "the disk image cannot be made"
	keys | timeout -k 3 "$seconds" "${emulator[@]}" "${more[@]}" >"$dir/serial.log" 2>"$dir/emulator.log"
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
