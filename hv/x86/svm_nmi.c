/* SPDX-License-Identifier: BSD-2-Clause
 * NMI blocking and the NMI window, which SVM leaves to software: blocked from the injection until the handler's IRET has
 * retired. The IRET is intercepted; it has not run then, so it alone is single-stepped when an NMI waits.
 * Knows nothing of where NMIs come from. */
#include "core/vcpu.h"
#include "x86.h"
#include "x86/svm.h"

#define ALL_EXCEPTIONS UINT32_MAX
#define SHORT_RUN (20 * NSEC_PER_USEC)
#define MOST_TRIES 10

static struct svm *svm_of(const struct vcpu *v)
{
	return v->hw;
}

/* The VMCB does not tell STI's shadow from MOV SS's, and after MOV SS an NMI must wait: so it waits in both. */
bool svm_nmi_allowed(const struct vcpu *v)
{
	const struct svm *s = svm_of(v);

	return !s->nmi.masked && !(s->vmcb->control.int_state & INT_STATE_SHADOW);
}

void svm_nmi_window(struct vcpu *v, bool open)
{
	svm_of(v)->nmi.wanted = open;
}

static void intercept_iret(struct svm *s, bool intercept)
{
	if (intercept)
		s->vmcb->control.intercept_1 |= INTERCEPT_IRET;
	else
		s->vmcb->control.intercept_1 &= ~INTERCEPT_IRET;
}

void svm_nmi_injected(struct svm *s)
{
	s->nmi.masked = true;
	s->nmi.iret_seen = false;
	intercept_iret(s, true);
}

/* The instruction is the IRET, which reads flags and shows none: nobody sees that TF is ours. What IRET may raise would push it,
 * so all exceptions exit. */
static void begin_step(struct svm *s)
{
	struct vmcb *b = s->vmcb;

	s->nmi.step = true;
	s->nmi.guest_tf = b->save.rflags & RFLAGS_TF;
	s->nmi.guest_dr6 = b->save.dr6;
	b->save.rflags |= RFLAGS_TF;
	b->control.intercept_exceptions = ALL_EXCEPTIONS;
}

/* A shadow lasts for one instruction, and that may be one that shows TF: PUSHF, INT n, SYSCALL. An interrupt to ourselves waits
 * for the end of the shadow too, as any other. Under KVM it does not: exits are not held back by a shadow there, and the
 * instruction would never run. So when it was in vain the guest gets some time, more at each try. */
static void leave_shadow(struct svm *s, bool *immediate, uint64_t *deadline)
{
	s->nmi.leaving_rip = s->vmcb->save.rip;
	s->nmi.leaving = true;
	if (s->nmi.in_vain)
		*deadline = host_now(s->host) + (SHORT_RUN << s->nmi.in_vain);
	else
		*immediate = true;
}

void svm_nmi_before_entry(struct svm *s, bool *immediate, uint64_t *deadline)
{
	bool wanted = s->nmi.wanted, injects = s->vmcb->control.eventinj & EVENT_VALID;

	s->nmi.wanted = false;
	if (injects && s->nmi.iret_seen) {
		/* Another handler goes before the IRET, which comes here once more. */
		s->nmi.iret_seen = false;
		intercept_iret(s, true);
	}
	if (!wanted)
		return;
	if (s->nmi.iret_seen)
		begin_step(s);
	else if (!s->nmi.masked)
		leave_shadow(s, immediate, deadline);
}

/* IRET has loaded the guest's own TF, and unblocks NMIs even if it faults; before it TF is still ours. What the step has found
 * besides, a breakpoint on the stack, is the guest's. */
static void end_step(struct svm *s, struct hvm_exit *out)
{
	struct vmcb_save *g = &s->vmcb->save;
	bool exception = out->kind == HVM_EXIT_EXCEPTION, trap = exception && out->event.vector == VEC_DB;
	bool ran = g->rip != s->nmi.iret_rip;

	s->nmi.step = false;
	if (!s->nmi.guest_tf && !ran)
		g->rflags &= ~RFLAGS_TF;
	if (exception && !trap)
		s->nmi.masked = s->nmi.iret_seen = false;
	if (!trap || s->nmi.guest_tf)
		return;
	g->dr6 = (g->dr6 & ~DR6_BS) | (s->nmi.guest_dr6 & DR6_BS);
	if (!(g->dr6 & DR6_BREAKPOINTS & ~s->nmi.guest_dr6))
		out->kind = HVM_EXIT_NMI_WINDOW;
}

static void end_leaving(struct svm *s, const struct hvm_exit *out)
{
	bool same = s->vmcb->save.rip == s->nmi.leaving_rip && (s->vmcb->control.int_state & INT_STATE_SHADOW);

	s->nmi.leaving = false;
	if (out->kind != HVM_EXIT_INTR || !same)
		s->nmi.in_vain = 0;
	else if (s->nmi.in_vain < MOST_TRIES)
		s->nmi.in_vain++;
}

void svm_nmi_after_exit(struct svm *s, struct hvm_exit *out)
{
	if (s->nmi.step)
		end_step(s, out);
	if (s->nmi.leaving)
		end_leaving(s, out);
	if (s->nmi.iret_seen && s->vmcb->save.rip != s->nmi.iret_rip) {
		s->nmi.iret_seen = false;
		s->nmi.masked = false;
	}
	if (out->vendor_code == VMEXIT_IRET) {
		intercept_iret(s, false);
		s->nmi.iret_seen = true;
		s->nmi.iret_rip = s->vmcb->save.rip;
	}
}
