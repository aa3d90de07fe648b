#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Runs the guest and the user half on the vCPU of Linux KVM, without Intack's kernel half, and prints the report as run.sh
# does. L0: kvm-amd-6.1, kvm-amd-6.12 or kvm-amd-current, kvm_amd in the reference lab (`make lab`), where $O/run/NAME is
# /mnt; kvm-intel, kvm_intel of Linux 6.1 in the lab's Bochs; or kvm-host, this machine's own /dev/kvm.
# Takes from the environment: L0 IRQCHIP ONLY GUEST CMDLINE MODULE SEED TIMEOUT TRACE TESTDEV MEM NAME as run.sh does; MODULES, on
# kvm-amd-6.1 and kvm-intel: KVM's modules of the lab in place of the kernel's own, prefix, rearm or today; with them, on
# kvm-intel, VID. KVM's rule is its own: RULE can only say which one it is.
# Exit status: 0 as expected, 1 failures, 2 the test bench itself, 3 deadline.
set -uo pipefail
here=$(dirname "$0")
O=${O:-build}
# shellcheck source=tests/run/report.sh
. "$here/report.sh"

# --- the platforms -------------------------------------------------------------------------------------------------------
# Each sets `command`, which is to run the runner behind it, `folder`, as which it sees that of this run,
# `setup`, the seconds that it may take to get there, and `limit`, behind which it hangs.

# The lab ends by itself: boot.sh has a deadline. It comes up in a few seconds, on a machine that does other things too in more.
lab_seconds=60 lab_memory=1024
lab_platform() { # KERNEL
	export LAB=${LAB:-$O/lab}
	[ -z "$MODULES" ] || [ "$1" = 6.1 ] || bench "MODULES=$MODULES: these are for L0=kvm-amd-6.1 and kvm-intel"
	MODULES=$MODULES "$here/../lab/boot.sh" --check "$1" || exit 2
	folder=/mnt setup=$lab_seconds limit=$((seconds + 10))
	command=(env "OUT=$dir" "MODULES=$MODULES" "TIMEOUT=$seconds" "MEM=$((MEM + lab_memory))" "$here/../lab/boot.sh" "$1" env -C /mnt)
	traced || return 0
	# KVM's tracepoints of the run go beside the runner's own trace.
	take "$here/../lab/kvm_trace.sh" kvm_trace.sh
	command+=(sh ./kvm_trace.sh kvm_trace.txt)
}

# Bochs takes half a minute, and boot-bochs.sh some time to make what it boots. Its memory has no folder for results.
bochs_seconds=90 bochs_memory=448 bochs_most=2048
intel_platform() {
	local mem=$((MEM + bochs_memory)) vid=0
	export LAB=${LAB:-$O/lab}
	[ "$VID" != on ] || vid=1
	((!vid)) || [ -n "$MODULES" ] || bench "VID=on: L0=kvm-intel has it with MODULES=prefix, rearm or today"
	! traced || bench "TRACE=$TRACE: a trace would be lost with L0=kvm-intel"
	((mem <= bochs_most)) || bench "MEM=$MEM: Bochs has room for no more than $((bochs_most - bochs_memory))"
	MODULES=$MODULES MEM=$mem "$here/../lab/boot-bochs.sh" --check 6.1 || exit 2
	folder=/mnt setup=$bochs_seconds limit=$((seconds + 30))
	command=(env "OUT=$dir" "FILES=$dir" "MODULES=$MODULES" "KVM_VENDOR_OPTIONS=enable_apicv=$vid" "TIMEOUT=$seconds"
		"MEM=$mem" "$here/../lab/boot-bochs.sh" 6.1)
}

host_platform() {
	[ -z "$MODULES" ] || bench "MODULES=$MODULES: these are for L0=kvm-amd-6.1 and kvm-intel"
	{ : <>/dev/kvm; } 2>/dev/null ||
		bench "L0=kvm-host: /dev/kvm cannot be opened: this machine has no KVM, or its user may not use it"
	folder=$(realpath "$dir") setup=5 limit=$seconds
	command=(env -C "$folder")
}

traced() {
	[[ $TRACE == on || $TRACE == 1 ]]
}

# The runner finds its files in the folder of the run.
take() { # FILE AS
	cp "$1" "$dir/$2" || bench "$dir/$2: cannot be made"
}

# Which rule it is: that of the modules.
rule_of() { # MODULES
	case $1 in
	prefix) echo legacy ;;
	rearm) echo rearm ;;
	*) echo boundary ;;
	esac
}

# --- the words -----------------------------------------------------------------------------------------------------------
L0=${L0:-kvm-amd-6.12} MODULES=${MODULES:-}
one_of L0 kvm-amd-6.1 kvm-amd-6.12 kvm-amd-current kvm-intel kvm-host
[ -z "$MODULES" ] || one_of MODULES prefix rearm today
RULE=${RULE:-$(rule_of "$MODULES")}
if [ "$L0" = kvm-host ]; then
	one_of RULE legacy stash boundary rearm
elif [ "$RULE" != "$(rule_of "$MODULES")" ]; then
	bench "RULE=$RULE: the rule of L0=$L0${MODULES:+ with MODULES=$MODULES} is $(rule_of "$MODULES")"
fi
common_words
[ -z "$VID" ] || [ "$L0" = kvm-intel ] || bench "VID=$VID: KVM decides that itself"
run_folder "$L0${MODULES:+-$MODULES}-$RULE-$IRQCHIP${VID:+-vid_$VID}${GUEST:+-$(basename "$GUEST")}"
[ -r "$O/intack-kvm" ] || bench "$O/intack-kvm is not built"
seconds=$TIMEOUT

case $L0 in
kvm-amd-*) lab_platform "${L0#kvm-amd-}" ;;
kvm-intel) intel_platform ;;
kvm-host) host_platform ;;
esac

# The runner's own deadline comes first: its verdict says more than a lab that is killed does.
words=("l0=$L0" "rule=$RULE" "irqchip=$IRQCHIP" "mem=$MEM"
	"timeout=$((seconds > 3 * setup ? seconds - setup : (seconds + 1) / 2))")
! traced || words+=(trace)
[ "$TESTDEV" = off ] || words+=(testdev)
[ -z "$SEED" ] || words+=("seed=$SEED")
[ -z "$ONLY" ] || words+=("only=$ONLY")
[ -z "$CMDLINE" ] || words+=("cmdline=$CMDLINE")

take "$O/intack-kvm" intack-kvm
if [ -n "$GUEST" ]; then
	take "$GUEST" guest.elf
	words+=("guest=$folder/guest.elf")
fi
IFS=';' read -r -a modules <<<"$MODULE"
for i in "${!modules[@]}"; do
	read -r path args <<<"${modules[i]}"
	[[ -f $path && -r $path ]] || bench "MODULE=$path: no such file"
	take "$path" "module$i"
	words+=("module=$folder/module$i${args:+ $args}")
done

# --- the run -------------------------------------------------------------------------------------------------------------
pid=
# shellcheck disable=SC2317 # by trap
stop() {
	[ -z "$pid" ] || kill "$pid" 2>/dev/null
}
trap stop EXIT
trap 'exit 2' INT TERM HUP

mkfifo "$dir/output" || bench "$dir/output: cannot be made"
timeout -k 3 "$limit" "${command[@]}" ./intack-kvm "${words[@]}" </dev/null >"$dir/output" 2>"$dir/errors" &
pid=$!
relay < <(tee "$dir/report.ktap" <"$dir/output" | sed -u 's/[\r\x00]//g')
wait "$pid"
status=$?
pid=
rm -f "$dir/output"
cat "$dir/errors" >&2

[ "$status" != 125 ] || exit 2 # boot.sh has said why
said=
((status > 3)) || said=$status
conclude "$status" "$said" runner "$dir/report.ktap"
