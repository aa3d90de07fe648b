/* SPDX-License-Identifier: BSD-2-Clause
 * What each exit means: done here, or handed to the user half and finished when it comes back.
 * Knows nothing of injection, and of devices only the local APIC's page. */
#include "core/vcpu.h"

#include <string.h>

#include "x86.h"

#define OPCODE_CPUID 0x0fa2
#define OPCODE_HLT 0x00f4
#define OPCODE_RDMSR 0x0f32
#define OPCODE_WRMSR 0x0f30
#define OPCODE_INVD 0x0f08
#define OPCODE_WBINVD 0x0f09
#define CR_4 4
#define CR_8 8
#define CR8_MAX 15
#define LOW32(x) ((uint32_t)(x))

static bool internal_error(struct vcpu *v, enum vcpu_suberror why, uint64_t a, uint64_t b)
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

/* SDM v3, "Single-Step Exception Condition": with TF set a single-step exception is due, "generated after the instruction is
 * executed", emulated or not. */
void vcpu_skip(struct vcpu *v, uint8_t len)
{
	v->ops->skip(v, len);
	if (v->ops->get(v, HVM_RFLAGS) & RFLAGS_TF) {
		vcpu_queue_exception(v, VEC_DB, false, 0);
		v->ev.exc.dr6 = DR6_BS;
	}
}

/* In 64-bit mode CS has no base, whatever its hidden part holds. */
static size_t fetch_insn(struct vcpu *v, uint8_t insn[INSN_MAX])
{
	uint64_t rip = v->ops->get(v, HVM_RIP);

	if (v->ops->get(v, HVM_CS_MODE) == CS_64)
		return vcpu_fetch(v, rip, insn, INSN_MAX);
	return vcpu_fetch(v, LOW32(rip + v->ops->get(v, HVM_CS_BASE)), insn, INSN_MAX);
}

/* Length of the instruction that exited, decoded where the CPU does not say. */
static uint8_t insn_len(struct vcpu *v, const struct hvm_exit *x, uint16_t opcode)
{
	uint8_t insn[INSN_MAX];
	uint8_t len = x->insn_len;
	const uint8_t two_bytes = 2;

	if (!len)
		len = insn_simple_len(insn, fetch_insn(v, insn), opcode);
	return len ? len : two_bytes; /* the CPU decoded it: only its bytes have changed since */
}

static bool exit_hlt(struct vcpu *v, const struct hvm_exit *x)
{
	vcpu_skip(v, insn_len(v, x, OPCODE_HLT));
	v->stats.halts++;
	if (v->mode == IRQCHIP_USER)
		return vcpu_exit_to_user(v, VCPU_EXIT_HLT);
	v->halted = true;
	return false;
}

static bool exit_nop(struct vcpu *v, const struct hvm_exit *x)
{
	uint8_t insn[INSN_MAX];
	bool invd = insn_simple_len(insn, fetch_insn(v, insn), OPCODE_INVD);

	vcpu_skip(v, insn_len(v, x, invd ? OPCODE_INVD : OPCODE_WBINVD));
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
	vcpu_skip(v, insn_len(v, x, OPCODE_CPUID));
	return false;
}

static void set_edx_eax(struct vcpu *v, uint64_t val)
{
	v->regs.gpr[RAX] = LOW32(val);
	v->regs.gpr[RDX] = val >> 32;
}

static bool msr_to_user(struct vcpu *v, enum pending_op op, uint8_t len, uint64_t val)
{
	v->io.op = op;
	v->io.insn_len = len;
	v->run.msr.index = LOW32(v->regs.gpr[RCX]);
	v->run.msr.error = 0;
	v->run.msr.data = val;
	return vcpu_exit_to_user(v, op == OP_RDMSR ? VCPU_EXIT_RDMSR : VCPU_EXIT_WRMSR);
}

static bool exit_rdmsr(struct vcpu *v, const struct hvm_exit *x)
{
	uint64_t val = 0;
	uint8_t len = insn_len(v, x, OPCODE_RDMSR);
	int r = vcpu_read_msr(v, LOW32(v->regs.gpr[RCX]), &val);

	trace_add(v->trace, TRACE_kvm_msr, v->regs.gpr[RCX], val);
	if (r == E_NXIO)
		return msr_to_user(v, OP_RDMSR, len, 0);
	if (r) {
		vcpu_queue_gp(v);
		return false;
	}
	set_edx_eax(v, val);
	vcpu_skip(v, len);
	return false;
}

static bool exit_wrmsr(struct vcpu *v, const struct hvm_exit *x)
{
	uint64_t val = (uint64_t)LOW32(v->regs.gpr[RDX]) << 32 | LOW32(v->regs.gpr[RAX]);
	uint8_t len = insn_len(v, x, OPCODE_WRMSR);
	int r = vcpu_write_msr(v, LOW32(v->regs.gpr[RCX]), val);

	trace_add(v->trace, TRACE_kvm_msr, v->regs.gpr[RCX], val);
	if (r == E_NXIO)
		return msr_to_user(v, OP_WRMSR, len, val);
	if (r)
		vcpu_queue_gp(v);
	else
		vcpu_skip(v, len);
	return false;
}

static bool write_cr8(struct vcpu *v, uint64_t val, uint8_t len)
{
	uint8_t before;

	if (val > CR8_MAX) {
		vcpu_queue_gp(v);
		return false;
	}
	vcpu_skip(v, len);
	if (v->mode == IRQCHIP_SPLIT) {
		lapic_set_cr8(&v->lapic, (uint8_t)val);
		return false;
	}
	before = (uint8_t)v->run.cr8;
	v->run.cr8 = val;
	return val < before && vcpu_exit_to_user(v, VCPU_EXIT_SET_TPR);
}

/* SDM v2, "MOV-Move to/from Control Registers": #GP "If an attempt is made to write a 1 to any reserved bit in CR4";
 * "If an attempt is made to leave IA-32e mode by clearing CR4.PAE". */
static void write_cr4(struct vcpu *v, uint64_t val, uint8_t len)
{
	bool leaves_long = (v->ops->get(v, HVM_EFER) & EFER_LMA) && !(val & CR4_PAE);

	if ((val & ~v->cr4_allowed) || leaves_long) {
		vcpu_queue_gp(v);
		return;
	}
	v->ops->set(v, HVM_CR4, val);
	vcpu_skip(v, len);
}

static bool exit_cr_write(struct vcpu *v, const struct hvm_exit *x)
{
	enum cs_mode mode = (enum cs_mode)v->ops->get(v, HVM_CS_MODE);
	uint8_t insn[INSN_MAX], cr, reg, len;
	uint64_t val;

	len = insn_mov_to_cr(insn, fetch_insn(v, insn), mode, &cr, &reg);
	if (!len || (cr != CR_4 && cr != CR_8))
		return internal_error(v, VCPU_ERROR_EMULATION, v->ops->get(v, HVM_RIP), x->vendor_code);
	val = gpr_get(v, reg);
	if (mode != CS_64)
		val = LOW32(val);
	if (cr == CR_8)
		return write_cr8(v, val, len);
	write_cr4(v, val, len);
	return false;
}

/* ---- port I/O ---- */

static uint64_t string_addr(const struct vcpu *v, bool in, uint8_t addr_bytes)
{
	uint64_t offset = v->regs.gpr[in ? RDI : RSI];
	uint64_t base = v->ops->get(v, in ? HVM_ES_BASE : HVM_DS_BASE);

	if (addr_bytes == sizeof(uint16_t))
		offset = (uint16_t)offset;
	else if (addr_bytes == sizeof(uint32_t))
		offset = LOW32(offset);
	if (v->ops->get(v, HVM_CS_MODE) == CS_64)
		return offset;
	return LOW32(base + offset);
}

static void queue_page_fault(struct vcpu *v, uint64_t linear, uint32_t error)
{
	vcpu_queue_exception(v, VEC_PF, true, error);
	v->ops->set(v, HVM_CR2, linear);
}

/* The memory side of one INS or OUTS element: RAM only. NULL after a #PF was queued or the run must end. */
static void *string_memory(struct vcpu *v, bool in, uint8_t size, bool *to_user)
{
	uint64_t linear = string_addr(v, in, v->io.string_bytes);
	gpa_t gpa;
	void *p;

	*to_user = false;
	if (vcpu_translate(v, linear, &gpa)) {
		queue_page_fault(v, linear, in ? PF_ERR_W : 0);
		return NULL;
	}
	p = (gpa.v & PAGE_MASK) + size > PAGE_SIZE ? NULL : ram_at(&v->ram, gpa, size);
	if (!p)
		*to_user = internal_error(v, VCPU_ERROR_EMULATION, gpa.v, 0);
	return p;
}

static uint64_t addr_mask(uint8_t addr_bytes)
{
	return addr_bytes == sizeof(uint64_t) ? UINT64_MAX : BIT64(addr_bytes * 8) - 1;
}

static void move_counter(uint64_t *reg, uint8_t addr_bytes, int64_t by)
{
	uint64_t mask = addr_mask(addr_bytes);
	uint64_t val = (*reg + (uint64_t)by) & mask;

	/* A 32-bit result clears the upper half, a 16-bit one leaves it. */
	*reg = addr_bytes == sizeof(uint16_t) ? (*reg & ~mask) | val : val;
}

/* One element is done: pointer, counter, and RIP when it was the last. */
static void string_step(struct vcpu *v, bool in, uint8_t size)
{
	bool down = v->ops->get(v, HVM_RFLAGS) & RFLAGS_DF;

	move_counter(&v->regs.gpr[in ? RDI : RSI], v->io.string_bytes, down ? -(int64_t)size : size);
	if (v->io.rep) {
		move_counter(&v->regs.gpr[RCX], v->io.string_bytes, -1);
		if (v->regs.gpr[RCX] & addr_mask(v->io.string_bytes))
			return;
	}
	vcpu_skip(v, v->io.insn_len);
}

static bool exit_string_io(struct vcpu *v, const struct hvm_exit *x)
{
	bool to_user;
	void *p;

	v->io.insn_len = x->insn_len;
	v->io.rep = x->io.rep;
	v->io.string_bytes = x->io.addr_bytes;
	/* SDM v2, "REP": the count is tested before the first iteration; some CPUs exit even so. */
	if (x->io.rep && !(v->regs.gpr[RCX] & addr_mask(x->io.addr_bytes))) {
		vcpu_skip(v, x->insn_len);
		return false;
	}
	p = string_memory(v, x->io.in, x->io.size, &to_user);
	if (!p)
		return to_user;
	v->run.io.data = 0;
	if (!x->io.in) {
		memcpy(&v->run.io.data, p, x->io.size);
		string_step(v, false, x->io.size);
	} else {
		v->io.op = OP_IO_IN;
	}
	return vcpu_exit_to_user(v, VCPU_EXIT_IO);
}

static bool exit_io(struct vcpu *v, const struct hvm_exit *x)
{
	v->run.io.port = x->io.port;
	v->run.io.size = x->io.size;
	v->run.io.direction = x->io.in ? VCPU_IO_IN : VCPU_IO_OUT;
	v->io.string_bytes = 0;
	if (x->io.string)
		return exit_string_io(v, x);
	if (x->io.in)
		v->io.op = OP_IO_IN;
	v->run.io.data = LOW32(v->regs.gpr[RAX]) & (uint32_t)(BIT64(x->io.size * 8) - 1);
	vcpu_skip(v, x->insn_len);
	trace_add(v->trace, TRACE_kvm_pio, x->io.port, v->run.io.data);
	return vcpu_exit_to_user(v, VCPU_EXIT_IO);
}

static bool complete_in(struct vcpu *v)
{
	uint8_t size = v->run.io.size;
	uint64_t mask = BIT64(size * 8) - 1;
	uint64_t data = v->run.io.data & mask;
	bool to_user;
	void *p;

	if (!v->io.string_bytes) {
		/* A 32-bit IN clears the upper half of RAX, narrower ones leave the rest. */
		v->regs.gpr[RAX] = size == sizeof(uint32_t) ? data : (v->regs.gpr[RAX] & ~mask) | data;
		return false;
	}
	p = string_memory(v, true, size, &to_user);
	if (!p)
		return to_user;
	memcpy(p, &data, size);
	string_step(v, true, size);
	return false;
}

/* ---- memory-mapped I/O ---- */

static bool is_apic_page(const struct vcpu *v, gpa_t gpa)
{
	return v->mode == IRQCHIP_SPLIT && (v->lapic.base & APIC_BASE_EN) && !(v->lapic.base & APIC_BASE_EXTD) &&
	       (gpa.v & ~PAGE_MASK) == (v->lapic.base & APIC_BASE_ADDR);
}

static uint64_t apic_read(struct vcpu *v, uint64_t gpa, uint8_t size)
{
	uint64_t val = lapic_read(&v->lapic, (uint32_t)(gpa & PAGE_MASK & ~MASK(1, 0)), v->now);

	val >>= (gpa & MASK(1, 0)) * 8;
	return size < sizeof(uint32_t) ? val & (BIT64(size * 8) - 1) : val;
}

/* SDM v3, "The Local APIC Block Diagram": registers "should be accessed using 128-bit aligned 32-bit loads or stores"; others
 * are dropped. */
static void apic_write(struct vcpu *v, uint64_t gpa, uint64_t val, uint8_t size)
{
	if (size == sizeof(uint32_t) && !(gpa & MASK(3, 0)))
		lapic_write(&v->lapic, (uint32_t)(gpa & PAGE_MASK), LOW32(val), v->now);
}

static bool mmio_to_user(struct vcpu *v, gpa_t gpa, uint64_t val, bool write)
{
	v->run.mmio.phys_addr = gpa.v;
	v->run.mmio.len = v->io.mmio.size;
	v->run.mmio.is_write = write;
	memcpy(v->run.mmio.data, &val, sizeof(val));
	trace_add(v->trace, TRACE_kvm_mmio, gpa.v, val);
	return vcpu_exit_to_user(v, VCPU_EXIT_MMIO);
}

static void finish_insn(struct vcpu *v)
{
	if (!mmio_finish_string(&v->io.mmio, &v->regs, v->ops->get(v, HVM_RFLAGS)))
		vcpu_skip(v, v->io.mmio.len);
}

static bool mmio_store(struct vcpu *v, gpa_t gpa)
{
	uint64_t val = mmio_store_value(&v->io.mmio, &v->regs, v->ops->get(v, HVM_RSP));

	finish_insn(v);
	if (!is_apic_page(v, gpa))
		return mmio_to_user(v, gpa, val, true);
	apic_write(v, gpa.v, val, v->io.mmio.size);
	return false;
}

/* The read half is in: registers and flags change, then the write half if there is one. */
static bool mmio_loaded(struct vcpu *v, gpa_t gpa, uint64_t val)
{
	uint64_t rsp = v->ops->get(v, HVM_RSP), rsp_was = rsp;
	uint64_t rflags = v->ops->get(v, HVM_RFLAGS), rflags_was = rflags;
	struct mmio_op *op = &v->io.mmio;
	uint64_t store = 0;

	mmio_finish_read(op, val, &v->regs, &rsp, &rflags);
	if (mmio_writes(op))
		store = mmio_store_value(op, &v->regs, rsp);
	if (rsp != rsp_was)
		v->ops->set(v, HVM_RSP, rsp);
	if (rflags != rflags_was)
		v->ops->set(v, HVM_RFLAGS, rflags);
	finish_insn(v);
	if (!mmio_writes(op))
		return false;
	if (!is_apic_page(v, gpa))
		return mmio_to_user(v, gpa, store, true);
	apic_write(v, gpa.v, store, op->size);
	return false;
}

static bool emulate_mmio(struct vcpu *v, const struct hvm_exit *x)
{
	uint8_t insn[INSN_MAX];
	size_t avail = fetch_insn(v, insn);

	if (mmio_decode(insn, avail, (enum cs_mode)v->ops->get(v, HVM_CS_MODE), &v->io.mmio))
		return internal_error(v, VCPU_ERROR_EMULATION, x->npf.gpa.v, 0);
	if (!mmio_reads(&v->io.mmio))
		return mmio_store(v, x->npf.gpa);
	if (is_apic_page(v, x->npf.gpa))
		return mmio_loaded(v, x->npf.gpa, apic_read(v, x->npf.gpa.v, v->io.mmio.size));
	v->io.op = OP_MMIO_READ;
	return mmio_to_user(v, x->npf.gpa, 0, false);
}

static bool exit_npf(struct vcpu *v, const struct hvm_exit *x)
{
	uint64_t page = x->npf.gpa.v & ~PAGE_MASK;
	uint8_t *ram = ram_at(&v->ram, GPA(page), PAGE_SIZE);

	if (ram) {
		v->stats.delivery_faults += x->vectoring.type != EVENT_NONE;
		if (v->ops->map(v, GPA(page), HPA((uintptr_t)ram)) == 0)
			return false;
		return internal_error(v, VCPU_ERROR_EXIT, x->vendor_code, page);
	}
	if (x->vectoring.type != EVENT_NONE)
		return internal_error(v, VCPU_ERROR_DELIVERY, x->npf.gpa.v, x->vectoring.vector);
	if (x->npf.fetch || x->npf.walk)
		return internal_error(v, VCPU_ERROR_FETCH, x->npf.gpa.v, v->ops->get(v, HVM_RIP));
	return emulate_mmio(v, x);
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
	case HVM_EXIT_SHUTDOWN:
		return vcpu_exit_to_user(v, VCPU_EXIT_SHUTDOWN);
	case HVM_EXIT_FAIL_ENTRY:
		v->run.fail_entry.hardware_entry_failure_reason = x->vendor_info[0];
		return vcpu_exit_to_user(v, VCPU_EXIT_FAIL_ENTRY);
	case HVM_EXIT_UNKNOWN:
	case HVM_EXITS:
		break;
	}
	return internal_error(v, VCPU_ERROR_EXIT, x->vendor_code, x->vendor_info[0]);
}

bool vcpu_complete_io(struct vcpu *v)
{
	enum pending_op op = v->io.op;
	uint64_t val;

	v->io.op = OP_NONE;
	switch (op) {
	case OP_IO_IN:
		return complete_in(v);
	case OP_MMIO_READ:
		memcpy(&val, v->run.mmio.data, sizeof(val));
		return mmio_loaded(v, GPA(v->run.mmio.phys_addr), val);
	case OP_RDMSR:
	case OP_WRMSR:
		if (v->run.msr.error) {
			vcpu_queue_gp(v);
			return false;
		}
		if (op == OP_RDMSR)
			set_edx_eax(v, v->run.msr.data);
		vcpu_skip(v, v->io.insn_len);
		return false;
	case OP_NONE:
		break;
	}
	return false;
}
