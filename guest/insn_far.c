/* SPDX-License-Identifier: BSD-2-Clause
 * Runs one instruction at CPL 3 or in compatibility mode: there by IRET, back by the exception that ends it.
 * Knows nothing of which instructions there are. */
#include "insn.h"
#include "guest_layout.h"

#define CODE_PAGE 16 /* of the window, and the next */
#define STACK_SIZE 4096
#define FIRST_SEGMENT 6 /* behind the TSS's descriptor */
#define SEGMENTS (FIRST_SEGMENT + 2 + SEL_SPARE_ENTRIES)
#define USER_CODE64 0x00affb000000ffff
#define USER_DATA 0x00cff3000000ffff
#define TSS_RSP0 4
_Static_assert(SEL_SPARE == (FIRST_SEGMENT + 2) * sizeof(uint64_t), "insn.h");

struct table_pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

/* What insn_far_enter() loads, and what it leaves for the way back. */
struct far_frame {
	uint64_t rip, cs, flags, rsp, ss, ds, es;
};
extern struct far_frame far_frame;
extern uint64_t far_rsp;
struct far_frame far_frame;
uint64_t far_rsp;
void insn_far_enter(void);
extern const char insn_far_back[];
static uint8_t stack[STACK_SIZE] __attribute__((aligned(16)));
static const struct insn_code *current;

__asm__(".pushsection .text\n"
	"insn_far_enter:\n"
	"	push %rbx\n	push %rbp\n	push %r12\n	push %r13\n	push %r14\n	push %r15\n"
	"	mov %rsp, far_rsp\n"
	"	pushq far_frame+32\n	pushq far_frame+24\n	pushq far_frame+16\n	pushq far_frame+8\n	pushq far_frame\n"
	"	mov far_frame+40, %eax\n	mov %eax, %ds\n"
	"	mov far_frame+48, %eax\n	mov %eax, %es\n"
	"	mov insn_regs, %rax\n	mov insn_regs+8, %rcx\n	mov insn_regs+16, %rdx\n"
	"	mov insn_regs+24, %rsi\n	mov insn_regs+32, %rdi\n"
	"	iretq\n"
	"insn_far_back:\n"
	"	mov $" STR(SEL_DATA) ", %eax\n	mov %eax, %ds\n	mov %eax, %es\n"
	"	pop %r15\n	pop %r14\n	pop %r13\n	pop %r12\n	pop %rbp\n	pop %rbx\n"
	"	ret\n"
	".popsection");

void insn_segment(unsigned n, uint64_t descriptor)
{
	uint64_t *gdt = (uint64_t *)(void *)rt_gdt_page;

	gdt[FIRST_SEGMENT + 2 + n] = descriptor;
}

/* The same table, but longer. */
static void load_segments(void)
{
	struct table_pointer gdtr = { .limit = SEGMENTS * sizeof(uint64_t) - 1, .base = (uint64_t)rt_gdt_page };
	uint64_t *gdt = (uint64_t *)(void *)rt_gdt_page, top = (uint64_t)(stack + STACK_SIZE);

	gdt[FIRST_SEGMENT] = USER_CODE64;
	gdt[FIRST_SEGMENT + 1] = USER_DATA;
	__builtin_memcpy(rt_tss_page + TSS_RSP0, &top, sizeof(top));
	__asm__ volatile("lgdt %0" ::"m"(gdtr));
}

static uint64_t code_offset(void)
{
	return far_frame.rip - (uint64_t)current->at;
}

static void on_end(struct frame *f)
{
	uint64_t rip = f->rip - code_offset(), cr2;

	__asm__ volatile("mov %%cr2, %0" : "=r"(cr2));
	insn_fault.vector = f->vector;
	insn_fault.error = f->error;
	insn_fault.cr2 = cr2;
	insn_fault.rip = rip;
	insn_fault.rflags = f->rflags;
	insn_fault.count = f->vector != VEC_UD || rip != (uint64_t)current->next;
	insn_regs = (struct insn_regs){ f->rax, f->rcx, f->rdx, f->rsi, f->rdi, f->rflags };
	f->rip = (uint64_t)insn_far_back;
	f->cs = SEL_CODE64;
	f->ss = SEL_DATA;
	f->rsp = far_rsp;
	f->rflags = RFLAGS_RESERVED1;
}

static uint64_t map_code(const struct insn_code *code, uint64_t pte)
{
	uint64_t page = (uint64_t)code->at & PTE_ADDR;

	if (!pte)
		return (uint64_t)code->at;
	insn_map(CODE_PAGE + 1, (const void *)(page + INSN_PAGE), pte);
	return (uint64_t)insn_map(CODE_PAGE, (const void *)page, pte) + (uint64_t)code->at - page;
}

void insn_far_run(const struct insn_code *code, const struct insn_far *where, const struct insn_regs *in,
		  const struct insn_setup *setup)
{
	static const uint8_t ends[] = { VEC_UD, VEC_PF, VEC_GP, VEC_SS, VEC_NP, VEC_AC };
	uint64_t cr0, cr4;

	current = code;
	insn_regs = *in;
	far_frame = (struct far_frame){ map_code(code, where->code_pte), where->cs, in->flags | RFLAGS_RESERVED1,
					(uint64_t)(stack + STACK_SIZE), where->ss, where->ds, where->es };
	load_segments();
	for (unsigned i = 0; i < sizeof(ends); i++)
		on_vector(ends[i], on_end);
	__asm__ volatile("mov %%cr0, %0" : "=r"(cr0));
	__asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
	__asm__ volatile("mov %0, %%cr0" ::"r"(cr0 | setup->cr0));
	__asm__ volatile("mov %0, %%cr4" ::"r"(cr4 | setup->cr4));
	insn_far_enter();
	__asm__ volatile("mov %0, %%cr4" ::"r"(cr4));
	__asm__ volatile("mov %0, %%cr0" ::"r"(cr0));
}
