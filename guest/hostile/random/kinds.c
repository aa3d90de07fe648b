/* SPDX-License-Identifier: BSD-2-Clause
 * Which kinds of instructions a guest is made of. It takes from a few, so that it comes deep into those.
 * Knows nothing of what they do, but of what a machine below does not survive. */
#include "random.h"

#define PLAIN 1 /* among the kinds */
#define ALL_KINDS_IN 6
#define REX_BITS 0xf0
#define ESCAPE 0x0f
#define BIT_OP 0xa3 /* BT; BTS, BTR and BTC differ in these bits */
#define BIT_OP_BITS 0x18
#define MODRM_REGISTER 0xc0
#define MODRM_REG 0x38
#define MOV_REG_IMM 0xb8
#define REGISTER 7
#define MOV_TO_DR 0x23
#define MODRM_REG_SHIFT 3
#define GROUP6 0x00
#define G6_LTR 0x18

static const struct kind {
	const char *name;
	void (*make)(struct gen *g);
} kinds[] = {
	{ "bytes", make_bytes },       { "plain", make_plain },         { "float", make_floating },        { "string", make_strings },
	{ "port", make_ports },        { "cr", make_control },          { "dr", make_debug },              { "msr", make_msrs },
	{ "table", make_tables },      { "segment", make_segments },    { "far", make_far },               { "call", make_system_calls },
	{ "task", make_tasks },        { "flags", make_flags },         { "page", make_page_tables },      { "virt", make_virtualization },
	{ "id", make_identification }, { "apic", make_local_apic },
};

void choose_kinds(struct gen *g, const char *list)
{
	uint32_t n = 1 + rnd(g, 4);

	g->kinds = 0;
	for (uint32_t i = 0; i < n; i++)
		g->kinds |= 1u << rnd(g, LENGTH(kinds));
	if (one_in(g, ALL_KINDS_IN))
		g->kinds = (1u << LENGTH(kinds)) - 1;
	if (!list)
		return;
	g->kinds = 0;
	for (uint32_t k = 0; k < LENGTH(kinds); k++)
		if (same_word(list, kinds[k].name))
			g->kinds |= 1u << k;
}

void put_kinds(const struct gen *g)
{
	if (g->kinds == (1u << LENGTH(kinds)) - 1) {
		put_text(" all");
		return;
	}
	for (uint32_t k = 0; k < LENGTH(kinds); k++) {
		if (!(g->kinds >> k & 1))
			continue;
		put_text(" ");
		put_text(kinds[k].name);
	}
}

static void make_prefixes(struct gen *g)
{
	static const uint8_t prefixes[] = { LOCK, REP, REPNE, OPERAND_SIZE, ADDRESS_SIZE, SEG_ES, SEG_CS,
					    SEG_SS, SEG_DS, SEG_FS, SEG_GS, REX_B, REX_W };

	if (one_in(g, 8))
		e8(g, PICK(g, prefixes));
}

static const uint8_t *behind_prefixes(const uint8_t *p)
{
	static const uint8_t prefixes[] = { LOCK, REP, REPNE, OPERAND_SIZE, ADDRESS_SIZE, SEG_ES, SEG_CS,
					    SEG_SS, SEG_DS, SEG_FS, SEG_GS };

	for (unsigned i = 0; i < LENGTH(prefixes); i++)
		if (*p == prefixes[i])
			return behind_prefixes(p + 1);
	return p;
}

/* LOCK before BT, BTS, BTR or BTC of a register: an invalid opcode. */
static bool is_lock_bit_register(const struct gen *g, const uint8_t *p)
{
	for (; p < g->p; p++) {
		const uint8_t *q = behind_prefixes(p);

		q += (*q & REX_BITS) == REX;
		if (*p == LOCK && q[0] == ESCAPE && ((q[1] & ~BIT_OP_BITS) == BIT_OP || q[1] == (uint8_t)OP_BIT_IMM) && q[2] >= MODRM_REGISTER)
			return true;
	}
	return false;
}

/* LTR. The selector comes from a register, and may be null. */
static bool is_ltr(const struct gen *g, const uint8_t *p)
{
	for (; p < g->p; p++)
		if (p[0] == ESCAPE && p[1] == GROUP6 && (p[2] & MODRM_REG) == G6_LTR)
			return true;
	return false;
}

/* MOV to DR7, but the number is not what make_debug() has chosen: a prefix made another instruction of the MOV before it. */
static bool is_stray_dr7(const struct gen *g, const uint8_t *p)
{
	bool sized = *p == OPERAND_SIZE;

	if (sized == (g->bits == 16) && (p[sized] & ~REGISTER) == MOV_REG_IMM)
		return false;
	for (; p < g->p; p++)
		if (p[0] == ESCAPE && p[1] == MOV_TO_DR && is_dr7((p[2] & MODRM_REG) >> MODRM_REG_SHIFT))
			return true;
	return false;
}

/* What a machine below does not survive, by name. */
static const struct exception {
	const char *name;
	bool (*matches)(const struct gen *g, const uint8_t *p);
} exceptions[] = {
	{ "lock-bit-register", is_lock_bit_register },
	{ "ltr-null", is_ltr },
	{ "watched-stack", is_stray_dr7 },
};

static bool avoided(const struct gen *g, const uint8_t *start)
{
	for (unsigned i = 0; i < LENGTH(exceptions); i++)
		if (same_word(g->avoid, exceptions[i].name) && exceptions[i].matches(g, start))
			return true;
	return false;
}

void make_instruction(struct gen *g)
{
	uint32_t k = rnd(g, LENGTH(kinds)), tries = LENGTH(kinds);
	uint8_t *start = g->p;

	if (one_in(g, 8))
		k = PLAIN; /* between */
	else
		while (!(g->kinds >> k & 1) && tries--)
			k = (k + 1) % LENGTH(kinds);
	make_prefixes(g);
	kinds[k].make(g);
	if (avoided(g, start))
		g->p = start;
}
