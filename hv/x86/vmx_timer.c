/* SPDX-License-Identifier: BSD-2-Clause
 * The VMX-preemption timer: it ends the guest's run in time, whatever the guest does.
 * Knows nothing of what is due then. */
#include "x86.h"
#include "x86/vmx.h"

#define KHZ_PER_GHZ 1000000ull
#define TIMER_MAX UINT32_MAX
/* The guest gets at least this long between a pending deadline and the next exit for it. Less, and a timer shorter than
 * an entry would keep the guest from ever running. */
#define MIN_RUN (20 * NSEC_PER_USEC)
#define MAX_RUN NSEC_PER_SEC
/* How much earlier or later it may come than it should: this part of what is left. */
#define SLACK 8

void vmx_timer_init(struct vmx *x)
{
	x->timer.mult = (x->host->clock.tsc_khz << 32) / KHZ_PER_GHZ >> VMX_MISC_TIMER_RATE(x->caps.misc);
	x->timer.due = TIME_NEVER;
}

static void set_timer(struct vmx *x, uint64_t ns)
{
	unsigned __int128 ticks = (((unsigned __int128)ns * x->timer.mult) >> 32) + 1; /* not early */

	vmcs_write(x, VMCS_PREEMPTION_TIMER, ticks > TIMER_MAX ? TIMER_MAX : (uint64_t)ticks);
}

static uint64_t distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

/* SDM v3, "VMX-Preemption Timer": it "counts down [...] in VMX non-root operation" and, saved by each exit, goes on with the
 * next entry. So it needs no write until it has expired, has stood still for too long, or the deadline is another by much. */
void vmx_timer_arm(struct vmx *x, uint64_t deadline)
{
	uint64_t now = host_now(x->host);
	uint64_t left = deadline > now ? min_u64(deadline - now, MAX_RUN) : 0;

	if (left < MIN_RUN)
		left = MIN_RUN;
	if (x->timer.due != TIME_NEVER) {
		x->timer.due += now - x->timer.stopped;
		if (distance(x->timer.due, now + left) <= left / SLACK)
			return;
	}
	x->timer.due = now + left;
	set_timer(x, left);
}

/* "It is possible for the VMX-preemption timer to expire during VM entry (e.g., if the value in the VMX-preemption timer-value
 * field is zero)": an exit "after any event injection and before execution of any instruction following VM entry". */
void vmx_timer_expire(struct vmx *x)
{
	vmcs_write(x, VMCS_PREEMPTION_TIMER, 0);
	x->timer.due = TIME_NEVER;
}

void vmx_timer_stopped(struct vmx *x, uint64_t now, bool expired)
{
	x->timer.stopped = now;
	if (expired)
		x->timer.due = TIME_NEVER;
}
