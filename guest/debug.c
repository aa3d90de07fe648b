/* SPDX-License-Identifier: BSD-2-Clause
 * What a debugger in the guest relies on: RF, the debug registers, breakpoints and the single step, whoever executes the
 * instruction or delivers the exception.
 * Knows nothing of who does. */
#include "rt.h"

/* ---- RF ---- */

/* SDM v3, "Instruction-Breakpoint Exception Condition": "For any fault-class exception except a debug exception generated in
 * response to an instruction breakpoint, the value pushed for RF is 1." UD2's the CPU delivers; the others are instructions
 * that exit, and their faults are injected. */
SEQUENCE(seq_rf_ud2, "	ud2\n" SEQ_LABEL(rf_ud2_next) "	nop\n");
SEQUENCE(seq_rf_rdmsr,
	"	mov $0x12345, %ecx\n"
	"	rdmsr\n"
	SEQ_LABEL(rf_rdmsr_next)
	"	nop\n");
SEQUENCE(seq_rf_monitor, "	monitor\n" SEQ_LABEL(rf_monitor_next) "	nop\n");
extern const char rf_ud2_next[], rf_rdmsr_next[], rf_monitor_next[];
static uint64_t resume_at;

static void resume(struct frame *f)
{
	f->rip = resume_at;
	f->rflags &= ~RFLAGS_RF;
}

static void expect_fault_with_rf(void (*sequence)(void), const char *next, uint8_t vector)
{
	arrivals_clear();
	resume_at = (uint64_t)next;
	sequence();
	EXPECT_EQ(arrivals.count, 1);
	EXPECT_EQ(arrivals.log[0].vector, vector);
	EXPECT_EQ(arrivals.log[0].rflags & RFLAGS_RF, RFLAGS_RF);
}

SCENARIO(debug_rf_ud2, .name = "debug.rf-of-ud2",
	 .xfails = { { RULE_ANY, MODE_ANY, VID_ANY, "tcg-svm,bare-qemu*,kvm-amd*,nested-kvm", "",
		       "QEMU's CPU pushes RF as it is for a fault, too" } })
{
	on_vector(VEC_UD, resume);
	expect_fault_with_rf(seq_rf_ud2, rf_ud2_next, VEC_UD);
}

SCENARIO(debug_rf_injected, .name = "debug.rf-of-injected-faults")
{
	on_vector(VEC_UD, resume);
	on_vector(VEC_GP, resume);
	expect_fault_with_rf(seq_rf_rdmsr, rf_rdmsr_next, VEC_GP);
	expect_fault_with_rf(seq_rf_monitor, rf_monitor_next, VEC_UD);
}

/* "Trap-class exceptions generated after an instruction completes" push RF as it is, and each instruction that completes
 * clears it. CPUID exits, NOP does not. */
#define TF_MASK 0x100
_Static_assert(RFLAGS_TF == TF_MASK, "for assembly");
SEQUENCE(seq_rf_step,
	"	push %rbx\n"
	"	pushfq\n"
	"	orq $" STR(TF_MASK) ", (%rsp)\n"
	"	popfq\n"
	"	cpuid\n"
	SEQ_LABEL(rf_step_cpuid)
	"	nop\n"
	SEQ_LABEL(rf_step_nop)
	"	nop\n"
	"	pop %rbx\n");
extern const char rf_step_cpuid[], rf_step_nop[];

static void end_second_step(struct frame *f)
{
	if (arrivals.count == 2)
		f->rflags &= ~RFLAGS_TF;
}

SCENARIO(debug_rf_trap, .name = "debug.rf-of-single-step")
{
	on_vector(VEC_DB, end_second_step);
	seq_rf_step();
	EXPECT_ARRIVAL(0, VEC_DB, rf_step_cpuid);
	EXPECT_ARRIVAL(1, VEC_DB, rf_step_nop);
	EXPECT_EQ(arrivals.count, 2);
	for (unsigned i = 0; i < arrivals.count; i++)
		EXPECT_EQ(arrivals.log[i].rflags & RFLAGS_RF, 0);
}
