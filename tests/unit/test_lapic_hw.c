/* SPDX-License-Identifier: BSD-2-Clause
 * The machine's own local APIC, where one is played by a page of memory and a thread.
 * Knows nothing of CPUs. */
#include "x86/lapic_hw.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "x86.h"

#define VECTOR 0xf1
#define PAGE_WORDS 1024
#define BUSY_READS 200000

static volatile uint32_t page[PAGE_WORDS];
static const struct lapic_hw lapic = { .mmio = page };

static volatile uint32_t *reg(uint32_t offset)
{
	return &page[offset / sizeof(uint32_t)];
}

static int clear(void **state)
{
	(void)state;
	for (unsigned i = 0; i < PAGE_WORDS; i++)
		page[i] = 0;
	return 0;
}

/* The message is under way for a while. */
static void *deliver(void *arg)
{
	(void)arg;
	while (!*reg(APIC_ICR_LOW))
		;
	for (unsigned i = 0; i < BUSY_READS; i++)
		(void)*reg(APIC_ID);
	*reg(APIC_IRR + VECTOR / 32 * 16) = BIT(VECTOR % 32);
	return NULL;
}

static void a_message_to_ourselves_is_waited_for(void **state)
{
	pthread_t bus;

	(void)state;
	assert_int_equal(pthread_create(&bus, NULL, deliver, NULL), 0);
	lapic_hw_self_ipi(&lapic, VECTOR);
	assert_true(lapic_hw_wait_pending(&lapic, VECTOR));
	assert_true(lapic_hw_pending(&lapic, VECTOR));
	pthread_join(bus, NULL);
	assert_int_equal(*reg(APIC_ICR_LOW), APIC_ICR_SHORTHAND_FIELD(APIC_ICR_SELF) | APIC_ICR_ASSERT | VECTOR);
}

static void one_that_never_comes_is_told(void **state)
{
	(void)state;
	lapic_hw_self_ipi(&lapic, VECTOR);
	*reg(APIC_IRR + VECTOR / 32 * 16) = ~BIT(VECTOR % 32);
	assert_false(lapic_hw_wait_pending(&lapic, VECTOR));
}

/* SDM v3, "Interrupt Command Register (ICR)": the shorthand "self" is not for NMIs. */
static void an_nmi_goes_by_our_id(void **state)
{
	const uint32_t id = 0x07000000;

	(void)state;
	*reg(APIC_ID) = id;
	lapic_hw_self_nmi(&lapic);
	assert_int_equal(*reg(APIC_ICR_HIGH), id);
	assert_int_equal(*reg(APIC_ICR_LOW), APIC_ICR_ASSERT | APIC_DM_FIELD(APIC_DM_NMI));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_message_to_ourselves_is_waited_for, clear),
		cmocka_unit_test_setup(one_that_never_comes_is_told, clear),
		cmocka_unit_test_setup(an_nmi_goes_by_our_id, clear),
	};

	return cmocka_run_group_tests_name("lapic_hw", tests, NULL, NULL);
}
