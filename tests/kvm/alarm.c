/* SPDX-License-Identifier: BSD-2-Clause
 * The deadline of a run: a signal that stays blocked but in KVM_RUN, so that it can end nothing else and cannot come
 * too early.
 * Knows nothing of what runs. */
#define _GNU_SOURCE
#include "tests/kvm/alarm.h"

#include <linux/kvm.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "bits.h"

#define ALARM_SIGNAL SIGALRM
#define KERNEL_SIGSET_SIZE 8
#define SIGNAL_BIT(n) BIT64((n) - 1)

uint64_t alarm_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec;
}

/* The mask of the process, less our signal, for as long as KVM_RUN lasts. */
static int open_in_run(int vcpu, const sigset_t *process)
{
	union {
		struct kvm_signal_mask head;
		uint8_t bytes[sizeof(struct kvm_signal_mask) + KERNEL_SIGSET_SIZE];
	} mask = { .head = { .len = KERNEL_SIGSET_SIZE } };
	uint64_t set;

	memcpy(&set, process, sizeof(set));
	set &= ~SIGNAL_BIT(ALARM_SIGNAL);
	memcpy(mask.head.sigset, &set, sizeof(set));
	return ioctl(vcpu, KVM_SET_SIGNAL_MASK, &mask.head);
}

int alarm_init(struct alarm *a, int vcpu)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = ALARM_SIGNAL };
	sigset_t ours, process;

	a->armed = TIME_NEVER;
	sigemptyset(&ours);
	sigaddset(&ours, ALARM_SIGNAL);
	if (sigprocmask(SIG_BLOCK, &ours, NULL) || sigprocmask(SIG_BLOCK, NULL, &process))
		return -1;
	if (open_in_run(vcpu, &process))
		return -1;
	return timer_create(CLOCK_MONOTONIC, &event, &a->timer);
}

static void take_signal(void)
{
	const struct timespec at_once = { 0 };
	sigset_t ours;

	sigemptyset(&ours);
	sigaddset(&ours, ALARM_SIGNAL);
	(void)sigtimedwait(&ours, NULL, &at_once);
}

void alarm_fini(struct alarm *a)
{
	timer_delete(a->timer);
	take_signal();
}

void alarm_arm(struct alarm *a, uint64_t deadline)
{
	struct itimerspec when = { 0 };

	if (deadline >= a->armed)
		return;
	/* Time 0 would disarm. */
	when.it_value.tv_sec = (time_t)(deadline / NSEC_PER_SEC);
	when.it_value.tv_nsec = deadline ? (long)(deadline % NSEC_PER_SEC) : 1;
	timer_settime(a->timer, TIMER_ABSTIME, &when, NULL);
	a->armed = deadline;
}

/* The signal always: one that was on its way when the last was taken would end every run from now on. */
void alarm_take(struct alarm *a)
{
	take_signal();
	if (alarm_now() >= a->armed)
		a->armed = TIME_NEVER;
}
