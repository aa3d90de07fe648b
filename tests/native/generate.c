/* SPDX-License-Identifier: BSD-2-Clause
 * The state that a random instruction runs in: registers that make its operands fall where pages, segments and alignments meet.
 * Knows nothing of either CPU, nor of the decoder. */
#include "maker.h"

#include <string.h>

#include "x86.h"

#define LOW32(x) ((uint32_t)(x))
#define FLAGS_ARITH (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)
#define LEN_MAX 15u /* of an instruction that runs */

/* ---- aims ---- */

/* A linear address worth an access: at the border of two pages, aligned, or anywhere. */
static uint64_t rnd_target(void)
{
	static const uint64_t far[] = { BIT64(47), 0 - BIT64(47), 0, BIT64(32), BIT64(31), 0 - BIT64(31), BIT64(63) };
	static const uint8_t writable[] = { 1, 2, 4, 7, 8, 14 };
	unsigned page = one_in(4) ? below(ARENA_PAGES) : writable[below(ARRAY_SIZE(writable))];
	uint64_t at = ARENA_AT(page) + below((unsigned)PAGE_SIZE);

	if (one_in(64))
		return far[below(ARRAY_SIZE(far))] + below(32) - 16;
	if (one_in(3))
		at = ARENA_AT(page) + below(32) - 16;
	return one_in(3) ? at & ~MASK(2, 0) : at;
}

static uint64_t segment_base(const struct machine *m, enum sreg s)
{
	if (m->mode != CS_64)
		return emulated_segment(m->selector[s])->base;
	if (s < SREG_FS)
		return 0;
	return s == SREG_FS ? m->fs_base : m->gs_base;
}

/* A register that holds an address, with noise above what counts. */
static void set_address(struct maker *k, int reg, uint64_t val)
{
	const uint64_t mask = MASK(8 * k->addr_size - 1, 0);
	uint64_t noise = one_in(2) ? rnd() : 0;

	k->s->m.gpr[reg] = (val & mask) | (noise & ~mask);
}

static enum sreg data_segment(const struct maker *k)
{
	if (k->override < SEGMENTS)
		return k->override;
	return k->has_memory && (k->base == RSP || k->base == RBP) ? SREG_SS : SREG_DS;
}

/* SDM v3, "Canonical Addressing": the linear address counts. AMD's CPUs (seen on Zen 5) raise #GP for an offset that is not canonical too,
 * though FS or GS makes a canonical address of it: not here. */
static uint64_t avoid_offset(const struct maker *k, uint64_t target)
{
	bool upper = target >= 0 - BIT64(48); /* or just below it */

	return k->s->m.mode == CS_64 && upper && segment_base(&k->s->m, data_segment(k)) ? ARENA_AT(1) : target;
}

static void patch_disp(struct maker *k, uint64_t val)
{
	if (k->disp_at + k->disp_size > (int)sizeof(k->s->insn))
		return;
	memcpy(k->s->insn + k->disp_at, &val, k->disp_size);
	k->disp = val;
}

/* Makes the operand's address the target, by the displacement, the base or the index, whichever there is. */
static void aim_memory(struct maker *k, uint64_t target)
{
	struct machine *m = &k->s->m;
	uint64_t want = target - segment_base(m, data_segment(k)), rest = 0;
	bool disp_reaches = k->disp_size >= (k->addr_size == 8 ? 4 : k->addr_size);

	if (k->base != NONE)
		rest += m->gpr[k->base];
	if (k->index != NONE)
		rest += m->gpr[k->index] * k->scale;
	if (k->rip)
		patch_disp(k, want - m->rip - k->s->len);
	else if (k->base == NONE && k->index == NONE)
		patch_disp(k, want);
	else if (disp_reaches && k->addr_size != 8 && one_in(2))
		patch_disp(k, want - rest);
	else if (k->base == k->index)
		set_address(k, k->base, (want - k->disp) / (1 + k->scale));
	else if (k->base != NONE)
		set_address(k, k->base, want - k->disp - (rest - m->gpr[k->base]));
	else
		set_address(k, k->index, (want - k->disp) / k->scale);
}

static void aim_stack(struct maker *k)
{
	struct machine *m = &k->s->m;
	uint64_t sp = rnd_target() - segment_base(m, SREG_SS);

	if (m->mode != CS_64 && !(emulated_segment(m->selector[SREG_SS])->ar & AR_DB))
		sp = (sp & UINT16_MAX) | (rnd() & MASK(31, 16));
	m->gpr[RSP] = sp;
}

static void aim_string(struct maker *k)
{
	struct machine *m = &k->s->m;
	uint64_t si = rnd_target(), di = one_in(8) ? si + below(16) - 8 : rnd_target();

	set_address(k, RSI, avoid_offset(k, si) - segment_base(m, data_segment(k)));
	set_address(k, RDI, di - segment_base(m, SREG_ES));
	if (k->rep)
		set_address(k, RCX, one_in(64) ? below(2048) : below(12));
}

/* The accumulator as the memory has it, so that a comparison finds equals. */
static void aim_compare(struct maker *k, uint64_t target)
{
	if (target - ARENA < ARENA_PAGES * PAGE_SIZE - sizeof(uint64_t))
		memcpy(&k->s->m.gpr[RAX], native_arena() + (target - ARENA), sizeof(uint64_t));
}

static void aim(struct maker *k)
{
	struct machine *m = &k->s->m;
	uint64_t target = avoid_offset(k, rnd_target());

	if (k->f->flags & STACK)
		aim_stack(k);
	if (one_in(64))
		return;
	if ((k->f->flags & BIT_STRING) && !one_in(8))
		m->gpr[k->reg] = (rnd() & ~MASK(15, 0)) | (rnd() & (one_in(2) ? MASK(7, 0) : MASK(15, 0)));
	if ((k->f->flags & BIT_STRING) && one_in(2))
		m->gpr[k->reg] = (uint64_t)((int64_t)(rnd() % UINT16_MAX) - INT16_MAX);
	if (k->f->flags & STRING)
		aim_string(k);
	if ((k->f->flags & COMPARES) && one_in(2))
		aim_compare(k, target);
	if (k->has_memory)
		aim_memory(k, target);
}

/* ---- the machine ---- */

#define LINUX_USER_CS 0x33
#define LINUX_USER_DS 0x2b

static void rnd_selectors(struct machine *m)
{
	for (unsigned i = 0; i < SEGMENTS; i++)
		m->selector[i] = LDT_SELECTOR(LDT_DATA + below(LDT_DATA_LAST - LDT_DATA + 1));
	if (one_in(16))
		m->selector[below(2) ? SREG_ES : SREG_DS + below(3)] = 0;
	m->selector[SREG_SS] = LDT_SELECTOR(LDT_STACK + below(LDT_STACK_LAST - LDT_STACK + 1));
	m->selector[SREG_CS] = LDT_SELECTOR(m->mode == CS_16 ? LDT_CODE16 : LDT_CODE32);
	if (m->mode == CS_64) {
		m->selector[SREG_CS] = LINUX_USER_CS;
		m->selector[SREG_SS] = LINUX_USER_DS;
		m->selector[SREG_DS] = m->selector[SREG_ES] = one_in(2) ? 0 : LINUX_USER_DS;
	}
}

static uint64_t fs_base, gs_base;

static uint64_t rnd_base(void)
{
	return one_in(4) ? rnd() >> (17 + below(47)) & ~PAGE_SIZE : one_in(4) ? 0 : ARENA + below(1 << 16);
}

/* SDM v1, "General-Purpose Registers in 64-Bit Mode": "the upper 32 bits of any general-purpose register are undefined when switching
 * from 64-bit mode to a 32-bit mode": they are 0 here, and not compared. */
static void rnd_machine(struct machine *m)
{
	for (unsigned i = 0; i < GPRS; i++)
		m->gpr[i] = rnd_value();
	m->rflags = (rnd() & FLAGS_ARITH) | RFLAGS_RESERVED1 | RFLAGS_IF;
	if (one_in(3))
		m->rflags |= RFLAGS_DF;
	if (one_in(8))
		m->rflags |= RFLAGS_AC;
	if (one_in(2))
		m->rflags |= RFLAGS_TF;
	rnd_selectors(m);
	m->fs_base = fs_base;
	m->gs_base = gs_base;
}

/* IRET takes any RSP, but hypervisors that run a guest's kernel in ring 3 let none back that is not canonical. */
static void trim_machine(struct machine *m)
{
	if (m->mode == CS_64) {
		m->gpr[RSP] = (uint64_t)((int64_t)(m->gpr[RSP] << 16) >> 16);
		return;
	}
	for (unsigned i = 0; i < GPRS; i++)
		m->gpr[i] = LOW32(m->gpr[i]);
}

/* Where the code goes: anywhere in a page of it, or so that it ends at or crosses into the page behind. Without TF there must be room
 * for INT3. */
static uint64_t code_address(const struct machine *m)
{
	static const uint8_t pages[] = { 10, 12, 13 };
	unsigned page = pages[below(ARRAY_SIZE(pages))];
	uint64_t at = below((unsigned)PAGE_SIZE - 64);

	if ((m->rflags & RFLAGS_TF) && one_in(8))
		at = PAGE_SIZE - 1 - below(LEN_MAX);
	return ARENA_AT(page) + at - segment_base(m, SREG_CS);
}

static void put_byte(uint64_t linear, uint8_t byte)
{
	uint64_t at = linear - ARENA;

	native_arena()[at] = byte;
	emulated_page((unsigned)(at >> PAGE_SHIFT))[at & PAGE_MASK] = byte;
}

static void put_code(const struct sample *s)
{
	const uint8_t int3 = 0xcc;
	uint64_t at = s->m.rip + segment_base(&s->m, SREG_CS);

	for (unsigned i = 0; i < s->len; i++)
		put_byte(at + i, s->insn[i]);
	put_byte(at + s->len, int3);
}

/* MOVSXD with 16-bit operands reads a word by the SDM, and a doubleword, of which a word counts, by AMD's CPUs. */
static bool is_vendors_own(const struct maker *k)
{
	return (k->f->flags & ONLY64) && k->op16;
}

void generate(enum cs_mode mode, struct sample *s)
{
	struct maker k;

	do {
		k = (struct maker){ .s = s, .override = (enum sreg)SEGMENTS, .base = NONE, .index = NONE };
		memset(s, 0, sizeof(*s));
		s->m.mode = mode;
		rnd_machine(&s->m);
		s->m.rip = code_address(&s->m);
		make_insn(&k);
	} while (is_vendors_own(&k));
	trim_machine(&s->m);
	aim(&k);
	trim_machine(&s->m);
	put_code(s);
}

/* ---- segments and memory ---- */

/* SDM v3, "Limit Checking": "When the effective limit is FFFFFFFFH (4 GBytes), these accesses may or may not cause the indicated
 * exceptions": at most a page less. */
static void rnd_limit(struct hvm_segment *s)
{
	s->limit = one_in(4) ? (uint32_t)(UINT32_MAX - PAGE_SIZE) : below(ARENA_PAGES * (unsigned)PAGE_SIZE);
	if (one_in(4))
		s->limit = UINT16_MAX;
	if (s->limit > MASK(19, 0))
		s->ar |= AR_G;
}

static struct hvm_segment rnd_segment(bool stack)
{
	struct hvm_segment s = { .base = ARENA + below(4 * (unsigned)PAGE_SIZE), .ar = AR_S | AR_P | (uint32_t)FIELD(6, 5, CPL_USER) };

	if (one_in(4))
		s.base = one_in(2) ? 0 : LOW32(ARENA - rnd() % (1u << 31));
	if (stack || !one_in(4))
		s.ar |= AR_TYPE_WRITABLE;
	if (!stack && one_in(6)) /* to be loaded into DS and its like code must be readable */
		s.ar |= AR_TYPE_CODE | AR_TYPE_READABLE;
	else if (one_in(4))
		s.ar |= AR_TYPE_EXPAND_DOWN;
	if (one_in(2))
		s.ar |= AR_DB;
	rnd_limit(&s);
	return s;
}

static void set_segment(enum ldt n, const struct hvm_segment *s)
{
	native_set_segment(n, s);
	emulated_set_segment(n, s);
}

/* Code is executable and, but for one in four, readable. */
static struct hvm_segment code_segment(bool wide)
{
	struct hvm_segment s = { .base = ARENA_AT(ARENA_CODE) - below(256), .limit = UINT16_MAX,
				 .ar = AR_S | AR_P | AR_TYPE_CODE | (uint32_t)FIELD(6, 5, CPL_USER) };

	if (!one_in(4))
		s.ar |= AR_TYPE_READABLE;
	if (wide)
		s.ar |= AR_DB;
	return s;
}

void generate_segments(void)
{
	for (unsigned i = LDT_STACK; i < LDT_ENTRIES; i++) {
		struct hvm_segment s = rnd_segment(i <= LDT_STACK_LAST);

		set_segment((enum ldt)i, &s);
	}
	for (unsigned i = LDT_CODE16; i <= LDT_CODE32; i++) {
		struct hvm_segment s = code_segment(i == LDT_CODE32);

		set_segment((enum ldt)i, &s);
	}
	fs_base = rnd_base();
	gs_base = rnd_base();
}

/* Few values, so that strings compare equal for some length. */
void generate_memory(void)
{
	static const uint8_t few[] = { 0, 0, 0, 0, UINT8_MAX, 1, BIT(7) };
	unsigned page = below(ARENA_CODE);
	bool any = one_in(2);

	for (unsigned i = 0; i < PAGE_SIZE; i++)
		put_byte(ARENA_AT(page) + i, any ? (uint8_t)rnd() : few[below(ARRAY_SIZE(few))]);
}
