/* SPDX-License-Identifier: BSD-2-Clause
 * One instruction, from given registers and control bits, and what became of it: registers, flags, the fault.
 * Knows nothing of which instructions there are. */
#pragma once

#include "rt.h"

struct insn_regs {
	uint64_t rax, rcx, rdx, rsi, rdi, flags;
};
extern struct insn_regs insn_regs; /* loaded before the instruction, stored behind it */

struct insn_code {
	void (*run)(void);
	const char *at, *next;
};

/* An instruction with labels before and behind it: INSN(code_insb, "insb"). */
#define INSN(name, text)                                                                    \
	void name##_run(void);                                                              \
	extern const char name##_at[], name##_next[];                                       \
	__asm__(".pushsection .text\n" #name "_run:\n"                                      \
		"\tmov insn_regs, %rax\n\tmov insn_regs+8, %rcx\n\tmov insn_regs+16, %rdx\n" \
		"\tmov insn_regs+24, %rsi\n\tmov insn_regs+32, %rdi\n"                      \
		"\tpushq insn_regs+40\n\tpopfq\n" #name "_at:\n\t" text "\n" #name "_next:\n"  \
		"\tpushfq\n\tpopq insn_regs+40\n\tpushq $2\n\tpopfq\n"                      \
		"\tmov %rax, insn_regs\n\tmov %rcx, insn_regs+8\n\tmov %rdx, insn_regs+16\n" \
		"\tmov %rsi, insn_regs+24\n\tmov %rdi, insn_regs+32\n\tret\n.popsection");    \
	static const struct insn_code name = { name##_run, name##_at, name##_next }

/* Control registers while it runs: bits set in addition to those that are set. */
struct insn_setup {
	uint64_t cr0, cr4, dr0, dr7;
};

/* Exceptions while it ran: how many, and the last fault; behind a fault the instruction is left. */
struct insn_fault {
	uint32_t count;
	uint64_t vector, error, cr2, rip, rflags;
	uint64_t dr6; /* of the last #DB, 0 without one */
};
extern volatile struct insn_fault insn_fault;

/* Runs it. #DB is logged in `arrivals` and gone on from. */
void insn_run(const struct insn_code *code, const struct insn_regs *in, const struct insn_setup *setup);

/* Pages at INSN_WINDOW, apart from all else: nothing is mapped there until insn_map(). */
#define INSN_WINDOW (1ull << 39)
#define INSN_PAGE 4096u
uint8_t *insn_map(unsigned page, const void *to, uint64_t pte_bits);
uint64_t insn_pte(unsigned page);
void insn_window_clear(void);
