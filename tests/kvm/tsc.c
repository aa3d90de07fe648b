/* SPDX-License-Identifier: BSD-2-Clause
 * The TSC against time, on this machine and in a guest.
 * Knows nothing of timers. */
#define _GNU_SOURCE
#include "tests/kvm/tsc.h"

#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <time.h>
#include <x86intrin.h>

#include "tests/kvm/alarm.h"
#include "tests/kvm/msr.h"
#include "x86.h"

#define MEASURE_MS 100
#define TRIES 64
#define TRIES_MIN 8
#define TRY_SHIFT 40
#define NS_TO_FIXED(ns) ((unsigned __int128)(ns) << 32) /* struct tsc_clock: 32.32 */

struct moment {
	uint64_t now, tsc;
};

/* Whatever disturbs a reading makes it longer: the shortest is the truest. */
static struct moment read_both(void)
{
	uint64_t shortest = UINT64_MAX;
	struct moment best = { 0 };

	for (unsigned i = 0; i < TRIES; i++) {
		uint64_t before = __rdtsc();
		uint64_t now = alarm_now();
		uint64_t took = __rdtsc() - before;

		if (took >= shortest)
			continue;
		shortest = took;
		best = (struct moment){ now, before + took / 2 };
	}
	return best;
}

static uint64_t ticks_of(uint64_t ns, uint64_t mult)
{
	return (uint64_t)(NS_TO_FIXED(ns) / mult);
}

void tsc_measure(struct tsc_clock *host)
{
	const struct timespec pause = { .tv_nsec = MEASURE_MS * (long)NSEC_PER_MSEC };
	struct moment from = read_both(), to;

	nanosleep(&pause, NULL);
	to = read_both();
	host->mult = (uint64_t)(NS_TO_FIXED(to.now - from.now) / (to.tsc - from.tsc));
	host->tsc0 = to.tsc - ticks_of(to.now, host->mult);
}

uint64_t tsc_khz(const struct tsc_clock *c)
{
	return ticks_of(NSEC_PER_MSEC, c->mult);
}

/* KVM takes a value within a second of what it expects for an attempt to bring several vCPUs together, and changes nothing:
 * this is far from any. */
static uint64_t value_of_try(unsigned i)
{
	return (uint64_t)(i + 1) << TRY_SHIFT;
}

/* Where the kernel does not trust the machine's TSC the guest's stands still while the vCPU is not loaded: what is asked for behind
 * an exit is as old as the exit. So what is less than this from where the guest's TSC is known to be is no write of the guest. */
#define SLACK_NS (2 * NSEC_PER_MSEC)

int tsc_follow_guest(int vcpu, struct tsc_clock *guest)
{
	uint64_t before = alarm_now(), val, expected;
	uint64_t slack = ticks_of(SLACK_NS, guest->mult);

	if (msr_get(vcpu, MSR_TSC, &val))
		return -1;
	expected = guest->tsc0 + ticks_of(before, guest->mult);
	/* Either way round: the difference wraps as the TSC does. */
	if (val - expected + slack > 2 * slack + ticks_of(alarm_now() - before, guest->mult))
		guest->tsc0 += val - expected;
	return 0;
}

/* What it is now cannot be asked for: where the kernel does not trust the machine's TSC, KVM stops the guest's while the vCPU
 * is not loaded, and lets it catch up at the next entry. So it is set, and the rate with it, to which KVM makes it catch up. */
int tsc_of_guest(int vcpu, const struct tsc_clock *host, struct tsc_clock *guest)
{
	uint64_t shortest = UINT64_MAX, took = 0;

	ioctl(vcpu, KVM_SET_TSC_KHZ, tsc_khz(host)); /* fails where KVM could not change it: then it is the machine's */
	for (unsigned i = 0; i < TRIES && (i < TRIES_MIN || took > 2 * shortest); i++) {
		uint64_t before = alarm_now();

		if (msr_set(vcpu, MSR_TSC, value_of_try(i)))
			return -1;
		took = alarm_now() - before;
		shortest = took < shortest ? took : shortest;
		*guest = (struct tsc_clock){ .mult = host->mult,
					     .tsc0 = value_of_try(i) - ticks_of(before + took / 2, host->mult) };
	}
	return 0;
}
