/* SPDX-License-Identifier: BSD-2-Clause
 * The kernel half over the scripted CPU, with handlers for every vector, and a check of the contract at every return.
 * Knows nothing of what the tests expect. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/vcpu.h"
#include "fake/fake_cpu.h"
#include "x86.h"

/* Every test runs on a plain CPU (0) and on some with whims. */
#define SEEDS 6
#define FOR_SEEDS(s) for (uint64_t s = 0; s < SEEDS; s++)
#define FOR_RULES(r) for (unsigned r = 0; r < IRQ_RULES; r++)

/* Who delivers the LAPIC's vectors in the rigs to come: software, or the CPU. */
static bool rig_vid;
static inline int vid_off(void **state)
{
	(void)state;
	rig_vid = false;
	return 0;
}

static inline int vid_on(void **state)
{
	(void)state;
	rig_vid = true;
	return 0;
}

/* A group of tests, both ways. */
#define RUN_BOTH_WAYS(name, tests)                                     \
	(cmocka_run_group_tests_name(name, tests, vid_off, NULL) +     \
	 cmocka_run_group_tests_name(name "-vid", tests, vid_on, NULL))

/* Labels that every program gets. */
enum { HANDLER_IRET = 60, HANDLER_EOI, HANDLER_NEXT };
#define EXIT 0xf4     /* port that ends a program */
#define RAISE 0x0600  /* port at which the test acts */
#define FIRST_IRQ 32
#define EXTINT_VECTOR 0x30
#define EXTINT_VECTOR_2 0x31
#define MSI_VECTOR 0x50
#define TSC_MULT (1ull << 31) /* 2 ticks per ns */
/* Far behind the end of every test: a guest that runs away comes back. */
#define LONG_NS (500 * NSEC_PER_MSEC)
#define SPIN 400      /* iterations: many boundaries */

/* MOV DWORD [RBX], imm32 and its relatives, whatever RBX holds: the fake knows the address. */
#define STORE32(gpa, v) \
	MEM(gpa, true, 6, 0xc7, 0x03, (uint8_t)(v), (uint8_t)((v) >> 8), (uint8_t)((v) >> 16), (uint8_t)((v) >> 24))
#define LOAD_EAX(gpa) MEM(gpa, false, 2, 0x8b, 0x03)
#define APIC(reg) (APIC_DEFAULT_PHYS + (reg))
#define EOI STORE32(APIC(APIC_EOI), 0)
#define SELF_IPI(vector) STORE32(APIC(APIC_ICR_LOW), (vector) | APIC_ICR_SHORTHAND_FIELD(APIC_ICR_SELF))
#define LVT0_MASK STORE32(APIC(APIC_LVT_LINT0), APIC_LVT_MASKED | APIC_DM_FIELD(APIC_DM_EXTINT))
#define LVT0_OPEN STORE32(APIC(APIC_LVT_LINT0), APIC_DM_FIELD(APIC_DM_EXTINT))

struct rig {
	struct vcpu v;
	struct fake_cpu f;
	unsigned arrival; /* next to look at */
};

static inline struct vcpu_run *run_of(struct rig *r) { return &r->v.run; }

static inline void rig_gates(struct rig *r)
{
	static const struct fake_insn handlers[] = {
		LABEL(HANDLER_IRET), IRET, LABEL(HANDLER_EOI), EOI, IRET, LABEL(HANDLER_NEXT), IRET_NEXT,
	};

	fake_load(&r->f, handlers, ARRAY_SIZE(handlers));
	for (unsigned v = 0; v < FAKE_VECTORS; v++)
		if (!r->f.gates[v].present)
			fake_gate(&r->f, (uint8_t)v,
				  v < FIRST_IRQ && v != VEC_NMI && v != VEC_DB ? HANDLER_NEXT : HANDLER_IRET, false);
	if (r->f.gates[MSI_VECTOR].label == HANDLER_IRET)
		fake_gate(&r->f, MSI_VECTOR, HANDLER_EOI, false);
}

static inline struct rig *rig_new(enum irq_rule rule, enum irqchip_mode mode, uint64_t seed)
{
	struct rig *r = aligned_alloc(_Alignof(struct rig), sizeof(*r));
	struct vcpu_config cfg = { .rule = rule, .mode = mode, .vid = rig_vid, .post = seed % 2, .tsc_mult = TSC_MULT };

	assert_non_null(r);
	r->arrival = 0;
	fake_init(&r->f, seed);
	cfg.ram = (struct ram){ .base = r->f.ram, .size = FAKE_RAM_SIZE };
	r->f.v = &r->v;
	r->f.has_vid = rig_vid && mode == IRQCHIP_SPLIT;
	r->f.has_post = r->f.has_vid && cfg.post;
	vcpu_init(&r->v, &fake_ops, &r->f, &cfg);
	vcpu_set_entry(&r->v, FAKE_CODE, 0, 0);
	r->v.lapic.svr |= APIC_SVR_ENABLE;
	r->v.run.deadline = LONG_NS;
	return r;
}

static inline void rig_load(struct rig *r, const struct fake_insn *prog, size_t n)
{
	fake_load(&r->f, prog, n);
	rig_gates(r);
}

#define LOAD(r, ...)                                                        \
	do {                                                                \
		const struct fake_insn prog_[] = { __VA_ARGS__ };           \
		rig_load((r), prog_, ARRAY_SIZE(prog_));                    \
	} while (0)

/* On the rule's default, in split mode. */
static inline struct rig *rig_split(uint64_t seed) { return rig_new(IRQ_RULE_REARM, IRQCHIP_SPLIT, seed); }
static inline struct rig *rig_user(uint64_t seed) { return rig_new(IRQ_RULE_REARM, IRQCHIP_USER, seed); }

static inline void rig_end(struct rig *r)
{
	if (r->f.violation)
		fail_msg("%s, at %#llx", r->f.violation, (unsigned long long)r->f.violation_rip);
	free(r);
}

/* Reference, "Window predicates", the rows "expanded": over the CPU's own state, without asking the code under test. */
static inline bool expect_ready(const struct rig *r)
{
	const struct lapic *l = &r->v.lapic;
	const struct events *ev = &r->v.ev;
	bool a = (r->f.rflags & RFLAGS_IF) && r->f.shadow == SHADOW_NONE;
	bool p = !(l->base & APIC_BASE_EN) || (!(l->lvt[LVT_LINT0] & APIC_LVT_MASKED) &&
					       APIC_DM(l->lvt[LVT_LINT0]) == APIC_DM_EXTINT);
	bool again = ev->exc.injected || ev->intr.injected || ev->nmi.injected;
	bool stash = ev->stash != STASH_EMPTY, user = r->v.mode == IRQCHIP_USER;

	switch (r->v.rule) {
	case IRQ_RULE_LEGACY:
		return a && !again && (user || (p && !stash && lapic_pending(l) < 0));
	case IRQ_RULE_STASH:
		return a && (user ? !ev->intr.injected : p && !stash);
	default:
		return a && !again && !ev->exc.pending && (user || (p && !stash));
	}
}

static inline uint32_t run(struct rig *r)
{
	struct vcpu_run *u = run_of(r);
	bool ready;

	vcpu_native_api.run(&r->v);
	if (r->f.violation)
		fail_msg("%s, at %#llx", r->f.violation, (unsigned long long)r->f.violation_rip);
	ready = u->ready_for_interrupt_injection;
	assert_int_equal(ready, expect_ready(r));
	assert_int_equal(u->if_flag, (r->f.rflags & RFLAGS_IF) != 0);
	if (u->exit_reason == VCPU_EXIT_IRQ_WINDOW_OPEN)
		assert_true(ready && u->request_interrupt_window);
	if (u->exit_reason == VCPU_EXIT_INTR && !u->immediate_exit)
		assert_false(ready && u->request_interrupt_window);
	return u->exit_reason;
}

static inline int interrupt(struct rig *r, uint32_t vector) { return vcpu_native_api.interrupt(&r->v, vector); }
static inline void nmi(struct rig *r) { vcpu_native_api.nmi(&r->v); }

static inline int msi(struct rig *r, uint8_t vector)
{
	const struct apic_msg msg = { .vector = vector, .delivery_mode = APIC_DM_FIXED };

	return vcpu_native_api.signal_msi(&r->v, &msg);
}

/* Runs until the guest writes `port`; other I/O and the exits of the machinery pass. */
static inline void run_to(struct rig *r, uint16_t port)
{
	struct vcpu_run *u = run_of(r);

	for (int i = 0; i < 10000; i++)
		if (run(r) == VCPU_EXIT_IO && u->io.port == port)
			return;
	fail_msg("the guest does not come to port %#x, last exit %u", port, u->exit_reason);
}

/* The next arrival, NULL none. */
static inline const struct fake_arrival *next_arrival(struct rig *r)
{
	return r->arrival < r->f.logged ? &r->f.log[r->arrival++] : NULL;
}

static inline const struct fake_arrival *expect_arrival(struct rig *r, enum event_type type, uint8_t vector)
{
	const struct fake_arrival *a = next_arrival(r);

	assert_non_null(a);
	if (a->type != type || a->vector != vector)
		fail_msg("arrival of type %u vector %#x, not type %u vector %#x", a->type, a->vector, type, vector);
	return a;
}

/* ... at the boundary before the instruction at `label`. */
static inline const struct fake_arrival *expect_arrival_at(struct rig *r, enum event_type type, uint8_t vector,
							   unsigned label)
{
	const struct fake_arrival *a = expect_arrival(r, type, vector);

	assert_int_equal(a->rip, fake_label(&r->f, label));
	return a;
}

static inline void expect_no_arrival(struct rig *r)
{
	const struct fake_arrival *a = next_arrival(r);

	if (a)
		fail_msg("arrival of type %u vector %#x", a->type, a->vector);
}

static inline unsigned count_arrivals(const struct rig *r, enum event_type type, uint8_t vector)
{
	unsigned n = 0;

	for (unsigned i = 0; i < r->f.logged; i++)
		n += r->f.log[i].type == type && r->f.log[i].vector == vector;
	return n;
}
