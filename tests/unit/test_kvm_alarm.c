/* SPDX-License-Identifier: BSD-2-Clause
 * Proves that the alarm rings at the deadline or before it, reaches nothing but KVM_RUN, and is gone when it was taken.
 * Knows nothing of a real /dev/kvm: only the clock is real. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <linux/kvm.h>

#include "tests/kvm/alarm.h"

#define SOON (2 * NSEC_PER_MSEC)
#define LATER (10 * NSEC_PER_SEC)
#define ALARM_BIT (1ull << (SIGALRM - 1))
#define OTHER_BIT (1ull << (SIGUSR1 - 1))

static struct alarm a;
static uint64_t run_mask;

int ioctl(int fd, unsigned long request, ...);
int ioctl(int fd, unsigned long request, ...)
{
	const struct kvm_signal_mask *mask;
	va_list ap;

	assert_int_equal(fd, 42);
	assert_int_equal(request, KVM_SET_SIGNAL_MASK);
	va_start(ap, request);
	mask = va_arg(ap, const struct kvm_signal_mask *);
	va_end(ap);
	assert_int_equal(mask->len, sizeof(run_mask));
	memcpy(&run_mask, mask->sigset, sizeof(run_mask));
	return 0;
}

static bool rings(void)
{
	sigset_t pending;

	sigpending(&pending);
	return sigismember(&pending, SIGALRM);
}

static void sleep_until(uint64_t t)
{
	const struct timespec until = { .tv_sec = (time_t)(t / NSEC_PER_SEC), .tv_nsec = (long)(t % NSEC_PER_SEC) };

	while (alarm_now() < t)
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

static int begin(void **state)
{
	(void)state;
	return alarm_init(&a, 42);
}

static int end(void **state)
{
	(void)state;
	alarm_fini(&a);
	return rings();
}

/* KVM: the mask is that of the thread "during KVM_RUN". */
static void the_signal_is_open_in_kvm_run_and_nowhere_else(void **state)
{
	sigset_t other, now;
	struct alarm b;
	(void)state;

	sigemptyset(&other);
	sigaddset(&other, SIGUSR1);
	sigprocmask(SIG_BLOCK, &other, NULL);
	assert_int_equal(alarm_init(&b, 42), 0);
	assert_int_equal(run_mask & ALARM_BIT, 0);
	assert_int_equal(run_mask & OTHER_BIT, OTHER_BIT);
	sigprocmask(SIG_UNBLOCK, &other, &now);
	assert_true(sigismember(&now, SIGALRM));
	alarm_fini(&b);
}

static void it_rings_at_the_deadline(void **state)
{
	uint64_t t = alarm_now() + SOON;
	(void)state;

	alarm_arm(&a, t);
	assert_true(!rings() || alarm_now() >= t);
	sleep_until(t + SOON);
	assert_true(rings());
}

static void a_deadline_in_the_past_rings_at_once(void **state)
{
	(void)state;
	alarm_arm(&a, 0);
	sleep_until(alarm_now() + SOON);
	assert_true(rings());
}

static void never_does_not_ring(void **state)
{
	(void)state;
	alarm_arm(&a, TIME_NEVER);
	sleep_until(alarm_now() + SOON);
	assert_false(rings());
}

/* "no later than": each run may have another deadline, and a system call for each would be the price of precision. */
static void the_earliest_counts_until_it_was_taken(void **state)
{
	uint64_t t = alarm_now() + SOON;
	(void)state;

	alarm_arm(&a, t);
	alarm_arm(&a, t + LATER);
	assert_int_equal(a.armed, t);
	sleep_until(t + SOON);
	assert_true(rings());
	alarm_take(&a);
	assert_false(rings());
	assert_int_equal(a.armed, TIME_NEVER);
	alarm_arm(&a, t + LATER);
	assert_int_equal(a.armed, t + LATER);
	assert_false(rings());
	alarm_arm(&a, alarm_now() + SOON);
	sleep_until(a.armed + SOON);
	assert_true(rings());
}

/* One that came too late to be taken with its timer would end every run, at once and for ever. */
static void a_signal_from_before_is_taken_too(void **state)
{
	(void)state;
	raise(SIGALRM);
	alarm_arm(&a, alarm_now() + LATER);
	assert_true(rings());
	alarm_take(&a);
	assert_false(rings());
	assert_true(a.armed != TIME_NEVER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_signal_is_open_in_kvm_run_and_nowhere_else, begin, end),
		cmocka_unit_test_setup_teardown(it_rings_at_the_deadline, begin, end),
		cmocka_unit_test_setup_teardown(a_deadline_in_the_past_rings_at_once, begin, end),
		cmocka_unit_test_setup_teardown(never_does_not_ring, begin, end),
		cmocka_unit_test_setup_teardown(the_earliest_counts_until_it_was_taken, begin, end),
		cmocka_unit_test_setup_teardown(a_signal_from_before_is_taken_too, begin, end),
	};

	return cmocka_run_group_tests_name("kvm_alarm", tests, NULL, NULL);
}
