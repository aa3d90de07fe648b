/* SPDX-License-Identifier: BSD-2-Clause
 * Random instructions of the promised list, with prefixes and addressing forms of all kinds.
 * Knows nothing of either CPU, nor of the decoder. */
#include "maker.h"

#include <string.h>

#include "x86.h"

/* ---- the promised list ---- */

static const struct form forms[] = {
	{ "add", 0x00, 2, ANY_REG, 1, IMM_NONE, LOCKABLE | BYTE_FIRST },
	{ "add r", 0x02, 2, ANY_REG, 1, IMM_NONE, BYTE_FIRST },
	{ "or", 0x08, 2, ANY_REG, 1, IMM_NONE, LOCKABLE | BYTE_FIRST | AF_UNDEFINED },
	{ "or r", 0x0a, 2, ANY_REG, 1, IMM_NONE, BYTE_FIRST | AF_UNDEFINED },
	{ "adc", 0x10, 2, ANY_REG, 1, IMM_NONE, LOCKABLE | BYTE_FIRST },
	{ "adc r", 0x12, 2, ANY_REG, 1, IMM_NONE, BYTE_FIRST },
	{ "sbb", 0x18, 2, ANY_REG, 1, IMM_NONE, LOCKABLE | BYTE_FIRST },
	{ "sbb r", 0x1a, 2, ANY_REG, 1, IMM_NONE, BYTE_FIRST },
	{ "and", 0x20, 2, ANY_REG, 1, IMM_NONE, LOCKABLE | BYTE_FIRST | AF_UNDEFINED },
	{ "and r", 0x22, 2, ANY_REG, 1, IMM_NONE, BYTE_FIRST | AF_UNDEFINED },
	{ "sub", 0x28, 2, ANY_REG, 1, IMM_NONE, LOCKABLE | BYTE_FIRST },
	{ "sub r", 0x2a, 2, ANY_REG, 1, IMM_NONE, BYTE_FIRST },
	{ "xor", 0x30, 2, ANY_REG, 1, IMM_NONE, LOCKABLE | BYTE_FIRST | AF_UNDEFINED },
	{ "xor r", 0x32, 2, ANY_REG, 1, IMM_NONE, BYTE_FIRST | AF_UNDEFINED },
	{ "cmp", 0x38, 4, ANY_REG, 1, IMM_NONE, BYTE_FIRST },
	{ "alu imm8", 0x80, 1, 0, 8, IMM_8, LOCKABLE | BYTE_FIRST | AF_UNDEFINED },
	{ "alu imm", 0x81, 1, 0, 8, IMM_Z, LOCKABLE | AF_UNDEFINED },
	{ "alu 82", 0x82, 1, 0, 8, IMM_8, LOCKABLE | BYTE_FIRST | NOT64 | AF_UNDEFINED },
	{ "alu simm8", 0x83, 1, 0, 8, IMM_8, LOCKABLE | AF_UNDEFINED },
	{ "test", 0x84, 2, ANY_REG, 1, IMM_NONE, BYTE_FIRST | AF_UNDEFINED },
	{ "xchg", 0x86, 2, ANY_REG, 1, IMM_NONE, LOCKABLE | BYTE_FIRST },
	{ "mov", 0x88, 4, ANY_REG, 1, IMM_NONE, BYTE_FIRST },
	{ "mov moffs", 0xa0, 4, NONE, 1, IMM_NONE, BYTE_FIRST | NO_MODRM | MOFFS },
	{ "mov imm8", 0xc6, 1, 0, 1, IMM_8, BYTE_FIRST },
	{ "mov imm", 0xc7, 1, 0, 1, IMM_Z, 0 },
	{ "test imm8", 0xf6, 1, 0, 2, IMM_8, BYTE_FIRST | AF_UNDEFINED },
	{ "test imm", 0xf7, 1, 0, 2, IMM_Z, AF_UNDEFINED },
	{ "not neg", 0xf6, 2, 2, 2, IMM_NONE, LOCKABLE | BYTE_FIRST },
	{ "inc dec", 0xfe, 2, 0, 2, IMM_NONE, LOCKABLE | BYTE_FIRST },
	{ "push mem", 0xff, 1, 6, 1, IMM_NONE, STACK },
	{ "pop mem", 0x8f, 1, 0, 1, IMM_NONE, STACK },
	{ "push", 0x50, 8, NONE, 1, IMM_NONE, STACK | NO_MODRM },
	{ "pop", 0x58, 8, NONE, 1, IMM_NONE, STACK | NO_MODRM },
	{ "push imm", 0x68, 1, NONE, 1, IMM_Z, STACK | NO_MODRM },
	{ "push imm8", 0x6a, 1, NONE, 1, IMM_8, STACK | NO_MODRM },
	{ "movsxd", 0x63, 1, ANY_REG, 1, IMM_NONE, ONLY64 },
	{ "movs", 0xa4, 2, NONE, 1, IMM_NONE, BYTE_FIRST | NO_MODRM | STRING },
	{ "cmps", 0xa6, 2, NONE, 1, IMM_NONE, BYTE_FIRST | NO_MODRM | STRING },
	{ "stos", 0xaa, 2, NONE, 1, IMM_NONE, BYTE_FIRST | NO_MODRM | STRING },
	{ "lods", 0xac, 2, NONE, 1, IMM_NONE, BYTE_FIRST | NO_MODRM | STRING },
	{ "scas", 0xae, 2, NONE, 1, IMM_NONE, BYTE_FIRST | NO_MODRM | STRING | COMPARES },
	{ "bt", 0xa3, 1, ANY_REG, 1, IMM_NONE, TWO_BYTE | BIT_STRING | BIT_FLAGS },
	{ "bts", 0xab, 1, ANY_REG, 1, IMM_NONE, TWO_BYTE | BIT_STRING | BIT_FLAGS | LOCKABLE },
	{ "btr", 0xb3, 1, ANY_REG, 1, IMM_NONE, TWO_BYTE | BIT_STRING | BIT_FLAGS | LOCKABLE },
	{ "btc", 0xbb, 1, ANY_REG, 1, IMM_NONE, TWO_BYTE | BIT_STRING | BIT_FLAGS | LOCKABLE },
	{ "bt imm", 0xba, 1, 4, 4, IMM_8, TWO_BYTE | BIT_FLAGS | LOCKABLE },
	{ "cmpxchg", 0xb0, 2, ANY_REG, 1, IMM_NONE, TWO_BYTE | BYTE_FIRST | LOCKABLE | COMPARES },
	{ "xadd", 0xc0, 2, ANY_REG, 1, IMM_NONE, TWO_BYTE | BYTE_FIRST | LOCKABLE },
	{ "movzx", 0xb6, 2, ANY_REG, 1, IMM_NONE, TWO_BYTE },
	{ "movsx", 0xbe, 2, ANY_REG, 1, IMM_NONE, TWO_BYTE },
	{ "movnti", 0xc3, 1, ANY_REG, 1, IMM_NONE, TWO_BYTE | MEMORY },
};

/* What the manual leaves open. SDM v2, "AND", "OR", "XOR", "TEST": "The state of the AF flag is undefined." "BT", "BTS", "BTR", "BTC":
 * "The CF flag contains the value of the selected bit ... The ZF flag is unaffected. The OF, SF, AF, and PF flags are undefined." */
static uint64_t undefined_flags(const struct form *f, unsigned digit)
{
	enum { OR = 1, AND = 4, XOR = 6 };

	if (f->flags & BIT_FLAGS)
		return RFLAGS_OF | RFLAGS_SF | RFLAGS_AF | RFLAGS_PF;
	if (!(f->flags & AF_UNDEFINED) || (f->digits == 8 && digit != OR && digit != AND && digit != XOR))
		return 0;
	return RFLAGS_AF;
}

/* ---- bytes ---- */

#define PREFIX_OPERAND_SIZE 0x66
#define PREFIX_ADDRESS_SIZE 0x67
#define PREFIX_LOCK 0xf0
#define PREFIX_REPNE 0xf2
#define PREFIX_REP 0xf3
#define REX 0x40
#define REX_BITS 0x0f
#define REX_W BIT(3)
#define ESCAPE 0x0f
static const uint8_t segment_prefixes[SEGMENTS] = { 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65 };

static void emit(struct maker *k, uint64_t val, size_t n)
{
	if (k->s->len + n > sizeof(k->s->insn))
		n = sizeof(k->s->insn) - k->s->len;
	memcpy(k->s->insn + k->s->len, &val, n);
	k->s->len += (uint8_t)n;
}

static uint8_t random_prefix(const struct maker *k)
{
	switch (below(k->s->m.mode == CS_64 ? 6 : 5)) {
	case 0: return PREFIX_OPERAND_SIZE;
	case 1: return PREFIX_ADDRESS_SIZE;
	case 2:
	case 3: return segment_prefixes[below(SEGMENTS)];
	case 4: return (uint8_t)(PREFIX_REPNE + below(2));
	default: return (uint8_t)(REX + below(16)); /* ignored, as it is not the last */
	}
}

static unsigned collect_prefixes(struct maker *k, uint8_t *p)
{
	const unsigned flags = k->f->flags;
	unsigned n = 0, more = one_in(8) ? below(one_in(16) ? 14 : 4) : 0;

	if (one_in(4))
		p[n++] = PREFIX_OPERAND_SIZE;
	if (one_in(4))
		p[n++] = PREFIX_ADDRESS_SIZE;
	if (one_in(3))
		p[n++] = segment_prefixes[below(SEGMENTS)];
	if (one_in(flags & LOCKABLE ? 4 : 64))
		p[n++] = PREFIX_LOCK;
	if (one_in(flags & STRING ? 2 : 32))
		p[n++] = (uint8_t)(PREFIX_REPNE + below(2));
	while (more--)
		p[n++] = random_prefix(k);
	for (unsigned i = n; i > 1; i--) {
		unsigned j = below(i);
		uint8_t t = p[i - 1];

		p[i - 1] = p[j];
		p[j] = t;
	}
	return n;
}

static void note_prefix(struct maker *k, uint8_t byte, bool *op, bool *addr)
{
	if (byte == PREFIX_OPERAND_SIZE)
		*op = true;
	if (byte == PREFIX_ADDRESS_SIZE)
		*addr = true;
	if (byte == PREFIX_LOCK)
		k->lock = true;
	if (byte == PREFIX_REP || byte == PREFIX_REPNE)
		k->rep = true;
	for (unsigned i = 0; i < SEGMENTS; i++)
		if (byte == segment_prefixes[i] && (k->s->m.mode != CS_64 || i >= SREG_FS))
			k->override = (enum sreg)i;
	k->s->m.uses_fs |= byte == segment_prefixes[SREG_FS];
}

static void make_prefixes(struct maker *k)
{
	enum cs_mode mode = k->s->m.mode;
	bool op = false, addr = false;
	uint8_t p[32];
	unsigned n = collect_prefixes(k, p);

	for (unsigned i = 0; i < n; i++) {
		note_prefix(k, p[i], &op, &addr);
		emit(k, p[i], 1);
	}
	if (mode == CS_64 && one_in(2))
		emit(k, REX + below(16), 1);
	if (mode == CS_64 && k->s->len && (k->s->insn[k->s->len - 1] & ~REX_BITS) == REX)
		k->rex = k->s->insn[k->s->len - 1];
	k->op16 = (mode == CS_16) != op && !(k->rex & REX_W);
	k->addr_size = mode == CS_64 ? (addr ? 4 : 8) : (mode == CS_16) != addr ? 2 : 4;
}

/* ---- ModRM ---- */

#define MODRM(mod, reg, rm) ((mod) << 6 | ((unsigned)(reg) & 7) << 3 | (rm))
enum { MOD_NO_DISP, MOD_DISP8, MOD_DISP, MOD_REGISTER };

static void make_disp(struct maker *k, unsigned size)
{
	k->disp_at = k->s->len;
	k->disp_size = (uint8_t)size;
	k->disp = one_in(2) ? rnd_value() : rnd() % 256 - 128;
	if (size == 1)
		k->disp = (uint64_t)(int8_t)k->disp;
	else if (size == 2)
		k->disp = (uint64_t)(int16_t)k->disp;
	else if (size == 4)
		k->disp = (uint64_t)(int32_t)k->disp;
	else if (size == 0)
		k->disp = 0;
	emit(k, k->disp, size);
}

static void make_modrm16(struct maker *k, unsigned mod, unsigned rm)
{
	static const int bases[] = { RBX, RBX, RBP, RBP, RSI, RDI, RBP, RBX };
	static const int indexes[] = { RSI, RDI, RSI, RDI, NONE, NONE, NONE, NONE };

	k->base = bases[rm];
	k->index = indexes[rm];
	if (mod == MOD_NO_DISP && rm == 6) {
		k->base = NONE;
		mod = MOD_DISP;
	}
	make_disp(k, mod);
}

static void make_modrm32(struct maker *k, unsigned mod, unsigned rm)
{
	unsigned low = rm, x = k->rex & BIT(1) ? 8 : 0, b = k->rex & BIT(0) ? 8 : 0;

	if (rm == RSP) {
		unsigned sib = below(256);

		emit(k, sib, 1);
		low = sib & 7;
		k->index = (int)((sib >> 3 & 7) | x);
		k->scale = 1u << (sib >> 6);
		if (k->index == RSP)
			k->index = NONE;
	}
	k->base = (int)(low | b);
	if (mod == MOD_NO_DISP && low == RBP) {
		k->base = NONE;
		k->rip = rm == RBP && k->s->m.mode == CS_64;
		mod = MOD_DISP;
	}
	make_disp(k, mod == MOD_DISP ? 4 : mod);
}

static void make_modrm(struct maker *k, unsigned digit)
{
	unsigned mod = below(3), rm = below(8);

	if (one_in(16) && !(k->f->flags & MEMORY))
		mod = MOD_REGISTER;
	k->reg = (int)(digit | (k->rex & BIT(2) ? 8 : 0));
	emit(k, MODRM(mod, digit, rm), 1);
	if (mod == MOD_REGISTER)
		return;
	k->has_memory = true;
	if (k->addr_size == 2)
		make_modrm16(k, mod, rm);
	else
		make_modrm32(k, mod, rm);
}

static void make_imm(struct maker *k)
{
	if (k->f->imm == IMM_8)
		emit(k, rnd_value(), 1);
	else if (k->f->imm == IMM_Z)
		emit(k, rnd_value(), k->op16 ? 2 : 4);
}

static const struct form *pick_form(enum cs_mode mode)
{
	const struct form *f;

	do
		f = &forms[below(ARRAY_SIZE(forms))];
	while (f->flags & (mode == CS_64 ? NOT64 : ONLY64));
	return f;
}

void make_insn(struct maker *k)
{
	const struct form *f = pick_form(k->s->m.mode);
	unsigned digit = f->digit == ANY_REG ? below(8) : (unsigned)f->digit + below((unsigned)f->digits);
	uint8_t opcode = (uint8_t)(f->opcode + below(f->opcodes));

	k->f = f;
	k->s->name = f->name;
	k->s->undefined = undefined_flags(f, digit);
	make_prefixes(k);
	if (f->flags & TWO_BYTE)
		emit(k, ESCAPE, 1);
	emit(k, opcode, 1);
	if (!(f->flags & NO_MODRM))
		make_modrm(k, digit);
	else if (f->flags & MOFFS) {
		k->has_memory = true;
		k->scale = 1;
		make_disp(k, k->addr_size);
	}
	make_imm(k);
}
