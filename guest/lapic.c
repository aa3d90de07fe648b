/* SPDX-License-Identifier: BSD-2-Clause
 * Scenarios of the local APIC: priorities, IRR and ISR, EOI, enabling and disabling, the register page.
 * Knows nothing of IPIs but as a way to set IRR (lapic_ipi.c), nor of the timer (lapic_timer.c). What concerns priorities
 * runs in xAPIC and x2APIC mode. No scenario differs by rule or by irqchip mode. */
#include "known.h"
#include "lapic_regs.h"

#define CR8_RESERVED BIT64(4)
enum { CR8_MAX = 15, TPR_ALL = 0xff };
enum { VERSION_INTEGRATED = 0x10, VERSION_MAX = 0x15, MAX_LVT_MIN = 3 };
#define VERSION(v) GET_FIELD(7, 0, v)
#define VERSION_MAX_LVT(v) GET_FIELD(23, 16, v)
#define ID_RESERVED ((uint32_t)MASK(23, 0))
#define NEW_BASE 0xfe900000ull
#define TPR_CLASS(c) ((uint32_t)FIELD(7, 4, c))

/* Each of these runs in both modes. What is behind the body both scenarios have. */
#define SCENARIO_BOTH(id, words, body, ...)                                     \
	SCENARIO(id, .name = "lapic." words, __VA_ARGS__) { body(); }           \
	SCENARIO(id##_x2apic, .name = "lapic.x2apic-" words, __VA_ARGS__)       \
	{                                                                       \
		need_x2apic();                                                  \
		body();                                                         \
	}

/* ---- task and processor priority ---- */

/* An interrupt of class 6 meets TPRs of class 6, of class 5 with the highest sub-class, and of class 15.
 * Intel SDM v3, "Task and Processor Priorities": "The processor will deliver only those interrupts that have an
 * interrupt-priority class higher than the processor-priority class in the PPR." Must: held at 0x60 and 0xff, its IRR bit
 * set; delivered at 0x5f, once, as soon as the TPR falls: the sub-class does not count. */
static void tpr_holds(void)
{
	lapic_listen(lapic_finish);
	apic_write(APIC_TPR, TPR_CLASS(VECTOR_CLASS(V_MID)));
	lapic_send_and_take(V_MID);
	EXPECT_EQ(arrivals.count, 0);
	EXPECT(apic_irr_bit(V_MID));
	apic_write(APIC_TPR, TPR_ALL);
	irq_open();
	EXPECT_EQ(arrivals.count, 0);
	apic_write(APIC_TPR, TPR_CLASS(VECTOR_CLASS(V_MID)) - 1);
	irq_open();
	EXPECT_VECTORS(V_MID);
	EXPECT(!apic_irr_bit(V_MID));
}
SCENARIO_BOTH(lapic_tpr_holds, "tpr-holds-its-class", tpr_holds)

/* The TPR falls while IF=1: the write itself must let the interrupt in.
 * Intel SDM v3, "Task and Processor Priorities", as above. */
static void tpr_lowered(void)
{
	lapic_listen(lapic_finish);
	apic_write(APIC_TPR, V_HIGH);
	apic_self_ipi(V_MID);
	irq_on();
	apic_write(APIC_TPR, 0);
	irq_off();
	EXPECT_VECTORS(V_MID);
}
SCENARIO_BOTH(lapic_tpr_lowered, "tpr-lowered-delivers", tpr_lowered)

/* CR8 is written and the TPR read, and the other way round.
 * Intel SDM v3, "Interaction of Task Priorities between CR8 and APIC": "APIC.TPR[bits 7:4] = CR8[bits 3:0],
 * APIC.TPR[bits 3:0] = 0", and "CR8[bits 63:4] = 0, CR8[bits 3:0] = APIC.TPR[bits 7:4]". */
static void cr8_is_tpr(void)
{
	for (uint32_t class = 0; class <= CR8_MAX; class++) {
		uint32_t other = TPR_CLASS(CR8_MAX ^ class) | class;

		apic_write(APIC_TPR, other);
		EXPECT_EQ(read_cr8(), CR8_MAX ^ class);
		EXPECT_EQ(apic_read(APIC_TPR), other);
		write_cr8(class);
		EXPECT_EQ(apic_read(APIC_TPR), TPR_CLASS(class));
		EXPECT_EQ(read_cr8(), class);
	}
	write_cr8(0);
}
SCENARIO_BOTH(lapic_cr8_tpr, "cr8-is-tpr", cr8_is_tpr, .xfails = { KVM_AMD_TPR })

/* CR8 gets the class that the TPR has already, with a sub-class.
 * Intel SDM v3, as above: "APIC.TPR[bits 3:0] = 0". Must: the sub-class is cleared. In user mode the TPR belongs to the user
 * half and CR8 reaches it as four bits of the contract: a write that changes none of them cannot be seen there. */
SCENARIO(lapic_cr8_subclass, .name = "lapic.cr8-clears-sub-class", .modes = MODE_SPLIT,
	 .skip = "the contract of the user irqchip carries CR8 as four bits: a write that changes none is not seen")
{
	apic_write(APIC_TPR, V_MID);
	write_cr8(VECTOR_CLASS(V_MID));
	EXPECT_EQ(apic_read(APIC_TPR), TPR_CLASS(VECTOR_CLASS(V_MID)));
	write_cr8(0);
}

/* CR8 holds an interrupt back; it is lowered with IF=1.
 * Intel SDM v3, as above. Must: held, then delivered at the write. */
static void cr8_holds(void)
{
	lapic_listen(lapic_finish);
	write_cr8(VECTOR_CLASS(V_MID));
	lapic_send_and_take(V_MID);
	EXPECT_EQ(arrivals.count, 0);
	irq_on();
	write_cr8(VECTOR_CLASS(V_MID) - 1);
	irq_off();
	EXPECT_VECTORS(V_MID);
	write_cr8(0);
}
SCENARIO_BOTH(lapic_cr8_holds, "cr8-holds-its-class", cr8_holds)

/* MOV to CR8 is single-stepped, and lowers TPR so that a pending vector becomes deliverable: a hypervisor may well exit behind
 * it.
 * Intel SDM v3, "Priority Among Concurrent Events": traps on the previous instruction, "debug trap exceptions (TF flag set or
 * data/I-O breakpoint)", come before maskable hardware interrupts. Must: #DB, then the vector, both at the boundary behind it.
 * legacy, stash, user: where the MOV is emulated the trap is ours to inject, and the vector is accepted meanwhile, as in
 * user.accept-during-exception: it arrives in the trap's handler, with IF=0. Where the CPU executes it the trap is the CPU's. */
#define TF_AND_IF 0x300
SEQUENCE(seq_step_cr8,
	"	mov $15, %eax\n"
	"	mov %rax, %cr8\n"
	"	xor %eax, %eax\n"
	"	pushfq\n"
	"	orq $" STR(TF_AND_IF) ", (%rsp)\n"
	"	popfq\n"
	"	mov %rax, %cr8\n"
	SEQ_LABEL(step_cr8_next)
	"	nop\n"
	"	nop\n"
	"	cli\n");
extern const char step_cr8_next[];
_Static_assert(TF_AND_IF == (RFLAGS_TF | RFLAGS_IF), "as the assembler takes it");

static void end_step(struct frame *f)
{
	f->rflags &= ~RFLAGS_TF;
}

SCENARIO(lapic_cr8_step, .name = "lapic.cr8-single-step",
	 .xfails = { KVM_LEGACY_LOSES,
		     { RULE_LEGACY | RULE_STASH, MODE_USER, VID_ANY, "*-svm*,nested-kvm", "if0",
		       "ready does not look at an exception that waits" },
		     { RULE_ANY, MODE_SPLIT, VID_OFF, "kvm-intel*", "", "KVM injects in place of the step that is pending" } })
{
	on_vector(VEC_DB, end_step);
	on_vector(V_MID, apic_handler);
	write_cr8(CR8_MAX); /* before it is sent: once INTR is asserted, raising TPR may make it a spurious interrupt */
	apic_self_ipi(V_MID);
	seq_step_cr8();
	if (arrivals.log[0].vector == V_MID && !(arrivals.log[0].rflags & RFLAGS_IF))
		fail("if0", "vector %#x arrived with IF=0", V_MID);
	EXPECT_ARRIVAL(0, VEC_DB, step_cr8_next);
	EXPECT_ARRIVAL(1, V_MID, step_cr8_next);
	EXPECT_EQ(arrivals.count, 2);
}

static volatile uint32_t faults;

static void skip_cr8_write(struct frame *f)
{
	enum { MOV_CR8_RAX_LENGTH = 4 };

	faults++;
	f->rip += MOV_CR8_RAX_LENGTH;
}

/* A reserved bit is written to CR8.
 * Intel SDM v2, "MOV—Move to/from Control Registers": #GP(0) "If an attempt is made to write a 1 to any reserved bit in
 * CR8." Must: the fault, and the TPR as it was. */
SCENARIO(lapic_cr8_reserved, .name = "lapic.cr8-reserved-bit-faults",
	 .xfails = { { RULE_ANY, MODE_SPLIT, VID_ANY, "kvm-amd*", "", "the emulator's CPU raises no #GP, and KVM does not see the write" },
		     BARE("bare-qemu*", "QEMU raises no #GP") })
{
	faults = 0;
	on_vector(VEC_GP, skip_cr8_write);
	apic_write(APIC_TPR, V_LOW);
	__asm__ volatile("mov %0, %%cr8" ::"a"(CR8_RESERVED) : "memory");
	EXPECT_EQ(faults, 1);
	EXPECT_EQ(apic_read(APIC_TPR), V_LOW);
}

/* PPR is read with nothing and with class 6 in service, under several TPRs.
 * Intel SDM v3, "Task and Processor Priorities": PPR[7:4] is "the maximum of" TPR[7:4] and ISRV[7:4]; "If TPR[7:4] >
 * ISRV[7:4], PPR[3:0] is TPR[3:0]"; "If TPR[7:4] < ISRV[7:4], PPR[3:0] is 0"; if equal, it "may be either TPR[3:0] or 0.
 * The actual behavior is model-specific." */
static void ppr_is_maximum(void)
{
	lapic_listen(lapic_stay);
	EXPECT_EQ(apic_read(APIC_PPR), 0);
	apic_write(APIC_TPR, V_LOW);
	EXPECT_EQ(apic_read(APIC_PPR), V_LOW);
	lapic_send_and_take(V_MID);
	EXPECT_EQ(apic_read(APIC_PPR), TPR_CLASS(VECTOR_CLASS(V_MID)));
	apic_write(APIC_TPR, V_HIGH);
	EXPECT_EQ(apic_read(APIC_PPR), V_HIGH);
	apic_write(APIC_TPR, V_MID_SAME_CLASS);
	EXPECT_EQ(VECTOR_CLASS(apic_read(APIC_PPR)), VECTOR_CLASS(V_MID));
	apic_write(APIC_TPR, 0);
	apic_eoi();
	EXPECT_EQ(apic_read(APIC_PPR), 0);
}
SCENARIO_BOTH(lapic_ppr, "ppr-is-maximum-of-tpr-and-isrv", ppr_is_maximum, .xfails = { KVM_AMD_TPR })

/* ---- IRR, ISR, EOI ---- */

/* Three vectors wait, sent in no order.
 * Intel SDM v3, "Interrupt, Task, and Processor Priority": "The lowest interrupt-priority class is 1 and the highest is 15".
 * Must: delivered highest first. */
static void irr_order(void)
{
	lapic_listen(lapic_finish);
	apic_self_ipi(V_MID);
	apic_self_ipi(V_HIGH);
	apic_self_ipi(V_LOW);
	irq_open();
	EXPECT_VECTORS(V_HIGH, V_MID, V_LOW);
}
SCENARIO_BOTH(lapic_irr_order, "highest-vector-first", irr_order)

/* A vector is in service; others of a lower, the same and a higher class are sent.
 * Intel SDM v3, "Task and Processor Priorities", as above: the class of the interrupt in service is the processor's.
 * Must: only the higher class gets in; the others after the EOIs, the highest first. */
static void nesting(void)
{
	lapic_listen(lapic_stay);
	lapic_send_and_take(V_MID);
	lapic_send_and_take(V_LOW);
	lapic_send_and_take(V_MID_SAME_CLASS);
	EXPECT_VECTORS(V_MID);
	lapic_send_and_take(V_HIGH);
	EXPECT_VECTORS(V_MID, V_HIGH);
	apic_eoi();
	irq_open();
	EXPECT_VECTORS(V_MID, V_HIGH);
	apic_eoi();
	irq_open();
	EXPECT_VECTORS(V_MID, V_HIGH, V_MID_SAME_CLASS);
	apic_eoi();
	irq_open();
	EXPECT_VECTORS(V_MID, V_HIGH, V_MID_SAME_CLASS, V_LOW);
}
SCENARIO_BOTH(lapic_nesting, "in-service-holds-its-class", nesting,
	 .xfails = { BARE("bare-bochs*", "Bochs compares vectors, and then finds the class too low: a spurious interrupt") })

/* A vector is sent twice while it is in service.
 * Intel SDM v3, "Interrupt Acceptance for Fixed Interrupts": "If more than one interrupt is generated with the same vector
 * number, the local APIC can set the bit for the vector both in the IRR and the ISR. ... Any additional interrupts issued
 * for the same interrupt vector are collapsed into the single bit in the IRR." Must: one in each, two in all. */
static void irr_and_isr(void)
{
	lapic_listen(lapic_stay);
	lapic_send_and_take(V_MID);
	EXPECT(apic_isr_bit(V_MID) && !apic_irr_bit(V_MID));
	apic_self_ipi(V_MID);
	apic_self_ipi(V_MID);
	EXPECT(apic_isr_bit(V_MID) && apic_irr_bit(V_MID));
	irq_open();
	EXPECT_VECTORS(V_MID);
	apic_eoi();
	EXPECT(!apic_isr_bit(V_MID) && apic_irr_bit(V_MID));
	irq_open();
	EXPECT_VECTORS(V_MID, V_MID);
	apic_eoi();
	irq_open();
	EXPECT_VECTORS(V_MID, V_MID);
}
SCENARIO_BOTH(lapic_irr_isr, "one-in-irr-one-in-isr", irr_and_isr)

/* Two vectors are in service.
 * Intel SDM v3, "Signaling Interrupt Servicing Completion": "Upon receiving an EOI, the APIC clears the highest priority bit
 * in the ISR and dispatches the next highest priority interrupt to the processor." */
static void eoi_highest(void)
{
	lapic_listen(lapic_stay);
	lapic_send_and_take(V_LOW);
	lapic_send_and_take(V_HIGH);
	apic_self_ipi(V_MID);
	apic_eoi();
	EXPECT(!apic_isr_bit(V_HIGH) && apic_isr_bit(V_LOW));
	irq_open();
	EXPECT_VECTORS(V_LOW, V_HIGH, V_MID);
}
SCENARIO_BOTH(lapic_eoi_highest, "eoi-clears-highest", eoi_highest)

/* An EOI with nothing in service, and one while an interrupt waits in IRR.
 * Intel SDM v3, as above: there is no bit to clear. Must: no effect, the waiting interrupt arrives. */
static void eoi_empty(void)
{
	lapic_listen(lapic_finish);
	apic_eoi();
	apic_self_ipi(V_MID);
	apic_eoi();
	EXPECT(apic_irr_bit(V_MID) && !apic_isr_bit(V_MID));
	irq_open();
	EXPECT_VECTORS(V_MID);
	EXPECT_EQ(apic_read(APIC_PPR), 0);
}
SCENARIO_BOTH(lapic_eoi_empty, "eoi-with-empty-isr", eoi_empty)

/* All vectors from 32 on are set in IRR, two at a time in each of the bitmaps' words, and taken.
 * Intel SDM v3, "IRR, ISR and TMR Registers": 256 bits each. Must: every vector arrives once, the highest first. */
SCENARIO(lapic_all_vectors, .name = "lapic.every-vector-once")
{
	enum { FIRST = 32, LAST = 254 };

	for (unsigned v = FIRST; v <= LAST; v++) {
		on_vector((uint8_t)v, lapic_finish);
		apic_self_ipi((uint8_t)v);
	}
	irq_open();
	EXPECT_EQ(arrivals.count, LAST - FIRST + 1);
	for (unsigned i = 0; i < ARRAY_SIZE(arrivals.log); i++)
		EXPECT_EQ(arrivals.log[i].vector, LAST - i);
	for (unsigned v = FIRST; v <= LAST; v++)
		EXPECT_EQ(arrivals_of((uint8_t)v), 1);
}

/* ---- spurious ---- */

/* The task priority is raised over an interrupt that the processor has been told of.
 * Intel SDM v3, "Spurious Interrupt": "If at the time the INTA cycle is issued, the interrupt that was to be dispensed has
 * become masked (programmed by software), the local APIC will deliver a spurious-interrupt vector. Dispensing the
 * spurious-interrupt vector does not affect the ISR, so the handler for this vector should return without an EOI."
 * Whether it comes is a race on hardware. Must: the interrupt itself does not arrive while masked; a spurious one, if it
 * comes, leaves ISR empty; the interrupt is not lost. */
SCENARIO(lapic_spurious, .name = "lapic.spurious-or-nothing",
	 .xfails = { { RULE_ANY, MODE_SPLIT, VID_ANY, "kvm-amd-6.*", "", "kvm_amd makes TPR of CR8 at each exit: TPR[3:0] is 0" } })
{
	lapic_listen(lapic_finish);
	on_vector(V_SPURIOUS, lapic_stay);
	for (int i = 0; i < LAPIC_ATTEMPTS; i++) {
		arrivals_clear();
		apic_self_ipi(V_MID);
		apic_write(APIC_TPR, V_HIGH);
		irq_open();
		EXPECT_EQ(arrivals_of(V_MID), 0);
		EXPECT(!apic_isr_bit(V_SPURIOUS));
		EXPECT_EQ(apic_read(APIC_PPR), V_HIGH);
		apic_write(APIC_TPR, 0);
		irq_open();
		EXPECT_EQ(arrivals_of(V_MID), 1);
	}
}

/* ---- software disable ---- */

static void svr(bool enabled) { apic_write(APIC_SVR, APIC_SVR_VECTOR(V_SPURIOUS) | (enabled ? APIC_SVR_ENABLE : 0)); }

/* All LVT entries are unmasked when the APIC is disabled, and written while it is.
 * Intel SDM v3, "Local APIC State After It Has Been Software Disabled": "The mask bits for all the LVT entries are set.
 * Attempts to reset these bits will be ignored." Must: they are still set when the APIC is enabled again. */
static void disable_masks_lvt(void)
{
	static const uint32_t lvts[] = { APIC_LVT_TIMER, APIC_LVT_LINT0, APIC_LVT_LINT1, APIC_LVT_ERROR };

	for (unsigned i = 0; i < ARRAY_SIZE(lvts); i++) {
		apic_write(lvts[i], V_LOW);
		EXPECT(!(apic_read(lvts[i]) & APIC_LVT_MASKED));
	}
	svr(false);
	for (unsigned i = 0; i < ARRAY_SIZE(lvts); i++) {
		EXPECT(apic_read(lvts[i]) & APIC_LVT_MASKED);
		apic_write(lvts[i], V_MID);
		EXPECT_EQ(apic_read(lvts[i]), APIC_LVT_MASKED | V_MID);
	}
	svr(true);
	for (unsigned i = 0; i < ARRAY_SIZE(lvts); i++)
		EXPECT_EQ(apic_read(lvts[i]), APIC_LVT_MASKED | V_MID);
}
SCENARIO_BOTH(lapic_disable_lvt, "software-disable-masks-lvt", disable_masks_lvt,
	 .xfails = { QEMU_LVT_OPEN })

/* An interrupt waits in IRR, held by TPR, when the APIC is disabled.
 * Intel SDM v3, as above: "Pending interrupts in the IRR and ISR registers are held and require masking or handling by the
 * CPU." Must: its bit stays, and it arrives after the APIC is enabled again. */
SCENARIO(lapic_disable_irr, .name = "lapic.software-disable-holds-irr")
{
	lapic_listen(lapic_finish);
	apic_write(APIC_TPR, V_HIGH);
	apic_self_ipi(V_MID);
	svr(false);
	EXPECT(apic_irr_bit(V_MID));
	svr(true);
	EXPECT(apic_irr_bit(V_MID));
	apic_write(APIC_TPR, 0);
	irq_open();
	EXPECT_VECTORS(V_MID);
}

/* An interrupt is in service when the APIC is disabled.
 * Intel SDM v3, as above. Must: its ISR bit stays until the EOI, which works while disabled. */
SCENARIO(lapic_disable_isr, .name = "lapic.software-disable-holds-isr")
{
	lapic_listen(lapic_stay);
	lapic_send_and_take(V_MID);
	svr(false);
	EXPECT(apic_isr_bit(V_MID));
	apic_eoi();
	EXPECT(!apic_isr_bit(V_MID));
	svr(true);
	EXPECT(!apic_isr_bit(V_MID));
}

/* A fixed interrupt and an NMI are sent to a disabled APIC.
 * Intel SDM v3, as above: "The local APIC will respond normally to INIT, NMI, SMI, and SIPI messages." "The local APIC can
 * still issue IPIs." Must: the NMI arrives; the fixed one is not accepted and does not come later. */
SCENARIO(lapic_disable_drops, .name = "lapic.software-disable-drops-fixed",
	 .xfails = { { RULE_ANY, MODE_SPLIT, VID_ON, "kvm-intel*", "", "the CPU's own self-IPI does not look at SVR" },
		     BARE("bare-*", "a fixed interrupt is accepted while the APIC is disabled") })
{
	lapic_listen(lapic_finish);
	on_vector(VEC_NMI, lapic_stay);
	svr(false);
	apic_self_ipi(V_MID);
	EXPECT(!apic_irr_bit(V_MID));
	apic_write(APIC_ICR_HIGH, XAPIC_DEST(XAPIC_ID(apic_read(APIC_ID))));
	apic_write(APIC_ICR_LOW, APIC_DM_FIELD(APIC_DM_NMI) | APIC_ICR_ASSERT);
	irq_open();
	EXPECT_EQ(arrivals_of(VEC_NMI), 1);
	svr(true);
	irq_open();
	EXPECT_EQ(arrivals_of(V_MID), 0);
}

/* ---- identity and the page ---- */

/* Intel SDM v3, "Local APIC ID": "the initial APIC ID" is in CPUID leaf 1. "Local APIC Version Register": "10H - 15H:
 * Integrated APIC", "Max LVT Entry: Shows the number of LVT entries minus 1". Must: they agree, and are read-only where
 * the manual says so. */
SCENARIO(lapic_id_version, .name = "lapic.id-and-version")
{
	uint32_t id = apic_read(APIC_ID), version = apic_read(APIC_VERSION);

	EXPECT_EQ(XAPIC_ID(id), CPUID1_INITIAL_APIC_ID(read_cpuid1()));
	EXPECT_EQ(id & ID_RESERVED, 0);
	EXPECT(VERSION(version) >= VERSION_INTEGRATED && VERSION(version) <= VERSION_MAX);
	EXPECT(VERSION_MAX_LVT(version) >= MAX_LVT_MIN);
	apic_write(APIC_VERSION, 0);
	EXPECT_EQ(apic_read(APIC_VERSION), version);
	metric("version", version);
}

/* Registers that are read-only are written.
 * Intel SDM v3, "Local APIC Register Address Map": PPR, ISR, TMR and IRR are "Read Only", the current count too. Must: as if
 * nothing had been written. */
SCENARIO(lapic_read_only, .name = "lapic.read-only-registers")
{
	static const uint32_t regs[] = { APIC_PPR, APIC_ISR, APIC_TMR, APIC_IRR, APIC_TIMER_CURRENT };

	lapic_listen(lapic_finish);
	for (unsigned i = 0; i < ARRAY_SIZE(regs); i++) {
		uint32_t old = apic_read(regs[i]);

		apic_write(regs[i], ~old);
		EXPECT_EQ(apic_read(regs[i]), old);
	}
	irq_open();
	EXPECT_EQ(arrivals.count, 0);
	lapic_send_and_take(V_MID);
	EXPECT_VECTORS(V_MID);
}

static uint32_t read_at(uint64_t base, uint32_t reg)
{
	uint32_t v;

	__asm__ volatile("movl (%1), %0" : "=a"(v) : "r"(base + reg) : "memory");
	return v;
}

static void write_at(uint64_t base, uint32_t reg, uint32_t val)
{
	__asm__ volatile("movl %0, (%1)" ::"a"(val), "r"(base + reg) : "memory");
}

/* The page is moved, used there, and moved back.
 * Intel SDM v3, "Relocating the Local APIC Registers": processors "permit the starting address of the APIC registers to be
 * relocated from FEE00000H to another physical address by modifying the value in the base address field". Must: the same
 * registers answer at the new place, an EOI there counts, and the old place is theirs again at the end. */
SCENARIO(lapic_relocate, .name = "lapic.base-relocation",
	 .xfails = { KVM_AMD_TPR,
		     BARE("bare-qemu*", "QEMU keeps the registers where they were") })
{
	uint64_t old = rdmsr(MSR_APIC_BASE);
	uint32_t tpr, isr_before, isr_after, isr = APIC_ISR + V_LOW / 32u * 16u;

	lapic_listen(lapic_stay);
	lapic_send_and_take(V_LOW);
	apic_write(APIC_TPR, V_HIGH);
	wrmsr(MSR_APIC_BASE, (old & ~APIC_BASE_ADDR) | NEW_BASE);
	tpr = read_at(NEW_BASE, APIC_TPR);
	isr_before = read_at(NEW_BASE, isr);
	write_at(NEW_BASE, APIC_EOI, 0);
	isr_after = read_at(NEW_BASE, isr);
	write_at(NEW_BASE, APIC_TPR, V_LOW);
	wrmsr(MSR_APIC_BASE, old);
	EXPECT_EQ(tpr, V_HIGH);
	EXPECT(isr_before);
	EXPECT_EQ(isr_after, 0);
	EXPECT_EQ(apic_read(APIC_TPR), V_LOW);
}

/* The APIC is disabled by its MSR with an interrupt pending, and enabled again.
 * Intel SDM v3, "Enabling or Disabling the Local APIC": "When IA32_APIC_BASE[11] is 0, the processor is functionally
 * equivalent to an IA-32 processor without an on-chip APIC. The CPUID feature flag for the APIC ... is also set to 0."
 * Must: the flag follows, nothing of the APIC's is delivered, and after enabling it works again. */
SCENARIO(lapic_global_disable, .name = "lapic.global-disable",
	 .xfails = { { RULE_ANY, MODE_SPLIT, VID_ANY, "kvm-*", "", "KVM keeps IRR while the local APIC is off" },
		     BARE("bare-qemu*", "a request that is no more asks the 8259: spurious IRQ7"),
		     BARE("bare-bochs*", "Bochs delivers the local APIC's vector while it is off") })
{
	uint64_t base = rdmsr(MSR_APIC_BASE);
	uint32_t while_off, after;

	lapic_listen(lapic_finish);
	apic_self_ipi(V_MID);
	wrmsr(MSR_APIC_BASE, base & ~APIC_BASE_EN);
	while_off = read_cpuid1().edx;
	irq_open();
	after = arrivals.count;
	wrmsr(MSR_APIC_BASE, base);
	EXPECT(!(while_off & CPUID1_EDX_APIC));
	EXPECT_EQ(after, 0);
	EXPECT(read_cpuid1().edx & CPUID1_EDX_APIC);
	svr(true);
	irq_open();
	arrivals_clear();
	lapic_send_and_take(V_HIGH);
	EXPECT_VECTORS(V_HIGH);
}
