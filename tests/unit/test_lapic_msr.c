/* SPDX-License-Identifier: BSD-2-Clause
 * The local APIC's modes and x2APIC MSRs against the SDM.
 * Knows nothing of the files that implement it. */
#include "unit/lapic_fixture.h"

/* SDM v3, "x2APIC State Transitions": the figure's arrows, and #GP for all others. */
static void apic_base_allows_only_the_legal_transitions(void **state)
{
	static const uint64_t modes[] = { 0, APIC_BASE_EXTD, APIC_BASE_EN, APIC_BASE_EN | APIC_BASE_EXTD };
	static const bool legal[4][4] = {
		{ true, false, true, false },
		{ false, false, false, false }, /* cannot be reached */
		{ true, false, true, true },
		{ true, false, false, true },
	};

	(void)state;
	for (int from = 0; from < 4; from++)
		for (int to = 0; to < 4; to++) {
			struct lapic l = from == 3 ? x2apic() : enabled();
			uint64_t base;

			if (from == 1)
				continue;
			if (from == 0)
				assert_int_equal(wrmsr(&l, MSR_APIC_BASE, APIC_DEFAULT_PHYS), 0);
			base = l.base;
			assert_int_equal(wrmsr(&l, MSR_APIC_BASE, APIC_DEFAULT_PHYS | modes[to]),
					 legal[from][to] ? 0 : E_INVAL);
			assert_int_equal(rdmsr(&l, MSR_APIC_BASE),
					 legal[from][to] ? (APIC_DEFAULT_PHYS | modes[to]) : base);
		}
}

static void apic_base_faults_on_reserved_bits_and_can_move(void **state)
{
	struct lapic l = enabled();
	uint64_t base = l.base;

	(void)state;
	for (int b = 0; b < 64; b++) {
		bool reserved = b < 8 || b == 9 || b >= 52;

		if (!reserved)
			continue;
		assert_int_equal(wrmsr(&l, MSR_APIC_BASE, base | BIT64(b)), E_INVAL);
		assert_int_equal(rdmsr(&l, MSR_APIC_BASE), base);
	}
	wr(&l, APIC_TPR, 0x20);
	assert_int_equal(wrmsr(&l, MSR_APIC_BASE, 0x123456000 | APIC_BASE_EN), 0);
	assert_int_equal(rdmsr(&l, MSR_APIC_BASE), 0x123456000 | APIC_BASE_EN);
	assert_int_equal(rd(&l, APIC_TPR), 0x20);
}

/* SDM v3, "Enabling or Disabling the Local APIC": "the processor is functionally equivalent to an IA-32 processor
 * without an on-chip APIC". */
static void a_globally_disabled_apic_is_not_there(void **state)
{
	struct lapic l = enabled();

	(void)state;
	start(&l, 0x40, 0xb, 500, 0);
	fixed(&l, 0x55);
	wr(&l, APIC_ID, 0x12000000);
	lapic_set_lint0(&l, true);
	assert_int_equal(wrmsr(&l, MSR_APIC_BASE, APIC_DEFAULT_PHYS | APIC_BASE_BSP), 0);
	assert_int_equal(lapic_pending(&l), -1);
	assert_int_equal(lapic_highest_irr(&l), -1);
	assert_int_equal(lapic_deadline(&l), TIME_NEVER);
	assert_false(lapic_matches(&l, ID, false));
	assert_false(lapic_matches(&l, 0xff, false));
	assert_false(send_msg(&l, APIC_DM_NMI, 0, false));
	assert_false(lapic_deliver(&l, &(struct apic_msg){ .dest = 0xff, .delivery_mode = APIC_DM_NMI }));
	assert_false(lapic_take_nmi(&l));
	assert_int_equal(rd(&l, APIC_VERSION), 0);
	wr(&l, APIC_SVR, ENABLED);
	*word_of(&l, APIC_IRR, 0xe0) = BIT(0); /* whatever a caller may have put there */
	assert_int_equal(lapic_pending(&l), -1);
	*word_of(&l, APIC_IRR, 0xe0) = 0;
	assert_int_equal(wrmsr(&l, X2(APIC_TPR), 0), E_INVAL);
	assert_int_equal(wrmsr(&l, MSR_TSC_DEADLINE, 3000), 0);
	assert_int_equal(rdmsr(&l, MSR_TSC_DEADLINE), 0);
	/* back in the power-up state, with LVT0 masked: no firmware has run */
	assert_int_equal(wrmsr(&l, MSR_APIC_BASE, APIC_DEFAULT_PHYS | APIC_BASE_BSP | APIC_BASE_EN), 0);
	assert_int_equal(rd(&l, APIC_SVR), 0xff);
	assert_int_equal(rd(&l, APIC_ID), ID << 24);
	for (uint32_t o = APIC_LVT_TIMER; o <= APIC_LVT_ERROR; o += 16)
		assert_int_equal(rd(&l, o), APIC_LVT_MASKED);
	assert_int_equal(rd(&l, APIC_TIMER_INITIAL), 0);
	assert_false(lapic_accepts_extint(&l));
	wr(&l, APIC_SVR, ENABLED);
	wr(&l, APIC_LVT_LINT0, 0x38 | APIC_LVT_LEVEL);
	assert_int_equal(lapic_pending(&l), 0x38); /* the wire was remembered */
}

static void events_to_take_survive_a_global_disable(void **state)
{
	struct lapic l = enabled();

	(void)state;
	send_msg(&l, APIC_DM_NMI, 0, false);
	fixed(&l, 0x55);
	take(&l, 0x55);
	wr(&l, APIC_EOI, 0);
	assert_int_equal(wrmsr(&l, MSR_APIC_BASE, APIC_DEFAULT_PHYS), 0);
	assert_true(lapic_take_nmi(&l));
	assert_int_equal(lapic_take_eoi(&l), 0x55);
}

/* SDM v3, "State Changes From xAPIC Mode to x2APIC Mode": "does not affect most of the APIC register states, except
 * ... The Logical Destination Register is not preserved. Any APIC ID value written ... is not preserved. The high
 * half of the Interrupt Command Register is not preserved." */
static void entering_x2apic_mode_keeps_all_but_three(void **state)
{
	struct lapic l = enabled(), before;

	(void)state;
	start(&l, 0x40 | APIC_TIMER_MODE_FIELD(APIC_TIMER_PERIODIC), 3, 500, 0);
	wr(&l, APIC_TPR, 0x21);
	wr(&l, APIC_ID, 0x12000000);
	wr(&l, APIC_LDR, 0x40000000);
	wr(&l, APIC_ICR_HIGH, 0x77000000);
	wr(&l, APIC_ICR_LOW, 0x44 | APIC_ICR_SHORTHAND_FIELD(APIC_ICR_ALL));
	fixed(&l, 0x55);
	before = l;
	assert_int_equal(wrmsr(&l, MSR_APIC_BASE, l.base | APIC_BASE_EXTD), 0);
	assert_int_equal(rdmsr(&l, X2(APIC_ID)), ID);
	assert_int_equal(rdmsr(&l, X2(APIC_LDR)), 1u << ID);
	assert_int_equal(rdmsr(&l, X2(APIC_ICR_LOW)), 0x44 | APIC_ICR_SHORTHAND_FIELD(APIC_ICR_ALL));
	before.id = l.id;
	before.ldr = l.ldr;
	*word_at(&before, APIC_ID) = ID;
	*word_at(&before, APIC_LDR) = l.ldr;
	*word_at(&before, APIC_ICR_HIGH) = 0;
	before.base = l.base;
	assert_memory_equal(&l, &before, sizeof(l));
	/* the page is gone */
	assert_int_equal(rd(&l, APIC_TPR), 0);
	wr(&l, APIC_TPR, 0x55);
	assert_int_equal(rdmsr(&l, X2(APIC_TPR)), 0x21);
	/* writing the same mode again changes nothing */
	assert_int_equal(wrmsr(&l, X2(APIC_ICR_LOW), 0x7700000044), 0);
	before = l;
	assert_int_equal(wrmsr(&l, MSR_APIC_BASE, l.base), 0);
	assert_memory_equal(&l, &before, sizeof(l));
}

enum { NONE = 0, R = 1, W = 2, RW = 3 };

/* SDM v3, "x2APIC Register Address Space": which MSRs can be read, which written; all others raise #GP. */
static int x2apic_access(uint32_t offset)
{
	if (offset >= APIC_ISR && offset < APIC_ESR)
		return R;
	switch (offset) {
	case APIC_ID: case APIC_VERSION: case APIC_PPR: case APIC_LDR: case APIC_TIMER_CURRENT:
		return R;
	case APIC_EOI: case APIC_SELF_IPI:
		return W;
	case APIC_TPR: case APIC_SVR: case APIC_ESR: case APIC_ICR_LOW: case APIC_LVT_TIMER: case APIC_LVT_THERMAL:
	case APIC_LVT_PERFMON: case APIC_LVT_LINT0: case APIC_LVT_LINT1: case APIC_LVT_ERROR: case APIC_TIMER_INITIAL:
	case APIC_TIMER_DIVIDE:
		return RW;
	default:
		return NONE;
	}
}

static void x2apic_msrs_are_readable_and_writable_as_the_table_says(void **state)
{
	(void)state;
	for (uint32_t msr = MSR_X2APIC_FIRST; msr <= MSR_X2APIC_LAST; msr++) {
		struct lapic l = x2apic(), x = enabled();
		int access = x2apic_access((msr - MSR_X2APIC_FIRST) * 16);
		uint64_t val;

		assert_int_equal(lapic_read_msr(&l, msr, &val, 0), access & R ? 0 : E_INVAL);
		assert_int_equal(wrmsr(&l, msr, 0), access & W ? 0 : E_INVAL);
		assert_int_equal(lapic_read_msr(&x, msr, &val, 0), E_INVAL);
		assert_int_equal(wrmsr(&x, msr, 0), E_INVAL);
		assert_true(lapic_owns_msr(msr));
		if ((msr - MSR_X2APIC_FIRST) * 16 != APIC_ICR_LOW && msr != X2(APIC_SELF_IPI))
			assert_int_equal(l.esr_pending, 0); /* "illegal register" exists in xAPIC mode only */
	}
	assert_true(lapic_owns_msr(MSR_APIC_BASE) && lapic_owns_msr(MSR_TSC_DEADLINE));
	assert_false(lapic_owns_msr(MSR_X2APIC_FIRST - 1) || lapic_owns_msr(MSR_X2APIC_LAST + 1) ||
		     lapic_owns_msr(MSR_TSC));
}

/* SDM v3, "Reserved Bit Checking": WRMSR to a reserved bit, or of a non-zero EOI or ESR, raises #GP. */
static void x2apic_reserved_bits_fault_and_change_nothing(void **state)
{
	static const struct { uint32_t offset; uint64_t allowed; } regs[] = {
		{ APIC_TPR, 0xff }, { APIC_EOI, 0 }, { APIC_SVR, 0x13ff }, { APIC_ESR, 0 },
		{ APIC_ICR_LOW, 0xffffffff000cdfff }, { APIC_LVT_TIMER, 0x710ff }, { APIC_LVT_THERMAL, 0x117ff },
		{ APIC_LVT_PERFMON, 0x117ff }, { APIC_LVT_LINT0, 0x1f7ff }, { APIC_LVT_LINT1, 0x1f7ff },
		{ APIC_LVT_ERROR, 0x110ff }, { APIC_TIMER_INITIAL, 0xffffffff }, { APIC_TIMER_DIVIDE, 0xb },
		{ APIC_SELF_IPI, 0xff },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(regs); i++)
		for (int b = 0; b < 64; b++) {
			struct lapic l = x2apic(), before = l;
			bool ok = regs[i].allowed & BIT64(b);

			assert_int_equal(wrmsr(&l, X2(regs[i].offset), BIT64(b)), ok ? 0 : E_INVAL);
			if (!ok)
				assert_memory_equal(&l, &before, sizeof(l));
		}
}

static void x2apic_icr_is_one_register_of_64_bits(void **state)
{
	struct lapic l = x2apic();

	(void)state;
	assert_int_equal(wrmsr(&l, X2(APIC_ICR_LOW), (uint64_t)ID << 32 | 0x61), 0);
	assert_int_equal(rdmsr(&l, X2(APIC_ICR_LOW)), (uint64_t)ID << 32 | 0x61);
	take(&l, 0x61);
	assert_int_equal(wrmsr(&l, X2(APIC_ICR_LOW), 0x10300000071), 0); /* ID 0x103 is somebody else */
	assert_int_equal(lapic_highest_irr(&l), -1);
	assert_int_equal(wrmsr(&l, X2(APIC_ICR_LOW), (1ull << ID) << 32 | 0x71 | APIC_ICR_LOGICAL), 0);
	take(&l, 0x71);
	assert_int_equal(wrmsr(&l, X2(APIC_ICR_LOW), 0xffffffff00000081), 0);
	take(&l, 0x81);
	assert_int_equal(wrmsr(&l, X2(APIC_ICR_LOW), APIC_ICR_BUSY | 0x91), 0);
	assert_int_equal(rdmsr(&l, X2(APIC_ICR_LOW)), 0x91);
}

/* SDM v3, "SELF IPI Register". */
static void self_ipi_is_a_fixed_edge_to_self(void **state)
{
	(void)state;
	for (int v = 0; v < 256; v++) {
		struct lapic l = x2apic();
		uint64_t icr = rdmsr(&l, X2(APIC_ICR_LOW));

		assert_int_equal(wrmsr(&l, X2(APIC_SELF_IPI), v), 0);
		assert_int_equal(lapic_highest_irr(&l), v < 16 ? -1 : v);
		assert_int_equal(rdmsr(&l, X2(APIC_ICR_LOW)), icr);
		assert_int_equal(wrmsr(&l, X2(APIC_ESR), 0), 0);
		assert_int_equal(rdmsr(&l, X2(APIC_ESR)), v < 16 ? 0x60 : 0);
	}
}

static void x2apic_eoi_and_timer_work_as_in_xapic_mode(void **state)
{
	struct lapic l = x2apic();
	uint64_t val;

	(void)state;
	assert_int_equal(wrmsr(&l, X2(APIC_LVT_TIMER), 0x40), 0);
	assert_int_equal(wrmsr(&l, X2(APIC_TIMER_DIVIDE), 0xb), 0);
	assert_int_equal(wrmsr(&l, X2(APIC_TIMER_INITIAL), 500), 0);
	assert_int_equal(lapic_read_msr(&l, X2(APIC_TIMER_CURRENT), &val, 100), 0);
	assert_int_equal(val, 400);
	assert_int_equal(lapic_read_msr(&l, X2(APIC_IRR + 0x20), &val, 500), 0);
	assert_int_equal(val, BIT(0));
	take(&l, 0x40);
	assert_int_equal(wrmsr(&l, X2(APIC_EOI), 0), 0);
	assert_int_equal(lapic_take_eoi(&l), 0x40);
	assert_int_equal(lapic_write_msr(&l, X2(APIC_EOI), 1, 0, NULL), E_INVAL);
}

static void leaving_x2apic_mode_goes_through_disabled(void **state)
{
	struct lapic l = x2apic();

	(void)state;
	wrmsr(&l, X2(APIC_TPR), 0x30);
	assert_int_equal(wrmsr(&l, MSR_APIC_BASE, APIC_DEFAULT_PHYS), 0);
	assert_int_equal(wrmsr(&l, MSR_APIC_BASE, APIC_DEFAULT_PHYS | APIC_BASE_EN), 0);
	assert_int_equal(rd(&l, APIC_ID), ID << 24);
	assert_int_equal(rd(&l, APIC_LDR), 0);
	assert_int_equal(rd(&l, APIC_TPR), 0);
	assert_int_equal(rd(&l, APIC_SVR), 0xff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(apic_base_allows_only_the_legal_transitions),
		cmocka_unit_test(apic_base_faults_on_reserved_bits_and_can_move),
		cmocka_unit_test(a_globally_disabled_apic_is_not_there),
		cmocka_unit_test(events_to_take_survive_a_global_disable),
		cmocka_unit_test(entering_x2apic_mode_keeps_all_but_three),
		cmocka_unit_test(x2apic_msrs_are_readable_and_writable_as_the_table_says),
		cmocka_unit_test(x2apic_reserved_bits_fault_and_change_nothing),
		cmocka_unit_test(x2apic_icr_is_one_register_of_64_bits),
		cmocka_unit_test(self_ipi_is_a_fixed_edge_to_self),
		cmocka_unit_test(x2apic_eoi_and_timer_work_as_in_xapic_mode),
		cmocka_unit_test(leaving_x2apic_mode_goes_through_disabled),
	};

	return cmocka_run_group_tests_name("lapic_msr", tests, NULL, NULL);
}
