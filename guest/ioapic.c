/* SPDX-License-Identifier: BSD-2-Clause
 * Scenarios of the I/O APIC: registers, edges, levels with Remote IRR and EOI, destinations and delivery modes.
 * Knows nothing of local APICs beyond IRR, ISR and EOI: that is lapic.c's subject. The pins are 16 to 23, which have no
 * 8259 input, unless a scenario is about the others. No scenario differs by rule or by irqchip mode. */
#include "ioapic_regs.h"
#include "known.h"

#define XAPIC_ID(reg) GET_FIELD(31, 24, reg)
#define LOGICAL_ID(id) ((uint32_t)FIELD(31, 24, id))
#define TMR_WORD(v) (APIC_TMR + (v) / 32u * 16u)
#define VECTOR_BIT(v) BIT((v) % 32u)
#define DFR_FLAT ((uint32_t)MASK(31, 0))
#define DFR_CLUSTER ((uint32_t)MASK(27, 0))

enum { PINS = 24, VERSION_WITH_EOI_REGISTER = 0x20 };
enum { PIN_A = 16, PIN_B = 17, PIN_ISA = 5, PIN_TIMER = 2 };
enum { VECTOR_A = 0x51, VECTOR_B = 0x62, VECTOR_ILLEGAL = 0x0f };
enum { BROADCAST = 0xff, FLAT_SELF = 0x04, FLAT_OTHERS = 0xf8, FLAT_SOME = 0x0c };
enum { CLUSTER_SELF = 0x22, CLUSTER_WITH_SELF = 0x2f, CLUSTER_OTHERS = 0x2d, CLUSTER_OTHER = 0x32 };
enum { REPEATS = 3, STORM = 1000 };
enum { SOME_MS = 5, LONG_MS = 2000, TICKS = 10, PIT_COUNT = 5966 };

static void pin_up(unsigned pin) { outw(LAB_IOAPIC_UP, (uint16_t)pin); }
static void pin_down(unsigned pin) { outw(LAB_IOAPIC_DOWN, (uint16_t)pin); }
static uint8_t apic_id(void) { return (uint8_t)XAPIC_ID(apic_read(APIC_ID)); }
static uint64_t self(void) { return RTE_DEST(apic_id()); }
static bool remote_irr(unsigned pin) { return ioapic_rte(pin) & RTE_REMOTE_IRR; }

static void write_eoi_register(uint8_t vector)
{
	__asm__ volatile("movl %0, (%1)" ::"a"((uint32_t)vector), "r"(EOI_REGISTER) : "memory");
}

static void stay(struct frame *f) { (void)f; }

static void finish(struct frame *f)
{
	(void)f;
	apic_eoi();
}

static void finish_at_pic(struct frame *f) { pic_eoi((unsigned)f->vector - PIC_VECTOR(0)); }

static uint32_t drop_after; /* arrivals */
static unsigned drop_pin;

static void finish_and_drop(struct frame *f)
{
	if (arrivals_of((uint8_t)f->vector) >= drop_after)
		pin_down(drop_pin);
	apic_eoi();
}

static void drop_pin_after(unsigned pin, uint32_t n)
{
	drop_pin = pin;
	drop_after = n;
}

/* Edge-triggered, fixed, to this CPU, with flags on top. */
static void route(unsigned pin, uint8_t vector, uint64_t flags, handler_fn *fn)
{
	on_vector(vector, fn);
	ioapic_route(pin, RTE_VECTOR(vector) | self() | flags);
}

/* ---- registers ---- */

/* 82093AA data sheet, "IOAPIC Identification Register": "IOAPIC Identification—R/W. This 4 bit field contains the IOAPIC
 * identification." "Version Register": "Maximum Redirection Entry—RO. ... The value is equal to the number of interrupt
 * input pins for the IOAPIC minus one." Must: four ID bits stick, the others read 0; 24 pins. */
SCENARIO(ioapic_id_version, .name = "ioapic.id-and-version",
	 .xfails = { BARE("bare-bochs*", "Bochs' ID has eight bits") })
{
	uint32_t old = ioapic_read_reg(REG_ID), all, one;

	ioapic_write_reg(REG_ID, (uint32_t)MASK(31, 0));
	all = ioapic_read_reg(REG_ID);
	ioapic_write_reg(REG_ID, ID(1));
	one = ioapic_read_reg(REG_ID);
	ioapic_write_reg(REG_ID, old);
	EXPECT_EQ(all, ID_FIELD);
	EXPECT_EQ(one, ID(1));
	EXPECT_EQ(VERSION_MAX_ENTRY(ioapic_read_reg(REG_VERSION)), PINS - 1);
	metric("version", VERSION(ioapic_read_reg(REG_VERSION)));
}

/* Ones are written to every bit of an entry, then zeros to all but the mask.
 * 82093AA data sheet, "I/O Redirection Table Registers": Remote IRR and Delivery Status are "RO", bits 55:17 reserved.
 * Must: the writable bits read back, the others 0. */
SCENARIO(ioapic_rte_bits, .name = "ioapic.entry-reads-back",
	 .xfails = { BARE("bare-*", "reserved bits of an entry are kept") })
{
	ioapic_route(PIN_A, MASK(63, 0));
	EXPECT_EQ(ioapic_rte(PIN_A), RTE_WRITABLE);
	ioapic_route(PIN_A, RTE_MASKED);
	EXPECT_EQ(ioapic_rte(PIN_A), RTE_MASKED);
}

/* ---- edge ---- */

/* 82093AA data sheet, "Trigger Mode": "1=Level sensitive, 0=Edge sensitive." Must: one interrupt per rise of the pin,
 * none for the fall and none for staying high. */
SCENARIO(ioapic_edge, .name = "ioapic.edge-once-per-rise")
{
	route(PIN_A, VECTOR_A, 0, finish);
	pin_up(PIN_A);
	irq_open();
	EXPECT_EQ(arrivals_of(VECTOR_A), 1);
	pin_up(PIN_A);
	irq_open();
	pin_down(PIN_A);
	irq_open();
	EXPECT_EQ(arrivals_of(VECTOR_A), 1);
	pin_up(PIN_A);
	irq_open();
	EXPECT_EQ(arrivals_of(VECTOR_A), 2);
	EXPECT(!remote_irr(PIN_A));
}

/* With IF=1 it comes without anything else having to happen first, whoever delivers it: software, the CPU out of IRR, or the CPU out
 * of the posted-interrupt descriptor, which on Bochs takes one more instruction. */
SEQUENCE_IO(seq_edge_if1,
	"	sti\n"
	"	nop\n"
	"	out %ax, %dx\n"
	SEQ_LABEL(edge_if1_next)
	"	nop\n"
	"	nop\n"
	"	nop\n"
	"	cli\n");
extern const char edge_if1_next[];

SCENARIO(ioapic_edge_if1, .name = "ioapic.edge-if1")
{
	const uint64_t one = 1; /* the length of NOP */

	route(PIN_A, VECTOR_A, 0, finish);
	seq_edge_if1(LAB_IOAPIC_UP, PIN_A);
	EXPECT_EQ(arrivals_of(VECTOR_A), 1);
	EXPECT(arrivals.log[0].rip - (uint64_t)edge_if1_next <= one);
}

/* The line is gone again when IF opens.
 * An edge is a message once the local APIC has it: unlike at the 8259 nothing withdraws it. Must: delivered. */
SCENARIO(ioapic_edge_kept, .name = "ioapic.edge-not-withdrawn")
{
	route(PIN_A, VECTOR_A, 0, finish);
	pin_up(PIN_A);
	pin_down(PIN_A);
	EXPECT(apic_irr_bit(VECTOR_A));
	irq_open();
	EXPECT_EQ(arrivals_of(VECTOR_A), 1);
}

/* A masked pin rises, is unmasked while high, and rises again.
 * 82093AA data sheet, "Interrupt Mask": "Edge-sensitive interrupts signaled on a masked interrupt pin are ignored (i.e., not
 * delivered or held pending)." Must: the first edge is lost, the second one arrives. */
SCENARIO(ioapic_edge_masked, .name = "ioapic.masked-edge-is-lost")
{
	route(PIN_A, VECTOR_A, RTE_MASKED, finish);
	pin_up(PIN_A);
	route(PIN_A, VECTOR_A, 0, finish);
	irq_open();
	EXPECT_EQ(arrivals.count, 0);
	pin_down(PIN_A);
	pin_up(PIN_A);
	irq_open();
	EXPECT_EQ(arrivals_of(VECTOR_A), 1);
}

/* Two edges while IF=0.
 * Intel SDM v3, "Interrupt Acceptance for Fixed Interrupts": "Any additional interrupts issued for the same interrupt
 * vector are collapsed into the single bit in the IRR." Must: one. */
SCENARIO(ioapic_edge_collapse, .name = "ioapic.edges-collapse-in-irr")
{
	route(PIN_A, VECTOR_A, 0, finish);
	for (int i = 0; i < REPEATS; i++) {
		pin_up(PIN_A);
		pin_down(PIN_A);
	}
	irq_open();
	EXPECT_EQ(arrivals_of(VECTOR_A), 1);
}

/* The entry is masked after the local APIC has the interrupt.
 * 82093AA data sheet, "Interrupt Mask": "Changing the mask bit from unmasked to masked after the interrupt is accepted by a
 * local APIC has no effect on that interrupt." Must: delivered, edge and level. */
SCENARIO(ioapic_mask_after, .name = "ioapic.mask-after-acceptance")
{
	route(PIN_A, VECTOR_A, 0, finish);
	route(PIN_B, VECTOR_B, RTE_LEVEL, finish);
	pin_up(PIN_A);
	pin_up(PIN_B);
	route(PIN_A, VECTOR_A, RTE_MASKED, finish);
	route(PIN_B, VECTOR_B, RTE_LEVEL | RTE_MASKED, finish);
	irq_open();
	EXPECT_EQ(arrivals_of(VECTOR_A), 1);
	EXPECT_EQ(arrivals_of(VECTOR_B), 1);
	EXPECT(!remote_irr(PIN_B));
}

/* ---- level ---- */

/* A level is delivered, the device withdraws it, then comes the EOI.
 * 82093AA data sheet, "Remote IRR": "this bit is set to 1 when local APIC(s) accept the level interrupt sent by the IOAPIC.
 * The Remote IRR bit is set to 0 when an EOI message with a matching interrupt vector is received from a local APIC."
 * Intel SDM v3, "Interrupt Acceptance for Fixed Interrupts": TMR is "set for level-triggered interrupts". */
SCENARIO(ioapic_level, .name = "ioapic.level-remote-irr")
{
	route(PIN_A, VECTOR_A, RTE_LEVEL, stay);
	EXPECT(!remote_irr(PIN_A));
	pin_up(PIN_A);
	EXPECT(remote_irr(PIN_A));
	irq_open();
	EXPECT_EQ(arrivals_of(VECTOR_A), 1);
	EXPECT(remote_irr(PIN_A));
	EXPECT(apic_read(TMR_WORD(VECTOR_A)) & VECTOR_BIT(VECTOR_A));
	pin_down(PIN_A);
	EXPECT(remote_irr(PIN_A));
	apic_eoi();
	EXPECT(!remote_irr(PIN_A));
	irq_open();
	EXPECT_EQ(arrivals_of(VECTOR_A), 1);
}

/* The pin stays high through two EOIs and falls before the third.
 * 82093AA data sheet, as above: a level that is still there when Remote IRR is cleared is sent again. Must: three. */
SCENARIO(ioapic_level_again, .name = "ioapic.level-again-after-eoi")
{
	drop_pin_after(PIN_A, REPEATS);
	route(PIN_A, VECTOR_A, RTE_LEVEL, finish_and_drop);
	pin_up(PIN_A);
	irq_open();
	EXPECT_EQ(arrivals_of(VECTOR_A), REPEATS);
	EXPECT(!remote_irr(PIN_A));
}

/* The same a thousand times: every EOI must bring exactly one interrupt. */
SCENARIO(ioapic_level_storm, .name = "ioapic.level-storm", .deadline_ms = 20000)
{
	drop_pin_after(PIN_A, STORM);
	route(PIN_A, VECTOR_A, RTE_LEVEL, finish_and_drop);
	pin_up(PIN_A);
	irq_on();
	EXPECT(SPIN_UNTIL(arrivals_of(VECTOR_A) >= STORM, 8 * LONG_MS));
	(void)SPIN_UNTIL(false, SOME_MS);
	irq_off();
	EXPECT_EQ(arrivals_of(VECTOR_A), STORM);
	metric("interrupts", arrivals_of(VECTOR_A));
}

/* While the interrupt is in service the line falls and rises.
 * 82093AA data sheet, "Remote IRR", as above: no second message before the EOI. Must: IRR stays clear; one interrupt after
 * the EOI, for the line is high. */
SCENARIO(ioapic_level_in_flight, .name = "ioapic.level-not-sent-twice")
{
	route(PIN_A, VECTOR_A, RTE_LEVEL, stay);
	pin_up(PIN_A);
	irq_open();
	pin_down(PIN_A);
	pin_up(PIN_A);
	EXPECT(!apic_irr_bit(VECTOR_A));
	irq_open();
	EXPECT_EQ(arrivals_of(VECTOR_A), 1);
	apic_eoi();
	pin_down(PIN_A);
	irq_open();
	EXPECT_EQ(arrivals_of(VECTOR_A), 2);
}

/* A masked level-sensitive pin is high when it is unmasked.
 * 82093AA data sheet, "Interrupt Mask": "Level-asserts or negates occurring on a masked level-sensitive pin are also ignored
 * and have no side effects"; "An edge or level on an interrupt pin that is not masked results in the delivery". Must:
 * nothing while masked; delivered at the unmasking, for the level is there. */
SCENARIO(ioapic_level_masked, .name = "ioapic.masked-level-comes-on-unmask")
{
	route(PIN_A, VECTOR_A, RTE_LEVEL | RTE_MASKED, finish);
	pin_up(PIN_A);
	irq_open();
	EXPECT_EQ(arrivals.count, 0);
	EXPECT(!remote_irr(PIN_A));
	drop_pin_after(PIN_A, 1);
	route(PIN_A, VECTOR_A, RTE_LEVEL, finish_and_drop);
	irq_open();
	EXPECT_EQ(arrivals_of(VECTOR_A), 1);
}

/* The level came and went while masked. Must: nothing at the unmasking. */
SCENARIO(ioapic_level_masked_gone, .name = "ioapic.masked-level-withdrawn")
{
	route(PIN_A, VECTOR_A, RTE_LEVEL | RTE_MASKED, finish);
	pin_up(PIN_A);
	pin_down(PIN_A);
	route(PIN_A, VECTOR_A, RTE_LEVEL, finish);
	irq_open();
	EXPECT_EQ(arrivals.count, 0);
}

/* The entry is masked while its interrupt is in service and the line is high; EOI, then unmask.
 * Linux does this to threaded interrupts. Must: EOI clears Remote IRR, nothing comes while masked, one after. */
SCENARIO(ioapic_level_mask_in_service, .name = "ioapic.level-masked-in-service")
{
	route(PIN_A, VECTOR_A, RTE_LEVEL, stay);
	pin_up(PIN_A);
	irq_open();
	route(PIN_A, VECTOR_A, RTE_LEVEL | RTE_MASKED, stay);
	apic_eoi();
	EXPECT(!remote_irr(PIN_A));
	irq_open();
	EXPECT_EQ(arrivals_of(VECTOR_A), 1);
	drop_pin_after(PIN_A, 2);
	route(PIN_A, VECTOR_A, RTE_LEVEL, finish_and_drop);
	irq_open();
	EXPECT_EQ(arrivals_of(VECTOR_A), 2);
}

/* Two level-triggered pins have one vector and are both high; the handler quiets the first pin only.
 * Intel I/O Controller Hub data sheet, "EOI Register": "If multiple I/O Redirection entries, for any reason, assign the same
 * vector for more than one interrupt input, each of those entries will have the Remote_IRR bit reset to 0. The interrupt
 * which was prematurely reset will not be lost because if its input remained active when the Remote_IRR bit is cleared,
 * the interrupt will be reissued and serviced at a later time." Must: two interrupts, then none. */
SCENARIO(ioapic_shared_vector, .name = "ioapic.two-pins-one-vector")
{
	route(PIN_A, VECTOR_A, RTE_LEVEL, stay);
	route(PIN_B, VECTOR_A, RTE_LEVEL, stay);
	pin_up(PIN_A);
	pin_up(PIN_B);
	EXPECT(remote_irr(PIN_A) && remote_irr(PIN_B));
	irq_open();
	EXPECT_EQ(arrivals_of(VECTOR_A), 1);
	pin_down(PIN_A);
	apic_eoi();
	EXPECT(!remote_irr(PIN_A));
	EXPECT(remote_irr(PIN_B)); /* cleared, and set by being sent again */
	irq_open();
	EXPECT_EQ(arrivals_of(VECTOR_A), 2);
	pin_down(PIN_B);
	apic_eoi();
	EXPECT(!remote_irr(PIN_B));
	irq_open();
	EXPECT_EQ(arrivals_of(VECTOR_A), 2);
}

/* ---- EOI ---- */

static void need_eoi_register(void)
{
	if (VERSION(ioapic_read_reg(REG_VERSION)) < VERSION_WITH_EOI_REGISTER)
		skip("an I/O APIC below version 0x20 has no EOI register");
}

/* The local APIC is told not to broadcast.
 * Intel SDM v3, "Spurious-Interrupt Vector Register": "EOI-Broadcast Suppression: Determines whether an EOI for a
 * level-triggered interrupt causes EOI messages to be broadcast to the I/O APICs (0) or not (1)." "Directed EOI": software
 * then writes "the I/O APIC's EOI register". Must: the LAPIC's EOI leaves Remote IRR, the register's write clears it and the
 * level comes again. (KVM's split irqchip is known to broadcast all the same, unless told otherwise.) */
SCENARIO(ioapic_directed_eoi, .name = "ioapic.directed-eoi",
	 .xfails = { { RULE_ANY, MODE_SPLIT, VID_ANY, "kvm-amd-6.*,kvm-intel*", "", "KVM shows directed EOI and broadcasts nevertheless" } })
{
	need_eoi_register();
	if (!(apic_read(APIC_VERSION) & APIC_VERSION_DIRECTED_EOI))
		skip("the local APIC cannot suppress EOI broadcasts");
	apic_write(APIC_SVR, apic_read(APIC_SVR) | APIC_SVR_DIRECTED_EOI);
	route(PIN_A, VECTOR_A, RTE_LEVEL, stay);
	pin_up(PIN_A);
	irq_open();
	apic_eoi();
	EXPECT(remote_irr(PIN_A));
	irq_open();
	EXPECT_EQ(arrivals_of(VECTOR_A), 1);
	write_eoi_register(VECTOR_A);
	irq_open();
	EXPECT_EQ(arrivals_of(VECTOR_A), 2);
	pin_down(PIN_A);
	apic_eoi();
	write_eoi_register(VECTOR_A);
	EXPECT(!remote_irr(PIN_A));
}

/* The EOI register is written with another vector, then with the pin's.
 * Intel I/O Controller Hub data sheet, "EOI Register": "the I/O APIC will check the lower 8 bits written to this register,
 * and compare it with the vector field for each entry in the I/O Redirection Table. When a match is found, the Remote_IRR
 * bit for that I/O Redirection Entry will be cleared." */
SCENARIO(ioapic_eoi_register, .name = "ioapic.eoi-register-matches-vector")
{
	need_eoi_register();
	route(PIN_A, VECTOR_A, RTE_LEVEL, stay);
	pin_up(PIN_A);
	pin_down(PIN_A);
	write_eoi_register(VECTOR_B);
	EXPECT(remote_irr(PIN_A));
	write_eoi_register(VECTOR_A);
	EXPECT(!remote_irr(PIN_A));
}

/* The entry gets another vector while its interrupt is in service.
 * 82093AA data sheet, "Remote IRR": cleared by "an EOI message with a matching interrupt vector". Must: the EOI of the old
 * vector does not match, Remote IRR stays, nothing more is sent; the EOI register with the new vector frees the pin. */
SCENARIO(ioapic_vector_change, .name = "ioapic.vector-changed-in-service")
{
	need_eoi_register();
	route(PIN_A, VECTOR_A, RTE_LEVEL, stay);
	pin_up(PIN_A);
	irq_open();
	route(PIN_A, VECTOR_B, RTE_LEVEL, stay);
	EXPECT(remote_irr(PIN_A));
	apic_eoi();
	EXPECT(remote_irr(PIN_A));
	irq_open();
	EXPECT_EQ(arrivals_of(VECTOR_B), 0);
	write_eoi_register(VECTOR_B);
	irq_open();
	EXPECT_EQ(arrivals_of(VECTOR_B), 1);
}

/* The entry of an interrupt in service is switched to edge and back.
 * 82093AA data sheet, "Remote IRR": "Its meaning is undefined for edge triggered interrupts." Chipsets, KVM and QEMU clear it,
 * and Linux relies on that where there is no EOI register. Must: Remote IRR is clear, and the level is sent again. */
SCENARIO(ioapic_edge_and_back, .name = "ioapic.switch-to-edge-clears-remote-irr")
{
	route(PIN_A, VECTOR_A, RTE_LEVEL, stay);
	pin_up(PIN_A);
	irq_open();
	EXPECT(remote_irr(PIN_A));
	route(PIN_A, VECTOR_A, RTE_MASKED, stay);
	route(PIN_A, VECTOR_A, RTE_LEVEL | RTE_MASKED, stay);
	EXPECT(!remote_irr(PIN_A));
	route(PIN_A, VECTOR_A, RTE_LEVEL, stay);
	EXPECT(remote_irr(PIN_A));
	apic_eoi();
	pin_down(PIN_A);
	irq_open();
	EXPECT_EQ(arrivals_of(VECTOR_A), 2);
}

/* ---- delivery modes ---- */

/* 82093AA data sheet, "Delivery Mode": "NMI: Deliver the signal on the NMI signal of all processor cores listed in the
 * destination. Vector information is ignored." Must: vector 2, with IF=0, no IRR bit. */
SCENARIO(ioapic_nmi, .name = "ioapic.nmi")
{
	on_vector(VEC_NMI, stay);
	route(PIN_A, VECTOR_A, RTE_MODE(APIC_DM_NMI), finish);
	pin_up(PIN_A);
	EXPECT_EQ(arrivals_of(VEC_NMI), 1);
	EXPECT(!apic_irr_bit(VECTOR_A));
	irq_open();
	EXPECT_EQ(arrivals.count, 1);
}

/* 82093AA data sheet, "Delivery Mode": "Lowest Priority: Deliver the signal on the INTR signal of the processor core that is
 * executing at the lowest priority among all the processors listed in the specified destination." Must: this one, for
 * there is one, whatever its TPR. */
SCENARIO(ioapic_lowest, .name = "ioapic.lowest-priority")
{
	route(PIN_A, VECTOR_A, RTE_MODE(APIC_DM_LOWEST), finish);
	apic_write(APIC_TPR, VECTOR_B);
	pin_up(PIN_A);
	EXPECT(apic_irr_bit(VECTOR_A));
	apic_write(APIC_TPR, 0);
	irq_open();
	EXPECT_EQ(arrivals_of(VECTOR_A), 1);
}

/* A pin is programmed as ExtINT, though no 8259 is behind it.
 * 82093AA data sheet, "Delivery Mode": "The INTA cycle that corresponds to this ExtINT delivery is routed to the external
 * controller that is expected to supply the vector." Must: the entry's own vector never appears. (KVM drops such messages
 * and so does Intack; with INTR low at the 8259 there is nothing to deliver in any case.) */
SCENARIO(ioapic_extint, .name = "ioapic.extint-has-no-vector")
{
	route(PIN_A, VECTOR_A, RTE_MODE(APIC_DM_EXTINT), finish);
	pin_up(PIN_A);
	EXPECT(!apic_irr_bit(VECTOR_A));
	irq_open();
	EXPECT_EQ(arrivals_of(VECTOR_A), 0);
}

/* An entry holds a vector below 16.
 * Intel SDM v3, "Error Handling", Receive Illegal Vector: "Such interrupts are not delivered to the processor; the local
 * APIC will never set an IRR bit in the range 0 to 15." Must: the ESR says so, nothing else happens. */
SCENARIO(ioapic_illegal_vector, .name = "ioapic.illegal-vector",
	 .xfails = { KVM_NO_ESR })
{
	route(PIN_A, VECTOR_ILLEGAL, 0, finish);
	pin_up(PIN_A);
	irq_open();
	EXPECT_EQ(arrivals.count, 0);
	apic_write(APIC_ESR, 0);
	EXPECT_EQ(apic_read(APIC_ESR), APIC_ESR_RECV_ILLEGAL);
}

/* ---- destinations ---- */

static void expect_reached(uint64_t destination, uint32_t want)
{
	arrivals_clear();
	on_vector(VECTOR_A, finish);
	ioapic_route(PIN_A, RTE_VECTOR(VECTOR_A) | destination);
	pin_up(PIN_A);
	irq_open();
	pin_down(PIN_A);
	EXPECT_EQ(arrivals_of(VECTOR_A), want);
}

/* 82093AA data sheet, "Destination Field": "If the Destination Mode of this entry is Physical Mode ..., bits [59:56] contain
 * an APIC ID." Later I/O APICs take all eight bits. Intel SDM v3, "Physical Destination Mode": the ID FFH is a broadcast to
 * all APICs. Must: own ID and broadcast yes, another ID no. */
SCENARIO(ioapic_physical, .name = "ioapic.physical-destination")
{
	expect_reached(self(), 1);
	expect_reached(RTE_DEST(apic_id() + 1), 0);
	expect_reached(RTE_DEST(BROADCAST), 1);
}

/* Intel SDM v3, "Logical Destination Mode", flat model: the APIC "performs a bit-wise AND of the MDA and logical APIC ID"
 * and accepts "if a true condition is detected". */
SCENARIO(ioapic_logical_flat, .name = "ioapic.logical-flat")
{
	apic_write(APIC_DFR, DFR_FLAT);
	apic_write(APIC_LDR, LOGICAL_ID(FLAT_SELF));
	expect_reached(RTE_LOGICAL | RTE_DEST(FLAT_SELF), 1);
	expect_reached(RTE_LOGICAL | RTE_DEST(FLAT_SOME), 1);
	expect_reached(RTE_LOGICAL | RTE_DEST(FLAT_OTHERS), 0);
	expect_reached(RTE_LOGICAL | RTE_DEST(BROADCAST), 1);
}

/* Intel SDM v3, "Logical Destination Mode", cluster model: the upper four bits of the MDA hold "the encoded address of the
 * destination cluster", the lower four "identify up to four local APICs within the cluster". */
SCENARIO(ioapic_logical_cluster, .name = "ioapic.logical-cluster")
{
	apic_write(APIC_DFR, DFR_CLUSTER);
	apic_write(APIC_LDR, LOGICAL_ID(CLUSTER_SELF));
	expect_reached(RTE_LOGICAL | RTE_DEST(CLUSTER_SELF), 1);
	expect_reached(RTE_LOGICAL | RTE_DEST(CLUSTER_WITH_SELF), 1);
	expect_reached(RTE_LOGICAL | RTE_DEST(CLUSTER_OTHERS), 0);
	expect_reached(RTE_LOGICAL | RTE_DEST(CLUSTER_OTHER), 0);
	expect_reached(RTE_LOGICAL | RTE_DEST(BROADCAST), 1);
	apic_write(APIC_DFR, DFR_FLAT);
}

/* ---- with the rest of the PC ---- */

/* Two pins rise while IF=0, the one with the lower vector first.
 * 82093AA data sheet: "Unlike IRQ pins of the 8259A, the notion of interrupt priority is completely unrelated to the position
 * of the physical interrupt input signal on the APIC. Instead, software determines the vector (and therefore the priority)
 * for each corresponding interrupt input signal." Must: the higher vector first. */
SCENARIO(ioapic_priority, .name = "ioapic.priority-is-the-vector")
{
	route(PIN_A, VECTOR_A, 0, finish);
	route(PIN_B, VECTOR_B, 0, finish);
	pin_up(PIN_A);
	pin_up(PIN_B);
	irq_open();
	EXPECT_EQ(arrivals.count, 2);
	EXPECT_EQ(arrivals.log[0].vector, VECTOR_B);
	EXPECT_EQ(arrivals.log[1].vector, VECTOR_A);
}

/* An ISA line reaches the 8259 and the I/O APIC.
 * Intel I/O Controller Hub data sheet, "APIC Interrupt Mapping": IRQ5 is pin 5. Must: with the 8259 masked it arrives by the
 * pin; with the pin masked by the 8259; with both open by both, once each.
 * legacy with VID: the last is an ExtINT and a vector in the local APIC at one window, as rule.vid-window-request. */
SCENARIO(ioapic_isa_line, .name = "ioapic.isa-line-reaches-both",
	 .xfails = { { RULE_LEGACY, MODE_SPLIT, VID_ON, NULL, "livelock", "the window blocks virtual delivery" } })
{
	route(PIN_ISA, VECTOR_A, 0, finish);
	lab_up(PIN_ISA);
	irq_open();
	EXPECT_EQ(arrivals_of(VECTOR_A), 1);
	EXPECT_EQ(arrivals.count, 1);
	lab_down(PIN_ISA);
	on_vector(PIC_VECTOR(PIN_ISA), finish_at_pic);
	pic_unmask(PIN_ISA);
	lab_up(PIN_ISA);
	irq_open();
	EXPECT_EQ(arrivals_of(VECTOR_A), 2);
	EXPECT_EQ(arrivals_of(PIC_VECTOR(PIN_ISA)), 1);
	EXPECT_EQ(arrivals.count, 3);
}

/* The PIT ticks with the 8259 masked.
 * Intel I/O Controller Hub data sheet, "APIC Interrupt Mapping": pin 2 is "8254 Counter 0". Must: ten ticks by pin 2, none by
 * pin 0. */
SCENARIO(ioapic_timer_pin, .name = "ioapic.pit-is-pin-2")
{
	on_vector(VECTOR_B, finish);
	ioapic_route(0, RTE_VECTOR(VECTOR_B) | self());
	route(PIN_TIMER, VECTOR_A, 0, finish);
	pit_periodic(PIT_COUNT);
	irq_on();
	EXPECT(SPIN_UNTIL(arrivals_of(VECTOR_A) >= TICKS, LONG_MS));
	EXPECT_EQ(arrivals_of(VECTOR_B), 0);
}
