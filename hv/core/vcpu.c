/* SPDX-License-Identifier: BSD-2-Clause
 * KVM_RUN: enter, handle the exit, tell the user half when it has something to do.
 * Knows nothing of which CPU runs the guest. */
#include "core/vcpu.h"

#include <string.h>

#include "x86.h"

#define TPR_CLASS(tpr) ((uint8_t)GET_FIELD(7, 4, tpr))
#define CR8_TO_TPR(cr8) ((uint8_t)FIELD(7, 4, cr8))

void *ram_at(const struct ram *r, gpa_t gpa, uint64_t len)
{
	if (gpa.v >= r->size || len > r->size - gpa.v)
		return NULL;
	return r->base + gpa.v;
}

void vcpu_init(struct vcpu *v, const struct hvm_ops *ops, void *hw, const struct vcpu_config *cfg)
{
	memset(v, 0, sizeof(*v));
	v->ops = ops;
	v->hw = hw;
	v->rule = cfg->rule;
	v->mode = cfg->mode;
	v->vid_wanted = cfg->vid && cfg->mode == IRQCHIP_SPLIT;
	v->post_wanted = v->vid_wanted && cfg->post;
	v->ram = cfg->ram;
	v->trace = cfg->trace;
	v->tsc = (struct tsc_clock){ .mult = cfg->tsc_mult, .tsc0 = cfg->tsc0 };
	v->ev.stash = STASH_EMPTY;
	v->run.deadline = TIME_NEVER;
	features_init(&v->features, v);
	vcpu_reset_msrs(v);
	lapic_reset(&v->lapic, 0, true);
	v->run.apic_base = v->lapic.base;
}

void vcpu_set_entry(struct vcpu *v, uint32_t eip, uint32_t eax, uint32_t ebx)
{
	memset(&v->regs, 0, sizeof(v->regs));
	v->regs.gpr[RAX] = eax;
	v->regs.gpr[RBX] = ebx;
	v->ops->set(v, HVM_RIP, eip);
	v->ops->set(v, HVM_RFLAGS, RFLAGS_RESERVED1);
}

bool vcpu_exit_to_user(struct vcpu *v, enum vcpu_exit_reason reason)
{
	v->run.exit_reason = reason;
	return true;
}

static void advance(struct vcpu *v, uint64_t now)
{
	v->now = now;
	if (v->trace)
		v->trace->now = now;
	if (v->mode == IRQCHIP_USER)
		return;
	if (now >= v->lapic.timer_deadline)
		lapic_advance(&v->lapic, now);
}

/* NMIs of the local APIC, by IPI or LVT. One is latched while another is blocked or on its way. */
static void collect_nmi(struct vcpu *v)
{
	if (v->lapic.nmi && lapic_take_nmi(&v->lapic))
		v->ev.nmi.pending = 1;
}

/* How long the guest may run without us: the user half's deadline or our timer, if it can interrupt. */
static uint64_t next_deadline(const struct vcpu *v)
{
	if (v->mode == IRQCHIP_USER)
		return v->run.deadline;
	return min_u64(v->run.deadline, lapic_deadline(&v->lapic));
}

/* Where the guest's LAPIC is off, or has been moved to another page, KVM inhibits APICv too. And a self-IPI that the CPU
 * virtualizes does not ask whether the LAPIC is enabled by software. */
static enum hvm_vid vid_mode(const struct vcpu *v)
{
	uint64_t base = v->lapic.base;

	if (!v->vid_wanted || v->vid_held || !(base & APIC_BASE_EN) || !(v->lapic.svr & APIC_SVR_ENABLE))
		return HVM_VID_OFF;
	if (base & APIC_BASE_EXTD)
		return HVM_VID_X2APIC;
	return (base & APIC_BASE_ADDR) == APIC_DEFAULT_PHYS ? HVM_VID_XAPIC : HVM_VID_OFF;
}

static void load_vid(struct vcpu *v)
{
	enum hvm_vid vid = vid_mode(v);

	if (vid != v->vid) {
		v->vid = vid;
		v->ops->set_vid(v, vid);
		v->lapic.changed = true;
	}
	/* Software is to inject out of IRR. */
	if (vid == HVM_VID_OFF && lapic_has_posted(&v->lapic))
		lapic_take_posted(&v->lapic);
}

/* Behind injection: the backend may want to know what the entry carries. A virtual interrupt that the entry recognizes comes before
 * the notification, which is an external interrupt: with something in IRR already, a higher vector would come second, and the same
 * one twice. Returns whether the CPU has been notified. */
static bool load_posted(struct vcpu *v)
{
	if (!lapic_has_posted(&v->lapic))
		return false;
	if (lapic_highest_irr(&v->lapic) < 0 && v->ops->notify(v))
		return true;
	lapic_take_posted(&v->lapic);
	return false;
}

/* What the exit came before: from here on whoever looks at the LAPIC finds it there. The notification that is still on its way
 * will find nothing, which is no harm. */
static void store_posted(struct vcpu *v, bool notified)
{
	if (lapic_has_posted(&v->lapic))
		lapic_take_posted(&v->lapic);
	else
		v->stats.posted += notified;
}

/* The CPU works on IRR and ISR in the LAPIC's page itself; what it cannot know is what we have changed there. */
static void load_vid_status(struct vcpu *v)
{
	int rvi, svi;

	if (v->vid == HVM_VID_OFF || !v->lapic.changed)
		return;
	v->lapic.changed = false;
	rvi = lapic_highest_irr(&v->lapic);
	svi = lapic_highest_isr(&v->lapic);
	v->ops->set_vid_status(v, rvi < 0 ? 0 : (uint8_t)rvi, svi < 0 ? 0 : (uint8_t)svi);
}

/* A write of CR8 exits when it could make a vector deliverable that TPR holds back now. The user half of the user irqchip
 * wants to know each lowering. */
static void load_tpr(struct vcpu *v)
{
	uint8_t tpr = lapic_tpr(&v->lapic), threshold = 0;
	int irr;

	if (v->mode == IRQCHIP_USER) {
		v->ops->set_tpr(v, CR8_TO_TPR(v->run.cr8), (uint8_t)v->run.cr8);
		return;
	}
	irr = v->vid == HVM_VID_OFF ? lapic_highest_irr(&v->lapic) : -1;
	if (irr >= 0 && TPR_CLASS(irr) <= TPR_CLASS(tpr))
		threshold = TPR_CLASS(irr);
	v->ops->set_tpr(v, tpr, threshold);
}

static void store_cr8(struct vcpu *v)
{
	uint8_t cr8 = v->ops->get_cr8(v);

	if (v->mode == IRQCHIP_USER)
		v->run.cr8 = cr8;
	else if (cr8 != lapic_cr8(&v->lapic))
		lapic_set_cr8(&v->lapic, cr8);
}

static bool take_eoi_exit(struct vcpu *v)
{
	int vector;

	if (v->mode == IRQCHIP_USER || v->lapic.eoi_broadcast < 0)
		return false;
	vector = lapic_take_eoi(&v->lapic);
	if (!CHECK(v, vector < LAPIC_VECTORS))
		return false;
	trace_add(v->trace, TRACE_kvm_eoi, (uint64_t)vector, 0);
	if (!(v->eoi_exits[vector / 64] & BIT64(vector % 64)))
		return false;
	v->run.eoi.vector = (uint8_t)vector;
	return vcpu_exit_to_user(v, VCPU_EXIT_IOAPIC_EOI);
}

static void look(const struct vcpu *v, struct window_state *s)
{
	s->rip = v->ops->get(v, HVM_RIP);
	s->delivered = v->stats.extint + v->stats.lapic + v->stats.nmi;
	s->lapic_vector = v->mode == IRQCHIP_SPLIT ? lapic_pending(&v->lapic) : -1;
	s->stash = v->ev.stash;
	s->regs = v->regs;
}

static bool same(const struct window_state *a, const struct window_state *b)
{
	return a->rip == b->rip && a->delivered == b->delivered && a->lapic_vector == b->lapic_vector &&
	       a->stash == b->stash && !memcmp(&a->regs, &b->regs, sizeof(a->regs));
}

/* Window exit after window exit, and neither a register nor what is pending changes: the guest never runs. A window that
 * is put to use is followed by an exit of another kind or by a delivery, so the state is not looked at before the second
 * in a row. The host's own interrupts in between change nothing. */
static bool livelocked(struct vcpu *v, const struct hvm_exit *x)
{
	struct window_state now;

	if (x->kind == HVM_EXIT_INTR || x->kind == HVM_EXIT_NONE)
		return false;
	if (x->kind != HVM_EXIT_WINDOW) {
		v->livelock.exits = 0;
		return false;
	}
	if (v->livelock.exits++ == 0) {
		v->livelock.known = false;
		return false;
	}
	look(v, &now);
	if (!v->livelock.known || !same(&now, &v->livelock.state)) {
		v->livelock.known = true;
		v->livelock.state = now;
		v->livelock.exits = 1;
		return false;
	}
	if (v->livelock.exits < LIVELOCK_EXITS)
		return false;
	v->run.livelock.window_exits = v->livelock.exits;
	v->run.livelock.rip = now.rip;
	v->run.livelock.lapic_vector = now.lapic_vector;
	v->run.livelock.rvi = v->vid == HVM_VID_OFF ? -1 : (uint8_t)v->ops->get(v, HVM_VID_STATUS);
	v->livelock.exits = 0;
	return vcpu_exit_to_user(v, VCPU_EXIT_LIVELOCK);
}

void vcpu_leave_open(struct vcpu *v, enum pending_op op)
{
	if (CHECK(v, v->io.op == OP_NONE))
		v->io.op = op;
}

/* One trip through the guest. True: the user half has something to do. */
static bool enter_guest(struct vcpu *v)
{
	struct hvm_exit x;
	bool at_once, notified;

	load_vid(v);
	at_once = vcpu_inject(v);
	notified = load_posted(v);
	load_vid_status(v);
	load_tpr(v);
	/* An instruction that is half done would be lost: what is in run belongs to it. */
	if (!CHECK(v, v->io.op == OP_NONE) || v->check.line)
		return false;
	trace_add(v->trace, TRACE_kvm_entry, v->trace ? v->ops->get(v, HVM_RIP) : 0, v->ev.handed);
	v->ops->enter(v, next_deadline(v), at_once, &x);
	if (!CHECK(v, x.kind < HVM_EXITS) || v->check.line)
		return false;
	v->stats.exits++;
	v->exit_counts[x.kind]++;
	store_posted(v, notified);
	store_cr8(v);
	advance(v, x.now);
	trace_add(v->trace, TRACE_kvm_exit, x.kind, v->trace ? v->ops->get(v, HVM_RIP) : 0);
	vcpu_complete_injection(v, &x);
	if (livelocked(v, &x))
		return true;
	return vcpu_handle_exit(v, &x) || take_eoi_exit(v);
}

/* HLT in split mode stays here. W alone never wakes, nor does a stash behind IF=0 or a masked LVT0. */
static void block(struct vcpu *v)
{
	uint64_t deadline = next_deadline(v);

	while (!vcpu_has_wake_event(v)) {
		advance(v, v->ops->halt(v, deadline));
		collect_nmi(v);
		if (v->now >= deadline)
			break;
	}
	if (vcpu_has_wake_event(v))
		v->halted = false;
}

static void publish(struct vcpu *v)
{
	v->run.ready_for_interrupt_injection = vcpu_ready(v);
	v->run.if_flag = v->ops->if_flag(v);
	v->run.operation_pending = v->io.op != OP_NONE;
	if (v->mode == IRQCHIP_SPLIT)
		v->run.apic_base = v->lapic.base;
	v->stats.user_exits++;
	trace_add(v->trace, TRACE_kvm_userspace_exit, v->run.exit_reason, v->run.ready_for_interrupt_injection);
}

/* Ours is wrong: nothing that it has left in run counts. */
static void end_by_check(struct vcpu *v)
{
	v->run.internal.suberror = VCPU_ERROR_CHECK;
	v->run.internal.check = &v->check;
	vcpu_exit_to_user(v, VCPU_EXIT_INTERNAL_ERROR);
}

/* The tail of each iteration: is there a CPU left, then the window, then the kick, as KVM. */
static bool must_return(struct vcpu *v)
{
	if (v->check.line)
		return true;
	if (v->ev.shutdown)
		return vcpu_exit_to_user(v, VCPU_EXIT_SHUTDOWN);
	if (v->run.request_interrupt_window && vcpu_ready(v))
		return vcpu_exit_to_user(v, VCPU_EXIT_IRQ_WINDOW_OPEN);
	if (v->run.immediate_exit || v->now >= v->run.deadline)
		return vcpu_exit_to_user(v, VCPU_EXIT_INTR);
	return false;
}

static void vcpu_native_run(void *h)
{
	struct vcpu *v = h;
	bool done = v->check.line || vcpu_complete_io(v) || take_eoi_exit(v);

	if (!done && v->run.immediate_exit)
		done = vcpu_exit_to_user(v, VCPU_EXIT_INTR);
	while (!done) {
		collect_nmi(v);
		if (v->halted)
			block(v);
		done = (!v->halted && enter_guest(v)) || must_return(v);
	}
	if (v->check.line)
		end_by_check(v);
	publish(v);
}

static int vcpu_native_interrupt(void *h, uint32_t vector)
{
	struct vcpu *v = h;
	int r = 0;

	if (vector >= LAPIC_VECTORS)
		return E_INVAL;
	if (v->mode == IRQCHIP_USER) {
		v->ev.intr.injected = true;
		v->ev.intr.vector = (uint8_t)vector;
		v->stats.extint++;
	} else if (v->ev.stash != STASH_EMPTY) {
		r = E_EXIST;
	} else {
		v->ev.stash = (int)vector;
	}
	trace_add(v->trace, TRACE_dm_stash, vector, (uint64_t)(int64_t)r);
	return r;
}

static void vcpu_native_nmi(void *h)
{
	struct vcpu *v = h;

	v->ev.nmi.pending = 1;
}

static bool vcpu_native_has_event(void *h)
{
	return vcpu_has_wake_event(h);
}

static void vcpu_native_get_tsc(void *h, struct tsc_clock *out)
{
	const struct vcpu *v = h;

	*out = v->tsc;
}

static uint32_t vcpu_native_get_lapic(void *h, uint32_t reg)
{
	struct vcpu *v = h;

	return v->mode == IRQCHIP_SPLIT ? lapic_read(&v->lapic, reg, v->now) : 0;
}

static int vcpu_native_signal_msi(void *h, const struct apic_msg *msg)
{
	struct vcpu *v = h;

	if (v->mode == IRQCHIP_USER)
		return E_NXIO;
	trace_add(v->trace, TRACE_kvm_msi_set_irq, msg->vector, msg->delivery_mode);
	if (v->post_wanted && v->vid != HVM_VID_OFF)
		lapic_post(&v->lapic, msg);
	else
		lapic_deliver(&v->lapic, msg);
	return 0;
}

static void vcpu_native_set_eoi_exits(void *h, const uint64_t bitmap[4])
{
	struct vcpu *v = h;

	memcpy(v->eoi_exits, bitmap, sizeof(v->eoi_exits));
	if (v->vid_wanted)
		v->ops->set_eoi_exits(v, bitmap);
}

static void vcpu_native_unmap(void *h, gpa_t gpa, uint64_t len)
{
	struct vcpu *v = h;
	uint64_t first = gpa.v & ~PAGE_MASK;

	if (!len || !ram_at(&v->ram, gpa, len))
		return;
	for (uint64_t a = first; a < gpa.v + len; a += PAGE_SIZE)
		v->ops->unmap(v, GPA(a));
}

static uint64_t vcpu_native_now(void *h)
{
	const struct vcpu *v = h;

	return v->ops->now(v);
}

static void vcpu_native_wait(void *h, uint64_t deadline)
{
	struct vcpu *v = h;

	v->now = v->ops->halt(v, deadline);
}

static void vcpu_native_stats(void *h, struct vcpu_stats *out)
{
	const struct vcpu *v = h;

	*out = v->stats;
}

static void vcpu_native_dump(void *h, struct vcpu_dump *out)
{
	const struct vcpu *v = h;

	memset(out, 0, sizeof(*out));
	memcpy(out->gpr, v->regs.gpr, sizeof(out->gpr));
	out->rip = v->ops->get(v, HVM_RIP);
	out->rsp = v->ops->get(v, HVM_RSP);
	out->gpr[RSP] = out->rsp;
	out->rflags = v->ops->get(v, HVM_RFLAGS);
	out->cr0 = v->ops->get(v, HVM_CR0);
	out->cr2 = v->ops->get(v, HVM_CR2);
	out->cr3 = v->ops->get(v, HVM_CR3);
	out->cr4 = v->ops->get(v, HVM_CR4);
	out->efer = v->ops->get(v, HVM_EFER);
	out->cs_base = v->ops->get(v, HVM_CS_BASE);
	out->cs = (uint16_t)v->ops->get(v, HVM_CS);
	out->ss = (uint16_t)v->ops->get(v, HVM_SS);
	out->halted = v->halted;
	out->nmi_masked = !v->ops->nmi_allowed(v);
	out->shadow = v->ops->shadow(v);
	out->stash = v->ev.stash;
	out->lapic_pending = v->mode == IRQCHIP_SPLIT ? lapic_pending(&v->lapic) : -1;
}

const struct vcpu_api vcpu_native_api = {
	.name = "native",
	.run = vcpu_native_run,
	.interrupt = vcpu_native_interrupt,
	.nmi = vcpu_native_nmi,
	.has_event = vcpu_native_has_event,
	.get_tsc = vcpu_native_get_tsc,
	.get_lapic = vcpu_native_get_lapic,
	.signal_msi = vcpu_native_signal_msi,
	.set_eoi_exits = vcpu_native_set_eoi_exits,
	.unmap = vcpu_native_unmap,
	.now = vcpu_native_now,
	.wait = vcpu_native_wait,
	.stats = vcpu_native_stats,
	.dump = vcpu_native_dump,
};
