/* SPDX-License-Identifier: BSD-2-Clause
 * The guest's segment and table registers in the common form.
 * Knows nothing of descriptors. */
#include "core/vcpu.h"
#include "x86.h"
#include "x86/svm.h"

static struct vmcb_segment *segment_of(struct vmcb_save *g, enum sreg which)
{
	struct vmcb_segment *const all[SREGS] = { &g->es, &g->cs,   &g->ss, &g->ds,   &g->fs,
						  &g->gs, &g->ldtr, &g->tr, &g->gdtr, &g->idtr };

	return all[which];
}

/* What VMRUN and #VMEXIT leave in the CPU: VMSAVE stores it, VMLOAD loads it. */
static bool is_in_cpu(enum sreg which)
{
	return which == SREG_FS || which == SREG_GS || which == SREG_LDTR || which == SREG_TR;
}

/* The VMCB has no unusable bit: a segment that is not present is one. */
void svm_segment(const struct vcpu *v, enum sreg which, struct hvm_segment *out)
{
	struct vmcb *b = ((const struct svm *)v->hw)->vmcb;
	const struct vmcb_segment *s = segment_of(&b->save, which);

	if (is_in_cpu(which))
		vmsave(HPA((uintptr_t)b));
	out->base = s->base;
	out->limit = s->limit;
	out->selector = s->selector;
	out->ar = SEG_TO_AR(s->attributes);
	if (!(out->ar & AR_P))
		out->ar |= AR_UNUSABLE;
}

void svm_set_segment(struct vcpu *v, enum sreg which, const struct hvm_segment *val)
{
	struct vmcb *b = ((const struct svm *)v->hw)->vmcb;
	struct vmcb_save *g = &b->save;
	struct vmcb_segment *s = segment_of(g, which);

	if (is_in_cpu(which))
		vmsave(HPA((uintptr_t)b));
	s->base = val->base;
	s->limit = val->limit;
	s->selector = val->selector;
	s->attributes = val->ar & AR_UNUSABLE ? 0 : AR_TO_SEG(val->ar);
	if (which == SREG_SS)
		g->cpl = (uint8_t)AR_DPL(val->ar);
	if (is_in_cpu(which))
		vmload(HPA((uintptr_t)b));
}
