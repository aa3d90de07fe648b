/* SPDX-License-Identifier: BSD-2-Clause
 * The emulator as a CPU at CPL 3: the arena in guest page tables, and no more of struct hvm_ops than it asks for.
 * Knows nothing of the CPU that it is compared with. */
#include <stdlib.h>
#include <string.h>

#include "core/vcpu.h"
#include "native.h"
#include "x86.h"

enum table { TABLE_PML4, TABLE_PDPT, TABLE_PD, TABLE_PT, TABLES };
#define RAM_PAGES (TABLES + ARENA_PAGES)
#define ITERATIONS_MAX 100000u
#define TABLE_INDEX(linear, shift) GET_FIELD((shift) + 8, shift, linear)

static struct {
	struct vcpu v;
	struct machine m;
	uint64_t cr2;
	struct hvm_segment ldt[LDT_ENTRIES];
} cpu;
static uint8_t ram[RAM_PAGES * PAGE_SIZE] __attribute__((aligned(4096)));

/* Neighbours in linear memory are none in RAM. */
static uint64_t page_gpa(unsigned page)
{
	return (RAM_PAGES - 1 - page) * PAGE_SIZE;
}

uint8_t *emulated_page(unsigned page) { return ram + page_gpa(page); }

/* ---- segments ---- */

#define AR_USER (AR_S | AR_P | (uint32_t)FIELD(6, 5, CPL_USER))
static const struct hvm_segment flat = { .limit = UINT32_MAX, .ar = AR_USER | AR_TYPE_WRITABLE | BIT(0) | AR_DB | AR_G };
static const struct hvm_segment null = { .ar = AR_UNUSABLE };

void emulated_set_segment(enum ldt n, const struct hvm_segment *s)
{
	cpu.ldt[n] = *s;
	cpu.ldt[n].selector = LDT_SELECTOR(n);
}

/* The LDT's, or one of the two that Linux gives to all: null and flat. */
const struct hvm_segment *emulated_segment(uint16_t selector)
{
	if (!(selector & ~MASK(1, 0)))
		return &null;
	return selector & BIT(2) ? &cpu.ldt[selector >> 3] : &flat;
}

static void get_segment(const struct vcpu *v, enum sreg which, struct hvm_segment *out)
{
	(void)v;
	*out = flat;
	if (cpu.m.mode != CS_64 && which < SEGMENTS)
		*out = *emulated_segment(cpu.m.selector[which]);
	else if (which == SREG_FS || which == SREG_GS)
		out->base = which == SREG_FS ? cpu.m.fs_base : cpu.m.gs_base;
}

/* ---- struct hvm_ops ---- */

static uint64_t get_base(const struct vcpu *v, enum sreg s)
{
	struct hvm_segment seg;

	get_segment(v, s, &seg);
	return seg.base;
}

static uint64_t get(const struct vcpu *v, enum hvm_reg reg)
{
	switch (reg) {
	case HVM_RIP: return cpu.m.rip;
	case HVM_RSP: return cpu.m.gpr[RSP];
	case HVM_RFLAGS: return cpu.m.rflags;
	case HVM_CR0: return CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_PG;
	case HVM_CR2: return cpu.cr2;
	case HVM_CR3: return TABLE_PML4 * PAGE_SIZE;
	case HVM_CR4: return CR4_PAE | CR4_PGE | CR4_OSFXSR;
	case HVM_EFER: return EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;
	case HVM_DR7: return DR7_INIT;
	case HVM_CPL: return CPL_USER;
	case HVM_CS_MODE: return cpu.m.mode;
	case HVM_ES_BASE:
	case HVM_CS_BASE:
	case HVM_SS_BASE:
	case HVM_DS_BASE:
	case HVM_FS_BASE:
	case HVM_GS_BASE: return get_base(v, (enum sreg)(reg - HVM_ES_BASE));
	case HVM_CS: return cpu.m.selector[SREG_CS];
	case HVM_SS: return cpu.m.selector[SREG_SS];
	default: return 0;
	}
}

static void set(struct vcpu *v, enum hvm_reg reg, uint64_t val)
{
	(void)v;
	switch (reg) {
	case HVM_RIP: cpu.m.rip = val; break;
	case HVM_RSP: cpu.m.gpr[RSP] = val; break;
	case HVM_RFLAGS: cpu.m.rflags = val; break;
	case HVM_CR2: cpu.cr2 = val; break;
	default: abort();
	}
}

static void skip_insn(struct vcpu *v, uint8_t len)
{
	(void)v;
	cpu.m.rip += len;
	if (cpu.m.mode != CS_64)
		cpu.m.rip &= UINT32_MAX;
	cpu.m.rflags &= ~RFLAGS_RF;
}

static void no_cpuid(const struct vcpu *v, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
	(void)v;
	(void)leaf;
	(void)sub;
	memset(out, 0, 4 * sizeof(*out));
}

static const struct hvm_ops ops = {
	.name = "native", .get = get, .set = set, .segment = get_segment, .skip = skip_insn, .cpuid = no_cpuid,
};

/* ---- a run ---- */

static void set_entry(enum table t, unsigned index, uint64_t entry)
{
	memcpy(ram + t * PAGE_SIZE + index * sizeof(entry), &entry, sizeof(entry));
}

static void map_page(unsigned page)
{
	static const uint64_t rights[] = { [PAGE_ABSENT] = 0, [PAGE_RW] = PTE_P | PTE_U | PTE_W | PTE_NX,
					   [PAGE_RO] = PTE_P | PTE_U | PTE_NX, [PAGE_CODE] = PTE_P | PTE_U };

	set_entry(TABLE_PT, (unsigned)TABLE_INDEX(ARENA_AT(page), PAGE_SHIFT), page_gpa(page) | rights[arena_kinds[page]]);
}

void emulated_start(void)
{
	const struct vcpu_config cfg = { .ram = { ram, sizeof(ram) }, .tsc_mult = BIT64(32) };
	const uint64_t table = PTE_P | PTE_W | PTE_U;

	vcpu_init(&cpu.v, &ops, &cpu, &cfg);
	cpu.v.features.phys_bits = 52;
	set_entry(TABLE_PML4, (unsigned)TABLE_INDEX(ARENA, PML4E_SHIFT), TABLE_PDPT * PAGE_SIZE | table);
	set_entry(TABLE_PDPT, (unsigned)TABLE_INDEX(ARENA, PDPTE_SHIFT), TABLE_PD * PAGE_SIZE | table);
	set_entry(TABLE_PD, (unsigned)TABLE_INDEX(ARENA, PDE_SHIFT), TABLE_PT * PAGE_SIZE | table);
	for (unsigned i = 0; i < ARENA_PAGES; i++)
		map_page(i);
}

/* True: it is over. */
static bool run_once(uint64_t rip, struct outcome *out)
{
	out->vector = NO_FAULT;
	if (vcpu_emulate(&cpu.v, NO_GPA, false)) {
		out->vector = REFUSED;
		return true;
	}
	if (!cpu.v.ev.exc.pending)
		return cpu.m.rip != rip;
	out->stepped = cpu.v.ev.exc.vector == VEC_DB && cpu.v.ev.exc.dr6 == DR6_BS;
	if (out->stepped)
		return true;
	out->vector = cpu.v.ev.exc.vector;
	out->error = cpu.v.ev.exc.error;
	out->cr2 = out->vector == VEC_PF ? cpu.cr2 : 0;
	return true;
}

void emulated_run(const struct machine *m, struct outcome *out)
{
	uint64_t rip = m->rip;
	unsigned n = 0;

	cpu.m = *m;
	memset(out, 0, sizeof(*out));
	memset(&cpu.v.ev.exc, 0, sizeof(cpu.v.ev.exc));
	memcpy(cpu.v.regs.gpr, m->gpr, sizeof(m->gpr));
	cpu.v.regs.gpr[RSP] = ~m->gpr[RSP]; /* RSP is the backend's */
	while (!run_once(rip, out))
		if (++n == ITERATIONS_MAX)
			abort();
	memcpy(out->gpr, cpu.v.regs.gpr, sizeof(out->gpr));
	out->gpr[RSP] = cpu.m.gpr[RSP];
	out->rip = cpu.m.rip;
	out->rflags = cpu.m.rflags;
}
