/* SPDX-License-Identifier: BSD-2-Clause
 * Proves that an emulated instruction leaves registers, flags and memory as the machine's own CPU leaves them: the same
 * bytes run on both.
 * Knows nothing of the emulator's inside. Skips where the CPU is no x86-64 or generated code may not run. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "bits.h"
#include "core/mmio.h"
#include "x86.h"

#define ROUNDS 300000
#define SEED 0x9e3779b97f4a7c15ull
#define CODE_SIZE 1024
#define MEM_SIZE 256u
#define CELL (MEM_SIZE / 2) /* the memory operand */
#define REP_MAX 8
#define FLAGS_ARITH (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)

/* Lies below 2 GiB, so that generated code reaches every field by a 32-bit absolute address. */
struct machine {
	uint64_t gpr[GPRS];
	uint64_t rflags;
	uint64_t host_rsp;
	uint8_t mem[MEM_SIZE];
};
struct page {
	uint8_t code[CODE_SIZE];
	struct machine m;
};

struct bytes {
	uint8_t b[CODE_SIZE];
	size_t n;
};

static void emit(struct bytes *c, uint64_t val, size_t n)
{
	memcpy(c->b + c->n, &val, n);
	c->n += n;
}

/* ---- a random instruction ---- */

enum imm { IMM_NONE, IMM_B, IMM_Z };
#define ANY_REG (-1)

static const struct form {
	uint16_t opcode;
	int digit;
	enum imm imm;
	bool lock;
} modrm_forms[] = {
	{ 0x00, ANY_REG, IMM_NONE, true },  { 0x02, ANY_REG, IMM_NONE, false }, /* add */
	{ 0x08, ANY_REG, IMM_NONE, true },  { 0x0a, ANY_REG, IMM_NONE, false }, /* or */
	{ 0x10, ANY_REG, IMM_NONE, true },  { 0x12, ANY_REG, IMM_NONE, false }, /* adc */
	{ 0x18, ANY_REG, IMM_NONE, true },  { 0x1a, ANY_REG, IMM_NONE, false }, /* sbb */
	{ 0x20, ANY_REG, IMM_NONE, true },  { 0x22, ANY_REG, IMM_NONE, false }, /* and */
	{ 0x28, ANY_REG, IMM_NONE, true },  { 0x2a, ANY_REG, IMM_NONE, false }, /* sub */
	{ 0x30, ANY_REG, IMM_NONE, true },  { 0x32, ANY_REG, IMM_NONE, false }, /* xor */
	{ 0x38, ANY_REG, IMM_NONE, false }, { 0x3a, ANY_REG, IMM_NONE, false }, /* cmp */
	{ 0x80, 0, IMM_Z, true },           { 0x80, 1, IMM_Z, true },
	{ 0x80, 2, IMM_Z, true },           { 0x80, 3, IMM_Z, true },
	{ 0x80, 4, IMM_Z, true },           { 0x80, 5, IMM_Z, true },
	{ 0x80, 6, IMM_Z, true },           { 0x80, 7, IMM_Z, false },
	{ 0x84, ANY_REG, IMM_NONE, false }, { 0x86, ANY_REG, IMM_NONE, true },  /* test, xchg */
	{ 0x88, ANY_REG, IMM_NONE, false }, { 0x8a, ANY_REG, IMM_NONE, false }, /* mov */
	{ 0xc6, 0, IMM_Z, false },          { 0xf6, 0, IMM_Z, false },          /* mov, test */
	{ 0xf6, 2, IMM_NONE, true },        { 0xf6, 3, IMM_NONE, true },        /* not, neg */
	{ 0xfe, 0, IMM_NONE, true },        { 0xfe, 1, IMM_NONE, true },        /* inc, dec */
}, word_forms[] = { /* these have no byte-sized brother */
	{ 0x63, ANY_REG, IMM_NONE, false },   { 0x0fb6, ANY_REG, IMM_NONE, false }, /* movsxd, movzx */
	{ 0x0fb7, ANY_REG, IMM_NONE, false }, { 0x0fbe, ANY_REG, IMM_NONE, false }, /* movzx, movsx */
	{ 0x0fbf, ANY_REG, IMM_NONE, false }, { 0x83, 0, IMM_B, true },
	{ 0x83, 1, IMM_B, true },             { 0x83, 2, IMM_B, true },
	{ 0x83, 3, IMM_B, true },             { 0x83, 4, IMM_B, true },
	{ 0x83, 5, IMM_B, true },             { 0x83, 6, IMM_B, true },
	{ 0x83, 7, IMM_B, false },
};

static uint64_t rnd(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s;
}

static unsigned below(uint64_t *s, unsigned n)
{
	return (unsigned)((rnd(s) >> 32) % n);
}

/* Half of the values lie at an edge, where carries and signs happen. */
static uint64_t rnd_value(uint64_t *s)
{
	static const uint64_t edge[] = {
		0, 1, ~0ull, 0x7f, 0x80, 0x7fff, 0x8000, 0x7fffffff, 0x80000000, 0xffffffff,
		0x7fffffffffffffff, 0x8000000000000000, 0x0f, 0x10, 0x8080808080808080, 0x7f7f7f7f7f7f7f7f,
	};

	return below(s, 2) ? rnd(s) : edge[below(s, ARRAY_SIZE(edge))];
}

struct prefixes {
	bool word, addr32;
	uint8_t rex;
};

static struct prefixes rnd_prefixes(struct bytes *c, uint64_t *s)
{
	struct prefixes p = { .word = below(s, 4) == 0, .addr32 = below(s, 4) == 0 };

	if (p.word)
		emit(c, 0x66, 1);
	if (p.addr32)
		emit(c, 0x67, 1);
	/* Not REX.X: it would add R12. REX.B changes nothing in an absolute address. */
	if (below(s, 2))
		p.rex = (uint8_t)(0x40 | (below(s, 16) & ~2u));
	return p;
}

static void emit_opcode(struct bytes *c, struct prefixes p, uint16_t opcode)
{
	if (p.rex)
		emit(c, p.rex, 1);
	if (opcode > UINT8_MAX)
		emit(c, opcode >> 8, 1);
	emit(c, opcode & UINT8_MAX, 1);
}

static void emit_absolute(struct bytes *c, unsigned reg, const void *at)
{
	emit(c, reg << 3 | 4, 1); /* ModRM: a SIB follows */
	emit(c, 0x25, 1);         /* SIB: neither base nor index */
	emit(c, (uintptr_t)at, 4);
}

static void rnd_modrm(struct bytes *c, uint64_t *s, const void *cell)
{
	bool wide = below(s, 3) == 0, w = wide || below(s, 2);
	const struct form *f = wide ? &word_forms[below(s, ARRAY_SIZE(word_forms))] :
				      &modrm_forms[below(s, ARRAY_SIZE(modrm_forms))];
	struct prefixes p;

	if (f->lock && below(s, 2))
		emit(c, 0xf0, 1);
	p = rnd_prefixes(c, s);
	emit_opcode(c, p, wide ? f->opcode : (uint16_t)(f->opcode + w));
	emit_absolute(c, f->digit == ANY_REG ? below(s, 8) : (unsigned)f->digit, cell);
	if (f->imm == IMM_B || (f->imm == IMM_Z && !w))
		emit(c, rnd_value(s), 1);
	else if (f->imm == IMM_Z)
		emit(c, rnd_value(s), p.word && !(p.rex & 8) ? 2 : 4);
}

static void rnd_moffs(struct bytes *c, uint64_t *s, const void *cell)
{
	struct prefixes p = rnd_prefixes(c, s);

	emit_opcode(c, p, (uint16_t)(0xa0 + below(s, 4)));
	emit(c, (uintptr_t)cell, p.addr32 ? 4 : 8);
}

/* RSI and RDI point to the cell; where only half of them counts, the other half keeps its noise. */
static void rnd_string(struct bytes *c, uint64_t *s, const void *cell, struct machine *m)
{
	bool rep = below(s, 2);
	struct prefixes p;
	uint64_t noise;

	if (rep)
		emit(c, 0xf2 + below(s, 2), 1);
	p = rnd_prefixes(c, s);
	emit_opcode(c, p, (uint16_t)(0xaa + below(s, 4)));
	noise = p.addr32 ? rnd(s) & ~UINT64_C(0xffffffff) : 0;
	m->gpr[RSI] = m->gpr[RDI] = noise | (uintptr_t)cell;
	if (rep)
		m->gpr[RCX] = noise | (1 + below(s, REP_MAX));
	if (below(s, 2))
		m->rflags |= RFLAGS_DF;
}

static void rnd_machine(struct machine *m, uint64_t *s)
{
	uint64_t cell;

	for (int i = 0; i < GPRS; i++)
		m->gpr[i] = rnd_value(s);
	for (size_t i = 0; i < MEM_SIZE; i++)
		m->mem[i] = (uint8_t)rnd(s);
	cell = below(s, 4) ? rnd_value(s) : m->gpr[below(s, GPRS)];
	memcpy(m->mem + CELL, &cell, sizeof(cell));
	m->rflags = (rnd(s) & FLAGS_ARITH) | RFLAGS_RESERVED1 | RFLAGS_IF;
}

static struct bytes rnd_insn(struct page *page, uint64_t *s)
{
	struct bytes c = { .n = 0 };
	const void *cell = page->m.mem + CELL;

	switch (below(s, 10)) {
	case 0:
		rnd_string(&c, s, cell, &page->m);
		break;
	case 1:
		rnd_moffs(&c, s, cell);
		break;
	default:
		rnd_modrm(&c, s, cell);
	}
	return c;
}

/* ---- the CPU ---- */

#if defined(__x86_64__)
static void emit_mov(struct bytes *c, uint8_t opcode, int reg, const void *at)
{
	emit(c, 0x48 | (reg >= R8 ? 4 : 0), 1);
	emit(c, opcode, 1);
	emit_absolute(c, (unsigned)reg & 7, at);
}

static void emit_mov_all(struct bytes *c, uint8_t opcode, const struct machine *m)
{
	for (int i = 0; i < GPRS; i++)
		emit_mov(c, opcode, i, &m->gpr[i]);
}

/* 1 save host  2 load machine  3 the instruction  4 save machine  5 load host. MOV leaves the flags alone. */
static struct bytes wrap(const struct bytes *insn, const struct machine *m)
{
	static const uint8_t save[] = { 0x53, 0x55, 0x41, 0x54, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57 };
	static const uint8_t restore[] = { 0x41, 0x5f, 0x41, 0x5e, 0x41, 0x5d, 0x41, 0x5c, 0x5d, 0x5b };
	struct bytes c = { .n = sizeof(save) };

	memcpy(c.b, save, sizeof(save));
	emit_mov(&c, 0x89, RSP, &m->host_rsp);
	emit(&c, 0xff, 1); /* push rflags; popfq */
	emit_absolute(&c, 6, &m->rflags);
	emit(&c, 0x9d, 1);
	emit_mov_all(&c, 0x8b, m);
	memcpy(c.b + c.n, insn->b, insn->n);
	c.n += insn->n;
	emit_mov_all(&c, 0x89, m);
	emit_mov(&c, 0x8b, RSP, &m->host_rsp);
	emit(&c, 0x9c, 1); /* pushfq; pop rflags; cld */
	emit(&c, 0x8f, 1);
	emit_absolute(&c, 0, &m->rflags);
	emit(&c, 0xfc, 1);
	memcpy(c.b + c.n, restore, sizeof(restore));
	c.n += sizeof(restore);
	emit(&c, 0xc3, 1);
	return c;
}

static void run_on_cpu(struct page *page, const struct bytes *insn)
{
	struct bytes c = wrap(insn, &page->m);
	void *at = page->code;
	void (*code)(void);

	memcpy(page->code, c.b, c.n);
	memcpy(&code, &at, sizeof(code));
	code();
}

static struct page *map_page(void)
{
	void *p = mmap(NULL, sizeof(struct page), PROT_READ | PROT_WRITE | PROT_EXEC,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}
#else
static void run_on_cpu(struct page *page, const struct bytes *insn)
{
	(void)page;
	(void)insn;
}

static struct page *map_page(void)
{
	return NULL;
}
#endif

/* ---- the emulator ---- */

/* Where this access goes, as an offset in mem. */
static size_t offset_of(const struct mmio_op *op, const struct hvm_regs *regs, const struct page *page)
{
	uint64_t at;

	if (op->kind != MMIO_STOS && op->kind != MMIO_LODS)
		return CELL;
	at = regs->gpr[op->kind == MMIO_STOS ? RDI : RSI] & MASK(8 * op->addr_size - 1, 0);
	at -= (uintptr_t)page->m.mem;
	assert_true(at <= MEM_SIZE - op->size);
	return at;
}

static void access_once(struct mmio_op *op, struct machine *m, struct hvm_regs *regs, size_t offset)
{
	uint64_t val = 0;

	if (mmio_reads(op)) {
		memcpy(&val, m->mem + offset, op->size);
		mmio_finish_read(op, val, regs, &m->gpr[RSP], &m->rflags);
	}
	if (mmio_writes(op)) {
		val = mmio_store_value(op, regs, m->gpr[RSP]);
		assert_true(op->size == 8 || val >> (8 * op->size) == 0);
		memcpy(m->mem + offset, &val, op->size);
	}
}

static struct mmio_op run_emulated(struct machine *m, const struct bytes *insn, const struct page *page)
{
	struct hvm_regs regs;
	struct mmio_op op;

	assert_int_equal(mmio_decode(insn->b, insn->n, CS_64, &op), 0);
	assert_int_equal(op.len, insn->n);
	memcpy(regs.gpr, m->gpr, sizeof(regs.gpr));
	regs.gpr[RSP] = SEED; /* RSP is elsewhere */
	do {
		access_once(&op, m, &regs, offset_of(&op, &regs, page));
	} while (mmio_finish_string(&op, &regs, m->rflags));
	assert_true(regs.gpr[RSP] == SEED);
	regs.gpr[RSP] = m->gpr[RSP];
	memcpy(m->gpr, regs.gpr, sizeof(regs.gpr));
	return op;
}

/* ---- both ---- */

static void print_insn(const struct bytes *insn)
{
	for (size_t i = 0; i < insn->n; i++)
		print_error("%02x ", insn->b[i]);
	print_error("differs\n");
}

/* SDM v2, "AND", "OR", "XOR", "TEST": "The state of the AF flag is undefined." */
static bool leaves_af_undefined(const struct mmio_op *op)
{
	if (op->kind != MMIO_ALU && op->kind != MMIO_RMW)
		return false;
	return op->alu == ALU_AND || op->alu == ALU_OR || op->alu == ALU_XOR || op->alu == ALU_TEST;
}

static bool same(const struct machine *a, const struct machine *b, const struct mmio_op *op)
{
	uint64_t flags = FLAGS_ARITH | RFLAGS_DF | RFLAGS_IF | RFLAGS_RESERVED1;

	if (leaves_af_undefined(op))
		flags &= ~RFLAGS_AF;
	return !memcmp(a->gpr, b->gpr, sizeof(a->gpr)) && !memcmp(a->mem, b->mem, sizeof(a->mem)) &&
	       !((a->rflags ^ b->rflags) & flags);
}

static void emulation_equals_the_cpu(void **state)
{
	struct page *page = map_page();
	uint64_t seed = SEED;

	(void)state;
	if (!page)
		skip();
	for (int i = 0; i < ROUNDS; i++) {
		struct machine emulated;
		struct mmio_op op;
		struct bytes insn;

		rnd_machine(&page->m, &seed);
		insn = rnd_insn(page, &seed);
		emulated = page->m;
		op = run_emulated(&emulated, &insn, page);
		run_on_cpu(page, &insn);
		if (!same(&page->m, &emulated, &op)) {
			print_insn(&insn);
			fail();
		}
	}
	munmap(page, sizeof(*page));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(emulation_equals_the_cpu),
	};

	return cmocka_run_group_tests_name("mmio_cpu", tests, NULL, NULL);
}
