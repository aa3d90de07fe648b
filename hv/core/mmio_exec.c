/* SPDX-License-Identifier: BSD-2-Clause
 * What a decoded instruction does: to registers, to flags, and to the value that memory gets.
 * Knows nothing of instruction bytes, of memory or of devices. */
#include "core/mmio.h"

#include "bits.h"
#include "x86.h"

#define HIGH_BYTE_SHIFT 8
#define SIGN_BIT(size) BIT64(8 * (size) - 1)
#define SIZE_MASK(size) MASK(8 * (size) - 1, 0)
#define FLAGS_ZSP (RFLAGS_ZF | RFLAGS_SF | RFLAGS_PF)
#define FLAGS_ARITH (RFLAGS_CF | RFLAGS_AF | RFLAGS_OF | FLAGS_ZSP)
#define AF_CARRY BIT64(4) /* the carry out of bit 3 shows in this bit of a ^ b ^ result */

/* SDM v1, "General-Purpose Registers in 64-Bit Mode": "32-bit operands generate a 32-bit result, zero-extended to a
 * 64-bit result"; for 8 and 16 bits the upper bits "are not modified by the operation". */
static uint64_t merge(uint64_t old, uint64_t val, uint8_t size)
{
	uint64_t mask = SIZE_MASK(size);

	return size >= 4 ? val & mask : (old & ~mask) | (val & mask);
}

static uint64_t read_reg(const struct mmio_op *op, const struct hvm_regs *regs, uint64_t rsp)
{
	uint64_t val = op->reg == RSP ? rsp : regs->gpr[op->reg];

	if (op->high_byte)
		val >>= HIGH_BYTE_SHIFT;
	return val & SIZE_MASK(op->reg_size);
}

static void write_reg(const struct mmio_op *op, uint64_t val, struct hvm_regs *regs, uint64_t *rsp)
{
	uint64_t *reg = op->reg == RSP ? rsp : &regs->gpr[op->reg];
	uint64_t high = SIZE_MASK(1) << HIGH_BYTE_SHIFT;

	if (op->high_byte)
		*reg = (*reg & ~high) | ((val << HIGH_BYTE_SHIFT) & high);
	else
		*reg = merge(*reg, val, op->reg_size);
}

/* The operand that is not memory. */
static uint64_t operand(const struct mmio_op *op, const struct hvm_regs *regs, uint64_t rsp)
{
	return op->has_imm ? op->imm & SIZE_MASK(op->size) : read_reg(op, regs, rsp);
}

static uint64_t extend(const struct mmio_op *op, uint64_t val)
{
	uint64_t sign = SIGN_BIT(op->size);

	return op->ext == EXT_SIGN ? (val ^ sign) - sign : val;
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

static uint64_t alu(enum mmio_alu f, uint64_t a, uint64_t b, uint8_t size, uint64_t *rflags)
{
	bool cf = *rflags & RFLAGS_CF;

	switch (f) {
	case ALU_ADD:
		return add(a, b, false, size, FLAGS_ARITH, rflags);
	case ALU_ADC:
		return add(a, b, cf, size, FLAGS_ARITH, rflags);
	case ALU_SUB:
	case ALU_CMP:
		return sub(a, b, false, size, FLAGS_ARITH, rflags);
	case ALU_SBB:
		return sub(a, b, cf, size, FLAGS_ARITH, rflags);
	case ALU_NEG:
		return sub(0, a, false, size, FLAGS_ARITH, rflags);
	/* SDM v2, "INC": "while preserving the state of the CF flag". */
	case ALU_INC:
		return add(a, 1, false, size, FLAGS_ARITH & ~RFLAGS_CF, rflags);
	case ALU_DEC:
		return sub(a, 1, false, size, FLAGS_ARITH & ~RFLAGS_CF, rflags);
	case ALU_OR:
		return logic(a | b, size, rflags);
	case ALU_AND:
	case ALU_TEST:
		return logic(a & b, size, rflags);
	case ALU_XOR:
		return logic(a ^ b, size, rflags);
	case ALU_NOT:
	default:
		return ~a & SIZE_MASK(size);
	}
}

bool mmio_reads(const struct mmio_op *op)
{
	return op->kind != MMIO_STORE && op->kind != MMIO_STOS;
}

bool mmio_writes(const struct mmio_op *op)
{
	return op->kind == MMIO_STORE || op->kind == MMIO_STOS || op->kind == MMIO_RMW || op->kind == MMIO_XCHG;
}

uint64_t mmio_store_value(const struct mmio_op *op, const struct hvm_regs *regs, uint64_t rsp)
{
	if (op->kind == MMIO_RMW || op->kind == MMIO_XCHG)
		return op->result;
	return operand(op, regs, rsp);
}

static void finish_alu(struct mmio_op *op, uint64_t val, struct hvm_regs *regs, uint64_t *rsp, uint64_t *rflags)
{
	uint64_t other = operand(op, regs, *rsp);
	uint64_t first = op->mem_first ? val : other, second = op->mem_first ? other : val;

	op->result = alu(op->alu, first, second, op->size, rflags);
	if (!op->mem_first && op->alu != ALU_CMP)
		write_reg(op, op->result, regs, rsp);
}

void mmio_finish_read(struct mmio_op *op, uint64_t val, struct hvm_regs *regs, uint64_t *rsp, uint64_t *rflags)
{
	val &= SIZE_MASK(op->size);
	switch (op->kind) {
	case MMIO_LOAD:
	case MMIO_LODS:
		write_reg(op, extend(op, val), regs, rsp);
		break;
	case MMIO_ALU:
	case MMIO_RMW:
		finish_alu(op, val, regs, rsp, rflags);
		break;
	case MMIO_XCHG:
		op->result = read_reg(op, regs, *rsp);
		write_reg(op, val, regs, rsp);
		break;
	default:
		break;
	}
}

/* Counts RCX down; true unless it has reached 0. With an RCX of 0 there would have been no access: do not wrap. */
static bool count_down(uint64_t *rcx, uint8_t size)
{
	if ((*rcx & SIZE_MASK(size)) == 0)
		return false;
	*rcx = merge(*rcx, *rcx - 1, size);
	return *rcx & SIZE_MASK(size);
}

bool mmio_finish_string(const struct mmio_op *op, struct hvm_regs *regs, uint64_t rflags)
{
	uint64_t *index = &regs->gpr[op->kind == MMIO_STOS ? RDI : RSI];
	uint64_t step = rflags & RFLAGS_DF ? -(uint64_t)op->size : op->size;

	if (op->kind != MMIO_STOS && op->kind != MMIO_LODS)
		return false;
	*index = merge(*index, *index + step, op->addr_size);
	return op->rep && count_down(&regs->gpr[RCX], op->addr_size);
}
