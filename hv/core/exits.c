/* SPDX-License-Identifier: BSD-2-Clause
 * What each exit means: done here, or handed to the user half and finished when it comes back.
 * Knows nothing of injection, and nothing of devices. */
#include "core/cr.h"
#include "core/task.h"
#include "core/vcpu.h"

#include "x86.h"

#define CR_3_NUMBER 3
#define CR_4_NUMBER 4
#define CR_8 8
#define CR8_MAX 15
#define LOW32(x) ((uint32_t)(x))

bool vcpu_internal_error(struct vcpu *v, enum vcpu_suberror why, uint64_t a, uint64_t b)
{
	v->run.internal.suberror = why;
	v->run.internal.data[0] = a;
	v->run.internal.data[1] = b;
	return vcpu_exit_to_user(v, VCPU_EXIT_INTERNAL_ERROR);
}

static uint64_t gpr_get(const struct vcpu *v, uint8_t reg)
{
	return reg == RSP ? v->ops->get(v, HVM_RSP) : v->regs.gpr[reg];
}

/* Length of the instruction that exited, decoded where the CPU does not say. */
static uint8_t insn_len(struct vcpu *v, const struct hvm_exit *x)
{
	const uint8_t two_bytes = 2;

	if (x->insn_len)
		return x->insn_len;
	/* the CPU decoded it: only its bytes have changed since */
	return vcpu_decode(v) ? two_bytes : v->emu.insn.len;
}

static bool exit_hlt(struct vcpu *v, const struct hvm_exit *x)
{
	vcpu_skip(v, insn_len(v, x), 0);
	v->stats.halts++;
	if (v->mode == IRQCHIP_USER)
		return vcpu_exit_to_user(v, VCPU_EXIT_HLT);
	v->halted = true;
	return false;
}

static bool exit_nop(struct vcpu *v, const struct hvm_exit *x)
{
	vcpu_skip(v, insn_len(v, x), 0);
	return false;
}

static bool exit_cpuid(struct vcpu *v, const struct hvm_exit *x)
{
	uint32_t out[4];

	vcpu_cpuid(v, LOW32(v->regs.gpr[RAX]), LOW32(v->regs.gpr[RCX]), out);
	v->regs.gpr[RAX] = out[0];
	v->regs.gpr[RBX] = out[1];
	v->regs.gpr[RCX] = out[2];
	v->regs.gpr[RDX] = out[3];
	vcpu_skip(v, insn_len(v, x), 0);
	return false;
}

static void set_edx_eax(struct vcpu *v, uint64_t val)
{
	v->regs.gpr[RAX] = LOW32(val);
	v->regs.gpr[RDX] = val >> 32;
}

static bool msr_to_user(struct vcpu *v, enum pending_op op, uint8_t len, uint64_t val)
{
	vcpu_leave_open(v, op);
	v->io.insn_len = len;
	v->run.msr.index = LOW32(v->regs.gpr[RCX]);
	v->run.msr.error = 0;
	v->run.msr.data = val;
	return vcpu_exit_to_user(v, op == OP_RDMSR ? VCPU_EXIT_RDMSR : VCPU_EXIT_WRMSR);
}

static bool exit_rdmsr(struct vcpu *v, const struct hvm_exit *x)
{
	uint64_t val = 0;
	uint8_t len = insn_len(v, x);
	int r = vcpu_read_msr(v, LOW32(v->regs.gpr[RCX]), &val);

	trace_add(v->trace, TRACE_kvm_msr, v->regs.gpr[RCX], val);
	if (r == E_NXIO)
		return msr_to_user(v, OP_RDMSR, len, 0);
	if (r) {
		vcpu_queue_gp(v);
		return false;
	}
	set_edx_eax(v, val);
	vcpu_skip(v, len, 0);
	return false;
}

static bool exit_wrmsr(struct vcpu *v, const struct hvm_exit *x)
{
	uint64_t val = (uint64_t)LOW32(v->regs.gpr[RDX]) << 32 | LOW32(v->regs.gpr[RAX]);
	uint8_t len = insn_len(v, x);
	int r = vcpu_write_msr(v, LOW32(v->regs.gpr[RCX]), val);

	trace_add(v->trace, TRACE_kvm_msr, v->regs.gpr[RCX], val);
	if (r == E_NXIO)
		return msr_to_user(v, OP_WRMSR, len, val);
	if (r)
		vcpu_queue_gp(v);
	else
		vcpu_skip(v, len, 0);
	return false;
}

static bool write_cr8(struct vcpu *v, uint64_t val, uint8_t len)
{
	uint8_t before;

	if (val > CR8_MAX) {
		vcpu_queue_gp(v);
		return false;
	}
	vcpu_skip(v, len, 0);
	if (v->mode == IRQCHIP_SPLIT) {
		lapic_set_cr8(&v->lapic, (uint8_t)val);
		return false;
	}
	before = (uint8_t)v->run.cr8;
	v->run.cr8 = val;
	return val < before && vcpu_exit_to_user(v, VCPU_EXIT_SET_TPR);
}

static bool done_or_gp(struct vcpu *v, bool done, uint8_t len)
{
	if (done)
		vcpu_skip(v, len, 0);
	else
		vcpu_queue_gp(v);
	return false;
}

static bool exit_cr_write(struct vcpu *v, const struct hvm_exit *x)
{
	static const enum cr which[] = { [0] = CR_0, [3] = CR_3, [4] = CR_4 };
	enum cs_mode mode = (enum cs_mode)v->ops->get(v, HVM_CS_MODE);
	const struct insn *i = &v->emu.insn;
	uint64_t val;
	uint8_t cr;

	if (vcpu_decode(v))
		return vcpu_internal_error(v, VCPU_ERROR_EMULATION, v->ops->get(v, HVM_RIP), x->vendor_code);
	if (i->op == INSN_LMSW && i->src.kind == OPERAND_REG)
		return done_or_gp(v, vcpu_lmsw(v, gpr_get(v, i->src.reg)), i->len);
	cr = i->dst.reg;
	if (i->op != INSN_MOV_TO_CR || (cr != 0 && cr != CR_3_NUMBER && cr != CR_4_NUMBER && cr != CR_8))
		return vcpu_internal_error(v, VCPU_ERROR_EMULATION, v->ops->get(v, HVM_RIP), x->vendor_code);
	val = gpr_get(v, i->src.reg);
	if (mode != CS_64)
		val = LOW32(val);
	if (cr == CR_8)
		return write_cr8(v, val, i->len);
	return done_or_gp(v, vcpu_write_cr(v, which[cr], val), i->len);
}

/* SDM v2, "XSETBV": #UD "If CR4.OSXSAVE[bit 18] = 0", #GP "If the current privilege level is not 0". */
static bool exit_xsetbv(struct vcpu *v, const struct hvm_exit *x)
{
	uint64_t val = (uint64_t)LOW32(v->regs.gpr[RDX]) << 32 | LOW32(v->regs.gpr[RAX]);
	bool is_xcr0 = LOW32(v->regs.gpr[RCX]) == 0;

	if (!(v->ops->get(v, HVM_CR4) & CR4_OSXSAVE)) {
		vcpu_queue_exception(v, VEC_UD, false, 0);
		return false;
	}
	return done_or_gp(v, is_xcr0 && !v->ops->get(v, HVM_CPL) && vcpu_write_xcr0(v, val), insn_len(v, x));
}

/* ---- port I/O ---- */

static bool exit_io(struct vcpu *v, const struct hvm_exit *x)
{
	if (x->io.string)
		return vcpu_emulate(v, NO_GPA, false);
	v->run.io.port = x->io.port;
	v->run.io.size = x->io.size;
	v->run.io.direction = x->io.in ? VCPU_IO_IN : VCPU_IO_OUT;
	if (x->io.in)
		vcpu_leave_open(v, OP_IN);
	v->run.io.data = LOW32(v->regs.gpr[RAX]) & (uint32_t)(BIT64(x->io.size * 8) - 1);
	vcpu_skip(v, x->insn_len, vcpu_breakpoints(v, DEBUG_IO, x->io.port, x->io.size));
	trace_add(v->trace, TRACE_kvm_pio, x->io.port, v->run.io.data);
	return vcpu_exit_to_user(v, VCPU_EXIT_IO);
}

/* A 32-bit IN clears the upper half of RAX, narrower ones leave the rest. */
static void complete_in(struct vcpu *v)
{
	uint8_t size = v->run.io.size;
	uint64_t mask = BIT64(size * 8) - 1, data = v->run.io.data & mask;

	v->regs.gpr[RAX] = size == sizeof(uint32_t) ? data : (v->regs.gpr[RAX] & ~mask) | data;
	trace_add(v->trace, TRACE_kvm_pio, v->run.io.port, data);
}

/* ---- memory ---- */

static bool exit_npf(struct vcpu *v, const struct hvm_exit *x)
{
	uint64_t page = x->npf.gpa.v & ~PAGE_MASK;
	uint8_t *ram = ram_at(&v->ram, GPA(page), PAGE_SIZE);

	if (ram) {
		v->stats.delivery_faults += x->vectoring.type != EVENT_NONE;
		if (v->ops->map(v, GPA(page), HPA((uintptr_t)ram)) == 0)
			return false;
		return vcpu_internal_error(v, VCPU_ERROR_EXIT, x->vendor_code, page);
	}
	if (x->vectoring.type != EVENT_NONE)
		return vcpu_internal_error(v, VCPU_ERROR_DELIVERY, x->npf.gpa.v, x->vectoring.vector);
	if (x->npf.fetch || x->npf.walk)
		return vcpu_internal_error(v, VCPU_ERROR_FETCH, x->npf.gpa.v, v->ops->get(v, HVM_RIP));
	return vcpu_emulate(v, x->npf.gpa.v, x->npf.write);
}

static bool exit_exception(struct vcpu *v, const struct hvm_exit *x)
{
	vcpu_queue_exception(v, x->event.vector, x->event.has_error, x->event.error);
	return false;
}

bool vcpu_handle_exit(struct vcpu *v, const struct hvm_exit *x)
{
	switch (x->kind) {
	case HVM_EXIT_INTR:
		v->stats.preempt_exits++;
		return false;
	case HVM_EXIT_WINDOW:
		v->stats.window_exits++;
		return false;
	case HVM_EXIT_NONE:
	case HVM_EXIT_NMI_WINDOW:
		return false;
	case HVM_EXIT_HLT:
		return exit_hlt(v, x);
	case HVM_EXIT_IO:
		return exit_io(v, x);
	case HVM_EXIT_CPUID:
		return exit_cpuid(v, x);
	case HVM_EXIT_RDMSR:
		return exit_rdmsr(v, x);
	case HVM_EXIT_WRMSR:
		return exit_wrmsr(v, x);
	case HVM_EXIT_CR_WRITE:
		return exit_cr_write(v, x);
	case HVM_EXIT_XSETBV:
		return exit_xsetbv(v, x);
	case HVM_EXIT_TPR:
		return v->mode == IRQCHIP_USER && vcpu_exit_to_user(v, VCPU_EXIT_SET_TPR);
	case HVM_EXIT_EOI:
		lapic_eoi_virtualized(&v->lapic, x->eoi_vector);
		return false;
	case HVM_EXIT_APIC_WRITE:
		lapic_written(&v->lapic, x->apic_offset, v->now);
		return false;
	case HVM_EXIT_NPF:
		return exit_npf(v, x);
	case HVM_EXIT_UD:
		vcpu_queue_exception(v, VEC_UD, false, 0);
		return false;
	case HVM_EXIT_GP:
		vcpu_queue_gp(v);
		return false;
	case HVM_EXIT_NOP:
		return exit_nop(v, x);
	case HVM_EXIT_EXCEPTION:
		return exit_exception(v, x);
	case HVM_EXIT_TASK:
		return vcpu_switch_task(v, &x->task);
	case HVM_EXIT_SHUTDOWN:
		return vcpu_exit_to_user(v, VCPU_EXIT_SHUTDOWN);
	case HVM_EXIT_FAIL_ENTRY:
		v->run.fail_entry.hardware_entry_failure_reason = x->vendor_info[0];
		return vcpu_exit_to_user(v, VCPU_EXIT_FAIL_ENTRY);
	case HVM_EXIT_UNKNOWN:
	case HVM_EXITS:
		break;
	}
	return vcpu_internal_error(v, VCPU_ERROR_EXIT, x->vendor_code, x->vendor_info[0]);
}

bool vcpu_complete_io(struct vcpu *v)
{
	enum pending_op op = v->io.op;

	v->io.op = OP_NONE;
	switch (op) {
	case OP_IN:
		complete_in(v);
		return false;
	case OP_EMULATE:
		return vcpu_emulate_more(v);
	case OP_RDMSR:
	case OP_WRMSR:
		if (v->run.msr.error) {
			vcpu_queue_gp(v);
			return false;
		}
		if (op == OP_RDMSR)
			set_edx_eax(v, v->run.msr.data);
		vcpu_skip(v, v->io.insn_len, 0);
		return false;
	case OP_NONE:
		break;
	}
	return false;
}
