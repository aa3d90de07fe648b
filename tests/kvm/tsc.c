/* SPDX-License-Identifier: BSD-2-Clause
 * The TSC against time, on this machine and in a guest.
 * Knows nothing of timers. */
#define _GNU_SOURCE
#include "tests/kvm/tsc.h"

#include <time.h>
#include <x86intrin.h>

#include "tests/kvm/alarm.h"
#include "tests/kvm/msr.h"
#include "x86.h"

#define MEASURE_MS 100
#define TRIES 64
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

int tsc_of_guest(int vcpu, const struct tsc_clock *host, struct tsc_clock *guest)
{
	uint64_t shortest = UINT64_MAX;

	for (unsigned i = 0; i < TRIES; i++) {
		uint64_t before = __rdtsc(), took, tsc;

		if (msr_get(vcpu, MSR_TSC, &tsc))
			return -1;
		took = __rdtsc() - before;
		if (took >= shortest)
			continue;
		shortest = took;
		*guest = (struct tsc_clock){ .mult = host->mult, .tsc0 = host->tsc0 + tsc - (before + took / 2) };
	}
	return 0;
}
