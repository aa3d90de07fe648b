/* SPDX-License-Identifier: BSD-2-Clause
 * The VMX backend: set-up, entry, injection, the interrupt window, guest state.
 * Knows nothing of interrupt controllers. */
#include "x86/vmx.h"

#include <string.h>

#include "core/vcpu.h"
#include "status.h"
#include "x86.h"

#define CPUID_FEATURES 1u
#define ECX_VMX BIT(5)

#define IOPM_PAGES 2
#define TPR_BYTE APIC_TPR
#define TPR_CLASS(tpr) GET_FIELD(7, 4, tpr)

/* Numbers that vmx_enter.S uses. */
_Static_assert(offsetof(struct hvm_regs, gpr[RCX]) == 0x08, "vmx_enter.S");
_Static_assert(offsetof(struct hvm_regs, gpr[RBP]) == 0x28, "vmx_enter.S");
_Static_assert(offsetof(struct hvm_regs, gpr[RDI]) == 0x38, "vmx_enter.S");
_Static_assert(offsetof(struct hvm_regs, gpr[R15]) == 0x78, "vmx_enter.S");
_Static_assert(offsetof(struct vcpu, regs) == 0, "vmx_enter.S");
_Static_assert(VMCS_HOST_RSP == 0x6c14, "vmx_enter.S");
_Static_assert(VMX_ENTERED == 0 && VMX_VMFAIL_INVALID == 1 && VMX_VMFAIL_VALID == 2, "vmx_enter.S");

static const enum vmcs_field state_fields[] = { [STATE_RIP] = VMCS_GUEST_RIP,
						[STATE_RSP] = VMCS_GUEST_RSP,
						[STATE_RFLAGS] = VMCS_GUEST_RFLAGS,
						[STATE_INTERRUPTIBILITY] = VMCS_GUEST_INTERRUPTIBILITY,
						[STATE_CS_AR] = VMCS_GUEST_CS_AR,
						[STATE_EFER] = VMCS_GUEST_EFER,
						[STATE_CR0] = VMCS_GUEST_CR0,
						[STATE_CR3] = VMCS_GUEST_CR3,
						[STATE_PENDING_DEBUG] = VMCS_GUEST_PENDING_DEBUG };
_Static_assert(ARRAY_SIZE(state_fields) == STATES, "each has a field");

static void probe_controls(struct vmx_caps *out)
{
	bool exact = out->basic & VMX_BASIC_TRUE_CTLS;

	out->pin = rdmsr(exact ? MSR_VMX_TRUE_PINBASED_CTLS : MSR_VMX_PINBASED_CTLS);
	out->proc = rdmsr(exact ? MSR_VMX_TRUE_PROCBASED_CTLS : MSR_VMX_PROCBASED_CTLS);
	out->exit = rdmsr(exact ? MSR_VMX_TRUE_EXIT_CTLS : MSR_VMX_EXIT_CTLS);
	out->entry = rdmsr(exact ? MSR_VMX_TRUE_ENTRY_CTLS : MSR_VMX_ENTRY_CTLS);
	if (VMX_ALLOWED_1(out->proc) & PROC_SECONDARY_CTLS)
		out->proc2 = rdmsr(MSR_VMX_PROCBASED_CTLS2);
	if (VMX_ALLOWED_1(out->proc2) & (PROC2_EPT | PROC2_VPID))
		out->ept_vpid = rdmsr(MSR_VMX_EPT_VPID_CAP);
}

void vmx_probe(struct vmx_caps *out)
{
	memset(out, 0, sizeof(*out));
	out->vmx = cpuid(CPUID_FEATURES, 0).ecx & ECX_VMX;
	if (!out->vmx)
		return;
	out->on = read_cr4() & CR4_VMXE;
	out->feature_control = rdmsr(MSR_FEATURE_CONTROL);
	out->basic = rdmsr(MSR_VMX_BASIC);
	out->misc = rdmsr(MSR_VMX_MISC);
	out->cr0_fixed0 = rdmsr(MSR_VMX_CR0_FIXED0);
	out->cr0_fixed1 = rdmsr(MSR_VMX_CR0_FIXED1);
	out->cr4_fixed0 = rdmsr(MSR_VMX_CR4_FIXED0);
	out->cr4_fixed1 = rdmsr(MSR_VMX_CR4_FIXED1);
	probe_controls(out);
}

/* MSRs that the guest owns outright: the CPU switches some of them, and the others keep the guest's values for as long as we
 * have the machine. */
static const uint32_t guest_owned[] = { MSR_STAR,    MSR_LSTAR,   MSR_CSTAR,       MSR_SFMASK,       MSR_KERNEL_GS_BASE,
					MSR_FS_BASE, MSR_GS_BASE, MSR_SYSENTER_CS, MSR_SYSENTER_ESP, MSR_SYSENTER_EIP };
#define NOT_IN_VMCS 5 /* the first of them */

static void init_msrpm(struct vmx *x)
{
	memset(x->msrpm, UINT8_MAX, PAGE_SIZE);
	for (size_t i = 0; i < ARRAY_SIZE(guest_owned); i++)
		vmx_msrpm_pass(x, guest_owned[i]);
}

/* What the guest finds in registers that no VMCS field holds. */
static void init_unswitched(void)
{
	for (size_t i = 0; i < NOT_IN_VMCS; i++)
		wrmsr(guest_owned[i], 0);
	write_dr6(DR6_INIT);
	write_cr2(0);
}

/* SDM v3, "Enabling and Entering VMX Operation", on the lock bit: "If this bit is clear, VMXON causes a general-protection
 * exception", and once it is set "the MSR cannot be modified until a power-up reset condition". So an open one is locked,
 * with VMX enabled, and that cannot be taken back. "Restrictions on VMX Operation": "processors may fix certain bits in CR0
 * and CR4 to specific values". */
static int vmx_on(struct vmx *x)
{
	uint64_t features = x->caps.feature_control;

	if (!(features & FEATURE_CONTROL_LOCK))
		wrmsr(MSR_FEATURE_CONTROL, features | FEATURE_CONTROL_VMX | FEATURE_CONTROL_LOCK);
	x->host_cr0 = read_cr0();
	x->host_cr4 = read_cr4();
	write_cr0((x->host_cr0 | x->caps.cr0_fixed0) & x->caps.cr0_fixed1);
	write_cr4((x->host_cr4 | x->caps.cr4_fixed0) & x->caps.cr4_fixed1);
	x->on = vmxon(HPA((uintptr_t)x->vmxon));
	if (x->on)
		return 0;
	write_cr4(x->host_cr4);
	write_cr0(x->host_cr0);
	return E_EXIST;
}

static void *vmx_region(struct vmx *x, struct page_pool *pool)
{
	uint32_t *page = page_alloc(pool);

	if (page)
		*page = VMX_BASIC_REVISION(x->caps.basic);
	return page;
}

static int alloc_pages(struct vmx *x, struct page_pool *pool)
{
	x->vmxon = vmx_region(x, pool);
	x->vmcs = vmx_region(x, pool);
	x->apic_access = HPA((uintptr_t)page_alloc(pool));
	x->iopm = pages_alloc(pool, IOPM_PAGES);
	x->msrpm = page_alloc(pool);
	if (!x->vmxon || !x->vmcs || !x->apic_access.v || !x->iopm || !x->msrpm)
		return E_NOMEM;
	/* The tables above the APIC's page too, so that it can be mapped later whatever the pool holds then. */
	if (nested_init(&x->nested, &nested_ept, pool) ||
	    nested_map(&x->nested, GPA(APIC_DEFAULT_PHYS), x->apic_access))
		return E_NOMEM;
	nested_unmap(&x->nested, GPA(APIC_DEFAULT_PHYS));
	return 0;
}

int vmx_init(struct vmx *x, struct host *host, struct page_pool *pool, void *apic_page, void *posted, bool vid)
{
	hpa_t vmcs;
	int err;

	memset(x, 0, sizeof(*x));
	x->host = host;
	x->vid = vid;
	x->apic_page = apic_page;
	vmx_probe(&x->caps);
	if (vmx_missing(&x->caps, vid))
		return E_NODEV;
	x->posted = vid && vmx_has_posting(&x->caps) ? posted : NULL;
	x->bochs = VMX_BASIC_REVISION(x->caps.basic) == VMX_REVISION_BOCHS;
	err = alloc_pages(x, pool);
	if (err)
		return err;
	memset(x->iopm, UINT8_MAX, IOPM_PAGES * PAGE_SIZE);
	init_msrpm(x);
	err = vmx_on(x);
	if (err)
		return err;
	vmcs = HPA((uintptr_t)x->vmcs);
	if (!vmclear(vmcs) || !vmptrld(vmcs))
		host_panic("VMCLEAR or VMPTRLD refuses the VMCS at %#lx", vmcs.v);
	vmx_init_vmcs(x);
	if (x->bochs && vmx_unblock_nmi(x, pool)) {
		vmx_fini(x);
		return E_NOMEM;
	}
	init_unswitched();
	vmx_timer_init(x);
	x->invept = true;
	return 0;
}

void vmx_fini(struct vmx *x)
{
	if (!x->on)
		return;
	vmclear(HPA((uintptr_t)x->vmcs));
	vmxoff();
	write_cr4(x->host_cr4);
	write_cr0(x->host_cr0);
	x->on = false;
}

static struct vmx *vmx_of(const struct vcpu *v)
{
	return v->hw;
}

uint64_t vmx_state(struct vmx *x, enum vmx_state s)
{
	if (!(x->state.known & BIT(s))) {
		x->state.known |= BIT(s);
		x->state.val[s] = vmcs_read(x, state_fields[s]);
	}
	return x->state.val[s];
}

void vmx_set_state(struct vmx *x, enum vmx_state s, uint64_t val)
{
	x->state.known |= BIT(s);
	x->state.val[s] = val;
	vmcs_write(x, state_fields[s], val);
}

bool vmx_invept(const struct vmx *x)
{
	return invept(x->caps.ept_vpid & EPT_CAP_INVEPT_SINGLE ? INVEPT_SINGLE_CONTEXT : INVEPT_ALL_CONTEXTS, x->eptp);
}

static void load_control(struct vmx *x, enum vmcs_field field, struct vmx_control *c)
{
	if (c->want == c->is)
		return;
	c->is = c->want;
	vmcs_write(x, field, c->want);
}

static void vmenter(struct vcpu *v, struct vmx *x)
{
	load_control(x, VMCS_PIN_CTLS, &x->pin);
	load_control(x, VMCS_PROC_CTLS, &x->proc);
	load_control(x, VMCS_PROC_CTLS2, &x->proc2);
	load_control(x, VMCS_TPR_THRESHOLD, &x->tpr_threshold);
	if (x->invept)
		CHECK(x, vmx_invept(x));
	x->invept = false;
	x->state.known = 0;
	x->state.open = x->state.trap = false;
	x->entry = vmx_vmenter(&v->regs, &x->host_rsp, x->launched);
	x->launched = x->launched || x->entry == VMX_ENTERED;
}

/* What was read and written since the last exit was for its sake. */
static void count_accesses(struct vmx *x)
{
#ifdef VMCS_COUNT
	struct vmcs_count *c = &x->count[x->kind];

	c->reads += x->now.reads;
	c->writes += x->now.writes;
	c->least_reads = c->exits > 1 ? min_u64(c->least_reads, x->now.reads) : x->now.reads;
	c->least_writes = c->exits > 1 ? min_u64(c->least_writes, x->now.writes) : x->now.writes;
	x->now = (struct vmcs_count){ 0 };
#else
	(void)x;
#endif
}

static void count_exit(struct vmx *x, enum hvm_exit_kind kind)
{
#ifdef VMCS_COUNT
	x->kind = kind;
	x->count[kind].exits++;
#else
	(void)x;
	(void)kind;
#endif
}

/* What has failed since the last entry, or before the first. The guest does not go on. */
static bool failed(struct vcpu *v, struct vmx *x, struct hvm_exit *out)
{
	if (__builtin_expect(!x->check.line, 1))
		return false;
	v->check = x->check;
	*out = (struct hvm_exit){ .kind = HVM_EXIT_NONE, .now = host_now(x->host) };
	return true;
}

static void vmx_enter(struct vcpu *v, uint64_t deadline, bool immediate, struct hvm_exit *out)
{
	struct vmx *x = vmx_of(v);

	if (failed(v, x, out))
		return;
	if (immediate)
		vmx_timer_expire(x);
	else
		vmx_timer_arm(x, deadline);
	vmenter(v, x);
	count_accesses(x);
	vmx_translate_exit(v, out);
	count_exit(x, out->kind);
	switch (out->vendor_code) {
	case EXIT_REASON_EXTERNAL_INTERRUPT:
		vmx_take_interrupt(x);
		break;
	case EXIT_REASON_INTERRUPT_WINDOW:
		x->state.open = true;
		vmx_ops.intr_window(v, false);
		break;
	case EXIT_REASON_TPR_BELOW_THRESHOLD:
	case EXIT_REASON_VIRTUALIZED_EOI:
	case EXIT_REASON_APIC_WRITE:
		x->state.trap = true;
		break;
	case EXIT_REASON_NMI_WINDOW:
		vmx_ops.nmi_window(v, false);
		break;
	}
	out->now = host_now(x->host);
	vmx_timer_stopped(x, out->now, out->vendor_code == EXIT_REASON_PREEMPTION_TIMER);
	failed(v, x, out);
}

static bool vmx_shadow(const struct vcpu *v)
{
	struct vmx *x = vmx_of(v);

	return !x->state.open && (vmx_state(x, STATE_INTERRUPTIBILITY) & INTERRUPTIBILITY_SHADOW);
}

static bool vmx_if_flag(const struct vcpu *v)
{
	struct vmx *x = vmx_of(v);

	return x->state.open || (vmx_state(x, STATE_RFLAGS) & RFLAGS_IF);
}

/* Behind a completed instruction there may be a #DB that the entry is to deliver, before any interrupt; but if the entry injects
 * one, "There are no pending debug exceptions" (SDM v3, "Delivery of Pending Debug Exceptions after VM Entry"). */
static bool debug_trap(struct vmx *x)
{
	return x->state.trap && vmx_state(x, STATE_PENDING_DEBUG);
}

static bool vmx_intr_allowed(const struct vcpu *v)
{
	return vmx_if_flag(v) && !vmx_shadow(v) && !debug_trap(vmx_of(v));
}

/* In STI's shadow an NMI may be taken; vmx_inject() ends the shadow. */
static bool vmx_nmi_allowed(const struct vcpu *v)
{
	uint64_t state = vmx_state(vmx_of(v), STATE_INTERRUPTIBILITY);

	return !(state & (INTERRUPTIBILITY_NMI | INTERRUPTIBILITY_MOV_SS)) && !debug_trap(vmx_of(v));
}

/* SDM v3, "Interruptibility State": behind an entry that injects "there is no blocking by STI or by MOV SS", "regardless of the
 * contents of the interruptibility-state field". But "A processor may require bit 0 (blocking by STI) to be 0" for an NMI
 * ("Checks on Guest Non-Register State"), and with TF=1 any shadow requires a pending single-step. An interrupt is injected
 * in no shadow anyway. */
static void end_shadow(struct vmx *x)
{
	uint64_t state = vmx_state(x, STATE_INTERRUPTIBILITY);

	if (state & INTERRUPTIBILITY_SHADOW)
		vmx_set_state(x, STATE_INTERRUPTIBILITY, state & ~(uint64_t)INTERRUPTIBILITY_SHADOW);
}

/* SDM v3, "VM-Entry Control Fields": with unrestricted guest "deliver-error-code" must be 0 while CR0.PE is 0. */
static bool pushes_error(struct vmx *x, const struct event *e)
{
	return e->has_error && (vmx_state(x, STATE_CR0) & CR0_PE);
}

static void vmx_inject(struct vcpu *v, const struct event *e)
{
	static const enum vmx_intr_type types[] = { [EVENT_INTR] = INTR_TYPE_EXTINT,
						    [EVENT_NMI] = INTR_TYPE_NMI,
						    [EVENT_EXCEPTION] = INTR_TYPE_EXCEPTION };
	struct vmx *x = vmx_of(v);
	uint32_t info = INTR_INFO_VALID | INTR_INFO_TYPE_FIELD(types[e->type]) | e->vector;

	if (pushes_error(x, e)) {
		info |= INTR_INFO_ERROR_VALID;
		vmcs_write(x, VMCS_ENTRY_EXCEPTION_ERROR, e->error);
	}
	if (e->type != EVENT_INTR)
		end_shadow(x);
	if (e->type == EVENT_NMI)
		vmx_ops.nmi_window(v, false);
	vmcs_write(x, VMCS_ENTRY_INTR_INFO, info);
}

/* SDM v3, "Definitions of Primary Processor-Based VM-Execution Controls": with it "a VM exit occurs at the beginning of any
 * instruction if RFLAGS.IF = 1 and there are no other blocking of interrupts". While it is 1, no virtual interrupt is
 * recognized ("Evaluation of Pending Virtual Interrupts"): the CPU delivers nothing as long as the window is wanted. */
static void vmx_intr_window(struct vcpu *v, bool open)
{
	struct vmx *x = vmx_of(v);

	if (open)
		x->proc.want |= PROC_INTR_WINDOW_EXITING;
	else
		x->proc.want &= ~PROC_INTR_WINDOW_EXITING;
}

static void vmx_nmi_window(struct vcpu *v, bool open)
{
	struct vmx *x = vmx_of(v);

	if (open)
		x->proc.want |= PROC_NMI_WINDOW_EXITING;
	else
		x->proc.want &= ~PROC_NMI_WINDOW_EXITING;
}

static void vmx_skip(struct vcpu *v, uint8_t len)
{
	struct vmx *x = vmx_of(v);
	uint64_t rip = vmx_state(x, STATE_RIP), next = rip + len;
	uint64_t rflags = vmx_state(x, STATE_RFLAGS);

	if (rip <= UINT32_MAX && next > UINT32_MAX && vmx_ops.get(v, HVM_CS_MODE) != CS_64)
		next = (uint32_t)next;
	vmx_set_state(x, STATE_RIP, next);
	end_shadow(x);
	if (rflags & RFLAGS_RF)
		vmx_set_state(x, STATE_RFLAGS, rflags & ~RFLAGS_RF);
}

/* L means nothing outside of IA-32e mode, and there hardly anything sets it. */
static uint64_t cs_mode(struct vmx *x)
{
	uint64_t ar = vmx_state(x, STATE_CS_AR);

	if ((ar & AR_L) && (vmx_state(x, STATE_EFER) & EFER_LMA))
		return CS_64;
	return ar & AR_DB ? CS_32 : CS_16;
}

static uint64_t vmx_get(const struct vcpu *v, enum hvm_reg reg)
{
	struct vmx *x = vmx_of(v);

	switch (reg) {
	case HVM_RIP: return vmx_state(x, STATE_RIP);
	case HVM_RSP: return vmx_state(x, STATE_RSP);
	case HVM_RFLAGS: return vmx_state(x, STATE_RFLAGS);
	case HVM_CR0: return (vmx_state(x, STATE_CR0) & ~x->cr0_mask) | (x->cr0_shadow & x->cr0_mask);
	case HVM_CR2: return read_cr2();
	case HVM_CR3: return vmx_state(x, STATE_CR3);
	case HVM_CR4: return x->cr4_shadow;
	case HVM_EFER: return vmx_state(x, STATE_EFER);
	case HVM_DR0: return read_dr0();
	case HVM_DR1: return read_dr1();
	case HVM_DR2: return read_dr2();
	case HVM_DR3: return read_dr3();
	case HVM_DR6: return read_dr6();
	case HVM_DR7: return x->has_breakpoints ? vmcs_read(x, VMCS_GUEST_DR7) : DR7_INIT;
	case HVM_CPL: return AR_DPL(vmcs_read(x, VMCS_GUEST_SS_AR));
	case HVM_ES_BASE:
	case HVM_CS_BASE:
	case HVM_SS_BASE:
	case HVM_DS_BASE:
	case HVM_FS_BASE:
	case HVM_GS_BASE: return vmcs_read(x, VMCS_GUEST_ES_BASE + VMCS_SEGMENT_STRIDE * (reg - HVM_ES_BASE));
	case HVM_CS: return vmcs_read(x, VMCS_GUEST_CS);
	case HVM_SS: return vmcs_read(x, VMCS_GUEST_SS);
	case HVM_CS_MODE: return cs_mode(x);
	case HVM_PAT: return vmcs_read(x, VMCS_GUEST_PAT);
	case HVM_TSC_OFFSET: return x->tsc_offset;
	case HVM_XCR0: break;
	case HVM_VID_STATUS: return vmcs_read(x, VMCS_GUEST_INTR_STATUS);
	}
	return 0;
}

/* Where paging changes, nothing is left to do for the TLB: without VPIDs each entry and each exit empties it. */
static void vmx_set(struct vcpu *v, enum hvm_reg reg, uint64_t val)
{
	struct vmx *x = vmx_of(v);

	switch (reg) {
	case HVM_RIP: vmx_set_state(x, STATE_RIP, val); return;
	case HVM_RSP: vmx_set_state(x, STATE_RSP, val); return;
	case HVM_RFLAGS:
		x->state.open = false;
		vmx_set_state(x, STATE_RFLAGS, val);
		return;
	case HVM_CR0: vmx_set_cr0(x, val); return;
	case HVM_CR2: write_cr2(val); return;
	case HVM_CR3: vmx_set_state(x, STATE_CR3, val); return;
	case HVM_CR4: vmx_set_cr4(x, val); return;
	case HVM_EFER: vmx_set_efer(x, val); return;
	case HVM_DR0: write_dr0(val); return;
	case HVM_DR1: write_dr1(val); return;
	case HVM_DR2: write_dr2(val); return;
	case HVM_DR3: write_dr3(val); return;
	case HVM_DR6: write_dr6(val); return;
	case HVM_DR7:
		x->has_breakpoints = true;
		vmcs_write(x, VMCS_GUEST_DR7, val);
		return;
	case HVM_PAT: vmcs_write(x, VMCS_GUEST_PAT, val); return;
	case HVM_XCR0: xsetbv(val); return;
	case HVM_TSC_OFFSET:
		x->tsc_offset = val;
		vmcs_write(x, VMCS_TSC_OFFSET, val);
		return;
	default: return;
	}
}

/* The threshold means nothing while the CPU delivers by itself. */
static void vmx_set_tpr(struct vcpu *v, uint8_t tpr, uint8_t threshold)
{
	struct vmx *x = vmx_of(v);

	((uint8_t *)x->apic_page)[TPR_BYTE] = tpr;
	x->tpr_threshold.want = threshold;
}

static uint8_t vmx_get_cr8(const struct vcpu *v)
{
	return (uint8_t)TPR_CLASS(((const uint8_t *)vmx_of(v)->apic_page)[TPR_BYTE]);
}

static int vmx_map(struct vcpu *v, gpa_t gpa, hpa_t hpa)
{
	int err = nested_map(&vmx_of(v)->nested, gpa, hpa);

	if (!err)
		vmx_vid_page_mapped(v);
	return err;
}

static void vmx_unmap(struct vcpu *v, gpa_t gpa)
{
	struct vmx *x = vmx_of(v);

	if (!nested_unmap(&x->nested, gpa))
		return;
	x->invept = true;
	vmx_vid_page_unmapped(v);
}

static uint64_t vmx_halt(struct vcpu *v, uint64_t deadline)
{
	struct vmx *x = vmx_of(v);

	host_halt_until(x->host, deadline);
	return host_now(x->host);
}

static uint64_t vmx_now(const struct vcpu *v)
{
	return host_now(vmx_of(v)->host);
}

const struct hvm_ops vmx_ops = {
	.name = "vmx",
	.enter = vmx_enter,
	.intr_allowed = vmx_intr_allowed,
	.nmi_allowed = vmx_nmi_allowed,
	.shadow = vmx_shadow,
	.if_flag = vmx_if_flag,
	.inject = vmx_inject,
	.intr_window = vmx_intr_window,
	.nmi_window = vmx_nmi_window,
	.skip = vmx_skip,
	.get = vmx_get,
	.set = vmx_set,
	.set_pdptes = vmx_set_pdptes,
	.segment = vmx_segment,
	.set_segment = vmx_set_segment,
	.set_tpr = vmx_set_tpr,
	.get_cr8 = vmx_get_cr8,
	.set_vid = vmx_set_vid,
	.set_vid_status = vmx_set_vid_status,
	.set_eoi_exits = vmx_set_eoi_exits,
	.notify = vmx_notify,
	.map = vmx_map,
	.unmap = vmx_unmap,
	.halt = vmx_halt,
	.now = vmx_now,
	.guest_tsc = vmx_guest_tsc,
	.cpuid = vmx_cpuid,
	.write_msr = vmx_write_msr,
};
