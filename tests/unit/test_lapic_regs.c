/* SPDX-License-Identifier: BSD-2-Clause
 * The local APIC's registers against the SDM: errors, reserved bits, LVT masks and LINT0.
 * Knows nothing of the files that implement it. */
#include "unit/lapic_fixture.h"

/* SDM v3, "Error Handling": "the local APIC will never set an IRR bit in the range 0 to 15". */
static void vectors_below_16_are_errors_and_dropped(void **state)
{
	struct lapic l = enabled();

	(void)state;
	for (int v = 0; v < 16; v++) {
		assert_true(send_msg(&l, APIC_DM_FIXED, v, v & 1));
		assert_int_equal(lapic_highest_irr(&l), -1);
		assert_int_equal(rd(&l, APIC_ESR), 0); /* the latch shows it, not the register */
		assert_int_equal(latched_esr(&l), APIC_ESR_RECV_ILLEGAL);
		assert_int_equal(latched_esr(&l), 0);
	}
	fixed(&l, 16);
	assert_int_equal(lapic_highest_irr(&l), 16);
	assert_int_equal(latched_esr(&l), 0);
}

/* SDM v3, "Error Handling": "Send Illegal Vector ... occurs as the result of a write to the ICR"; "Receive Illegal
 * Vector ... in an interrupt message it receives". */
static void an_illegal_ipi_is_logged_where_it_is_seen(void **state)
{
	struct lapic l = enabled();

	(void)state;
	wr(&l, APIC_ICR_LOW, 0x0f | APIC_ICR_SHORTHAND_FIELD(APIC_ICR_ALL_BUT_SELF));
	assert_int_equal(latched_esr(&l), APIC_ESR_SEND_ILLEGAL);
	wr(&l, APIC_ICR_LOW, 0x0f | APIC_DM_FIELD(APIC_DM_LOWEST) | APIC_ICR_SHORTHAND_FIELD(APIC_ICR_ALL_BUT_SELF));
	assert_int_equal(latched_esr(&l), APIC_ESR_SEND_ILLEGAL);
	wr(&l, APIC_ICR_LOW, 0x0f | APIC_ICR_SHORTHAND_FIELD(APIC_ICR_SELF));
	assert_int_equal(latched_esr(&l), APIC_ESR_SEND_ILLEGAL | APIC_ESR_RECV_ILLEGAL);
	wr(&l, APIC_ICR_LOW, APIC_DM_FIELD(APIC_DM_NMI) | APIC_ICR_SHORTHAND_FIELD(APIC_ICR_ALL_BUT_SELF));
	assert_int_equal(latched_esr(&l), 0);
	assert_int_equal(lapic_highest_irr(&l), -1);
}

/* SDM v3, "Error Handling": "This write also rearms the APIC error interrupt triggering mechanism." */
static void the_error_interrupt_comes_once_until_esr_is_written(void **state)
{
	struct lapic l = enabled();

	(void)state;
	wr(&l, APIC_LVT_ERROR, 0xe1);
	send_msg(&l, APIC_DM_FIXED, 3, false);
	take(&l, 0xe1);
	wr(&l, APIC_EOI, 0);
	send_msg(&l, APIC_DM_FIXED, 3, false);
	rd(&l, 0x40);
	assert_int_equal(lapic_pending(&l), -1);
	assert_int_equal(latched_esr(&l), APIC_ESR_RECV_ILLEGAL | APIC_ESR_ILLEGAL_REG);
	rd(&l, 0x40);
	take(&l, 0xe1);
}

/* SDM v3, "Error Handling": "This masking only prevents delivery of APIC-error interrupts; the APIC continues to record
 * errors in the ESR." */
static void a_masked_error_interrupt_is_still_recorded(void **state)
{
	struct lapic l = enabled();

	(void)state;
	wr(&l, APIC_LVT_ERROR, 0xe1 | APIC_LVT_MASKED);
	send_msg(&l, APIC_DM_FIXED, 3, false);
	assert_int_equal(lapic_highest_irr(&l), -1);
	assert_int_equal(latched_esr(&l), APIC_ESR_RECV_ILLEGAL);
}

/* An LVT_ERROR with an illegal vector of its own must not recurse. */
static void an_error_of_the_error_interrupt_ends_there(void **state)
{
	struct lapic l = enabled();

	(void)state;
	wr(&l, APIC_LVT_ERROR, 2);
	rd(&l, 0x40);
	assert_int_equal(lapic_highest_irr(&l), -1);
	assert_int_equal(latched_esr(&l), APIC_ESR_RECV_ILLEGAL | APIC_ESR_ILLEGAL_REG);
}

/* SDM v3, "Illegal Register Address": "attempts to access a register that is reserved". */
static void reserved_registers_set_the_illegal_register_bit(void **state)
{
	static const uint16_t known[] = { 0x20, 0x30, 0x80, 0x90, 0xa0, 0xb0, 0xc0, 0xd0, 0xe0, 0xf0, 0x280, 0x300, 0x310,
					  0x320, 0x330, 0x340, 0x350, 0x360, 0x370, 0x380, 0x390, 0x3e0 };

	(void)state;
	for (uint32_t o = 0; o < LAPIC_SIZE; o++) {
		struct lapic l = enabled();
		bool ok = (o >= 0x100 && o < 0x280) || o % 16;

		for (size_t i = 0; i < ARRAY_SIZE(known); i++)
			ok |= o == known[i];
		rd(&l, o);
		assert_int_equal(latched_esr(&l), ok ? 0 : APIC_ESR_ILLEGAL_REG);
		if (o == APIC_ICR_LOW)
			continue; /* a vector of 0 is an error of its own */
		wr(&l, o, 0);
		assert_int_equal(latched_esr(&l), ok ? 0 : APIC_ESR_ILLEGAL_REG);
	}
}

static void accesses_between_registers_do_nothing(void **state)
{
	struct lapic l = enabled(), before = l;

	(void)state;
	for (uint32_t o = 0; o < LAPIC_SIZE; o++)
		if (o % 16) {
			assert_int_equal(rd(&l, o), 0);
			wr(&l, o, 0xffffffff);
		}
	assert_memory_equal(&l, &before, sizeof(l));
}

static void read_only_registers_ignore_writes(void **state)
{
	static const uint32_t ro[] = { APIC_VERSION, APIC_APR, APIC_PPR, APIC_RRD, APIC_TIMER_CURRENT };
	struct lapic l = enabled(), before;

	(void)state;
	fixed(&l, 0x77);
	before = l;
	for (size_t i = 0; i < ARRAY_SIZE(ro); i++)
		wr(&l, ro[i], 0xffffffff);
	for (uint32_t o = APIC_ISR; o < APIC_ESR; o += 16)
		wr(&l, o, 0xffffffff);
	assert_memory_equal(&l, &before, sizeof(l));
}

static void reserved_bits_of_the_page_are_dropped(void **state)
{
	static const struct { uint32_t offset, reads; } regs[] = {
		{ APIC_ID, 0xff000000 }, { APIC_TPR, 0xff }, { APIC_LDR, 0xff000000 }, { APIC_DFR, 0xffffffff },
		{ APIC_SVR, 0x13ff }, { APIC_ICR_LOW, 0xccfff }, { APIC_ICR_HIGH, 0xff000000 },
		{ APIC_LVT_TIMER, 0x700ff }, { APIC_LVT_THERMAL, 0x107ff }, { APIC_LVT_PERFMON, 0x107ff },
		{ APIC_LVT_LINT0, 0x1a7ff }, { APIC_LVT_LINT1, 0x1a7ff }, { APIC_LVT_ERROR, 0x100ff },
		{ APIC_TIMER_INITIAL, 0 /* the mode is reserved now */ }, { APIC_TIMER_DIVIDE, 0xb },
	};
	struct lapic l = enabled();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(regs); i++) {
		wr(&l, regs[i].offset, 0xffffffff);
		assert_int_equal(rd(&l, regs[i].offset), regs[i].reads);
	}
	wr(&l, APIC_DFR, 0);
	assert_int_equal(rd(&l, APIC_DFR), 0x0fffffff);
}

/* SDM v3, "Local APIC State After It Has Been Software Disabled": "The mask bits for all the LVT entries are set.
 * Attempts to reset these bits will be ignored." */
static void software_disable_masks_every_lvt(void **state)
{
	struct lapic l = enabled();

	(void)state;
	for (uint32_t o = APIC_LVT_TIMER; o <= APIC_LVT_ERROR; o += 16)
		wr(&l, o, 0x40);
	wr(&l, APIC_SVR, 0xff);
	for (uint32_t o = APIC_LVT_TIMER; o <= APIC_LVT_ERROR; o += 16) {
		assert_int_equal(rd(&l, o), 0x10040);
		wr(&l, o, 0x41);
		assert_int_equal(rd(&l, o), 0x10041);
	}
	wr(&l, APIC_SVR, ENABLED);
	for (uint32_t o = APIC_LVT_TIMER; o <= APIC_LVT_ERROR; o += 16) {
		assert_int_equal(rd(&l, o), 0x10041);
		wr(&l, o, 0x41);
		assert_int_equal(rd(&l, o), 0x41);
	}
}

static void lint0_fixed_edge_acts_on_the_rising_edge(void **state)
{
	struct lapic l = enabled();

	(void)state;
	wr(&l, APIC_LVT_LINT0, 0x38);
	lapic_set_lint0(&l, true);
	take(&l, 0x38);
	assert_false(in_map(&l, APIC_TMR, 0x38));
	wr(&l, APIC_EOI, 0);
	lapic_set_lint0(&l, true);
	assert_int_equal(lapic_pending(&l), -1);
	lapic_set_lint0(&l, false);
	assert_int_equal(lapic_pending(&l), -1);
	lapic_set_lint0(&l, true);
	take(&l, 0x38);
	assert_int_equal(rd(&l, APIC_LVT_LINT0), 0x38);
}

/* SDM v3, "Remote IRR Flag": "set when the local APIC accepts the interrupt for servicing and is reset when an EOI
 * command is received". */
static void lint0_fixed_level_delivers_again_after_eoi(void **state)
{
	struct lapic l = enabled();

	(void)state;
	wr(&l, APIC_LVT_LINT0, 0x38 | APIC_LVT_LEVEL);
	lapic_set_lint0(&l, true);
	assert_int_equal(rd(&l, APIC_LVT_LINT0), 0x38 | APIC_LVT_LEVEL | APIC_LVT_REMOTE_IRR);
	take(&l, 0x38);
	assert_true(in_map(&l, APIC_TMR, 0x38));
	lapic_set_lint0(&l, false);
	lapic_set_lint0(&l, true);
	assert_int_equal(lapic_highest_irr(&l), -1); /* Remote IRR holds it back */
	wr(&l, APIC_EOI, 0);
	take(&l, 0x38);
	lapic_set_lint0(&l, false);
	wr(&l, APIC_EOI, 0);
	assert_int_equal(lapic_highest_irr(&l), -1);
	assert_int_equal(rd(&l, APIC_LVT_LINT0), 0x38 | APIC_LVT_LEVEL);
}

static void lint0_waits_for_the_eoi_of_the_vector_it_sent(void **state)
{
	struct lapic l = enabled();

	(void)state;
	wr(&l, APIC_LVT_LINT0, 0x38 | APIC_LVT_LEVEL);
	lapic_set_lint0(&l, true);
	take(&l, 0x38);
	wr(&l, APIC_LVT_LINT0, 0x98 | APIC_LVT_LEVEL);
	fixed(&l, 0x98);
	take(&l, 0x98);
	wr(&l, APIC_EOI, 0); /* 0x98 came from elsewhere */
	assert_int_equal(lapic_highest_irr(&l), -1);
	wr(&l, APIC_EOI, 0);
	assert_int_equal(lapic_pending(&l), 0x98);
	wr(&l, APIC_LVT_LINT0, 0x98);
	assert_int_equal(rd(&l, APIC_LVT_LINT0), 0x98);
}

static void unmasking_lint0_delivers_a_level_but_no_edge(void **state)
{
	struct lapic l = enabled();

	(void)state;
	wr(&l, APIC_LVT_LINT0, 0x38 | APIC_LVT_MASKED);
	lapic_set_lint0(&l, true);
	wr(&l, APIC_LVT_LINT0, 0x38);
	assert_int_equal(lapic_highest_irr(&l), -1);
	wr(&l, APIC_LVT_LINT0, 0x38 | APIC_LVT_MASKED | APIC_LVT_LEVEL);
	assert_int_equal(lapic_highest_irr(&l), -1);
	wr(&l, APIC_LVT_LINT0, 0x38 | APIC_LVT_LEVEL);
	take(&l, 0x38);
	lapic_set_lint0(&l, false);
	wr(&l, APIC_EOI, 0);
	wr(&l, APIC_LVT_LINT0, 0x38 | APIC_LVT_MASKED | APIC_LVT_LEVEL);
	wr(&l, APIC_LVT_LINT0, 0x38 | APIC_LVT_LEVEL);
	assert_int_equal(lapic_highest_irr(&l), -1); /* the wire is low */
}

/* "When the delivery mode is NMI, SMI, or INIT, the trigger mode is always edge sensitive." */
static void lint0_nmi_is_edge_and_other_modes_do_nothing(void **state)
{
	(void)state;
	for (uint32_t dm = 1; dm < 8; dm++)
		for (uint32_t mask = 0; mask < 2; mask++) {
			struct lapic l = enabled();
			uint32_t lvt = 0x38 | APIC_DM_FIELD(dm) | APIC_LVT_LEVEL | (mask ? APIC_LVT_MASKED : 0);

			wr(&l, APIC_LVT_LINT0, lvt);
			lapic_set_lint0(&l, true);
			assert_int_equal(lapic_take_nmi(&l), dm == APIC_DM_NMI && !mask);
			lapic_set_lint0(&l, true);
			wr(&l, APIC_LVT_LINT0, lvt & ~APIC_LVT_MASKED);
			assert_false(lapic_take_nmi(&l));
			assert_int_equal(lapic_highest_irr(&l), -1);
			assert_int_equal(rd(&l, APIC_LVT_LINT0), lvt & ~APIC_LVT_MASKED);
			lapic_set_lint0(&l, false);
			lapic_set_lint0(&l, true);
			assert_int_equal(lapic_take_nmi(&l), dm == APIC_DM_NMI);
		}
}

static void an_illegal_lint0_vector_is_an_error(void **state)
{
	struct lapic l = enabled();

	(void)state;
	wr(&l, APIC_LVT_LINT0, 0x08 | APIC_LVT_LEVEL);
	lapic_set_lint0(&l, true);
	assert_int_equal(rd(&l, APIC_LVT_LINT0), 0x08 | APIC_LVT_LEVEL);
	assert_int_equal(latched_esr(&l), APIC_ESR_RECV_ILLEGAL);
	wr(&l, APIC_LVT_LINT0, 0x38 | APIC_LVT_LEVEL);
	take(&l, 0x38);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_below_16_are_errors_and_dropped),
		cmocka_unit_test(an_illegal_ipi_is_logged_where_it_is_seen),
		cmocka_unit_test(the_error_interrupt_comes_once_until_esr_is_written),
		cmocka_unit_test(a_masked_error_interrupt_is_still_recorded),
		cmocka_unit_test(an_error_of_the_error_interrupt_ends_there),
		cmocka_unit_test(reserved_registers_set_the_illegal_register_bit),
		cmocka_unit_test(accesses_between_registers_do_nothing),
		cmocka_unit_test(read_only_registers_ignore_writes),
		cmocka_unit_test(reserved_bits_of_the_page_are_dropped),
		cmocka_unit_test(software_disable_masks_every_lvt),
		cmocka_unit_test(lint0_fixed_edge_acts_on_the_rising_edge),
		cmocka_unit_test(lint0_fixed_level_delivers_again_after_eoi),
		cmocka_unit_test(lint0_waits_for_the_eoi_of_the_vector_it_sent),
		cmocka_unit_test(unmasking_lint0_delivers_a_level_but_no_edge),
		cmocka_unit_test(lint0_nmi_is_edge_and_other_modes_do_nothing),
		cmocka_unit_test(an_illegal_lint0_vector_is_an_error),
	};

	return cmocka_run_group_tests_name("lapic_regs", tests, NULL, NULL);
}
