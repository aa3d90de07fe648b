/* SPDX-License-Identifier: BSD-2-Clause
 * Scenarios of the local APIC: interprocessor interrupts of the only processor, their destinations, and the errors that
 * they raise.
 * Knows nothing of other processors: a message for them must go nowhere. No scenario differs by rule or irqchip mode. */
#include "known.h"
#include "lapic_regs.h"

#define LOGICAL_ID(id) ((uint32_t)FIELD(31, 24, id))
#define DFR_FLAT ((uint32_t)MASK(31, 0))
#define DFR_CLUSTER ((uint32_t)MASK(27, 0))
#define ICR_SENT_BITS (APIC_ICR_ASSERT | APIC_ICR_SHORTHAND_FIELD(APIC_ICR_ALL_BUT_SELF))
#define RESERVED_REGISTER 0x040

enum { BROADCAST = 0xff, FLAT_SELF = 0x04, FLAT_OTHERS = 0xf8, FLAT_SOME = 0x0c };
enum { CLUSTER_SELF = 0x22, CLUSTER_WITH_SELF = 0x2f, CLUSTER_OTHERS = 0x2d, CLUSTER_OTHER = 0x32 };
enum { SIPI_PAGE = 0x08 };

static uint32_t own_id(void) { return XAPIC_ID(apic_read(APIC_ID)); }

static void send_to(uint32_t destination, uint32_t command)
{
	apic_write(APIC_ICR_HIGH, XAPIC_DEST(destination));
	apic_write(APIC_ICR_LOW, command | APIC_ICR_ASSERT);
}

/* Sends, opens IF, and compares how often the vector came. */
static void expect_reached(uint32_t destination, uint32_t mode, uint32_t want)
{
	arrivals_clear();
	send_to(destination, V_MID | mode);
	irq_open();
	EXPECT_EQ(arrivals_of(V_MID), want);
	EXPECT_EQ(arrivals.count, want);
}

static void expect_shorthand(uint32_t shorthand, uint32_t want)
{
	arrivals_clear();
	apic_write(APIC_ICR_LOW, V_MID | APIC_ICR_ASSERT | APIC_ICR_SHORTHAND_FIELD(shorthand));
	irq_open();
	EXPECT_EQ(arrivals_of(V_MID), want);
	EXPECT_EQ(arrivals.count, want);
}

/* ---- destinations ---- */

/* Intel SDM v3, "Interrupt Command Register", Destination Shorthand: "Self: The issuing APIC is the one and only destination
 * of the IPI." "All Including Self: The IPI is sent to all processors in the system including the processor sending the
 * IPI." "All Excluding Self". Must: once, once, never. */
SCENARIO(lapic_shorthands, .name = "lapic.ipi-shorthands")
{
	lapic_listen(lapic_finish);
	expect_shorthand(APIC_ICR_SELF, 1);
	expect_shorthand(APIC_ICR_ALL, 1);
	expect_shorthand(APIC_ICR_ALL_BUT_SELF, 0);
}

SCENARIO(lapic_shorthands_x2apic, .name = "lapic.x2apic-ipi-shorthands")
{
	need_x2apic();
	lapic_listen(lapic_finish);
	expect_shorthand(APIC_ICR_SELF, 1);
	expect_shorthand(APIC_ICR_ALL, 1);
	expect_shorthand(APIC_ICR_ALL_BUT_SELF, 0);
}

/* Intel SDM v3, "Physical Destination Mode": "the destination processor is specified by its local APIC ID"; the ID FFH is a
 * broadcast to all APICs. Must: own ID and broadcast, no other ID. */
SCENARIO(lapic_physical, .name = "lapic.ipi-physical-destination")
{
	lapic_listen(lapic_finish);
	expect_reached(own_id(), 0, 1);
	expect_reached(own_id() + 1, 0, 0);
	expect_reached(BROADCAST, 0, 1);
}

/* Intel SDM v3, "Logical Destination Mode", flat model: each local APIC "performs a bit-wise AND of the MDA and its logical
 * APIC ID. If a true condition is detected, the local APIC accepts the IPI message." */
SCENARIO(lapic_flat, .name = "lapic.ipi-logical-flat")
{
	lapic_listen(lapic_finish);
	apic_write(APIC_DFR, DFR_FLAT);
	apic_write(APIC_LDR, LOGICAL_ID(FLAT_SELF));
	EXPECT_EQ(apic_read(APIC_LDR), LOGICAL_ID(FLAT_SELF));
	expect_reached(FLAT_SELF, APIC_ICR_LOGICAL, 1);
	expect_reached(FLAT_SOME, APIC_ICR_LOGICAL, 1);
	expect_reached(FLAT_OTHERS, APIC_ICR_LOGICAL, 0);
	expect_reached(BROADCAST, APIC_ICR_LOGICAL, 1);
	apic_write(APIC_LDR, 0);
	expect_reached(FLAT_SELF, APIC_ICR_LOGICAL, 0);
}

/* Intel SDM v3, "Logical Destination Mode", cluster model: the upper four bits of the MDA hold "the encoded address of the
 * destination cluster", the lower four "identify up to four local APICs within the cluster". */
SCENARIO(lapic_cluster, .name = "lapic.ipi-logical-cluster")
{
	lapic_listen(lapic_finish);
	apic_write(APIC_DFR, DFR_CLUSTER);
	apic_write(APIC_LDR, LOGICAL_ID(CLUSTER_SELF));
	EXPECT_EQ(apic_read(APIC_DFR), DFR_CLUSTER);
	expect_reached(CLUSTER_SELF, APIC_ICR_LOGICAL, 1);
	expect_reached(CLUSTER_WITH_SELF, APIC_ICR_LOGICAL, 1);
	expect_reached(CLUSTER_OTHERS, APIC_ICR_LOGICAL, 0);
	expect_reached(CLUSTER_OTHER, APIC_ICR_LOGICAL, 0);
	apic_write(APIC_DFR, DFR_FLAT);
}

/* Lowest priority to a set of processors in which there is one.
 * Intel SDM v3, "Interrupt Command Register", Delivery Mode: "Lowest Priority: Same as fixed mode, except that the interrupt
 * is delivered to the processor executing at the lowest priority among the set of processors specified". (Whether a
 * processor can send it "is model specific"; the virtual ones here can.) With and without "Focus Processor Checking": there
 * is one processor to choose from. */
SCENARIO(lapic_lowest, .name = "lapic.ipi-lowest-priority",
	 .xfails = { { RULE_ANY, MODE_SPLIT, VID_ANY, "kvm-*", "", "KVM chooses by the vector, from processors that are not there too" } })
{
	lapic_listen(lapic_finish);
	apic_write(APIC_DFR, DFR_FLAT);
	apic_write(APIC_LDR, LOGICAL_ID(FLAT_SELF));
	expect_reached(FLAT_SOME, APIC_ICR_LOGICAL | APIC_DM_FIELD(APIC_DM_LOWEST), 1);
	apic_write(APIC_SVR, apic_read(APIC_SVR) | APIC_SVR_FOCUS_DISABLE);
	expect_reached(FLAT_SOME, APIC_ICR_LOGICAL | APIC_DM_FIELD(APIC_DM_LOWEST), 1);
}

/* ---- delivery modes ---- */

/* Intel SDM v3, "Interrupt Command Register", Delivery Mode: "NMI: Delivers an NMI interrupt to the target processor or
 * processors. The vector information is ignored." Must: with IF=0, without IRR and ISR. */
SCENARIO(lapic_nmi, .name = "lapic.ipi-nmi")
{
	lapic_listen(lapic_finish);
	on_vector(VEC_NMI, lapic_stay);
	send_to(own_id(), V_MID | APIC_DM_FIELD(APIC_DM_NMI));
	EXPECT(SPIN_UNTIL(arrivals_of(VEC_NMI) == 1, LAPIC_LONG_MS));
	EXPECT(!apic_irr_bit(V_MID));
	irq_open();
	EXPECT_EQ(arrivals.count, 1);
	EXPECT_EQ(apic_read(APIC_PPR), 0);
}

/* INIT level de-assert, to all including self.
 * Intel SDM v3, "Interrupt Command Register", Delivery Mode: "INIT Level De-assert: (Not supported in the Pentium 4 and Intel
 * Xeon processors.)" Must: nothing happens. */
SCENARIO(lapic_init_deassert, .name = "lapic.ipi-init-deassert-ignored",
	 .xfails = { KVM_AMD_TPR })
{
	lapic_listen(lapic_finish);
	apic_write(APIC_TPR, V_LOW);
	apic_write(APIC_ICR_LOW, APIC_DM_FIELD(APIC_DM_INIT) | APIC_ICR_LEVEL | APIC_ICR_SHORTHAND_FIELD(APIC_ICR_ALL));
	irq_open();
	EXPECT_EQ(arrivals.count, 0);
	EXPECT_EQ(apic_read(APIC_TPR), V_LOW);
	lapic_send_and_take(V_MID);
	EXPECT_VECTORS(V_MID);
}

/* A start-up IPI to a processor that runs.
 * Intel SDM v3, "MP Initialization Protocol": it is the processor in the "wait-for-SIPI" state that a SIPI starts; in any
 * other state it is dropped. Must: nothing happens. */
SCENARIO(lapic_sipi, .name = "lapic.ipi-startup-ignored")
{
	lapic_listen(lapic_finish);
	send_to(own_id(), SIPI_PAGE | APIC_DM_FIELD(APIC_DM_STARTUP));
	irq_open();
	EXPECT_EQ(arrivals.count, 0);
	lapic_send_and_take(V_MID);
	EXPECT_VECTORS(V_MID);
}

/* ---- the register ---- */

/* Intel SDM v3, "Interrupt Command Register": "The act of writing to the low doubleword of the ICR causes the IPI to be
 * sent." Delivery Status: "0 (Idle) Indicates that this local APIC has completed sending any previous IPIs." Must: the high
 * half alone sends nothing; both read back; the status becomes idle. */
SCENARIO(lapic_icr, .name = "lapic.icr-reads-back")
{
	lapic_listen(lapic_finish);
	apic_write(APIC_ICR_LOW, V_MID | ICR_SENT_BITS);
	apic_write(APIC_ICR_HIGH, XAPIC_DEST(own_id()));
	irq_open();
	EXPECT_EQ(arrivals.count, 0);
	EXPECT(SPIN_UNTIL(!(apic_read(APIC_ICR_LOW) & APIC_ICR_BUSY), LAPIC_LONG_MS));
	EXPECT_EQ(apic_read(APIC_ICR_LOW), V_MID | ICR_SENT_BITS);
	EXPECT_EQ(apic_read(APIC_ICR_HIGH), XAPIC_DEST(own_id()));
}

/* ---- errors ---- */

static uint32_t latched_errors(void)
{
	apic_write(APIC_ESR, 0);
	return apic_read(APIC_ESR);
}

/* A vector below 16 is sent to itself.
 * Intel SDM v3, "Error Handling": "Send Illegal Vector: Set when the local APIC detects an illegal vector (one in the range 0
 * to 15) in the message that it is sending." "Receive Illegal Vector: ... Such interrupts are not delivered to the
 * processor; the local APIC will never set an IRR bit in the range 0 to 15." */
static void send_illegal(void)
{
	bool in_irr;

	on_vector(V_ILLEGAL, lapic_finish);
	lapic_listen(lapic_finish);
	apic_self_ipi(V_ILLEGAL);
	in_irr = apic_irr_bit(V_ILLEGAL);
	irq_open();
	EXPECT(!in_irr);
	EXPECT_EQ(arrivals.count, 0);
	EXPECT(latched_errors() & APIC_ESR_SEND_ILLEGAL);
}
SCENARIO(lapic_send_illegal, .name = "lapic.esr-send-illegal-vector",
	 .xfails = { KVM_NO_ESR,
		     BARE_NO_SEND_ERROR }) { send_illegal(); }
SCENARIO(lapic_send_illegal_x2apic, .name = "lapic.x2apic-esr-send-illegal-vector",
	 .xfails = { KVM_NO_ESR,
		     BARE_NO_SEND_ERROR })
{
	need_x2apic();
	send_illegal();
}

/* The ESR is read before and after it is written.
 * Intel SDM v3, "Error Handling": "Before attempt to read from the ESR, software should first write to it. ... This write
 * clears any previously logged errors and updates the ESR with any errors detected since the last write to the ESR."
 * Must: 0 until it is written, the error after it, 0 after another write; reading clears nothing. */
SCENARIO(lapic_esr_latch, .name = "lapic.esr-latched-by-write",
	 .xfails = { KVM_NO_ESR,
		     BARE_NO_SEND_ERROR })
{
	EXPECT_EQ(latched_errors(), 0);
	on_vector(V_ILLEGAL, lapic_finish);
	lapic_send_and_take(V_ILLEGAL);
	EXPECT_EQ(apic_read(APIC_ESR), 0);
	EXPECT(latched_errors() & APIC_ESR_SEND_ILLEGAL);
	EXPECT(apic_read(APIC_ESR) & APIC_ESR_SEND_ILLEGAL);
	EXPECT_EQ(latched_errors(), 0);
}

/* A reserved register is read.
 * Intel SDM v3, "Error Handling": "Illegal Register Address: Set when the local APIC is in xAPIC mode and software attempts to
 * access a register that is reserved in the processor's local-APIC register-address space". */
SCENARIO(lapic_esr_register, .name = "lapic.esr-illegal-register",
	 .xfails = { KVM_NO_ESR })
{
	EXPECT_EQ(latched_errors(), 0);
	(void)apic_read(RESERVED_REGISTER);
	EXPECT_EQ(latched_errors(), APIC_ESR_ILLEGAL_REG);
}

/* The error entry is unmasked; two errors are made, the ESR is written, another is made.
 * Intel SDM v3, "Error Handling": "The LVT Error Register ... allows specification of the vector of the interrupt to be
 * delivered to the processor core when APIC error is detected." The write of the ESR "also rearms the APIC error interrupt
 * triggering mechanism". Must: one interrupt for the first errors, another after the rearming; none while masked. */
SCENARIO(lapic_error_lvt, .name = "lapic.error-interrupt-rearmed-by-esr",
	 .xfails = { KVM_NO_ESR,
		     BARE_NO_SEND_ERROR })
{
	on_vector(V_ERROR, lapic_finish);
	on_vector(V_ILLEGAL, lapic_finish);
	apic_write(APIC_LVT_ERROR, V_ERROR);
	lapic_send_and_take(V_ILLEGAL);
	EXPECT_EQ(arrivals_of(V_ERROR), 1);
	lapic_send_and_take(V_ILLEGAL);
	EXPECT_EQ(arrivals_of(V_ERROR), 1);
	EXPECT(latched_errors() & APIC_ESR_SEND_ILLEGAL);
	lapic_send_and_take(V_ILLEGAL);
	EXPECT_EQ(arrivals_of(V_ERROR), 2);
	apic_write(APIC_LVT_ERROR, V_ERROR | APIC_LVT_MASKED);
	(void)latched_errors();
	lapic_send_and_take(V_ILLEGAL);
	EXPECT_EQ(arrivals_of(V_ERROR), 2);
	EXPECT_EQ(arrivals_of(V_ILLEGAL), 0);
}
