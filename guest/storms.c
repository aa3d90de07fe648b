/* SPDX-License-Identifier: BSD-2-Clause
 * Storms: interrupts of every source against random CLI, STI and HLT, each raised edge accounted for: none lost, none
 * twice.
 * Knows nothing of rules: all of them must lose nothing; they differ in who waits for how long.
 *
 * A source is raised only while its last edge has been taken, so no two edges can merge and "raised == taken" is exact.
 * An edge that is taken without having been raised came twice; one that is still outstanding when everything had its
 * chance is lost. What is random (actions, vectors, sets of lines, delays) comes from the seed.
 * legacy with VID: a vector in the local APIC and a line at one window is a livelock, and happens at once. */
#include "rt.h"

#define VECTORS 256
#define STORM_DEADLINE_MS 100000
#define DRAIN_MS 2000
#define SLOW_DIVISOR 10 /* where every exit costs a multiple: a tenth of the interrupts */

#define IPI_FIRST 0x40 /* one vector in each class 4..14 */
#define IPI_STEP 0x10
#define IPI_COUNT 11
#define TIMER_VECTOR 0xf1
#define PIT_IRQ 0
#define FIRST_SLAVE_IRQ 8
/* Lines that no device of the machine drives: not 0 (PIT), 2 (cascade), 4 (UART), 8 (RTC). */
#define LAB_LINES (BIT(3) | BIT(5) | BIT(6) | BIT(7) | MASK(15, 9))
#define LINES 16

#define TIMER_MAX 50000 /* bus clocks */
#define APIC_DIVIDE_BY_1 0xb
#define PIT_MAX 500 /* ticks: 0.4 ms */
#define REOPEN_ONE_IN 4

struct source {
	uint32_t raised, taken;
	bool outstanding;
};

static volatile struct source sources[VECTORS];
static volatile uint32_t taken, outstanding;
static bool aeoi;

/* ---- accounting ---- */

static bool idle(uint8_t vector)
{
	return !sources[vector].outstanding;
}

/* Before the edge is made: with IF=1 it may be taken before the next statement. */
static void raise(uint8_t vector)
{
	uint64_t flags = rflags();

	irq_off();
	sources[vector].raised++;
	sources[vector].outstanding = true;
	__asm__ volatile("incl %0" : "+m"(outstanding)::"cc");
	if (flags & RFLAGS_IF)
		irq_on();
}

/* Counters are shared with handlers that nest, and NMIs come even with IF=0: one instruction each. */
static void take(const struct frame *f)
{
	volatile struct source *s = &sources[f->vector];

	/* The gate has cleared IF: nothing maskable belongs in front of a stub's first instruction, least of all the same. */
	if (f->rip == vector_entry((uint8_t)f->vector))
		fail("", "vector %#lx delivered again on top of its own delivery", f->vector);
	if (!s->outstanding)
		fail("", "vector %#lx twice: raised %u, taken %u, rip %#lx rflags %#lx", f->vector, s->raised, s->taken,
		     f->rip, f->rflags);
	s->outstanding = false;
	s->taken++;
	__asm__ volatile("incl %0; decl %1" : "+m"(taken), "+m"(outstanding)::"cc");
}

/* Handlers nest now and then, by a counter: the seed's sequence belongs to the main loop. */
static void maybe_reopen(void)
{
	static uint32_t calls;

	if (++calls % REOPEN_ONE_IN == 0)
		irq_open();
}

static void take_ipi(struct frame *f)
{
	take(f);
	maybe_reopen();
	apic_eoi();
}

static void take_line(struct frame *f)
{
	take(f);
	maybe_reopen();
	if (!aeoi)
		pic_handler(f);
}

static void take_nmi(struct frame *f)
{
	take(f);
}

/* ---- actions ---- */

typedef void action_fn(void);

static void act_ipi(void)
{
	uint8_t vector = (uint8_t)(IPI_FIRST + IPI_STEP * (rnd() % IPI_COUNT));

	if (!idle(vector))
		return;
	raise(vector);
	apic_self_ipi(vector);
}

/* A random set of lines in one OUT. */
static void act_lines(void)
{
	uint32_t mask = (uint32_t)rnd() & LAB_LINES;

	for (unsigned line = 0; line < LINES; line++) {
		if (!(mask & BIT(line)))
			continue;
		if (idle(PIC_VECTOR(line)))
			raise(PIC_VECTOR(line));
		else
			mask &= ~BIT(line);
	}
	if (mask)
		outw(LAB_PULSE, (uint16_t)mask);
}

static void act_pit(void)
{
	if (!idle(PIC_VECTOR(PIT_IRQ)))
		return;
	raise(PIC_VECTOR(PIT_IRQ));
	pit_oneshot((uint16_t)(1 + rnd() % PIT_MAX));
}

static void act_timer(void)
{
	if (!idle(TIMER_VECTOR))
		return;
	raise(TIMER_VECTOR);
	apic_write(APIC_TIMER_INITIAL, (uint32_t)(1 + rnd() % TIMER_MAX));
}

static void act_nmi(void)
{
	if (!idle(VEC_NMI))
		return;
	raise(VEC_NMI);
	lab_nmi();
}

static void act_open(void)
{
	irq_open();
}

static void act_on(void)
{
	irq_on();
}

static void act_off(void)
{
	irq_off();
}

/* Only when something is still to come; it cannot come between the look and HLT, except an NMI, which is never late. */
static void act_halt(void)
{
	irq_off();
	if (outstanding)
		__asm__ volatile("sti; hlt" ::: "memory");
}

/* ---- a storm ---- */

enum { SRC_IPI = BIT(0), SRC_LINES = BIT(1), SRC_PIT = BIT(2), SRC_TIMER = BIT(3), SRC_NMI = BIT(4) };

struct choice {
	action_fn *act;
	uint32_t source; /* 0: always */
	uint32_t weight;
};

static const struct choice choices[] = {
	{ act_ipi, SRC_IPI, 12 }, { act_lines, SRC_LINES, 3 }, { act_pit, SRC_PIT, 2 }, { act_timer, SRC_TIMER, 2 },
	{ act_nmi, SRC_NMI, 1 },  { act_open, 0, 2 },	       { act_on, 0, 3 },	{ act_off, 0, 3 },
	{ act_halt, 0, 1 },
};

static uint32_t weight_of(const struct choice *c, uint32_t used)
{
	return !c->source || c->source & used ? c->weight : 0;
}

static void act_randomly(uint32_t used)
{
	uint32_t sum = 0, pick;

	for (unsigned i = 0; i < ARRAY_SIZE(choices); i++)
		sum += weight_of(&choices[i], used);
	pick = (uint32_t)(rnd() % sum);
	for (unsigned i = 0; i < ARRAY_SIZE(choices); i++) {
		uint32_t weight = weight_of(&choices[i], used);

		if (pick < weight) {
			choices[i].act();
			return;
		}
		pick -= weight;
	}
}

static void set_up(uint32_t used)
{
	memset((void *)sources, 0, sizeof(sources));
	taken = outstanding = 0;
	for (unsigned i = 0; i < IPI_COUNT; i++)
		on_vector((uint8_t)(IPI_FIRST + IPI_STEP * i), take_ipi);
	on_vector(TIMER_VECTOR, take_ipi);
	on_vector(VEC_NMI, take_nmi);
	apic_write(APIC_TIMER_DIVIDE, APIC_DIVIDE_BY_1);
	apic_write(APIC_LVT_TIMER, TIMER_VECTOR);
	pic_init(aeoi ? ICW4_AEOI : 0, aeoi ? ICW4_AEOI : 0);
	for (unsigned line = 0; line < LINES; line++) {
		bool wanted = line == PIT_IRQ ? used & SRC_PIT : used & SRC_LINES && LAB_LINES & BIT(line);

		on_vector(PIC_VECTOR(line), take_line);
		if (wanted)
			pic_unmask(line);
	}
}

/* Everything outstanding gets its chance: time, and exits. */
static void drain(void)
{
	uint64_t end = rdtsc() + DRAIN_MS * env.tsc_per_ms;

	irq_on();
	while (outstanding && rdtsc() < end)
		settle();
	settle();
	irq_off();
	for (unsigned v = 0; v < VECTORS; v++)
		if (sources[v].raised != sources[v].taken)
			fail("", "vector %#x lost: raised %u, taken %u", v, sources[v].raised, sources[v].taken);
}

static bool is_fast(void)
{
	return !str_has_prefix(env.l0, "bochs") && !str_has_prefix(env.l0, "nested") && !str_has_prefix(env.l0, "bare-bochs");
}

static void storm(uint32_t used, uint32_t interrupts, bool automatic_eoi)
{
	if (!env.lab)
		used &= ~(uint32_t)(SRC_LINES | SRC_NMI);
	if (!used)
		skip("needs the lab device");
	if (!is_fast())
		interrupts /= SLOW_DIVISOR;
	aeoi = automatic_eoi;
	set_up(used);
	while (taken < interrupts)
		act_randomly(used);
	drain();
	metric("interrupts", taken);
}

/* Eleven priority classes of fixed interrupts, nesting by class. SDM v3, "Interrupt, Task, and Processor Priority". */
SCENARIO(storms_ipi, .name = "storms.self-ipi", .deadline_ms = STORM_DEADLINE_MS)
{
	storm(SRC_IPI, 45000, false);
}

/* Eleven lines of both 8259s, several edges in one OUT, EOI by the handlers, which nest. */
SCENARIO(storms_lines, .name = "storms.lines", .deadline_ms = STORM_DEADLINE_MS)
{
	storm(SRC_LINES, 20000, false);
}

/* The same in AEOI mode: INTR rises again at each acknowledge, handlers nest without order. stash, boundary: edges wait
 * for the next exit (rule.aeoi-back-to-back), none is lost. */
SCENARIO(storms_aeoi, .name = "storms.lines-aeoi", .deadline_ms = STORM_DEADLINE_MS)
{
	storm(SRC_LINES, 20000, true);
}

/* PIT and local APIC timer, both one-shot and armed again when taken: nothing here is synchronous. */
SCENARIO(storms_timers, .name = "storms.timers", .deadline_ms = STORM_DEADLINE_MS,
	 .xfails = { { RULE_LEGACY, MODE_SPLIT, VID_ON, NULL, "livelock", "the window blocks virtual delivery" } })
{
	storm(SRC_PIT | SRC_TIMER, 3000, false);
}

/* All at once. */
SCENARIO(storms_everything, .name = "storms.everything", .deadline_ms = STORM_DEADLINE_MS,
	 .xfails = { { RULE_LEGACY, MODE_SPLIT, VID_ON, NULL, "livelock", "the window blocks virtual delivery" } })
{
	storm(SRC_IPI | SRC_LINES | SRC_PIT | SRC_TIMER | SRC_NMI, 20000, false);
}
