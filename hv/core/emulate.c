/* SPDX-License-Identifier: BSD-2-Clause
 * One instruction executed for the guest, from its bytes to what is left behind.
 * Knows nothing of what single instructions do, nor of devices but the local APIC's page. */
#include "core/emulate.h"

#include <string.h>

#include "core/vcpu.h"
#include "x86.h"

#define LOW32(x) ((uint32_t)(x))
/* Past the longest instruction: a cell of a device that nobody has. */
#define WHOLE(ref) ((ref)->first == (ref)->len)

/* ---- the local APIC's page ---- */

static bool is_apic_page(const struct vcpu *v, uint64_t gpa)
{
	return v->mode == IRQCHIP_SPLIT && (v->lapic.base & APIC_BASE_EN) && !(v->lapic.base & APIC_BASE_EXTD) &&
	       (gpa & ~PAGE_MASK) == (v->lapic.base & APIC_BASE_ADDR);
}

static uint64_t apic_read(struct vcpu *v, uint64_t gpa, uint8_t size)
{
	uint64_t val = lapic_read(&v->lapic, LOW32(gpa & PAGE_MASK & ~MASK(1, 0)), v->now);

	val >>= (gpa & MASK(1, 0)) * 8;
	return size < sizeof(uint32_t) ? val & (BIT64(size * 8) - 1) : val;
}

/* SDM v3, "The Local APIC Block Diagram": registers "should be accessed using 128-bit aligned 32-bit loads or stores"; others
 * are dropped. */
static void apic_write(struct vcpu *v, const struct emu_cell *c)
{
	if (c->len == sizeof(uint32_t) && !(c->at & MASK(3, 0)))
		lapic_write(&v->lapic, LOW32(c->at & PAGE_MASK), LOW32(c->val), v->now);
}

/* ---- operands in memory ---- */

static bool has_one_operand(const struct insn *i)
{
	return !insn_is_string(i) && i->op != INSN_PUSH && i->op != INSN_POP;
}

/* The CPU has been there already, so that it need not be looked up, and is allowed. It came no further than nested paging; whether it
 * has looked at the alignment before that, the manuals leave open, and TCG has not. */
static bool is_known(const struct vcpu *v, uint64_t linear, uint8_t len, enum access how)
{
	if (how == ACCESS_WRITE && !v->emu.was_write)
		return false; /* TCG exits at the read of a read-modify-write */
	return v->emu.gpa != NO_GPA && has_one_operand(&v->emu.insn) && !((linear ^ v->emu.gpa) & PAGE_MASK) &&
	       (linear & PAGE_MASK) + len <= PAGE_SIZE;
}

/* SDM v3, "Interrupt 17-Alignment Check Exception (#AC)": with CR0.AM and EFLAGS.AC set, at CPL 3. */
static bool is_misaligned(const struct vcpu *v, uint64_t linear, uint8_t len)
{
	return (v->emu.rflags & RFLAGS_AC) && (linear & (len - 1u)) && (v->ops->get(v, HVM_CR0) & CR0_AM) &&
	       v->ops->get(v, HVM_CPL) == CPL_USER;
}

enum emu_result emu_open(struct vcpu *v, enum sreg s, uint64_t offset, uint8_t len, enum access how, struct guest_ref *out)
{
	struct emu *e = &v->emu;
	uint64_t linear = guest_linear_unchecked(v, s, offset);
	bool known = is_known(v, linear, len, how);
	int err = known ? 0 : guest_linear(v, s, offset, len, how, &linear, &e->fault);

	if (!err && is_misaligned(v, linear, len)) {
		e->fault = (struct fault){ .vector = VEC_AC, .has_error = true };
		err = E_FAULT;
	}
	if (!err && !known)
		err = guest_access(v, linear, len, how, AS_CPL, out, &e->fault);
	if (err)
		return err == E_FAULT ? EMU_FAULT : EMU_TABLE;
	if (known)
		*out = (struct guest_ref){ .linear = linear, .len = len, .first = len, .gpa = { GPA(e->gpa) } };
	e->hit |= vcpu_breakpoints(v, how == ACCESS_WRITE ? DEBUG_WRITE : DEBUG_READ, linear, len);
	return EMU_DONE;
}

/* The answer of an earlier run, or the question. */
static enum emu_result ask(struct vcpu *v, bool port, uint64_t at, uint8_t len, uint64_t *val)
{
	struct emu *e = &v->emu;

	if (e->replayed == e->reads) {
		e->read[e->reads] = (struct emu_cell){ .port = port, .at = at, .len = len };
		return EMU_READ;
	}
	*val = e->read[e->replayed++].val;
	return EMU_DONE;
}

static enum emu_result read_gpa(struct vcpu *v, uint64_t gpa, uint8_t len, uint64_t *val)
{
	const void *p = ram_at(&v->ram, GPA(gpa), len);

	*val = 0;
	if (p)
		memcpy(val, p, len);
	else if (is_apic_page(v, gpa))
		*val = apic_read(v, gpa, len);
	else
		return ask(v, false, gpa, len, val);
	return EMU_DONE;
}

static void queue(struct vcpu *v, bool port, uint64_t at, uint8_t len, uint64_t val)
{
	v->emu.write[v->emu.writes++] = (struct emu_cell){ .port = port, .at = at, .len = len, .val = val };
}

static void write_gpa(struct vcpu *v, uint64_t gpa, uint8_t len, uint64_t val)
{
	void *p = ram_at(&v->ram, GPA(gpa), len);

	if (p)
		memcpy(p, &val, len);
	else
		queue(v, false, gpa, len, val);
}

static uint64_t byte_at(const struct guest_ref *ref, unsigned i)
{
	return i < ref->first ? ref->gpa[0].v + i : ref->gpa[1].v + i - ref->first;
}

/* Where it crosses a page: byte by byte, each its own RAM, device or nothing. */
enum emu_result emu_read(struct vcpu *v, const struct guest_ref *ref, uint64_t *val)
{
	enum emu_result r = EMU_DONE;
	uint64_t byte;

	if (WHOLE(ref))
		return read_gpa(v, ref->gpa[0].v, ref->len, val);
	*val = 0;
	for (unsigned i = 0; i < ref->len && r == EMU_DONE; i++) {
		r = read_gpa(v, byte_at(ref, i), 1, &byte);
		*val |= r == EMU_DONE ? byte << (8 * i) : 0;
	}
	return r;
}

void emu_write(struct vcpu *v, const struct guest_ref *ref, uint64_t val)
{
	if (WHOLE(ref)) {
		write_gpa(v, ref->gpa[0].v, ref->len, val);
		return;
	}
	for (unsigned i = 0; i < ref->len; i++)
		write_gpa(v, byte_at(ref, i), 1, val >> (8 * i) & UINT8_MAX);
}

enum emu_result emu_in(struct vcpu *v, uint16_t port, uint8_t len, uint64_t *val)
{
	v->emu.hit |= vcpu_breakpoints(v, DEBUG_IO, port, len);
	return ask(v, true, port, len, val);
}

void emu_out(struct vcpu *v, uint16_t port, uint8_t len, uint64_t val)
{
	v->emu.hit |= vcpu_breakpoints(v, DEBUG_IO, port, len);
	queue(v, true, port, len, val);
}

/* ---- the instruction ---- */

/* In two pieces: the next page is touched only if the instruction reaches into it. */
int vcpu_decode(struct vcpu *v)
{
	enum cs_mode mode = (enum cs_mode)v->ops->get(v, HVM_CS_MODE);
	struct emu *e = &v->emu;
	size_t n = guest_fetch(v, 0, e->bytes, INSN_MAX, &e->fault), more;
	int err;

	e->fetched = (uint8_t)n;
	if (!n)
		return E_FAULT;
	err = insn_decode(e->bytes, n, mode, &e->insn);
	if (err != E_FAULT)
		return err;
	more = guest_fetch(v, (uint8_t)n, e->bytes + n, INSN_MAX - n, &e->fault);
	e->fetched += (uint8_t)more;
	return more ? insn_decode(e->bytes, n + more, mode, &e->insn) : E_FAULT;
}

static bool to_user(struct vcpu *v, const struct emu_cell *c, bool write, enum pending_op then)
{
	vcpu_leave_open(v, then);
	if (c->port) {
		v->run.io.port = (uint16_t)c->at;
		v->run.io.size = c->len;
		v->run.io.direction = write ? VCPU_IO_OUT : VCPU_IO_IN;
		v->run.io.data = LOW32(c->val);
		trace_add(v->trace, TRACE_kvm_pio, c->at, c->val);
		return vcpu_exit_to_user(v, VCPU_EXIT_IO);
	}
	v->run.mmio.phys_addr = c->at;
	v->run.mmio.len = c->len;
	v->run.mmio.is_write = write;
	memcpy(v->run.mmio.data, &c->val, sizeof(c->val));
	trace_add(v->trace, TRACE_kvm_mmio, c->at, c->val);
	return vcpu_exit_to_user(v, VCPU_EXIT_MMIO);
}

static bool send_writes(struct vcpu *v)
{
	struct emu *e = &v->emu;

	while (e->written < e->writes) {
		const struct emu_cell *c = &e->write[e->written++];

		if (c->port || !is_apic_page(v, c->at))
			return to_user(v, c, true, e->written < e->writes ? OP_EMULATE : OP_NONE);
		apic_write(v, c);
	}
	return false;
}

static bool complete(struct vcpu *v, uint64_t rsp_was, uint64_t rflags_was)
{
	struct emu *e = &v->emu;

	if (v->regs.gpr[RSP] != rsp_was)
		v->ops->set(v, HVM_RSP, v->regs.gpr[RSP]);
	if (e->rflags != rflags_was)
		v->ops->set(v, HVM_RFLAGS, e->rflags);
	if (e->again)
		vcpu_iterate(v, e->hit);
	else
		vcpu_skip(v, e->insn.len, e->hit);
	return send_writes(v);
}

static bool raise(struct vcpu *v)
{
	const struct fault *f = &v->emu.fault;

	vcpu_queue_exception(v, f->vector, f->has_error, f->error);
	if (f->vector == VEC_PF)
		v->ops->set(v, HVM_CR2, f->cr2);
	return false;
}

static bool not_emulated(struct vcpu *v)
{
	const struct emu *e = &v->emu;

	v->run.internal.insn_size = e->fetched;
	memcpy(v->run.internal.insn_bytes, e->bytes, e->fetched);
	return vcpu_internal_error(v, VCPU_ERROR_EMULATION, e->gpa, 0);
}

static bool uses_rsp(const struct insn *i)
{
	return i->op == INSN_PUSH || i->op == INSN_POP || i->mem.base == RSP || i->dst.reg == RSP || i->src.reg == RSP;
}

static bool step(struct vcpu *v)
{
	struct emu *e = &v->emu;
	uint64_t rflags = v->ops->get(v, HVM_RFLAGS), rsp;

	if (uses_rsp(&e->insn))
		v->regs.gpr[RSP] = v->ops->get(v, HVM_RSP);
	rsp = v->regs.gpr[RSP];
	e->rflags = rflags;
	e->replayed = e->writes = e->written = 0;
	e->hit = 0;
	e->again = false;
	switch (insn_exec(v)) {
	case EMU_DONE: return complete(v, rsp, rflags);
	case EMU_FAULT: return raise(v);
	case EMU_READ: return to_user(v, &e->read[e->reads], false, OP_EMULATE);
	case EMU_TABLE: return vcpu_internal_error(v, VCPU_ERROR_FETCH, e->fault.cr2, v->ops->get(v, HVM_RIP));
	case EMU_UNKNOWN: break;
	}
	return not_emulated(v);
}

bool vcpu_emulate(struct vcpu *v, uint64_t gpa, bool write)
{
	struct emu *e = &v->emu;
	int err = vcpu_decode(v);

	e->gpa = gpa;
	e->was_write = write;
	e->reads = 0;
	if (!err)
		return step(v);
	if (err == E_FAULT && e->fault.vector)
		return raise(v);
	if (err == E_FAULT)
		return vcpu_internal_error(v, VCPU_ERROR_FETCH, e->fault.cr2, v->ops->get(v, HVM_RIP));
	return not_emulated(v);
}

bool vcpu_emulate_more(struct vcpu *v)
{
	struct emu *e = &v->emu;
	struct emu_cell *c = &e->read[e->reads];

	if (e->writes)
		return send_writes(v);
	c->val = v->run.io.data;
	if (!c->port)
		memcpy(&c->val, v->run.mmio.data, sizeof(c->val));
	c->val &= MASK(8 * c->len - 1, 0);
	e->reads++;
	return step(v);
}
