#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Proves that Intack is a well-behaved UEFI application: started many times from the firmware's shell, with good options
# and bad ones, it returns the right status each time, leaves its report behind and the firmware at work.
# Takes O, QEMU, OVMF_CODE and OVMF_VARS from the environment. Ends with `N passed, N failed, N skipped`.
set -uo pipefail
here=$(dirname "$0")
O=${O:-build}
dir=$O/run/shell image=$O/run/shell/disk.img mem=64 seconds=${TIMEOUT:-240}

bench() {
	echo "shell_test: error: $*" >&2
	exit 2
}

# EFI status codes, without their error bit, as the shell shows them.
success=0x0 load_error=0x1 invalid_parameter=0x2 out_of_resources=0x9 not_found=0xE

# NAME|STATUS|command line|text that the screen must show
quick="only=windows.raise-if1"
cases=(
	"one scenario|$success|intack.efi $quick|# Totals: pass:1 fail:0"
	"name without suffix|$success|intack $quick rule=stash|rule=stash"
	"path|$success|fs0:\\intack.efi $quick irqchip=user|irqchip=user"
	"options over file|$success|intack.efi $quick seed=0x10|seed=16"
	"unknown word|$invalid_parameter|intack.efi frobnicate|error: load options: unknown word frobnicate"
	"bad value|$invalid_parameter|intack.efi rule=fast|error: load options: rule=fast: bad value"
	"open quote|$invalid_parameter|intack.efi cmdline='a b|error: load options: no closing '"
	"no guest|$not_found|intack.efi guest=/nope.elf|error: guest=/nope.elf: no such file"
	"no module|$not_found|intack.efi module='x y'|error: module=x: no such file"
	"not a guest|$load_error|intack.efi guest=/startup.nsh|error: guest=/startup.nsh"
	"no memory|$out_of_resources|intack.efi mem=3072|error: out of memory: mem=3072"
	"trace|$success|intack.efi $quick trace|# Totals: pass:1"
	"after all that|$success|intack.efi $quick|# Totals: pass:1 fail:0"
)

mkdir -p "$dir" || bench "$dir: cannot be made"
rm -f "$dir"/*
# shellcheck source=tests/run/l0/tcg-svm.sh
. "$here/l0/tcg-svm.sh"

script() {
	local c name command
	printf '@echo -off\nfs0:\necho "BEGIN memory before"\nmemmap\necho "STATUS 0x0"\n'
	for c in "${cases[@]}"; do
		IFS='|' read -r name _ command _ <<<"$c"
		printf 'echo "BEGIN %s"\n%s\necho "STATUS %%lasterror%%"\n' "$name" "$command"
	done
	printf 'echo "BEGIN memory"\nmemmap\necho "STATUS 0x0"\nreset -s\n'
}
script | sed 's/$/\r/' >"$dir/startup.nsh"
echo '# seed=99 from the file, unless the options say otherwise
l0=shell seed=99 timeout=60' >"$dir/intack.cfg"
BOOT=no "$here/mkimage.sh" "$image" "$O/intack.efi" "$dir/intack.cfg" "$dir/startup.nsh=startup.nsh" ||
	bench "the disk image cannot be made"
timeout -k 3 "$seconds" "${emulator[@]}" </dev/null >"$dir/serial.log" 2>"$dir/emulator.log"
esc=$'\e'
sed -e "s/$esc\\[[0-9;=?]*[A-Za-z]//g" -e 's/\r//g' "$dir/serial.log" >"$dir/screen.log"

passed=0 failed=0
check() { # NAME CONDITION...
	if "${@:2}"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "not ok: $1: see $dir/screen.log"
	fi
}
section() { sed -n "/^BEGIN $1\$/,/^STATUS /p" "$dir/screen.log"; }
free_pages() { section "$1" | awk '/ Available : / { gsub(",", ""); n = $3 } END { print n + 0 }'; }
has() { grep -qF -- "$2" <<<"$1"; }

for c in "${cases[@]}"; do
	IFS='|' read -r name status _ text <<<"$c"
	section=$(section "$name")
	check "$name: status $status" grep -qx "STATUS $status" <<<"$section"
	check "$name: $text" has "$section" "$text"
done
check "the firmware goes on" has "$(section 'memory')" "STATUS 0x0"
# The shell keeps a few pages of its own; one run of ours takes tens of thousands.
lost=$(($(free_pages 'memory before') - $(free_pages 'memory')))
check "all memory is given back, lost $lost pages" [ "$lost" -lt 256 ]
mcopy -n -i "$image@@1M" ::/intack/report.ktap ::/intack/trace.txt "$dir" 2>/dev/null
check "file is read" has "$(section 'one scenario')" "l0=shell mem=64 seed=99"
check "report is on the volume" grep -qs '^# Totals: pass:1 fail:0' "$dir/report.ktap"
check "trace is on the volume" grep -qs 'kvm_entry: rip=0x' "$dir/trace.txt"
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
