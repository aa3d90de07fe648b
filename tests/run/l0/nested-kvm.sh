# SPDX-License-Identifier: BSD-2-Clause
# L0=nested-kvm: Linux with kvm_amd in the reference lab (`make lab`), and in it QEMU with OVMF: real nested KVM, on an
# emulated CPU. Sourced by run.sh, which has set dir, image, mem and seconds.
# Takes from the environment: LAB, LAB_KERNEL (6.1, 6.12 or current), KERNEL_IRQCHIP (how that QEMU divides the irqchip with
# KVM: split or on), and what tests/lab/boot.sh takes: MODULES KVM_OPTIONS KVM_VENDOR_OPTIONS LAB_QEMU.
# shellcheck shell=bash disable=SC2034,SC2054,SC2154 # variables are shared with run.sh; QEMU wants commas

LAB=${LAB:-$O/lab}
LAB_KERNEL=${LAB_KERNEL:-6.12}
KERNEL_IRQCHIP=${KERNEL_IRQCHIP:-split}
[[ $KERNEL_IRQCHIP == split || $KERNEL_IRQCHIP == on ]] ||
	bench "KERNEL_IRQCHIP=$KERNEL_IRQCHIP: must be one of: split on"
why=$("$here/../lab/boot.sh" --check "$LAB_KERNEL" 2>&1) || bench "L0=nested-kvm: ${why#lab: error: }"
cp "$LAB/root/usr/share/OVMF/OVMF_VARS_4M.fd" "$dir/vars.fd" || bench "$dir/vars.fd: cannot be made"

# Paths are those in the lab: the folder of this run is its /mnt. Linux wants some memory besides.
memory=$((mem > 128 ? mem + 384 : 512)) linux=768
emulator=(env "OUT=$dir" "TIMEOUT=$seconds" "MEM=$((memory + linux))" "LAB=$LAB" "$here/../lab/boot.sh" "$LAB_KERNEL"
	qemu-system-x86_64 -machine "q35,accel=kvm,kernel_irqchip=$KERNEL_IRQCHIP" -cpu host,+svm -smp 1 -m "$memory"
	-nodefaults -display none -no-reboot -serial stdio -device isa-debug-exit,iobase=0xf4
	-drive if=pflash,unit=0,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd
	-drive if=pflash,unit=1,format=raw,file=/mnt/vars.fd
	-drive "if=none,id=disk,format=raw,file=/mnt/${image##*/}" -device virtio-blk-pci,drive=disk)

# As under TCG: the exit status of the QEMU in the lab is the lab's.
emulator_said() {
	case $1 in
	1) echo 0 ;;
	3) echo 1 ;;
	5) echo 2 ;;
	7) echo 3 ;;
	esac
}
