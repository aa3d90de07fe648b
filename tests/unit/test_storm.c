/* SPDX-License-Identifier: BSD-2-Clause
 * Random programs under random interrupts, for every rule and mode: each vector that was accepted arrives exactly once, in
 * order, and in split mode never with IF=0.
 * Knows nothing of when an interrupt has to arrive: that is proved elsewhere. */
#include "unit/vcpu_fixture.h"

#define RUNS 2500           /* returns to the user half, per program */
#define PROGRAMS 5          /* per rule and mode */
#define PIECES 40
#define EXTINTS 16          /* vectors EXTINT_VECTOR.. in turn */
#define LAPIC_FIRST 0x41
#define LAPIC_VECTORS_USED 60
#define IPI_VECTOR 0x90
#define TIMER_VECTOR 0xa0
#define SOFT_VECTOR 0xf0
#define MMIO 0xd0000000u
#define MAX_RUN_NS 100000
#define TIMER_PERIOD_NS 50000
#define DRAIN_RUNS 2000
#define MIN_DELIVERIES 20000

enum { MAIN, NMI_HANDLER, NESTING_HANDLER, NESTING_EOI_HANDLER, BUSY_HANDLER };

struct storm {
	struct rig *r;
	unsigned accepted, arrived;           /* ExtINT */
	unsigned raised[LAPIC_VECTORS], taken[LAPIC_VECTORS], eois[LAPIC_VECTORS];
	unsigned virtual_;                    /* of those taken: by virtual-interrupt delivery */
	unsigned nmis, nmis_taken;
	bool halted;                          /* user irqchip: the user half knows */
};

static const struct fake_insn pieces_both[][6] = {
	{ NOP, NOP, NOP },
	{ STI, NOP },
	{ CLI, NOP, NOP },
	{ STI, CLI },
	{ MOV_SS, NOP },
	{ STI, HLT },
	{ POPF(RFLAGS_IF), NOP },
	{ POPF(0), NOP },
	{ POPF(RFLAGS_IF | RFLAGS_TF), NOP, OUT(RAISE, 1), POPF(RFLAGS_IF) },
	{ OUT(RAISE, 4), STI, OUT(RAISE, 2) },
	{ IN(RAISE, 4), NOP },
	{ CPUID, NOP },
	{ FAULT(VEC_UD, 0), NOP },
	{ FAULT(VEC_GP, 0), NOP },
	{ VMCALL, NOP },
	{ INT(SOFT_VECTOR), NOP },
	{ MEM(MMIO, true, 2, 0x89, 0x03), NOP },
	{ MEM(MMIO, false, 2, 0x8b, 0x03), NOP },
	{ MEM(MMIO, true, 2, 0x09, 0x03), NOP },
	{ MOV(RAX, 7), MOV_CR8, NOP, STI, MOV(RAX, 0), MOV_CR8 },
	{ MOV(RSI, FAKE_DATA), MOV(RCX, 3), OUTS(RAISE, 1, FAKE_REP) },
};

#define APIC_MOVED 0xfed00000u
#define MOVE_APIC(to) MOV(RAX, (to) | APIC_BASE_EN | APIC_BASE_BSP), WRMSR

static const struct fake_insn pieces_split[][11] = {
	{ LVT0_MASK, STI, NOP, LVT0_OPEN },
	{ SELF_IPI(IPI_VECTOR), NOP },
	{ STORE32(APIC(APIC_TPR), 0x60), STI, NOP, STORE32(APIC(APIC_TPR), 0) },
	{ LOAD_EAX(APIC(APIC_VERSION)), NOP },
	/* Away from where the CPU could deliver by itself, and back. */
	{ CLI, MOV(RCX, MSR_APIC_BASE), MOV(RDX, 0), MOVE_APIC(APIC_MOVED), OUT(RAISE, 1), NOP, MOVE_APIC(APIC_DEFAULT_PHYS) },
};

/* Unused places of a piece are labels that nobody jumps to. */
static void load_piece(struct rig *r, const struct fake_insn *piece, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (piece[i].op != FAKE_NONE)
			fake_load(&r->f, &piece[i], 1);
}

static void load_program(struct rig *r)
{
	static const struct fake_insn begin = LABEL(MAIN), end[] = { STI, NOP, JMP(MAIN) };
	static const struct fake_insn handlers[] = {
		LABEL(NMI_HANDLER), NOP, OUT(RAISE, 1), IRET,
		LABEL(NESTING_HANDLER), STI, NOP, CLI, IRET,
		LABEL(NESTING_EOI_HANDLER), STI, NOP, NOP, CLI, EOI, IRET,
		LABEL(BUSY_HANDLER), NOP, WBINVD, OUT(RAISE, 1), IRET,
	};

	fake_load(&r->f, &begin, 1);
	for (unsigned i = 0; i < PIECES; i++) {
		if (r->v.mode == IRQCHIP_SPLIT && fake_random(&r->f, 4) == 0) {
			unsigned p = fake_random(&r->f, ARRAY_SIZE(pieces_split));

			load_piece(r, pieces_split[p], ARRAY_SIZE(pieces_split[p]));
		} else {
			unsigned p = fake_random(&r->f, ARRAY_SIZE(pieces_both));

			load_piece(r, pieces_both[p], ARRAY_SIZE(pieces_both[p]));
		}
	}
	fake_load(&r->f, end, ARRAY_SIZE(end));
	fake_load(&r->f, handlers, ARRAY_SIZE(handlers));
}

static void set_gates(struct rig *r)
{
	static const uint8_t extint[] = { HANDLER_IRET, HANDLER_IRET, NESTING_HANDLER, BUSY_HANDLER };

	fake_gate(&r->f, VEC_NMI, NMI_HANDLER, false);
	for (unsigned i = 0; i < EXTINTS; i++)
		fake_gate(&r->f, (uint8_t)(EXTINT_VECTOR + i), extint[i % ARRAY_SIZE(extint)], false);
	for (unsigned v = LAPIC_FIRST; v < SOFT_VECTOR; v++)
		fake_gate(&r->f, (uint8_t)v, v % 4 ? HANDLER_EOI : NESTING_EOI_HANDLER, false);
	rig_gates(r);
}

static void start_timer(struct rig *r)
{
	struct lapic *l = &r->v.lapic;

	lapic_write(l, APIC_LVT_TIMER, TIMER_VECTOR | APIC_TIMER_MODE_FIELD(APIC_TIMER_PERIODIC), 0);
	lapic_write(l, APIC_TIMER_INITIAL, TIMER_PERIOD_NS, 0);
}

/* The EOIs of every third vector come to the user half. */
static bool eoi_exits(unsigned vector) { return vector % 3 == 0; }

static void choose_eoi_exits(struct rig *r)
{
	uint64_t bitmap[4] = { 0 };

	for (unsigned v = 0; v < LAPIC_VECTORS; v++)
		if (eoi_exits(v))
			bitmap[v / 64] |= BIT64(v % 64);
	vcpu_native_api.set_eoi_exits(&r->v, bitmap);
}

static struct storm storm_new(enum irq_rule rule, enum irqchip_mode mode, uint64_t seed)
{
	struct storm s = { .r = rig_new(rule, mode, seed) };

	s.r->f.allow_if0 = mode == IRQCHIP_USER && (rule == IRQ_RULE_LEGACY || rule == IRQ_RULE_STASH);
	load_program(s.r);
	set_gates(s.r);
	if (mode == IRQCHIP_SPLIT) {
		start_timer(s.r);
		choose_eoi_exits(s.r);
	}
	return s;
}

/* ---- the user half ---- */

static void offer_extint(struct storm *s, bool may_refuse)
{
	int r = interrupt(s->r, EXTINT_VECTOR + s->accepted % EXTINTS);

	if (r && may_refuse && s->r->v.mode == IRQCHIP_SPLIT) {
		assert_int_equal(r, E_EXIST);
		return;
	}
	assert_int_equal(r, 0);
	s->accepted++;
}

static void raise_msi(struct storm *s)
{
	uint8_t vector = (uint8_t)(LAPIC_FIRST + fake_random(&s->r->f, LAPIC_VECTORS_USED));
	const struct lapic *l = &s->r->v.lapic;

	s->raised[vector] += !((l->page[(APIC_IRR + vector / 32 * 16) / 4] | l->posted.pir[vector / 32]) & BIT(vector % 32));
	assert_int_equal(msi(s->r, vector), 0);
}

static void raise_nmi(struct storm *s)
{
	s->nmis += !s->r->v.ev.nmi.pending;
	nmi(s->r);
}

/* An instruction that the user half has yet to finish can still raise an exception; nobody may be in between. */
static bool insn_is_open(const struct storm *s)
{
	return s->r->v.io.op != OP_NONE;
}

static void act(struct storm *s)
{
	struct fake_cpu *f = &s->r->f;
	struct vcpu_run *u = run_of(s->r);
	bool split = s->r->v.mode == IRQCHIP_SPLIT;

	u->request_interrupt_window = 0;
	if (u->ready_for_interrupt_injection && !insn_is_open(s) && (s->halted || fake_random(f, 4)))
		offer_extint(s, false);
	else if (split && fake_random(f, 8) == 0)
		offer_extint(s, true);
	u->request_interrupt_window = fake_random(f, 4) != 0;
	if (split && fake_random(f, 3) == 0)
		raise_msi(s);
	if (fake_random(f, 16) == 0)
		raise_nmi(s);
	if (fake_random(f, 6) == 0)
		vcpu_native_api.unmap(&s->r->v, GPA(f->structures[fake_random(f, ARRAY_SIZE(f->structures))]), 1);
	u->immediate_exit = fake_random(f, 16) == 0;
}

static void run_once(struct storm *s)
{
	struct vcpu_run *u = run_of(s->r);

	u->deadline = s->r->f.clock + fake_random(&s->r->f, MAX_RUN_NS);
	s->halted = run(s->r) == VCPU_EXIT_HLT;
	switch (u->exit_reason) {
	case VCPU_EXIT_IO:
	case VCPU_EXIT_MMIO:
	case VCPU_EXIT_INTR:
	case VCPU_EXIT_IRQ_WINDOW_OPEN:
	case VCPU_EXIT_SET_TPR:
	case VCPU_EXIT_HLT:
		return;
	case VCPU_EXIT_IOAPIC_EOI:
		s->eois[u->eoi.vector]++;
		return;
	default:
		fail_msg("exit %u at %#llx", u->exit_reason, (unsigned long long)s->r->f.rip);
	}
}

/* ---- the verdict ---- */

static bool is_extint(const struct fake_arrival *a)
{
	return a->type == EVENT_INTR && a->vector >= EXTINT_VECTOR && a->vector < EXTINT_VECTOR + EXTINTS;
}

static void account_arrival(struct storm *s, const struct fake_arrival *a)
{
	if (a->type == EVENT_NMI)
		s->nmis_taken++;
	if (a->type != EVENT_INTR)
		return;
	if (!a->if_ && !s->r->f.allow_if0)
		fail_msg("vector %#x arrived with IF=0", a->vector);
	if (!is_extint(a)) {
		s->taken[a->vector]++;
		s->virtual_ += a->virtual_;
		return;
	}
	if (a->vector != EXTINT_VECTOR + s->arrived % EXTINTS)
		fail_msg("ExtINT %#x arrived, %#x was next", a->vector, EXTINT_VECTOR + s->arrived % EXTINTS);
	s->arrived++;
}

static void account(struct storm *s)
{
	for (unsigned i = 0; i < s->r->f.logged; i++)
		account_arrival(s, &s->r->f.log[i]);
	s->r->f.logged = 0;
	assert_in_range(s->accepted - s->arrived, 0, 2); /* one in the stash, one half delivered */
}

static bool quiet(const struct storm *s)
{
	const struct vcpu *v = &s->r->v;

	return s->accepted == s->arrived && s->nmis == s->nmis_taken && lapic_highest_irr(&v->lapic) < 0 &&
	       !v->ev.exc.injected && !v->ev.intr.injected;
}

static void drain(struct storm *s)
{
	struct vcpu_run *u = run_of(s->r);

	lapic_write(&s->r->v.lapic, APIC_LVT_TIMER, APIC_LVT_MASKED, s->r->f.clock);
	u->request_interrupt_window = u->immediate_exit = 0;
	for (unsigned i = 0; i < DRAIN_RUNS && !quiet(s); i++) {
		run_once(s);
		account(s);
		if (s->r->v.halted && i % 16 == 0)
			raise_nmi(s); /* who halts behind a raised TPR sleeps on */
	}
	assert_int_equal(s->accepted, s->arrived);
	assert_int_equal(s->nmis, s->nmis_taken);
	for (unsigned v = LAPIC_FIRST; v < LAPIC_FIRST + LAPIC_VECTORS_USED; v++)
		assert_int_equal(s->raised[v], s->taken[v]);
	assert_int_equal(s->r->v.stats.extint, s->accepted);
}

/* Who is in service at the end has yet to send its EOI. */
static void check_eois(const struct storm *s)
{
	for (unsigned v = 0; v < LAPIC_VECTORS; v++)
		assert_in_range(s->eois[v], eoi_exits(v) && s->taken[v] ? s->taken[v] - 1 : 0,
				eoi_exits(v) ? s->taken[v] : 0);
}

/* With virtual-interrupt delivery software injects no more than what the CPU began and could not end. */
static void check_stats(const struct storm *s, unsigned lapic)
{
	const struct vcpu_stats *stats = &s->r->v.stats;

	assert_int_equal(stats->extint, s->arrived);
	assert_int_equal(stats->nmi, s->nmis_taken);
	if (s->r->f.has_vid) {
		assert_true(s->virtual_ > 0);
		assert_int_equal(stats->lapic, 0);
	} else {
		assert_int_equal(s->virtual_, 0);
		assert_int_equal(stats->lapic, lapic);
	}
	assert_true(stats->delivery_faults > 0);
}

static unsigned storm(enum irq_rule rule, enum irqchip_mode mode, uint64_t seed)
{
	struct storm s = storm_new(rule, mode, seed);
	unsigned lapic = 0, n;

	for (unsigned i = 0; i < RUNS; i++) {
		act(&s);
		run_once(&s);
		account(&s);
	}
	drain(&s);
	for (unsigned v = 0; v < LAPIC_VECTORS; v++)
		lapic += s.taken[v];
	check_eois(&s);
	check_stats(&s, lapic);
	n = s.arrived + s.nmis_taken + lapic;
	rig_end(s.r);
	return n;
}

static void every_accepted_vector_arrives_once_and_in_order(void **state)
{
	unsigned deliveries = 0;

	(void)state;
	for (unsigned mode = 0; mode < 2; mode++)
		FOR_RULES(rule)
			for (uint64_t seed = 1; seed <= PROGRAMS; seed++)
				deliveries += storm((enum irq_rule)rule, (enum irqchip_mode)mode, seed * IRQ_RULES + rule);
	assert_true(deliveries >= MIN_DELIVERIES);
	print_message("# deliveries=%u\n", deliveries);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_accepted_vector_arrives_once_and_in_order),
	};

	return RUN_BOTH_WAYS("storm", tests);
}
