/* SPDX-License-Identifier: BSD-2-Clause
 * The four rules over their whole truth tables: every combination of the nine variables, in both modes.
 * Knows nothing of how the predicates are written: the expectation is the published, expanded form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bits.h"
#include "core/irq.h"

#define COMBINATIONS BIT(9)

static struct irq_view view(enum irqchip_mode mode, unsigned n)
{
	return (struct irq_view){
		.mode = mode,
		.w = n & BIT(0),
		.p = n & BIT(1),
		.stash = n & BIT(2),
		.inj = n & BIT(3),
		.l = n & BIT(4),
		.v = n & BIT(5),
		.a = n & BIT(6),
		.r = n & BIT(7),
		.e = n & BIT(8),
	};
}

/* The vCPU never shows these: a committed vector is an event to re-inject; the user irqchip has neither stash nor LAPIC
 * nor LINT0 in the kernel half. */
static bool possible(const struct irq_view *q)
{
	if (q->inj && !q->r)
		return false;
	return q->mode == IRQCHIP_SPLIT || (!q->p && !q->stash && !q->l && !q->v);
}

struct expected {
	bool accept, ready;
};

/* Reference, "Window predicates": the rows "expanded". */
static struct expected expect_split(enum irq_rule rule, const struct irq_view *q)
{
	switch (rule) {
	case IRQ_RULE_LEGACY:
		return (struct expected){ q->p, q->a && q->p && !q->stash && !q->l && !q->r };
	case IRQ_RULE_STASH:
		return (struct expected){ q->p && !q->stash, q->a && q->p && !q->stash };
	default:
		return (struct expected){ q->p && !q->stash, q->a && q->p && !q->stash && !q->r && !q->e };
	}
}

static struct expected expect_user(enum irq_rule rule, const struct irq_view *q)
{
	switch (rule) {
	case IRQ_RULE_LEGACY:
		return (struct expected){ true, q->a && !q->r };
	case IRQ_RULE_STASH:
		return (struct expected){ !q->inj, q->a && !q->inj };
	default:
		return (struct expected){ !q->inj, q->a && !q->r && !q->e };
	}
}

static void check_rule(enum irq_rule rule)
{
	unsigned seen = 0;

	for (unsigned m = IRQCHIP_SPLIT; m <= IRQCHIP_USER; m++) {
		for (unsigned n = 0; n < COMBINATIONS; n++) {
			struct irq_view q = view((enum irqchip_mode)m, n);
			struct expected x;

			if (!possible(&q))
				continue;
			seen++;
			x = m == IRQCHIP_SPLIT ? expect_split(rule, &q) : expect_user(rule, &q);
			if (irq_can_accept(rule, &q) != x.accept || irq_is_ready(rule, &q) != x.ready ||
			    irq_wants_window(rule, &q) != (q.w && x.accept))
				fail_msg("rule %u mode %u combination %#x: accept %d ready %d", rule, m, n,
					 irq_can_accept(rule, &q), irq_is_ready(rule, &q));
		}
	}
	/* split: W P S L V A E free, (inj, R) in {00, 01, 11}; user: W A E free, (inj, R) likewise */
	assert_int_equal(seen, BIT(7) * 3 + BIT(3) * 3);
}

static void legacy_over_the_whole_table(void **s) { (void)s; check_rule(IRQ_RULE_LEGACY); }
static void stash_over_the_whole_table(void **s) { (void)s; check_rule(IRQ_RULE_STASH); }
static void boundary_over_the_whole_table(void **s) { (void)s; check_rule(IRQ_RULE_BOUNDARY); }
static void rearm_over_the_whole_table(void **s) { (void)s; check_rule(IRQ_RULE_REARM); }

/* Reference, "Source predicates". */
static void sources_over_the_whole_table(void **s)
{
	(void)s;
	for (unsigned n = 0; n < COMBINATIONS; n++) {
		struct irq_view q = view(IRQCHIP_SPLIT, n), u = view(IRQCHIP_USER, n);

		assert_int_equal(irq_has_extint(&q), q.p && q.stash);
		assert_int_equal(irq_has_interrupt(&q), (q.p && q.stash) || q.l);
		assert_int_equal(irq_has_injectable(&q), (q.p && q.stash) || (!q.v && q.l));
		assert_int_equal(irq_has_extint(&u), u.inj);
		assert_int_equal(irq_has_interrupt(&u), u.inj);
		assert_int_equal(irq_has_injectable(&u), u.inj);
	}
}

/* "do we have a place to stash an interrupt if userspace does KVM_INTERRUPT?" (Linux commit 71cc849b7093) */
static void a_full_stash_accepts_nothing(void **s)
{
	struct irq_view q = { .mode = IRQCHIP_SPLIT, .w = true, .p = true, .stash = true, .a = true };

	(void)s;
	for (unsigned rule = IRQ_RULE_STASH; rule < IRQ_RULES; rule++) {
		assert_false(irq_can_accept((enum irq_rule)rule, &q));
		assert_false(irq_is_ready((enum irq_rule)rule, &q));
	}
	/* Legacy arms the window for a vector that it could not take. */
	assert_true(irq_wants_window(IRQ_RULE_LEGACY, &q));
	assert_false(irq_is_ready(IRQ_RULE_LEGACY, &q));
}

/* Reference, "When the legacy rule livelocks": armed, nothing to inject, never ready: no progress. */
static void legacy_livelocks_with_virtual_interrupt_delivery(void **s)
{
	struct irq_view q = { .mode = IRQCHIP_SPLIT, .w = true, .p = true, .l = true, .v = true, .a = true };

	(void)s;
	assert_true(irq_wants_window(IRQ_RULE_LEGACY, &q));
	assert_false(irq_has_injectable(&q));
	assert_false(irq_is_ready(IRQ_RULE_LEGACY, &q));
	for (unsigned rule = IRQ_RULE_STASH; rule < IRQ_RULES; rule++)
		assert_true(irq_is_ready((enum irq_rule)rule, &q));
}

static void accepting_does_not_ask_for_if(void **s)
{
	struct irq_view q = { .mode = IRQCHIP_SPLIT, .p = true, .a = false };

	(void)s;
	for (unsigned rule = 0; rule < IRQ_RULES; rule++) {
		assert_true(irq_can_accept((enum irq_rule)rule, &q));
		assert_false(irq_is_ready((enum irq_rule)rule, &q));
	}
}

static void only_rearm_looks_again(void **s)
{
	(void)s;
	for (unsigned rule = 0; rule < IRQ_RULES; rule++)
		assert_int_equal(irq_rearms((enum irq_rule)rule), rule == IRQ_RULE_REARM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(legacy_over_the_whole_table),
		cmocka_unit_test(stash_over_the_whole_table),
		cmocka_unit_test(boundary_over_the_whole_table),
		cmocka_unit_test(rearm_over_the_whole_table),
		cmocka_unit_test(sources_over_the_whole_table),
		cmocka_unit_test(a_full_stash_accepts_nothing),
		cmocka_unit_test(legacy_livelocks_with_virtual_interrupt_delivery),
		cmocka_unit_test(accepting_does_not_ask_for_if),
		cmocka_unit_test(only_rearm_looks_again),
	};

	return cmocka_run_group_tests_name("irq", tests, NULL, NULL);
}
