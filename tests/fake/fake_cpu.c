/* SPDX-License-Identifier: BSD-2-Clause
 * The scripted CPU as a backend: entries and their checks, boundaries and windows, guest state.
 * Knows nothing of single instructions. */
#include "fake/fake_cpu.h"

#include <string.h>

#include "core/vcpu.h"
#include "status.h"

#define TSC_PER_NS 2
#define GARBAGE 0xa5
#define GARBAGE_RSP 0xdeadbeefdeadbeefull
#define EARLY_WAKE_NS 300

static struct fake_cpu *fake_of(const struct vcpu *v)
{
	return v->hw;
}

static bool fake_shadow(const struct vcpu *v)
{
	return fake_of(v)->shadow != SHADOW_NONE;
}

static bool takes_interrupts(const struct fake_cpu *f)
{
	return (f->rflags & RFLAGS_IF) && f->shadow == SHADOW_NONE;
}

static bool takes_nmis(const struct fake_cpu *f)
{
	return !f->nmi_blocked && f->shadow != SHADOW_MOV_SS &&
	       !(f->quirks.sti_blocks_nmi && f->shadow == SHADOW_STI);
}

static bool fake_intr_allowed(const struct vcpu *v)
{
	return takes_interrupts(fake_of(v));
}

static bool fake_if_flag(const struct vcpu *v)
{
	return fake_of(v)->rflags & RFLAGS_IF;
}

static bool fake_nmi_allowed(const struct vcpu *v)
{
	return takes_nmis(fake_of(v));
}

/* ---- entries ---- */

/* SDM v3, "Checks on Guest Non-Register State": with an external interrupt to inject IF must be 1 and both blocking bits
 * 0, with an NMI there must be no blocking by MOV SS. */
static bool entry_fails(struct fake_cpu *f)
{
	const struct event *e = &f->inject;

	if (e->type == EVENT_INTR && !takes_interrupts(f) && !f->allow_if0)
		fake_violation(f, "external interrupt injected with IF=0 or in a shadow");
	if (e->type == EVENT_NMI && f->shadow == SHADOW_MOV_SS)
		fake_violation(f, "NMI injected in the shadow of MOV SS");
	if (e->type == EVENT_NMI && f->nmi_blocked)
		fake_violation(f, "NMI injected while NMIs are blocked");
	if (e->type == EVENT_SOFT)
		fake_violation(f, "software interrupt injected");
	fake_vid_entry(f);
	return f->violation != NULL;
}

static bool window_opens(struct fake_cpu *f, struct hvm_exit *out)
{
	if (!f->window || !takes_interrupts(f))
		return false;
	f->window = false;
	out->kind = HVM_EXIT_WINDOW;
	return true;
}

static bool deadline_passed(const struct fake_cpu *f, uint64_t deadline, struct hvm_exit *out)
{
	out->kind = HVM_EXIT_INTR;
	return f->clock >= deadline;
}

static bool spurious_exit(struct fake_cpu *f, struct hvm_exit *out)
{
	if (!f->quirks.spurious || fake_random(f, f->quirks.spurious))
		return false;
	out->kind = fake_random(f, 2) ? HVM_EXIT_NONE : HVM_EXIT_INTR;
	return true;
}

/* NMI window, then interrupt window or virtual interrupt; where the host's own interrupts stand is the CPU's choice. */
static bool boundary(struct fake_cpu *f, uint64_t deadline, struct hvm_exit *out)
{
	if (f->quirks.host_first && deadline_passed(f, deadline, out))
		return true;
	if (f->nmi_window && takes_nmis(f)) {
		f->nmi_window = false;
		out->kind = HVM_EXIT_NMI_WINDOW;
		return true;
	}
	return window_opens(f, out) || fake_vid_deliver(f, out) || fake_vid_process_posted(f, out) ||
	       deadline_passed(f, deadline, out) || spurious_exit(f, out);
}

/* A CPU that reports a window whatever the guest's state: the hardware half of a livelock. */
static void run_stuck(struct fake_cpu *f, struct hvm_exit *out)
{
	if (spurious_exit(f, out) || (f->crawl && fake_step(f, out)))
		return;
	f->window = false;
	out->kind = HVM_EXIT_WINDOW;
}

static void run(struct fake_cpu *f, uint64_t deadline, bool immediate, struct hvm_exit *out)
{
	struct event e = f->inject;

	if (entry_fails(f)) {
		out->kind = HVM_EXIT_FAIL_ENTRY;
		return;
	}
	f->inject.type = EVENT_NONE;
	if (e.type != EVENT_NONE ? fake_deliver(f, &e, f->rip, true, out) : fake_pending_db(f, out))
		return;
	f->pending_db = false; /* SDM v3, "Delivery of Pending Debug Exceptions after VM Entry": an injected event drops it */
	if (f->stuck_window && f->window) {
		run_stuck(f, out);
		return;
	}
	if (immediate) {
		out->kind = HVM_EXIT_INTR; /* before a virtual interrupt too, as the preemption timer */
		if (fake_random(f, 2))
			window_opens(f, out);
		return;
	}
	while (!boundary(f, deadline, out)) {
		f->clock += f->quirks.tick;
		if (fake_step(f, out))
			return;
	}
}

static void fake_enter(struct vcpu *v, uint64_t deadline, bool immediate, struct hvm_exit *out)
{
	struct fake_cpu *f = fake_of(v);

	f->entries++;
	f->last_deadline = deadline;
	/* What the kind of exit does not define holds garbage. */
	memset(out, GARBAGE, sizeof(*out));
	out->insn_len = 0;
	out->vectoring = (struct event){ .type = EVENT_NONE };
	run(f, deadline, immediate, out);
	f->clock += f->quirks.exit_cost;
	v->regs.gpr[RSP] = GARBAGE_RSP;
	out->now = f->clock;
	out->vendor_code = (uint64_t)out->kind;
	out->vendor_info[0] = out->vendor_info[1] = f->entries;
}

static void fake_inject(struct vcpu *v, const struct event *e)
{
	struct fake_cpu *f = fake_of(v);

	if (f->inject.type != EVENT_NONE)
		fake_violation(f, "two events injected at one entry");
	f->inject = *e;
}

static void fake_intr_window(struct vcpu *v, bool open)
{
	fake_of(v)->window = open;
}

static void fake_nmi_window(struct vcpu *v, bool open)
{
	fake_of(v)->nmi_window = open;
}

static void fake_skip(struct vcpu *v, uint8_t len)
{
	struct fake_cpu *f = fake_of(v);

	if (f->rip - FAKE_CODE >= FAKE_CODE_SIZE || (len && f->len[f->rip - FAKE_CODE] != len))
		fake_violation(f, "an instruction was skipped by the wrong length");
	f->rip += len;
	f->shadow = SHADOW_NONE;
}

/* ---- guest state ---- */

static uint64_t *reg_of(struct fake_cpu *f, enum hvm_reg reg)
{
	switch (reg) {
	case HVM_RIP: return &f->rip;
	case HVM_RSP: return &f->rsp;
	case HVM_RFLAGS: return &f->rflags;
	case HVM_CR0: return &f->cr0;
	case HVM_CR2: return &f->cr2;
	case HVM_CR3: return &f->cr3;
	case HVM_CR4: return &f->cr4;
	case HVM_EFER: return &f->efer;
	case HVM_DR0:
	case HVM_DR1:
	case HVM_DR2:
	case HVM_DR3: return &f->dr[reg - HVM_DR0];
	case HVM_DR6: return &f->dr6;
	case HVM_DR7: return &f->dr7;
	case HVM_ES_BASE:
	case HVM_CS_BASE:
	case HVM_SS_BASE:
	case HVM_DS_BASE:
	case HVM_FS_BASE:
	case HVM_GS_BASE: return &f->seg[reg - HVM_ES_BASE].base;
	case HVM_PAT: return &f->pat;
	case HVM_TSC_OFFSET: return &f->tsc_offset;
	case HVM_XCR0: return &f->xcr0;
	case HVM_CS:
	case HVM_SS:
	case HVM_CPL:
	case HVM_CS_MODE:
	case HVM_VID_STATUS:
		break;
	}
	return NULL;
}

static uint64_t fake_get(const struct vcpu *v, enum hvm_reg reg)
{
	struct fake_cpu *f = fake_of(v);
	const uint64_t *p = reg_of(f, reg);

	if (p)
		return *p;
	if (reg == HVM_CS_MODE)
		return f->cs_mode;
	if (reg == HVM_VID_STATUS)
		return fake_vid_status(f);
	if (reg == HVM_CPL)
		return f->cpl;
	return f->seg[reg == HVM_CS ? SREG_CS : SREG_SS].selector;
}

static void fake_segment(const struct vcpu *v, enum sreg which, struct hvm_segment *out)
{
	*out = fake_of(v)->seg[which];
}

static void fake_set_segment(struct vcpu *v, enum sreg which, const struct hvm_segment *val)
{
	fake_of(v)->seg[which] = *val;
}

static void fake_set(struct vcpu *v, enum hvm_reg reg, uint64_t val)
{
	struct fake_cpu *f = fake_of(v);
	uint64_t *p = reg_of(f, reg);

	if (p)
		*p = val;
	else
		fake_violation(f, "a register that cannot be set");
}

static void fake_set_tpr(struct vcpu *v, uint8_t tpr, uint8_t threshold)
{
	struct fake_cpu *f = fake_of(v);

	if (threshold > tpr >> 4)
		fake_violation(f, "the TPR threshold is above TPR");
	if (f->vid != HVM_VID_OFF && tpr != fake_tpr(f))
		fake_violation(f, "TPR is not what the page says");
	f->tpr = tpr;
	f->tpr_threshold = threshold;
}

static uint8_t fake_get_cr8(const struct vcpu *v)
{
	return fake_tpr(fake_of(v)) >> 4;
}

/* ---- memory and time ---- */

static int fake_map(struct vcpu *v, gpa_t gpa, hpa_t hpa)
{
	struct fake_cpu *f = fake_of(v);

	if (f->out_of_pages)
		return E_NOMEM;
	if ((gpa.v & PAGE_MASK) || gpa.v >= FAKE_RAM_SIZE || hpa.v != (uintptr_t)(f->ram + gpa.v))
		fake_violation(f, "a page was mapped to the wrong place");
	else
		f->mapped[gpa.v >> PAGE_SHIFT] = true;
	return 0;
}

static void fake_ops_unmap(struct vcpu *v, gpa_t gpa)
{
	fake_unmap(fake_of(v), gpa.v);
}

/* Eternity has no clock: who sleeps without a deadline and without anybody to wake him has slept until the end. */
static uint64_t fake_halt(struct vcpu *v, uint64_t deadline)
{
	struct fake_cpu *f = fake_of(v);

	f->sleeps++;
	if (deadline == TIME_NEVER)
		return TIME_NEVER;
	if (f->clock < deadline && f->quirks.wakes_early && fake_random(f, 2))
		f->clock = min_u64(deadline, f->clock + EARLY_WAKE_NS);
	else if (f->clock < deadline)
		f->clock = deadline;
	return f->clock;
}

static uint64_t fake_now(const struct vcpu *v)
{
	return fake_of(v)->clock;
}

static uint64_t fake_guest_tsc(const struct vcpu *v)
{
	return fake_of(v)->clock * TSC_PER_NS + fake_of(v)->tsc_offset;
}

/* A CPU that has everything: what must be hidden shows. */
static void fake_cpuid(const struct vcpu *v, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
	static const char amd[] = "AuthenticAMD";
	const struct fake_cpu *f = fake_of(v);

	(void)sub;
	out[0] = out[1] = out[2] = out[3] = UINT32_MAX;
	if (leaf == f->lacks.leaf)
		out[f->lacks.reg] &= ~f->lacks.bits;
	if (leaf || !f->amd)
		return;
	memcpy(&out[1], amd, sizeof(*out));
	memcpy(&out[3], amd + sizeof(*out), sizeof(*out));
	memcpy(&out[2], amd + 2 * sizeof(*out), sizeof(*out));
}

static void fake_write_msr(struct vcpu *v, uint32_t msr, uint64_t val)
{
	struct fake_cpu *f = fake_of(v);

	f->msr.writes++;
	f->msr.index = msr;
	f->msr.val = val;
}

static void fake_set_pdptes(struct vcpu *v, const uint64_t pdpt[4])
{
	memcpy(fake_of(v)->pdpt, pdpt, sizeof(fake_of(v)->pdpt));
}

const struct hvm_ops fake_ops = {
	.name = "fake",
	.enter = fake_enter,
	.intr_allowed = fake_intr_allowed,
	.nmi_allowed = fake_nmi_allowed,
	.shadow = fake_shadow,
	.if_flag = fake_if_flag,
	.inject = fake_inject,
	.intr_window = fake_intr_window,
	.nmi_window = fake_nmi_window,
	.skip = fake_skip,
	.get = fake_get,
	.set = fake_set,
	.segment = fake_segment,
	.set_segment = fake_set_segment,
	.set_tpr = fake_set_tpr,
	.get_cr8 = fake_get_cr8,
	.set_vid = fake_set_vid,
	.set_vid_status = fake_set_vid_status,
	.set_eoi_exits = fake_set_eoi_exits,
	.notify = fake_notify,
	.map = fake_map,
	.unmap = fake_ops_unmap,
	.halt = fake_halt,
	.now = fake_now,
	.guest_tsc = fake_guest_tsc,
	.cpuid = fake_cpuid,
	.write_msr = fake_write_msr,
	.set_pdptes = fake_set_pdptes,
};
