/* SPDX-License-Identifier: BSD-2-Clause
 * Arbitration: which event the CPU gets at this entry, which window is armed, and what becomes of an event whose
 * delivery was cut short.
 * Knows nothing of exits, devices or the vendor's event format. */
#include "core/vcpu.h"

#include "x86.h"

/* All but A, which makes the backend read guest state: it is asked for where it decides. */
static struct irq_view view_without_a(const struct vcpu *v)
{
	bool split = v->mode == IRQCHIP_SPLIT;

	return (struct irq_view){
		.mode = v->mode,
		.w = v->run.request_interrupt_window,
		.p = split && lapic_accepts_extint(&v->lapic),
		.stash = v->ev.stash != STASH_EMPTY,
		.inj = v->ev.intr.injected,
		.l = split && lapic_pending(&v->lapic) >= 0,
		.v = v->vid != HVM_VID_OFF,
		.r = v->ev.exc.injected || v->ev.intr.injected || v->ev.nmi.injected,
		.e = v->ev.exc.pending,
	};
}

struct irq_view vcpu_irq_view(const struct vcpu *v)
{
	struct irq_view q = view_without_a(v);

	q.a = v->ops->intr_allowed(v);
	return q;
}

bool vcpu_ready(const struct vcpu *v)
{
	struct irq_view q = view_without_a(v);

	q.a = irq_can_accept(v->rule, &q) && v->ops->intr_allowed(v);
	return irq_is_ready(v->rule, &q);
}

/* SDM v3, "Interrupt and Exception Handling", the table "Interrupt and Exception Classes". */
static bool contributory(uint8_t vector)
{
	return vector == VEC_DE || (vector >= VEC_TS && vector <= VEC_GP);
}

/* An exception on top of a half-delivered one. SDM v3, "Conditions for Generating a Double Fault"; and "If another
 * contributory or page fault exception occurs when attempting to call the double-fault handler ..., the
 * processor enters shutdown mode" ("Interrupt 8-Double Fault Exception (#DF)"). */
static bool makes_double_fault(uint8_t first, uint8_t second)
{
	if (first == VEC_PF)
		return second == VEC_PF || contributory(second);
	return contributory(first) && contributory(second);
}

void vcpu_queue_exception(struct vcpu *v, uint8_t vector, bool has_error, uint32_t error)
{
	bool busy = v->ev.exc.injected || v->ev.exc.pending;

	if (busy && v->ev.exc.vector == VEC_DF && (vector == VEC_PF || contributory(vector))) {
		v->ev.shutdown = true;
		return;
	}
	/* Both are delivered, one behind the other: the delivery goes first, its trap behind it. */
	if (v->ev.exc.injected && vector == VEC_DB && v->ev.exc.vector != VEC_DB) {
		v->ev.exc.db_behind = true;
		return;
	}
	if (busy && makes_double_fault(v->ev.exc.vector, vector)) {
		vector = VEC_DF;
		has_error = true;
		error = 0;
	}
	v->ev.exc.injected = false;
	v->ev.exc.pending = true;
	v->ev.exc.vector = vector;
	v->ev.exc.has_error = has_error;
	v->ev.exc.error = error;
	v->ev.exc.dr6 = 0;
}

void vcpu_queue_gp(struct vcpu *v)
{
	vcpu_queue_exception(v, VEC_GP, true, 0);
}

bool vcpu_event_allowed(const struct event *e, bool protected_mode)
{
	static const uint32_t with_error = BIT(VEC_DF) | BIT(VEC_TS) | BIT(VEC_NP) | BIT(VEC_SS) | BIT(VEC_GP) |
					   BIT(VEC_PF) | BIT(VEC_AC);

	switch (e->type) {
	case EVENT_INTR:
		return !e->has_error;
	case EVENT_NMI:
		return e->vector == VEC_NMI && !e->has_error;
	case EVENT_EXCEPTION:
		if (e->vector > VEC_LAST_EXCEPTION || e->vector == VEC_NMI)
			return false;
		/* Only of real mode may an event come that has lost its error code: none was pushed there. */
		return e->has_error ? with_error & BIT(e->vector) : !protected_mode || !(with_error & BIT(e->vector));
	case EVENT_SOFT:
	case EVENT_NONE:
		break;
	}
	return false;
}

/* CR0 is asked for where it decides. */
static bool is_allowed(const struct vcpu *v, const struct event *e)
{
	return vcpu_event_allowed(e, true) || (vcpu_event_allowed(e, false) && !(v->ops->get(v, HVM_CR0) & CR0_PE));
}

/* SDM v3, "Instruction-Breakpoint Exception Condition": "For any fault-class exception except a debug exception generated in
 * response to an instruction breakpoint, the value pushed for RF is 1", so that the breakpoint does not hit again when the
 * handler has mended the fault. For traps, aborts and interrupts it is the RF of the moment. */
static void set_rf(struct vcpu *v, uint8_t vector)
{
	static const uint32_t faults = BIT(VEC_DE) | BIT(VEC_BR) | BIT(VEC_UD) | BIT(VEC_NM) | BIT(VEC_TS) | BIT(VEC_NP) |
				       BIT(VEC_SS) | BIT(VEC_GP) | BIT(VEC_PF) | BIT(VEC_MF) | BIT(VEC_AC) | BIT(VEC_XM);

	if (faults & BIT(vector))
		v->ops->set(v, HVM_RFLAGS, v->ops->get(v, HVM_RFLAGS) | RFLAGS_RF);
}

static void hand(struct vcpu *v, enum event_type type, uint8_t vector, bool again)
{
	struct event e = { .type = type, .vector = vector };

	if (type == EVENT_EXCEPTION) {
		e.has_error = v->ev.exc.has_error;
		e.error = v->ev.exc.error;
	}
	if (!CHECK(v, v->ev.handed == EVENT_NONE && is_allowed(v, &e)))
		return;
	if (type == EVENT_EXCEPTION)
		set_rf(v, vector);
	v->ops->inject(v, &e);
	v->ev.handed = type;
	v->stats.reinjected += again;
	if (__builtin_expect(!v->trace, 1))
		return;
	switch (type) {
	case EVENT_INTR:
		trace_add(v->trace, TRACE_kvm_inj_virq, vector, again);
		break;
	case EVENT_NMI:
		trace_add(v->trace, TRACE_kvm_inj_nmi, again, 0);
		break;
	default:
		trace_add(v->trace, TRACE_kvm_inj_exception, vector, again);
	}
}

/* IF and shadow are as they were when it was handed over, unless an exception of the delivery itself went first: then it
 * waits for that handler's end. The user irqchip's mailbox does not ask. */
static bool may_reinject_interrupt(const struct vcpu *v)
{
	return v->mode == IRQCHIP_USER || v->ops->intr_allowed(v);
}

/* What was committed at an earlier entry goes first: an exception; else, unless an exception is pending, an NMI, then an
 * interrupt. A pending exception stands before the interrupted instruction's end, a committed interrupt after it. */
static void reinject(struct vcpu *v)
{
	struct events *ev = &v->ev;

	if (ev->exc.injected)
		hand(v, EVENT_EXCEPTION, ev->exc.vector, true);
	else if (ev->exc.pending)
		return;
	else if (ev->nmi.injected)
		hand(v, EVENT_NMI, VEC_NMI, true);
	else if (ev->intr.injected && may_reinject_interrupt(v))
		hand(v, EVENT_INTR, ev->intr.vector, v->mode == IRQCHIP_SPLIT);
}

static void inject_exception(struct vcpu *v)
{
	struct events *ev = &v->ev;

	if (!ev->exc.pending || ev->handed != EVENT_NONE)
		return;
	if (ev->exc.vector == VEC_DB)
		v->ops->set(v, HVM_DR6, v->ops->get(v, HVM_DR6) | ev->exc.dr6);
	CHECK(v, !ev->exc.injected);
	ev->exc.pending = false;
	ev->exc.injected = true;
	hand(v, EVENT_EXCEPTION, ev->exc.vector, false);
}

/* Returns whether the entry must exit at once, so that the NMI gets its turn. */
static bool inject_nmi(struct vcpu *v)
{
	struct events *ev = &v->ev;

	if (!ev->nmi.pending)
		return false;
	/* Blocked, or it will be as soon as the one that goes in again is delivered. */
	if (ev->nmi.injected || !v->ops->nmi_allowed(v)) {
		v->ops->nmi_window(v, true);
		return false;
	}
	if (ev->handed != EVENT_NONE)
		return true;
	ev->nmi.pending--;
	ev->nmi.injected = true;
	v->stats.nmi++;
	hand(v, EVENT_NMI, VEC_NMI, false);
	return false;
}

/* ExtINT before the LAPIC. ExtINT sets no IRR or ISR bit; a LAPIC vector moves to ISR only here, when the CPU gets it. */
static int take_interrupt(struct vcpu *v)
{
	int vector = v->ev.stash;

	if (vector != STASH_EMPTY && lapic_accepts_extint(&v->lapic)) {
		v->ev.stash = STASH_EMPTY;
		v->stats.extint++;
		return vector;
	}
	vector = lapic_pending(&v->lapic);
	if (!CHECK(v, vector >= APIC_FIRST_VALID_VECTOR && vector < LAPIC_VECTORS))
		return VECTOR_NONE;
	lapic_accept(&v->lapic, (uint8_t)vector);
	v->stats.lapic++;
	return vector;
}

/* Returns whether an interrupt of our own waits for the window. */
static bool inject_interrupt(struct vcpu *v)
{
	struct irq_view q;
	int vector;

	if (v->mode == IRQCHIP_USER)
		return false; /* the mailbox is inj, and reinject() has been there */
	q = view_without_a(v);
	if (!irq_has_injectable(&q))
		return false;
	/* With the slot taken by another event the window serves as well: it opens at the first boundary after that
	 * event's delivery where the CPU would take an interrupt. */
	if (v->ev.handed != EVENT_NONE || q.r || q.e || !v->ops->intr_allowed(v))
		return true;
	vector = take_interrupt(v);
	if (vector == VECTOR_NONE || !CHECK(v, !v->ev.intr.injected))
		return false;
	v->ev.intr.vector = (uint8_t)vector;
	v->ev.intr.injected = true;
	hand(v, EVENT_INTR, v->ev.intr.vector, false);
	q = view_without_a(v);
	return irq_has_injectable(&q); /* the next one: taken when the handler opens IF */
}

/* The window request of the user half. The rules up to `boundary` sample it before injection, as KVM does: the entry
 * that empties the stash is then one that is not asked to report the next window. `rearm` looks again, and to look again
 * means to look at what this entry leaves behind: handed events are as good as delivered. */
static bool user_window(const struct vcpu *v, bool before)
{
	struct irq_view q;

	if (!irq_rearms(v->rule))
		return before;
	q = view_without_a(v);
	if (v->ev.handed == EVENT_INTR)
		q.inj = false;
	return irq_wants_window(v->rule, &q);
}

/* The variables of the rule, in its order: W is bit 0. */
static uint64_t view_bits(const struct irq_view *q)
{
	const bool bits[] = { q->w, q->p, q->stash, q->inj, q->l, q->v, q->a, q->r, q->e };
	uint64_t all = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(bits); i++)
		all |= bits[i] ? BIT64(i) : 0;
	return all;
}

/* What every move keeps. */
static bool events_hold(const struct events *ev)
{
	return !(ev->exc.pending && ev->exc.injected) && ev->nmi.pending <= 1 && ev->handed == EVENT_NONE &&
	       ev->stash >= STASH_EMPTY && ev->stash < LAPIC_VECTORS;
}

bool vcpu_inject(struct vcpu *v)
{
	struct irq_view q = v->trace ? vcpu_irq_view(v) : view_without_a(v);
	bool window = irq_wants_window(v->rule, &q);
	bool own, at_once;

	if (!CHECK(v, events_hold(&v->ev)))
		return true;
	reinject(v);
	inject_exception(v);
	at_once = inject_nmi(v);
	own = inject_interrupt(v);
	if (v->ev.handed == EVENT_EXCEPTION && v->ev.exc.db_behind)
		at_once = true;
	/* Committed, but another event took the slot: it goes in at the very next boundary. */
	if (v->ev.nmi.injected && v->ev.handed != EVENT_NMI)
		at_once = true;
	if (v->ev.intr.injected && v->ev.handed != EVENT_INTR) {
		if (may_reinject_interrupt(v))
			at_once = true;
		else
			own = true;
	}
	window = user_window(v, window);
	v->ops->intr_window(v, window || own);
	if (v->trace)
		trace_add(v->trace, TRACE_irq_window, window || own, view_bits(&q));
	return at_once;
}

/* A delivery was cut short, by our own injection or by the guest's own exception: it comes first at the next entry. What is
 * committed already has no place to wait in but this one. */
static void requeue(struct vcpu *v, const struct event *e)
{
	struct events *ev = &v->ev;

	switch (e->type) {
	case EVENT_INTR:
		CHECK(v, !ev->intr.injected);
		ev->intr.injected = true;
		ev->intr.vector = e->vector;
		break;
	case EVENT_NMI:
		CHECK(v, !ev->nmi.injected);
		ev->nmi.injected = true;
		break;
	case EVENT_EXCEPTION:
		CHECK(v, !ev->exc.injected && !ev->exc.pending);
		ev->exc.injected = true;
		ev->exc.vector = e->vector;
		ev->exc.has_error = e->has_error;
		ev->exc.error = e->error;
		break;
	case EVENT_SOFT: /* runs again by itself */
	case EVENT_NONE:
		break;
	}
}

void vcpu_complete_injection(struct vcpu *v, const struct hvm_exit *x)
{
	switch (v->ev.handed) {
	case EVENT_INTR:
		CHECK(v, v->ev.intr.injected);
		v->ev.intr.injected = false;
		break;
	case EVENT_NMI:
		CHECK(v, v->ev.nmi.injected);
		v->ev.nmi.injected = false;
		break;
	case EVENT_EXCEPTION:
		CHECK(v, v->ev.exc.injected);
		v->ev.exc.injected = false;
		break;
	case EVENT_SOFT:
	case EVENT_NONE:
		break;
	}
	requeue(v, &x->vectoring);
	if (v->ev.handed == EVENT_EXCEPTION && v->ev.exc.db_behind && !v->ev.exc.injected) {
		v->ev.exc.db_behind = false;
		vcpu_queue_exception(v, VEC_DB, false, 0);
	}
	v->ev.handed = EVENT_NONE;
}

bool vcpu_has_wake_event(const struct vcpu *v)
{
	struct irq_view q = view_without_a(v);

	if (v->ev.exc.pending || v->ev.exc.injected || v->ev.nmi.injected)
		return true;
	if (v->ev.intr.injected && may_reinject_interrupt(v))
		return true;
	if (v->ev.nmi.pending && v->ops->nmi_allowed(v))
		return true;
	return irq_has_interrupt(&q) && v->ops->intr_allowed(v);
}
