/* SPDX-License-Identifier: BSD-2-Clause
 * Does this SVM do what the manual says where an emulator is known not to? Found out by trying, in a guest of one HLT.
 * Knows nothing of which emulator it is. */
#include "core/vcpu.h"
#include "x86.h"
#include "x86/svm.h"

#define INSN_HLT 0xf4
#define INSN_NOP 0x90
struct trial {
	uint8_t hlt, nop, hlt_too;
};

/* Where the trial ends that ought to end in front of HLT. */
static uint64_t try_hlt(struct svm *s)
{
	struct hvm_regs regs = { 0 };

	s->vmcb->control.tlb_control = TLB_CONTROL_FLUSH_ALL;
	svm_vmrun(&regs, (uintptr_t)s->vmcb, 0);
	host_take_interrupts(s->host);
	return s->vmcb->control.exitcode;
}

/* Is a window missed that is open already when the guest is entered? Bochs looks at V_IRQ only when IF becomes 1. */
static bool misses_open_window(struct svm *s)
{
	uint64_t code;

	s->vmcb->save.rflags |= RFLAGS_IF;
	svm_open_window(s, true);
	do {
		code = try_hlt(s);
	} while (code == VMEXIT_INTR || code == VMEXIT_NMI);
	svm_open_window(s, false);
	s->vmcb->save.rflags &= ~RFLAGS_IF;
	return code == VMEXIT_HLT;
}

/* APM v2, "Physical (INTR) Interrupt Masking in EFLAGS": the host's IF "controls physical interrupts while the guest is
 * running". On Bochs the guest's does, until it first becomes 1. */
static bool is_deaf_while_if_clear(struct svm *s)
{
	host_self_ipi(s->host);
	return try_hlt(s) == VMEXIT_HLT;
}

/* A #DB that exits, here a single step: has DR6 been written? */
static bool leaves_dr6(struct svm *s)
{
	struct vmcb_save *g = &s->vmcb->save;
	uint64_t rip = g->rip;
	bool left;

	do {
		g->rip = rip + offsetof(struct trial, nop);
		g->rflags |= RFLAGS_TF;
	} while (try_hlt(s) != VMEXIT_EXCP_BASE + VEC_DB);
	left = !(g->dr6 & DR6_BS);
	g->dr6 = DR6_INIT;
	g->rflags &= ~RFLAGS_TF;
	g->rip = rip;
	return left;
}

int svm_find_quirks(struct svm *s, struct page_pool *pool)
{
	struct trial *page = page_alloc(pool);
	gpa_t gpa = GPA(s->vmcb->save.rip);

	if (!page || nested_map(&s->nested, gpa, HPA((uintptr_t)page)))
		return E_NOMEM;
	*page = (struct trial){ INSN_HLT, INSN_NOP, INSN_HLT };
	s->quirks.misses_open_window = misses_open_window(s);
	s->quirks.deaf_while_if_clear = is_deaf_while_if_clear(s);
	s->quirks.leaves_dr6 = leaves_dr6(s);
	/* Bochs again, and not to be tried: version 2.7 would end. */
	s->quirks.dies_of_shutdown = s->quirks.deaf_while_if_clear;
	if (s->quirks.dies_of_shutdown)
		s->exceptions |= BIT(VEC_DF);
	s->vmcb->control.intercept_exceptions = s->exceptions;
	nested_unmap(&s->nested, gpa);
	s->vmcb->control.tlb_control = TLB_CONTROL_FLUSH_ALL;
	return 0;
}
