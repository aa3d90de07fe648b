/* SPDX-License-Identifier: BSD-2-Clause
 * An SVM exit in the common form.
 * Knows nothing of what is done about it. */
#include <string.h>

#include "core/vcpu.h"
#include "x86.h"
#include "x86/svm.h"

/* Bochs records no INT n: EXITINTINFO has the event before it. But it always saves nRIP, which is beyond RIP then and for no
 * other event. On hardware the field does not say so: "For all other intercepts, nRIP is reset to zero" (APM v2, "State
 * Saved on Exit"). */
static bool within_instruction(const struct svm *s)
{
	uint64_t nrip = s->vmcb->control.nrip;

	return s->caps.nrips && nrip && nrip != s->vmcb->save.rip;
}

/* The event whose delivery was cut short. Software interrupts are not passed on: RIP still points at the instruction, and it
 * runs again. APM v2, "Intercepts During IDT Interrupt Delivery": the events of INT3 and INTO "are considered exceptions for
 * the purposes of EXITINTINFO", but they are instructions too. */
static void translate_vectoring(const struct svm *s, struct event *e)
{
	uint64_t info = s->vmcb->control.exitintinfo;

	e->type = EVENT_NONE;
	if (!(info & EVENT_VALID))
		return;
	e->vector = EVENT_VECTOR(info);
	e->has_error = info & EVENT_ERROR_VALID;
	e->error = e->has_error ? EVENT_ERROR(info) : 0;
	switch (within_instruction(s) ? EVENT_TYPE_SOFT : EVENT_TYPE(info)) {
	case EVENT_TYPE_INTR:
		e->type = s->quirks.deaf_while_if_clear && e->vector == VEC_NMI ? EVENT_NMI : EVENT_INTR;
		break;
	case EVENT_TYPE_NMI:
		e->type = EVENT_NMI;
		break;
	case EVENT_TYPE_EXEPT:
		e->type = e->vector == VEC_BP || e->vector == VEC_OF ? EVENT_SOFT : EVENT_EXCEPTION;
		break;
	default:
		e->type = EVENT_SOFT;
	}
}

static void translate_io(const struct vmcb *b, struct hvm_exit *out)
{
	uint64_t info = b->control.exitinfo1;

	out->kind = HVM_EXIT_IO;
	out->insn_len = (uint8_t)(b->control.exitinfo2 - b->save.rip);
	out->io.port = IOIO_PORT(info);
	out->io.size = IOIO_SIZE(info);
	out->io.in = info & IOIO_IN;
	out->io.string = info & IOIO_STR;
}

static void translate_npf(const struct vmcb_control *c, struct hvm_exit *out)
{
	out->kind = HVM_EXIT_NPF;
	out->npf.gpa = GPA(c->exitinfo2);
	out->npf.write = c->exitinfo1 & NPF_WRITE;
	out->npf.fetch = c->exitinfo1 & NPF_FETCH;
	out->npf.walk = c->exitinfo1 & NPF_WALK;
}

static void translate_exception(struct vmcb *b, struct hvm_exit *out)
{
	static const uint32_t with_error = BIT(VEC_DF) | BIT(VEC_TS) | BIT(VEC_NP) | BIT(VEC_SS) | BIT(VEC_GP) |
					   BIT(VEC_PF) | BIT(VEC_AC);

	out->kind = HVM_EXIT_EXCEPTION;
	out->event.type = EVENT_EXCEPTION;
	out->event.vector = (uint8_t)(b->control.exitcode - VMEXIT_EXCP_BASE);
	out->event.has_error = with_error & BIT(out->event.vector);
	out->event.error = (uint32_t)b->control.exitinfo1;
	if (out->event.vector == VEC_PF)
		b->save.cr2 = b->control.exitinfo2;
}

static enum hvm_exit_kind simple_kind(uint64_t code)
{
	switch (code) {
	case VMEXIT_INTR:
	case VMEXIT_NMI:
	case VMEXIT_INIT:
		return HVM_EXIT_INTR;
	case VMEXIT_VINTR:
		return HVM_EXIT_WINDOW;
	case VMEXIT_IRET:
		return HVM_EXIT_NONE;
	case VMEXIT_HLT:
		return HVM_EXIT_HLT;
	case VMEXIT_CPUID:
		return HVM_EXIT_CPUID;
	case VMEXIT_CR0_SEL_WRITE:
	case VMEXIT_CR3_WRITE:
	case VMEXIT_CR4_WRITE:
	case VMEXIT_CR8_WRITE:
		return HVM_EXIT_CR_WRITE;
	case VMEXIT_RDPMC:
		return HVM_EXIT_GP;
	case VMEXIT_INVD:
	case VMEXIT_WBINVD:
		return HVM_EXIT_NOP;
	case VMEXIT_RSM:
	case VMEXIT_INVLPGA:
	case VMEXIT_VMRUN:
	case VMEXIT_VMMCALL:
	case VMEXIT_VMLOAD:
	case VMEXIT_VMSAVE:
	case VMEXIT_STGI:
	case VMEXIT_CLGI:
	case VMEXIT_SKINIT:
	case VMEXIT_MONITOR:
	case VMEXIT_MWAIT:
	case VMEXIT_MWAIT_ARMED:
		return HVM_EXIT_UD;
	case VMEXIT_XSETBV:
		return HVM_EXIT_XSETBV;
	case VMEXIT_SHUTDOWN:
		return HVM_EXIT_SHUTDOWN;
	case VMEXIT_INVALID:
	case VMEXIT_INVALID_TCG:
		return HVM_EXIT_FAIL_ENTRY;
	default:
		return HVM_EXIT_UNKNOWN;
	}
}

/* NRIPS, where the CPU has it, for the exits that are finished by skipping the instruction. */
static uint8_t skip_len(const struct svm *s, enum hvm_exit_kind kind)
{
	const struct vmcb *b = s->vmcb;
	bool skips = kind == HVM_EXIT_HLT || kind == HVM_EXIT_CPUID || kind == HVM_EXIT_RDMSR ||
		     kind == HVM_EXIT_WRMSR || kind == HVM_EXIT_XSETBV || kind == HVM_EXIT_NOP;

	return s->caps.nrips && skips && b->control.nrip ? (uint8_t)(b->control.nrip - b->save.rip) : 0;
}

void svm_translate_exit(struct svm *s, struct hvm_exit *out)
{
	struct vmcb *b = s->vmcb;
	struct vmcb_control *c = &b->control;

	out->insn_len = 0;
	out->vendor_code = c->exitcode;
	out->vendor_info[0] = c->exitinfo1;
	out->vendor_info[1] = c->exitinfo2;
	translate_vectoring(s, &out->vectoring);
	switch (c->exitcode) {
	case VMEXIT_IOIO:
		translate_io(b, out);
		return;
	case VMEXIT_NPF:
		translate_npf(c, out);
		return;
	case VMEXIT_MSR:
		out->kind = c->exitinfo1 & MSR_EXIT_WRITE ? HVM_EXIT_WRMSR : HVM_EXIT_RDMSR;
		break;
	default:
		if (c->exitcode >= VMEXIT_EXCP_BASE && c->exitcode <= VMEXIT_EXCP_LAST) {
			translate_exception(b, out);
			return;
		}
		out->kind = simple_kind(c->exitcode);
	}
	out->insn_len = skip_len(s, out->kind);
}
