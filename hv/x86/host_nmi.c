/* SPDX-License-Identifier: BSD-2-Clause
 * An NMI now and then, out of the RTC through the I/O APIC: the one interrupt that no IF holds off.
 * Knows nothing of who needs it, nor of the time of day. */
#include "x86/host_nmi.h"

#include "dev/ioapic.h"
#include "dev/rtc.h"
#include "x86.h"
#include "x86/insn.h"

#define RTE_DM_NMI FIELD(10, 8, 4)
#define RTE_DEST_FIELD(id) FIELD(31, 24, id) /* in the upper half */
#define RTE_REG(pin, half) (IOAPIC_REG_RTE + 2 * (pin) + (half))
#define XAPIC_ID(r) GET_FIELD(31, 24, r)
#define RTC_RATE_64HZ 10

static uint32_t *ioapic_select(uint32_t reg)
{
	volatile uint32_t *sel = (volatile uint32_t *)(uintptr_t)(IOAPIC_DEFAULT_PHYS + IOAPIC_REGSEL);

	*sel = reg;
	return (uint32_t *)(uintptr_t)(IOAPIC_DEFAULT_PHYS + IOAPIC_WINDOW);
}

static uint32_t ioapic_get(uint32_t reg)
{
	return *(volatile uint32_t *)ioapic_select(reg);
}

static void ioapic_set(uint32_t reg, uint32_t val)
{
	*(volatile uint32_t *)ioapic_select(reg) = val;
}

static uint8_t rtc_get(uint8_t reg)
{
	out8(RTC_INDEX, reg);
	return in8(RTC_DATA);
}

static void rtc_set(uint8_t reg, uint8_t val)
{
	out8(RTC_INDEX, reg);
	out8(RTC_DATA, val);
}

/* Masked while its halves change: the upper one names the CPU that the lower one lets the NMI go to. */
static void set_rte(uint32_t low, uint32_t high)
{
	ioapic_set(RTE_REG(RTC_IRQ, 0), RTE_MASKED);
	ioapic_set(RTE_REG(RTC_IRQ, 1), high);
	ioapic_set(RTE_REG(RTC_IRQ, 0), low);
}

void host_nmi_start(struct host_nmi *n, const struct lapic_hw *l)
{
	uint32_t id = lapic_hw_read(l, APIC_ID);

	n->on = true;
	n->rte[0] = ioapic_get(RTE_REG(RTC_IRQ, 0));
	n->rte[1] = ioapic_get(RTE_REG(RTC_IRQ, 1));
	n->rtc_a = rtc_get(RTC_A) & (uint8_t)~RTC_A_UIP;
	n->rtc_b = rtc_get(RTC_B);
	set_rte(RTE_DM_NMI, RTE_DEST_FIELD(l->x2apic ? id : XAPIC_ID(id)));
	rtc_set(RTC_A, (n->rtc_a & (uint8_t)~RTC_A_RS) | RTC_RATE_64HZ);
	rtc_set(RTC_B, n->rtc_b | RTC_B_PIE);
	host_nmi_rearm(n);
}

void host_nmi_stop(struct host_nmi *n)
{
	if (!n->on)
		return;
	rtc_set(RTC_B, n->rtc_b);
	rtc_set(RTC_A, n->rtc_a);
	set_rte(n->rte[0], n->rte[1]);
	rtc_get(RTC_C);
	n->on = false;
}

/* MC146818 data sheet, of register C: "All bits which are high when read by the program are cleared". Until then the line stays
 * high, and makes no further edge. */
void host_nmi_rearm(const struct host_nmi *n)
{
	if (n->on)
		rtc_get(RTC_C);
}
