#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Boots Intack once on the platform L0 and prints what it reports, ending with `# Totals: ...`.
# Takes its words from the environment: L0 RULE IRQCHIP VID ONLY GUEST CMDLINE MODULE SEED TIMEOUT TRACE TESTDEV MEM, and
# what the platform takes: QEMU OVMF_CODE OVMF_VARS, or BOCHS BOCHS_CPU OVMF, or LAB LAB_KERNEL KERNEL_IRQCHIP MODULES. NAME
# names the folder of this run under $O/run. Several modules are parted by ';'.
# The platforms kvm-* and bare-* run the guest without Intack: kvm.sh and bare.sh do that.
# Exit status: 0 as expected, 1 failures, 2 the test bench itself, 3 deadline.
set -uo pipefail
here=$(dirname "$0")
O=${O:-build}

# shellcheck source=tests/run/report.sh
. "$here/report.sh"

# --- the words -----------------------------------------------------------------------------------------------------------
quoted() { # VARIABLE: its value in quotes that it does not hold itself
	[[ ${!1} != *$'\n'* ]] || bench "$1: must be one line"
	if [[ ${!1} != *\'* ]]; then
		quoted="'${!1}'"
	elif [[ ${!1} != *\"* ]]; then
		quoted="\"${!1}\""
	else
		bench "$1=${!1}: holds both kinds of quotes"
	fi
}

L0=${L0:-tcg-svm}
platforms=("$here"/l0/*.sh)
platforms=("${platforms[@]##*/}")
# The guest without Intack.
[[ $L0 != kvm-* ]] || exec "$here/kvm.sh"
[[ $L0 != bare-* ]] || exec "$here/bare.sh"
one_of L0 "${platforms[@]%.sh}" kvm-amd-{6.1,6.12,current} kvm-intel kvm-host bare-{qemu,bochs}
RULE=${RULE:-rearm}
one_of RULE legacy stash boundary rearm
common_words
run_folder "$L0-$RULE-$IRQCHIP${VID:+-vid_$VID}${GUEST:+-$(basename "$GUEST")}"
[ -r "$O/intack.efi" ] || bench "$O/intack.efi is not built"
image=$dir/disk.img mem=$MEM seconds=$TIMEOUT

# What is wrong with an emulated CPU may be right in the next version: the guest hears of it.
version=
if [ "$L0" = tcg-svm ] && [[ $("${QEMU:-qemu-system-x86_64}" --version 2>&1) =~ emulator\ version\ ([0-9.]+) ]]; then
	version=-${BASH_REMATCH[1]}
fi
# Intack's own deadline comes first: its verdict says more than a killed emulator does.
words="poweroff l0=$L0$version rule=$RULE irqchip=$IRQCHIP mem=$MEM timeout=$((TIMEOUT > 30 ? TIMEOUT - 15 : (TIMEOUT + 1) / 2))"
[ -z "$VID" ] || words+=" vid=$VID"
[[ $TRACE != on && $TRACE != 1 ]] || words+=" trace"
[ "$TESTDEV" = off ] || words+=" testdev"
[ -z "$SEED" ] || words+=" seed=$SEED"
quoted ONLY
[ -z "$ONLY" ] || words+=" only=$quoted"
quoted CMDLINE
[ -z "$CMDLINE" ] || words+=" cmdline=$quoted"

files=()
if [ -n "$GUEST" ]; then
	words+=" guest=/intack/guest.elf"
	files+=("$GUEST=intack/guest.elf")
fi
IFS=';' read -r -a modules <<<"$MODULE"
for i in "${!modules[@]}"; do
	read -r path args <<<"${modules[i]}"
	[[ -f $path && -r $path ]] || bench "MODULE=$path: no such file"
	# shellcheck disable=SC2034 # by name
	value="/intack/module$i${args:+ $args}"
	quoted value
	words+=" module=$quoted"
	files+=("$path=intack/module$i")
done
printf '%s\n' "$words" >"$dir/intack.cfg"

# --- the emulator --------------------------------------------------------------------------------------------------------
# shellcheck source=tests/run/l0/tcg-svm.sh
. "$here/l0/$L0.sh"
"$here/mkimage.sh" "$image" "$O/intack.efi" "$dir/intack.cfg" "${files[@]}" 2>"$dir/mkimage.log" ||
	bench "the disk image cannot be made: see $dir/mkimage.log"

pid=
# shellcheck disable=SC2317 # by trap
stop() {
	[ -z "$pid" ] || kill -HUP "$pid" 2>/dev/null
}
trap stop EXIT
trap 'exit 2' INT TERM HUP

mkfifo "$dir/serial" || bench "$dir/serial: cannot be made"
# timeout passes HUP on, and kills what does not listen to it. Bochs listens to no other signal.
timeout -s HUP -k 3 "$seconds" "${emulator[@]}" </dev/null >"$dir/serial" 2>"$dir/emulator.log" &
pid=$!

# --- the report ----------------------------------------------------------------------------------------------------------
# The firmware writes to the same port: strip its escape sequences. Line by line: tr would hold some back.
esc=$'\e'
relay < <(tee "$dir/serial.log" <"$dir/serial" | sed -u -e 's/[\r\x00]//g' -e "s/$esc\\[[0-9;=?]*[A-Za-z]//g")
wait "$pid"
status=$?
pid=
said=$(emulator_said "$status")
mcopy -n -i "$image@@1M" ::/intack/report.ktap ::/intack/trace.txt "$dir" 2>/dev/null

# --- the verdict ---------------------------------------------------------------------------------------------------------
why=$(tail -n 1 "$dir/emulator.log")
[ "$status" != 125 ] || bench "${why#lab: error: }" # it did not come as far as an emulator
conclude "$status" "$said" emulator "$dir/serial.log"
