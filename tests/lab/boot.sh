#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# boot.sh KERNEL COMMAND...: boots the lab with the kernel kernel-KERNEL of it under QEMU's TCG, on an emulated AMD CPU with
# SVM, runs COMMAND in its root, prints what that prints, line by line, and exits as it does. In the lab the folder OUT is
# /mnt, the one place that can be written to and is kept.
# boot.sh --check KERNEL: boots nothing; succeeds, or says in one line what is missing.
# Takes from the environment: OUT, MODULES (those to load in place of the kernel's own: modules.sh), KVM_OPTIONS and
# KVM_VENDOR_OPTIONS (of kvm.ko, and of kvm-amd.ko), TIMEOUT (seconds), MEM (MiB), SMP, CPU, and LAB_QEMU:
# `lab` is the lab's own, Debian's with tests/lab/qemu.patch, which others lack: `debian`, or the path of another.
# Exit status: COMMAND's, or 125 the lab did not come up or broke, 124 the deadline.
set -uo pipefail
here=$(dirname "$0")
# shellcheck source=tests/lab/words.sh
. "$here/words.sh"
MEM=${MEM:-2048} SMP=${SMP:-1} CPU=${CPU:-EPYC,+svm,+npt}
LAB_QEMU=${LAB_QEMU:-lab}
case $LAB_QEMU in
lab)
	qemu=$(realpath -m "$LAB/qemu/qemu-system-x86_64")
	[ -x "$qemu" ] || error "qemu: not in $LAB; make lab"
	;;
debian) qemu=$root/usr/bin/qemu-system-x86_64 ;;
*) qemu=$(command -v "$LAB_QEMU") ;;
esac
[ -x "$qemu" ] || error "LAB_QEMU=$LAB_QEMU: no such program"
[ -z "$check" ] || exit 0

mkdir -p "$OUT" 2>/dev/null || error "OUT=$OUT: cannot be made"
rm -f "$OUT"/.{status,console,qemu,initrd}
printf '%q ' "$@" >"$OUT/.command" || error "OUT=$OUT: cannot be written to"

# A file of a later archive replaces one of an earlier.
cat "$kernel/initrd" ${MODULES:+"$LAB/modules/$MODULES"} >"$OUT/.initrd" || error "$OUT/.initrd: cannot be made"

# QEMU runs here, outside of the lab's root, on the libraries of that root: no need to be root for it.
qemu=("$qemu")
[[ $LAB_QEMU != lab && $LAB_QEMU != debian ]] ||
	qemu=("$root/usr/lib64/ld-linux-x86-64.so.2" --library-path "$lib" "${qemu[@]}" -L "$root/usr/share/seabios"
		-L "$root/usr/share/qemu")
export QEMU_MODULE_DIR=$lib/qemu
share() { # TAG FOLDER [WORDS]
	qemu+=(-fsdev "local,id=$1,path=${2//,/,,},security_model=none,multidevs=remap$3"
		-device "virtio-9p-pci,fsdev=$1,mount_tag=$1")
}
words="console=ttyS0 quiet panic=-1 oops=panic mitigations=off nokaslr"
words+=" lab.kvm=${KVM_OPTIONS// /,} lab.kvm_vendor=${KVM_VENDOR_OPTIONS// /,}"
qemu+=(-accel tcg -machine q35 -cpu "$CPU" -smp "$SMP" -m "$MEM" -nodefaults -display none -no-reboot
	-kernel "$kernel/vmlinuz" -initrd "$OUT/.initrd"
	-append "$words" -chardev "file,id=console,path=${OUT//,/,,}/.console" -serial chardev:console -serial stdio)
share root "$root" ,readonly=on
share out "$(realpath "$OUT")" ''

pid=
# shellcheck disable=SC2317 # by trap
stop() {
	[ -z "$pid" ] || kill "$pid" 2>/dev/null
}
trap stop EXIT
trap 'exit 125' INT TERM HUP
timeout -k 3 "$TIMEOUT" "${qemu[@]}" </dev/null 2>"$OUT/.qemu" &
pid=$!
wait "$pid"
status=$?
pid=
rm -f "$OUT/.initrd" "$OUT/.command"
if [ "$status" = 124 ] || { [ "$status" = 137 ] && ((SECONDS >= TIMEOUT)); }; then
	echo "lab: error: deadline of $TIMEOUT s: the lab was killed; its console is $OUT/.console" >&2
	exit 124
fi
[ -r "$OUT/.status" ] || error "the lab broke (QEMU's exit status $status); its console is $OUT/.console: $(
	cat "$OUT/.qemu" "$OUT/.console" 2>/dev/null | tr -d '\r' | grep -vE '^$|reboot: |TCG doesn.t support' | tail -n1)"
exit "$(cat "$OUT/.status")"
