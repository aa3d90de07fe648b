/* SPDX-License-Identifier: BSD-2-Clause
 * Faults of other platforms that more than one scenario meets, as expectations: each is explained in docs/findings.md.
 * Knows nothing of the scenarios. */
#pragma once

#include "rt.h"

/* 22. KVM's local APIC takes vectors below 16 for any others, and its ESR is always 0. */
#define KVM_NO_ESR { RULE_ANY, MODE_SPLIT, VID_ANY, "kvm-*", "", "KVM's local APIC has no error register" }
/* 23. kvm_amd lets the guest write CR8 by itself, and at each exit makes TPR of it. */
#define KVM_AMD_TPR { RULE_ANY, MODE_SPLIT, VID_ANY, "kvm-amd*", "", "kvm_amd makes TPR of CR8 at each exit: TPR[3:0] is 0" }
/* 24. What the masked timer has let pass is kept, and delivered when the entry is unmasked. With VID the timer is KVM's to
 * deliver when it expires. */
#define KVM_MASKED_TIMER { RULE_ANY, MODE_SPLIT, VID_OFF, "kvm-*", "", "KVM keeps a masked timer's expiry for later" }
/* 25. Before 71cc849b7093 KVM is ready while an exception is owed. Without a stash the vector is lost: the exception goes first,
 * and what the exit of that entry does not report as cut short KVM takes for delivered. */
#define KVM_LEGACY_LOSES { RULE_LEGACY, MODE_USER, VID_ANY, "kvm-*", "", "KVM takes the vector for delivered by the entry of an exception" }
/* 71. kvm_amd waits for an IRET, and for the end of a shadow, by a single step that the guest can see. */
#define KVM_AMD_STEP { RULE_ANY, MODE_ANY, VID_ANY, "kvm-amd*", "", "kvm_amd steps with a TF that the guest sees" }
/* 57. */
#define KVM_TSC_JUMP { RULE_ANY, MODE_SPLIT, VID_ANY, "kvm-*", "", "a write of the TSC does not move KVM's armed deadline" }

/* The emulators' own devices: no rule, no mode. Their version is in the platform's name: bare-qemu-7.2.22. */
#define BARE(l0, why) { RULE_ANY, MODE_ANY, VID_ANY, l0, "", why }
/* 33. */
#define QEMU_PIT BARE("bare-qemu*", "QEMU computes OUT and count from the time of the last count written")
/* 35. */
#define QEMU_LVT_OPEN BARE("bare-qemu*", "QEMU does not mask the LVT when the APIC is disabled")
/* 36. */
#define BARE_NO_SEND_ERROR BARE("bare-*", "the sending of an illegal vector is no error")
/* 41. */
#define BOCHS_DEADLINE BARE("bare-bochs*", "Bochs' deadline stays in its register when the timer has ended")
/* 58. */
#define BOCHS_TSC_JUMP BARE("bare-bochs*", "Bochs' deadline does not go by the TSC that the guest has written")
/* 48. */
#define BOCHS_THRE BARE("bare-bochs*", "a write of THR does not lower the interrupt output: no edge follows")

/* 50, 53. The CPU is that of QEMU 7.2; under kvm-amd* and nested-kvm it is a later one's. */
#define QEMU_CPU "tcg-svm-7*,bare-qemu-7*"
/* 49. */
#define BOCHS_WORD_PORT BARE("bare-bochs*", "Bochs drops a word that is moved to or from ports of bytes")
/* 50. */
#define QEMU_NO_RF BARE("bare-qemu-7*", "QEMU pushes RF = 0 with a fault")
#define QEMU_CPU_NO_RF { RULE_ANY, MODE_ANY, VID_ANY, QEMU_CPU, "", "QEMU's CPU pushes RF as it is for a fault, too" }
/* 51. */
#define QEMU_RESERVED_NO_P BARE("bare-qemu*", "QEMU's error code of a reserved bit has no P")
/* 69. */
#define QEMU_NOTHING BARE("bare-qemu*", "QEMU reads 0 where there is nothing")
/* 70. */
#define QEMU_NO_RF_REP BARE("bare-qemu*", "QEMU pushes RF = 0 in the middle of a repeated instruction")
#define BOCHS_NO_RF_REP BARE("bare-bochs*", "Bochs pushes RF = 0 in the middle of a repeated instruction")
/* 76. */
#define QEMU_10_STEP { RULE_ANY, MODE_ANY, VID_ANY, "bare-qemu-1*", "", "QEMU 10 traps once more behind the last iteration" }
#define QEMU_10_STOS { RULE_ANY, MODE_ANY, VID_ANY, "tcg-svm-1*,bare-qemu-1*,nested-kvm", "", "QEMU 10 traps once more behind the last iteration" }
#define QEMU_10_BREAKPOINT { RULE_ANY, MODE_ANY, VID_ANY, "bare-qemu-1*", "", "QEMU 10 comes to the breakpoint's trap at the end of the repetition" }
/* 78. */
#define BOCHS_VMX_STEP \
	{ RULE_ANY, MODE_ANY, VID_ANY, "bochs-vmx*", "", "Bochs leaves a single step pending when its instruction has exited" }
/* 77. */
#define QEMU_HLT_STEP { RULE_ANY, MODE_ANY, VID_ANY, "bare-qemu*", "hung", "QEMU's HLT forgets the single step" }
/* 72. */
#define QEMU_UART_WORD { RULE_ANY, MODE_ANY, VID_ANY, "bare-qemu*", "died", "QEMU ends by an assertion of its UART" }
/* 73. */
#define QEMU_NO_AC BARE("bare-qemu*", "QEMU's CPU knows no alignment check")
/* 74. */
#define QEMU_NO_SEGMENTS BARE("bare-qemu*", "QEMU's CPU checks neither limit nor type of a segment")
/* KVM's emulator does. */
#define QEMU_CPU_NO_SEGMENTS { RULE_ANY, MODE_ANY, VID_ANY, "tcg-svm*,bare-qemu*,nested-kvm", "", "QEMU's CPU checks neither limit nor type of a segment" }
/* 75. */
#define KVM_AMD(why) { RULE_ANY, MODE_ANY, VID_ANY, "kvm-amd*", "", why }
#define KVM_STEP KVM_AMD("KVM's emulator: one single step for all iterations, and none behind a write to a device")
#define KVM_BREAKPOINTS KVM_AMD("KVM's emulator does not look at DR7's breakpoints on data and ports")
#define KVM_HALF_WRITE KVM_AMD("KVM's emulator has written the first page when the second faults")
#define KVM_NO_AC KVM_AMD("KVM's emulator has no alignment check, and QEMU's CPU below it neither")
