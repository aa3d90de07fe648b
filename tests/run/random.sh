#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Boots and runs N random guests (guest/hostile/random), one after the other, each made of SEED and its number alone: each must
# come to a verdict that is the guest's own doing. Behind each hundred and behind the last one scenario of our suite must pass, and
# afterwards the machine and the firmware must be as they were. Where a guest ends the emulator, that is a failure, and the next boot
# goes on behind it.
# Takes O, L0, VID, TRACE and what the platform takes from the environment. ONLY: the number of a single guest. GUESTS: words for the
# guest, such as 'mode=long64 kinds=cr,msr'.
# --check: looks at the words and runs nothing.
# Exit status: 0 all ok, 1 not, 2 the test bench itself.
set -uo pipefail
# shellcheck source=tests/run/shell.sh
. "$(dirname "$0")/shell.sh"
N=${N:-1000} SEED=${SEED:-1} ONLY=${ONLY:-} GUESTS=${GUESTS:-} vid=${VID:+ vid=$VID}
deaths_most=20
for word in N SEED ${ONLY:+ONLY}; do
	[[ ${!word} =~ ^[1-9][0-9]{0,8}$ ]] || bench "$word=${!word}: must be a number from 1 to 999999999"
done
[ "${1:-}" != --check ] || exit 0 # the words alone
[ -r "$O/random.elf" ] || bench "$O/random.elf is not built"

# What the machine below does not survive whoever asks it, by the names that the generator knows: each is a finding (docs/findings.md).
declare -A declared=(
	[tcg-svm]="lock-bit-register,ltr-null,code-l-and-d,watched-stack"
	[bochs-svm]="vm86"
)
good="intack.efi only=windows.raise-if1$vid"
next=${ONLY:-1} last=${ONLY:-$N} pass=0 fail=0 deaths=0
export TIMEOUT=${TIMEOUT:-$((120 + N))}
words="l0=$L0 guest=/random.elf mem=8 seed=$SEED timeout=$TIMEOUT$vid"
words+=" cmdline='avoid=${declared[$L0]:-}${GUESTS:+ $GUESTS}'"
[[ ${TRACE:-off} != on && ${TRACE:-off} != 1 ]] || words+=" trace"

result() { # ok|not ok, NUMBER, TEXT
	echo "$1 $2 $3"
	if [ "$1" = ok ]; then
		pass=$((pass + 1))
	else
		fail=$((fail + 1))
	fi
}

# One boot, from guest `next` on. Each line is printed as it is; `next` is then the first guest that has not come to its end.
boot() {
	local line totals=
	shell_begin "random-$L0${VID:+-vid_$VID}"
	shell_command warm-up "$good" # locks IA32_FEATURE_CONTROL, where there is one
	shell_command memory-before memmap
	shell_command firmware-before 'preset.efi show'
	shell_command guests "intack.efi $words first=$next repeat=$last"
	shell_command firmware-after 'preset.efi show'
	shell_command memory memmap
	shell_boot "$O/random.elf=random.elf"
	while [ -z "$totals" ] && IFS= read -r line; do
		case $line in
		'ok '* | 'not ok '*) result "${line%% [0-9]*}" "${line#*ok }" '' ;;
		'# intack: '*) echo "$line" ;;
		'# Totals: '*) totals=$line ;;
		esac
		[[ ! $line =~ ok\ [0-9]+\ guest\.[0-9]+\.([0-9]+)\  ]] || next=$((BASH_REMATCH[1] + 1))
	done < <(sed -n '/^BEGIN guests$/,$p' "$dir/screen.log")
	[ -n "$totals" ]
}

until boot; do
	why=$(tail -n 1 "$dir/emulator.log")
	grep -q '^BEGIN guests$' "$dir/screen.log" || bench "the firmware did not come as far as the guests: $why; see $dir"
	result 'not ok' $((next + (next - 1) / 100)) "guest.$SEED.$next # it ended the machine: ${why:-not a word}"
	deaths=$((deaths + 1)) next=$((next + 1))
	((next <= last && deaths < deaths_most)) || break
done

mcopy -n -i "$dir/disk.img@@1M" ::/intack/report.ktap ::/intack/trace.txt "$dir" 2>/dev/null
if ((next <= last)); then
	not_ok all-guests "guests $next to $last have not run"
fi
lost=$(($(shell_pages memory-before) - $(shell_pages memory)))
if [ "$(shell_pages memory)" -gt 0 ] && ((lost < 256)); then
	ok firmware-afterwards "memmap works, $lost pages of $(shell_pages memory-before) are missing"
else
	not_ok firmware-afterwards "$lost pages are missing"
fi
check_state firmware
echo "# Totals: pass:$pass fail:$fail xfail:0 skip:0 error:$failed"
((fail + failed == 0))
