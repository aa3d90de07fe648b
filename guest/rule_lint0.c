/* SPDX-License-Identifier: BSD-2-Clause
 * The rule, second part: LINT0 and the local APIC's switches, which decide whether the 8259 reaches the CPU at all.
 * Knows nothing of who goes first (rule.c). */
#include "known.h"
#include "rt.h"

#define LINE 5
#define IPI_VECTOR 0xe1
#define LVT0_EXTINT APIC_DM_FIELD(APIC_DM_EXTINT)
#define LVT0_EXTINT_ASM 0x700
#define TF_IF_MASK 0x300
#define LINT0_VECTOR 0x62
#define LOW_VECTOR 0x21 /* of a class that any ISR bit would block */
#define TPR_BLOCK_ALL 0xf0
#define SVR_DISABLED 0xff
#define REG_STRIDE 0x10

static const uint8_t extint = PIC_VECTOR(LINE);

SEQUENCE(seq_lint0_open,
	"	sti\n"
	"	nop\n"
	SEQ_LABEL(lint0_open)
	"	nop\n"
	"	cli\n");
extern const char lint0_open[];

static void line_ready(void)
{
	on_vector(extint, pic_handler);
	pic_unmask(LINE);
}

/* With IF=1 and time and exits enough, nothing has arrived and the 8259 was not acknowledged. */
static void expect_unserved(uint32_t count)
{
	irq_on();
	settle();
	irq_off();
	EXPECT_EQ(arrivals.count, count);
	EXPECT_EQ(pic_isr(false), 0);
	EXPECT_EQ(pic_irr(false) & BIT(LINE), BIT(LINE));
}

/* And now it arrives, once. */
static void expect_served_once(void)
{
	irq_on();
	settle();
	irq_off();
	EXPECT_EQ(arrivals_of(extint), 1);
	EXPECT_EQ(pic_isr(false), 0);
}

/* ---- LVT0 masked while INTR is high ---- */

/* SDM v3, "Local Vector Table", Mask: "(0) enables reception of the interrupt and (1) inhibits reception of the
 * interrupt." A masked LINT0 must not even acknowledge; unmasked with the line still high, the interrupt comes exactly
 * once, at the boundary behind the write. All rules: P=0 makes `accept` false, and the write that opens P exits. */
SEQUENCE_IO(seq_unmask_lvt0, /* esi, now eax: the address */
	"	mov %rax, %rcx\n"
	"	mov $" STR(LVT0_EXTINT_ASM) ", %eax\n" /* ExtINT, unmasked */
	"	sti\n"
	"	nop\n"
	"	mov %eax, (%rcx)\n"
	SEQ_LABEL(unmask_lvt0_next)
	"	nop\n"
	"	cli\n");
extern const char unmask_lvt0_next[];
_Static_assert(LVT0_EXTINT == LVT0_EXTINT_ASM, "for assembly");

SCENARIO(rule_lvt0_masked, .name = "rule.lvt0-masked-intr-high")
{
	line_ready();
	apic_write(APIC_LVT_LINT0, LVT0_EXTINT | APIC_LVT_MASKED);
	irq_on();
	lab_up(LINE);
	irq_off();
	expect_unserved(0);
	seq_unmask_lvt0(0, APIC_DEFAULT_PHYS + APIC_LVT_LINT0);
	EXPECT_ARRIVAL(0, extint, unmask_lvt0_next);
	settle();
	EXPECT_EQ(arrivals.count, 1);
}

/* ---- the stranded vector ---- */

/* LVT0 is masked after the 8259 was acknowledged and before the vector is injected. Behind STI;OUT the vCPU is ready;
 * OUT also raises an NMI, which takes the slot, and the stashed vector waits for IF. The NMI's handler masks LVT0.
 * The CPU may not take an ExtINT while LINT0 is masked, so nothing arrives; the vector cannot go back into the 8259,
 * whose ISR bit is set (stranded=1); unmasked, it arrives: exactly once in all.
 * Where the vector is not accepted before the NMI, the masked line is simply not acknowledged (stranded=0).
 * user: no stash; the mailbox is committed to the CPU, so the interrupt arrives before the NMI and before the mask. */
SEQUENCE_IO(seq_strand_nmi,
	"	sti\n"
	"	out %al, %dx\n"
	SEQ_LABEL(strand_nmi_next)
	"	nop\n"
	"	nop\n"
	"	cli\n");
extern const char strand_nmi_next[];

static void mask_lvt0(struct frame *f)
{
	f->rflags &= ~RFLAGS_TF;
	apic_write(APIC_LVT_LINT0, LVT0_EXTINT | APIC_LVT_MASKED);
}

static void strand_verdict(void)
{
	irq_on();
	settle();
	irq_off();
	if (env.mode == MODE_SPLIT)
		EXPECT_EQ(arrivals_of(extint), 0);
	metric("stranded", !arrivals_of(extint) && pic_isr(false) & BIT(LINE));
	apic_write(APIC_LVT_LINT0, LVT0_EXTINT);
	expect_served_once();
}

SCENARIO(rule_stranded_nmi, .name = "rule.stranded-by-nmi")
{
	line_ready();
	on_vector(VEC_NMI, mask_lvt0);
	lab_up(LINE);
	seq_strand_nmi(LAB_NMI, 1);
	EXPECT_EQ(arrivals_of(VEC_NMI), 1);
	strand_verdict();
}

/* The same by an exception: OUT raises the line with TF=1, so that the hypervisor that skips OUT owes a #DB.
 * legacy, stash: `ready` does not look at it: the vector is stashed, #DB goes first: stranded=1.
 * boundary, rearm: not ready while an exception is owed: stranded=0.
 * Exactly once in all under each of them. */
SEQUENCE_IO(seq_strand_db,
	"	pushfq\n"
	"	orq $" STR(TF_IF_MASK) ", (%rsp)\n" /* TF, IF */
	"	popfq\n"
	"	out %ax, %dx\n"
	SEQ_LABEL(strand_db_next)
	"	nop\n"
	"	nop\n"
	"	cli\n");
extern const char strand_db_next[];
_Static_assert((RFLAGS_TF | RFLAGS_IF) == TF_IF_MASK, "for assembly");

SCENARIO(rule_stranded_db, .name = "rule.stranded-by-exception", .modes = MODE_SPLIT,
	 .skip = "no stash: see user.accept-during-exception",
	 .xfails = { { RULE_LEGACY, MODE_SPLIT, VID_ANY, "kvm-*", "", "KVM does not look at its stash when LVT0 is unmasked" } })
{
	line_ready();
	on_vector(VEC_DB, mask_lvt0);
	seq_strand_db(LAB_UP, BIT(LINE));
	EXPECT_EQ(arrivals_of(VEC_DB), 1);
	EXPECT_EQ(arrivals.log[0].rip, (uint64_t)strand_db_next);
	strand_verdict();
}

/* ---- LVT0 in other delivery modes ---- */

/* SDM v3, "Local Vector Table", Delivery Mode: Fixed "delivers the interrupt specified in the vector field", NMI
 * "delivers an NMI interrupt to the processor"; only ExtINT makes the CPU run INTA cycles. So the 8259 is never
 * acknowledged, and one edge is one interrupt. user: our user half has both ends of the wire. split: it looks at LVT0 when the
 * 8259's output rises. Back in ExtINT mode, the request that is still in the 8259 is served once. All rules: P=0 meanwhile. */
static void lvt0_mode(uint32_t lvt, uint8_t vector)
{
	line_ready();
	apic_write(APIC_LVT_LINT0, lvt);
	irq_on();
	lab_up(LINE);
	irq_off();
	expect_unserved(1);
	EXPECT_EQ(arrivals_of(vector), 1);
	apic_write(APIC_LVT_LINT0, LVT0_EXTINT);
	expect_served_once();
	EXPECT_EQ(arrivals_of(vector), 1);
}

SCENARIO(rule_lvt0_fixed, .name = "rule.lvt0-fixed")
{
	on_vector(LINT0_VECTOR, apic_handler);
	lvt0_mode(LINT0_VECTOR | APIC_DM_FIELD(APIC_DM_FIXED), LINT0_VECTOR);
}

SCENARIO(rule_lvt0_nmi, .name = "rule.lvt0-nmi")
{
	on_vector(VEC_NMI, empty_handler);
	lvt0_mode(APIC_DM_FIELD(APIC_DM_NMI), VEC_NMI);
}

/* ---- the APIC's own switches ---- */

/* SDM v3, "Local APIC State After It Has Been Software Disabled": "The mask bits for all the LVT entries are set.
 * Attempts to reset these bits will be ignored." So ExtINT is masked too, and stays so when SVR enables again. */
SCENARIO(rule_software_disabled, .name = "rule.apic-software-disabled",
	 .xfails = { QEMU_LVT_OPEN })
{
	line_ready();
	apic_write(APIC_SVR, SVR_DISABLED);
	apic_write(APIC_LVT_LINT0, LVT0_EXTINT);
	EXPECT_EQ(apic_read(APIC_LVT_LINT0) & APIC_LVT_MASKED, APIC_LVT_MASKED);
	irq_on();
	lab_up(LINE);
	irq_off();
	expect_unserved(0);
	apic_write(APIC_SVR, SVR_DISABLED | APIC_SVR_ENABLE);
	expect_unserved(0);
	apic_write(APIC_LVT_LINT0, LVT0_EXTINT);
	expect_served_once();
}

/* SDM v3, "Enabling or Disabling the Local APIC": with IA32_APIC_BASE[11]=0 "the processor is functionally equivalent to
 * an IA-32 processor without an on-chip APIC": the 8259 drives INTR itself, LVT0 or not. */
SEQUENCE_IO(seq_no_apic,
	"	sti\n"
	"	nop\n"
	"	out %ax, %dx\n"
	SEQ_LABEL(no_apic_next)
	"	nop\n"
	"	cli\n");
extern const char no_apic_next[];

SCENARIO(rule_hardware_disabled, .name = "rule.apic-hardware-disabled")
{
	line_ready();
	apic_write(APIC_LVT_LINT0, LVT0_EXTINT | APIC_LVT_MASKED);
	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) & ~APIC_BASE_EN);
	seq_no_apic(LAB_UP, BIT(LINE));
	EXPECT_ARRIVAL(0, extint, no_apic_next);
	EXPECT_EQ(arrivals.count, 1);
}

/* ---- ExtINT passes the local APIC by ---- */

/* SDM v3, "Handling Interrupts": an interrupt that is "NMI, SMI, INIT, ExtINT, or SIPI [...] is sent directly to the
 * processor core for handling": TPR=0xf0 holds back every fixed vector and no ExtINT. */
SCENARIO(rule_tpr, .name = "rule.tpr-does-not-gate")
{
	uint8_t vector;

	on_vector(IPI_VECTOR, apic_handler);
	apic_write(APIC_TPR, TPR_BLOCK_ALL);
	apic_self_ipi(IPI_VECTOR);
	vector = irq_pend();
	seq_lint0_open();
	EXPECT_ARRIVAL(0, vector, lint0_open);
	EXPECT_EQ(arrivals.count, 1);
	EXPECT_EQ(apic_read(APIC_PPR), TPR_BLOCK_ALL);
	apic_write(APIC_TPR, 0);
	seq_lint0_open();
	EXPECT_ARRIVAL(1, IPI_VECTOR, lint0_open);
}

/* The same sentence: not recorded in IRR or ISR, PPR unchanged, and SDM v3, "Signaling Interrupt Servicing
 * Completion": an EOI is due "for all interrupts except those delivered with the NMI, SMI, INIT, ExtINT" mode. A fixed
 * vector of the lowest class nests in the handler, which an ISR bit would forbid. */
static volatile uint32_t isr_seen, ppr_seen;

static void look_at_isr(struct frame *f)
{
	for (uint32_t reg = APIC_ISR; reg < APIC_TMR; reg += REG_STRIDE)
		isr_seen |= apic_read(reg);
	ppr_seen = apic_read(APIC_PPR);
	apic_self_ipi(LOW_VECTOR);
	seq_lint0_open();
	pic_handler(f);
}

SCENARIO(rule_no_isr, .name = "rule.extint-sets-no-isr")
{
	uint8_t vector = irq_pend();

	isr_seen = ppr_seen = 0;
	on_vector(vector, look_at_isr);
	on_vector(LOW_VECTOR, apic_handler);
	seq_lint0_open();
	EXPECT_EQ(isr_seen, 0);
	EXPECT_EQ(ppr_seen, 0);
	EXPECT_EQ(arrivals.count, 2);
	EXPECT_ARRIVAL(0, vector, lint0_open);
	EXPECT_ARRIVAL(1, LOW_VECTOR, lint0_open);
}
