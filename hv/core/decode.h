/* SPDX-License-Identifier: BSD-2-Clause
 * The decoder: instruction bytes in, operation and operands out.
 * Knows nothing of registers' values, of memory or of the CPU that met the instruction. */
#pragma once

#include "core/hvm.h"

#define INSN_MAX 15

enum insn_op {
	INSN_UNKNOWN, /* nothing that is executed for the guest */
	/* in the order of the opcode map's /digit */
	INSN_ADD,
	INSN_OR,
	INSN_ADC,
	INSN_SBB,
	INSN_AND,
	INSN_SUB,
	INSN_XOR,
	INSN_CMP,
	INSN_TEST,
	INSN_INC,
	INSN_DEC,
	INSN_NOT,
	INSN_NEG,
	INSN_MOV,  /* MOVNTI too */
	INSN_MOVZX,
	INSN_MOVSX, /* MOVSXD too */
	INSN_XCHG,
	INSN_CMPXCHG,
	INSN_XADD,
	INSN_BT,
	INSN_BTS,
	INSN_BTR,
	INSN_BTC,
	INSN_PUSH,
	INSN_POP,
	INSN_MOVS,
	INSN_CMPS,
	INSN_STOS,
	INSN_LODS,
	INSN_SCAS,
	INSN_INS,
	INSN_OUTS,
	/* what exits by itself: only its length is asked for, and the registers of a move to a control or debug register */
	INSN_EXITS,
	INSN_LMSW, /* its source */
	INSN_MOV_TO_CR,
	INSN_MOV_FROM_CR,
	INSN_MOV_TO_DR,
	INSN_MOV_FROM_DR,
};

enum operand_kind { OPERAND_NONE, OPERAND_REG, OPERAND_MEM, OPERAND_IMM };
struct operand {
	uint8_t kind; /* enum operand_kind */
	uint8_t reg;  /* enum gpr; the number of a CR or DR */
	bool high;    /* AH, CH, DH or BH: reg is RAX, RCX, RDX or RBX */
};

/* Where an address has no register. */
#define NO_REG 0xff
/* RIP of the next instruction as the base. */
#define BASE_RIP 0xfe

struct insn {
	uint8_t op;        /* enum insn_op */
	uint8_t len;       /* 1..INSN_MAX */
	uint8_t size;      /* of the operands: 1, 2, 4 or 8 bytes */
	uint8_t src_size;  /* of src: `size` but for MOVZX and MOVSX */
	uint8_t addr_size; /* 2, 4 or 8 bytes */
	bool lock, rep, repne;
	struct operand dst, src;
	struct {
		uint8_t sreg; /* enum sreg: the default, or an override that counts */
		uint8_t base, index, scale; /* enum gpr, BASE_RIP or NO_REG; scale 1, 2, 4 or 8 */
		uint64_t disp;              /* sign-extended */
	} mem;
	uint64_t imm; /* sign-extended to 64 bits */
};

/* 0; E_INVAL: an instruction that is not known, or that no CPU executes; E_FAULT: more bytes are needed than `avail`, which
 * is less than INSN_MAX. */
int insn_decode(const uint8_t *bytes, size_t avail, enum cs_mode mode, struct insn *out);
/* A string instruction: RSI, RDI and perhaps RCX move. */
static inline bool insn_is_string(const struct insn *i)
{
	return i->op >= INSN_MOVS && i->op <= INSN_OUTS;
}
