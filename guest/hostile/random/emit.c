/* SPDX-License-Identifier: BSD-2-Clause
 * Machine code, for 16-, 32- and 64-bit segments: bytes, loads of registers, memory operands.
 * Knows nothing of what the instructions do. */
#include "random.h"

#define PUSH_IMM 0x68
#define IO_APIC 0xfec00000u
#define HOLE 0xd0000000u
#define LAST_BYTES 0xfffffff0u
#define RSP 4
#define MODRM(mod, reg, rm) ((mod) << 6 | ((reg) & 7) << 3 | ((rm) & 7))
#define RM_DISP16 6
#define RM_DISP32 5
#define RM_SIB 4
#define SIB_DISP32 0x25
#define SIGN 0x80000000u
#define MOV_IMM 0xc7
#define MOV_REG_IMM 0xb8

void e8(struct gen *g, uint32_t v)
{
	*g->p++ = (uint8_t)v;
}

void e16(struct gen *g, uint32_t v)
{
	e8(g, v);
	e8(g, v >> 8);
}

void e32(struct gen *g, uint32_t v)
{
	e16(g, v);
	e16(g, v >> 16);
}

void e_op(struct gen *g, uint32_t op)
{
	for (int shift = 24; shift >= 0; shift -= 8)
		if (shift == 0 || op >> shift)
			e8(g, op >> shift);
}

/* A guest that loses its stack pointer does not come far. */
unsigned some_reg(struct gen *g)
{
	unsigned reg = rnd(g, 8);

	return reg == RSP && !one_in(g, 16) ? 0 : reg;
}

/* Where no RAM is. Many an instruction ends the guest there, by the verdict that it is not emulated. */
static uint32_t some_mmio(struct gen *g)
{
	switch (rnd(g, 7)) {
	case 0:
		return LOCAL_APIC + rnd(g, PAGE);
	case 1:
		return IO_APIC + (rnd(g, 2) << 4);
	case 2:
		return HOLE + rnd(g, PAGE);
	case 3:
		return g->ram - 8 + rnd(g, 16);
	case 4:
		return one_in(g, 2) ? LAST_BYTES + rnd(g, 16) : LOCAL_APIC - 4 + rnd(g, 8);
	case 5:
		return rnd32(g);
	default:
		return LOCAL_APIC + (rnd(g, 64) << 4);
	}
}

uint32_t some_address(struct gen *g)
{
	if (g->mmio && one_in(g, 3))
		return some_mmio(g);
	switch (rnd(g, 16)) {
	case 0:
		return TABLES + rnd(g, TABLES_PAGES * PAGE);
	case 1:
		return IDT + rnd(g, PAGE);
	case 2:
		return CODE + rnd(g, BLOCKS * BLOCK_SIZE);
	case 3:
		return USER_STACK - rnd(g, 64);
	default:
		return DATA + rnd(g, DATA_SIZE);
	}
}

void e_mov(struct gen *g, unsigned reg, uint32_t value)
{
	if (g->bits == 16)
		e8(g, OPERAND_SIZE);
	if (g->bits == 64 && (value & SIGN) && one_in(g, 2))
		e8(g, REX_W), e8(g, MOV_IMM), e8(g, MODRM(3, 0, reg)); /* sign-extended: a canonical address */
	else
		e8(g, MOV_REG_IMM + (reg & 7));
	e32(g, value);
}

void e_mem(struct gen *g, uint32_t op, unsigned reg, uint32_t address)
{
	if ((g->bits == 64 && (address & SIGN)) || (g->bits == 16 && address > UINT16_MAX))
		e8(g, ADDRESS_SIZE);
	e_op(g, op);
	if (g->bits == 16 && address <= UINT16_MAX) {
		e8(g, MODRM(0, reg, RM_DISP16));
		e16(g, address);
		return;
	}
	if (g->bits == 64)
		e8(g, MODRM(0, reg, RM_SIB)), e8(g, SIB_DISP32);
	else
		e8(g, MODRM(0, reg, RM_DISP32));
	e32(g, address);
}

void e_rm(struct gen *g, uint32_t op, unsigned reg, unsigned rm)
{
	e_op(g, op);
	e8(g, MODRM(3, reg, rm));
}

void e_store(struct gen *g, uint32_t address, uint32_t value)
{
	if (g->bits == 16)
		e8(g, OPERAND_SIZE);
	e_mem(g, MOV_IMM, 0, address);
	e32(g, value);
}

void e_bits32(struct gen *g)
{
	if (g->bits == 16)
		e8(g, OPERAND_SIZE);
}

void e_rex_w(struct gen *g)
{
	if (g->bits == 64 && one_in(g, 2))
		e8(g, REX_W);
}

/* A register or memory as the operand. */
void e_operand(struct gen *g, uint32_t op)
{
	unsigned reg = rnd(g, 8);

	if (one_in(g, 3))
		e_rm(g, op, reg, some_reg(g));
	else
		e_mem(g, op, reg, some_address(g));
}

void e_push(struct gen *g, uint32_t value)
{
	e_bits32(g);
	e8(g, PUSH_IMM);
	e32(g, value);
}
