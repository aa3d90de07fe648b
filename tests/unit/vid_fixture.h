/* SPDX-License-Identifier: BSD-2-Clause
 * What the tests of virtual-interrupt delivery share: rigs whose deliveries succeed, and who delivered.
 * Knows nothing of what the tests expect. */
#pragma once

#include "unit/vcpu_fixture.h"

#define MSI_HIGH 0x60
#define WRITE_MSR(msr, v) MOV(RCX, (msr)), MOV(RAX, (v)), MOV(RDX, 0), WRMSR
#define WRITE(reg, v) STORE32(APIC(reg), v)
#define READ(reg) LOAD_EAX(APIC(reg))

/* A delivery that is cut short goes in again by software: that is proved with the events. */
static inline struct rig *rig_mapped(enum irq_rule rule, uint64_t seed)
{
	struct rig *r = rig_new(rule, IRQCHIP_SPLIT, seed);

	fake_map_all(&r->f);
	return r;
}

static inline void expect_virtual_at(struct rig *r, uint8_t vector, unsigned label)
{
	const struct fake_arrival *a = expect_arrival_at(r, EVENT_INTR, vector, label);

	assert_true(a->virtual_ && !a->injected && a->if_ && !a->shadow);
}

static inline void expect_injected_at(struct rig *r, uint8_t vector, unsigned label)
{
	const struct fake_arrival *a = expect_arrival_at(r, EVENT_INTR, vector, label);

	assert_true(a->injected && !a->virtual_);
}

static inline void choose_eoi_exit(struct rig *r, uint8_t vector)
{
	uint64_t bitmap[4] = { 0 };

	bitmap[vector / 64] = BIT64(vector % 64);
	vcpu_native_api.set_eoi_exits(&r->v, bitmap);
}

static inline void expect_read(struct rig *r, uint32_t val)
{
	run_to(r, RAISE);
	assert_int_equal(r->v.regs.gpr[RAX], val);
}
