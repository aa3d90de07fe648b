#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Boots Intack once on the platform L0 and prints what it reports, ending with `# Totals: ...`.
# Takes its words from the environment: L0 RULE IRQCHIP VID ONLY GUEST CMDLINE MODULE SEED TIMEOUT TRACE MEM, and
# what the platform takes: QEMU OVMF_CODE OVMF_VARS, or BOCHS BOCHS_CPU OVMF. NAME names the folder of this run under
# $O/run. Several modules are parted by ';'.
# Exit status: 0 as expected, 1 failures, 2 the test bench itself, 3 deadline.
set -uo pipefail
here=$(dirname "$0")
O=${O:-build}

bench() {
	echo "run: error: $*" >&2
	exit 2
}

# --- the words -----------------------------------------------------------------------------------------------------------
one_of() { # VARIABLE CHOICE...
	local name=$1 choice
	shift
	for choice; do
		[ "${!name}" != "$choice" ] || return 0
	done
	bench "$name=${!name}: must be one of: $*"
}

number() { # VARIABLE MIN MAX
	if ! [[ ${!1} =~ ^(0|[1-9][0-9]{0,9})$ ]] || ((${!1} < $2 || ${!1} > $3)); then
		bench "$1=${!1}: must be a number from $2 to $3"
	fi
}

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

L0=${L0:-tcg-svm} RULE=${RULE:-rearm} IRQCHIP=${IRQCHIP:-split} VID=${VID:-} TIMEOUT=${TIMEOUT:-300} MEM=${MEM:-64}
ONLY=${ONLY:-} GUEST=${GUEST:-} CMDLINE=${CMDLINE:-} MODULE=${MODULE:-} SEED=${SEED:-} TRACE=${TRACE:-off}
platforms=("$here"/l0/*.sh)
platforms=("${platforms[@]##*/}")
one_of L0 "${platforms[@]%.sh}"
one_of RULE legacy stash boundary rearm
one_of IRQCHIP split user
[ -z "$VID" ] || one_of VID on off
one_of TRACE on off 1 0
number TIMEOUT 1 86400
number MEM 4 3072
[[ -z $SEED || $SEED =~ ^(0[xX][0-9a-fA-F]{1,16}|[0-9]{1,19})$ ]] || bench "SEED=$SEED: must be a number"
[[ ! $ONLY =~ [[:space:]\'\"] && ${#ONLY} -lt 128 ]] || bench "ONLY=$ONLY: must be a pattern without blanks and quotes"
[[ -z $GUEST || (-f $GUEST && -r $GUEST) ]] || bench "GUEST=$GUEST: no such file"

NAME=${NAME:-$L0-$RULE-$IRQCHIP${VID:+-vid_$VID}${GUEST:+-$(basename "$GUEST")}}
[[ $NAME =~ ^[A-Za-z0-9._+-]+$ && $NAME != .* ]] || bench "NAME=$NAME: must be the name of a folder"
[ -r "$O/intack.efi" ] || bench "$O/intack.efi is not built"
dir=$O/run/$NAME image=$O/run/$NAME/disk.img mem=$MEM seconds=$TIMEOUT
mkdir -p "$dir" || bench "$dir: cannot be made"
rm -f "$dir"/*

# Intack's own deadline comes first: its verdict says more than a killed emulator does.
words="poweroff l0=$L0 rule=$RULE irqchip=$IRQCHIP mem=$MEM timeout=$((TIMEOUT > 30 ? TIMEOUT - 15 : (TIMEOUT + 1) / 2))"
[ -z "$VID" ] || words+=" vid=$VID"
[[ $TRACE != on && $TRACE != 1 ]] || words+=" trace"
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
# The firmware writes to the same port: strip its escape sequences, and keep what is between our first line and our last.
# Behind that there is one more, for emulators that have no exit status to give.
totals='' guest_status='' started='' ktap='' refused='' last_status=''
relay() {
	local line
	while IFS= read -r line || [ -n "$line" ]; do
		case $line in
		'# intack: status '[0-9])
			# shellcheck disable=SC2034 # the platform reads it
			last_status=${line##* }
			continue
			;;
		esac
		[ -z "$totals" ] || continue
		case $line in
		'# intack: '* | 'KTAP version 1'*) started=1 ;;
		esac
		[ -n "$started" ] || continue
		case $line in
		'KTAP version 1'*) ktap=1 ;;
		'# intack: error: '*) refused=1 ;;
		'# intack: guest exit status '*) guest_status=${line##* } ;;
		'# Totals: '*) totals=$line ;;
		esac
		printf '%s\n' "$line"
	done
}
esc=$'\e'
relay < <(tee "$dir/serial.log" <"$dir/serial" | tr -d '\r\000' | sed -u "s/$esc\\[[0-9;=?]*[A-Za-z]//g")
wait "$pid"
status=$?
pid=
said=$(emulator_said "$status")
mcopy -n -i "$image@@1M" ::/intack/report.ktap ::/intack/trace.txt "$dir" 2>/dev/null

# --- the verdict ---------------------------------------------------------------------------------------------------------
if [ "$status" = 124 ] || [ "$status" = 137 ]; then
	echo "run: error: deadline of $seconds s: the emulator was killed; see $dir/serial.log" >&2
	exit 3
fi
[ "$said" != 3 ] || exit 3
[ -z "$refused" ] || [ -n "$totals" ] || bench "Intack could not run the guest; see above, and $dir"
if [ -n "$GUEST" ] && [ -z "$totals" ] && [ -z "$ktap" ]; then
	[ -n "$guest_status" ] || [ "$said" != 1 ] || exit 1 # Intack has ended it, and has said why
	[ -n "$guest_status" ] || bench "the guest did not end (emulator's exit status $status); see $dir"
	[ "$guest_status" = 0 ]
	exit
fi
[ -n "$totals" ] || bench "no totals (emulator's exit status $status); see $dir"
[[ $totals =~ \ fail:([0-9]+)\ .*\ error:([0-9]+) ]] || bench "totals cannot be read: $totals"
((BASH_REMATCH[1] == 0 && BASH_REMATCH[2] == 0)) || exit 1
[[ $totals =~ [1-9] ]] || bench "${ONLY:+ONLY=$ONLY: }no scenario ran"
exit "${said:-2}"
