/* SPDX-License-Identifier: BSD-2-Clause
 * The posted-interrupt descriptor: what goes into it, and what software takes out of it.
 * Knows nothing of the CPU that processes it. */
#include "unit/lapic_fixture.h"

#define VECTOR 0x52
#define HIGHER 0x91

static bool post_msg(struct lapic *l, uint8_t mode, uint8_t vector, bool level)
{
	struct apic_msg m = { .dest = l->id, .vector = vector, .delivery_mode = mode, .level = level };

	return lapic_post(l, &m);
}

static void post(struct lapic *l, uint8_t vector) { assert_true(post_msg(l, APIC_DM_FIXED, vector, false)); }

static bool in_pir(const struct lapic *l, uint8_t v) { return l->posted.pir[v / 32] & BIT(v % 32); }

static void expect_empty(const struct lapic *l)
{
	const struct posted_desc none = { 0 };

	assert_false(lapic_has_posted(l));
	assert_memory_equal(&l->posted, &none, sizeof(none));
}

/* SDM v3, "Format of Posted-Interrupt Descriptor": "255:0 Posted-interrupt requests", "256 Outstanding notification", in 64
 * bytes that are 64-byte aligned. */
static void the_descriptor_is_as_the_cpu_reads_it(void **state)
{
	const uint8_t *bytes;

	(void)state;
	assert_int_equal(sizeof(struct posted_desc), 64);
	assert_int_equal(offsetof(struct lapic, posted) % 4096, 0);
	for (unsigned v = 16; v < 256; v++) {
		struct lapic l = enabled();

		expect_empty(&l);
		post(&l, (uint8_t)v);
		bytes = (const uint8_t *)&l.posted;
		for (unsigned i = 0; i < 32; i++)
			assert_int_equal(bytes[i], i == v / 8 ? BIT(v % 8) : 0);
		assert_int_equal(bytes[32], BIT(0));
	}
}

/* A vCPU that is halted, and a user half that asks for a window, look before the CPU does. */
static void a_posted_vector_is_pending(void **state)
{
	(void)state;
	for (unsigned tpr = 0; tpr < 256; tpr += 8) {
		struct lapic l = enabled();

		wr(&l, APIC_TPR, tpr);
		post(&l, VECTOR);
		assert_int_equal(lapic_highest_irr(&l), -1); /* RVI must not run ahead of IRR */
		assert_int_equal(lapic_pending(&l), VECTOR >> 4 > (int)(tpr >> 4) ? VECTOR : -1);
		fixed(&l, VECTOR + 1);
		assert_int_equal(lapic_pending(&l), VECTOR >> 4 > (int)(tpr >> 4) ? VECTOR + 1 : -1);
		post(&l, HIGHER);
		assert_int_equal(lapic_pending(&l), HIGHER >> 4 > (int)(tpr >> 4) ? HIGHER : -1);
		assert_int_equal(lapic_highest_irr(&l), VECTOR + 1);
	}
}

/* "Posted-Interrupt Processing": "The logical processor performs a logical-OR of PIR into VIRR and clears PIR." */
static void software_does_what_the_cpu_would(void **state)
{
	struct lapic l = enabled();

	(void)state;
	fixed(&l, VECTOR);
	post(&l, VECTOR);
	post(&l, VECTOR);
	post(&l, HIGHER);
	post(&l, 0xff);
	l.changed = false;
	lapic_take_posted(&l);
	expect_empty(&l);
	assert_true(l.changed); /* RVI is to follow */
	take(&l, 0xff);
	wr(&l, APIC_EOI, 0);
	take(&l, HIGHER);
	wr(&l, APIC_EOI, 0);
	take(&l, VECTOR); /* three arrived, one was latched */
	wr(&l, APIC_EOI, 0);
	lapic_take_posted(&l);
	assert_int_equal(lapic_pending(&l), -1);
}

/* Whatever is no edge that IRR would take is delivered as ever. */
static void only_edges_are_posted(void **state)
{
	(void)state;
	for (unsigned mode = 0; mode < 8; mode++)
		for (unsigned level = 0; level < 2; level++)
			for (unsigned v = 0; v < 256; v++) {
				struct lapic l = enabled(), m = l;
				bool posts = (mode == APIC_DM_FIXED || mode == APIC_DM_LOWEST) && !level && v >= 16;

				assert_true(post_msg(&l, (uint8_t)mode, (uint8_t)v, level));
				send_msg(&m, (uint8_t)mode, (uint8_t)v, level);
				assert_int_equal(lapic_has_posted(&l), posts);
				assert_int_equal(in_pir(&l, (uint8_t)v), posts);
				assert_int_equal(lapic_highest_irr(&l), posts ? -1 : lapic_highest_irr(&m));
				if (posts)
					lapic_take_posted(&l);
				l.changed = m.changed;
				assert_memory_equal(&l, &m, sizeof(l));
			}
}

/* SDM v3, "Local APIC State After It Has Been Software Disabled": what is pending is held, but nothing is added. */
static void who_is_not_addressed_or_disabled_gets_nothing(void **state)
{
	struct apic_msg other = { .dest = ID + 1, .vector = VECTOR };
	struct lapic l = enabled();

	(void)state;
	assert_false(lapic_post(&l, &other));
	expect_empty(&l);
	wr(&l, APIC_SVR, 0xff);
	post(&l, VECTOR);
	expect_empty(&l);
	assert_int_equal(lapic_pending(&l), -1);
}

/* SDM v3, "Interrupt Acceptance for Fixed Interrupts": "Upon acceptance of an interrupt into the IRR, the corresponding TMR bit is
 * cleared for edge-triggered interrupts and set for level-triggered interrupts." */
static void a_posted_edge_clears_tmr(void **state)
{
	struct lapic l = enabled();

	(void)state;
	send_msg(&l, APIC_DM_FIXED, VECTOR, true);
	assert_true(in_map(&l, APIC_TMR, VECTOR));
	take(&l, VECTOR);
	wr(&l, APIC_EOI, 0);
	post(&l, VECTOR);
	assert_false(in_map(&l, APIC_TMR, VECTOR));
}

/* SDM v3, "Local APIC State After Power-Up or Reset": IRR is 0, wherever its bits were. */
static void a_reset_forgets_what_is_posted(void **state)
{
	struct lapic l = enabled();

	(void)state;
	post(&l, VECTOR);
	assert_int_equal(wrmsr(&l, MSR_APIC_BASE, l.base & ~APIC_BASE_EN), 0);
	expect_empty(&l);
	assert_int_equal(lapic_pending(&l), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_descriptor_is_as_the_cpu_reads_it),
		cmocka_unit_test(a_posted_vector_is_pending),
		cmocka_unit_test(software_does_what_the_cpu_would),
		cmocka_unit_test(only_edges_are_posted),
		cmocka_unit_test(who_is_not_addressed_or_disabled_gets_nothing),
		cmocka_unit_test(a_posted_edge_clears_tmr),
		cmocka_unit_test(a_reset_forgets_what_is_posted),
	};

	return cmocka_run_group_tests_name("lapic_post", tests, NULL, NULL);
}
