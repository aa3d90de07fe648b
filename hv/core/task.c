/* SPDX-License-Identifier: BSD-2-Clause
 * Task switches, where the CPU leaves them to us: SDM v3, "Task Switching". What the CPU checks before it exits ("Treatment of Task
 * Switches": the gate, privilege, the descriptor's type) is not checked again, but for what only memory can have changed.
 * Knows nothing of what starts one. */
#include "core/task.h"

#include <string.h>

#include "core/cr.h"
#include "core/guest_mem.h"
#include "core/vcpu.h"
#include "x86.h"

/* "32-Bit Task-State Segment (TSS)" and "16-Bit TSS Format" */
struct tss32 {
	uint32_t link, stacks[6], cr3, eip, eflags, gpr[8], selector[6], ldt;
	uint16_t trap, io_map;
};
struct tss16 {
	uint16_t link, stacks[6], ip, flags, gpr[8], selector[4], ldt;
};
CHECK_LAYOUT(struct tss32, eip, 0x20, "SDM v3, \"32-Bit Task-State Segment (TSS)\"");
CHECK_LAYOUT(struct tss32, io_map, 0x66, "SDM v3, \"32-Bit Task-State Segment (TSS)\"");
CHECK_LAYOUT(struct tss16, ldt, 0x2a, "SDM v3, \"16-Bit TSS Format\"");
_Static_assert(sizeof(struct tss32) == 0x68 && sizeof(struct tss16) == 0x2c, "the least limit of a TSS, plus 1");
#define OLD32_FIRST offsetof(struct tss32, eip)
#define OLD32_SIZE (offsetof(struct tss32, ldt) - OLD32_FIRST)
#define OLD16_FIRST offsetof(struct tss16, ip)
#define OLD16_SIZE (offsetof(struct tss16, ldt) - OLD16_FIRST)
#define TSS_TRAP BIT(0)
#define UPPER_HALF 0xffff0000u /* of a register that a 16-bit TSS loads: undefined; QEMU and Bochs have these */

#define SEL_RPL(s) ((unsigned)GET_FIELD(1, 0, s))
#define SEL_TI BIT(2)
#define SEL_OFFSET(s) ((uint32_t)((s) & MASK(15, 3)))
#define SEL_IS_NULL(s) (!((s) & MASK(15, 2)))
#define ERR_EXT BIT(0)
#define ERR_SELECTOR(s) ((uint32_t)((s) & MASK(15, 2)))

/* "Segment Descriptors" */
#define DESC_SIZE 8u
#define DESC_TYPE_AT 5 /* the byte that has type, S, DPL and P */
#define DESC_BASE(d) ((uint32_t)(GET_FIELD(39, 16, d) | FIELD(31, 24, GET_FIELD(63, 56, d))))
#define DESC_LIMIT(d) ((uint32_t)(GET_FIELD(15, 0, d) | FIELD(19, 16, GET_FIELD(51, 48, d))))
#define DESC_AR(d) ((uint32_t)(GET_FIELD(55, 40, d) & ~MASK(11, 8)))
#define TYPE_ACCESSED BIT(0)
#define TYPE_BUSY BIT(1)
#define TYPE_CONFORMING BIT(2)
#define TYPE_TSS32 BIT(3)
#define TYPE_LDT 2

#define EFLAGS_DEFINED                                                                                           \
	(RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_TF | RFLAGS_IF | RFLAGS_DF | RFLAGS_OF | \
	 RFLAGS_IOPL | RFLAGS_NT | RFLAGS_RF | RFLAGS_VM | RFLAGS_AC | RFLAGS_VIF | RFLAGS_VIP | RFLAGS_ID)
#define DR7_LOCAL (BIT64(0) | BIT64(2) | BIT64(4) | BIT64(6) | BIT64(8))
#define CPL_MAX 3
#define PDPT_ADDR MASK(31, 5)

struct task {
	struct vcpu *v;
	const struct hvm_task *how;
	struct fault fault;
	uint32_t ext;           /* EXT of an error code: something other than the program started it */
	struct hvm_segment old; /* TR */
	struct hvm_segment gdt;
	uint64_t desc;          /* of the new TSS */
	bool was_v86;           /* the old task */
	bool wide;              /* the new TSS has 32 bits */
	struct tss32 tss;       /* the new one, whatever its size */
};

/* Every step answers 0; E_FAULT: t->fault; E_NXIO: what it needs is not RAM. */
static int fail(struct task *t, uint8_t vector, uint32_t error)
{
	t->fault = (struct fault){ .vector = vector, .has_error = true, .error = error | t->ext };
	return E_FAULT;
}

static bool nests(const struct task *t)
{
	return t->how->source == TASK_CALL || t->how->source == TASK_GATE;
}

static bool is_wide(uint32_t ar)
{
	return ar & TYPE_TSS32;
}

/* ---- descriptors ---- */

static int read_descriptor(struct task *t, uint16_t selector, uint8_t vector, uint64_t *linear, uint64_t *desc)
{
	struct hvm_segment table = t->gdt;

	if (selector & SEL_TI)
		t->v->ops->segment(t->v, SREG_LDTR, &table);
	if ((table.ar & AR_UNUSABLE) || SEL_OFFSET(selector) + DESC_SIZE - 1 > table.limit)
		return fail(t, vector, ERR_SELECTOR(selector));
	*linear = (uint32_t)(table.base + SEL_OFFSET(selector));
	return guest_read(t->v, *linear, desc, sizeof(*desc), AS_SYSTEM, &t->fault);
}

static void to_segment(uint16_t selector, uint64_t desc, struct hvm_segment *out)
{
	out->selector = selector;
	out->base = DESC_BASE(desc);
	out->ar = DESC_AR(desc);
	out->limit = out->ar & AR_G ? (uint32_t)(DESC_LIMIT(desc) << PAGE_SHIFT | PAGE_MASK) : DESC_LIMIT(desc);
}

static int write_type(struct task *t, uint64_t linear, uint64_t desc)
{
	uint8_t type = (uint8_t)DESC_AR(desc);

	return guest_write(t->v, linear + DESC_TYPE_AT, &type, sizeof(type), AS_SYSTEM, &t->fault);
}

/* ---- the new TSS, before anything changes ---- */

/* "Exception Conditions Checked During a Task Switch": #NP with the selector if it is not present, #TS if its limit is too small. */
static int read_new_tss(struct task *t)
{
	uint16_t selector = t->how->selector;
	uint8_t vector = t->how->source == TASK_IRET ? VEC_TS : VEC_GP;
	struct hvm_segment seg;
	struct tss16 narrow;
	uint64_t at;
	int err = read_descriptor(t, selector, vector, &at, &t->desc);

	if (err)
		return err;
	to_segment(selector, t->desc, &seg);
	t->wide = is_wide(seg.ar);
	if (!(seg.ar & AR_P))
		return fail(t, VEC_NP, ERR_SELECTOR(selector));
	if (seg.limit < (t->wide ? sizeof(t->tss) : sizeof(narrow)) - 1)
		return fail(t, VEC_TS, ERR_SELECTOR(selector));
	if (t->wide)
		return guest_read(t->v, seg.base, &t->tss, sizeof(t->tss), AS_SYSTEM, &t->fault);
	err = guest_read(t->v, seg.base, &narrow, sizeof(narrow), AS_SYSTEM, &t->fault);
	t->tss = (struct tss32){ .link = narrow.link, .eip = narrow.ip, .eflags = narrow.flags, .ldt = narrow.ldt };
	for (unsigned i = 0; i < ARRAY_SIZE(narrow.gpr); i++)
		t->tss.gpr[i] = narrow.gpr[i] | UPPER_HALF;
	for (unsigned i = 0; i < ARRAY_SIZE(narrow.selector); i++)
		t->tss.selector[i] = narrow.selector[i];
	return err;
}

static int may_write(struct task *t, uint64_t linear, uint32_t len)
{
	int err = 0;

	for (uint32_t done = 0; !err && done < len; done += ACCESS_MAX) {
		struct guest_ref ref;
		uint8_t n = (uint8_t)min_u64(len - done, ACCESS_MAX);

		err = guest_access(t->v, (uint32_t)(linear + done), n, ACCESS_WRITE, AS_SYSTEM, &ref, &t->fault);
	}
	return err;
}

/* "Checks that the current (old) TSS, new TSS, and all segment descriptors used in the task switch are paged into system
 * memory": behind this no write fails, so that a switch is made whole or not at all. */
static int check_writes(struct task *t)
{
	bool wide = is_wide(t->old.ar);
	int err = may_write(t, t->old.base + (wide ? OLD32_FIRST : OLD16_FIRST), wide ? OLD32_SIZE : OLD16_SIZE);

	if (!err)
		err = may_write(t, t->gdt.base + SEL_OFFSET(t->old.selector), DESC_SIZE);
	if (!err)
		err = may_write(t, t->gdt.base + SEL_OFFSET(t->how->selector), DESC_SIZE);
	if (!err && nests(t))
		err = may_write(t, DESC_BASE(t->desc), sizeof(uint16_t));
	return err;
}

/* ---- the old task ---- */

/* Where the old task goes on. RIP is still at the instruction that does the switch; an event from elsewhere has found it in front
 * of the next one, or at the one that faulted. */
static uint32_t return_address(const struct task *t)
{
	enum event_type type = t->how->event.type;
	uint64_t rip = t->v->ops->get(t->v, HVM_RIP);

	return (uint32_t)(t->how->source != TASK_GATE || type == EVENT_SOFT ? rip + t->how->insn_len : rip);
}

/* IRET: "clears the NT flag in a temporarily saved image of the EFLAGS register". RF as for any fault handler. */
static uint32_t saved_flags(const struct task *t)
{
	uint64_t flags = t->v->ops->get(t->v, HVM_RFLAGS);
	bool event = t->how->source == TASK_GATE && t->how->event.type != EVENT_SOFT;

	if (t->how->source == TASK_IRET)
		flags &= ~RFLAGS_NT;
	if (!event)
		flags &= ~RFLAGS_RF;
	else if (t->how->event.type == EVENT_EXCEPTION && t->how->event.vector != VEC_DB)
		flags |= RFLAGS_RF;
	return (uint32_t)flags;
}

static uint32_t gpr_of(const struct vcpu *v, unsigned reg)
{
	return (uint32_t)(reg == RSP ? v->ops->get(v, HVM_RSP) : v->regs.gpr[reg]);
}

static uint16_t selector_of(const struct vcpu *v, enum sreg which)
{
	struct hvm_segment seg;

	v->ops->segment(v, which, &seg);
	return seg.selector;
}

static int save_wide(struct task *t)
{
	struct tss32 s = { .eip = return_address(t), .eflags = saved_flags(t) };

	for (unsigned i = 0; i < ARRAY_SIZE(s.gpr); i++)
		s.gpr[i] = gpr_of(t->v, i);
	for (unsigned i = 0; i < ARRAY_SIZE(s.selector); i++)
		s.selector[i] = selector_of(t->v, (enum sreg)i);
	return guest_write(t->v, t->old.base + OLD32_FIRST, &s.eip, OLD32_SIZE, AS_SYSTEM, &t->fault);
}

static int save_narrow(struct task *t)
{
	struct tss16 s = { .ip = (uint16_t)return_address(t), .flags = (uint16_t)saved_flags(t) };

	for (unsigned i = 0; i < ARRAY_SIZE(s.gpr); i++)
		s.gpr[i] = (uint16_t)gpr_of(t->v, i);
	for (unsigned i = 0; i < ARRAY_SIZE(s.selector); i++)
		s.selector[i] = selector_of(t->v, (enum sreg)i);
	return guest_write(t->v, t->old.base + OLD16_FIRST, &s.ip, OLD16_SIZE, AS_SYSTEM, &t->fault);
}

/* JMP and IRET: "the processor clears the busy (B) flag in the current (old) task's TSS descriptor"; otherwise it stays. */
static int leave_old_task(struct task *t)
{
	uint64_t at, desc;
	int err = is_wide(t->old.ar) ? save_wide(t) : save_narrow(t);

	if (err || nests(t))
		return err;
	err = read_descriptor(t, t->old.selector, VEC_TS, &at, &desc);
	return err ? err : write_type(t, at, desc & ~FIELD(63, 40, TYPE_BUSY));
}

/* ---- the new task ---- */

/* CALL and an event: "the processor sets the B flag in the new task's TSS descriptor", the link to the old task, and NT. */
static int link_new_task(struct task *t)
{
	int err;

	t->desc |= FIELD(63, 40, TYPE_BUSY);
	if (t->how->source == TASK_IRET)
		return 0;
	err = write_type(t, t->gdt.base + SEL_OFFSET(t->how->selector), t->desc);
	if (err || !nests(t))
		return err;
	t->tss.eflags |= (uint32_t)RFLAGS_NT;
	return guest_write(t->v, DESC_BASE(t->desc), &t->old.selector, sizeof(t->old.selector), AS_SYSTEM, &t->fault);
}

static void set_unusable(struct task *t, enum sreg which, uint16_t selector, unsigned dpl)
{
	const struct hvm_segment none = { .selector = selector, .ar = AR_UNUSABLE | AR_DPL_FIELD(dpl) };

	t->v->ops->set_segment(t->v, which, &none);
}

/* PAE's PDPTEs come with CR3: a write of CR4 loads them. */
static void load_cr3(struct task *t)
{
	const struct hvm_ops *ops = t->v->ops;

	if (!t->wide || !(ops->get(t->v, HVM_CR0) & CR0_PG))
		return;
	ops->set(t->v, HVM_CR3, t->tss.cr3);
	ops->set(t->v, HVM_CR4, ops->get(t->v, HVM_CR4));
}

/* "Sets the TS flag in the control register CR0"; "the processor clears L0 through L3 [...] on every task switch" ("Debug Control
 * Register (DR7)"). The shadow of the instruction before is over. */
static void load_registers(struct task *t)
{
	const struct hvm_ops *ops = t->v->ops;
	struct vcpu *v = t->v;
	struct hvm_segment tr;

	to_segment(t->how->selector, t->desc, &tr);
	ops->set_segment(v, SREG_TR, &tr);
	ops->set(v, HVM_CR0, ops->get(v, HVM_CR0) | CR0_TS);
	ops->set(v, HVM_DR7, ops->get(v, HVM_DR7) & ~DR7_LOCAL);
	load_cr3(t);
	ops->skip(v, 0);
	ops->set(v, HVM_RIP, t->tss.eip);
	ops->set(v, HVM_RFLAGS, (t->tss.eflags & EFLAGS_DEFINED) | RFLAGS_RESERVED1);
	for (unsigned i = 0; i < ARRAY_SIZE(t->tss.gpr); i++)
		v->regs.gpr[i] = t->tss.gpr[i];
	ops->set(v, HVM_RSP, t->tss.gpr[RSP]);
	set_unusable(t, SREG_LDTR, (uint16_t)t->tss.ldt, 0);
}

/* ---- its segments ---- */

static int load_ldt(struct task *t)
{
	uint16_t selector = (uint16_t)t->tss.ldt;
	struct hvm_segment seg;
	uint64_t at, desc;
	int err;

	if (SEL_IS_NULL(selector))
		return 0;
	if (selector & SEL_TI)
		return fail(t, VEC_TS, ERR_SELECTOR(selector));
	err = read_descriptor(t, selector, VEC_TS, &at, &desc);
	if (err)
		return err;
	to_segment(selector, desc, &seg);
	if ((seg.ar & AR_S) || AR_TYPE(seg.ar) != TYPE_LDT || !(seg.ar & AR_P))
		return fail(t, VEC_TS, ERR_SELECTOR(selector));
	t->v->ops->set_segment(t->v, SREG_LDTR, &seg);
	return 0;
}

/* "Exception Conditions Checked During a Task Switch", by what kind of register it is. */
static bool type_fits(const struct hvm_segment *s, enum sreg which, unsigned cpl)
{
	unsigned dpl = (unsigned)AR_DPL(s->ar), rpl = SEL_RPL(s->selector);
	bool code = s->ar & AR_TYPE_CODE, conforming = code && (s->ar & TYPE_CONFORMING);

	if (!(s->ar & AR_S))
		return false;
	if (which == SREG_CS)
		return code && (conforming ? dpl <= rpl : dpl == rpl);
	if (which == SREG_SS)
		return !code && (s->ar & AR_TYPE_WRITABLE) && dpl == cpl && rpl == cpl;
	if (code && !(s->ar & AR_TYPE_READABLE))
		return false;
	return conforming || (dpl >= cpl && dpl >= rpl);
}

static int load_segment(struct task *t, enum sreg which, unsigned cpl)
{
	uint16_t selector = (uint16_t)t->tss.selector[which];
	bool must = which == SREG_CS || which == SREG_SS;
	struct hvm_segment seg;
	uint64_t at, desc;
	int err;

	if (SEL_IS_NULL(selector))
		return must ? fail(t, VEC_TS, ERR_SELECTOR(selector)) : 0;
	err = read_descriptor(t, selector, VEC_TS, &at, &desc);
	if (err)
		return err;
	to_segment(selector, desc, &seg);
	if (!type_fits(&seg, which, cpl))
		return fail(t, VEC_TS, ERR_SELECTOR(selector));
	if (!(seg.ar & AR_P))
		return fail(t, which == SREG_SS ? VEC_SS : VEC_NP, ERR_SELECTOR(selector));
	if (!(seg.ar & TYPE_ACCESSED)) {
		seg.ar |= TYPE_ACCESSED;
		err = write_type(t, at, desc | FIELD(63, 40, TYPE_ACCESSED));
	}
	if (!err)
		t->v->ops->set_segment(t->v, which, &seg);
	return err;
}

/* "Checks on Guest Segment Registers": what virtual-8086 mode has, and no descriptor. */
static void load_v86_segments(struct task *t)
{
	for (unsigned i = SREG_ES; i <= SREG_GS; i++) {
		uint16_t selector = (uint16_t)t->tss.selector[i];
		struct hvm_segment seg = { .selector = selector, .base = (uint32_t)selector << 4, .limit = UINT16_MAX,
					   .ar = AR_DATA | AR_DPL_FIELD(CPL_MAX) };

		t->v->ops->set_segment(t->v, (enum sreg)i, &seg);
	}
}

/* The new selector over what the old task had, so that the entry can load it; what virtual-8086 mode had is no code segment. */
static void keep_hidden(struct task *t, enum sreg which)
{
	struct hvm_segment seg;

	t->v->ops->segment(t->v, which, &seg);
	seg.selector = (uint16_t)t->tss.selector[which];
	if (t->was_v86 && which == SREG_CS)
		seg.ar = AR_CODE | AR_DPL_FIELD(CPL_MAX);
	t->v->ops->set_segment(t->v, which, &seg);
}

/* A fault here finds the new task with the segments that are loaded so far, which the entry must be able to load as well: CS and SS
 * are the old ones until the new CS is known, then SS has at least its privilege. */
static int load_segments(struct task *t)
{
	static const enum sreg data[] = { SREG_DS, SREG_ES, SREG_FS, SREG_GS };
	unsigned cpl = SEL_RPL(t->tss.selector[SREG_CS]);
	int err = load_ldt(t);

	if (!err && (t->tss.eflags & RFLAGS_VM)) {
		load_v86_segments(t);
		return 0;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(data); i++)
		set_unusable(t, data[i], (uint16_t)t->tss.selector[data[i]], 0);
	if (!err)
		err = load_segment(t, SREG_CS, cpl);
	if (err) {
		t->v->ops->set(t->v, HVM_RFLAGS, t->v->ops->get(t->v, HVM_RFLAGS) & ~RFLAGS_VM);
		keep_hidden(t, SREG_CS);
		keep_hidden(t, SREG_SS);
		return err;
	}
	set_unusable(t, SREG_SS, (uint16_t)t->tss.selector[SREG_SS], cpl);
	err = load_segment(t, SREG_SS, cpl);
	for (unsigned i = 0; !err && i < ARRAY_SIZE(data); i++)
		err = load_segment(t, data[i], cpl);
	return err;
}

/* "If the exception is one that pushes an error code, it is on the new task's stack": as wide as the new TSS. */
static int push_error(struct task *t)
{
	uint8_t size = t->wide ? sizeof(uint32_t) : sizeof(uint16_t);
	struct vcpu *v = t->v;
	struct hvm_segment ss;
	uint64_t rsp, linear;
	uint32_t mask;
	int err;

	v->ops->segment(v, SREG_SS, &ss);
	mask = ss.ar & AR_DB ? UINT32_MAX : UINT16_MAX;
	rsp = (v->ops->get(v, HVM_RSP) & ~(uint64_t)mask) | ((v->ops->get(v, HVM_RSP) - size) & mask);
	err = guest_linear(v, SREG_SS, rsp & mask, size, ACCESS_WRITE, &linear, &t->fault);
	if (!err)
		err = guest_write(v, linear, &t->how->event.error, size, AS_CPL, &t->fault);
	if (!err)
		v->ops->set(v, HVM_RSP, rsp);
	return err;
}

/* ---- all of it ---- */

/* As by MOV to CR3: "If any of the PDPTEs sets both the P flag (bit 0) and any reserved bit, the MOV to CR instruction causes a
 * general-protection exception" (SDM v3, "PDPTE Registers"). No entry would take them. */
static int check_pdptes(struct task *t)
{
	const struct vcpu *v = t->v;
	uint64_t pdpt[PDPTES];
	const void *p;

	if (!t->wide || !(v->ops->get(v, HVM_CR0) & CR0_PG) || !(v->ops->get(v, HVM_CR4) & CR4_PAE))
		return 0;
	t->fault.cr2 = t->tss.cr3 & PDPT_ADDR;
	p = ram_at(&v->ram, GPA(t->fault.cr2), sizeof(pdpt));
	if (!p)
		return E_NXIO;
	memcpy(pdpt, p, sizeof(pdpt));
	for (unsigned i = 0; i < PDPTES && !v->ops->set_pdptes; i++)
		pdpt[i] &= ~(uint64_t)PTE_A; /* such a CPU may have set it itself */
	return cr_pdptes_valid(pdpt, v->features.phys_bits) ? 0 : fail(t, VEC_GP, 0);
}

static int prepare(struct task *t)
{
	int err = read_new_tss(t);

	if (!err)
		err = check_pdptes(t);
	return err ? err : check_writes(t);
}

static int commit(struct task *t)
{
	int err = leave_old_task(t);

	if (!err)
		err = link_new_task(t);
	if (err)
		return err;
	load_registers(t);
	err = load_segments(t);
	if (!err && t->how->source == TASK_GATE && t->how->event.has_error)
		err = push_error(t);
	/* "T (debug trap) flag": "causes the processor to raise a debug exception when a task switch to this task occurs". */
	if (!err && t->wide && (t->tss.trap & TSS_TRAP)) {
		vcpu_queue_exception(t->v, VEC_DB, false, 0);
		t->v->ev.exc.dr6 = DR6_BT;
	}
	return err;
}

/* A fault on the way to the handler of an exception is weighed against that one: a double fault, or a shutdown. */
static void raise(struct task *t)
{
	struct vcpu *v = t->v;

	if (t->how->event.type == EVENT_EXCEPTION) {
		v->ev.exc.injected = true;
		v->ev.exc.vector = t->how->event.vector;
	}
	vcpu_queue_exception(v, t->fault.vector, t->fault.has_error, t->fault.error);
	if (t->fault.vector == VEC_PF)
		v->ops->set(v, HVM_CR2, t->fault.cr2);
}

bool vcpu_switch_task(struct vcpu *v, const struct hvm_task *how)
{
	struct task t = { .v = v, .how = how };
	int err;

	t.was_v86 = v->ops->get(v, HVM_RFLAGS) & RFLAGS_VM;
	t.ext = how->source == TASK_GATE && how->event.type != EVENT_SOFT ? ERR_EXT : 0;
	v->ops->segment(v, SREG_TR, &t.old);
	v->ops->segment(v, SREG_GDTR, &t.gdt);
	err = prepare(&t);
	if (!err)
		err = commit(&t);
	if (err == E_NXIO)
		return vcpu_internal_error(v, VCPU_ERROR_DELIVERY, t.fault.cr2, how->event.vector);
	if (err)
		raise(&t);
	return false;
}
