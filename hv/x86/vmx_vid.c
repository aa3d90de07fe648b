/* SPDX-License-Identifier: BSD-2-Clause
 * Virtual-interrupt delivery: the controls and the MSRs of each mode, RVI and SVI, whose EOI exits. The bitmap of the MSRs
 * that the guest has without us, which changes with the mode.
 * Knows nothing of what is in the LAPIC's page. */
#include "core/vcpu.h"
#include "x86.h"
#include "x86/vmx.h"

#define PROC2_VID (PROC2_APIC_ACCESSES | PROC2_X2APIC_MODE | PROC2_APIC_REGISTERS | PROC2_VIRTUAL_INTR_DELIVERY)

/* "MSR-Bitmap Address": four parts of 1 KiB, one bit an MSR */
#define MSRPM_RANGE 0x2000u /* MSRs in each part */
#define MSRPM_HIGH 0xc0000000u
#define MSRPM_READ_LOW 0x000
#define MSRPM_READ_HIGH 0x400
#define MSRPM_WRITE_LOW 0x800
#define MSRPM_WRITE_HIGH 0xc00
#define MSRPM_PER_BYTE 8
#define X2APIC_MSR(offset) (MSR_X2APIC_FIRST + (offset) / 16)

_Static_assert(MSR_X2APIC_LAST < MSRPM_RANGE, "the x2APIC's MSRs are in the low part");

static struct vmx *vmx_of(const struct vcpu *v)
{
	return v->hw;
}

static void set_bit(uint8_t *part, uint32_t index, bool exits)
{
	uint8_t *byte = &part[index / MSRPM_PER_BYTE], bit = (uint8_t)BIT(index % MSRPM_PER_BYTE);

	*byte = (uint8_t)(exits ? *byte | bit : *byte & ~bit);
}

void vmx_msrpm_pass(struct vmx *x, uint32_t msr)
{
	bool high = msr >= MSRPM_HIGH;
	uint32_t index = high ? msr - MSRPM_HIGH : msr;

	set_bit(x->msrpm + (high ? MSRPM_READ_HIGH : MSRPM_READ_LOW), index, false);
	set_bit(x->msrpm + (high ? MSRPM_WRITE_HIGH : MSRPM_WRITE_LOW), index, false);
}

/* SDM v3, "Virtualizing MSR-Based APIC Accesses": a read comes out of the page whatever it holds, so only those of registers
 * that an x2APIC has may pass, and not that of the timer's current count, which the page cannot know. TPR, EOI and SELF IPI
 * are the writes that the CPU virtualizes; any other that does not exit "accesses the MSR indicated in ECX", which would be
 * the machine's own APIC. */
static void set_x2apic_msrs(struct vmx *x, bool exit)
{
	static const uint16_t reads[] = { APIC_ID,      APIC_VERSION,   APIC_TPR,         APIC_PPR,
					  APIC_LDR,     APIC_SVR,       APIC_ESR,         APIC_ICR_LOW,
					  APIC_LVT_TIMER, APIC_LVT_THERMAL, APIC_LVT_PERFMON, APIC_LVT_LINT0,
					  APIC_LVT_LINT1, APIC_LVT_ERROR, APIC_TIMER_INITIAL, APIC_TIMER_DIVIDE };
	static const uint16_t writes[] = { APIC_TPR, APIC_EOI, APIC_SELF_IPI };

	for (unsigned i = 0; i < ARRAY_SIZE(reads); i++)
		set_bit(x->msrpm + MSRPM_READ_LOW, X2APIC_MSR(reads[i]), exit);
	for (uint32_t msr = X2APIC_MSR(APIC_ISR); msr < X2APIC_MSR(APIC_ESR); msr++) /* ISR, TMR, IRR */
		set_bit(x->msrpm + MSRPM_READ_LOW, msr, exit);
	for (unsigned i = 0; i < ARRAY_SIZE(writes); i++)
		set_bit(x->msrpm + MSRPM_WRITE_LOW, X2APIC_MSR(writes[i]), exit);
}

/* When the delivery of a virtual interrupt meets a page that is not mapped, the IDT-vectoring information of Bochs names the
 * event before it (docs/findings.md), and nobody can say which. So under Bochs no page is missing while VID is on: all are
 * mapped before, and from the moment that one is taken away until it is back, software delivers. */
static void map_all(struct vcpu *v, struct vmx *x)
{
	for (uint64_t a = 0; a < v->ram.size; a += PAGE_SIZE) {
		hpa_t hpa = HPA((uintptr_t)v->ram.base + a);

		if (nested_map(&x->nested, GPA(a), hpa))
			return; /* the pool is empty, and who needs this page will say so */
	}
	x->pages_missing = 0;
}

/* The page at APIC_DEFAULT_PHYS is never reached: it is there for its address, which the CPU knows again. */
static void map_apic_page(struct vmx *x, bool map)
{
	if (map) {
		nested_map(&x->nested, GPA(APIC_DEFAULT_PHYS), x->apic_access);
	} else {
		nested_unmap(&x->nested, GPA(APIC_DEFAULT_PHYS));
		x->invept = true;
	}
}

void vmx_set_vid(struct vcpu *v, enum hvm_vid vid)
{
	struct vmx *x = vmx_of(v);
	uint32_t both = PROC2_APIC_REGISTERS | PROC2_VIRTUAL_INTR_DELIVERY;
	uint32_t was = x->proc2.want & PROC2_VID, now = 0;

	if (vid == HVM_VID_XAPIC)
		now = both | PROC2_APIC_ACCESSES;
	if (vid == HVM_VID_X2APIC)
		now = both | PROC2_X2APIC_MODE;
	x->proc2.want = (x->proc2.want & ~PROC2_VID) | now;
	if (x->posted)
		x->pin.want = (x->pin.want & ~PIN_POSTED_INTERRUPTS) | (now ? PIN_POSTED_INTERRUPTS : 0);
	if ((now ^ was) & PROC2_X2APIC_MODE)
		set_x2apic_msrs(x, vid != HVM_VID_X2APIC);
	if ((now ^ was) & PROC2_APIC_ACCESSES)
		map_apic_page(x, vid == HVM_VID_XAPIC);
	if (x->bochs && now && !was)
		map_all(v, x);
}

void vmx_set_vid_status(struct vcpu *v, uint8_t rvi, uint8_t svi)
{
	vmcs_write(vmx_of(v), VMCS_GUEST_INTR_STATUS, INTR_STATUS(rvi, svi));
}

void vmx_set_eoi_exits(struct vcpu *v, const uint64_t bitmap[4])
{
	static const enum vmcs_field fields[] = { VMCS_EOI_EXIT_BITMAP_0, VMCS_EOI_EXIT_BITMAP_1, VMCS_EOI_EXIT_BITMAP_2,
						  VMCS_EOI_EXIT_BITMAP_3 };
	struct vmx *x = vmx_of(v);

	for (unsigned i = 0; i < ARRAY_SIZE(fields); i++) {
		if (x->eoi_exits[i] == bitmap[i])
			continue;
		x->eoi_exits[i] = bitmap[i];
		vmcs_write(x, fields[i], bitmap[i]);
	}
}

/* SDM v3, "Posted-Interrupt Processing": it takes the place of the exit for an external interrupt, and so it asks neither for
 * IF nor for a shadow. On Bochs an interrupt of the host's waits for both (docs/findings.md), and meanwhile the guest could
 * read an IRR that lacks the vector. */
bool vmx_notify(struct vcpu *v)
{
	struct vmx *x = vmx_of(v);

	if (x->bochs && (v->ev.handed != EVENT_NONE || !vmx_ops.intr_allowed(v)))
		return false;
	host_self_post(x->host);
	return true;
}

/* SDM v3, "VM-Exit Controls": with "acknowledge interrupt on exit" "the logical processor acknowledges the interrupt controller,
 * acquiring the interrupt's vector. The vector is stored in the VM-exit interruption-information field". */
void vmx_take_interrupt(struct vmx *x)
{
	uint32_t info;

	if (!x->posted) {
		host_take_interrupts(x->host);
		return;
	}
	info = (uint32_t)vmcs_read(x, VMCS_EXIT_INTR_INFO);
	if (info & INTR_INFO_VALID)
		host_dispatch(x->host, INTR_INFO_VECTOR(info));
}

void vmx_vid_page_mapped(struct vcpu *v)
{
	struct vmx *x = vmx_of(v);

	if (x->pages_missing && !--x->pages_missing)
		v->vid_held = false;
}

void vmx_vid_page_unmapped(struct vcpu *v)
{
	struct vmx *x = vmx_of(v);

	if (!x->bochs)
		return;
	x->pages_missing++;
	v->vid_held = true;
}
