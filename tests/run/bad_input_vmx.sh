#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# As bad_input.sh, on CPUs of Bochs that have not all of VMX, or whose firmware has locked it off or is using it already: one
# line that names what is wrong, the right status, no register changed, and the firmware still at work.
# Takes O, BOCHS and OVMF from the environment. Exit status: 0 all ok, 1 not, 2 the test bench itself.
set -uo pipefail
L0=bochs-vmx
# shellcheck source=tests/run/shell.sh
. "$(dirname "$0")/shell.sh"

one="only=windows.raise-if1"

# A start of Intack, and what the machine looked like before and after.
start() { # NAME WORDS
	shell_command "$1-before" 'preset.efi show'
	shell_command "$1" "intack.efi $2"
	shell_command "$1-after" 'preset.efi show'
}

# begin CPU-MODEL: a list for one boot; boot: runs it, and looks at the firmware behind it.
begin() {
	BOCHS_CPU=$1
	shell_begin "bad-input-$1"
}

boot() {
	shell_command "$BOCHS_CPU-then-ls" 'ls intack.efi'
	shell_command "$BOCHS_CPU-again" "intack.efi frobnicate"
	# shellcheck disable=SC2119
	shell_boot
}

check_firmware() {
	check_case "$BOCHS_CPU-then-ls" "$success" '*File(s)*bytes*'
	check_case "$BOCHS_CPU-again" "$invalid_parameter" "$(error_pattern 'load options: unknown word frobnicate')"
}

refused() { # NAME TEXT
	check_case "$1" "$unsupported" "$(error_pattern "$2")"
	check_state "$1"
}

# --- what the CPU lacks ----------------------------------------------------------------------------------------------------
begin p4_prescott_celeron_336
start no-vmx "$one"
boot
refused no-vmx 'this CPU has neither VMX (CPUID.1:ECX.VMX = 0) nor SVM (CPUID Fn8000_0001 ECX.SVM = 0)'
check_firmware

begin core2_penryn_t9600
start no-ept "$one"
start no-ept-vid "$one vid=on"
boot
refused no-ept 'this CPU has no EPT (IA32_VMX_PROCBASED_CTLS2, enable EPT)'
refused no-ept-vid 'this CPU has no EPT (IA32_VMX_PROCBASED_CTLS2, enable EPT)'
check_firmware

# Nothing was entered, so nothing has locked IA32_FEATURE_CONTROL yet.
begin corei5_lynnfield_750
start no-unrestricted-guest "$one"
shell_command lock 'preset.efi lock'
start locked-off "$one"
shell_command lock-again 'preset.efi lock'
boot
refused no-unrestricted-guest 'this CPU has no unrestricted guest (IA32_VMX_PROCBASED_CTLS2, unrestricted guest)'
check lock 'preset.efi has locked VMX off' [ "$(shell_status lock)" = "$success" ]
refused locked-off "VMX is locked off by firmware (IA32_FEATURE_CONTROL = locked, VMX outside SMX = 0): enable it in the firmware's set-up"
check_case lock-again "$access_denied" 'preset: error: lock: IA32_FEATURE_CONTROL is locked already'
check_firmware

# --- and one with EPT, which somebody has ----------------------------------------------------------------------------------
begin corei3_cnl
start vid-missing "$one vid=on"
start vid-not-asked-for "$one"
shell_command vmxon 'preset.efi vmxon'
shell_command memory-before memmap
start vmx-on-already "$one"
shell_command vmxoff 'preset.efi vmxoff'
start vmx-off-again "$one"
shell_command memory memmap
boot
refused vid-missing 'vid=on: this CPU lacks APIC-register virtualization (IA32_VMX_PROCBASED_CTLS2)'
check_case vid-not-asked-for "$success" '# intack: rule=rearm irqchip=split vid=off *cpu=vmx *'
check_state vid-not-asked-for feature_control=0 feature_control=0x5
check vmxon 'preset.efi has entered VMX operation' [ "$(shell_status vmxon)" = "$success" ]
refused vmx-on-already 'VMX is on already (CR4.VMXE = 1): another hypervisor has this CPU'
check vmxoff 'VMX was still on, and VMXOFF ends it' [ "$(shell_status vmxoff)" = "$success" ]
check_case vmx-off-again "$success" '# Totals: pass:1 fail:0 xfail:0 skip:0 error:0'
check_state vmx-off-again
free=$(shell_pages memory)
check vmx-memory-given-back "$free pages free, before $(shell_pages memory-before)" \
	[ "$free" -gt 0 -a "$free" = "$(shell_pages memory-before)" ]
check_firmware
((failed == 0))
