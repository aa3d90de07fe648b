/* SPDX-License-Identifier: BSD-2-Clause
 * The third backend: a scripted CPU. It runs a program of a few instructions, models what interrupt delivery depends on,
 * and writes down every arrival. Where hardware has a choice it chooses by a seed, so that code which relies on accidents
 * breaks; what no hardware would stand is a violation.
 * Knows nothing of what the tests expect. */
#pragma once

#include "core/hvm.h"
#include "x86.h"

/* Guest memory: everything is identity-mapped, whatever the paging mode. */
#define FAKE_RAM_SIZE (64 * PAGE_SIZE)
#define FAKE_CODE 0x1000u
#define FAKE_CODE_SIZE (8 * PAGE_SIZE)
/* What delivery reads and writes; each has a page of its own, whose nested translation can be missing. */
#define FAKE_IDT 0x10000u
#define FAKE_GDT 0x11000u
#define FAKE_STACK 0x12000u
#define FAKE_TABLES 0x20000u /* page tables of fake_long_mode() */
#define FAKE_DATA 0x30000u   /* free for tests */
#define FAKE_INSNS 2048
#define FAKE_LABELS 64
#define FAKE_FRAMES 128
#define FAKE_LOG 0x10000u
#define FAKE_VECTORS 256

/* Native instructions run on the fake; the others exit, always or when they are intercepted. */
enum fake_op {
	FAKE_NONE,   /* not an instruction: a label */
	FAKE_NOP,
	FAKE_STI,
	FAKE_CLI,
	FAKE_MOV_SS,
	FAKE_MOV,    /* register `a` := val */
	FAKE_POPF,   /* RFLAGS := val */
	FAKE_IRET,
	FAKE_IRET_NEXT, /* IRET to the instruction after the one that faulted */
	FAKE_JMP,
	FAKE_LOOP,   /* RCX := RCX - 1, jump while it is not 0 */
	FAKE_INT,    /* INT a */
	FAKE_FAULT,  /* raises exception `a`, with error code `val` if that vector has one */
	FAKE_HLT,
	FAKE_IN,     /* AL, AX or EAX := port `a`, size `val` */
	FAKE_OUT,
	FAKE_INS,    /* [RDI] := port a; FAKE_REP in b */
	FAKE_OUTS,
	FAKE_CPUID,
	FAKE_RDMSR,
	FAKE_WRMSR,
	FAKE_MOV_CR8, /* from RAX */
	FAKE_MOV_CR4, /* from RAX */
	FAKE_MEM,    /* touches gpa `val`, which it loads into RBX, by the instruction bytes given; b: write. Loads and stores for the APIC page only */
	FAKE_FETCH,  /* jumps to gpa `val` */
	FAKE_VMCALL, /* exits as an instruction that the CPU does not have */
	FAKE_RDPMC,
	FAKE_WBINVD,
	FAKE_INVD,
	FAKE_CAUGHT, /* an exception `a` with error `val` that exits instead of being delivered */
	FAKE_SHUTDOWN,
	FAKE_STRANGE, /* an exit of a kind that nobody knows */
	FAKE_OPS
};
#define FAKE_INSN_BYTES 12
#define FAKE_REP BIT(0)

struct fake_insn {
	enum fake_op op;
	uint32_t a, b;
	uint64_t val;
	uint8_t bytes[FAKE_INSN_BYTES], nbytes; /* FAKE_MEM only */
};

/* The words of a program. */
#define LABEL(n) { .op = FAKE_NONE, .a = (n) }
#define NOP { .op = FAKE_NOP }
#define STI { .op = FAKE_STI }
#define CLI { .op = FAKE_CLI }
#define MOV_SS { .op = FAKE_MOV_SS }
#define MOV(reg, v) { .op = FAKE_MOV, .a = (reg), .val = (v) }
#define POPF(v) { .op = FAKE_POPF, .val = (v) }
#define IRET { .op = FAKE_IRET }
#define IRET_NEXT { .op = FAKE_IRET_NEXT }
#define JMP(label) { .op = FAKE_JMP, .a = (label) }
#define LOOP(label) { .op = FAKE_LOOP, .a = (label) }
#define INT(n) { .op = FAKE_INT, .a = (n) }
#define FAULT(vec, err) { .op = FAKE_FAULT, .a = (vec), .val = (err) }
#define HLT { .op = FAKE_HLT }
#define IN(port, size) { .op = FAKE_IN, .a = (port), .val = (size) }
#define OUT(port, size) { .op = FAKE_OUT, .a = (port), .val = (size) }
#define INS(port, size, rep) { .op = FAKE_INS, .a = (port), .b = (rep), .val = (size) }
#define OUTS(port, size, rep) { .op = FAKE_OUTS, .a = (port), .b = (rep), .val = (size) }
#define CPUID { .op = FAKE_CPUID }
#define RDMSR { .op = FAKE_RDMSR }
#define WRMSR { .op = FAKE_WRMSR }
#define MOV_CR8 { .op = FAKE_MOV_CR8 }
#define MOV_CR4 { .op = FAKE_MOV_CR4 }
#define MEM(gpa, write, n, ...) \
	{ .op = FAKE_MEM, .b = (write), .val = (gpa), .bytes = { __VA_ARGS__ }, .nbytes = (n) }
#define FETCH(gpa) { .op = FAKE_FETCH, .val = (gpa) }
#define VMCALL { .op = FAKE_VMCALL }
#define RDPMC { .op = FAKE_RDPMC }
#define WBINVD { .op = FAKE_WBINVD }
#define INVD { .op = FAKE_INVD }
#define CAUGHT(vec, err) { .op = FAKE_CAUGHT, .a = (vec), .val = (err) }
#define SHUTDOWN { .op = FAKE_SHUTDOWN }
#define STRANGE { .op = FAKE_STRANGE }

enum fake_shadow { SHADOW_NONE, SHADOW_STI, SHADOW_MOV_SS };

/* One arrival at a handler. */
struct fake_arrival {
	enum event_type type;
	uint8_t vector;
	bool has_error, injected; /* injected: by ops->inject, not raised by the guest itself */
	bool virtual_;            /* by virtual-interrupt delivery */
	uint32_t error;
	uint64_t rip;             /* where the handler returns to */
	bool if_, rf, shadow;     /* as they were when the event arrived */
	uint64_t clock;
};

struct fake_frame {
	uint64_t rip, rflags;
};

/* How this CPU differs from the next one; all of it legal. */
struct fake_quirks {
	uint32_t spurious;     /* one boundary in so many exits for no reason; 0 never */
	bool sti_blocks_nmi;
	bool host_first;       /* deadline and window at one boundary: the deadline is reported */
	bool decodes;          /* gives the instruction length with every exit */
	bool cr8_always;       /* intercepts CR8 writes even when it need not */
	bool tpr_traps;        /* keeps all of TPR, and exits after a write of CR8 below the threshold, not before */
	uint32_t tick;         /* ns per instruction */
	uint32_t exit_cost;    /* ns per exit */
	bool wakes_early;      /* sleep ends for no reason */
};

struct fake_cpu {
	struct vcpu *v;
	/* the guest's CPU */
	uint64_t rip, rsp, rflags, cr0, cr2, cr3, cr4, efer, dr[4], dr6, dr7, pat, tsc_offset, xcr0, pdpt[4];
	struct hvm_segment seg[SREGS];
	enum cs_mode cs_mode;
	uint8_t cpl;
	uint8_t tpr;
	enum fake_shadow shadow;
	bool nmi_blocked;
	bool pending_db;    /* a single-step trap that an exit behind the instruction went before */
	struct fake_frame frames[FAKE_FRAMES];
	unsigned depth;
	/* what the next entry carries */
	struct event inject;
	bool window, nmi_window;
	uint8_t tpr_threshold;
	/* virtual-interrupt delivery, out of v->lapic.page; TPR is there too then */
	bool has_vid;       /* the tests say that software asked for it */
	enum hvm_vid vid;
	uint8_t rvi, svi;
	bool recognized;    /* a pending virtual interrupt */
	bool has_post;      /* the tests say that software asked for it */
	bool notified;      /* the notification of posted interrupts is pending */
	uint64_t eoi_exits[4];
	/* time, ns */
	uint64_t clock;
	uint64_t seed;
	struct fake_quirks quirks;
	/* memory */
	uint8_t ram[FAKE_RAM_SIZE] __attribute__((aligned(4096)));
	bool mapped[FAKE_RAM_SIZE >> PAGE_SHIFT];
	bool out_of_pages;
	uint64_t structures[3]; /* gpa of IDT, GDT, stack */
	/* the program */
	struct fake_insn code[FAKE_INSNS];
	unsigned loaded;
	uint16_t at[FAKE_CODE_SIZE]; /* which instruction starts here, counted from 1; 0 none */
	uint8_t len[FAKE_CODE_SIZE];
	uint64_t labels[FAKE_LABELS];
	uint64_t load_at;
	struct {
		uint8_t label;
		bool present, trap;
	} gates[FAKE_VECTORS];
	/* A second exception during the delivery of `vector`: exits to be given to the guest after a clean-up. */
	struct {
		bool armed;
		uint8_t vector;
		struct event second;
	} nested;
	/* for the tests */
	bool amd;             /* by its name */
	struct {
		uint32_t leaf, bits;
		uint8_t reg;
	} lacks;              /* bits of CPUID that this CPU does not have */
	struct {
		unsigned writes;
		uint32_t index;
		uint64_t val;
	} msr;                /* what was written past the tables */
	bool allow_if0;       /* the rule under test injects external interrupts with IF=0: log it, that is all */
	bool stuck_window;    /* an armed window exits at once, whatever IF says */
	bool crawl;           /* with stuck_window: one instruction per exit */
	struct fake_arrival log[FAKE_LOG];
	unsigned logged;
	uint64_t entries;
	uint64_t last_deadline; /* of the last entry */
	uint64_t sleeps;
	const char *violation; /* the first, NULL none */
	uint64_t violation_rip;
};

extern const struct hvm_ops fake_ops;

/* Power-on: 32-bit flat, RIP at FAKE_CODE, nothing mapped. Seed 0 is a CPU without whims. */
void fake_init(struct fake_cpu *f, uint64_t seed);
/* Appends instructions, at odd distances; the first load starts at FAKE_CODE. */
void fake_load(struct fake_cpu *f, const struct fake_insn *prog, size_t n);
uint64_t fake_label(const struct fake_cpu *f, unsigned label);
void fake_gate(struct fake_cpu *f, uint8_t vector, unsigned label, bool trap);
/* 64-bit mode, 2 MiB identity pages in RAM. */
void fake_long_mode(struct fake_cpu *f);
void fake_map_all(struct fake_cpu *f);
/* Drops the translation of one page. */
void fake_unmap(struct fake_cpu *f, uint64_t gpa);
/* 0..n-1 */
uint32_t fake_random(struct fake_cpu *f, uint32_t n);

/* --- between the files of the fake --- */

void fake_violation(struct fake_cpu *f, const char *what);
void fake_log(struct fake_cpu *f, const struct fake_arrival *a);
/* Runs one instruction. true: it exits, out says how. */
bool fake_step(struct fake_cpu *f, struct hvm_exit *out);
/* The single-step trap that is still due, if one is. true: as fake_deliver(). */
bool fake_pending_db(struct fake_cpu *f, struct hvm_exit *out);
/* Through the gate. true: cut short, out says how; vectoring is filled. */
bool fake_deliver(struct fake_cpu *f, const struct event *e, uint64_t ret, bool injected, struct hvm_exit *out);

/* fake_vid.c. An access to a register of the LAPIC: not virtualized, done, done and it exits behind the instruction, or
 * #GP(0). */
enum fake_apic { FAKE_APIC_FAULTS, FAKE_APIC_DONE, FAKE_APIC_EXITS, FAKE_APIC_GP };
enum fake_apic fake_vid_read(struct fake_cpu *f, uint32_t offset, uint32_t *val);
enum fake_apic fake_vid_write(struct fake_cpu *f, uint32_t offset, uint32_t val, struct hvm_exit *out);
enum fake_apic fake_vid_rdmsr(struct fake_cpu *f, uint32_t msr, uint64_t *val);
enum fake_apic fake_vid_wrmsr(struct fake_cpu *f, uint32_t msr, uint64_t val, struct hvm_exit *out);
void fake_vid_mov_cr8(struct fake_cpu *f, uint8_t cr8);
/* At a VM entry: RVI and SVI must fit the page. */
void fake_vid_entry(struct fake_cpu *f);
/* At a boundary, behind the window and the virtual interrupt that is recognized already. true: an exit, or cut short. */
bool fake_vid_process_posted(struct fake_cpu *f, struct hvm_exit *out);
/* At a boundary. true: cut short, as fake_deliver(). */
bool fake_vid_deliver(struct fake_cpu *f, struct hvm_exit *out);
/* In the page, if that is where it lives. */
uint8_t fake_tpr(struct fake_cpu *f);
/* hvm_ops */
void fake_set_vid(struct vcpu *v, enum hvm_vid vid);
bool fake_notify(struct vcpu *v);
void fake_set_vid_status(struct vcpu *v, uint8_t rvi, uint8_t svi);
void fake_set_eoi_exits(struct vcpu *v, const uint64_t bitmap[4]);
uint64_t fake_vid_status(struct fake_cpu *f);
