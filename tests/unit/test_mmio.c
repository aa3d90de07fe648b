/* SPDX-License-Identifier: BSD-2-Clause
 * Proves what the decoder takes, what it refuses, and what an emulated access does to registers and memory.
 * Knows nothing of real CPUs: test_mmio_cpu.c asks one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bits.h"
#include "core/mmio.h"
#include "status.h"
#include "x86.h"

#define PATTERN 0x1122334455667788ull
#define PATTERN_RSP 0x8877665544332211ull
#define SPARE 32
#define FILL 0xff

#define BYTES(...) (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ })
#define DECODE(mode, ...) decode_exactly(mode, BYTES(__VA_ARGS__))
#define REFUSE(mode, ...) assert_int_equal(try_decode(mode, BYTES(__VA_ARGS__)), E_INVAL)

/* A copy without a byte to spare, so that the sanitizer sees a read beyond it. */
static int decode_copy(enum cs_mode mode, const uint8_t *insn, size_t avail, struct mmio_op *op)
{
	uint8_t *copy = malloc(avail ? avail : 1);
	int ret;

	memcpy(copy, insn, avail);
	ret = mmio_decode(copy, avail, mode, op);
	free(copy);
	return ret;
}

/* What is refused stays refused whatever follows it. */
static int try_decode(enum cs_mode mode, const uint8_t *insn, size_t len)
{
	uint8_t padded[SPARE] = { 0 };
	struct mmio_op op;

	memcpy(padded, insn, len);
	assert_int_equal(mmio_decode(padded, sizeof(padded), mode, &op), E_INVAL);
	return decode_copy(mode, insn, len, &op);
}

/* The bytes are one instruction: all of them are needed, and what follows does not matter. */
static struct mmio_op decode_exactly(enum cs_mode mode, const uint8_t *insn, size_t len)
{
	uint8_t padded[SPARE];
	struct mmio_op op, again;

	for (size_t avail = 0; avail < len; avail++)
		assert_int_equal(decode_copy(mode, insn, avail, &op), E_INVAL);
	assert_int_equal(decode_copy(mode, insn, len, &op), 0);
	assert_int_equal(op.len, len);
	memset(padded, FILL, sizeof(padded));
	memcpy(padded, insn, len);
	assert_int_equal(mmio_decode(padded, sizeof(padded), mode, &again), 0);
	assert_int_equal(again.len, len);
	return op;
}

static struct hvm_regs pattern_regs(void)
{
	struct hvm_regs regs;

	for (int i = 0; i < GPRS; i++)
		regs.gpr[i] = PATTERN;
	return regs;
}

/* ---- lengths ---- */

/* SDM v2, "32-Bit Addressing Forms with the ModR/M Byte": "The [--][--] nomenclature means a SIB follows the ModR/M
 * byte"; "The disp32 nomenclature denotes a 32-bit displacement that follows the ModR/M byte (or the SIB byte if one
 * is present)". */
static void modrm32_length(void **state)
{
	(void)state;
	for (int mode = CS_32; mode <= CS_64; mode++) {
		DECODE(mode, 0x8b, 0x00);                         /* mov (eax), eax */
		DECODE(mode, 0x8b, 0x05, 1, 2, 3, 4);             /* mov disp32, eax */
		DECODE(mode, 0x8b, 0x45, 1);                      /* mov disp8(ebp), eax */
		DECODE(mode, 0x8b, 0x85, 1, 2, 3, 4);             /* mov disp32(ebp), eax */
		DECODE(mode, 0x8b, 0x04, 0x24);                   /* mov (esp), eax */
		DECODE(mode, 0x8b, 0x44, 0x24, 1);                /* mov disp8(esp), eax */
		DECODE(mode, 0x8b, 0x84, 0x24, 1, 2, 3, 4);       /* mov disp32(esp), eax */
		DECODE(mode, 0x8b, 0x04, 0x25, 1, 2, 3, 4);       /* mov disp32, eax by SIB */
		DECODE(mode, 0x8b, 0x44, 0x25, 1);                /* mov disp8(ebp), eax by SIB */
	}
	DECODE(CS_64, 0x41, 0x8b, 0x05, 1, 2, 3, 4);              /* REX.B: RIP-relative all the same */
	DECODE(CS_64, 0x41, 0x8b, 0x04, 0x25, 1, 2, 3, 4);        /* REX.B: no base all the same */
	DECODE(CS_64, 0x41, 0x8b, 0x04, 0x24);                    /* mov (r12), eax needs SIB */
}

/* SDM v2, "16-Bit Addressing Forms with the ModR/M Byte": "The disp16 nomenclature denotes a 16-bit displacement that
 * follows the ModR/M byte". */
static void modrm16_length(void **state)
{
	(void)state;
	DECODE(CS_16, 0x8a, 0x04);             /* mov (si), al: no SIB */
	DECODE(CS_16, 0x8a, 0x05);             /* mov (di), al: no displacement */
	DECODE(CS_16, 0x8a, 0x06, 1, 2);       /* mov disp16, al */
	DECODE(CS_16, 0x8a, 0x46, 1);          /* mov disp8(bp), al */
	DECODE(CS_16, 0x8a, 0x86, 1, 2);       /* mov disp16(bp), al */
	DECODE(CS_32, 0x67, 0x8a, 0x06, 1, 2);
	DECODE(CS_16, 0x67, 0x8a, 0x05, 1, 2, 3, 4);
	DECODE(CS_64, 0x67, 0x8a, 0x05, 1, 2, 3, 4);
}

/* SDM v2, "MOV": "moffs8, moffs16, moffs32, and moffs64 operands specify a simple offset relative to the segment base";
 * "The address-size attribute of the instruction determines the size of the offset, either 16, 32 or 64 bits." */
static void moffs_length_is_address_size(void **state)
{
	struct mmio_op op;

	(void)state;
	DECODE(CS_16, 0xa1, 1, 2);
	DECODE(CS_16, 0x67, 0xa1, 1, 2, 3, 4);
	DECODE(CS_32, 0xa1, 1, 2, 3, 4);
	DECODE(CS_32, 0x67, 0xa1, 1, 2);
	DECODE(CS_64, 0x67, 0xa0, 1, 2, 3, 4);
	op = DECODE(CS_64, 0x48, 0xa3, 1, 2, 3, 4, 5, 6, 7, 8);
	assert_int_equal(op.kind, MMIO_STORE);
	assert_int_equal(op.size, 8);
	op = DECODE(CS_64, 0xa0, 1, 2, 3, 4, 5, 6, 7, 8);
	assert_int_equal(op.kind, MMIO_LOAD);
	assert_int_equal(op.size, 1);
	op = DECODE(CS_64, 0x41, 0xa1, 1, 2, 3, 4, 5, 6, 7, 8);
	assert_int_equal(op.reg, RAX);
}

/* SDM v2, "Immediates": "When the operand size is 64 bits, the processor sign-extends all immediates to 64 bits prior
 * to their use." */
static void immediates_are_sign_extended(void **state)
{
	struct mmio_op op;

	(void)state;
	op = DECODE(CS_64, 0x48, 0xc7, 0x00, 0, 0, 0, 0x80);
	assert_int_equal(op.size, 8);
	assert_true(op.imm == 0xffffffff80000000ull);
	op = DECODE(CS_64, 0x66, 0xc7, 0x00, 0x34, 0x12);
	assert_int_equal(op.size, 2);
	assert_int_equal(op.imm, 0x1234);
	op = DECODE(CS_64, 0xc6, 0x05, 1, 2, 3, 4, 0x7f);
	assert_int_equal(op.size, 1);
	assert_int_equal(op.imm, 0x7f);
	op = DECODE(CS_64, 0x48, 0x83, 0x08, 0xfe);
	assert_true(op.imm == ~1ull);
	op = DECODE(CS_16, 0x81, 0x0f, 0x34, 0x12);
	assert_int_equal(op.imm, 0x1234);
	DECODE(CS_16, 0x66, 0x81, 0x0f, 1, 2, 3, 4);
	DECODE(CS_32, 0xf7, 0x00, 1, 2, 3, 4);
}

/* SDM v3, "General Protection Exception": "Exceeding the instruction length limit of 15 bytes (this only can occur when
 * redundant prefixes are placed before an instruction)." */
static void more_than_fifteen_bytes_are_no_instruction(void **state)
{
	(void)state;
	DECODE(CS_32, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x8b, 0x00);
	REFUSE(CS_32, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x8b, 0x00);
	REFUSE(CS_32, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e, 0x3e);
}

/* ---- prefixes ---- */

/* SDM v2, "REX Prefixes": "must immediately precede the opcode byte or the escape opcode byte (0FH)"; "Other
 * placements are ignored." */
static void rex_counts_only_before_the_opcode(void **state)
{
	struct mmio_op op;

	(void)state;
	op = DECODE(CS_64, 0x4c, 0x8b, 0x00);
	assert_int_equal(op.size, 8);
	assert_int_equal(op.reg, R8);
	op = DECODE(CS_64, 0x4c, 0x3e, 0x8b, 0x00);
	assert_int_equal(op.size, 4);
	assert_int_equal(op.reg, RAX);
	op = DECODE(CS_64, 0x4c, 0x40, 0x8b, 0x00);
	assert_int_equal(op.size, 4);
	assert_int_equal(op.reg, RAX);
	op = DECODE(CS_64, 0x66, 0x4c, 0x0f, 0xb6, 0x00);
	assert_int_equal(op.reg_size, 8);
	assert_int_equal(op.reg, R8);
}

/* SDM v1, "Byte registers": without REX the numbers 4 to 7 are AH, CH, DH, BH, with REX SPL, BPL, SIL, DIL. */
static void any_rex_hides_the_high_bytes(void **state)
{
	struct mmio_op op;

	(void)state;
	op = DECODE(CS_64, 0x88, 0x38); /* mov bh, (rax) */
	assert_int_equal(op.reg, RBX);
	assert_true(op.high_byte);
	op = DECODE(CS_64, 0x40, 0x88, 0x38); /* mov dil, (rax) */
	assert_int_equal(op.reg, RDI);
	assert_false(op.high_byte);
	op = DECODE(CS_64, 0x40, 0x3e, 0x88, 0x20); /* REX ignored: mov ah, (rax) */
	assert_int_equal(op.reg, RAX);
	assert_true(op.high_byte);
	op = DECODE(CS_64, 0x0f, 0xb6, 0x20); /* movzx: the register is no byte */
	assert_int_equal(op.reg, RSP);
	assert_false(op.high_byte);
}

/* SDM v2, "REX Prefixes": "if a 66H prefix is used with prefix (REX.W = 1), 66H is ignored". */
static void operand_size(void **state)
{
	(void)state;
	assert_int_equal(DECODE(CS_16, 0x8b, 0x00).size, 2);
	assert_int_equal(DECODE(CS_16, 0x66, 0x8b, 0x00).size, 4);
	assert_int_equal(DECODE(CS_32, 0x8b, 0x00).size, 4);
	assert_int_equal(DECODE(CS_32, 0x66, 0x66, 0x8b, 0x00).size, 2);
	assert_int_equal(DECODE(CS_64, 0x8b, 0x00).size, 4);
	assert_int_equal(DECODE(CS_64, 0x66, 0x8b, 0x00).size, 2);
	assert_int_equal(DECODE(CS_64, 0x66, 0x48, 0x8b, 0x00).size, 8);
	assert_int_equal(DECODE(CS_64, 0x66, 0x8a, 0x00).size, 1);
}

static void segment_prefixes_are_skipped(void **state)
{
	static const uint8_t segment[] = { 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65 };

	(void)state;
	for (size_t i = 0; i < sizeof(segment); i++)
		for (int mode = CS_16; mode <= CS_64; mode++)
			DECODE(mode, segment[i], 0x65, 0x89, 0x00);
}

/* SDM v2, "LOCK": "An undefined opcode exception (#UD) will also be generated if the LOCK prefix is used with any
 * instruction not in the above list." */
static void lock_only_where_memory_is_read_and_written(void **state)
{
	(void)state;
	assert_int_equal(DECODE(CS_64, 0xf0, 0x01, 0x00).kind, MMIO_RMW);       /* add eax, (rax) */
	assert_int_equal(DECODE(CS_64, 0xf0, 0xf0, 0x83, 0x20, 1).kind, MMIO_RMW); /* and 1, (rax) */
	assert_int_equal(DECODE(CS_64, 0xf0, 0xff, 0x00).kind, MMIO_RMW);       /* inc (rax) */
	assert_int_equal(DECODE(CS_64, 0xf0, 0xf7, 0x10).kind, MMIO_RMW);       /* not (rax) */
	assert_int_equal(DECODE(CS_64, 0xf0, 0x87, 0x00).kind, MMIO_XCHG);
	REFUSE(CS_64, 0xf0, 0x03, 0x00);       /* add (rax), eax */
	REFUSE(CS_64, 0xf0, 0x39, 0x00);       /* cmp */
	REFUSE(CS_64, 0xf0, 0x83, 0x38, 1);    /* cmp */
	REFUSE(CS_64, 0xf0, 0x85, 0x00);       /* test */
	REFUSE(CS_64, 0xf0, 0x89, 0x00);       /* mov */
	REFUSE(CS_64, 0xf0, 0xab);             /* stos */
}

/* SDM v2, "REP/REPE/REPZ/REPNE/REPNZ": "The REP prefixes apply only to one string instruction at a time"; "The
 * behavior of the REP prefix is undefined when used with non-string instructions." */
static void rep_only_on_strings(void **state)
{
	(void)state;
	assert_true(DECODE(CS_64, 0xf3, 0xaa).rep);
	assert_true(DECODE(CS_64, 0xf2, 0x48, 0xab).rep);
	assert_true(DECODE(CS_64, 0xf3, 0xac).rep);
	assert_false(DECODE(CS_64, 0xad).rep);
	REFUSE(CS_64, 0xf3, 0x8b, 0x00);
	REFUSE(CS_64, 0xf2, 0x87, 0x00);
}

/* ---- what is what ---- */

static void assert_op(struct mmio_op op, enum mmio_kind kind, uint8_t size, uint8_t reg_size, bool mem_first)
{
	assert_int_equal(op.kind, kind);
	assert_int_equal(op.size, size);
	assert_int_equal(op.reg_size, reg_size);
	assert_int_equal(op.mem_first, mem_first);
}

/* SDM v2, "One-byte Opcode Map": rows 0 to 3 hold ADD OR ADC SBB AND SUB XOR CMP. */
static void alu_rows(void **state)
{
	struct mmio_op op;

	(void)state;
	for (int alu = ALU_ADD; alu <= ALU_CMP; alu++) {
		enum mmio_kind to_memory = alu == ALU_CMP ? MMIO_ALU : MMIO_RMW;
		uint8_t row = (uint8_t)(8 * alu);

		op = DECODE(CS_64, row, 0x08);
		assert_op(op, to_memory, 1, 1, true);
		assert_int_equal(op.alu, alu);
		assert_op(DECODE(CS_64, (uint8_t)(row + 1), 0x08), to_memory, 4, 4, true);
		assert_op(DECODE(CS_64, (uint8_t)(row + 2), 0x08), MMIO_ALU, 1, 1, false);
		op = DECODE(CS_64, 0x48, (uint8_t)(row + 3), 0x08);
		assert_op(op, MMIO_ALU, 8, 8, false);
		assert_int_equal(op.alu, alu);
		assert_int_equal(op.reg, RCX);
		REFUSE(CS_64, (uint8_t)(row + 4), 0x08);
		REFUSE(CS_64, (uint8_t)(row + 5), 0x08, 0, 0, 0);
		op = DECODE(CS_64, 0x83, row, 1);
		assert_op(op, to_memory, 4, 4, true);
		assert_int_equal(op.alu, alu);
		assert_true(op.has_imm);
	}
}

static void extensions(void **state)
{
	struct mmio_op op;

	(void)state;
	op = DECODE(CS_64, 0x48, 0x63, 0x00);
	assert_op(op, MMIO_LOAD, 4, 8, false);
	assert_int_equal(op.ext, EXT_SIGN);
	assert_op(DECODE(CS_64, 0x63, 0x00), MMIO_LOAD, 4, 4, false);
	assert_op(DECODE(CS_64, 0x0f, 0xb6, 0x00), MMIO_LOAD, 1, 4, false);
	op = DECODE(CS_64, 0x48, 0x0f, 0xb7, 0x00);
	assert_op(op, MMIO_LOAD, 2, 8, false);
	assert_int_equal(op.ext, EXT_ZERO);
	assert_op(DECODE(CS_16, 0x0f, 0xbe, 0x00), MMIO_LOAD, 1, 2, false);
	assert_op(DECODE(CS_32, 0x0f, 0xbf, 0x00), MMIO_LOAD, 2, 4, false);
}

static void reads_and_writes(void **state)
{
	static const struct {
		enum mmio_kind kind;
		bool reads, writes;
	} want[] = {
		{ MMIO_LOAD, true, false }, { MMIO_STORE, false, true }, { MMIO_ALU, true, false },
		{ MMIO_RMW, true, true },   { MMIO_XCHG, true, true },   { MMIO_STOS, false, true },
		{ MMIO_LODS, true, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		struct mmio_op op = { .kind = want[i].kind };

		assert_int_equal(mmio_reads(&op), want[i].reads);
		assert_int_equal(mmio_writes(&op), want[i].writes);
	}
}

static void refused(void **state)
{
	(void)state;
	for (int mode = CS_16; mode <= CS_64; mode++) {
		REFUSE(mode, 0x8b, 0xc0);       /* register to register */
		REFUSE(mode, 0xf7, 0x08, 0, 0, 0, 0); /* TEST /1 is not documented */
		REFUSE(mode, 0xf7, 0x20);       /* mul */
		REFUSE(mode, 0xff, 0x10);       /* call */
		REFUSE(mode, 0xc7, 0x08, 0, 0, 0, 0); /* group 11 has /0 only */
		REFUSE(mode, 0xa4);             /* movs */
		REFUSE(mode, 0x8c, 0x00);       /* mov from a segment register */
		REFUSE(mode, 0x82, 0x00, 0);
		REFUSE(mode, 0x0f, 0x00, 0x00);
		REFUSE(mode, 0x0f, 0xaf, 0x00); /* imul */
		REFUSE(mode, 0x8f, 0x00);       /* pop */
	}
	REFUSE(CS_32, 0x63, 0x00);       /* arpl */
	REFUSE(CS_32, 0x48, 0x8b, 0x00); /* dec eax */
}

/* ---- effects ---- */

/* SDM v1, "General-Purpose Registers in 64-Bit Mode": "8-bit and 16-bit operands generate an 8-bit or 16-bit result.
 * The upper 56 bits or 48 bits (respectively) of the destination general-purpose register are not modified". */
static void loads_merge_by_size(void **state)
{
	static const struct {
		uint8_t insn[3];
		enum gpr reg;
		uint64_t want;
	} load[] = {
		{ { 0x40, 0x8a, 0x08 }, RCX, 0x11223344556677f1 }, /* mov (rax), cl */
		{ { 0x3e, 0x8a, 0x28 }, RCX, 0x112233445566f188 }, /* mov (rax), ch */
		{ { 0x66, 0x8b, 0x08 }, RCX, 0x112233445566f2f1 }, /* mov (rax), cx */
		{ { 0x3e, 0x8b, 0x08 }, RCX, 0x00000000f4f3f2f1 }, /* mov (rax), ecx */
		{ { 0x4c, 0x8b, 0x08 }, R9, 0xf8f7f6f5f4f3f2f1 },  /* mov (rax), r9 */
		{ { 0x0f, 0xb6, 0x08 }, RCX, 0x00000000000000f1 }, /* movzbl (rax), ecx */
		{ { 0x0f, 0xbf, 0x08 }, RCX, 0x00000000fffff2f1 }, /* movswl (rax), ecx */
		{ { 0x48, 0x63, 0x08 }, RCX, 0xfffffffff4f3f2f1 }, /* movslq (rax), rcx */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(load); i++) {
		struct hvm_regs regs = pattern_regs(), want = regs;
		uint64_t rsp = PATTERN_RSP, rflags = RFLAGS_RESERVED1;
		struct mmio_op op = decode_exactly(CS_64, load[i].insn, sizeof(load[i].insn));

		want.gpr[load[i].reg] = load[i].want;
		mmio_finish_read(&op, 0xf8f7f6f5f4f3f2f1, &regs, &rsp, &rflags);
		assert_memory_equal(&regs, &want, sizeof(regs));
		assert_true(rsp == PATTERN_RSP);
		assert_int_equal(rflags, RFLAGS_RESERVED1);
	}
}

/* RSP is the backend's: its slot in the register file is never read or written. */
static void rsp_is_elsewhere(void **state)
{
	struct hvm_regs regs = pattern_regs(), want = regs;
	uint64_t rsp = PATTERN_RSP, rflags = 0;
	struct mmio_op op = DECODE(CS_64, 0x48, 0x89, 0x20); /* mov rsp, (rax) */

	(void)state;
	assert_true(mmio_store_value(&op, &regs, rsp) == PATTERN_RSP);
	op = DECODE(CS_64, 0x40, 0x88, 0x20); /* mov spl, (rax) */
	assert_int_equal(mmio_store_value(&op, &regs, rsp), 0x11);
	op = DECODE(CS_64, 0x87, 0x20); /* xchg esp, (rax) */
	mmio_finish_read(&op, 0xa5a5a5a5, &regs, &rsp, &rflags);
	assert_true(rsp == 0xa5a5a5a5);
	assert_int_equal(mmio_store_value(&op, &regs, rsp), 0x44332211);
	assert_memory_equal(&regs, &want, sizeof(regs));
}

static void stores(void **state)
{
	struct hvm_regs regs = pattern_regs();
	struct mmio_op op;

	(void)state;
	op = DECODE(CS_64, 0x88, 0x30); /* mov dh, (rax) */
	assert_int_equal(mmio_store_value(&op, &regs, 0), 0x77);
	op = DECODE(CS_64, 0x66, 0x89, 0x30);
	assert_int_equal(mmio_store_value(&op, &regs, 0), 0x7788);
	op = DECODE(CS_64, 0xc7, 0x00, 0xff, 0xff, 0xff, 0xff);
	assert_true(mmio_store_value(&op, &regs, 0) == 0xffffffff);
	op = DECODE(CS_64, 0xab);
	assert_int_equal(mmio_store_value(&op, &regs, 0), 0x55667788);
}

/* The register may be an operand of the value that memory gets: it must be taken before it changes. */
static void exchange_and_read_modify_write(void **state)
{
	struct hvm_regs regs = pattern_regs();
	uint64_t rsp = 0, rflags = RFLAGS_CF;
	struct mmio_op op = DECODE(CS_64, 0x86, 0x20); /* xchg ah, (rax) */

	(void)state;
	mmio_finish_read(&op, 0xee, &regs, &rsp, &rflags);
	assert_int_equal(mmio_store_value(&op, &regs, rsp), 0x77);
	assert_true(regs.gpr[RAX] == 0x112233445566ee88);
	op = DECODE(CS_64, 0xf0, 0x10, 0x08); /* lock adc cl, (rax): 0x88 + 0x77 + 1 */
	mmio_finish_read(&op, 0x77, &regs, &rsp, &rflags);
	assert_int_equal(mmio_store_value(&op, &regs, rsp), 0);
	assert_int_equal(rflags, RFLAGS_CF | RFLAGS_ZF | RFLAGS_PF | RFLAGS_AF);
	assert_true(regs.gpr[RCX] == PATTERN);
}

/* SDM v2, "STOS": "if the DF flag is 0, the register is incremented; if the DF flag is 1, the register is decremented";
 * "REP": "Repeats a string instruction the number of times specified in the count register". */
static void strings_move_by_address_size(void **state)
{
	struct hvm_regs regs = { .gpr = { [RCX] = 0xaaaa00010002, [RDI] = 0xbbbb0000fffe, [RSI] = 0xccccfffffffe } };
	struct mmio_op op = DECODE(CS_64, 0xf3, 0x66, 0x67, 0xab);

	(void)state;
	assert_true(mmio_finish_string(&op, &regs, 0));
	assert_true(regs.gpr[RDI] == 0x00010000);
	assert_true(regs.gpr[RCX] == 0x00010001);
	op = DECODE(CS_16, 0xf3, 0xad);
	assert_false(mmio_finish_string(&op, &regs, 0));
	assert_true(regs.gpr[RSI] == 0xccccffff0000);
	assert_true(regs.gpr[RCX] == 0x00010000);
	assert_false(mmio_finish_string(&op, &regs, RFLAGS_DF));
	assert_true(regs.gpr[RSI] == 0xccccfffffffe);
	assert_true(regs.gpr[RCX] == 0x00010000);
	op = DECODE(CS_64, 0x48, 0xad);
	assert_false(mmio_finish_string(&op, &regs, 0));
	assert_true(regs.gpr[RSI] == 0xcccd00000006);
	assert_true(regs.gpr[RCX] == 0x00010000);
}

static void only_strings_repeat(void **state)
{
	struct hvm_regs regs = pattern_regs(), want = regs;
	struct mmio_op op = DECODE(CS_64, 0x89, 0x00);

	(void)state;
	assert_false(mmio_finish_string(&op, &regs, 0));
	assert_memory_equal(&regs, &want, sizeof(regs));
}

/* ---- the other decoders ---- */

static uint8_t simple_len(uint16_t opcode, const uint8_t *insn, size_t len)
{
	uint8_t *copy = malloc(len), ret;

	memcpy(copy, insn, len);
	for (size_t avail = 0; avail < len; avail++)
		assert_int_equal(insn_simple_len(copy, avail, opcode), 0);
	ret = insn_simple_len(copy, len, opcode);
	free(copy);
	return ret;
}

static void length_of_prefixes_and_opcode(void **state)
{
	(void)state;
	assert_int_equal(simple_len(0xf4, BYTES(0xf4)), 1);
	assert_int_equal(simple_len(0xf4, BYTES(0x66, 0x3e, 0x48, 0xf4)), 4);
	assert_int_equal(simple_len(0x0fa2, BYTES(0x0f, 0xa2)), 2);
	assert_int_equal(simple_len(0x0f30, BYTES(0xf3, 0x48, 0x0f, 0x30)), 4);
	assert_int_equal(simple_len(0x0f30, BYTES(0x0f, 0x32)), 0);
	assert_int_equal(simple_len(0xf4, BYTES(0x0f, 0xf4)), 0);
	assert_int_equal(simple_len(0xf4, BYTES(0xf0, 0xf4)), 0);
	assert_int_equal(simple_len(0xf4, BYTES(0x90, 0xf4)), 0);
}

struct mov_cr {
	uint8_t len, cr, gpr;
};

static struct mov_cr mov_cr(enum cs_mode mode, const uint8_t *insn, size_t len)
{
	uint8_t *copy = malloc(len);
	struct mov_cr m;

	memcpy(copy, insn, len);
	for (size_t avail = 0; avail < len; avail++)
		assert_int_equal(insn_mov_to_cr(copy, avail, mode, &m.cr, &m.gpr), 0);
	m.len = insn_mov_to_cr(copy, len, mode, &m.cr, &m.gpr);
	free(copy);
	return m;
}
#define ASSERT_MOV_CR(l, c, r, mode, ...)                      \
	do {                                                   \
		struct mov_cr m = mov_cr(mode, BYTES(__VA_ARGS__)); \
		assert_int_equal(m.len, l);                    \
		assert_int_equal(m.cr, c);                     \
		assert_int_equal(m.gpr, r);                    \
	} while (0)

/* SDM v2, "MOV—Move to/from Control Registers": "The 2 bits in the mod field are ignored." */
static void mov_to_control_register(void **state)
{
	(void)state;
	ASSERT_MOV_CR(3, 4, RAX, CS_32, 0x0f, 0x22, 0xe0);
	ASSERT_MOV_CR(3, 4, RSP, CS_16, 0x0f, 0x22, 0x24);
	ASSERT_MOV_CR(4, 8, RBX, CS_64, 0x44, 0x0f, 0x22, 0xc3);
	ASSERT_MOV_CR(4, 4, R15, CS_64, 0x41, 0x0f, 0x22, 0x67);
	ASSERT_MOV_CR(5, 0, RBX, CS_64, 0x44, 0x66, 0x0f, 0x22, 0xc3);
	assert_int_equal(mov_cr(CS_64, BYTES(0x0f, 0x20, 0xe0)).len, 0);
	assert_int_equal(mov_cr(CS_32, BYTES(0x44, 0x0f, 0x22, 0xc3)).len, 0);
}

/* APM v3, "MOV CRn": "CR8 can be read and written in all modes using a LOCK prefix instead of a REX prefix to specify
 * the additional opcode bit." */
static void lock_mov_cr0_is_cr8(void **state)
{
	(void)state;
	ASSERT_MOV_CR(4, 8, RCX, CS_32, 0xf0, 0x0f, 0x22, 0xc1);
	ASSERT_MOV_CR(5, 8, R9, CS_64, 0xf0, 0x41, 0x0f, 0x22, 0xc1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(modrm32_length),
		cmocka_unit_test(modrm16_length),
		cmocka_unit_test(moffs_length_is_address_size),
		cmocka_unit_test(immediates_are_sign_extended),
		cmocka_unit_test(more_than_fifteen_bytes_are_no_instruction),
		cmocka_unit_test(rex_counts_only_before_the_opcode),
		cmocka_unit_test(any_rex_hides_the_high_bytes),
		cmocka_unit_test(operand_size),
		cmocka_unit_test(segment_prefixes_are_skipped),
		cmocka_unit_test(lock_only_where_memory_is_read_and_written),
		cmocka_unit_test(rep_only_on_strings),
		cmocka_unit_test(alu_rows),
		cmocka_unit_test(extensions),
		cmocka_unit_test(reads_and_writes),
		cmocka_unit_test(refused),
		cmocka_unit_test(loads_merge_by_size),
		cmocka_unit_test(rsp_is_elsewhere),
		cmocka_unit_test(stores),
		cmocka_unit_test(exchange_and_read_modify_write),
		cmocka_unit_test(strings_move_by_address_size),
		cmocka_unit_test(only_strings_repeat),
		cmocka_unit_test(length_of_prefixes_and_opcode),
		cmocka_unit_test(mov_to_control_register),
		cmocka_unit_test(lock_mov_cr0_is_cr8),
	};

	return cmocka_run_group_tests_name("mmio", tests, NULL, NULL);
}
