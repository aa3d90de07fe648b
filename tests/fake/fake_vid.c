/* SPDX-License-Identifier: BSD-2-Clause
 * The scripted CPU's virtual-interrupt delivery: SDM v3, "APIC Virtualization and Virtual Interrupts", over the LAPIC's page.
 * Knows nothing of what software does with the page. */
#include "fake/fake_cpu.h"

#include "core/vcpu.h"

#define CLASS(v) ((v) >> 4)
#define CLASS_MASK 0xf0u
#define WORD_BITS 32
#define REG_STRIDE 16
#define MAP_WORDS 8
#define BYTE_MASK 0xffu
#define HIGH_BYTE_MASK 0xff000000u
#define FIRST_VALID_VECTOR 16
/* "Self-IPI Virtualization": "Reserved bits (31:20, 17:16, 13) and bit 12 (delivery status) are all 0", destination
 * shorthand self, edge, fixed. */
#define ICR_SELF_IPI_MASK (MASK(31, 20) | MASK(19, 18) | MASK(17, 16) | APIC_ICR_LEVEL | BIT(13) | BIT(12) | MASK(10, 8))

static uint32_t *reg(struct fake_cpu *f, uint32_t offset)
{
	return &f->v->lapic.page[offset / sizeof(uint32_t)];
}

static uint32_t *map_word(struct fake_cpu *f, uint32_t map, uint8_t vector)
{
	return reg(f, map + vector / WORD_BITS * REG_STRIDE);
}

/* 0: none, as RVI and SVI have it. */
static uint8_t highest(struct fake_cpu *f, uint32_t map)
{
	for (uint32_t i = MAP_WORDS; i-- > 0;) {
		uint32_t word = *reg(f, map + i * REG_STRIDE);

		if (word)
			return (uint8_t)(i * WORD_BITS + fls64(word));
	}
	return 0;
}

uint8_t fake_tpr(struct fake_cpu *f)
{
	return f->vid == HVM_VID_OFF ? f->tpr : (uint8_t)*reg(f, APIC_TPR);
}

/* "PPR Virtualization" */
static void virtualize_ppr(struct fake_cpu *f)
{
	uint32_t vtpr = *reg(f, APIC_TPR) & BYTE_MASK;

	*reg(f, APIC_PPR) = CLASS(vtpr) >= CLASS(f->svi) ? vtpr : f->svi & CLASS_MASK;
}

/* "Evaluation of Pending Virtual Interrupts": "IF "interrupt-window exiting" is 0 AND RVI[7:4] > VPPR[7:4]". */
static void evaluate(struct fake_cpu *f)
{
	f->recognized = !f->window && CLASS(f->rvi) > CLASS(*reg(f, APIC_PPR));
}

/* "TPR Virtualization" */
static void virtualize_tpr(struct fake_cpu *f, uint32_t tpr)
{
	*reg(f, APIC_TPR) = tpr & BYTE_MASK;
	virtualize_ppr(f);
	evaluate(f);
}

void fake_vid_entry(struct fake_cpu *f)
{
	f->recognized = false; /* recognized is what an evaluation of this entry recognizes */
	if (f->vid == HVM_VID_OFF)
		return;
	if (f->rvi != highest(f, APIC_IRR))
		fake_violation(f, "RVI is not the highest bit of IRR");
	if (f->svi != highest(f, APIC_ISR))
		fake_violation(f, "SVI is not the highest bit of ISR");
	virtualize_ppr(f);
	evaluate(f);
}

/* "EOI Virtualization". true: an EOI-induced exit. */
static bool virtualize_eoi(struct fake_cpu *f, struct hvm_exit *out)
{
	uint8_t vector = f->svi;

	*reg(f, APIC_EOI) = 0;
	*map_word(f, APIC_ISR, vector) &= ~BIT(vector % WORD_BITS);
	f->svi = highest(f, APIC_ISR);
	virtualize_ppr(f);
	if (f->eoi_exits[vector / 64] & BIT64(vector % 64)) {
		out->kind = HVM_EXIT_EOI;
		out->eoi_vector = vector;
		return true;
	}
	evaluate(f);
	return false;
}

/* "Self-IPI Virtualization" */
static void virtualize_self_ipi(struct fake_cpu *f, uint8_t vector)
{
	*map_word(f, APIC_IRR, vector) |= BIT(vector % WORD_BITS);
	f->rvi = f->rvi > vector ? f->rvi : vector;
	evaluate(f);
}

/* "Virtual-Interrupt Delivery". RVI and SVI have changed even if delivery through the IDT is cut short then. */
bool fake_vid_deliver(struct fake_cpu *f, struct hvm_exit *out)
{
	struct event e = { .type = EVENT_INTR, .vector = f->rvi };

	if (!f->recognized || f->window || !(f->rflags & RFLAGS_IF) || f->shadow != SHADOW_NONE)
		return false;
	*map_word(f, APIC_ISR, e.vector) |= BIT(e.vector % WORD_BITS);
	f->svi = e.vector;
	*reg(f, APIC_PPR) = e.vector & CLASS_MASK;
	*map_word(f, APIC_IRR, e.vector) &= ~BIT(e.vector % WORD_BITS);
	f->rvi = highest(f, APIC_IRR);
	f->recognized = false;
	if (fake_deliver(f, &e, f->rip, false, out))
		return true;
	f->log[f->logged - 1].virtual_ = true;
	return false;
}

/* "Posted-Interrupt Processing". The notification is an interrupt of the host's: it needs no IF, and where nothing is processed
 * it exits. */
bool fake_vid_process_posted(struct fake_cpu *f, struct hvm_exit *out)
{
	struct posted_desc *d = &f->v->lapic.posted;

	if (!f->notified)
		return false;
	f->notified = false;
	if (f->vid == HVM_VID_OFF) {
		out->kind = HVM_EXIT_INTR;
		return true;
	}
	d->notification &= ~POSTED_OUTSTANDING;
	for (uint32_t i = 0; i < MAP_WORDS; i++) {
		*reg(f, APIC_IRR + i * REG_STRIDE) |= d->pir[i];
		d->pir[i] = 0;
	}
	f->rvi = highest(f, APIC_IRR);
	evaluate(f);
	return fake_vid_deliver(f, out);
}

/* ---- the guest's accesses ---- */

static enum fake_apic apic_write_exit(uint32_t offset, struct hvm_exit *out)
{
	out->kind = HVM_EXIT_APIC_WRITE;
	out->apic_offset = (uint16_t)offset;
	return FAKE_APIC_EXITS;
}

static bool in_maps(uint32_t offset)
{
	return offset >= APIC_ISR && offset < APIC_ESR;
}

/* "Virtualizing Reads from the APIC-Access Page" and "Virtualizing Writes to the APIC-Access Page": what both lists have. */
static bool is_listed(uint32_t offset)
{
	switch (offset) {
	case APIC_ID:
	case APIC_TPR:
	case APIC_EOI:
	case APIC_LDR:
	case APIC_DFR:
	case APIC_SVR:
	case APIC_ESR:
	case APIC_ICR_LOW:
	case APIC_ICR_HIGH:
	case APIC_LVT_TIMER:
	case APIC_LVT_THERMAL:
	case APIC_LVT_PERFMON:
	case APIC_LVT_LINT0:
	case APIC_LVT_LINT1:
	case APIC_LVT_ERROR:
	case APIC_TIMER_INITIAL:
	case APIC_TIMER_DIVIDE:
		return true;
	default:
		return false;
	}
}

static enum fake_apic write_icr_low(struct fake_cpu *f, uint32_t val, struct hvm_exit *out)
{
	uint8_t vector = APIC_VECTOR(val);

	*reg(f, APIC_ICR_LOW) = val;
	if ((val & ICR_SELF_IPI_MASK) != APIC_ICR_SHORTHAND_FIELD(APIC_ICR_SELF) || vector < FIRST_VALID_VECTOR)
		return apic_write_exit(APIC_ICR_LOW, out);
	virtualize_self_ipi(f, vector);
	return FAKE_APIC_DONE;
}

enum fake_apic fake_vid_write(struct fake_cpu *f, uint32_t offset, uint32_t val, struct hvm_exit *out)
{
	if (!is_listed(offset))
		return FAKE_APIC_FAULTS;
	switch (offset) {
	case APIC_TPR:
		virtualize_tpr(f, val);
		return FAKE_APIC_DONE;
	case APIC_EOI:
		return virtualize_eoi(f, out) ? FAKE_APIC_EXITS : FAKE_APIC_DONE;
	case APIC_ICR_LOW:
		return write_icr_low(f, val, out);
	case APIC_ICR_HIGH: /* "The processor clears bytes 2:0 of VICR_HI. No other virtualization or VM exit occurs." */
		*reg(f, offset) = val & HIGH_BYTE_MASK;
		return FAKE_APIC_DONE;
	default:
		*reg(f, offset) = val;
		return apic_write_exit(offset, out);
	}
}

enum fake_apic fake_vid_read(struct fake_cpu *f, uint32_t offset, uint32_t *val)
{
	if (!is_listed(offset) && !in_maps(offset) && offset != APIC_VERSION)
		return FAKE_APIC_FAULTS;
	*val = *reg(f, offset);
	return FAKE_APIC_DONE;
}

void fake_vid_mov_cr8(struct fake_cpu *f, uint8_t cr8)
{
	virtualize_tpr(f, (uint32_t)cr8 << 4);
}

/* "Virtualizing MSR-Based APIC Accesses" */
enum fake_apic fake_vid_wrmsr(struct fake_cpu *f, uint32_t msr, uint64_t val, struct hvm_exit *out)
{
	uint32_t offset = (msr - MSR_X2APIC_FIRST) * REG_STRIDE;
	uint64_t allowed = offset == APIC_EOI ? 0 : BYTE_MASK;

	if (offset != APIC_TPR && offset != APIC_EOI && offset != APIC_SELF_IPI)
		return FAKE_APIC_FAULTS;
	if (val & ~allowed)
		return FAKE_APIC_GP;
	if (offset != APIC_SELF_IPI)
		return fake_vid_write(f, offset, (uint32_t)val, out);
	*reg(f, offset) = (uint32_t)val;
	if (val < FIRST_VALID_VECTOR)
		return apic_write_exit(offset, out);
	virtualize_self_ipi(f, (uint8_t)val);
	return FAKE_APIC_DONE;
}

/* What has no MSR, and what software must count, exits. */
enum fake_apic fake_vid_rdmsr(struct fake_cpu *f, uint32_t msr, uint64_t *val)
{
	uint32_t offset = (msr - MSR_X2APIC_FIRST) * REG_STRIDE;

	if (offset == APIC_EOI || offset == APIC_DFR || offset == APIC_ICR_HIGH)
		return FAKE_APIC_FAULTS;
	if (!is_listed(offset) && !in_maps(offset) && offset != APIC_VERSION && offset != APIC_PPR)
		return FAKE_APIC_FAULTS;
	*val = (uint64_t)*reg(f, offset + sizeof(uint32_t)) << WORD_BITS | *reg(f, offset);
	return FAKE_APIC_DONE;
}

/* ---- what software asks for ---- */

static void need_vid(struct fake_cpu *f)
{
	if (!f->has_vid)
		fake_violation(f, "virtual-interrupt delivery was not asked for");
}

void fake_set_vid(struct vcpu *v, enum hvm_vid vid)
{
	struct fake_cpu *f = v->hw;

	need_vid(f);
	f->vid = vid;
	f->rvi = (uint8_t)fake_random(f, FAKE_VECTORS); /* whatever was left there */
	f->svi = (uint8_t)fake_random(f, FAKE_VECTORS);
}

/* One time in four it would come too late. */
bool fake_notify(struct vcpu *v)
{
	const uint32_t late = 4;
	struct fake_cpu *f = v->hw;

	if (!f->has_post || f->vid == HVM_VID_OFF)
		fake_violation(f, "a notification without virtual-interrupt delivery or posted interrupts");
	f->notified = f->notified || fake_random(f, late);
	return f->notified;
}

void fake_set_vid_status(struct vcpu *v, uint8_t rvi, uint8_t svi)
{
	struct fake_cpu *f = v->hw;

	need_vid(f);
	if (f->vid == HVM_VID_OFF)
		fake_violation(f, "RVI and SVI without virtual-interrupt delivery");
	f->rvi = rvi;
	f->svi = svi;
}

void fake_set_eoi_exits(struct vcpu *v, const uint64_t bitmap[4])
{
	struct fake_cpu *f = v->hw;

	need_vid(f);
	for (size_t i = 0; i < ARRAY_SIZE(f->eoi_exits); i++)
		f->eoi_exits[i] = bitmap[i];
}

uint64_t fake_vid_status(struct fake_cpu *f)
{
	if (f->vid == HVM_VID_OFF)
		fake_violation(f, "RVI and SVI without virtual-interrupt delivery");
	return (uint64_t)f->svi << 8 | f->rvi;
}
