/* SPDX-License-Identifier: BSD-2-Clause
 * NMI blocking and the NMI window, which SVM leaves to software: blocked from the injection until the handler's IRET has
 * retired. The IRET is intercepted; it has not run then, so one instruction is single-stepped when an NMI waits.
 * Knows nothing of where NMIs come from. */
#include "core/vcpu.h"
#include "x86.h"
#include "x86/svm.h"

#define ALL_EXCEPTIONS UINT32_MAX

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

void svm_nmi_injected(struct svm *s)
{
	s->nmi.masked = true;
	s->nmi.iret_seen = false;
	s->vmcb->control.intercept_1 |= INTERCEPT_IRET;
}

/* Blocked by a handler that has not come to its IRET: the IRET's exit is the window. Else one step away. */
void svm_nmi_window(struct vcpu *v, bool open)
{
	struct svm *s = svm_of(v);

	s->nmi.step_wanted = open && !(s->nmi.masked && !s->nmi.iret_seen);
}

/* All exceptions are intercepted during the step, so that none pushes our TF onto the guest's stack. For the same reason
 * no step together with an injection: that entry ends at once and the step is the next one. */
void svm_nmi_before_entry(struct svm *s, bool *immediate)
{
	struct vmcb *b = s->vmcb;

	if (!s->nmi.step_wanted)
		return;
	s->nmi.step_wanted = false;
	if (b->control.eventinj & EVENT_VALID) {
		*immediate = true;
		return;
	}
	s->nmi.step = true;
	s->nmi.step_rip = b->save.rip;
	s->nmi.guest_tf = b->save.rflags & RFLAGS_TF;
	b->save.rflags |= RFLAGS_TF;
	b->control.intercept_exceptions = ALL_EXCEPTIONS;
}

/* IRET has loaded the guest's own TF; after any other instruction, and before any, TF is still ours. */
static void end_step(struct svm *s, struct hvm_exit *out)
{
	struct vmcb *b = s->vmcb;
	bool trap = out->kind == HVM_EXIT_EXCEPTION && out->event.vector == VEC_DB;
	bool iret_ran = s->nmi.iret_seen && b->save.rip != s->nmi.iret_rip;

	s->nmi.step = false;
	if (!s->nmi.guest_tf && !iret_ran)
		b->save.rflags &= ~RFLAGS_TF;
	if (trap && !s->nmi.guest_tf) {
		b->save.dr6 &= ~DR6_BS;
		out->kind = HVM_EXIT_NMI_WINDOW;
	}
}

void svm_nmi_after_exit(struct svm *s, struct hvm_exit *out)
{
	if (s->nmi.step)
		end_step(s, out);
	if (s->nmi.iret_seen && s->vmcb->save.rip != s->nmi.iret_rip) {
		s->nmi.iret_seen = false;
		s->nmi.masked = false;
	}
	if (out->vendor_code == VMEXIT_IRET) {
		s->vmcb->control.intercept_1 &= ~INTERCEPT_IRET;
		s->nmi.iret_seen = true;
		s->nmi.iret_rip = s->vmcb->save.rip;
	}
}
