/* SPDX-License-Identifier: BSD-2-Clause
 * The decoder for instructions that touch device memory: bytes in, one access description out.
 * Knows nothing of devices, addresses or the CPU that ran the instruction. */
#pragma once

#include "core/hvm.h"

#define INSN_MAX 15

enum mmio_kind {
	MMIO_LOAD,  /* register := memory, extended as ext says */
	MMIO_STORE, /* memory := register or immediate */
	MMIO_ALU,   /* flags, and perhaps register, := f(register, memory) */
	MMIO_RMW,   /* memory := f(memory, operand), flags */
	MMIO_XCHG,  /* memory := register, register := old memory */
	MMIO_STOS,  /* memory := RAX, RDI moves */
	MMIO_LODS,  /* RAX := memory, RSI moves */
};
enum mmio_ext { EXT_NONE, EXT_ZERO, EXT_SIGN };
/* In the order of the opcode map's /digit, then those without one. */
enum mmio_alu { ALU_ADD, ALU_OR, ALU_ADC, ALU_SBB, ALU_AND, ALU_SUB, ALU_XOR, ALU_CMP, ALU_TEST, ALU_INC, ALU_DEC,
		ALU_NOT, ALU_NEG };

struct mmio_op {
	uint8_t kind, alu, ext;
	uint8_t len;      /* of the instruction, 1..15 */
	uint8_t size;     /* of the memory operand: 1, 2, 4, 8 */
	uint8_t reg_size; /* of the register operand */
	uint8_t reg;      /* enum gpr */
	bool high_byte;   /* AH, CH, DH or BH */
	bool has_imm;     /* the other operand is imm, not reg */
	bool mem_first;   /* ALU, RMW: memory is the first operand, "CMP r/m, r" */
	bool rep;
	uint8_t addr_size; /* 2, 4 or 8 bytes */
	uint64_t imm;
	uint64_t result;  /* RMW, XCHG between their halves: what goes to memory */
};

/* Decodes. 0, or E_INVAL: not an instruction that we emulate, or not all bytes are there. */
int mmio_decode(const uint8_t *insn, size_t avail, enum cs_mode mode, struct mmio_op *out);
/* Does it begin with a read? */
bool mmio_reads(const struct mmio_op *op);
bool mmio_writes(const struct mmio_op *op);
/* The value to write: for RMW and XCHG after mmio_finish_read() was given the old one. */
uint64_t mmio_store_value(const struct mmio_op *op, const struct hvm_regs *regs, uint64_t rsp);
/* Takes the value read; changes regs and rflags as the instruction does (RSP never is an operand that changes:
 * loads to RSP go through *rsp). */
void mmio_finish_read(struct mmio_op *op, uint64_t val, struct hvm_regs *regs, uint64_t *rsp, uint64_t *rflags);
/* String forms: moves RDI or RSI and RCX; true while the instruction must run again. */
bool mmio_finish_string(const struct mmio_op *op, struct hvm_regs *regs, uint64_t rflags);
/* Length of an instruction that is nothing but prefixes and this opcode (1 or 2 bytes, 0x0f first); 0 if it is not. */
uint8_t insn_simple_len(const uint8_t *insn, size_t avail, uint16_t opcode);
/* MOV to CRn: fills number and source register; returns the length or 0. */
uint8_t insn_mov_to_cr(const uint8_t *insn, size_t avail, enum cs_mode mode, uint8_t *cr, uint8_t *gpr);
