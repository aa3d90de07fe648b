/* SPDX-License-Identifier: BSD-2-Clause
 * The machine's own local APIC, in whichever mode the firmware left it.
 * Knows nothing of the guest's. */
#include "x86/lapic_hw.h"

#include "status.h"
#include "x86.h"
#include "x86/insn.h"

#define CPUID_FEATURES 1
#define CPUID_FEATURES_EDX_APIC BIT(9)
#define REG_STRIDE 16         /* one 32-bit register every 16 bytes */
#define VECTORS_PER_REG 32
#define ICR_BUSY_POLLS 100000
#define IRR_POLLS 1000000
#define XAPIC_ID MASK(31, 24)
#define X2APIC_ICR_DEST_SHIFT 32

int lapic_hw_probe(struct lapic_hw *l)
{
	uint64_t base;

	if (!(cpuid(CPUID_FEATURES, 0).edx & CPUID_FEATURES_EDX_APIC))
		return E_NODEV;
	base = rdmsr(MSR_APIC_BASE);
	if (!(base & APIC_BASE_EN))
		return E_NODEV;
	l->x2apic = base & APIC_BASE_EXTD;
	l->mmio = (volatile uint32_t *)(base & APIC_BASE_ADDR);
	return 0;
}

uint32_t lapic_hw_read(const struct lapic_hw *l, uint32_t reg)
{
	if (l->x2apic)
		return (uint32_t)rdmsr(MSR_X2APIC_FIRST + reg / REG_STRIDE);
	return l->mmio[reg / sizeof(*l->mmio)];
}

void lapic_hw_write(const struct lapic_hw *l, uint32_t reg, uint32_t v)
{
	if (l->x2apic)
		wrmsr(MSR_X2APIC_FIRST + reg / REG_STRIDE, v);
	else
		l->mmio[reg / sizeof(*l->mmio)] = v;
}

/* In x2APIC mode the bit "Delivery Status" is gone and the ICR never busy. */
static void wait_idle(const struct lapic_hw *l)
{
	for (unsigned polls = 0; !l->x2apic && polls < ICR_BUSY_POLLS; polls++)
		if (!(lapic_hw_read(l, APIC_ICR_LOW) & APIC_ICR_BUSY))
			return;
}

void lapic_hw_self_ipi(const struct lapic_hw *l, uint8_t vector)
{
	wait_idle(l);
	lapic_hw_write(l, APIC_ICR_LOW,
		       APIC_ICR_SHORTHAND_FIELD(APIC_ICR_SELF) | APIC_ICR_ASSERT | APIC_DM_FIELD(APIC_DM_FIXED) | vector);
}

/* SDM v3, "Interrupt Command Register (ICR)", the valid combinations: the shorthand "self" is for fixed interrupts only. */
void lapic_hw_self_nmi(const struct lapic_hw *l)
{
	const uint32_t command = APIC_ICR_ASSERT | APIC_DM_FIELD(APIC_DM_NMI), id = lapic_hw_read(l, APIC_ID);

	wait_idle(l);
	if (l->x2apic) {
		wrmsr(MSR_X2APIC_FIRST + APIC_ICR_LOW / REG_STRIDE, (uint64_t)id << X2APIC_ICR_DEST_SHIFT | command);
		return;
	}
	lapic_hw_write(l, APIC_ICR_HIGH, id & XAPIC_ID);
	lapic_hw_write(l, APIC_ICR_LOW, command);
}

bool lapic_hw_pending(const struct lapic_hw *l, uint8_t vector)
{
	uint32_t irr = lapic_hw_read(l, APIC_IRR + vector / VECTORS_PER_REG * REG_STRIDE);

	return irr & BIT(vector % VECTORS_PER_REG);
}

bool lapic_hw_wait_pending(const struct lapic_hw *l, uint8_t vector)
{
	for (unsigned polls = 0; polls < IRR_POLLS; polls++)
		if (lapic_hw_pending(l, vector))
			return true;
	return false;
}
