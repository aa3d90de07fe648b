/* SPDX-License-Identifier: BSD-2-Clause
 * The native oracle: each random instruction runs on the machine's own CPU and in the emulator from the same registers, flags and
 * memory; what is left behind must agree, and a fault must be the same fault.
 * Usage: oracle [SECONDS [SEED [MODE]]], SEED a number or "random", MODE 16-bit, 32-bit or 64-bit.
 * Lines `ok MODE: ...`, `skip MODE: why` and `not ok MODE: ...`; exit status 1 if one is not ok.
 * Knows nothing of single instructions. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "native.h"
#include "x86.h"

#define SEED 0x9e3779b97f4a7c15ull
#define SECONDS 6
#define MODES (CS_64 + 1)
#define BATCH 64         /* forms from one set of segments and memory */
#define SHOWN 8          /* disagreements */
#define FORMS_MIN 20000u /* less would prove nothing */
#define VECTORS (VEC_AC + 1)

static const char *const mode_names[MODES] = { "16-bit", "32-bit", "64-bit" };

struct tally {
	uint64_t forms, stepped, refused, vectors[VECTORS], differ;
	double seconds;
};

/* ---- agreement ---- */

/* What is compared of a register: SDM v1, "the upper 32 bits of any general-purpose register are undefined when switching from 64-bit
 * mode to a 32-bit mode". */
static uint64_t width(const struct machine *m)
{
	return m->mode == CS_64 ? UINT64_MAX : UINT32_MAX;
}

/* An instruction that no CPU executes is #UD, or longer than any #GP; the emulator does not say which. */
static bool both_refuse(const struct sample *s, const struct outcome *n)
{
	const unsigned longest = 15;

	return n->vector == VEC_UD || (n->vector == VEC_GP && s->len > longest);
}

static bool same_registers(const struct sample *s, const struct outcome *n, const struct outcome *e)
{
	const uint64_t flags = RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF | RFLAGS_DF | RFLAGS_TF | RFLAGS_AC;
	unsigned count = s->m.mode == CS_64 ? GPRS : R8;

	for (unsigned i = 0; i < count; i++)
		if ((n->gpr[i] ^ e->gpr[i]) & width(&s->m))
			return false;
	return !((n->rip ^ e->rip) & width(&s->m)) && !((n->rflags ^ e->rflags) & flags & ~s->undefined);
}

/* Linux shows a fault on an address that is the kernel's as one on a page that is present. */
static uint32_t shown_error(const struct outcome *o)
{
	return o->vector == VEC_PF && o->cr2 >= BIT64(47) - PAGE_SIZE ? o->error | PF_ERR_P : o->error;
}

static bool same_fault(const struct outcome *n, const struct outcome *e)
{
	return n->vector == e->vector && shown_error(n) == shown_error(e) && n->cr2 == e->cr2 && n->stepped == e->stepped;
}

/* The first page that differs: of those that can be written, or of all. -1: none. */
static int differing_page(bool all)
{
	for (unsigned i = 0; i < ARENA_PAGES; i++)
		if ((all || arena_kinds[i] == PAGE_RW) && memcmp(native_arena() + i * PAGE_SIZE, emulated_page(i), PAGE_SIZE) != 0)
			return (int)i;
	return -1;
}

/* ---- words ---- */

static void print_outcome(const char *who, const struct outcome *o)
{
	printf("#   %s: vector %u error %#x cr2 %#" PRIx64 "%s rip %#" PRIx64 " rflags %#" PRIx64 "\n#    ", who, o->vector, o->error,
	       o->cr2, o->stepped ? " stepped" : "", o->rip, o->rflags);
	for (unsigned i = 0; i < GPRS; i++)
		printf(" %" PRIx64, o->gpr[i]);
	printf("\n");
}

/* And makes the page the same again. */
static void print_memory(int page, bool show)
{
	for (unsigned i = 0; i < PAGE_SIZE; i++) {
		uint8_t n = native_arena()[(unsigned)page * PAGE_SIZE + i], *e = emulated_page((unsigned)page) + i;

		if (n != *e && show)
			printf("#   at %#" PRIx64 ": %02x, emulated %02x\n", (uint64_t)ARENA_AT((unsigned)page) + i, n, *e);
		*e = n;
	}
}

static void print_sample(const struct sample *s, const struct outcome *n, const struct outcome *e)
{
	struct outcome before = { .rip = s->m.rip, .rflags = s->m.rflags, .vector = NO_FAULT };

	printf("# %s %s:", mode_names[s->m.mode], s->name);
	for (unsigned i = 0; i < s->len; i++)
		printf(" %02x", s->insn[i]);
	printf("\n");
	for (unsigned i = 0; i < SEGMENTS && s->m.mode != CS_64; i++) {
		const struct hvm_segment *seg = emulated_segment(s->m.selector[i]);

		printf("#   segment %u: %#x base %#" PRIx64 " limit %#x ar %#x\n", i, s->m.selector[i], seg->base, seg->limit, seg->ar);
	}
	if (s->m.mode == CS_64)
		printf("#   fs base %#" PRIx64 " gs base %#" PRIx64 "\n", s->m.fs_base, s->m.gs_base);
	memcpy(before.gpr, s->m.gpr, sizeof(before.gpr));
	print_outcome("before", &before);
	print_outcome("CPU", n);
	print_outcome("emulator", e);
}

/* ---- a run ---- */

static void count(struct tally *t, const struct sample *s, const struct outcome *n)
{
	t->forms++;
	t->stepped += n->stepped;
	t->refused += both_refuse(s, n);
	if (n->vector < VECTORS)
		t->vectors[n->vector]++;
}

static void try_one(enum cs_mode mode, struct tally *t)
{
	struct outcome native, emulated;
	struct sample s;
	bool same;
	int page;

	generate(mode, &s);
	native_run(&s.m, &native);
	emulated_run(&s.m, &emulated);
	count(t, &s, &native);
	same = emulated.vector == REFUSED ? both_refuse(&s, &native) :
					    same_fault(&native, &emulated) && same_registers(&s, &native, &emulated);
	page = differing_page(t->forms % BATCH == 0);
	if (same && page < 0)
		return;
	if (t->differ++ < SHOWN)
		print_sample(&s, &native, &emulated);
	for (; page >= 0; page = differing_page(true))
		print_memory(page, t->differ <= SHOWN);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / (double)NSEC_PER_SEC;
}

static void run_mode(enum cs_mode mode, double seconds, struct tally *t)
{
	double start = now();

	do {
		generate_segments();
		generate_memory();
		for (unsigned i = 0; i < BATCH; i++)
			try_one(mode, t);
		t->seconds = now() - start;
	} while (t->seconds < seconds || t->forms < FORMS_MIN);
}

/* Why not; NULL if it is to run. `only`: NULL for all. */
static const char *why_not(unsigned mode, const char *only)
{
	if (only && strcmp(only, mode_names[mode]) != 0)
		return "not asked for";
	return native_has_mode((enum cs_mode)mode);
}

static unsigned count_modes(const char *only)
{
	unsigned n = 0;

	for (unsigned mode = 0; mode < MODES; mode++)
		n += !why_not(mode, only);
	return n ? n : 1;
}

/* A kind of fault that never came up means that the generator has gone blind. */
static bool saw_enough(enum cs_mode mode, const struct tally *t)
{
	(void)mode;
	return t->stepped && t->refused && t->vectors[VEC_PF] && t->vectors[VEC_GP] && t->vectors[VEC_SS] && t->vectors[VEC_AC];
}

static bool report(enum cs_mode mode, const struct tally *t)
{
	bool ok = !t->differ && saw_enough(mode, t);

	printf("%s %s: %" PRIu64 " forms, %.0f a minute, %" PRIu64 " disagree (#PF %" PRIu64 " #GP %" PRIu64 " #SS %" PRIu64 " #AC %" PRIu64
	       " #UD %" PRIu64 ", TF %" PRIu64 ")\n", ok ? "ok" : "not ok", mode_names[mode], t->forms, 60 * (double)t->forms / t->seconds,
	       t->differ, t->vectors[VEC_PF], t->vectors[VEC_GP], t->vectors[VEC_SS], t->vectors[VEC_AC], t->vectors[VEC_UD], t->stepped);
	return ok;
}

static uint64_t seed_of(const char *word)
{
	struct timespec ts;

	if (strcmp(word, "random") != 0)
		return strtoull(word, NULL, 0);
	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? strtod(argv[1], NULL) : SECONDS;
	uint64_t seed = argc > 2 ? seed_of(argv[2]) : SEED;
	const char *only = argc > 3 ? argv[3] : NULL, *why = native_start();
	bool ok = true;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (why) {
		printf("skip native: %s\n", why);
		return 0;
	}
	printf("# seed %#" PRIx64 "\n", seed);
	generate_seed(seed);
	emulated_start();
	for (unsigned mode = 0; mode < MODES; mode++) {
		struct tally t = { .forms = 0 };

		why = why_not(mode, only);
		if (why) {
			printf("skip %s: %s\n", mode_names[mode], why);
			continue;
		}
		run_mode((enum cs_mode)mode, seconds / count_modes(only), &t);
		ok = report((enum cs_mode)mode, &t) && ok;
	}
	return !ok;
}
