/* SPDX-License-Identifier: BSD-2-Clause
 * One instruction on the machine's own CPU and in the emulator, from the same state.
 * Knows nothing of what the instruction is to do. */
#pragma once

#include "core/hvm.h"
#include "x86.h"

/* Linear memory of the instructions: a page of each kind, so that operands and code cross from any to any. */
#define ARENA 0x20000000ull
enum arena_page { PAGE_ABSENT, PAGE_RW, PAGE_RO, PAGE_CODE };
#define ARENA_PAGES 16u
#define ARENA_CODE 10u /* the first page of code */
extern const uint8_t arena_kinds[ARENA_PAGES]; /* enum arena_page */
#define ARENA_AT(page) (ARENA + (page) * PAGE_SIZE)

/* Segments of 16- and 32-bit mode: an LDT of our own. */
enum ldt { LDT_CODE16, LDT_CODE32, LDT_STACK, LDT_STACK_LAST = LDT_STACK + 3, LDT_DATA, LDT_DATA_LAST = LDT_DATA + 7, LDT_ENTRIES };
#define LDT_SELECTOR(n) ((uint16_t)((n) << 3 | BIT(2) | CPL_USER))

#define SEGMENTS (SREG_GS + 1u)
struct machine {
	enum cs_mode mode;
	uint64_t gpr[GPRS], rip, rflags;
	uint16_t selector[SEGMENTS];
	uint64_t fs_base, gs_base; /* 64-bit mode */
	bool uses_fs;              /* there is a prefix for it */
};

/* What came of it. */
enum { NO_FAULT = 0xff, REFUSED = 0xfe };
struct outcome {
	uint64_t gpr[GPRS], rip, rflags;
	uint8_t vector; /* of the fault, NO_FAULT, or the emulator's REFUSED */
	uint32_t error;
	uint64_t cr2;   /* #PF */
	bool stepped;   /* TF's trap, behind an instruction or an iteration */
};

/* native_cpu.c. NULL, or why this machine cannot. */
const char *native_start(void);
/* NULL, or why this machine has not that mode. */
const char *native_has_mode(enum cs_mode mode);
/* Where the arena's bytes can be reached whatever their protection. */
uint8_t *native_arena(void);
void native_set_segment(enum ldt n, const struct hvm_segment *s);
/* Without TF, the byte behind the instruction must be INT3. */
void native_run(const struct machine *m, struct outcome *out);

/* emulated_cpu.c */
void emulated_start(void);
uint8_t *emulated_page(unsigned page);
void emulated_set_segment(enum ldt n, const struct hvm_segment *s);
const struct hvm_segment *emulated_segment(uint16_t selector);
void emulated_run(const struct machine *m, struct outcome *out);

/* generate.c: a random instruction, and a state in which it reaches memory that is worth it. */
struct sample {
	struct machine m;
	uint8_t insn[32];
	uint8_t len;
	uint64_t undefined; /* flags */
	const char *name;   /* of the form */
};
void generate_seed(uint64_t seed);
/* New descriptors in the LDT, new bases of FS and GS. */
void generate_segments(void);
void generate(enum cs_mode mode, struct sample *s);
/* Fresh contents for a page of data, the same on both sides. */
void generate_memory(void);
