/* SPDX-License-Identifier: BSD-2-Clause
 * The machine's own local APIC, where one is played by a page of memory whose accesses are counted.
 * Knows nothing of CPUs. */
#define _GNU_SOURCE
#include "x86/lapic_hw.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <cmocka.h>

#include "x86.h"

#define VECTOR 0xf1
#define PAGE_WORDS 1024
#define MESSAGE_TAKES 100 /* accesses */

static volatile uint32_t page[PAGE_WORDS] __attribute__((aligned(4096)));
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

/* The bus: the page is closed, each access to it opens it for one instruction, and the message arrives before the access that
 * comes so many later. */
static unsigned accesses;

static void protect(int how)
{
	if (mprotect((void *)(uintptr_t)page, sizeof(page), how))
		abort();
}

static void on_access(int sig, siginfo_t *info, void *context)
{
	(void)sig, (void)info;
	protect(PROT_READ | PROT_WRITE);
	if (++accesses == MESSAGE_TAKES)
		*reg(APIC_IRR + VECTOR / 32 * 16) = BIT(VECTOR % 32);
	((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] |= RFLAGS_TF;
}

static void behind_it(int sig, siginfo_t *info, void *context)
{
	(void)sig, (void)info;
	protect(PROT_NONE);
	((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)RFLAGS_TF;
}

static void a_message_to_ourselves_is_waited_for(void **state)
{
	struct sigaction segv = { .sa_flags = SA_SIGINFO }, trap = { .sa_flags = SA_SIGINFO }, segv_was, trap_was;
	bool came;

	(void)state;
	segv.sa_sigaction = on_access;
	trap.sa_sigaction = behind_it;
	lapic_hw_self_ipi(&lapic, VECTOR);
	accesses = 0;
	sigaction(SIGSEGV, &segv, &segv_was);
	sigaction(SIGTRAP, &trap, &trap_was);
	protect(PROT_NONE);
	came = lapic_hw_wait_pending(&lapic, VECTOR);
	protect(PROT_READ | PROT_WRITE);
	sigaction(SIGSEGV, &segv_was, NULL);
	sigaction(SIGTRAP, &trap_was, NULL);
	assert_true(came);
	assert_int_equal(accesses, MESSAGE_TAKES);
	assert_true(lapic_hw_pending(&lapic, VECTOR));
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
