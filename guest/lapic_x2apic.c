/* SPDX-License-Identifier: BSD-2-Clause
 * Scenarios of x2APIC mode: the way into it and out of it, its MSRs and their reserved bits, its ICR, logical ID and
 * self-IPI register.
 * Knows nothing of what both modes share: those scenarios are in lapic.c and its other files, in both modes. No scenario
 * differs by rule or by irqchip mode. */
#include "known.h"
#include "lapic_regs.h"

#define MODE_BITS (APIC_BASE_EN | APIC_BASE_EXTD)
#define BASE_RESERVED_LOW BIT64(9)
#define BASE_RESERVED_HIGH BIT64(63)
#define X2APIC_LOGICAL_ID(id) ((uint32_t)(FIELD(31, 16, GET_FIELD(19, 4, id)) | BIT(GET_FIELD(3, 0, id))))
#define LOGICAL_CLUSTER ((uint32_t)MASK(31, 16))
#define LOGICAL_MEMBERS ((uint32_t)MASK(15, 0))
#define X2APIC_BROADCAST ((uint32_t)MASK(31, 0))
#define HIGH_HALF_BIT BIT64(32)

/* ---- transitions ---- */

/* IA32_APIC_BASE goes through the modes.
 * Intel SDM v3, "x2APIC State Transitions": EN=0 with EXTD=1 is invalid, and a write that leads there raises #GP. "Once the
 * local APIC has been switched to x2APIC mode (EN = 1, EXTD = 1), switching back to xAPIC mode would require system software
 * to disable the local APIC unit." "From the disabled state, the only valid x2APIC transition using IA32_APIC_BASE is to the
 * xAPIC mode (EN= 1, EXTD = 0)." Must: #GP for all else, and the MSR as it was. */
SCENARIO(lapic_x2apic_transitions, .name = "lapic.x2apic-transitions",
	 .xfails = { BARE("bare-bochs*", "Bochs ignores what is written while the APIC is off") })
{
	uint64_t base = rdmsr(MSR_APIC_BASE), off = base & ~MODE_BITS;
	bool xapic_to_invalid, x2apic_to_invalid, x2apic_to_xapic, off_to_x2apic, off_to_invalid, kept;

	if (!cpu_has_x2apic())
		skip("no x2APIC");
	xapic_to_invalid = wrmsr_gp(MSR_APIC_BASE, off | APIC_BASE_EXTD);
	EXPECT(!wrmsr_gp(MSR_APIC_BASE, base | MODE_BITS));
	x2apic_to_invalid = wrmsr_gp(MSR_APIC_BASE, off | APIC_BASE_EXTD);
	x2apic_to_xapic = wrmsr_gp(MSR_APIC_BASE, off | APIC_BASE_EN);
	kept = rdmsr(MSR_APIC_BASE) == (base | MODE_BITS);
	wrmsr(MSR_APIC_BASE, off);
	off_to_x2apic = wrmsr_gp(MSR_APIC_BASE, off | MODE_BITS);
	off_to_invalid = wrmsr_gp(MSR_APIC_BASE, off | APIC_BASE_EXTD);
	kept = kept && rdmsr(MSR_APIC_BASE) == off;
	wrmsr(MSR_APIC_BASE, base);
	EXPECT(xapic_to_invalid && x2apic_to_invalid && off_to_invalid);
	EXPECT(x2apic_to_xapic);
	EXPECT(off_to_x2apic);
	EXPECT(kept);
	EXPECT_EQ(rdmsr(MSR_APIC_BASE), base);
}

/* Reserved bits of IA32_APIC_BASE.
 * Intel SDM v3, "Local APIC Status and Location": bits 7:0, 9 and those above the physical address are reserved. Must: #GP. */
SCENARIO(lapic_base_reserved, .name = "lapic.apic-base-reserved-bits",
	 .xfails = { BARE("bare-qemu-7.*", "QEMU 7 raises no #GP") })
{
	uint64_t base = rdmsr(MSR_APIC_BASE);

	EXPECT(wrmsr_gp(MSR_APIC_BASE, base | BIT64(0)));
	EXPECT(wrmsr_gp(MSR_APIC_BASE, base | BASE_RESERVED_LOW));
	EXPECT(wrmsr_gp(MSR_APIC_BASE, base | BASE_RESERVED_HIGH));
	EXPECT_EQ(rdmsr(MSR_APIC_BASE), base);
}

/* An interrupt in service and one in IRR, TPR and an LVT entry are taken along into x2APIC mode.
 * Intel SDM v3, "State Changes From xAPIC Mode to x2APIC Mode": "a transition from xAPIC mode to x2APIC mode does not affect
 * most of the APIC register states, except the following: The Logical Destination Register is not preserved. ... The high
 * half of the Interrupt Command Register is not preserved." */
SCENARIO(lapic_x2apic_state, .name = "lapic.x2apic-keeps-state",
	 .xfails = { KVM_AMD_TPR })
{
	lapic_listen(lapic_stay);
	lapic_send_and_take(V_LOW);
	apic_write(APIC_TPR, V_HIGH);
	apic_self_ipi(V_MID);
	apic_write(APIC_LVT_ERROR, V_ERROR);
	need_x2apic();
	EXPECT(apic_isr_bit(V_LOW) && apic_irr_bit(V_MID));
	EXPECT_EQ(apic_read(APIC_TPR), V_HIGH);
	EXPECT_EQ(apic_read(APIC_LVT_ERROR), V_ERROR);
	apic_write(APIC_TPR, 0);
	irq_open();
	EXPECT_VECTORS(V_LOW, V_MID);
}

/* ---- identity ---- */

/* Intel SDM v3, "x2APIC: Local x2APIC ID Register": 32 bits, read-only. "Deriving Logical x2APIC ID from the Local x2APIC ID":
 * "Logical x2APIC ID = [(x2APIC ID[19:4] « 16) | (1 « x2APIC ID[3:0])]". Must: #GP for writes of both. */
SCENARIO(lapic_x2apic_id, .name = "lapic.x2apic-id-and-logical-id",
	 .xfails = { BARE("bare-bochs-2.*", "Bochs 2 has no logical ID in x2APIC mode") })
{
	uint32_t id;

	need_x2apic();
	id = apic_read(APIC_ID);
	EXPECT_EQ(id, CPUID1_INITIAL_APIC_ID(read_cpuid1()));
	EXPECT_EQ(apic_read(APIC_LDR), X2APIC_LOGICAL_ID(id));
	EXPECT(wrmsr_gp(X2APIC_MSR(APIC_ID), id));
	EXPECT(wrmsr_gp(X2APIC_MSR(APIC_LDR), 0));
}

/* ---- MSRs ---- */

/* x2APIC MSRs in xAPIC mode.
 * Intel SDM v3, "x2APIC Register Address Space": the MSRs are there in x2APIC mode only; an access in another mode raises #GP. */
SCENARIO(lapic_x2apic_needs_mode, .name = "lapic.x2apic-msrs-need-the-mode",
	 .xfails = { BARE("bare-qemu-7.*", "QEMU 7 raises no #GP") })
{
	uint64_t val;

	EXPECT(rdmsr_gp(X2APIC_MSR(APIC_TPR), &val));
	EXPECT(wrmsr_gp(X2APIC_MSR(APIC_TPR), 0));
	EXPECT(wrmsr_gp(X2APIC_MSR(APIC_EOI), 0));
}

struct msr_write {
	uint32_t reg;
	uint64_t val;
};

/* Writes with one reserved bit each.
 * Intel SDM v3, "Reserved Bit Checking": a WRMSR that sets a reserved bit of these registers raises #GP. Of the EOI register
 * "Local APIC Register Address Map Supported by x2APIC" says: "WRMSR of a non-zero value causes #GP(0)"; the same of the ESR.
 * Must: #GP, and the register as it was. */
SCENARIO(lapic_x2apic_reserved, .name = "lapic.x2apic-reserved-bits",
	 .xfails = { { RULE_ANY, MODE_SPLIT, VID_ANY, "kvm-*", "", "KVM takes reserved bits of a write for nothing" },
		     BARE("bare-*", "reserved bits of a write are taken for nothing") })
{
	static const struct msr_write writes[] = {
		{ APIC_TPR, BIT64(8) },
		{ APIC_TPR, HIGH_HALF_BIT },
		{ APIC_EOI, BIT64(0) },
		{ APIC_SVR, APIC_SVR_ENABLE | BIT64(10) },
		{ APIC_ESR, BIT64(0) },
		{ APIC_LVT_TIMER, APIC_LVT_MASKED | BIT64(19) },
		{ APIC_LVT_TIMER, APIC_LVT_MASKED | APIC_DM_FIELD(APIC_DM_NMI) },
		{ APIC_LVT_LINT0, APIC_LVT_MASKED | BIT64(17) },
		{ APIC_LVT_LINT1, APIC_LVT_MASKED | BIT64(11) },
		{ APIC_LVT_ERROR, APIC_LVT_MASKED | APIC_LVT_LEVEL },
		{ APIC_LVT_ERROR, APIC_LVT_MASKED | HIGH_HALF_BIT },
		{ APIC_ICR_LOW, V_MID | BIT64(13) },
		{ APIC_ICR_LOW, V_MID | BIT64(20) },
		{ APIC_TIMER_INITIAL, HIGH_HALF_BIT },
		{ APIC_TIMER_DIVIDE, BIT64(2) },
		{ APIC_SELF_IPI, V_MID | BIT64(8) },
	};

	need_x2apic();
	lapic_listen(lapic_finish);
	for (unsigned i = 0; i < ARRAY_SIZE(writes); i++)
		if (!wrmsr_gp(X2APIC_MSR(writes[i].reg), writes[i].val))
			fail("", "no #GP: register %#x, value %#lx", writes[i].reg, writes[i].val);
	irq_open();
	EXPECT_EQ(arrivals_of(V_MID), 0);
	EXPECT_EQ(apic_read(APIC_TPR), 0);
}

/* Registers that x2APIC mode does not have, that it has read-only, and that it has write-only.
 * Intel SDM v3, "x2APIC Register Address Space", table "Local APIC Register Address Map Supported by x2APIC": no DFR, no ICR
 * high half, no remote read, no arbitration priority; ID, version, PPR, LDR, ISR, TMR, IRR and current count "Read-only"; EOI
 * and SELF IPI "Write-only". Must: #GP for each access that the table does not have. */
SCENARIO(lapic_x2apic_access, .name = "lapic.x2apic-absent-and-one-way-registers",
	 .xfails = { { RULE_ANY, MODE_SPLIT, VID_ON, "kvm-intel*", "", "KVM lets the CPU answer every read" },
		     BARE("bare-qemu*", "QEMU has registers that x2APIC mode has not") })
{
	static const uint32_t absent[] = { APIC_APR, APIC_RRD, APIC_DFR, APIC_ICR_HIGH };
	static const uint32_t read_only[] = { APIC_VERSION, APIC_PPR, APIC_ISR, APIC_TMR, APIC_IRR, APIC_TIMER_CURRENT };
	static const uint32_t write_only[] = { APIC_EOI, APIC_SELF_IPI };
	uint64_t val;

	need_x2apic();
	for (unsigned i = 0; i < ARRAY_SIZE(absent); i++)
		if (!rdmsr_gp(X2APIC_MSR(absent[i]), &val) || !wrmsr_gp(X2APIC_MSR(absent[i]), 0))
			fail("", "no #GP: absent register %#x", absent[i]);
	for (unsigned i = 0; i < ARRAY_SIZE(read_only); i++)
		if (rdmsr_gp(X2APIC_MSR(read_only[i]), &val) || !wrmsr_gp(X2APIC_MSR(read_only[i]), val))
			fail("", "not read-only: register %#x", read_only[i]);
	for (unsigned i = 0; i < ARRAY_SIZE(write_only); i++)
		if (!rdmsr_gp(X2APIC_MSR(write_only[i]), &val))
			fail("", "not write-only: register %#x", write_only[i]);
	EXPECT(!wrmsr_gp(X2APIC_MSR(APIC_EOI), 0));
}

/* ---- IPIs ---- */

/* Intel SDM v3, "SELF IPI Register": a write is "semantically identical to an inter-processor interrupt sent via the ICR, with
 * a Destination Shorthand of Self, Trigger Mode equal to Edge, and a Delivery Mode equal to Fixed". Must: it arrives; an
 * illegal vector is an error and does not. */
SCENARIO(lapic_x2apic_self_ipi, .name = "lapic.x2apic-self-ipi-register",
	 .xfails = { KVM_NO_ESR,
		     BARE("bare-qemu*", "QEMU takes vectors below 16 for any others") })
{
	need_x2apic();
	lapic_listen(lapic_finish);
	on_vector(V_ILLEGAL, lapic_finish);
	wrmsr(X2APIC_MSR(APIC_SELF_IPI), V_MID);
	EXPECT(apic_irr_bit(V_MID));
	irq_open();
	EXPECT_VECTORS(V_MID);
	wrmsr(X2APIC_MSR(APIC_SELF_IPI), V_ILLEGAL);
	irq_open();
	EXPECT_EQ(arrivals_of(V_ILLEGAL), 0);
	apic_write(APIC_ESR, 0);
	EXPECT(apic_read(APIC_ESR) & (APIC_ESR_SEND_ILLEGAL | APIC_ESR_RECV_ILLEGAL));
}

static void expect_reached(uint32_t destination, uint32_t mode, uint32_t want)
{
	arrivals_clear();
	wrmsr(X2APIC_MSR(APIC_ICR_LOW), X2APIC_DEST(destination) | V_MID | APIC_ICR_ASSERT | mode);
	irq_open();
	EXPECT_EQ(arrivals_of(V_MID), want);
}

/* One 64-bit write each, to physical destinations.
 * Intel SDM v3, "ICR Operation in x2APIC Mode": "A destination ID value of FFFF_FFFFH is used for broadcast of interrupts in both
 * logical destination and physical destination modes." Must: own ID and that value; the xAPIC's broadcast is just an ID. */
SCENARIO(lapic_x2apic_physical, .name = "lapic.x2apic-ipi-physical-destination",
	 .xfails = { BARE("bare-bochs*", "Bochs takes 0xff for broadcast in x2APIC mode too") })
{
	enum { XAPIC_BROADCAST = 0xff };
	uint32_t id;

	need_x2apic();
	id = apic_read(APIC_ID);
	lapic_listen(lapic_finish);
	expect_reached(id, 0, 1);
	expect_reached(id + 1, 0, 0);
	expect_reached(X2APIC_BROADCAST, 0, 1);
	expect_reached(XAPIC_BROADCAST, 0, 0);
}

/* Intel SDM v3, "Logical Destination Mode in x2APIC Mode": the ID is "a 16-bit cluster ID" and "a 16-bit logical ID within the
 * cluster". Must: the own bit, the whole own cluster, broadcast; no other bit and no other cluster. */
SCENARIO(lapic_x2apic_logical, .name = "lapic.x2apic-ipi-logical-destination",
	 .xfails = { BARE("bare-bochs-2.*", "Bochs 2 has no logical ID in x2APIC mode") })
{
	uint32_t ldr;

	need_x2apic();
	ldr = apic_read(APIC_LDR);
	lapic_listen(lapic_finish);
	expect_reached(ldr, APIC_ICR_LOGICAL, 1);
	expect_reached(ldr | LOGICAL_MEMBERS, APIC_ICR_LOGICAL, 1);
	expect_reached((ldr & LOGICAL_CLUSTER) | (LOGICAL_MEMBERS & ~ldr), APIC_ICR_LOGICAL, 0);
	expect_reached(ldr ^ BIT(16), APIC_ICR_LOGICAL, 0);
	expect_reached(X2APIC_BROADCAST, APIC_ICR_LOGICAL, 1);
}

/* Intel SDM v3, "ICR Operation in x2APIC Mode": the ICR is one 64-bit MSR, and it has no delivery status. Must: what was
 * written reads back, NMI arrives by it. */
SCENARIO(lapic_x2apic_icr, .name = "lapic.x2apic-icr",
	 .xfails = { BARE("bare-bochs*", "Bochs does not keep what is written to the ICR") })
{
	uint64_t command;

	need_x2apic();
	on_vector(VEC_NMI, lapic_stay);
	command = X2APIC_DEST(apic_read(APIC_ID)) | APIC_DM_FIELD(APIC_DM_NMI) | APIC_ICR_ASSERT;
	wrmsr(X2APIC_MSR(APIC_ICR_LOW), command);
	EXPECT(SPIN_UNTIL(arrivals_of(VEC_NMI) == 1, LAPIC_LONG_MS));
	EXPECT_EQ(rdmsr(X2APIC_MSR(APIC_ICR_LOW)), command);
}
