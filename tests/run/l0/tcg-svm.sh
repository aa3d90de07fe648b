# SPDX-License-Identifier: BSD-2-Clause
# L0=tcg-svm: QEMU's TCG emulates AMD SVM with nested paging. Sourced by run.sh, which has set dir, image, mem and seconds.
# shellcheck shell=bash disable=SC2034,SC2054,SC2154 # variables are shared with run.sh; QEMU wants commas

OVMF_CODE=${OVMF_CODE:-/usr/share/OVMF/OVMF_CODE_4M.fd}
OVMF_VARS=${OVMF_VARS:-/usr/share/OVMF/OVMF_VARS_4M.fd}
QEMU=${QEMU:-qemu-system-x86_64}

command -v "$QEMU" >/dev/null || bench "QEMU=$QEMU: no such program"
for f in OVMF_CODE OVMF_VARS; do
	[ -r "${!f}" ] || bench "$f=${!f}: no such file"
done
cp "$OVMF_VARS" "$dir/vars.fd"

# No -icount: counted instructions make time depend on what the guest does (and see docs/findings.md).
emulator=("$QEMU" -machine q35 -accel tcg -cpu max -smp 1 -m "$((mem > 128 ? mem + 384 : 512))" -nodefaults -display none
	-no-reboot -serial stdio -device isa-debug-exit,iobase=0xf4
	-drive "if=pflash,unit=0,format=raw,readonly=on,file=$OVMF_CODE"
	-drive "if=pflash,unit=1,format=raw,file=$dir/vars.fd"
	-drive "if=none,id=disk,format=raw,file=$image" -device virtio-blk-pci,drive=disk)

# What Intack told the emulator (enum emulator_status), from the emulator's own exit status; empty if it said nothing.
emulator_said() {
	case $1 in
	1) echo 0 ;;
	3) echo 1 ;;
	5) echo 2 ;;
	7) echo 3 ;;
	esac
}
