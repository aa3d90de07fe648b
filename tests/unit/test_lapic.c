/* SPDX-License-Identifier: BSD-2-Clause
 * The local APIC against the sentences of the SDM: priorities, acceptance, EOI, destinations and IPIs.
 * Knows nothing of the files that implement it. */
#include "unit/lapic_fixture.h"

/* SDM v3, "Local APIC State After Power-Up or Reset": "The spurious-interrupt vector register is initialized to
 * 000000FFH"; "The DFR register is reset to all 1s"; "The LVT register is reset to 0s except for the mask bits;
 * these are set to 1s." */
static void reset_state_is_architectural_but_for_lvt0(void **state)
{
	struct lapic l = after_reset();
	static const uint32_t zero[] = { APIC_TPR, APIC_PPR, APIC_LDR, APIC_ESR, APIC_ICR_LOW, APIC_ICR_HIGH, APIC_APR,
					 APIC_RRD, APIC_EOI, APIC_TIMER_INITIAL, APIC_TIMER_CURRENT, APIC_TIMER_DIVIDE };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(zero); i++)
		assert_int_equal(rd(&l, zero[i]), 0);
	for (uint32_t o = APIC_ISR; o < APIC_ESR; o += 16)
		assert_int_equal(rd(&l, o), 0);
	assert_int_equal(rd(&l, APIC_SVR), 0xff);
	assert_int_equal(rd(&l, APIC_DFR), 0xffffffff);
	assert_int_equal(rd(&l, APIC_ID), ID << 24);
	assert_int_equal(rd(&l, APIC_VERSION), 0x01050014);
	for (uint32_t o = APIC_LVT_TIMER; o <= APIC_LVT_ERROR; o += 16)
		assert_int_equal(rd(&l, o), o == APIC_LVT_LINT0 ? 0x700 : 0x10000);
	assert_int_equal(rdmsr(&l, MSR_APIC_BASE), 0xfee00900);
	assert_int_equal(lapic_pending(&l), -1);
	assert_int_equal(lapic_take_eoi(&l), -1);
	assert_false(lapic_take_nmi(&l));
	assert_int_equal(lapic_deadline(&l), TIME_NEVER);
	assert_int_equal(latched_esr(&l), 0);
	lapic_reset(&l, ID, false);
	assert_int_equal(rd(&l, APIC_LVT_LINT0), 0x10000);
	assert_int_equal(rdmsr(&l, MSR_APIC_BASE), 0xfee00800);
}

/* "P": APICBASE.EN=0, or LVT0 unmasked in ExtINT mode; SVR is not consulted. */
static void extint_depends_on_lvt0_and_the_global_enable_only(void **state)
{
	struct lapic l = enabled();

	(void)state;
	for (uint32_t dm = 0; dm < 8; dm++) {
		wr(&l, APIC_LVT_LINT0, APIC_DM_FIELD(dm));
		assert_int_equal(lapic_accepts_extint(&l), dm == APIC_DM_EXTINT);
		wr(&l, APIC_LVT_LINT0, APIC_DM_FIELD(dm) | APIC_LVT_MASKED);
		assert_false(lapic_accepts_extint(&l));
	}
	wr(&l, APIC_TPR, 0xf0);
	wr(&l, APIC_LVT_LINT0, 0x700);
	assert_true(lapic_accepts_extint(&l));
	wr(&l, APIC_SVR, 0xff);
	assert_false(lapic_accepts_extint(&l)); /* the masks were set */
	l = after_reset();
	assert_int_equal(l.svr & APIC_SVR_ENABLE, 0);
	assert_true(lapic_accepts_extint(&l));
	assert_int_equal(wrmsr(&l, MSR_APIC_BASE, APIC_DEFAULT_PHYS), 0);
	assert_true(lapic_accepts_extint(&l));
}

/* SDM v3, "Task and Processor Priorities": PPR[7:4] is "the maximum of TPR[7:4] (the task-priority class)
 * and ISRV[7:4]". */
static void ppr_is_the_higher_of_tpr_and_isrv(void **state)
{
	struct lapic l = enabled();

	(void)state;
	for (uint32_t tpr = 0; tpr < 256; tpr++)
		for (uint32_t v = 0; v < 256; v++) {
			uint32_t want = tpr >> 4 >= v >> 4 ? tpr : v & 0xf0;

			clear_map(&l, APIC_ISR);
			*word_of(&l, APIC_ISR, v) = BIT(v % 32);
			wr(&l, APIC_TPR, tpr);
			assert_int_equal(lapic_ppr(&l), want);
			assert_int_equal(rd(&l, APIC_PPR), want);
			*word_of(&l, APIC_ISR, 0) |= BIT(0); /* a lower one changes nothing */
			assert_int_equal(lapic_ppr(&l), want);
		}
}

/* SDM v3, "Interrupt Priority": an interrupt is delivered if its priority class is higher than PPR[7:4]. */
static void a_vector_is_pending_when_its_class_is_above_ppr(void **state)
{
	struct lapic l = enabled();

	(void)state;
	for (uint32_t tpr = 0; tpr < 256; tpr++)
		for (uint32_t v = 16; v < 256; v++) {
			clear_map(&l, APIC_IRR);
			fixed(&l, v);
			wr(&l, APIC_TPR, tpr);
			assert_int_equal(lapic_pending(&l), v >> 4 > tpr >> 4 ? (int)v : -1);
			assert_int_equal(lapic_highest_irr(&l), v);
		}
}

static void in_service_vectors_block_their_class_and_below(void **state)
{
	struct lapic l = enabled();

	(void)state;
	for (uint32_t s = 16; s < 256; s++)
		for (uint32_t v = 16; v < 256; v++) {
			clear_map(&l, APIC_IRR);
			clear_map(&l, APIC_ISR);
			*word_of(&l, APIC_ISR, s) = BIT(s % 32);
			fixed(&l, v);
			assert_int_equal(lapic_pending(&l), v >> 4 > s >> 4 ? (int)v : -1);
		}
}

static void the_highest_vector_is_pending_first(void **state)
{
	struct lapic l = enabled();

	(void)state;
	for (int v = 16; v < 256; v++)
		fixed(&l, v);
	for (int class = 15; class > 0; class--) {
		take(&l, class * 16 + 15);
		assert_int_equal(lapic_pending(&l), -1); /* the same class waits */
		lapic_set_cr8(&l, 0);
		*word_of(&l, APIC_ISR, class * 16 + 15) = 0;
		for (int v = class * 16; v < class * 16 + 15; v++)
			*word_of(&l, APIC_IRR, v) &= ~BIT(v % 32);
	}
	assert_int_equal(lapic_pending(&l), -1);
}

static void accept_moves_irr_to_isr_and_peeking_changes_nothing(void **state)
{
	struct lapic l = enabled(), before;

	(void)state;
	fixed(&l, 0x51);
	before = l;
	assert_int_equal(lapic_pending(&l), 0x51);
	assert_int_equal(lapic_highest_irr(&l), 0x51);
	assert_memory_equal(&l, &before, sizeof(l));
	assert_int_equal(rd(&l, APIC_IRR + 0x20), BIT(0x51 % 32));
	lapic_accept(&l, 0x51);
	assert_int_equal(rd(&l, APIC_IRR + 0x20), 0);
	assert_int_equal(rd(&l, APIC_ISR + 0x20), BIT(0x51 % 32));
	assert_int_equal(lapic_ppr(&l), 0x50);
}

/* SDM v3, "Interrupt Acceptance for Fixed Interrupts": "Any additional interrupts issued for the same interrupt
 * vector are collapsed into the single bit in the IRR." */
static void one_vector_has_one_place_in_irr_and_one_in_isr(void **state)
{
	struct lapic l = enabled();

	(void)state;
	fixed(&l, 0x41);
	take(&l, 0x41);
	fixed(&l, 0x41);
	fixed(&l, 0x41);
	assert_int_equal(lapic_pending(&l), -1);
	wr(&l, APIC_EOI, 0);
	take(&l, 0x41);
	wr(&l, APIC_EOI, 0);
	assert_int_equal(lapic_pending(&l), -1);
	assert_int_equal(lapic_highest_irr(&l), -1);
}

/* SDM v3, "Signaling Interrupt Servicing Completion": "the APIC clears the highest priority bit in the ISR". */
static void eoi_clears_the_highest_isr_bit(void **state)
{
	struct lapic l = enabled();

	(void)state;
	fixed(&l, 0x31);
	take(&l, 0x31);
	fixed(&l, 0x92);
	take(&l, 0x92);
	wr(&l, APIC_EOI, 0);
	assert_false(in_map(&l, APIC_ISR, 0x92));
	assert_true(in_map(&l, APIC_ISR, 0x31));
	assert_int_equal(lapic_take_eoi(&l), 0x92);
	assert_int_equal(lapic_take_eoi(&l), -1);
	wr(&l, APIC_EOI, 0x1234);
	assert_int_equal(lapic_take_eoi(&l), 0x31);
}

static void eoi_without_isr_bit_does_nothing(void **state)
{
	struct lapic l = enabled(), before;

	(void)state;
	fixed(&l, 0x31);
	before = l;
	wr(&l, APIC_EOI, 0);
	assert_memory_equal(&l, &before, sizeof(l));
	assert_int_equal(lapic_take_eoi(&l), -1);
}

/* SDM v3, "Directed EOI with x2APIC Mode"/"Suppress EOI-Broadcasts": with SVR bit 12 set no EOI is broadcast. TMR is
 * not consulted: edge vectors are broadcast too and the receiver filters. */
static void every_eoi_is_broadcast_unless_suppressed(void **state)
{
	struct lapic l = enabled();

	(void)state;
	for (int level = 0; level < 2; level++) {
		send_msg(&l, APIC_DM_FIXED, 0x60, level);
		take(&l, 0x60);
		wr(&l, APIC_EOI, 0);
		assert_int_equal(lapic_take_eoi(&l), 0x60);
	}
	wr(&l, APIC_SVR, ENABLED | APIC_SVR_DIRECTED_EOI);
	send_msg(&l, APIC_DM_FIXED, 0x60, true);
	take(&l, 0x60);
	wr(&l, APIC_EOI, 0);
	assert_false(in_map(&l, APIC_ISR, 0x60));
	assert_int_equal(lapic_take_eoi(&l), -1);
}

/* SDM v3, "Interrupt Acceptance for Fixed Interrupts": "the corresponding TMR bit is cleared for edge-triggered
 * interrupts and set for level-triggered interrupts". */
static void tmr_tells_level_from_edge(void **state)
{
	struct lapic l = enabled();

	(void)state;
	for (int v = 16; v < 256; v++) {
		send_msg(&l, APIC_DM_FIXED, v, true);
		assert_true(in_map(&l, APIC_TMR, v));
		assert_int_equal(rd(&l, APIC_TMR + v / 32 * 16) & BIT(v % 32), BIT(v % 32));
		send_msg(&l, APIC_DM_LOWEST, v, false);
		assert_false(in_map(&l, APIC_TMR, v));
	}
}

/* "The local APIC will respond normally to INIT, NMI, SMI, and SIPI messages. Pending interrupts in the IRR and ISR
 * registers are held and require masking or handling by the CPU." */
static void software_disable_keeps_what_is_there_and_takes_nothing_fixed(void **state)
{
	struct lapic l = enabled();

	(void)state;
	fixed(&l, 0x31);
	take(&l, 0x31);
	fixed(&l, 0x52);
	wr(&l, APIC_SVR, 0xff);
	assert_true(send_msg(&l, APIC_DM_FIXED, 0x93, false));
	assert_true(send_msg(&l, APIC_DM_LOWEST, 0x94, false));
	assert_true(send_msg(&l, APIC_DM_FIXED, 3, false));
	wr(&l, APIC_ICR_LOW, 0x95 | APIC_ICR_SHORTHAND_FIELD(APIC_ICR_SELF));
	assert_int_equal(lapic_pending(&l), 0x52);
	assert_true(in_map(&l, APIC_ISR, 0x31));
	assert_true(send_msg(&l, APIC_DM_NMI, 0, false));
	assert_true(lapic_take_nmi(&l));
	take(&l, 0x52);
	assert_int_equal(lapic_highest_irr(&l), -1);
	wr(&l, APIC_EOI, 0);
	assert_int_equal(lapic_take_eoi(&l), 0x52);
	assert_int_equal(latched_esr(&l), 0);
}

static void each_delivery_mode_does_its_own_thing(void **state)
{
	(void)state;
	for (int dm = 0; dm < 8; dm++) {
		struct lapic l = enabled();
		bool is_fixed = dm == APIC_DM_FIXED || dm == APIC_DM_LOWEST;

		assert_true(send_msg(&l, dm, 0x66, false));
		assert_int_equal(lapic_pending(&l), is_fixed ? 0x66 : -1);
		assert_int_equal(lapic_take_nmi(&l), dm == APIC_DM_NMI);
		assert_false(lapic_take_nmi(&l));
		assert_int_equal(latched_esr(&l), 0);
	}
}

/* SDM v3, "Physical Destination Mode": one APIC by its ID, all of them by all 1s. */
static void physical_destination_is_the_id_or_broadcast(void **state)
{
	struct lapic l = enabled();

	(void)state;
	for (uint32_t d = 0; d < 256; d++)
		assert_int_equal(lapic_matches(&l, d, false), d == ID || d == 0xff);
	wr(&l, APIC_ID, 0x12000000);
	assert_int_equal(rd(&l, APIC_ID), 0x12000000);
	assert_true(lapic_matches(&l, 0x12, false));
	assert_false(lapic_matches(&l, ID, false));
	assert_false(lapic_matches(&l, 0xffffffff, false));
	assert_false(lapic_matches(&l, 0x112, false));
}

/* SDM v3, "Logical Destination Mode", flat: "Each local APIC performs a bit-wise AND of the MDA and its
 * logical APIC ID." "A broadcast to all APICs is achieved by setting the MDA to all 1s." */
static void flat_logical_destination_shares_a_bit(void **state)
{
	struct lapic l = enabled();

	(void)state;
	for (uint32_t ldr = 0; ldr < 256; ldr++)
		for (uint32_t mda = 0; mda < 256; mda++) {
			wr(&l, APIC_LDR, ldr << 24);
			assert_int_equal(lapic_matches(&l, mda, true), (mda & ldr) != 0 || mda == 0xff);
		}
	assert_false(lapic_matches(&l, 0x1ff, true));
}

/* SDM v3, "Logical Destination Mode", flat cluster: the upper half of the MDA names the cluster, the lower its
 * members. */
static void cluster_logical_destination_shares_cluster_and_bit(void **state)
{
	struct lapic l = enabled();

	(void)state;
	wr(&l, APIC_DFR, 0);
	for (uint32_t ldr = 0; ldr < 256; ldr++)
		for (uint32_t mda = 0; mda < 256; mda++) {
			wr(&l, APIC_LDR, ldr << 24);
			assert_int_equal(lapic_matches(&l, mda, true),
					 (mda >> 4 == ldr >> 4 && (mda & ldr & 15)) || mda == 0xff);
		}
	wr(&l, APIC_DFR, 0x70000000);
	wr(&l, APIC_LDR, 0xff000000);
	assert_false(lapic_matches(&l, 0xf1, true)); /* a reserved model */
	assert_true(lapic_matches(&l, 0xff, true));
}

/* SDM v3, "Logical x2APIC ID": "[(x2APIC ID[19:4] << 16) | (1 << x2APIC ID[3:0])]". */
static void x2apic_ldr_is_derived_from_the_id(void **state)
{
	static const uint32_t ids[] = { 0, 1, 3, 15, 16, 0x25, 0xff, 0x100, 0xfffff };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		struct lapic l;
		uint32_t ldr = ids[i] >> 4 << 16 | 1u << (ids[i] & 15);

		lapic_reset(&l, ids[i], true);
		assert_int_equal(wrmsr(&l, MSR_APIC_BASE, l.base | APIC_BASE_EXTD), 0);
		assert_int_equal(rdmsr(&l, X2(APIC_ID)), ids[i]);
		assert_int_equal(rdmsr(&l, X2(APIC_LDR)), ldr);
		assert_true(lapic_matches(&l, ldr, true));
		assert_true(lapic_matches(&l, ldr | 0xffff, true));
		assert_false(lapic_matches(&l, ldr & 0xffff0000, true));
		assert_false(lapic_matches(&l, ldr ^ 0x80000000, true));
		assert_false(lapic_matches(&l, ldr & ~(ldr & 0xffff), true));
		assert_true(lapic_matches(&l, 0xffffffff, true));
		assert_true(lapic_matches(&l, 0xffffffff, false));
		assert_true(lapic_matches(&l, ids[i], false));
		assert_false(lapic_matches(&l, ids[i] + 1, false));
		assert_int_equal(lapic_matches(&l, 0xff, false), ids[i] == 0xff);
	}
}

/* A device's 8-bit broadcast reaches an x2APIC, an IPI's 0xff does not. */
static void a_devices_broadcast_reaches_an_x2apic(void **state)
{
	struct lapic l = x2apic();
	struct apic_msg m = { .dest = 0xff, .vector = 0x44 };

	(void)state;
	assert_true(lapic_deliver(&l, &m));
	take(&l, 0x44);
	m.dest = 0xfe;
	m.vector = 0x55;
	assert_false(lapic_deliver(&l, &m));
	assert_int_equal(wrmsr(&l, X2(APIC_ICR_LOW), 0xff00000055), 0);
	assert_int_equal(lapic_highest_irr(&l), -1);
}

static void a_message_for_another_apic_is_refused(void **state)
{
	struct lapic l = enabled();
	struct apic_msg m = { .dest = ID + 1, .vector = 0x44 };

	(void)state;
	for (int dm = 0; dm < 8; dm++) {
		m.delivery_mode = dm;
		assert_false(lapic_deliver(&l, &m));
	}
	assert_int_equal(lapic_highest_irr(&l), -1);
	assert_false(lapic_take_nmi(&l));
	wr(&l, APIC_LDR, 0x08000000);
	m = (struct apic_msg){ .dest = 0x08, .vector = 0x44, .dest_logical = true };
	assert_true(lapic_deliver(&l, &m));
	take(&l, 0x44);
}

/* SDM v3, "Interrupt Command Register (ICR)", "Destination Shorthand". */
static void shorthands_choose_the_destination(void **state)
{
	(void)state;
	for (uint32_t s = 0; s < 4; s++)
		for (uint32_t dest = 0; dest < 256; dest++) {
			struct lapic l = enabled();
			bool self = s == APIC_ICR_SELF || s == APIC_ICR_ALL ||
				    (s == APIC_ICR_DEST && (dest == ID || dest == 0xff));

			wr(&l, APIC_ICR_HIGH, dest << 24);
			assert_int_equal(lapic_highest_irr(&l), -1);
			wr(&l, APIC_ICR_LOW, 0x71 | APIC_ICR_SHORTHAND_FIELD(s) | APIC_ICR_ASSERT);
			assert_int_equal(lapic_pending(&l), self ? 0x71 : -1);
			assert_int_equal(rd(&l, APIC_ICR_LOW),
					 0x71 | APIC_ICR_SHORTHAND_FIELD(s) | APIC_ICR_ASSERT);
			assert_int_equal(rd(&l, APIC_ICR_HIGH), dest << 24);
		}
}

static void logical_ipis_use_the_ldr(void **state)
{
	struct lapic l = enabled();

	(void)state;
	wr(&l, APIC_LDR, 0x04000000);
	wr(&l, APIC_ICR_HIGH, 0x03000000);
	wr(&l, APIC_ICR_LOW, 0x71 | APIC_ICR_LOGICAL);
	assert_int_equal(lapic_highest_irr(&l), -1);
	wr(&l, APIC_ICR_HIGH, 0x06000000);
	wr(&l, APIC_ICR_LOW, 0x71 | APIC_ICR_LOGICAL | APIC_DM_FIELD(APIC_DM_LOWEST));
	take(&l, 0x71);
}

/* SDM v3, "Interrupt Command Register (ICR)", "Trigger Mode": "This flag has no meaning in Pentium 4 and Intel Xeon
 * processors, and will always be issued as a 0." */
static void ipis_are_edge_triggered(void **state)
{
	struct lapic l = enabled();

	(void)state;
	wr(&l, APIC_ICR_LOW, 0x71 | APIC_ICR_SHORTHAND_FIELD(APIC_ICR_SELF) | APIC_ICR_LEVEL | APIC_ICR_ASSERT);
	take(&l, 0x71);
	assert_false(in_map(&l, APIC_TMR, 0x71));
}

static void nmi_ipi_to_self_is_latched_once_and_init_ignored(void **state)
{
	struct lapic l = enabled(), before;

	(void)state;
	wr(&l, APIC_ICR_HIGH, ID << 24);
	wr(&l, APIC_ICR_LOW, APIC_DM_FIELD(APIC_DM_NMI));
	wr(&l, APIC_ICR_LOW, APIC_DM_FIELD(APIC_DM_NMI) | APIC_ICR_SHORTHAND_FIELD(APIC_ICR_SELF));
	assert_true(lapic_take_nmi(&l));
	assert_false(lapic_take_nmi(&l));
	fixed(&l, 0x44);
	before = l;
	wr(&l, APIC_ICR_LOW, APIC_DM_FIELD(APIC_DM_INIT) | APIC_ICR_ASSERT | APIC_ICR_LEVEL);
	wr(&l, APIC_ICR_LOW, APIC_DM_FIELD(APIC_DM_INIT) | APIC_ICR_LEVEL);
	wr(&l, APIC_ICR_LOW, APIC_DM_FIELD(APIC_DM_STARTUP) | 0x08);
	wr(&l, APIC_ICR_LOW, APIC_DM_FIELD(APIC_DM_SMI));
	*word_at(&before, APIC_ICR_LOW) = *word_at(&l, APIC_ICR_LOW);
	assert_memory_equal(&l, &before, sizeof(l));
}

/* SDM v3, "Interaction of Task Priorities between CR8 and APIC". */
static void cr8_is_the_upper_half_of_tpr(void **state)
{
	struct lapic l = enabled();

	(void)state;
	for (uint32_t tpr = 0; tpr < 256; tpr++) {
		wr(&l, APIC_TPR, tpr);
		assert_int_equal(lapic_cr8(&l), tpr >> 4);
	}
	for (uint32_t cr8 = 0; cr8 < 16; cr8++) {
		lapic_set_cr8(&l, cr8);
		assert_int_equal(rd(&l, APIC_TPR), cr8 << 4);
	}
}

/* Anything at all may be written: no crash, no vector below 16, PPR and pending agree. */
static void random_writes_keep_the_invariants(void **state)
{
	uint64_t x = 88172645463325252ull, now = 0;
	struct lapic l = enabled();

	(void)state;
	for (int i = 0; i < 300000; i++) {
		uint64_t val;

		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		now += x % 5000;
		val = x >> 20;
		lapic_advance(&l, now);
		switch (x % 8) {
		case 0: lapic_write_msr(&l, MSR_X2APIC_FIRST + (x >> 8) % 0x40, val & 0xff, now, &two_ghz); break;
		case 1: lapic_write_msr(&l, MSR_TSC_DEADLINE, val, now, &two_ghz); break;
		case 2: send_msg(&l, (x >> 8) % 8, (uint8_t)val, x >> 16 & 1); break;
		case 3: lapic_set_lint0(&l, x >> 9 & 1); break;
		case 4: if (lapic_pending(&l) >= 0) lapic_accept(&l, (uint8_t)lapic_pending(&l)); break;
		case 5: if ((x >> 8) % 64 == 0) lapic_write_msr(&l, MSR_APIC_BASE, val & 0xfee00d00, now, &two_ghz); break;
		case 6: if (!(l.svr & APIC_SVR_ENABLE)) lapic_write(&l, APIC_SVR, ENABLED, now); break;
		default: lapic_write(&l, (x >> 8) % 0x40 * 16, (uint32_t)val, now); break;
		}
		assert_int_equal(*word_at(&l, APIC_IRR) & 0xffff, 0);
		assert_int_equal(*word_at(&l, APIC_ISR) & 0xffff, 0);
		assert_true(l.timer_deadline > now);
		if (lapic_pending(&l) >= 0)
			assert_true(lapic_pending(&l) >> 4 > (int)(lapic_ppr(&l) >> 4));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reset_state_is_architectural_but_for_lvt0),
		cmocka_unit_test(extint_depends_on_lvt0_and_the_global_enable_only),
		cmocka_unit_test(ppr_is_the_higher_of_tpr_and_isrv),
		cmocka_unit_test(a_vector_is_pending_when_its_class_is_above_ppr),
		cmocka_unit_test(in_service_vectors_block_their_class_and_below),
		cmocka_unit_test(the_highest_vector_is_pending_first),
		cmocka_unit_test(accept_moves_irr_to_isr_and_peeking_changes_nothing),
		cmocka_unit_test(one_vector_has_one_place_in_irr_and_one_in_isr),
		cmocka_unit_test(eoi_clears_the_highest_isr_bit),
		cmocka_unit_test(eoi_without_isr_bit_does_nothing),
		cmocka_unit_test(every_eoi_is_broadcast_unless_suppressed),
		cmocka_unit_test(tmr_tells_level_from_edge),
		cmocka_unit_test(software_disable_keeps_what_is_there_and_takes_nothing_fixed),
		cmocka_unit_test(each_delivery_mode_does_its_own_thing),
		cmocka_unit_test(physical_destination_is_the_id_or_broadcast),
		cmocka_unit_test(flat_logical_destination_shares_a_bit),
		cmocka_unit_test(cluster_logical_destination_shares_cluster_and_bit),
		cmocka_unit_test(x2apic_ldr_is_derived_from_the_id),
		cmocka_unit_test(a_devices_broadcast_reaches_an_x2apic),
		cmocka_unit_test(a_message_for_another_apic_is_refused),
		cmocka_unit_test(shorthands_choose_the_destination),
		cmocka_unit_test(logical_ipis_use_the_ldr),
		cmocka_unit_test(ipis_are_edge_triggered),
		cmocka_unit_test(nmi_ipi_to_self_is_latched_once_and_init_ignored),
		cmocka_unit_test(cr8_is_the_upper_half_of_tpr),
		cmocka_unit_test(random_writes_keep_the_invariants),
	};

	return cmocka_run_group_tests_name("lapic", tests, NULL, NULL);
}
