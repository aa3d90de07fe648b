/* SPDX-License-Identifier: BSD-2-Clause
 * The rule: may the user half hand over an external interrupt, and would the CPU take it now?
 * Knows nothing of the CPU, the LAPIC or the queue: all it sees is in struct irq_view. */
#pragma once

#include "vcpu_run.h"

enum irq_rule {
	IRQ_RULE_LEGACY,   /* KVM before 71cc849b7093 */
	IRQ_RULE_STASH,    /* 71cc849b7093 */
	IRQ_RULE_BOUNDARY, /* fa7a549d321a, KVM today */
	IRQ_RULE_REARM,    /* boundary, and the window request is evaluated again after injection */
	IRQ_RULES
};

/* The variables of the rule, under the letters of the reference. */
struct irq_view {
	enum irqchip_mode mode;
	bool w;     /* W: the user half asks for a window */
	bool p;     /* P: LINT0 lets ExtINT through */
	bool stash; /* a vector waits in the stash (split) */
	bool inj;   /* a vector is committed to the CPU (user: the mailbox) */
	bool l;     /* L: the LAPIC has a deliverable vector (split) */
	bool v;     /* V: hardware delivers virtual interrupts itself */
	bool a;     /* A: the CPU would take an interrupt: IF=1, no shadow */
	bool r;     /* R: an event was cut short and must be injected again */
	bool e;     /* E: an exception waits to be injected */
};

/* Is there an external interrupt that we hold? */
bool irq_has_extint(const struct irq_view *q);
/* Is there any interrupt for the CPU, whoever delivers it? */
bool irq_has_interrupt(const struct irq_view *q);
/* Is there one that software must inject? */
bool irq_has_injectable(const struct irq_view *q);
/* kvm_cpu_accept_dm_intr: "do we have a place to stash an interrupt if userspace does KVM_INTERRUPT?" (Linux commit
 * 71cc849b7093), and would LINT0 let it through? */
bool irq_can_accept(enum irq_rule rule, const struct irq_view *q);
/* kvm_vcpu_ready_for_interrupt_injection: besides, would the CPU take it now? */
bool irq_is_ready(enum irq_rule rule, const struct irq_view *q);
/* req_int_win: should the hardware window be armed for the user half? */
bool irq_wants_window(enum irq_rule rule, const struct irq_view *q);
/* Is the window request evaluated again once injection has emptied the stash? */
bool irq_rearms(enum irq_rule rule);
