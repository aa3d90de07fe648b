/* SPDX-License-Identifier: BSD-2-Clause
 * Driver of the local APIC, xAPIC page or x2APIC MSRs, and its state before every scenario.
 * Knows nothing of the 8259 pair behind LINT0. */
#include "rt_private.h"

#define APIC_SPURIOUS_VECTOR 0xff
#define BITS_PER_REG 32
#define REG_STRIDE 0x10
#define DRAIN_ROUNDS 300 /* more than there are vectors */

#define CPUID_FEATURES 1
#define CPUID_1_ECX_X2APIC BIT(21)
#define CPUID_1_ECX_TSC_DEADLINE BIT(24)

static bool x2apic;

static uint32_t cpuid_features_ecx(void)
{
	uint32_t a = CPUID_FEATURES, b, c = 0, d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	return c;
}

bool cpu_has_x2apic(void)
{
	return cpuid_features_ecx() & CPUID_1_ECX_X2APIC;
}

bool cpu_has_tsc_deadline(void)
{
	return cpuid_features_ecx() & CPUID_1_ECX_TSC_DEADLINE;
}

bool apic_is_reachable(void)
{
	return rdmsr(MSR_APIC_BASE) & APIC_BASE_EN;
}

static uint32_t x2apic_msr(uint32_t reg)
{
	return MSR_X2APIC_FIRST + reg / REG_STRIDE;
}

/* Plain moves in the simplest encoding: it is the register that is under test, not the hypervisor's decoder. */
uint32_t apic_read(uint32_t reg)
{
	uint32_t v;

	if (x2apic)
		return (uint32_t)rdmsr(x2apic_msr(reg));
	__asm__ volatile("movl (%1), %0" : "=a"(v) : "r"(APIC_DEFAULT_PHYS + reg) : "memory");
	return v;
}

void apic_write(uint32_t reg, uint32_t val)
{
	if (x2apic)
		wrmsr(x2apic_msr(reg), val);
	else
		__asm__ volatile("movl %0, (%1)" ::"a"(val), "r"(APIC_DEFAULT_PHYS + reg) : "memory");
}

void apic_eoi(void)
{
	apic_write(APIC_EOI, 0);
}

void apic_self_ipi(uint8_t vector)
{
	apic_write(APIC_ICR_LOW, vector | APIC_ICR_ASSERT | APIC_ICR_SHORTHAND_FIELD(APIC_ICR_SELF));
}

void apic_x2apic(void)
{
	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_BASE_EN | APIC_BASE_EXTD);
	x2apic = true;
}

static bool bitmap_bit(uint32_t first_reg, uint8_t vector)
{
	return apic_read(first_reg + vector / BITS_PER_REG * REG_STRIDE) & BIT(vector % BITS_PER_REG);
}

bool apic_isr_bit(uint8_t vector)
{
	return bitmap_bit(APIC_ISR, vector);
}

bool apic_irr_bit(uint8_t vector)
{
	return bitmap_bit(APIC_IRR, vector);
}

/* SDM v3, "x2APIC State Transitions": from x2APIC mode the only way back to xAPIC mode leads through the disabled
 * state. An APIC that was never disabled is not disabled here: some models cannot be enabled again. */
static void apic_to_xapic(void)
{
	uint64_t base = rdmsr(MSR_APIC_BASE);

	if (base & APIC_BASE_EXTD) {
		base &= ~(APIC_BASE_EN | APIC_BASE_EXTD);
		wrmsr(MSR_APIC_BASE, base);
	}
	if (!(base & APIC_BASE_EN))
		wrmsr(MSR_APIC_BASE, base | APIC_BASE_EN);
	x2apic = false;
}

void apic_reset(void)
{
	apic_to_xapic();
	/* Enabled first: while SVR.EN=0 the LVT masks cannot be cleared. */
	apic_write(APIC_SVR, APIC_SVR_ENABLE | APIC_SPURIOUS_VECTOR);
	apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED);
	apic_write(APIC_TIMER_INITIAL, 0);
	apic_write(APIC_LVT_LINT0, APIC_DM_FIELD(APIC_DM_EXTINT));
	apic_write(APIC_LVT_LINT1, APIC_DM_FIELD(APIC_DM_NMI));
	apic_write(APIC_LVT_ERROR, APIC_LVT_MASKED);
	apic_write(APIC_ESR, 0);
	apic_write(APIC_ESR, 0);
	apic_write(APIC_TPR, 0);
}

/* With TPR=0, PPR is 0 exactly when nothing is in service. */
static void finish_in_service(void)
{
	for (unsigned i = 0; i < DRAIN_ROUNDS && apic_read(APIC_PPR); i++)
		apic_eoi();
}

void apic_drain(void)
{
	uint32_t before;

	finish_in_service();
	do {
		before = rt_swallowed;
		irq_open();
	} while (rt_swallowed != before && rt_swallowed < UINT32_MAX);
	finish_in_service();
}
