/* SPDX-License-Identifier: BSD-2-Clause
 * Halting until an NMI of the lab device, without sleeping for ever when the NMI comes too early.
 * Knows nothing of why a scenario halts. */
#include "rt_private.h"

#define DELAY_MAX_US 400000

/* The flag is looked at right before HLT; an NMI behind the look is sent over HLT by its handler, which knows the place. */
static volatile uint8_t early __asm__("rt_halt_early") __attribute__((used));

SEQUENCE(rt_halt_if0,
	"	cmpb $0, rt_halt_early\n"
	"	jne halt_if0_next\n"
	SEQ_LABEL(rt_halt_if0_at)
	"	hlt\n"
	SEQ_LABEL(halt_if0_next)
	"	nop\n");
SEQUENCE(rt_halt_if1,
	"	cmpb $0, rt_halt_early\n"
	"	jne halt_if1_next\n"
	"	sti\n"
	SEQ_LABEL(rt_halt_if1_at)
	"	hlt\n"
	SEQ_LABEL(halt_if1_next)
	"	cli\n");
extern const char rt_halt_if0_at[], rt_halt_if1_at[];

static bool within(uint64_t rip, uint64_t first, uint64_t last)
{
	return rip >= first && rip <= last;
}

static void halt_nmi(struct frame *f)
{
	if (f->rip == (uint64_t)halt_if0_next || f->rip == (uint64_t)halt_if1_next)
		return;
	early = true;
	if (within(f->rip, (uint64_t)rt_halt_if0, (uint64_t)rt_halt_if0_at))
		f->rip = (uint64_t)halt_if0_next;
	else if (within(f->rip, (uint64_t)rt_halt_if1, (uint64_t)rt_halt_if1_at))
		f->rip = (uint64_t)halt_if1_next;
}

bool halt_until_nmi(uint32_t us, bool if1)
{
	if (us > DELAY_MAX_US)
		error("the NMI comes before HLT even after %u us", us / 2);
	arrivals_clear();
	early = false;
	on_vector(VEC_NMI, halt_nmi);
	outl(LAB_DELAY, us);
	lab_nmi();
	if (if1)
		rt_halt_if1();
	else
		rt_halt_if0();
	return !early;
}
