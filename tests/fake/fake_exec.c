/* SPDX-License-Identifier: BSD-2-Clause
 * The scripted CPU's instructions, and delivery through its gates.
 * Knows nothing of entries, windows or time. */
#include "fake/fake_cpu.h"

#include <string.h>

#include "core/vcpu.h"

enum result {
	NEXT,  /* RIP goes to the next instruction */
	THERE, /* RIP is set already */
	EXIT,
	EXIT_BEHIND /* RIP goes to the next instruction, then it exits */
};
typedef enum result exec_fn(struct fake_cpu *f, const struct fake_insn *i, struct hvm_exit *out);

#define VECTORS_WITH_ERROR \
	(BIT(VEC_DF) | BIT(VEC_TS) | BIT(VEC_NP) | BIT(VEC_SS) | BIT(VEC_GP) | BIT(VEC_PF) | BIT(VEC_AC))
#define FRAME_SIZE 24
#define GARBAGE_LEN 0xa5
#define CR8_MAX 15

/* SDM v3, "Error Code": exactly these exceptions push one. */
static bool pushes_error(const struct event *e)
{
	return e->type == EVENT_EXCEPTION && e->vector <= VEC_AC && (VECTORS_WITH_ERROR & BIT(e->vector));
}

static bool nested_fault(struct fake_cpu *f, gpa_t gpa, bool write, bool fetch, struct hvm_exit *out)
{
	if (gpa.v < FAKE_RAM_SIZE && f->mapped[gpa.v >> PAGE_SHIFT])
		return false;
	out->kind = HVM_EXIT_NPF;
	out->npf.gpa = gpa;
	out->npf.write = write;
	out->npf.fetch = fetch;
	out->npf.walk = false;
	return true;
}

/* Everything that delivery touches must be there, or it is as if it had not begun. */
static bool cut_short(struct fake_cpu *f, const struct event *e, struct hvm_exit *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(f->structures); i++)
		if (nested_fault(f, GPA(f->structures[i]), i + 1 == ARRAY_SIZE(f->structures), false, out)) {
			out->vectoring = *e;
			return true;
		}
	if (!f->nested.armed || f->nested.vector != e->vector)
		return false;
	f->nested.armed = false;
	out->kind = HVM_EXIT_EXCEPTION;
	out->event = f->nested.second;
	out->vectoring = *e;
	return true;
}

static void check_event(struct fake_cpu *f, const struct event *e)
{
	if (e->has_error != pushes_error(e))
		fake_violation(f, "error code where there is none, or none where there is one");
	if (!f->gates[e->vector].present)
		fake_violation(f, "a vector without a gate");
	if (f->depth == FAKE_FRAMES)
		fake_violation(f, "the stack is full");
}

bool fake_deliver(struct fake_cpu *f, const struct event *e, uint64_t ret, bool injected, struct hvm_exit *out)
{
	struct fake_arrival a = {
		.type = e->type,
		.vector = e->vector,
		.has_error = e->has_error,
		.error = e->has_error ? e->error : 0,
		.injected = injected,
		.rip = ret,
		.if_ = f->rflags & RFLAGS_IF,
		.rf = f->rflags & RFLAGS_RF,
		.shadow = f->shadow != SHADOW_NONE,
	};

	if (cut_short(f, e, out))
		return true;
	check_event(f, e);
	if (f->violation) {
		out->kind = HVM_EXIT_SHUTDOWN;
		return true;
	}
	fake_log(f, &a);
	f->frames[f->depth++] = (struct fake_frame){ .rip = ret, .rflags = f->rflags };
	f->rsp -= FRAME_SIZE;
	f->rflags &= ~(RFLAGS_TF | RFLAGS_RF | (f->gates[e->vector].trap ? 0 : RFLAGS_IF));
	f->shadow = SHADOW_NONE;
	f->nmi_blocked |= e->type == EVENT_NMI;
	f->rip = fake_label(f, f->gates[e->vector].label);
	return false;
}

static uint8_t len_at(const struct fake_cpu *f, uint64_t rip)
{
	return rip - FAKE_CODE < FAKE_CODE_SIZE ? f->len[rip - FAKE_CODE] : 0;
}

static uint64_t next_rip(const struct fake_cpu *f)
{
	return f->rip + len_at(f, f->rip);
}

static enum result exit_as(struct fake_cpu *f, struct hvm_exit *out, enum hvm_exit_kind kind)
{
	out->kind = kind;
	out->insn_len = f->quirks.decodes ? len_at(f, f->rip) : 0;
	return EXIT;
}

static enum result raise(struct fake_cpu *f, enum event_type type, uint8_t vector, uint32_t error, uint64_t ret,
			 struct hvm_exit *out)
{
	struct event e = { .type = type, .vector = vector, .error = error };

	e.has_error = pushes_error(&e);
	return fake_deliver(f, &e, ret, false, out) ? EXIT : THERE;
}

/* What is to be told of the instruction is told: nobody may skip it again. */
static enum result exit_behind(struct hvm_exit *out)
{
	out->insn_len = GARBAGE_LEN;
	return EXIT_BEHIND;
}

static bool is_x2apic(const struct fake_cpu *f, uint32_t msr)
{
	return f->vid == HVM_VID_X2APIC && msr >= MSR_X2APIC_FIRST && msr <= MSR_X2APIC_LAST;
}

#define EXEC(name) \
	static enum result exec_##name(struct fake_cpu *f, const struct fake_insn *i, struct hvm_exit *out)
#define UNUSED(x) ((void)(x))

EXEC(nop)
{
	UNUSED(f), UNUSED(i), UNUSED(out);
	return NEXT;
}

/* The shadow is there only if IF was clear before. */
EXEC(sti)
{
	UNUSED(i), UNUSED(out);
	if (!(f->rflags & RFLAGS_IF))
		f->shadow = SHADOW_STI;
	f->rflags |= RFLAGS_IF;
	return NEXT;
}

EXEC(cli)
{
	UNUSED(i), UNUSED(out);
	f->rflags &= ~RFLAGS_IF;
	return NEXT;
}

EXEC(mov_ss)
{
	UNUSED(i), UNUSED(out);
	f->shadow = SHADOW_MOV_SS;
	return NEXT;
}

EXEC(mov)
{
	UNUSED(out);
	f->v->regs.gpr[i->a] = i->val;
	return NEXT;
}

EXEC(popf)
{
	UNUSED(out);
	f->rflags = i->val | RFLAGS_RESERVED1;
	return NEXT;
}

static enum result iret_to(struct fake_cpu *f, bool past)
{
	struct fake_frame frame;

	if (!f->depth) {
		fake_violation(f, "IRET without a frame");
		return NEXT;
	}
	frame = f->frames[--f->depth];
	f->rsp += FRAME_SIZE;
	f->rflags = frame.rflags;
	f->rip = frame.rip + (past ? len_at(f, frame.rip) : 0);
	f->nmi_blocked = false;
	return THERE;
}

EXEC(iret)
{
	UNUSED(i), UNUSED(out);
	return iret_to(f, false);
}

EXEC(iret_next)
{
	UNUSED(i), UNUSED(out);
	return iret_to(f, true);
}

EXEC(jmp)
{
	UNUSED(out);
	f->rip = fake_label(f, i->a);
	return THERE;
}

EXEC(loop)
{
	UNUSED(out);
	if (--f->v->regs.gpr[RCX] == 0)
		return NEXT;
	f->rip = fake_label(f, i->a);
	return THERE;
}

EXEC(int)
{
	return raise(f, EVENT_SOFT, (uint8_t)i->a, 0, next_rip(f), out);
}

EXEC(fault)
{
	if (i->a == VEC_PF)
		f->cr2 = i->b;
	return raise(f, EVENT_EXCEPTION, (uint8_t)i->a, (uint32_t)i->val, f->rip, out);
}

EXEC(hlt)
{
	UNUSED(i);
	return exit_as(f, out, HVM_EXIT_HLT);
}

static enum result port(struct fake_cpu *f, const struct fake_insn *i, struct hvm_exit *out, bool in, bool string)
{
	exit_as(f, out, HVM_EXIT_IO);
	out->insn_len = len_at(f, f->rip); /* every CPU gives this one */
	out->io.port = (uint16_t)i->a;
	out->io.size = (uint8_t)i->val;
	out->io.in = in;
	out->io.string = string;
	if (string)
		f->v->regs.gpr[RDX] = i->a; /* as if the program had loaded it */
	return EXIT;
}

EXEC(in) { return port(f, i, out, true, false); }
EXEC(out) { return port(f, i, out, false, false); }
EXEC(ins) { return port(f, i, out, true, true); }
EXEC(outs) { return port(f, i, out, false, true); }

EXEC(cpuid)
{
	UNUSED(i);
	return exit_as(f, out, HVM_EXIT_CPUID);
}

/* `fault`: how the access exits where it is not virtualized. */
static enum result apic_access(struct fake_cpu *f, enum fake_apic how, enum hvm_exit_kind fault, struct hvm_exit *out)
{
	switch (how) {
	case FAKE_APIC_DONE:
		return NEXT;
	case FAKE_APIC_EXITS:
		return exit_behind(out);
	case FAKE_APIC_GP:
		return raise(f, EVENT_EXCEPTION, VEC_GP, 0, f->rip, out);
	case FAKE_APIC_FAULTS:
		break;
	}
	return exit_as(f, out, fault);
}

EXEC(rdmsr)
{
	uint64_t *gpr = f->v->regs.gpr, val;
	enum fake_apic how = FAKE_APIC_FAULTS;

	UNUSED(i);
	if (is_x2apic(f, (uint32_t)gpr[RCX]))
		how = fake_vid_rdmsr(f, (uint32_t)gpr[RCX], &val);
	if (how == FAKE_APIC_DONE) {
		gpr[RAX] = (uint32_t)val;
		gpr[RDX] = val >> 32;
	}
	return apic_access(f, how, HVM_EXIT_RDMSR, out);
}

EXEC(wrmsr)
{
	const uint64_t *gpr = f->v->regs.gpr;
	uint64_t val = gpr[RDX] << 32 | (uint32_t)gpr[RAX];
	enum fake_apic how = FAKE_APIC_FAULTS;

	UNUSED(i);
	if (is_x2apic(f, (uint32_t)gpr[RCX]))
		how = fake_vid_wrmsr(f, (uint32_t)gpr[RCX], val, out);
	return apic_access(f, how, HVM_EXIT_WRMSR, out);
}

/* A threshold of 0 keeps CR8 from exiting, on a CPU without all of TPR only if TPR[3:0] is 0. With virtual-interrupt delivery
 * there is no threshold. */
static bool cr8_write_exits(const struct fake_cpu *f)
{
	if (f->quirks.cr8_always)
		return true;
	return f->vid == HVM_VID_OFF && !f->quirks.tpr_traps && (f->tpr_threshold || GET_FIELD(3, 0, f->tpr));
}

EXEC(mov_cr8)
{
	uint64_t cr8 = f->v->regs.gpr[RAX];

	UNUSED(i);
	if (cr8_write_exits(f))
		return exit_as(f, out, HVM_EXIT_CR_WRITE);
	if (cr8 > CR8_MAX)
		return raise(f, EVENT_EXCEPTION, VEC_GP, 0, f->rip, out);
	if (f->vid != HVM_VID_OFF) {
		fake_vid_mov_cr8(f, (uint8_t)cr8);
		return NEXT;
	}
	f->tpr = (uint8_t)(cr8 << 4);
	if (cr8 >= f->tpr_threshold)
		return NEXT;
	out->kind = HVM_EXIT_TPR;
	return exit_behind(out);
}

EXEC(mov_cr4)
{
	UNUSED(i);
	return exit_as(f, out, HVM_EXIT_CR_WRITE);
}

/* The forms of MOV that the tests use: MOV [RBX], imm32; MOV [RBX], EAX; MOV EAX, [RBX]. */
static enum fake_apic mem_apic(struct fake_cpu *f, const struct fake_insn *i, struct hvm_exit *out)
{
	const uint8_t store_imm[] = { 0xc7, 0x03 }, store[] = { 0x89, 0x03 }, load[] = { 0x8b, 0x03 };
	uint32_t offset = (uint32_t)(i->val & PAGE_MASK), val;
	enum fake_apic how = FAKE_APIC_FAULTS;

	if (i->nbytes == sizeof(store_imm) + sizeof(val) && !memcmp(i->bytes, store_imm, sizeof(store_imm))) {
		memcpy(&val, i->bytes + sizeof(store_imm), sizeof(val));
		how = fake_vid_write(f, offset, val, out);
	} else if (i->nbytes == sizeof(store) && !memcmp(i->bytes, store, sizeof(store))) {
		how = fake_vid_write(f, offset, (uint32_t)f->v->regs.gpr[RAX], out);
	} else if (i->nbytes == sizeof(load) && !memcmp(i->bytes, load, sizeof(load))) {
		how = fake_vid_read(f, offset, &val);
		if (how == FAKE_APIC_DONE)
			f->v->regs.gpr[RAX] = val;
	}
	return how;
}

/* Each access to memory that is mapped runs natively and changes nothing, except in the APIC page. */
EXEC(mem)
{
	enum fake_apic how = FAKE_APIC_FAULTS;

	f->v->regs.gpr[RBX] = i->val; /* the bytes name [RBX] */
	if (f->vid == HVM_VID_XAPIC && (i->val & ~PAGE_MASK) == APIC_DEFAULT_PHYS)
		how = mem_apic(f, i, out);
	if (how != FAKE_APIC_FAULTS)
		return apic_access(f, how, HVM_EXIT_NPF, out);
	return nested_fault(f, GPA(i->val), i->b, false, out) ? EXIT : NEXT;
}

EXEC(fetch)
{
	return nested_fault(f, GPA(i->val), false, true, out) ? EXIT : NEXT;
}

EXEC(vmcall)
{
	UNUSED(i);
	return exit_as(f, out, HVM_EXIT_UD);
}

EXEC(rdpmc)
{
	UNUSED(i);
	return exit_as(f, out, HVM_EXIT_GP);
}

EXEC(wbinvd)
{
	UNUSED(i);
	return exit_as(f, out, HVM_EXIT_NOP);
}

EXEC(caught)
{
	exit_as(f, out, HVM_EXIT_EXCEPTION);
	out->event = (struct event){ .type = EVENT_EXCEPTION, .vector = (uint8_t)i->a, .error = (uint32_t)i->val };
	out->event.has_error = pushes_error(&out->event);
	return EXIT;
}

EXEC(shutdown)
{
	UNUSED(i);
	return exit_as(f, out, HVM_EXIT_SHUTDOWN);
}

EXEC(strange)
{
	UNUSED(i);
	return exit_as(f, out, HVM_EXIT_UNKNOWN);
}

static exec_fn *const exec[FAKE_OPS] = {
	[FAKE_NOP] = exec_nop,             [FAKE_STI] = exec_sti,             [FAKE_CLI] = exec_cli,
	[FAKE_MOV_SS] = exec_mov_ss,       [FAKE_MOV] = exec_mov,             [FAKE_POPF] = exec_popf,
	[FAKE_IRET] = exec_iret,           [FAKE_IRET_NEXT] = exec_iret_next, [FAKE_JMP] = exec_jmp,
	[FAKE_LOOP] = exec_loop,           [FAKE_INT] = exec_int,             [FAKE_FAULT] = exec_fault,
	[FAKE_HLT] = exec_hlt,             [FAKE_IN] = exec_in,               [FAKE_OUT] = exec_out,
	[FAKE_INS] = exec_ins,             [FAKE_OUTS] = exec_outs,           [FAKE_CPUID] = exec_cpuid,
	[FAKE_RDMSR] = exec_rdmsr,         [FAKE_WRMSR] = exec_wrmsr,         [FAKE_MOV_CR8] = exec_mov_cr8,
	[FAKE_MOV_CR4] = exec_mov_cr4,     [FAKE_MEM] = exec_mem,             [FAKE_FETCH] = exec_fetch,
	[FAKE_VMCALL] = exec_vmcall,       [FAKE_RDPMC] = exec_rdpmc,         [FAKE_WBINVD] = exec_wbinvd,
	[FAKE_INVD] = exec_wbinvd,         [FAKE_CAUGHT] = exec_caught,       [FAKE_SHUTDOWN] = exec_shutdown,
	[FAKE_STRANGE] = exec_strange,
};

/* SDM v3, "Single-Step Exception Condition"; "Masking Exceptions and Interrupts When Switching Stacks": MOV SS holds the
 * trap off until after the next instruction. An instruction that ended in a handler of its own owes none. */
static bool single_step(struct fake_cpu *f, struct hvm_exit *out)
{
	if (f->shadow == SHADOW_MOV_SS)
		return false;
	f->dr6 |= DR6_BS;
	return raise(f, EVENT_EXCEPTION, VEC_DB, 0, f->rip, out) == EXIT;
}

bool fake_pending_db(struct fake_cpu *f, struct hvm_exit *out)
{
	bool due = f->pending_db;

	f->pending_db = false;
	return due && single_step(f, out);
}

bool fake_step(struct fake_cpu *f, struct hvm_exit *out)
{
	uint16_t at = f->rip - FAKE_CODE < FAKE_CODE_SIZE ? f->at[f->rip - FAKE_CODE] : 0;
	enum fake_shadow before = f->shadow;
	bool tf = f->rflags & RFLAGS_TF;
	unsigned depth = f->depth;
	enum result r;

	if (!at) {
		fake_violation(f, "RIP is not at an instruction");
		out->kind = HVM_EXIT_SHUTDOWN;
		return true;
	}
	if (nested_fault(f, GPA(f->rip), false, true, out))
		return true;
	f->shadow = SHADOW_NONE;
	r = exec[f->code[at - 1].op](f, &f->code[at - 1], out);
	if (r == EXIT) {
		f->shadow = before; /* the instruction has not run */
		return true;
	}
	if (r == NEXT || r == EXIT_BEHIND) {
		f->rip += f->len[f->rip - FAKE_CODE];
		f->rflags &= ~RFLAGS_RF;
	}
	if (r == EXIT_BEHIND) {
		f->pending_db = tf;
		return true;
	}
	return tf && f->depth <= depth && single_step(f, out);
}
