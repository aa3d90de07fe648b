/* SPDX-License-Identifier: BSD-2-Clause
 * What an instruction does: to registers, to flags, and to the memory and ports that its operands name.
 * Knows nothing of instruction bytes, and of memory only how it is opened, read and written. */
#include "bits.h"
#include "core/vcpu.h"
#include "x86.h"

#define HIGH_BYTE_SHIFT 8
#define SIGN_BIT(size) BIT64(8 * (size) - 1)
#define SIZE_MASK(size) MASK(8 * (size) - 1, 0)
#define FLAGS_ZSP (RFLAGS_ZF | RFLAGS_SF | RFLAGS_PF)
#define FLAGS_ARITH (RFLAGS_CF | RFLAGS_AF | RFLAGS_OF | FLAGS_ZSP)
#define AF_CARRY BIT64(4) /* the carry out of bit 3 shows in this bit of a ^ b ^ result */

/* ---- values ---- */

/* SDM v1, "General-Purpose Registers in 64-Bit Mode": "32-bit operands generate a 32-bit result, zero-extended to a
 * 64-bit result"; for 8 and 16 bits the upper bits "are not modified by the operation". */
static uint64_t merge(uint64_t old, uint64_t val, uint8_t size)
{
	uint64_t mask = SIZE_MASK(size);

	return size >= 4 ? val & mask : (old & ~mask) | (val & mask);
}

/* SDM v1, "Status Flags": parity "of the least-significant byte of the result". */
static uint64_t flags_zsp(uint64_t r, uint8_t size)
{
	uint64_t flags = 0;

	if (r == 0)
		flags |= RFLAGS_ZF;
	if (r & SIGN_BIT(size))
		flags |= RFLAGS_SF;
	if (__builtin_parity(r & SIZE_MASK(1)) == 0)
		flags |= RFLAGS_PF;
	return flags;
}

static void set_flags(uint64_t *rflags, uint64_t which, uint64_t flags)
{
	*rflags = (*rflags & ~which) | (flags & which);
}

static uint64_t add(uint64_t a, uint64_t b, bool carry, uint8_t size, uint64_t which, uint64_t *rflags)
{
	uint64_t r = (a + b + carry) & SIZE_MASK(size);
	uint64_t flags = flags_zsp(r, size);

	if (r < a || (carry && r == a))
		flags |= RFLAGS_CF;
	if ((a ^ b ^ r) & AF_CARRY)
		flags |= RFLAGS_AF;
	if ((a ^ r) & (b ^ r) & SIGN_BIT(size))
		flags |= RFLAGS_OF;
	set_flags(rflags, which, flags);
	return r;
}

static uint64_t sub(uint64_t a, uint64_t b, bool borrow, uint8_t size, uint64_t which, uint64_t *rflags)
{
	uint64_t r = (a - b - borrow) & SIZE_MASK(size);
	uint64_t flags = flags_zsp(r, size);

	if (a < b || (borrow && a == b))
		flags |= RFLAGS_CF;
	if ((a ^ b ^ r) & AF_CARRY)
		flags |= RFLAGS_AF;
	if ((a ^ b) & (a ^ r) & SIGN_BIT(size))
		flags |= RFLAGS_OF;
	set_flags(rflags, which, flags);
	return r;
}

/* SDM v2, "AND": "The OF and CF flags are cleared; the SF, ZF, and PF flags are set according to the result. The state
 * of the AF flag is undefined." CPUs clear it. */
static uint64_t logic(uint64_t r, uint8_t size, uint64_t *rflags)
{
	set_flags(rflags, FLAGS_ARITH, flags_zsp(r, size));
	return r;
}

static uint64_t alu(enum insn_op f, uint64_t a, uint64_t b, uint8_t size, uint64_t *rflags)
{
	bool cf = *rflags & RFLAGS_CF;

	switch (f) {
	case INSN_ADD: return add(a, b, false, size, FLAGS_ARITH, rflags);
	case INSN_ADC: return add(a, b, cf, size, FLAGS_ARITH, rflags);
	case INSN_SUB:
	case INSN_CMP: return sub(a, b, false, size, FLAGS_ARITH, rflags);
	case INSN_SBB: return sub(a, b, cf, size, FLAGS_ARITH, rflags);
	case INSN_NEG: return sub(0, a, false, size, FLAGS_ARITH, rflags);
	/* SDM v2, "INC": "while preserving the state of the CF flag". */
	case INSN_INC: return add(a, 1, false, size, FLAGS_ARITH & ~RFLAGS_CF, rflags);
	case INSN_DEC: return sub(a, 1, false, size, FLAGS_ARITH & ~RFLAGS_CF, rflags);
	case INSN_OR: return logic(a | b, size, rflags);
	case INSN_AND:
	case INSN_TEST: return logic(a & b, size, rflags);
	case INSN_XOR: return logic(a ^ b, size, rflags);
	case INSN_NOT:
	default: return ~a & SIZE_MASK(size);
	}
}

/* SDM v2, "BT-Bit Test": "Selects the bit in a bit string ... and stores the value of the bit in the CF flag"; of the other flags only
 * ZF is defined, unchanged. CPUs leave all of them. */
static uint64_t bit_op(enum insn_op f, uint64_t val, uint64_t bit, uint64_t *rflags)
{
	set_flags(rflags, RFLAGS_CF, val & BIT64(bit) ? RFLAGS_CF : 0);
	switch (f) {
	case INSN_BTS: return val | BIT64(bit);
	case INSN_BTR: return val & ~BIT64(bit);
	case INSN_BTC: return val ^ BIT64(bit);
	default: return val;
	}
}

/* ---- operands ---- */

static const struct operand accumulator = { .kind = OPERAND_REG, .reg = RAX };

static uint64_t get_reg(const struct vcpu *v, const struct operand *o, uint8_t size)
{
	return v->regs.gpr[o->reg] >> (o->high ? HIGH_BYTE_SHIFT : 0) & SIZE_MASK(size);
}

static void set_reg(struct vcpu *v, const struct operand *o, uint64_t val, uint8_t size)
{
	uint64_t *reg = &v->regs.gpr[o->reg], high = SIZE_MASK(1) << HIGH_BYTE_SHIFT;

	if (o->high)
		*reg = (*reg & ~high) | ((val << HIGH_BYTE_SHIFT) & high);
	else
		*reg = merge(*reg, val, size);
}

static uint64_t effective_address(const struct vcpu *v)
{
	const struct insn *i = &v->emu.insn;
	uint64_t at = i->mem.disp;

	if (i->mem.base == BASE_RIP)
		at += v->ops->get(v, HVM_RIP) + i->len;
	else if (i->mem.base != NO_REG)
		at += v->regs.gpr[i->mem.base];
	if (i->mem.index != NO_REG)
		at += v->regs.gpr[i->mem.index] * i->mem.scale;
	return at & SIZE_MASK(i->addr_size);
}

static uint64_t sign_extend(uint64_t val, uint8_t size)
{
	return (val ^ SIGN_BIT(size)) - SIGN_BIT(size);
}

/* A register as the bit offset reaches beyond the operand: SDM v2, "BT": "Effective Address + (4 * (BitOffset DIV 32))" for 32 bits. */
static uint64_t bit_string_offset(const struct vcpu *v)
{
	const struct insn *i = &v->emu.insn;
	uint64_t bit = sign_extend(get_reg(v, &i->src, i->size), i->size);

	/* whole operands, rounded down */
	return (uint64_t)((int64_t)(bit & ~(uint64_t)(8 * i->size - 1)) >> 3);
}

static bool is_bit_op(enum insn_op op)
{
	return op >= INSN_BT && op <= INSN_BTC;
}

/* The operand that ModRM or an offset names, of `size`, for reading or (also) for writing. */
static enum emu_result open_mem(struct vcpu *v, uint8_t size, enum access how, struct guest_ref *ref)
{
	const struct insn *i = &v->emu.insn;
	uint64_t at = effective_address(v);

	if (is_bit_op(i->op) && i->src.kind == OPERAND_REG)
		at = (at + bit_string_offset(v)) & SIZE_MASK(i->addr_size);
	return emu_open(v, i->mem.sreg, at, size, how, ref);
}

/* Memory, register or immediate. */
static enum emu_result get_src(struct vcpu *v, uint64_t *val)
{
	const struct insn *i = &v->emu.insn;
	struct guest_ref ref;
	enum emu_result r;

	if (i->src.kind == OPERAND_IMM)
		*val = i->imm & SIZE_MASK(i->size);
	else if (i->src.kind == OPERAND_REG)
		*val = get_reg(v, &i->src, i->src_size);
	if (i->src.kind != OPERAND_MEM)
		return EMU_DONE;
	r = open_mem(v, i->src_size, ACCESS_READ, &ref);
	return r == EMU_DONE ? emu_read(v, &ref, val) : r;
}

/* ---- instructions with two operands ---- */

static bool writes_dst(enum insn_op op)
{
	return op != INSN_CMP && op != INSN_TEST && op != INSN_BT;
}

static bool reads_dst(enum insn_op op)
{
	return op < INSN_MOV || op > INSN_MOVSX;
}

/* SDM v2, "CMPXCHG": "To simplify the interface to the processor's bus, the destination operand receives a write cycle without regard to
 * the result of the comparison." */
static uint64_t compare_exchange(struct vcpu *v, uint64_t dst, uint64_t src)
{
	uint64_t *rflags = &v->emu.rflags;
	uint8_t size = v->emu.insn.size;

	sub(get_reg(v, &accumulator, size), dst, false, size, FLAGS_ARITH, rflags);
	if (*rflags & RFLAGS_ZF)
		return src;
	set_reg(v, &accumulator, dst, size);
	return dst;
}

/* The destination's new value. */
static uint64_t compute(struct vcpu *v, uint64_t dst, uint64_t src)
{
	const struct insn *i = &v->emu.insn;
	uint64_t *rflags = &v->emu.rflags;

	switch (i->op) {
	case INSN_MOV:
	case INSN_MOVZX: return src;
	case INSN_MOVSX: return sign_extend(src, i->src_size);
	case INSN_CMPXCHG: return compare_exchange(v, dst, src);
	case INSN_XCHG:
		set_reg(v, &i->src, dst, i->size);
		return src;
	case INSN_XADD:
		set_reg(v, &i->src, dst, i->size);
		return add(dst, src, false, i->size, FLAGS_ARITH, rflags);
	case INSN_BT:
	case INSN_BTS:
	case INSN_BTR:
	case INSN_BTC: return bit_op(i->op, dst, src & (8u * i->size - 1), rflags);
	default: return alu(i->op, dst, src, i->size, rflags);
	}
}

static enum emu_result exec_to_memory(struct vcpu *v)
{
	struct emu *e = &v->emu;
	bool writes = writes_dst(e->insn.op);
	uint64_t dst = 0, src = 0;
	struct guest_ref ref;
	enum emu_result r = open_mem(v, e->insn.size, writes ? ACCESS_WRITE : ACCESS_READ, &ref);

	if (r == EMU_DONE && reads_dst(e->insn.op))
		r = emu_read(v, &ref, &dst);
	if (r == EMU_DONE)
		r = get_src(v, &src);
	if (r != EMU_DONE)
		return r;
	dst = compute(v, dst, src);
	if (writes)
		emu_write(v, &ref, dst);
	return EMU_DONE;
}

static enum emu_result exec_to_register(struct vcpu *v)
{
	struct emu *e = &v->emu;
	const struct insn *i = &e->insn;
	uint64_t dst = get_reg(v, &i->dst, i->size), src = 0;
	enum emu_result r = get_src(v, &src);

	if (r != EMU_DONE)
		return r;
	dst = compute(v, dst, src);
	/* A register that CMPXCHG does not exchange is not even zero-extended, other than memory, which is written in any case. */
	if (writes_dst(i->op) && (i->op != INSN_CMPXCHG || (v->emu.rflags & RFLAGS_ZF)))
		set_reg(v, &i->dst, dst, i->size);
	return EMU_DONE;
}

/* ---- the stack ---- */

/* SDM v2, "PUSH": the B flag of SS, or 64-bit mode, determines whether SP, ESP or RSP is decremented. */
static uint8_t stack_size(const struct vcpu *v)
{
	struct hvm_segment ss;

	if (v->ops->get(v, HVM_CS_MODE) == CS_64)
		return sizeof(uint64_t);
	v->ops->segment(v, SREG_SS, &ss);
	return ss.ar & AR_DB ? sizeof(uint32_t) : sizeof(uint16_t);
}

/* SP wraps within its size, and what is above it stays. */
static void set_sp(struct vcpu *v, uint64_t sp, uint8_t stack)
{
	uint64_t *rsp = &v->regs.gpr[RSP], mask = SIZE_MASK(stack);

	*rsp = (*rsp & ~mask) | (sp & mask);
}

static enum emu_result exec_push(struct vcpu *v)
{
	uint8_t size = v->emu.insn.size, stack = stack_size(v);
	uint64_t sp = (v->regs.gpr[RSP] - size) & SIZE_MASK(stack), val = 0;
	struct guest_ref ref;
	enum emu_result r = get_src(v, &val);

	if (r == EMU_DONE)
		r = emu_open(v, SREG_SS, sp, size, ACCESS_WRITE, &ref);
	if (r != EMU_DONE)
		return r;
	emu_write(v, &ref, val);
	set_sp(v, sp, stack);
	return EMU_DONE;
}

/* SDM v2, "POP": "If the ESP register is used as a base register for addressing a destination operand in memory, the POP instruction
 * computes the effective address of the operand after it increments the ESP register." */
static enum emu_result exec_pop(struct vcpu *v)
{
	const struct insn *i = &v->emu.insn;
	const uint64_t rsp = v->regs.gpr[RSP];
	uint8_t stack = stack_size(v);
	bool to_memory = i->dst.kind == OPERAND_MEM;
	struct guest_ref from, to;
	uint64_t val = 0;
	enum emu_result r = emu_open(v, SREG_SS, rsp & SIZE_MASK(stack), i->size, ACCESS_READ, &from);

	set_sp(v, rsp + i->size, stack);
	if (r == EMU_DONE && to_memory)
		r = open_mem(v, i->size, ACCESS_WRITE, &to);
	if (r == EMU_DONE)
		r = emu_read(v, &from, &val);
	if (r != EMU_DONE)
		v->regs.gpr[RSP] = rsp;
	else if (to_memory)
		emu_write(v, &to, val);
	else
		set_reg(v, &i->dst, val, i->size);
	return r;
}

/* ---- strings ---- */

static void move_index(struct vcpu *v, enum gpr reg)
{
	const struct emu *e = &v->emu;
	uint64_t step = e->rflags & RFLAGS_DF ? -(uint64_t)e->insn.size : e->insn.size;

	v->regs.gpr[reg] = merge(v->regs.gpr[reg], v->regs.gpr[reg] + step, e->insn.addr_size);
}

static bool uses_rsi(enum insn_op op)
{
	return op == INSN_MOVS || op == INSN_CMPS || op == INSN_LODS || op == INSN_OUTS;
}

static bool uses_rdi(enum insn_op op)
{
	return op != INSN_LODS && op != INSN_OUTS;
}

/* What goes to [RDI], or is compared with what is there. */
static enum emu_result get_element(struct vcpu *v, const struct guest_ref *si, uint64_t *val)
{
	struct emu *e = &v->emu;

	if (uses_rsi(e->insn.op))
		return emu_read(v, si, val);
	if (e->insn.op == INSN_INS)
		return emu_in(v, (uint16_t)v->regs.gpr[RDX], e->insn.size, val);
	*val = get_reg(v, &accumulator, e->insn.size);
	return EMU_DONE;
}

static enum emu_result put_element(struct vcpu *v, const struct guest_ref *di, uint64_t val)
{
	struct emu *e = &v->emu;
	enum emu_result r = EMU_DONE;
	uint64_t other = 0;

	switch (e->insn.op) {
	case INSN_LODS: set_reg(v, &accumulator, val, e->insn.size); break;
	case INSN_OUTS: emu_out(v, (uint16_t)v->regs.gpr[RDX], e->insn.size, val); break;
	case INSN_CMPS:
	case INSN_SCAS:
		r = emu_read(v, di, &other);
		if (r == EMU_DONE)
			sub(val, other, false, e->insn.size, FLAGS_ARITH, &e->rflags);
		break;
	default: emu_write(v, di, val);
	}
	return r;
}

static enum emu_result exec_element(struct vcpu *v)
{
	struct emu *e = &v->emu;
	const struct insn *i = &e->insn;
	bool compares = i->op == INSN_CMPS || i->op == INSN_SCAS;
	struct guest_ref si, di;
	enum emu_result r = EMU_DONE;
	uint64_t val = 0;

	if (uses_rsi(i->op))
		r = emu_open(v, i->mem.sreg, v->regs.gpr[RSI] & SIZE_MASK(i->addr_size), i->size, ACCESS_READ, &si);
	if (r == EMU_DONE && uses_rdi(i->op))
		r = emu_open(v, SREG_ES, v->regs.gpr[RDI] & SIZE_MASK(i->addr_size), i->size,
			     compares ? ACCESS_READ : ACCESS_WRITE, &di);
	if (r == EMU_DONE)
		r = get_element(v, &si, &val);
	return r == EMU_DONE ? put_element(v, &di, val) : r;
}

/* One iteration. SDM v2, "REP": the count is tested before it, CMPS and SCAS end by ZF besides. A count of 0: nothing is done. Of the
 * other instructions either prefix is REP. */
static enum emu_result exec_string(struct vcpu *v)
{
	struct emu *e = &v->emu;
	const struct insn *i = &e->insn;
	bool compares = i->op == INSN_CMPS || i->op == INSN_SCAS, repeats = i->rep || i->repne;
	uint64_t *rcx = &v->regs.gpr[RCX], count = *rcx & SIZE_MASK(i->addr_size);
	enum emu_result r;

	if (repeats && !count)
		return EMU_DONE;
	r = exec_element(v);
	if (r != EMU_DONE)
		return r;
	if (uses_rsi(i->op))
		move_index(v, RSI);
	if (uses_rdi(i->op))
		move_index(v, RDI);
	if (!repeats)
		return EMU_DONE;
	*rcx = merge(*rcx, count - 1, i->addr_size);
	e->again = count > 1 && (!compares || i->rep == !!(e->rflags & RFLAGS_ZF));
	return EMU_DONE;
}

enum emu_result insn_exec(struct vcpu *v)
{
	const struct insn *i = &v->emu.insn;

	if (insn_is_string(i))
		return exec_string(v);
	if (i->op == INSN_PUSH)
		return exec_push(v);
	if (i->op == INSN_POP)
		return exec_pop(v);
	if (i->op == INSN_UNKNOWN || i->op >= INSN_EXITS)
		return EMU_UNKNOWN;
	return i->dst.kind == OPERAND_MEM ? exec_to_memory(v) : exec_to_register(v);
}
