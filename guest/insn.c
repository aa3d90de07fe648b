/* SPDX-License-Identifier: BSD-2-Clause
 * Runs one instruction and catches what it raises; a window of pages with chosen rights.
 * Knows nothing of which instructions there are. */
#include "insn.h"

#define WINDOW_PML4E 1
#define WINDOW_ENTRIES 512

struct insn_regs insn_regs;
volatile struct insn_fault insn_fault;
static const struct insn_code *current;
static volatile uint64_t window[3][WINDOW_ENTRIES] __attribute__((aligned(INSN_PAGE)));

static uint64_t read_cr3(void)
{
	uint64_t v;

	__asm__ volatile("mov %%cr3, %0" : "=r"(v));
	return v;
}

/* Writing CR3 drops the translations. */
static void flush(void)
{
	__asm__ volatile("mov %0, %%cr3" ::"r"(read_cr3()) : "memory");
}

uint8_t *insn_map(unsigned page, const void *to, uint64_t pte_bits)
{
	volatile uint64_t *pml4 = (volatile uint64_t *)(read_cr3() & PTE_ADDR);

	for (unsigned level = 0; level + 1 < ARRAY_SIZE(window); level++)
		window[level][0] = (uint64_t)window[level + 1] | PTE_P | PTE_W | PTE_U;
	window[2][page] = ((uint64_t)to & PTE_ADDR) | pte_bits;
	pml4[WINDOW_PML4E] = (uint64_t)window[0] | PTE_P | PTE_W | PTE_U;
	flush();
	return (uint8_t *)INSN_WINDOW + page * INSN_PAGE;
}

uint64_t insn_pte(unsigned page)
{
	return window[2][page];
}

void insn_window_clear(void)
{
	for (unsigned i = 0; i < WINDOW_ENTRIES; i++)
		window[2][i] = 0;
	flush();
}

static void on_fault(struct frame *f)
{
	uint64_t cr2;

	__asm__ volatile("mov %%cr2, %0" : "=r"(cr2));
	insn_fault.count++;
	insn_fault.vector = f->vector;
	insn_fault.error = f->error;
	insn_fault.cr2 = cr2;
	insn_fault.rip = f->rip;
	insn_fault.rflags = f->rflags;
	f->rip = (uint64_t)current->next;
	f->rflags &= ~(RFLAGS_TF | RFLAGS_RF);
}

static void write_dr6(uint64_t v)
{
	__asm__ volatile("mov %0, %%dr6" ::"r"(v));
}

static void on_step(struct frame *f)
{
	uint64_t dr6;

	__asm__ volatile("mov %%dr6, %0" : "=r"(dr6));
	insn_fault.dr6 = dr6;
	write_dr6(DR6_INIT);
	if (f->rip == (uint64_t)current->next)
		f->rflags &= ~RFLAGS_TF;
}

void insn_run(const struct insn_code *code, const struct insn_regs *in, const struct insn_setup *setup)
{
	uint64_t cr0, cr4;

	current = code;
	insn_fault.count = 0;
	insn_fault.dr6 = 0;
	write_dr6(DR6_INIT);
	insn_regs = *in;
	insn_regs.flags |= RFLAGS_RESERVED1;
	on_vector(VEC_PF, on_fault);
	on_vector(VEC_GP, on_fault);
	on_vector(VEC_SS, on_fault);
	on_vector(VEC_UD, on_fault);
	on_vector(VEC_DB, on_step);
	arrivals_clear();
	__asm__ volatile("mov %%cr0, %0" : "=r"(cr0));
	__asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
	__asm__ volatile("mov %0, %%cr0" ::"r"(cr0 | setup->cr0));
	__asm__ volatile("mov %0, %%cr4" ::"r"(cr4 | setup->cr4));
	__asm__ volatile("mov %0, %%dr0" ::"r"(setup->dr0));
	__asm__ volatile("mov %0, %%dr7" ::"r"(setup->dr7 | DR7_INIT));
	code->run();
	__asm__ volatile("mov %0, %%dr7" ::"r"(DR7_INIT));
	__asm__ volatile("mov %0, %%cr4" ::"r"(cr4));
	__asm__ volatile("mov %0, %%cr0" ::"r"(cr0));
}
