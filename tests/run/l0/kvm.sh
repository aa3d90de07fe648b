# SPDX-License-Identifier: BSD-2-Clause
# L0=kvm: QEMU with this machine's own KVM, which must offer SVM or VMX to its guests. Sourced by run.sh, which has set
# dir, image, mem and seconds.
# shellcheck shell=bash disable=SC2034,SC2054,SC2154 # variables are shared with run.sh; QEMU wants commas

if [ ! -e /dev/kvm ]; then
	bench "L0=kvm: this machine has no KVM: there is no /dev/kvm"
elif ! { : <>/dev/kvm; } 2>/dev/null; then
	bench "L0=kvm: /dev/kvm does not open: $(id -un) may not use it, or nothing is behind it"
fi
nested=$(cat /sys/module/kvm_amd/parameters/nested /sys/module/kvm_intel/parameters/nested 2>/dev/null)
[[ $nested == [Yy1]* ]] ||
	bench "L0=kvm: this machine's KVM offers its guests neither SVM nor VMX: it takes kvm_amd or kvm_intel with nested=1"

# As under TCG, but for who runs the guest.
# shellcheck source=tests/run/l0/tcg-svm.sh
. "$here/l0/tcg-svm.sh"
for i in "${!emulator[@]}"; do
	case ${emulator[i]} in
	tcg) emulator[i]=kvm ;;
	max) emulator[i]=host ;;
	esac
done
