/* SPDX-License-Identifier: BSD-2-Clause
 * What the parts of the random guest share: where everything lies in its memory, the words through which its handlers
 * find the next block of instructions, and the generator's state. For C and assembly.
 * Knows nothing of which instructions are made. */
#pragma once

/* All below 64 KiB but the page tables, so that real mode reaches it. */
#define STACK_TOP 0x7ff0   /* of handlers; one page below it the generated code's own */
#define USER_STACK 0x6ff0
#define CODE 0x8000        /* BLOCKS times BLOCK_SIZE */
#define BLOCK_SHIFT 8
#define BLOCK_SIZE (1 << BLOCK_SHIFT)
#define BLOCKS 24
#define LOW16 0xa000       /* the 16-bit handlers, copied here */
#define DATA 0xc000        /* whatever happens to it */
#define DATA_SIZE 0x1000
#define GDT 0xd000
#define TSS 0xd400
#define TSS_OTHER 0xd600
#define TSS_SIZE 0x68
#define IDT 0xe000
#define IVT 0x0
#define TABLES 0x20000     /* page tables */
#define TABLES_PAGES 8

/* Words, each of 4 bytes, between the C that sets them and the handlers. */
#define VARS 0xf000
#define V_NEXT (VARS + 0x00)      /* the next block */
#define V_CS (VARS + 0x04)        /* how blocks are entered: the frame of an IRET */
#define V_FLAGS (VARS + 0x08)
#define V_SP (VARS + 0x0c)
#define V_SS (VARS + 0x10)
#define V_DS (VARS + 0x14)
#define V_KERNEL_SS (VARS + 0x18) /* of the handlers */
#define V_CR0 (VARS + 0x1c)       /* to enter the mode with */
#define V_CR3 (VARS + 0x20)
#define V_CR4 (VARS + 0x24)
#define V_EFER (VARS + 0x28)
#define V_FAR (VARS + 0x2c)       /* where it begins: offset, selector */
#define V_GDTR (VARS + 0x38)
#define V_IDTR (VARS + 0x44)
#define V_IDTR_BAD (VARS + 0x50)  /* what LIDT may find */

#define SEL_CODE32 0x08
#define SEL_DATA 0x10
#define SEL_CODE16 0x18
#define SEL_CODE64 0x20
#define SEL_USER_CODE32 0x28
#define SEL_USER_DATA 0x30
#define SEL_USER_CODE16 0x38
#define SEL_USER_CODE64 0x40
#define SEL_CONFORMING 0x48
#define SEL_ABSENT 0x50
#define SEL_EXPAND_DOWN 0x58
#define SEL_CALL_GATE 0x60
#define SEL_TASK_GATE 0x68
#define SEL_TSS_OTHER 0x70
#define SEL_DATA16 0x78
#define SEL_LDT 0x80
#define SEL_TSS 0x90              /* two places, as 64-bit mode wants */
#define GDT_ENTRIES 20
#define RPL_USER 3

#define VECTOR_NEXT 0xfe          /* ends a block */
#define FIRST_IRQ 0x20
#define EXIT_PORT 0xf4
#define MSR_EFER 0xc0000080
#define CR0_PE 1
#define EFER_LMA_BIT 10

#define SEG_ES 0x26
#define SEG_CS 0x2e
#define SEG_SS 0x36
#define SEG_DS 0x3e
#define SEG_FS 0x64
#define SEG_GS 0x65
#define OPERAND_SIZE 0x66
#define ADDRESS_SIZE 0x67
#define LOCK 0xf0
#define REP 0xf3
#define REPNE 0xf2
#define REX 0x40
#define REX_B 0x41
#define REX_W 0x48
#define OP_BIT_IMM 0x0fba /* BT, BTS, BTR, BTC by ModRM.reg */

#ifndef __ASSEMBLER__
#include <stdbool.h>
#include <stdint.h>

#define LOCAL_APIC 0xfee00000u
#define PAGE 0x1000u
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define PICK(g, array) ((array)[rnd(g, LENGTH(array))])

enum mode { REAL, UNREAL, VM86, PROT16, FLAT32, PAGED32, PAE32, LONG64, COMPAT32, MODES };

struct gen {
	uint64_t state;      /* of the random numbers */
	enum mode mode;
	unsigned bits;       /* of the code: 16, 32 or 64 */
	bool user;           /* at CPL 3 */
	bool mmio;           /* operands where no RAM is */
	uint32_t kinds;      /* which kinds of instructions: a bit each */
	const char *avoid;   /* names parted by commas; NULL if none */
	uint32_t ram;        /* the memory's end */
	uint8_t *p;          /* the next byte of code */
};

/* DR5 is DR7 while CR4.DE is 0. */
static inline bool is_dr7(unsigned dr)
{
	return dr == 5 || dr == 7;
}

/* rng.c: the same numbers from the same seed, everywhere. */
uint32_t rnd(struct gen *g, uint32_t below);
uint32_t rnd32(struct gen *g);
bool one_in(struct gen *g, uint32_t n);
/* A number with a past: a single bit, none, all, a small one; sometimes any. */
uint32_t odd_value(struct gen *g);

/* emit.c: single instructions. */
void e8(struct gen *g, uint32_t v);
void e16(struct gen *g, uint32_t v);
void e32(struct gen *g, uint32_t v);
/* Up to four bytes, the highest first, without leading zeros. */
void e_op(struct gen *g, uint32_t op);
unsigned some_reg(struct gen *g);
uint32_t some_address(struct gen *g);
void e_mov(struct gen *g, unsigned reg, uint32_t value);
/* The opcode with a memory operand; `reg` is the other half of ModRM. */
void e_mem(struct gen *g, uint32_t op, unsigned reg, uint32_t address);
void e_rm(struct gen *g, uint32_t op, unsigned reg, unsigned rm);
void e_store(struct gen *g, uint32_t address, uint32_t value);
/* A register or memory as the operand, of any kind. */
void e_operand(struct gen *g, uint32_t op);
void e_push(struct gen *g, uint32_t value);
/* 32 bits where 16 are the default; 64, maybe, where they can be had. */
void e_bits32(struct gen *g);
void e_rex_w(struct gen *g);

/* ordinary.c, privileged.c: the kinds. */
void make_bytes(struct gen *g);
void make_plain(struct gen *g);
void make_floating(struct gen *g);
void make_strings(struct gen *g);
void make_ports(struct gen *g);
void make_control(struct gen *g);
void make_debug(struct gen *g);
void make_msrs(struct gen *g);
void make_tables(struct gen *g);
void make_segments(struct gen *g);
void make_far(struct gen *g);
void make_system_calls(struct gen *g);
void make_tasks(struct gen *g);
void make_flags(struct gen *g);
void make_page_tables(struct gen *g);
void make_virtualization(struct gen *g);
void make_identification(struct gen *g);
void make_local_apic(struct gen *g);

/* kinds.c: one instruction, with what it needs before it. */
void make_instruction(struct gen *g);
/* Some of them, or those that the list names. */
void choose_kinds(struct gen *g, const char *list);
void put_kinds(const struct gen *g);

/* modes.c: tables for the mode, and the words above. */
void make_mode(struct gen *g);
extern const char *const mode_names[MODES];

/* entry.S, handlers.S, low16.S */
extern const uint8_t low16[], low16_end[], real[];
extern const uint8_t next32[], irq32[], next64[], irq64[], next16[], irq16[];
void enter_mode(uint32_t long_mode, uint32_t data) __attribute__((noreturn));

/* random.c */
void put_text(const char *text);
bool same_word(const char *list, const char *word);
#endif
