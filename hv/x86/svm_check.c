/* SPDX-License-Identifier: BSD-2-Clause
 * The rules of VMRUN, in the order in which the manual has them.
 * Knows nothing of how the VMCB came to be so. */
#include "x86/svm_check.h"

#include "x86.h"

#define IOPM_SIZE (3 * PAGE_SIZE)
#define MSRPM_SIZE (2 * PAGE_SIZE)
#define HIGH_HALF MASK(63, 32)
#define EXCEPTIONS 32

struct checker {
	const struct vmcb_control *c;
	const struct vmcb_save *g;
	const struct svm_check_facts *facts;
	struct entry_check *out;
};

#define FIELD_LIST(...) (const struct entry_field[]){ __VA_ARGS__, { NULL, 0 } }
#define GUEST(field) { "VMCB." #field, k->g->field }
#define CONTROL(field) { "VMCB." #field, k->c->field }

static void need_state(const struct checker *k, bool holds, const char *rule, const struct entry_field *fields)
{
	if (!holds)
		entry_check_broken(k->out, "guest state", rule, fields);
}

static void need_control(const struct checker *k, bool holds, const char *rule, const struct entry_field *fields)
{
	if (!holds)
		entry_check_broken(k->out, "control", rule, fields);
}

static uint64_t beyond_phys_bits(const struct checker *k, uint64_t pa)
{
	return pa >> k->facts->phys_bits;
}

/* APM v2, "Canonicalization and Consistency Checks": "The following conditions are considered illegal state combinations". */
static void check_registers(const struct checker *k)
{
	const struct vmcb_save *g = k->g;

	need_state(k, g->efer & EFER_SVME, "EFER.SVME is 0", FIELD_LIST(GUEST(efer)));
	need_state(k, (g->cr0 & CR0_CD) || !(g->cr0 & CR0_NW), "CR0.CD is 0 and CR0.NW is 1", FIELD_LIST(GUEST(cr0)));
	need_state(k, !(g->cr0 & HIGH_HALF), "CR0[63:32] are not 0", FIELD_LIST(GUEST(cr0)));
	need_state(k, !beyond_phys_bits(k, g->cr3), "a MBZ bit of CR3 is 1", FIELD_LIST(GUEST(cr3)));
	need_state(k, !(g->cr4 & k->facts->cr4_mbz), "a MBZ bit of CR4 is 1",
		   FIELD_LIST(GUEST(cr4), { "MBZ", k->facts->cr4_mbz }));
	need_state(k, !(g->dr6 & HIGH_HALF), "DR6[63:32] are not 0", FIELD_LIST(GUEST(dr6)));
	need_state(k, !(g->dr7 & HIGH_HALF), "DR7[63:32] are not 0", FIELD_LIST(GUEST(dr7)));
	need_state(k, !(g->efer & k->facts->efer_mbz), "a MBZ bit of EFER is 1",
		   FIELD_LIST(GUEST(efer), { "MBZ", k->facts->efer_mbz }));
	need_state(k, !(g->cr4 & CR4_CET) || (g->cr0 & CR0_WP), "CR4.CET is 1 and CR0.WP is 0",
		   FIELD_LIST(GUEST(cr4), GUEST(cr0)));
}

static void check_long_mode(const struct checker *k)
{
	const struct vmcb_save *g = k->g;
	bool paging = g->cr0 & CR0_PG, will_be_long = (g->efer & EFER_LME) && paging;
	uint16_t cs = g->cs.attributes;

	need_state(k, k->facts->long_mode || !(g->efer & (EFER_LMA | EFER_LME)),
		   "EFER.LMA or EFER.LME is 1 and this CPU has no long mode", FIELD_LIST(GUEST(efer)));
	need_state(k, !will_be_long || (g->cr4 & CR4_PAE), "EFER.LME and CR0.PG are 1 and CR4.PAE is 0",
		   FIELD_LIST(GUEST(efer), GUEST(cr0), GUEST(cr4)));
	need_state(k, !will_be_long || (g->cr0 & CR0_PE), "EFER.LME and CR0.PG are 1 and CR0.PE is 0",
		   FIELD_LIST(GUEST(efer), GUEST(cr0)));
	need_state(k, !will_be_long || !(g->cr4 & CR4_PAE) || !(cs & SEG_L) || !(cs & SEG_DB),
		   "EFER.LME, CR0.PG, CR4.PAE, CS.L and CS.D are all 1",
		   FIELD_LIST(GUEST(efer), GUEST(cr0), GUEST(cr4), GUEST(cs.attributes)));
}

static void check_control(const struct checker *k)
{
	const struct vmcb_control *c = k->c;
	uint64_t iopm_last = c->iopm_base_pa + IOPM_SIZE - 1, msrpm_last = c->msrpm_base_pa + MSRPM_SIZE - 1;

	need_control(k, c->intercept_2 & INTERCEPT_VMRUN, "the VMRUN intercept bit is clear", FIELD_LIST(CONTROL(intercept_2)));
	need_control(k, !beyond_phys_bits(k, iopm_last),
		 "the IOIO intercept table is beyond the physical addresses of this CPU",
		     FIELD_LIST(CONTROL(iopm_base_pa)));
	need_control(k, !beyond_phys_bits(k, msrpm_last),
		 "the MSR intercept table is beyond the physical addresses of this CPU",
		     FIELD_LIST(CONTROL(msrpm_base_pa)));
	need_control(k, c->guest_asid, "ASID is equal to zero", FIELD_LIST(CONTROL(guest_asid)));
}

/* APM v2, "Event Injection": "VMRUN exits with VMEXIT_INVALID error code if either: Reserved values of TYPE have been
 * specified, or TYPE = 3 (exception) has been specified with a vector that does not correspond to an exception (this
 * includes vector 2, which is an NMI, not an exception)." */
static void check_injection(const struct checker *k)
{
	const uint32_t types = BIT(EVENT_TYPE_INTR) | BIT(EVENT_TYPE_NMI) | BIT(EVENT_TYPE_EXEPT) | BIT(EVENT_TYPE_SOFT);
	uint64_t e = k->c->eventinj;
	uint8_t vector = EVENT_VECTOR(e);

	if (!(e & EVENT_VALID))
		return;
	need_control(k, types & BIT(EVENT_TYPE(e)), "EVENTINJ has a reserved TYPE", FIELD_LIST(CONTROL(eventinj)));
	need_control(k, EVENT_TYPE(e) != EVENT_TYPE_EXEPT || (vector != VEC_NMI && vector < EXCEPTIONS),
		     "EVENTINJ injects an exception by a vector that is none", FIELD_LIST(CONTROL(eventinj)));
}

/* APM v2, "Nested Paging and VMRUN/#VMEXIT": VMRUN exits when "Any MBZ bit of nCR3 is set" or "Any G_PAT.PA field has an
 * unsupported type encoding or any reserved field in G_PAT has a nonzero value". */
static void check_nested_paging(const struct checker *k)
{
	if (!(k->c->np_enable & NP_ENABLE))
		return;
	need_control(k, !beyond_phys_bits(k, k->c->n_cr3), "a MBZ bit of nCR3 is 1", FIELD_LIST(CONTROL(n_cr3)));
	need_state(k, entry_check_pat(k->g->g_pat), "G_PAT has an unsupported type", FIELD_LIST(GUEST(g_pat)));
}

void svm_check(const struct vmcb *b, const struct svm_check_facts *facts, struct entry_check *out)
{
	const struct checker k = { &b->control, &b->save, facts, out };

	out->lines = out->broken = out->dropped = 0;
	entry_check_say(out, "VMRUN refused the guest: VMEXIT_INVALID");
	check_registers(&k);
	check_long_mode(&k);
	check_control(&k);
	check_injection(&k);
	check_nested_paging(&k);
	entry_check_conclude(out);
}
