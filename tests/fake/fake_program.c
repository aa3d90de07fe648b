/* SPDX-License-Identifier: BSD-2-Clause
 * The scripted CPU before it runs: power-on, programs in RAM, gates, page tables.
 * Knows nothing of execution. */
#include "fake/fake_cpu.h"

#include <string.h>

#define PREFIX_DS 0x3e
#define MAX_PREFIXES 6
#define ENTRY_RFLAGS 0x2u

uint32_t fake_random(struct fake_cpu *f, uint32_t n)
{
	f->seed ^= f->seed << 13;
	f->seed ^= f->seed >> 7;
	f->seed ^= f->seed << 17;
	return n ? (uint32_t)((f->seed >> 11) % n) : 0;
}

static void draw_quirks(struct fake_cpu *f)
{
	f->quirks = (struct fake_quirks){
		.spurious = 3 + fake_random(f, 20),
		.sti_blocks_nmi = fake_random(f, 2),
		.host_first = fake_random(f, 2),
		.decodes = fake_random(f, 2),
		.cr8_always = fake_random(f, 2),
		.tpr_traps = fake_random(f, 2),
		.tick = 1 + fake_random(f, 200),
		.exit_cost = fake_random(f, 3000),
		.wakes_early = fake_random(f, 2),
	};
}

/* Multiboot's: flat, 4 GiB, ring 0. */
static void flat_segments(struct fake_cpu *f)
{
	const struct hvm_segment data = { .limit = UINT32_MAX, .ar = AR_DATA | AR_DB | AR_G, .selector = 0x10 };

	for (unsigned i = SREG_ES; i <= SREG_GS; i++)
		f->seg[i] = data;
	f->seg[SREG_CS].ar = AR_CODE | AR_DB | AR_G;
	f->seg[SREG_CS].selector = 0x08;
	f->seg[SREG_LDTR].ar = AR_UNUSABLE;
	f->seg[SREG_TR].ar = AR_TSS_BUSY;
}

void fake_init(struct fake_cpu *f, uint64_t seed)
{
	memset(f, 0, sizeof(*f));
	f->seed = seed * 0x9e3779b97f4a7c15ull | 1;
	f->quirks = (struct fake_quirks){ .tick = 100, .exit_cost = 1000, .decodes = true };
	if (seed)
		draw_quirks(f);
	f->rip = f->load_at = FAKE_CODE;
	f->rsp = FAKE_STACK + PAGE_SIZE;
	f->rflags = ENTRY_RFLAGS;
	f->cr0 = CR0_PE | CR0_ET;
	f->dr6 = DR6_INIT;
	f->dr7 = DR7_INIT;
	flat_segments(f);
	f->pat = PAT_RESET;
	f->cs_mode = CS_32;
	f->structures[0] = FAKE_IDT;
	f->structures[1] = FAKE_GDT;
	f->structures[2] = FAKE_STACK;
}

/* Real encodings for what the core decodes from memory; for the others any bytes do. */
static unsigned encode(const struct fake_cpu *f, const struct fake_insn *i, uint8_t *out)
{
	static const struct {
		uint8_t n, b[3];
	} table[FAKE_OPS] = {
		[FAKE_HLT] = { 1, { 0xf4 } },
		[FAKE_CPUID] = { 2, { 0x0f, 0xa2 } },
		[FAKE_RDMSR] = { 2, { 0x0f, 0x32 } },
		[FAKE_WRMSR] = { 2, { 0x0f, 0x30 } },
		[FAKE_WBINVD] = { 2, { 0x0f, 0x09 } },
		[FAKE_INVD] = { 2, { 0x0f, 0x08 } },
		[FAKE_MOV_CR4] = { 3, { 0x0f, 0x22, 0xe0 } },
		[FAKE_MOV_CR8] = { 3, { 0x0f, 0x22, 0xc0 } },
		[FAKE_JMP] = { 2, { 0xeb } },
		[FAKE_OUT] = { 1, { 0xee } },
		[FAKE_IN] = { 1, { 0xec } },
		[FAKE_INS] = { 1, { 0x6c } },
		[FAKE_OUTS] = { 1, { 0x6e } },
	};
	const uint8_t nop = 0x90, lock = 0xf0, rex_r = 0x44, rep = 0xf3, operand_size = 0x66;
	bool string = i->op == FAKE_INS || i->op == FAKE_OUTS;
	unsigned n = 0;

	if (i->op == FAKE_MEM) {
		memcpy(out, i->bytes, i->nbytes);
		return i->nbytes;
	}
	if (i->op == FAKE_MOV_CR8)
		out[n++] = f->cs_mode == CS_64 ? rex_r : lock;
	if (!table[i->op].n)
		out[n++] = nop;
	if (string && (i->b & FAKE_REP))
		out[n++] = rep;
	if (string && i->val == sizeof(uint16_t))
		out[n++] = operand_size;
	memcpy(out + n, table[i->op].b, table[i->op].n);
	n += table[i->op].n;
	if (string && i->val > 1)
		out[n - 1] |= 1; /* W */
	return n;
}

static void place(struct fake_cpu *f, const struct fake_insn *i)
{
	unsigned n = fake_random(f, MAX_PREFIXES), offset = (unsigned)(f->load_at - FAKE_CODE);

	if (f->loaded >= FAKE_INSNS || offset + MAX_PREFIXES + FAKE_INSN_BYTES > FAKE_CODE_SIZE) {
		fake_violation(f, "the program is too long");
		return;
	}
	memset(f->ram + f->load_at, PREFIX_DS, n);
	n += encode(f, i, f->ram + f->load_at + n);
	f->code[f->loaded] = *i;
	f->at[offset] = (uint16_t)++f->loaded;
	f->len[offset] = (uint8_t)n;
	f->load_at += n;
}

void fake_load(struct fake_cpu *f, const struct fake_insn *prog, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (prog[i].op == FAKE_NONE)
			f->labels[prog[i].a] = f->load_at;
		else
			place(f, &prog[i]);
	}
}

uint64_t fake_label(const struct fake_cpu *f, unsigned label)
{
	return f->labels[label];
}

void fake_gate(struct fake_cpu *f, uint8_t vector, unsigned label, bool trap)
{
	f->gates[vector].label = (uint8_t)label;
	f->gates[vector].present = true;
	f->gates[vector].trap = trap;
}

void fake_long_mode(struct fake_cpu *f)
{
	uint64_t pml4 = FAKE_TABLES, pdpt = pml4 + PAGE_SIZE, pd = pdpt + PAGE_SIZE;
	uint64_t pml4e = pdpt | PTE_P | PTE_W, pdpte = pd | PTE_P | PTE_W, pde = PTE_P | PTE_W | PTE_PS;

	memcpy(f->ram + pml4, &pml4e, sizeof(pml4e));
	memcpy(f->ram + pdpt, &pdpte, sizeof(pdpte));
	memcpy(f->ram + pd, &pde, sizeof(pde));
	f->cr3 = pml4;
	f->cr4 = CR4_PAE;
	f->cr0 |= CR0_PG;
	f->efer = EFER_LME | EFER_LMA;
	f->cs_mode = CS_64;
}

void fake_map_all(struct fake_cpu *f)
{
	memset(f->mapped, true, sizeof(f->mapped));
}

void fake_unmap(struct fake_cpu *f, uint64_t gpa)
{
	f->mapped[gpa >> PAGE_SHIFT] = false;
}

void fake_violation(struct fake_cpu *f, const char *what)
{
	if (f->violation)
		return;
	f->violation = what;
	f->violation_rip = f->rip;
}

void fake_log(struct fake_cpu *f, const struct fake_arrival *a)
{
	if (f->logged == FAKE_LOG) {
		fake_violation(f, "the log is full");
		return;
	}
	f->log[f->logged] = *a;
	f->log[f->logged++].clock = f->clock;
}
