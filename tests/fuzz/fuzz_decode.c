/* SPDX-License-Identifier: BSD-2-Clause
 * Fuzzes the instruction decoder against Zydis: what it takes must mean what Zydis says, what it refuses must not be on the list of
 * what is promised, and it must ask for no byte more than there are.
 * Knows nothing of the decoder's inside. Input: one byte of mode, then the instruction. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <Zydis/Zydis.h>

#include "core/decode.h"
#include "status.h"

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

/* ---- operations ---- */

#define ONE(name) { ZYDIS_MNEMONIC_##name }
#define SIZES(name) { ZYDIS_MNEMONIC_##name##B, ZYDIS_MNEMONIC_##name##W, ZYDIS_MNEMONIC_##name##D, ZYDIS_MNEMONIC_##name##Q }
#define MNEMONICS 4
static const ZydisMnemonic names[][MNEMONICS] = {
	[INSN_ADD] = ONE(ADD), [INSN_OR] = ONE(OR), [INSN_ADC] = ONE(ADC), [INSN_SBB] = ONE(SBB), [INSN_AND] = ONE(AND),
	[INSN_SUB] = ONE(SUB), [INSN_XOR] = ONE(XOR), [INSN_CMP] = ONE(CMP), [INSN_TEST] = ONE(TEST), [INSN_INC] = ONE(INC),
	[INSN_DEC] = ONE(DEC), [INSN_NOT] = ONE(NOT), [INSN_NEG] = ONE(NEG),
	[INSN_MOV] = { ZYDIS_MNEMONIC_MOV, ZYDIS_MNEMONIC_MOVNTI }, [INSN_MOVZX] = ONE(MOVZX),
	[INSN_MOVSX] = { ZYDIS_MNEMONIC_MOVSX, ZYDIS_MNEMONIC_MOVSXD }, [INSN_XCHG] = ONE(XCHG), [INSN_CMPXCHG] = ONE(CMPXCHG),
	[INSN_XADD] = ONE(XADD), [INSN_BT] = ONE(BT), [INSN_BTS] = ONE(BTS), [INSN_BTR] = ONE(BTR), [INSN_BTC] = ONE(BTC),
	[INSN_PUSH] = ONE(PUSH), [INSN_POP] = ONE(POP), [INSN_MOVS] = SIZES(MOVS), [INSN_CMPS] = SIZES(CMPS),
	[INSN_STOS] = SIZES(STOS), [INSN_LODS] = SIZES(LODS), [INSN_SCAS] = SIZES(SCAS),
	[INSN_INS] = { ZYDIS_MNEMONIC_INSB, ZYDIS_MNEMONIC_INSW, ZYDIS_MNEMONIC_INSD },
	[INSN_OUTS] = { ZYDIS_MNEMONIC_OUTSB, ZYDIS_MNEMONIC_OUTSW, ZYDIS_MNEMONIC_OUTSD },
	[INSN_LMSW] = ONE(LMSW), [INSN_MOV_TO_CR] = ONE(MOV), [INSN_MOV_FROM_CR] = ONE(MOV), [INSN_MOV_TO_DR] = ONE(MOV), [INSN_MOV_FROM_DR] = ONE(MOV),
};
/* What exits by itself, and is asked for its length. */
static const ZydisMnemonic exiting[] = {
	ZYDIS_MNEMONIC_HLT, ZYDIS_MNEMONIC_CPUID, ZYDIS_MNEMONIC_INVD, ZYDIS_MNEMONIC_WBINVD, ZYDIS_MNEMONIC_RDMSR, ZYDIS_MNEMONIC_WRMSR,
	ZYDIS_MNEMONIC_RDPMC, ZYDIS_MNEMONIC_RDTSC, ZYDIS_MNEMONIC_RDTSCP, ZYDIS_MNEMONIC_XSETBV, ZYDIS_MNEMONIC_VMMCALL,
	ZYDIS_MNEMONIC_VMCALL, ZYDIS_MNEMONIC_INVLPG,
};

static bool is_named(enum insn_op op, ZydisMnemonic m)
{
	for (unsigned i = 0; i < MNEMONICS; i++)
		if (names[op][i] == m)
			return m != ZYDIS_MNEMONIC_INVALID;
	return false;
}

static bool is_exiting(ZydisMnemonic m)
{
	for (size_t i = 0; i < sizeof(exiting) / sizeof(*exiting); i++)
		if (exiting[i] == m)
			return true;
	return false;
}

static bool is_string(ZydisMnemonic m)
{
	for (unsigned op = INSN_MOVS; op <= INSN_OUTS; op++)
		if (is_named((enum insn_op)op, m))
			return true;
	return false;
}

/* ---- the promised list ---- */

static bool has_class(const struct oracle *o, ZydisRegisterClass a)
{
	for (unsigned i = 0; i < o->insn.operand_count_visible; i++)
		if (o->operands[i].type == ZYDIS_OPERAND_TYPE_REGISTER && ZydisRegisterGetClass(o->operands[i].reg.value) == a)
			return true;
	return false;
}

static bool has_memory(const struct oracle *o)
{
	for (unsigned i = 0; i < o->insn.operand_count_visible; i++)
		if (o->operands[i].type == ZYDIS_OPERAND_TYPE_MEMORY)
			return true;
	return false;
}

static bool is_listed(ZydisMnemonic m)
{
	for (unsigned op = INSN_ADD; op <= INSN_OUTS; op++)
		if (is_named((enum insn_op)op, m))
			return true;
	return false;
}

/* Of the list, whatever reaches memory. A segment register makes another instruction of MOV, PUSH and POP. */
static bool is_promised(const struct oracle *o)
{
	ZydisMnemonic m = o->insn.mnemonic;

	if (!o->valid || o->insn.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY || has_class(o, ZYDIS_REGCLASS_SEGMENT))
		return false;
	if (is_exiting(m) || has_class(o, ZYDIS_REGCLASS_CONTROL) || has_class(o, ZYDIS_REGCLASS_DEBUG))
		return true;
	if (is_string(m)) /* MOVSD and CMPSD are names of SSE's too */
		return o->insn.opcode_map == ZYDIS_OPCODE_MAP_DEFAULT;
	return is_listed(m) && (has_memory(o) || m == ZYDIS_MNEMONIC_PUSH || m == ZYDIS_MNEMONIC_POP);
}

/* ---- what was taken ---- */

static uint64_t mask_of(unsigned bytes)
{
	return bytes >= sizeof(uint64_t) ? UINT64_MAX : (1ull << (8 * bytes)) - 1;
}

/* Which bits count: of the offset of a bit, no more than a byte has. */
static uint64_t imm_mask(const struct insn *i)
{
	return mask_of(i->op >= INSN_BT && i->op <= INSN_BTC ? 1 : i->size);
}

static uint8_t number_of(ZydisRegister reg)
{
	int id = ZydisRegisterGetId(reg);

	if (reg >= ZYDIS_REGISTER_CR0 && reg <= ZYDIS_REGISTER_CR15)
		return (uint8_t)(reg - ZYDIS_REGISTER_CR0);
	if (reg >= ZYDIS_REGISTER_DR0 && reg <= ZYDIS_REGISTER_DR15)
		return (uint8_t)(reg - ZYDIS_REGISTER_DR0);
	/* Zydis numbers the byte registers AL CL DL BL AH CH DH BH SPL BPL SIL DIL R8B... */
	if (ZydisRegisterGetClass(reg) == ZYDIS_REGCLASS_GPR8 && reg >= ZYDIS_REGISTER_AH)
		id -= 4;
	return (uint8_t)id;
}

static uint8_t address_register(ZydisRegister reg)
{
	if (reg == ZYDIS_REGISTER_NONE)
		return NO_REG;
	return reg == ZYDIS_REGISTER_RIP || reg == ZYDIS_REGISTER_EIP ? BASE_RIP : number_of(reg);
}

static enum sreg segment_of(ZydisRegister reg)
{
	return (enum sreg)(reg - ZYDIS_REGISTER_ES);
}

static void check_memory(const struct insn *i, const ZydisDecodedOperandMem *mem)
{
	uint64_t disp = mem->disp.has_displacement ? (uint64_t)mem->disp.value : 0;

	CHECK(i->mem.sreg == segment_of(mem->segment));
	CHECK(i->mem.base == address_register(mem->base));
	CHECK(i->mem.index == address_register(mem->index));
	CHECK(i->mem.index == NO_REG || i->mem.scale == mem->scale);
	CHECK(((i->mem.disp ^ disp) & mask_of(i->addr_size)) == 0);
}

/* To or from a control or debug register: always all of it. */
static bool moves_special(enum insn_op op)
{
	return op >= INSN_MOV_TO_CR && op <= INSN_MOV_FROM_DR;
}

static void check_operand(const struct insn *i, const struct operand *ours, unsigned size, const ZydisDecodedOperand *op)
{
	ZydisRegister reg = op->reg.value;

	switch (op->type) {
	case ZYDIS_OPERAND_TYPE_REGISTER:
		CHECK(ours->kind == OPERAND_REG && ours->reg == number_of(reg));
		CHECK(ours->high == (reg >= ZYDIS_REGISTER_AH && reg <= ZYDIS_REGISTER_BH));
		CHECK(moves_special((enum insn_op)i->op) || size * 8 == op->size);
		break;
	case ZYDIS_OPERAND_TYPE_MEMORY:
		CHECK(ours->kind == OPERAND_MEM && size * 8 == op->size);
		check_memory(i, &op->mem);
		break;
	case ZYDIS_OPERAND_TYPE_IMMEDIATE:
		CHECK(ours->kind == OPERAND_IMM && ((i->imm ^ op->imm.value.u) & imm_mask(i)) == 0);
		break;
	default: CHECK(!"a kind of operand that is not promised");
	}
}

/* SDM v2, "MOVSXD": "MOVSXD r16, r/m16: Move word to word with sign-extension"; Zydis has the 32 bits that AMD's CPUs read. */
static bool is_short_movsxd(const struct oracle *o)
{
	return o->insn.mnemonic == ZYDIS_MNEMONIC_MOVSXD && o->insn.operand_width == 16;
}

static void check_operands(const struct insn *i, const struct oracle *o)
{
	unsigned n = o->insn.operand_count_visible;
	bool source_alone = i->op == INSN_PUSH || i->op == INSN_LMSW;

	CHECK(n == 1 || n == 2);
	CHECK((i->dst.kind == OPERAND_NONE) == source_alone);
	CHECK((i->src.kind == OPERAND_NONE) == (n == 1 && !source_alone));
	if (!source_alone)
		check_operand(i, &i->dst, i->size, &o->operands[0]);
	if (i->src.kind != OPERAND_NONE)
		check_operand(i, &i->src, is_short_movsxd(o) ? o->operands[n - 1].size / 8u : i->src_size, &o->operands[n - 1]);
}

/* The operand at [rSI]; that at ES:[rDI] cannot be another. */
static void check_string(const struct insn *i, const struct oracle *o)
{
	static const uint8_t widths[] = { 8, 16, 32, 64 };

	for (unsigned k = 0; k < o->insn.operand_count; k++) {
		const ZydisDecodedOperand *op = &o->operands[k];

		if (op->type != ZYDIS_OPERAND_TYPE_MEMORY)
			continue;
		CHECK(i->size * 8 == op->size);
		if (address_register(op->mem.base) == RSI)
			CHECK(i->mem.sreg == segment_of(op->mem.segment));
		else
			CHECK(address_register(op->mem.base) == RDI && op->mem.segment == ZYDIS_REGISTER_ES);
	}
	for (unsigned k = 0; k < MNEMONICS; k++)
		CHECK(names[i->op][k] != o->insn.mnemonic || i->size * 8 == widths[k]);
}

static void check_prefixes(const struct insn *i, const struct oracle *o)
{
	uint8_t repeat = 0;
	bool lock = false;

	for (unsigned k = 0; k < o->insn.raw.prefix_count; k++) {
		uint8_t prefix = o->insn.raw.prefixes[k].value;

		lock |= prefix == 0xf0;
		if (prefix == 0xf2 || prefix == 0xf3)
			repeat = prefix;
	}
	CHECK(i->lock == (lock && !has_class(o, ZYDIS_REGCLASS_CONTROL)));
	CHECK(i->repne == (repeat == 0xf2) && i->rep == (repeat == 0xf3));
}

static void check_taken(const struct insn *i, const struct oracle *o, size_t len)
{
	CHECK(i->len <= len && i->len <= INSN_MAX);
	/* Zydis knows neither CR9 and the like, nor LOCK with any but CR0, nor all that ModRM makes of 0F 01. */
	if (!o->valid && (i->op == INSN_EXITS || moves_special((enum insn_op)i->op)))
		return;
	CHECK(o->valid && i->len == o->insn.length);
	if (i->op == INSN_EXITS)
		return;
	CHECK(is_named((enum insn_op)i->op, o->insn.mnemonic));
	CHECK(i->addr_size * 8 == o->insn.address_width);
	if (i->op == INSN_PUSH) /* an immediate's width is its own */
		CHECK(i->size * 8 == o->insn.operand_width);
	check_prefixes(i, o);
	if (insn_is_string(i))
		check_string(i, o);
	else
		check_operands(i, o);
}

/* ---- bytes ---- */

/* From less than the whole of it, more is asked for; from more, nothing else comes. Each copy is exactly as long as it says, so that the
 * sanitizer sees a read beyond it. */
static int decode_exactly(const uint8_t *bytes, size_t len, enum cs_mode mode, struct insn *out)
{
	uint8_t *copy = malloc(len ? len : 1);
	int err;

	memcpy(copy, bytes, len);
	err = insn_decode(copy, len, mode, out);
	free(copy);
	return err;
}

static void check_lengths(const uint8_t *bytes, const struct insn *whole, enum cs_mode mode)
{
	struct insn i;

	for (size_t n = 0; n < whole->len; n++)
		CHECK(decode_exactly(bytes, n, mode, &i) == E_FAULT);
	CHECK(decode_exactly(bytes, whole->len, mode, &i) == 0 && i.op == whole->op && i.len == whole->len);
}

static void check_bytes(const uint8_t *bytes, size_t len, enum cs_mode mode)
{
	struct oracle o = ask(bytes, len, mode);
	struct insn i;
	int err = decode_exactly(bytes, len, mode, &i);

	CHECK(err == 0 || err == E_INVAL || (err == E_FAULT && len < INSN_MAX && !o.valid));
	if (err == 0) {
		check_taken(&i, &o, len);
		check_lengths(bytes, &i, mode);
	} else if (is_promised(&o)) {
		CHECK(!"refused, though it is promised");
	}
}

/* A table has no branches that would lead the fuzzer from one opcode to the next: now and then one byte takes all its values. */
#define SWEEPS 0xf0
#define SWEPT 8
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t bytes[INSN_MAX + 1];
	enum cs_mode mode;
	size_t len;

	if (size < 2)
		return 0;
	mode = data[0] % (CS_64 + 1);
	len = size - 1 < sizeof(bytes) ? size - 1 : sizeof(bytes);
	memcpy(bytes, data + 1, len);
	if (data[0] < SWEEPS) {
		check_bytes(bytes, len, mode);
		return 0;
	}
	for (unsigned b = 0; b <= UINT8_MAX; b++) {
		bytes[data[size - 1] % SWEPT % len] = (uint8_t)b;
		check_bytes(bytes, len, mode);
	}
	return 0;
}
