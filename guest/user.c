/* SPDX-License-Identifier: BSD-2-Clause
 * Accepting an interrupt while an exception is on its way: the case of DOSEMU and gVisor, which run without an in-kernel
 * irqchip. A vector accepted there is committed to the CPU at once ("reinjected" with no look at IF), so `ready` must
 * not be true between an exception and its handler.
 * Knows nothing of DOSEMU; in split mode the stash makes all of it harmless, and the scenarios run there as well. */
#include "known.h"
#include "rt.h"

#define LINE 5
#define TF_IF_MASK 0x300
#define TF_MASK 0x100
#define IF_MASK 0x200
#define IPI_VECTOR 0x61
#define SELF_IPI_MSR 0x83f
_Static_assert((RFLAGS_TF | RFLAGS_IF) == TF_IF_MASK && RFLAGS_TF == TF_MASK && RFLAGS_IF == IF_MASK,
	       "flags for assembly");
_Static_assert(SELF_IPI_MSR == MSR_X2APIC_FIRST + APIC_SELF_IPI / 16, "for assembly");

/* The single-step ends here. */
static void end_step(struct frame *f)
{
	f->rflags &= ~RFLAGS_TF;
}

/* #DB and the interrupt, each once, and both at the boundary, the interrupt after the handler of #DB. */
static void expect_db_then(uint8_t vector, uint64_t boundary)
{
	EXPECT_EQ(arrivals_of(VEC_DB), 1);
	EXPECT_EQ(arrivals_of(vector), 1);
	for (unsigned i = 0; i < arrivals.count; i++)
		if (arrivals.log[i].vector == vector && !(arrivals.log[i].rflags & RFLAGS_IF))
			fail("if0", "vector %#x taken with IF=0 at rip %#lx", vector, arrivals.log[i].rip);
	EXPECT_ARRIVAL(0, VEC_DB, boundary);
	EXPECT_ARRIVAL(1, vector, boundary);
}

/* IF=1, TF=1, and OUT raises the line. The hypervisor executes OUT, so it owes the #DB of SDM v3, "Single-Step Exception
 * Condition": it is a trap, "generated after the instruction is executed". SDM v3, "Priority Among Concurrent Events":
 * "Traps on the Previous Instruction" come before maskable hardware interrupts: #DB first, through an interrupt gate,
 * which clears IF; the line when IRET sets IF again.
 * E=1 (an exception not yet injected) when the exit of OUT returns to the user half.
 * legacy, stash: `ready` does not look at E. user: the vector is committed, the exception goes first, and the vector
 * follows in its handler: if0. split: it waits in the stash for IF.
 * boundary, rearm: not ready before #DB is delivered. */
SEQUENCE_IO(seq_step_out,
	"	pushfq\n"
	"	orq $" STR(TF_IF_MASK) ", (%rsp)\n"
	"	popfq\n"
	"	out %ax, %dx\n"
	SEQ_LABEL(step_out_next)
	"	nop\n"
	"	cli\n");
extern const char step_out_next[];

SCENARIO(user_accept_exception, .name = "user.accept-during-exception",
	 .xfails = { KVM_LEGACY_LOSES,
		     { RULE_LEGACY | RULE_STASH, MODE_USER, VID_ANY, NULL, "if0",
		       "ready does not look at an exception that is owed" } })
{
	on_vector(VEC_DB, end_step);
	on_vector(PIC_VECTOR(LINE), pic_handler);
	pic_unmask(LINE);
	seq_step_out(LAB_UP, BIT(LINE));
	expect_db_then(PIC_VECTOR(LINE), (uint64_t)step_out_next);
}

/* The same with an instruction that the kernel half can complete only after the user half has served it, as KVM every one:
 * WRMSR of an APIC that is the user half's. The vector waits before #DB is even owed, E=0, and IF is 1 all the time.
 * legacy, stash: as above. boundary, rearm: not ready before #DB is delivered, if the user half looks at `ready` once the
 * operation is complete. */
SEQUENCE(seq_step_wrmsr,
	"	mov $" STR(SELF_IPI_MSR) ", %ecx\n"
	"	mov $" STR(IPI_VECTOR) ", %eax\n"
	"	xor %edx, %edx\n"
	"	pushfq\n"
	"	orq $" STR(TF_IF_MASK) ", (%rsp)\n"
	"	popfq\n"
	"	wrmsr\n"
	SEQ_LABEL(step_wrmsr_next)
	"	nop\n"
	"	cli\n");
extern const char step_wrmsr_next[];

SCENARIO(user_accept_operation, .name = "user.accept-during-operation",
	 .xfails = { KVM_LEGACY_LOSES,
		     { RULE_LEGACY | RULE_STASH, MODE_USER, VID_ANY, NULL, "if0",
		       "ready does not look at an exception that is owed" } })
{
	if (!cpu_has_x2apic())
		skip("no x2APIC");
	apic_x2apic();
	on_vector(VEC_DB, end_step);
	on_vector(IPI_VECTOR, apic_handler);
	seq_step_wrmsr();
	expect_db_then(IPI_VECTOR, (uint64_t)step_wrmsr_next);
}

/* The exception is half delivered: the CPU itself raises #DB behind POPF, which also opens IF; its delivery needs the IDT
 * page, which is not mapped in the nested tables. The line has been high all the time and the window is armed; the trap
 * comes before the window. R=1 (an event to be injected again), IF=1, no shadow, when the nested fault has been handled
 * and the kernel half looks whether to tell the user half.
 * stash: `ready` does not look at R. user: the vector is committed, #DB is injected again, and the vector follows in its
 * handler: if0.
 * legacy ("not R" in `ready`), boundary and rearm: not ready before #DB is delivered.
 * split: as above, the stash. */
SEQUENCE(seq_step_popf,
	"	pushfq\n"
	"	pushfq\n"
	"	orq $" STR(IF_MASK) ", 8(%rsp)\n"
	"	orq $" STR(TF_MASK) ", (%rsp)\n"
	"	popfq\n" /* TF=1: #DB is due behind the next instruction */
	"	popfq\n" /* TF=0, IF=1 */
	SEQ_LABEL(step_popf_next)
	"	nop\n"
	"	cli\n");
extern const char step_popf_next[];

SCENARIO(user_accept_delivery, .name = "user.accept-during-exception-delivery",
	 .xfails = { KVM_LEGACY_LOSES,
		     { RULE_LEGACY | RULE_STASH, MODE_USER, VID_ANY, NULL, "if0",
		       "ready does not look at an event half delivered, nor at an exception that waits" } })
{
	uint64_t faults = lab_counter(LAB_DELIVERY_FAULTS);

	on_vector(VEC_DB, end_step);
	on_vector(PIC_VECTOR(LINE), pic_handler);
	pic_unmask(LINE);
	lab_up(LINE);
	lab_unmap(rt_idt_page);
	seq_step_popf();
	if (lab_counter(LAB_EXITS) && lab_counter(LAB_DELIVERY_FAULTS) == faults)
		error("the delivery of #DB did not fault in the nested page tables");
	expect_db_then(PIC_VECTOR(LINE), (uint64_t)step_popf_next);
}

/* SDM v2, "HLT": "An enabled interrupt (including NMI and SMI), a debug exception, the BINIT# signal, the INIT# signal, or the
 * RESET# signal will resume execution." POPF sets TF, so the trap is due behind HLT, whatever IF is: there is nothing to wait for.
 * user: HLT comes out of the kernel half, which owes #DB, and the user half may not sleep. */
SEQUENCE(seq_step_hlt,
	"	pushfq\n"
	"	orq $" STR(TF_MASK) ", (%rsp)\n"
	"	popfq\n"
	"	hlt\n"
	SEQ_LABEL(step_hlt_next)
	"	nop\n");
extern const char step_hlt_next[];

SCENARIO(user_step_hlt, .name = "user.single-step-over-hlt", .xfails = { QEMU_HLT_STEP })
{
	on_vector(VEC_DB, end_step);
	seq_step_hlt();
	EXPECT_ARRIVAL(0, VEC_DB, step_hlt_next);
	irq_on();
	seq_step_hlt();
	irq_off();
	EXPECT_ARRIVAL(1, VEC_DB, step_hlt_next);
	EXPECT_EQ(arrivals.count, 2);
}
