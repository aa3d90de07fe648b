/* SPDX-License-Identifier: BSD-2-Clause
 * The guest's debug exceptions and breakpoints under SVM: what a #DB that exits still owes, INT1, and DR7 where the CPU does not
 * switch breakpoints with it.
 * Knows nothing of single steps that are ours. */
#include "core/vcpu.h"
#include "status.h"
#include "x86.h"
#include "x86/svm.h"

#define OP_INT1 0xf1
#define DR7_ENABLED(dr7, n) GET_FIELD(2 * (n) + 1, 2 * (n), dr7)
#define DR7_RW(dr7, n) GET_FIELD(17 + 4 * (n), 16 + 4 * (n), dr7)
#define DR7_FIELDS (MASK(10, 0) | DR7_GD | MASK(31, 16))

static bool is_long(const struct vcpu *v)
{
	return v->ops->get(v, HVM_CS_MODE) == CS_64;
}

static void raise_db(struct hvm_exit *out)
{
	out->kind = HVM_EXIT_EXCEPTION;
	out->event = (struct event){ .type = EVENT_EXCEPTION, .vector = VEC_DB };
}

/* A trap: behind the instruction. Where it is no INT1 any more it runs again. */
static void int1(struct vcpu *v, struct hvm_exit *out)
{
	const struct emu *e = &v->emu;

	out->kind = HVM_EXIT_NONE;
	if (vcpu_decode(v) || e->insn.op != INSN_EXITS || e->bytes[e->insn.len - 1] != OP_INT1)
		return;
	v->ops->skip(v, e->insn.len);
	raise_db(out);
}

/* SDM v2, "MOV-Move to/from Debug Registers": #UD "If CR4.DE[bit 3] = 1 [...] and a MOV instruction is executed involving DR4 or
 * DR5", #GP(0) for "a 1 to any of bits 63:32 in DR7", #DB if DR7.GD is 1. */
static enum hvm_exit_kind move_to_dr7(struct vcpu *v, struct vmcb *b, struct hvm_exit *out)
{
	const struct insn *i = &v->emu.insn;
	uint64_t val;

	switch (vcpu_decode(v)) {
	case 0:
		break;
	case E_INVAL:
		return HVM_EXIT_UD; /* with LOCK, which QEMU does not look at */
	default:
		return HVM_EXIT_NONE; /* its page has gone: it runs again, and faults */
	}
	if (i->op != INSN_MOV_TO_DR)
		return HVM_EXIT_NONE; /* something else stands there now */
	if (b->control.exitcode == VMEXIT_DR5_WRITE && (b->save.cr4 & CR4_DE))
		return HVM_EXIT_UD;
	val = i->src.reg == RSP ? b->save.rsp : v->regs.gpr[i->src.reg];
	if (!is_long(v))
		val = (uint32_t)val;
	if (val >> 32)
		return HVM_EXIT_GP;
	if (b->save.dr7 & DR7_GD) {
		b->save.dr6 |= DR6_BD;
		b->save.dr7 &= ~DR7_GD;
		raise_db(out);
		return HVM_EXIT_EXCEPTION;
	}
	b->save.dr7 = (val & DR7_FIELDS) | DR7_INIT;
	vcpu_skip(v, i->len, 0);
	return HVM_EXIT_NONE;
}

/* The breakpoints of one sort that DR7 enables: those on instructions, here at RIP alone, or those on data and ports. */
static uint64_t enabled_breakpoints(const struct vmcb_save *g, bool code)
{
	const uint64_t at[] = { read_dr0(), read_dr1(), read_dr2(), read_dr3() };
	uint64_t found = 0;

	for (unsigned n = 0; n < ARRAY_SIZE(at); n++)
		if (DR7_ENABLED(g->dr7, n) && !DR7_RW(g->dr7, n) == code && (!code || at[n] == g->rip + g->cs.base))
			found |= DR6_B(n);
	return found;
}

/* In front of a MOV to or from a debug register, or of an instruction with a breakpoint, the fault can only be that. Behind an
 * instruction it is a single step, unless TF was not set and there is data to watch; which of several, nobody knows. */
static uint64_t likely_dr6(struct vcpu *v, const struct vmcb_save *g)
{
	uint64_t code = enabled_breakpoints(g, true), data = enabled_breakpoints(g, false);
	const struct insn *i = &v->emu.insn;

	if ((g->dr7 & DR7_GD) && !vcpu_decode(v) && (i->op == INSN_MOV_TO_DR || i->op == INSN_MOV_FROM_DR))
		return DR6_BD;
	if (code)
		return code;
	return data && !(g->rflags & RFLAGS_TF) ? data : DR6_BS;
}

/* The CPU has written DR6 and DR7.GD before the exit. Not so Bochs, which does not even say what it would have written
 * (docs/findings.md). */
static void finish_db(struct vcpu *v, struct svm *s)
{
	struct vmcb_save *g = &s->vmcb->save;

	if (!s->quirks.leaves_dr6)
		return;
	g->dr6 = (g->dr6 & ~DR6_BREAKPOINTS) | likely_dr6(v, g);
	g->dr7 &= ~DR7_GD;
}

void svm_debug_exit(struct vcpu *v, struct hvm_exit *out)
{
	struct svm *s = v->hw;
	struct vmcb *b = s->vmcb;

	switch (out->vendor_code) {
	case VMEXIT_EXCP_BASE + VEC_DB:
		finish_db(v, s);
		return;
	case VMEXIT_ICEBP:
		int1(v, out);
		return;
	case VMEXIT_DR5_WRITE:
	case VMEXIT_DR7_WRITE:
		out->kind = move_to_dr7(v, b, out);
		return;
	}
}

/* QEMU's VMRUN and #VMEXIT load and store DR7 and leave the breakpoints as they are: those of a guest would strike the host, and
 * a later write of DR7 would end the emulator, which takes them away by the types that DR7 has then (docs/findings.md). So
 * writes of DR7 are ours there, and the guest's breakpoints are set and taken away by a write of DR7 around the entry. */
void svm_set_breakpoints(const struct svm *s, bool set)
{
	uint64_t dr7 = s->vmcb->save.dr7;

	if (s->caps.tcg && (dr7 & DR7_ENABLE))
		write_dr7(set ? dr7 & ~DR7_GD : DR7_INIT);
}
