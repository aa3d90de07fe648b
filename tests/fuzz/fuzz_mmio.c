/* SPDX-License-Identifier: BSD-2-Clause
 * Fuzzes the instruction decoder against Zydis: what it takes must mean what Zydis says, and what it refuses must not
 * be on the list of what it promises.
 * Knows nothing of the decoder's inside. Input: one byte of mode, then the instruction. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <Zydis/Zydis.h>

#include "core/mmio.h"
#include "types.h"

#define CHECK(cond)                                                            \
	do {                                                                   \
		if (!(cond)) {                                                 \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond); \
			abort();                                               \
		}                                                              \
	} while (0)

struct oracle {
	ZydisDecodedInstruction insn;
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	bool valid;
};

static struct oracle ask(const uint8_t *insn, size_t len, enum cs_mode mode)
{
	static const ZydisMachineMode machine[] = { ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_MACHINE_MODE_LEGACY_32,
						    ZYDIS_MACHINE_MODE_LONG_64 };
	static const ZydisStackWidth stack[] = { ZYDIS_STACK_WIDTH_16, ZYDIS_STACK_WIDTH_32, ZYDIS_STACK_WIDTH_64 };
	struct oracle o = { .valid = false };
	ZydisDecoder decoder;

	CHECK(ZYAN_SUCCESS(ZydisDecoderInit(&decoder, machine[mode], stack[mode])));
	o.valid = ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, insn, len, &o.insn, o.operands));
	return o;
}

/* ---- the promised list ---- */

static bool one_byte_promised(const ZydisDecodedInstruction *i)
{
	uint8_t op = i->opcode, digit = i->raw.modrm.reg;

	if (op < 0x40)
		return (op & 7) < 4;
	switch (op) {
	case 0x63:
		return i->mnemonic == ZYDIS_MNEMONIC_MOVSXD;
	case 0x80: case 0x81: case 0x83:
	case 0x84: case 0x85: case 0x86: case 0x87: case 0x88: case 0x89: case 0x8a: case 0x8b:
	case 0xa0: case 0xa1: case 0xa2: case 0xa3:
	case 0xaa: case 0xab: case 0xac: case 0xad:
		return true;
	case 0xc6: case 0xc7:
		return digit == 0;
	case 0xf6: case 0xf7:
		return digit == 0 || digit == 2 || digit == 3;
	case 0xfe: case 0xff:
		return digit < 2;
	default:
		return false;
	}
}

static bool two_byte_promised(const ZydisDecodedInstruction *i)
{
	return i->opcode == 0xb6 || i->opcode == 0xb7 || i->opcode == 0xbe || i->opcode == 0xbf;
}

static bool has_prefix(const ZydisDecodedInstruction *i, uint8_t prefix)
{
	for (int k = 0; k < i->raw.prefix_count; k++)
		if (i->raw.prefixes[k].value == prefix)
			return true;
	return false;
}

static bool is_rep(const ZydisDecodedInstruction *i)
{
	return has_prefix(i, 0xf2) || has_prefix(i, 0xf3);
}

static bool is_string(const ZydisDecodedInstruction *i)
{
	return i->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT && i->opcode >= 0xaa && i->opcode <= 0xad;
}

static bool promised(const struct oracle *o)
{
	const ZydisDecodedInstruction *i = &o->insn;

	if (!o->valid || i->encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY)
		return false;
	if ((i->attributes & ZYDIS_ATTRIB_HAS_MODRM) && i->raw.modrm.mod == 3)
		return false;
	if (is_rep(i) && !is_string(i))
		return false;
	if (i->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT)
		return one_byte_promised(i);
	return i->opcode_map == ZYDIS_OPCODE_MAP_0F && two_byte_promised(i);
}

/* ---- what was taken ---- */

static const ZydisDecodedOperand *operand_of(const struct oracle *o, ZydisOperandType type)
{
	for (int k = 0; k < o->insn.operand_count; k++) {
		const ZydisDecodedOperand *op = &o->operands[k];

		if (op->type == type && (op->visibility != ZYDIS_OPERAND_VISIBILITY_HIDDEN || is_string(&o->insn)))
			return op;
	}
	return NULL;
}

static void check_register(const struct mmio_op *op, ZydisRegister reg)
{
	bool high = reg >= ZYDIS_REGISTER_AH && reg <= ZYDIS_REGISTER_BH;
	int id = ZydisRegisterGetId(reg);

	/* Zydis numbers the byte registers AL CL DL BL AH CH DH BH SPL BPL SIL DIL R8B... */
	if (ZydisRegisterGetClass(reg) == ZYDIS_REGCLASS_GPR8 && reg >= ZYDIS_REGISTER_AH)
		id -= 4;
	CHECK(op->reg == id);
	CHECK(op->high_byte == high);
	CHECK(op->reg_size * 8 == ZydisRegisterGetWidth(ZYDIS_MACHINE_MODE_LONG_64, reg));
}

static enum mmio_kind kind_of(const struct oracle *o, const ZydisDecodedOperand *mem)
{
	bool reads = mem->actions & ZYDIS_OPERAND_ACTION_MASK_READ, writes = mem->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE;

	switch (o->insn.mnemonic) {
	case ZYDIS_MNEMONIC_STOSB: case ZYDIS_MNEMONIC_STOSW: case ZYDIS_MNEMONIC_STOSD: case ZYDIS_MNEMONIC_STOSQ:
		return MMIO_STOS;
	case ZYDIS_MNEMONIC_LODSB: case ZYDIS_MNEMONIC_LODSW: case ZYDIS_MNEMONIC_LODSD: case ZYDIS_MNEMONIC_LODSQ:
		return MMIO_LODS;
	case ZYDIS_MNEMONIC_XCHG:
		return MMIO_XCHG;
	case ZYDIS_MNEMONIC_MOV: case ZYDIS_MNEMONIC_MOVZX: case ZYDIS_MNEMONIC_MOVSX: case ZYDIS_MNEMONIC_MOVSXD:
		CHECK(reads != writes);
		return writes ? MMIO_STORE : MMIO_LOAD;
	default:
		return writes ? MMIO_RMW : MMIO_ALU;
	}
}

static enum mmio_ext ext_of(ZydisMnemonic m)
{
	if (m == ZYDIS_MNEMONIC_MOVZX)
		return EXT_ZERO;
	return m == ZYDIS_MNEMONIC_MOVSX || m == ZYDIS_MNEMONIC_MOVSXD ? EXT_SIGN : EXT_NONE;
}

static const ZydisMnemonic alu_mnemonic[] = {
	[ALU_ADD] = ZYDIS_MNEMONIC_ADD,   [ALU_OR] = ZYDIS_MNEMONIC_OR,   [ALU_ADC] = ZYDIS_MNEMONIC_ADC,
	[ALU_SBB] = ZYDIS_MNEMONIC_SBB,   [ALU_AND] = ZYDIS_MNEMONIC_AND, [ALU_SUB] = ZYDIS_MNEMONIC_SUB,
	[ALU_XOR] = ZYDIS_MNEMONIC_XOR,   [ALU_CMP] = ZYDIS_MNEMONIC_CMP, [ALU_TEST] = ZYDIS_MNEMONIC_TEST,
	[ALU_INC] = ZYDIS_MNEMONIC_INC,   [ALU_DEC] = ZYDIS_MNEMONIC_DEC, [ALU_NOT] = ZYDIS_MNEMONIC_NOT,
	[ALU_NEG] = ZYDIS_MNEMONIC_NEG,
};

/* Which of the CPU's operands are read and written says the direction. */
static void check_direction(const struct mmio_op *op, const struct oracle *o, const ZydisDecodedOperand *mem)
{
	CHECK(op->kind == kind_of(o, mem));
	CHECK(mmio_reads(op) == !!(mem->actions & ZYDIS_OPERAND_ACTION_MASK_READ));
	CHECK(mmio_writes(op) == !!(mem->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE));
	CHECK(op->ext == ext_of(o->insn.mnemonic));
	if (op->kind != MMIO_ALU && op->kind != MMIO_RMW)
		return;
	CHECK(op->alu < ARRAY_SIZE(alu_mnemonic) && o->insn.mnemonic == alu_mnemonic[op->alu]);
	CHECK(op->mem_first == (mem == &o->operands[0]));
}

static void check_imm(const struct mmio_op *op, const struct oracle *o)
{
	const ZydisDecodedOperand *imm = operand_of(o, ZYDIS_OPERAND_TYPE_IMMEDIATE);
	uint64_t mask = op->size == 8 ? UINT64_MAX : (1ull << (8 * op->size)) - 1;

	CHECK(op->has_imm == (imm != NULL));
	if (imm)
		CHECK(((op->imm ^ imm->imm.value.u) & mask) == 0);
}

/* SDM v2, "MOVSXD": "MOVSXD r16, r/m16: Move word to word with sign-extension"; Zydis reads what AMD's CPUs read, 32
 * bits, and the register gets the same. */
static unsigned memory_width(const struct oracle *o, const ZydisDecodedOperand *mem)
{
	if (o->insn.mnemonic == ZYDIS_MNEMONIC_MOVSXD && o->insn.operand_width == 16)
		return 16;
	return mem->size;
}

static void check_taken(const struct mmio_op *op, const struct oracle *o, size_t len)
{
	const ZydisDecodedOperand *mem, *reg;

	CHECK(promised(o));
	CHECK(op->len <= len && op->len == o->insn.length);
	CHECK(op->addr_size * 8 == o->insn.address_width);
	CHECK(op->rep == is_rep(&o->insn));
	mem = operand_of(o, ZYDIS_OPERAND_TYPE_MEMORY);
	CHECK(mem && op->size * 8 == memory_width(o, mem));
	check_direction(op, o, mem);
	check_imm(op, o);
	reg = operand_of(o, ZYDIS_OPERAND_TYPE_REGISTER);
	CHECK(op->has_imm || reg || op->alu >= ALU_INC);
	if (reg)
		check_register(op, reg->reg.value);
	/* Every operand but an extended load's is as wide as the operation. */
	if (op->ext != EXT_NONE)
		CHECK(op->reg_size * 8 == o->insn.operand_width);
	else
		CHECK(op->reg_size == op->size && op->size * 8 == o->insn.operand_width);
}

static void fuzz_mmio(const uint8_t *insn, size_t len, enum cs_mode mode, const struct oracle *o)
{
	struct mmio_op op;

	if (mmio_decode(insn, len, mode, &op))
		CHECK(!promised(o));
	else
		check_taken(&op, o, len);
}

/* ---- the other decoders ---- */

static void fuzz_mov_cr(const uint8_t *insn, size_t len, enum cs_mode mode, const struct oracle *o)
{
	bool is_mov = o->valid && o->insn.mnemonic == ZYDIS_MNEMONIC_MOV && o->insn.opcode_map == ZYDIS_OPCODE_MAP_0F &&
		      o->insn.opcode == 0x22;
	uint8_t cr, gpr, n = insn_mov_to_cr(insn, len, mode, &cr, &gpr);

	CHECK(n || !is_mov);
	if (!n)
		return;
	CHECK(n <= len && n <= INSN_MAX && insn[n - 2] == 0x22 && cr < GPRS && gpr < GPRS);
	if (!is_mov) /* Zydis knows neither CR9 and the like nor LOCK with any but CR0 */
		return;
	CHECK(n == o->insn.length);
	CHECK(cr == o->operands[0].reg.value - ZYDIS_REGISTER_CR0);
	CHECK(gpr == ZydisRegisterGetId(o->operands[1].reg.value));
}

static void fuzz_simple(const uint8_t *insn, size_t len, enum cs_mode mode, const struct oracle *o)
{
	static const struct {
		uint16_t opcode;
		ZydisMnemonic mnemonic;
	} simple[] = {
		{ 0xf4, ZYDIS_MNEMONIC_HLT },     { 0x0fa2, ZYDIS_MNEMONIC_CPUID }, { 0x0f08, ZYDIS_MNEMONIC_INVD },
		{ 0x0f30, ZYDIS_MNEMONIC_WRMSR }, { 0x0f32, ZYDIS_MNEMONIC_RDMSR }, { 0x0f33, ZYDIS_MNEMONIC_RDPMC },
	};

	for (size_t k = 0; k < ARRAY_SIZE(simple); k++) {
		uint8_t n = insn_simple_len(insn, len, simple[k].opcode);

		CHECK(n <= len && n <= INSN_MAX);
		if (o->valid && o->insn.mnemonic == simple[k].mnemonic)
			CHECK(n == o->insn.length);
		else if (o->valid && mode == CS_64)
			CHECK(n == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *insn;
	struct oracle o;
	enum cs_mode mode;
	size_t len;

	if (size < 2)
		return 0;
	mode = data[0] % (CS_64 + 1);
	len = size - 1;
	/* Exactly as long as it says, so that the sanitizer sees a read beyond it. */
	insn = malloc(len);
	memcpy(insn, data + 1, len);
	o = ask(insn, len, mode);
	fuzz_mmio(insn, len, mode, &o);
	fuzz_mov_cr(insn, len, mode, &o);
	fuzz_simple(insn, len, mode, &o);
	free(insn);
	return 0;
}
