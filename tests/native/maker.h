/* SPDX-License-Identifier: BSD-2-Clause
 * A random instruction in the making, between the file that chooses its bytes and the one that chooses the state it runs in.
 * Knows nothing of either CPU. */
#pragma once

#include "native.h"

#define NONE (-1)

/* Of the promised list: a row of opcodes that are alike. */
enum imm { IMM_NONE, IMM_8, IMM_Z };
#define ANY_REG (-1)

enum {
	TWO_BYTE = BIT(0),
	NO_MODRM = BIT(1),
	LOCKABLE = BIT(2),  /* a destination in memory may be */
	BYTE_FIRST = BIT(3), /* the even opcodes are of bytes */
	STACK = BIT(4),     /* 64 bits in 64-bit mode */
	STRING = BIT(5),
	MOFFS = BIT(6),
	NOT64 = BIT(7),
	ONLY64 = BIT(8),
	BIT_STRING = BIT(9), /* a register is the offset of a bit */
	AF_UNDEFINED = BIT(10),
	BIT_FLAGS = BIT(11),
	MEMORY = BIT(12),
	COMPARES = BIT(13), /* with rAX */
};

struct form {
	const char *name;
	uint8_t opcode, opcodes; /* the first, and how many */
	int8_t digit, digits;    /* in ModRM.reg */
	uint8_t imm;
	unsigned flags;
};

/* The instruction in the making, and what its operand's address is made of. */
struct maker {
	struct sample *s;
	const struct form *f;
	bool op16, lock, rep;
	uint8_t rex, addr_size;
	enum sreg override; /* SEGMENTS: none */
	int base, index;    /* NONE */
	unsigned scale;
	bool has_memory, rip;
	uint64_t disp;
	uint8_t disp_at, disp_size;
	int reg; /* ModRM.reg */
};

/* insn.c: bytes, from the mode and the code's address in k->s->m. */
void make_insn(struct maker *k);

/* chance.c */
uint64_t rnd(void);
unsigned below(unsigned n);
bool one_in(unsigned n);
/* Half of the values lie at an edge, where carries and signs happen. */
uint64_t rnd_value(void);
