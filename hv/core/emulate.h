/* SPDX-License-Identifier: BSD-2-Clause
 * One instruction executed for the guest. It runs until it needs something of a device; then the user half is asked, and it runs
 * again from its start with the answers so far. It changes nothing before nothing can stop it any more, and what it writes to
 * devices goes out when it is complete. So nothing is ever half done.
 * Knows nothing of why the guest left. */
#pragma once

#include "core/decode.h"
#include "core/guest_mem.h"

/* Two operands of eight bytes, byte by byte. */
#define EMU_CELLS 16

/* One access to a device: a port or a guest-physical address. */
struct emu_cell {
	uint64_t at, val;
	uint8_t len;
	bool port;
};

struct emu {
	struct insn insn;
	uint64_t rflags;
	uint64_t gpa;         /* of the exit: the translation of an operand with this page offset; NO_GPA */
	bool was_write;       /* the access that exited: only what it was has been allowed */
	struct fault fault;
	struct emu_cell read[EMU_CELLS], write[EMU_CELLS];
	uint8_t reads, replayed; /* answers that are there, and how many of them this run has used */
	uint8_t writes, written; /* queued, and how many of them the user half has been told */
	uint64_t hit;         /* breakpoints, as DR6 has them */
	bool again;           /* a string instruction that is not done */
	uint8_t bytes[INSN_MAX], fetched;
};
#define NO_GPA UINT64_MAX

/* Executes the instruction at RIP. gpa: NO_GPA, or where the CPU could not go on: the address in nested paging, and whether it was to
 * write there. True: the user half
 * has something to do. */
bool vcpu_emulate(struct vcpu *v, uint64_t gpa, bool write);
/* After the user half has answered. True: it has something to do again. */
bool vcpu_emulate_more(struct vcpu *v);
/* Fetches and decodes the instruction at RIP into v->emu.insn. 0; E_INVAL: not known; E_FAULT: not to be fetched, emu.fault. */
int vcpu_decode(struct vcpu *v);

/* --- between the files --- */

enum emu_result {
	EMU_DONE,
	EMU_FAULT, /* fault */
	EMU_READ,  /* the last of read[] is to be asked for */
	EMU_UNKNOWN,
	EMU_TABLE, /* a page table is not in RAM */
};
/* insn_exec.c: one instruction, or one iteration of it: v->regs, whose RSP is the guest's for once, and emu.rflags. Other than
 * EMU_DONE: nothing has changed. */
enum emu_result insn_exec(struct vcpu *v);
/* An operand in memory: first all are opened, then all read, then written. `offset`: the effective address. */
enum emu_result emu_open(struct vcpu *v, enum sreg s, uint64_t offset, uint8_t len, enum access how, struct guest_ref *out);
enum emu_result emu_read(struct vcpu *v, const struct guest_ref *ref, uint64_t *val);
void emu_write(struct vcpu *v, const struct guest_ref *ref, uint64_t val);
enum emu_result emu_in(struct vcpu *v, uint16_t port, uint8_t len, uint64_t *val);
void emu_out(struct vcpu *v, uint16_t port, uint8_t len, uint64_t val);
