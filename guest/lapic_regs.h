/* SPDX-License-Identifier: BSD-2-Clause
 * What the local APIC's scenarios share: vectors, handlers, CR8, IPIs to itself.
 * Knows nothing of what a scenario expects. */
#pragma once

#include "rt.h"

#define X2APIC_MSR(reg) (MSR_X2APIC_FIRST + (reg) / 16u)
#define VECTOR_CLASS(v) ((uint32_t)GET_FIELD(7, 4, v))
#define XAPIC_ID(reg) ((uint32_t)GET_FIELD(31, 24, reg))
#define XAPIC_DEST(id) ((uint32_t)FIELD(31, 24, id))
#define X2APIC_DEST(id) FIELD(63, 32, id)
#define APIC_SVR_VECTOR(v) ((uint32_t)FIELD(7, 0, v))

/* Vectors by priority class. */
enum { V_LOW = 0x41, V_MID = 0x61, V_MID_SAME_CLASS = 0x6e, V_HIGH = 0x81, V_SPURIOUS = 0xff };
enum { V_ILLEGAL = 0x0f, V_ERROR = 0x91, V_TIMER = 0x71 };
enum { LAPIC_SOME_MS = 5, LAPIC_QUIET_MS = 30, LAPIC_LONG_MS = 2000, LAPIC_ATTEMPTS = 20 };
enum { LAPIC_PATIENT_MS = 20000 }; /* deadline of scenarios that repeat attempts */

static inline void lapic_stay(struct frame *f) { (void)f; }

static inline void lapic_finish(struct frame *f)
{
	(void)f;
	apic_eoi();
}

static inline uint64_t read_cr8(void)
{
	uint64_t v;

	__asm__ volatile("mov %%cr8, %0" : "=r"(v));
	return v;
}

static inline void write_cr8(uint64_t v) { __asm__ volatile("mov %0, %%cr8" ::"r"(v) : "memory"); }

/* SDM v3, "CPUID" leaf 1: EBX bits 31:24 are the initial APIC ID, EDX bit 9 says that there is an enabled APIC. */
struct cpuid1 { uint32_t eax, ebx, ecx, edx; };
#define CPUID1_INITIAL_APIC_ID(r) ((uint32_t)GET_FIELD(31, 24, (r).ebx))
#define CPUID1_EDX_APIC BIT(9)
static inline struct cpuid1 read_cpuid1(void)
{
	struct cpuid1 r = { .eax = 1 };

	__asm__ volatile("cpuid" : "+a"(r.eax), "=b"(r.ebx), "+c"(r.ecx), "=d"(r.edx));
	return r;
}

static inline void need_x2apic(void)
{
	if (!cpu_has_x2apic())
		skip("no x2APIC");
	apic_x2apic();
}

/* Vectors V_LOW, V_MID, V_MID_SAME_CLASS and V_HIGH, all with the handler. */
static inline void lapic_listen(handler_fn *fn)
{
	on_vector(V_LOW, fn);
	on_vector(V_MID, fn);
	on_vector(V_MID_SAME_CLASS, fn);
	on_vector(V_HIGH, fn);
}

/* To itself, and delivered if it can be. */
static inline void lapic_send_and_take(uint8_t vector)
{
	apic_self_ipi(vector);
	irq_open();
}

#define EXPECT_VECTORS(...)                                                                \
	lapic_expect_vectors((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))
static inline void lapic_expect_vectors(const uint8_t *vectors, size_t n)
{
	for (size_t i = 0; i < n && i < arrivals.count; i++)
		if (arrivals.log[i].vector != vectors[i])
			fail("", "interrupt %u has vector %#x, not %#x", (unsigned)i, arrivals.log[i].vector, vectors[i]);
	EXPECT_EQ(arrivals.count, n);
}
