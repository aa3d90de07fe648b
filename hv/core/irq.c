/* SPDX-License-Identifier: BSD-2-Clause
 * The rule, in four generations, as predicates over struct irq_view.
 * Knows nothing of the CPU, the LAPIC or the queue. */
#include "core/irq.h"

bool irq_has_extint(const struct irq_view *q)
{
	if (q->mode == IRQCHIP_USER)
		return q->inj;
	return q->p && q->stash;
}

bool irq_has_interrupt(const struct irq_view *q)
{
	return irq_has_extint(q) || (q->mode == IRQCHIP_SPLIT && q->l);
}

bool irq_has_injectable(const struct irq_view *q)
{
	return irq_has_extint(q) || (q->mode == IRQCHIP_SPLIT && !q->v && q->l);
}

/* The legacy question was only "does LINT0 let ExtINT through": it forgot that the stash may be full. */
static bool lint0_open(const struct irq_view *q)
{
	return q->mode == IRQCHIP_USER || q->p;
}

bool irq_can_accept(enum irq_rule rule, const struct irq_view *q)
{
	if (rule == IRQ_RULE_LEGACY)
		return lint0_open(q);
	return !irq_has_extint(q) && lint0_open(q);
}

/* Legacy: any interrupt, even one that only the hardware can deliver, closes the window. With virtual-interrupt
 * delivery that is the livelock: the armed window keeps the hardware from delivering what keeps the window closed. */
static bool legacy_is_ready(const struct irq_view *q)
{
	return q->a && !irq_has_interrupt(q) && !q->r && irq_can_accept(IRQ_RULE_LEGACY, q);
}

bool irq_is_ready(enum irq_rule rule, const struct irq_view *q)
{
	switch (rule) {
	case IRQ_RULE_LEGACY:
		return legacy_is_ready(q);
	case IRQ_RULE_STASH:
		return q->a && irq_can_accept(rule, q);
	case IRQ_RULE_BOUNDARY:
	case IRQ_RULE_REARM:
	default:
		return q->a && irq_can_accept(rule, q) && !q->r && !q->e;
	}
}

bool irq_wants_window(enum irq_rule rule, const struct irq_view *q)
{
	return q->w && irq_can_accept(rule, q);
}

bool irq_rearms(enum irq_rule rule)
{
	return rule == IRQ_RULE_REARM;
}
