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

/* ---- at another privilege, or in compatibility mode ---- */

/* An instruction between labels, for a code segment of 64 or 32 bits; UD2 behind it ends it. */
#define INSN_FAR(name, bits, text)                                                      \
	extern const char name##_at[], name##_next[];                                   \
	__asm__(".pushsection .text\n\t.code" #bits "\n" #name "_at:\n\t" text "\n" #name   \
		"_next:\n\tud2\n\t.code64\n.popsection");                                \
	static const struct insn_code name = { NULL, name##_at, name##_next }

/* Where it runs: selectors, and the rights of the pages that show its code in the window; 0: where it was linked. */
struct insn_far {
	uint16_t cs, ss, ds, es;
	uint64_t code_pte;
};

/* Segments beside those of guest_layout.h. */
#define SEL_USER_CODE64 0x33
#define SEL_USER_DATA 0x3b
#define SEL_SPARE 0x40 /* for a segment of the scenario's own, */
#define SEL_SPARE_ENTRIES 4
void insn_segment(unsigned n, uint64_t descriptor); /* the n-th of them, at SEL_SPARE + 8 * n */

/* Runs it. Completed: insn_fault.count is 0. Else as insn_run(). insn_fault.rip is as linked in either case. */
void insn_far_run(const struct insn_code *code, const struct insn_far *where, const struct insn_regs *in,
		  const struct insn_setup *setup);
#define INSN_USER_FLAGS FIELD(13, 12, 3) /* IOPL */
