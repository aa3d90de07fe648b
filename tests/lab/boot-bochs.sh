#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# boot-bochs.sh KERNEL COMMAND...: as boot.sh, but on Bochs' model of an Intel CPU, for kvm_intel. Bochs has no virtio: the
# files of the folder FILES are in the initramfs as /mnt, where COMMAND starts. There is no root besides them but busybox,
# so programs are static, and what COMMAND leaves behind is lost.
# boot-bochs.sh --check KERNEL: boots nothing; succeeds, or says in one line what is missing.
# Takes from the environment: FILES, MODULES, KVM_OPTIONS, KVM_VENDOR_OPTIONS (of kvm-intel.ko), TIMEOUT, MEM as boot.sh
# does, OUT (a folder for its own files), BOCHS_CPU, and LAB_BOCHS: `lab` is the lab's own, or the path of another.
# Exit status: COMMAND's, or 125 it did not come up or broke, 124 the deadline.
set -uo pipefail
here=$(dirname "$0")
# shellcheck source=tests/lab/words.sh
. "$here/words.sh"
FILES=${FILES:-} MEM=${MEM:-512}
# A model without posted interrupts: Bochs 3.0 wants their descriptor on a page of its own, which KVM's is not.
LAB_BOCHS=${LAB_BOCHS:-lab} BOCHS_CPU=${BOCHS_CPU:-corei7_haswell_4770}
# Instructions a second: this is what all of its clocks count.
ips=50000000
# What the kernel takes, and what Bochs has.
if ! [[ $MEM =~ ^[1-9][0-9]{2,3}$ ]] || ((MEM < 128 || MEM > 2048)); then
	error "MEM=$MEM: must be a number from 128 to 2048"
fi
[ -z "$FILES" ] || [ -d "$FILES" ] || error "FILES=$FILES: no such folder"
for tool in gcc:gcc objcopy:binutils; do
	command -v "${tool%:*}" >/dev/null || error "${tool%:*} is missing (Debian package ${tool#*:})"
done

# Of the lab's root too, Bochs runs here, on the libraries of that root.
from_root=("$root/usr/lib64/ld-linux-x86-64.so.2" --library-path "$lib")
case $LAB_BOCHS in
lab)
	bochs=("${from_root[@]}" "$root/usr/bin/bochs-bin")
	export LTDL_LIBRARY_PATH=$lib/bochs/plugins BXSHARE=$root/usr/share/bochs TERMINFO=$root/usr/share/terminfo
	;;
*)
	command -v "$LAB_BOCHS" >/dev/null || error "LAB_BOCHS=$LAB_BOCHS: no such program"
	bochs=("$LAB_BOCHS")
	;;
esac
models=$("${bochs[@]}" --help cpu 2>&1 </dev/null)
[[ $'\n'$models$'\n' == *$'\n'"$BOCHS_CPU"$'\n'* ]] || error "BOCHS_CPU=$BOCHS_CPU: LAB_BOCHS=$LAB_BOCHS does not have it"
[ -z "$check" ] || exit 0

mkdir -p "$OUT" 2>/dev/null || error "OUT=$OUT: cannot be made"
OUT=$(realpath "$OUT")
[ -z "$FILES" ] || FILES=$(realpath "$FILES")
parts=(.tree .initrd .cmdline .vmlinux .kernel .rom.o .rom .info .disk .disk.lock .output) # of no use afterwards
clear() { # NAME...
	(cd "$OUT" && rm -rf "$@")
}
clear "${parts[@]}" .machine .debugger .console .screen .log .status
pid=
# shellcheck disable=SC2317 # by trap
stop() {
	[ -z "$pid" ] || kill -HUP "$pid" 2>/dev/null
	clear "${parts[@]}"
}
trap stop EXIT
trap 'exit 125' INT TERM HUP

# --- the initramfs -----------------------------------------------------------------------------------------------------------
# Bochs is slow, so it gets no archive to unpack, no module but those for an Intel CPU, and no signatures of them to verify; nor
# does the kernel test its ciphers.
mkdir -p "$OUT/.tree" || error "OUT=$OUT: cannot be written to"
cpio() {
	(cd "$OUT/.tree" && "${from_root[@]}" "$root/usr/bin/cpio" --quiet "$@")
}
for archive in "$kernel/initrd" ${MODULES:+"$LAB/modules/$MODULES"}; do
	zcat "$archive" | cpio -idu || error "$archive: cannot be unpacked"
done
modules=$OUT/.tree/modules
: >"$modules/base"
for module in "$modules"/*.ko; do
	if grep -qxF "$(basename "$module" .ko)" "$modules/intel"; then
		strip --strip-debug "$module" || error "$module: cannot be stripped"
	else
		rm -f "$module"
	fi
done
mkdir -p "$OUT/.tree/mnt"
for file in ${FILES:+"$FILES"/*}; do
	[ ! -f "$file" ] || cp -L "$file" "$OUT/.tree/mnt/" || error "FILES=$FILES: $file cannot be read"
done
printf '%q ' "$@" >"$OUT/.tree/mnt/.command" || error "OUT=$OUT: cannot be written to"
(cd "$OUT/.tree" && find .) | cpio -o -H newc -R 0:0 >"$OUT/.initrd" || error "$OUT/.initrd: cannot be made"
printf '%s' "console=ttyS0 quiet panic=-1 oops=panic mitigations=off nokaslr cryptomgr.notests" \
	" lab.kvm=${KVM_OPTIONS// /,} lab.kvm_vendor=${KVM_VENDOR_OPTIONS// /,}" >"$OUT/.cmdline"

# --- the kernel --------------------------------------------------------------------------------------------------------------
number() { # FILE OFFSET BYTES: the number that is there
	od -An -v -t "u$3" -j "$2" -N "$3" "$1" | tr -d ' '
}

# Linux's boot protocol: setup_sects, payload_offset and payload_length of the header say where the kernel proper is, packed.
# To unpack it in Bochs takes longer than all the rest of a boot.
unpack() {
	local vmlinuz=$kernel/vmlinuz sector=512 payload
	payload=$((($(number "$vmlinuz" 0x1f1 1) + 1) * sector + $(number "$vmlinuz" 0x248 4)))
	# head has what it wants before tail has said all.
	(tail -c "+$((payload + 1))" "$vmlinuz" || true) | head -c "$(number "$vmlinuz" 0x24c 4)" |
		"${from_root[@]}" "$root/usr/bin/xz" -dc --single-stream >"$OUT/.vmlinux" || return
	# The last section is not for machines like this, and behind a long way of zeros.
	objcopy -O binary -R .init.scratch "$OUT/.vmlinux" "$OUT/.kernel"
}

# Where a hypervisor enters is in a note: XEN_ELFNOTE_PHYS32_ENTRY, 18.
entry() {
	readelf -nW "$OUT/.vmlinux" | awk '/^ *Xen .*\(0x00000012\)/ { sub(/.*data: /, ""); print "0x" $4 $3 $2 $1 }'
}

page=4096 block=$((256 * 512)) mib=$((1024 * 1024)) kernel_at=$((16 * 1024 * 1024)) # CONFIG_PHYSICAL_START
unpack || error "$kernel/vmlinuz: cannot be unpacked"
entry=$(entry)
[ -n "$entry" ] || error "$kernel/vmlinuz: has no PVH entry"
initrd_size=$(stat -c %s "$OUT/.initrd")
truncate -s %$page "$OUT/.initrd"
load=$((kernel_at - $(stat -c %s "$OUT/.initrd") - page))
((load >= mib)) || error "FILES=$FILES: there is no room for so much"
blocks=$(((kernel_at - load + $(stat -c %s "$OUT/.kernel") + block - 1) / block))

symbols=LOAD=$load,BLOCKS=$blocks,ENTRY=$entry,INITRD_SIZE=$initrd_size,MEMORY_SIZE=$((MEM * mib))
gcc -m32 -c "-Wa,-I$OUT,--defsym,${symbols//,/,--defsym,}" -o "$OUT/.rom.o" "$here/bochs-rom.S" ||
	error "$here/bochs-rom.S: cannot be assembled"
for part in rom info; do
	objcopy -O binary -j ".$part" "$OUT/.rom.o" "$OUT/.$part" || error "$OUT/.$part: cannot be made"
done
cat "$OUT"/.{info,initrd,kernel} >"$OUT/.disk" || error "$OUT/.disk: cannot be made"
truncate -s %$block "$OUT/.disk"

# --- the machine -------------------------------------------------------------------------------------------------------------
# The console goes to a file, the second serial line to file descriptor 3. Standard output is a screen, for which no
# terminal is needed.
cat >"$OUT/.machine" <<EOF
display_library: term
config_interface: textconfig
cpu: model=$BOCHS_CPU, count=1, ips=$ips, reset_on_triple_fault=0
megs: $MEM
romimage: file="$OUT/.rom", address=0x0
vgaromimage: file="$root/usr/share/seabios/vgabios-stdvga.bin"
ata0-master: type=disk, path="$OUT/.disk", mode=flat
com1: enabled=1, mode=file, dev="$OUT/.console"
com2: enabled=1, mode=file, dev=/dev/fd/3
sound: waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy
log: "$OUT/.log"
panic: action=fatal
error: action=ignore
info: action=ignore
debug: action=ignore
EOF
# Debian's has the debugger, which waits for a word before it starts.
echo continue >"$OUT/.debugger"

mkfifo "$OUT/.output" || error "OUT=$OUT: cannot be written to"
# timeout passes HUP on, and kills what does not listen to it. Bochs listens to no other signal.
TERM=vt100 timeout -s HUP -k 3 "$TIMEOUT" "${bochs[@]}" -q -f "$OUT/.machine" -rc "$OUT/.debugger" \
	</dev/null 3>"$OUT/.output" >"$OUT/.screen" 2>&1 &
pid=$!
# The status is the last line, and is not the command's.
while IFS= read -r line || [ -n "$line" ]; do
	case $line in
	'# lab: status '*) echo "${line##* }" >"$OUT/.status" ;;
	*) printf '%s\n' "$line" ;;
	esac
done <"$OUT/.output"
wait "$pid"
status=$?
pid=
if [ "$status" = 124 ] || { [ "$status" = 137 ] && ((SECONDS >= TIMEOUT)); }; then
	echo "lab: error: deadline of $TIMEOUT s: Bochs was killed; its console is $OUT/.console" >&2
	exit 124
fi
[ -r "$OUT/.status" ] || error "the lab broke (Bochs' exit status $status); its console is $OUT/.console: $(
	cat "$OUT"/.{log,console} 2>/dev/null | tr -d '\r' | grep -v '^$' | tail -n1)"
exit "$(cat "$OUT/.status")"
