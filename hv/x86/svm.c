/* SPDX-License-Identifier: BSD-2-Clause
 * The SVM backend: set-up, entry, injection, the interrupt window, guest state.
 * Knows nothing of interrupt controllers. */
#include "x86/svm.h"

#include <string.h>

#include "core/vcpu.h"
#include "status.h"
#include "x86.h"

#define CPUID_FEATURES 1u
#define ECX_HYPERVISOR BIT(31)
#define CPUID_HV_VENDOR 0x40000000u
#define CPUID_AMD_MAX 0x80000000u
#define CPUID_AMD_FEATURES 0x80000001u
#define CPUID_AMD_SVM 0x8000000au
#define AMD_ECX_SVM BIT(2)
#define SVM_EDX_NP BIT(0)
#define SVM_EDX_LOCK BIT(2)
#define SVM_EDX_NRIPS BIT(3)
#define VM_CR_LOCK BIT64(3)
#define VM_CR_SVMDIS BIT64(4)

#define IOPM_PAGES 3
#define MSRPM_PAGES 2
#define MSRPM_PER_BYTE 4
#define MSRPM_READ 1
#define MSRPM_WRITE 2
#define MSRPM_RANGE 0x2000u /* MSRs in each of the map's parts */
#define MSRPM_HIGH 0xc0000000u
#define GUEST_ASID 1
#define SEG_LIMIT 0xffffffffu
#define ENTRY_CS 0x08
#define ENTRY_DS 0x10
#define TSS_LIMIT 0x67
#define TPR_CLASS(tpr) GET_FIELD(7, 4, tpr)
#define TPR_SUBCLASS(tpr) GET_FIELD(3, 0, tpr)
#define DELIVERY_FAULTS (BIT(VEC_TS) | BIT(VEC_NP) | BIT(VEC_SS) | BIT(VEC_GP) | BIT(VEC_PF))
/* Exceptions whose delivery can raise the same one again, in front of any instruction: by a data breakpoint on the stack, by an
 * unaligned one. The CPU would not come out of that, so they exit, and each delivery is an entry of ours. */
#define HANDED_ON (BIT(VEC_DB) | BIT(VEC_AC) | BIT(VEC_MC))
/* The guest gets at least this long between an entry and the exit for its deadline, passed or not. Less, and a timer shorter than
 * what an exit takes would keep the guest from ever running. */
#define MIN_RUN (20 * NSEC_PER_USEC)

/* Offsets that svm_enter.S uses. */
_Static_assert(offsetof(struct hvm_regs, gpr[RCX]) == 0x08, "svm_enter.S");
_Static_assert(offsetof(struct hvm_regs, gpr[RBP]) == 0x28, "svm_enter.S");
_Static_assert(offsetof(struct hvm_regs, gpr[RDI]) == 0x38, "svm_enter.S");
_Static_assert(offsetof(struct hvm_regs, gpr[R15]) == 0x78, "svm_enter.S");
_Static_assert(offsetof(struct vcpu, regs) == 0, "svm_enter.S");

static bool is_tcg(void)
{
	static const char name[] = "TCGTCGTCGTCG";
	struct cpuid_regs r = cpuid(CPUID_HV_VENDOR, 0);
	const uint32_t found[] = { r.ebx, r.ecx, r.edx };

	return (cpuid(CPUID_FEATURES, 0).ecx & ECX_HYPERVISOR) && !memcmp(found, name, sizeof(found));
}

void svm_probe(struct svm_caps *out)
{
	uint32_t features = CPUID_AMD_FEATURES;
	struct cpuid_regs r;

	memset(out, 0, sizeof(*out));
	out->svm = cpuid(CPUID_AMD_MAX, 0).eax >= CPUID_AMD_SVM && (cpuid(features, 0).ecx & AMD_ECX_SVM);
	if (!out->svm)
		return;
	r = cpuid(CPUID_AMD_SVM, 0);
	out->npt = r.edx & SVM_EDX_NP;
	out->nrips = r.edx & SVM_EDX_NRIPS;
	out->asids = r.ebx;
	out->disabled = rdmsr(MSR_VM_CR) & VM_CR_SVMDIS;
	out->tcg = is_tcg();
	out->locked = !(r.edx & SVM_EDX_LOCK) || (rdmsr(MSR_VM_CR) & VM_CR_LOCK);
}

/* MSRs that the guest owns outright: VMLOAD and VMSAVE switch them. */
static void msrpm_pass(uint8_t *map, uint32_t msr, uint8_t accesses)
{
	uint32_t index = msr >= MSRPM_HIGH ? msr - MSRPM_HIGH + MSRPM_RANGE : msr;

	map[index / MSRPM_PER_BYTE] &= (uint8_t)~(accesses << (index % MSRPM_PER_BYTE * 2));
}

/* TCG takes addresses that are not canonical: there the writes exit, and msr.c looks (docs/findings.md). */
static void init_msrpm(uint8_t *map, bool tcg)
{
	static const uint32_t guest_owned[] = { MSR_SYSENTER_CS, MSR_SYSENTER_ESP, MSR_SYSENTER_EIP, MSR_STAR,
						MSR_LSTAR,       MSR_CSTAR,        MSR_SFMASK,       MSR_FS_BASE,
						MSR_GS_BASE,     MSR_KERNEL_GS_BASE };

	memset(map, UINT8_MAX, MSRPM_PAGES * PAGE_SIZE);
	for (size_t i = 0; i < ARRAY_SIZE(guest_owned); i++)
		msrpm_pass(map, guest_owned[i], tcg ? MSRPM_READ : MSRPM_READ | MSRPM_WRITE);
}

static void init_control(struct svm *s, const void *iopm, const void *msrpm)
{
	struct vmcb_control *c = &s->vmcb->control;

	/* CR3 where the CPU takes what it refuses to enter with: TCG (docs/findings.md). */
	c->intercept_cr = INTERCEPT_CR_WRITE(4) | (s->caps.tcg ? INTERCEPT_CR_WRITE(3) : 0);
	c->intercept_dr = s->caps.tcg ? INTERCEPT_DR_WRITE(5) | INTERCEPT_DR_WRITE(7) : 0;
	c->intercept_1 = INTERCEPT_CR0_SEL_WRITE | INTERCEPT_INTR | INTERCEPT_NMI | INTERCEPT_INIT | INTERCEPT_RDPMC |
			 INTERCEPT_CPUID | INTERCEPT_RSM |
			 INTERCEPT_INVD | INTERCEPT_HLT | INTERCEPT_INVLPGA | INTERCEPT_IOIO_PROT | INTERCEPT_MSR_PROT |
			 INTERCEPT_FERR_FREEZE | INTERCEPT_SHUTDOWN;
	c->intercept_2 = INTERCEPT_VMRUN | INTERCEPT_VMMCALL | INTERCEPT_VMLOAD | INTERCEPT_VMSAVE | INTERCEPT_STGI |
			 INTERCEPT_CLGI | INTERCEPT_SKINIT | INTERCEPT_ICEBP | INTERCEPT_WBINVD |
			 INTERCEPT_MONITOR | INTERCEPT_MWAIT | INTERCEPT_XSETBV;
	c->intercept_exceptions = s->exceptions = HANDED_ON;
	c->iopm_base_pa = (uintptr_t)iopm;
	c->msrpm_base_pa = (uintptr_t)msrpm;
	c->guest_asid = GUEST_ASID;
	c->tlb_control = TLB_CONTROL_FLUSH_ALL;
	c->int_ctl = INT_CTL_V_INTR_MASKING;
	c->np_enable = NP_ENABLE;
	c->n_cr3 = nested_root(&s->nested).v;
}

/* Multiboot: 32-bit flat protected mode, paging off, interrupts off. */
static void init_save(struct vmcb_save *g)
{
	const struct vmcb_segment data = { ENTRY_DS, SEG_DATA | SEG_G | SEG_DB, SEG_LIMIT, 0 };

	g->es = g->ss = g->ds = g->fs = g->gs = data;
	g->cs = (struct vmcb_segment){ ENTRY_CS, SEG_CODE | SEG_G | SEG_DB, SEG_LIMIT, 0 };
	g->ldtr = (struct vmcb_segment){ 0, SEG_LDT, 0, 0 };
	g->tr = (struct vmcb_segment){ 0, SEG_TSS_BUSY, TSS_LIMIT, 0 };
	g->efer = EFER_SVME;
	g->cr0 = CR0_PE | CR0_ET;
	g->dr6 = DR6_INIT;
	g->dr7 = DR7_INIT;
	g->rflags = RFLAGS_RESERVED1;
	g->g_pat = PAT_RESET;
}

int svm_init(struct svm *s, struct host *host, struct page_pool *pool)
{
	uint8_t *iopm, *msrpm;

	memset(s, 0, sizeof(*s));
	s->host = host;
	svm_probe(&s->caps);
	if (svm_missing(&s->caps))
		return E_NODEV;
	s->vmcb = page_alloc(pool);
	s->host_vmcb = page_alloc(pool);
	s->hsave = page_alloc(pool);
	iopm = pages_alloc(pool, IOPM_PAGES);
	msrpm = pages_alloc(pool, MSRPM_PAGES);
	if (!s->vmcb || !s->host_vmcb || !s->hsave || !iopm || !msrpm || nested_init(&s->nested, &nested_npt, pool))
		return E_NOMEM;
	memset(iopm, UINT8_MAX, IOPM_PAGES * PAGE_SIZE);
	init_msrpm(msrpm, s->caps.tcg);
	init_control(s, iopm, msrpm);
	init_save(&s->vmcb->save);
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SVME);
	wrmsr(MSR_VM_HSAVE_PA, (uintptr_t)s->hsave);
	/* Once, not at every entry: the hypervisor uses none of FS, GS, LDTR, TR and the SYSCALL MSRs while it has the
	 * machine. Its IDT uses no IST then, since TR is the guest's. */
	host_use_ist(host, false);
	vmsave(HPA((uintptr_t)s->host_vmcb));
	vmload(HPA((uintptr_t)s->vmcb));
	if (svm_find_quirks(s, pool)) {
		svm_fini(s);
		return E_NOMEM;
	}
	if (s->quirks.deaf_while_if_clear)
		host_nmi_start(&host->nmi, &host->lapic);
	return 0;
}

void svm_fini(struct svm *s)
{
	if (!s->host_vmcb || !s->hsave)
		return;
	host_nmi_stop(&s->host->nmi);
	vmload(HPA((uintptr_t)s->host_vmcb));
	host_use_ist(s->host, true);
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) & ~EFER_SVME);
}

static struct svm *svm_of(const struct vcpu *v)
{
	return v->hw;
}

static bool svm_shadow(const struct vcpu *v)
{
	return svm_of(v)->vmcb->control.int_state & INT_STATE_SHADOW;
}

static bool svm_if_flag(const struct vcpu *v)
{
	return svm_of(v)->vmcb->save.rflags & RFLAGS_IF;
}

static bool svm_intr_allowed(const struct vcpu *v)
{
	return svm_if_flag(v) && !svm_shadow(v);
}

static void vmrun(struct vcpu *v, struct svm *s)
{
	struct vmcb_control *c = &s->vmcb->control;

	s->vmcb->save.rax = v->regs.gpr[RAX];
	svm_set_breakpoints(s, true);
	svm_vmrun(&v->regs, (uintptr_t)s->vmcb, c->int_state & INT_STATE_SHADOW);
	svm_set_breakpoints(s, false);
	v->regs.gpr[RAX] = s->vmcb->save.rax;
	c->tlb_control = TLB_CONTROL_NOTHING;
	c->eventinj = 0;
	if (c->exitcode == VMEXIT_INTR || c->exitcode == VMEXIT_NMI)
		host_take_interrupts(s->host);
}

/* TCG keeps an interrupt that it delivered for EVENTINJ in mind until the next #VMEXIT, exception or interrupt, and delivers
 * it again if its loop is left before (docs/findings.md). So such an entry is made in two: the first ends at the handler's
 * first instruction, by an interrupt to ourselves that waits already, and nobody hears of it. */
static bool needs_two_steps(const struct svm *s)
{
	uint64_t inj = s->vmcb->control.eventinj;

	return s->caps.tcg && (inj & EVENT_VALID) && EVENT_TYPE(inj) == EVENT_TYPE_INTR;
}

static void vmrun_in_two_steps(struct vcpu *v, struct svm *s)
{
	const struct vmcb_control *c = &s->vmcb->control;
	uint64_t timer = s->host->seen.timer;

	host_self_ipi(s->host);
	vmrun(v, s);
	if (c->exitcode != VMEXIT_INTR)
		host_take_interrupts(s->host); /* ours, before it ends the next entry */
	else if (s->host->seen.timer == timer && !(c->exitintinfo & EVENT_VALID))
		vmrun(v, s);
}

/* Where VINTR does not see a window that is open already, we look ourselves: an interrupt to ourselves that waits already
 * ends the entry at the first boundary without a shadow. True if that is why the guest left. */
static bool must_look(const struct svm *s)
{
	return s->quirks.misses_open_window && s->window && (s->vmcb->save.rflags & RFLAGS_IF);
}

static bool vmrun_to_look(struct vcpu *v, struct svm *s)
{
	uint64_t timer = s->host->seen.timer;

	host_self_ipi(s->host);
	vmrun(v, s);
	if (s->vmcb->control.exitcode == VMEXIT_INTR)
		return s->host->seen.timer == timer;
	host_take_interrupts(s->host); /* ours, before it ends the next entry */
	return false;
}

/* Ends the entry at its first boundary without a shadow, which with an injection is in front of the handler. An NMI where an
 * interrupt would wait for IF; with GIF=0, so that it does not strike before the entry. */
static void interrupt_self(struct svm *s)
{
	if (s->quirks.deaf_while_if_clear) {
		clgi();
		host_self_nmi(s->host);
	} else {
		host_self_ipi(s->host);
	}
}

static void svm_enter(struct vcpu *v, uint64_t deadline, bool immediate, struct hvm_exit *out)
{
	struct svm *s = svm_of(v);
	bool looked = false;
	uint64_t least;

	svm_nmi_before_entry(s, &immediate, &deadline);
	least = host_now(s->host) + MIN_RUN;
	host_timer_arm(s->host, deadline < least ? least : deadline);
	if (immediate) {
		interrupt_self(s);
		vmrun(v, s);
	} else if (needs_two_steps(s)) {
		vmrun_in_two_steps(v, s);
	} else if (must_look(s)) {
		looked = vmrun_to_look(v, s);
	} else {
		vmrun(v, s);
	}
	svm_translate_exit(s, out);
	svm_debug_exit(v, out);
	if (looked)
		out->kind = svm_intr_allowed(v) ? HVM_EXIT_WINDOW : HVM_EXIT_NONE;
	svm_nmi_after_exit(s, out);
	s->vmcb->control.intercept_exceptions = s->exceptions;
	if (out->kind == HVM_EXIT_WINDOW)
		svm_open_window(s, false);
	out->now = host_now(s->host);
}

static void svm_inject(struct vcpu *v, const struct event *e)
{
	static const uint8_t types[] = { [EVENT_INTR] = EVENT_TYPE_INTR,
					 [EVENT_NMI] = EVENT_TYPE_NMI,
					 [EVENT_EXCEPTION] = EVENT_TYPE_EXEPT };
	struct svm *s = svm_of(v);
	/* While an injected NMI is handled Bochs holds off the host's own, which are the way out of a guest with IF=0. Blocking
	 * is software's business anyway, and nothing else tells the two types apart. */
	bool as_intr = e->type == EVENT_NMI && s->quirks.deaf_while_if_clear;
	uint64_t inj = EVENT_VALID | EVENT_TYPE_FIELD(as_intr ? EVENT_TYPE_INTR : types[e->type]) | e->vector;

	if (e->has_error)
		inj |= EVENT_ERROR_VALID | EVENT_ERROR_FIELD(e->error);
	s->vmcb->control.eventinj = inj;
	if (e->type == EVENT_NMI)
		svm_nmi_injected(s);
	/* So that no third exception is raised: it exits, and that it is a shutdown is found out by others. */
	if (s->quirks.dies_of_shutdown && e->type == EVENT_EXCEPTION && e->vector == VEC_DF)
		s->vmcb->control.intercept_exceptions |= DELIVERY_FAULTS;
}

/* A dummy virtual interrupt that is never delivered, because its interception comes first. APM v2, "Virtual Interrupt
 * Intercept": it "is taken just before a guest takes a virtual interrupt". V_IGN_TPR: the priority must be "greater than
 * the value in V_TPR" otherwise (APM v2, "Injecting Virtual (INTR) Interrupts"), and a TPR of 15 must not close a window
 * that LINT0's ExtINT does not care about. */
void svm_open_window(struct svm *s, bool open)
{
	struct vmcb_control *c = &s->vmcb->control;
	const uint32_t request = INT_CTL_V_IRQ | INT_CTL_V_IGN_TPR | INT_CTL_V_INTR_PRIO(INT_CTL_PRIO_MAX);

	if (open == s->window)
		return;
	s->window = open;
	if (open) {
		c->int_ctl |= request;
		c->int_vector = 0;
		c->intercept_1 |= INTERCEPT_VINTR;
	} else {
		c->int_ctl &= ~request;
		c->intercept_1 &= ~INTERCEPT_VINTR;
	}
}

static void svm_intr_window(struct vcpu *v, bool open)
{
	svm_open_window(svm_of(v), open);
}

static void svm_skip(struct vcpu *v, uint8_t len)
{
	struct svm *s = svm_of(v);

	s->vmcb->save.rip += len;
	if (svm_ops.get(v, HVM_CS_MODE) != CS_64)
		s->vmcb->save.rip = (uint32_t)s->vmcb->save.rip;
	s->vmcb->control.int_state &= ~(uint64_t)INT_STATE_SHADOW;
	s->vmcb->save.rflags &= ~RFLAGS_RF;
}

static uint64_t cs_mode(const struct vmcb_save *g)
{
	if ((g->efer & EFER_LMA) && (g->cs.attributes & SEG_L))
		return CS_64;
	return g->cs.attributes & SEG_DB ? CS_32 : CS_16;
}

static uint64_t svm_get(const struct vcpu *v, enum hvm_reg reg)
{
	const struct vmcb *b = svm_of(v)->vmcb;
	const struct vmcb_save *g = &b->save;

	switch (reg) {
	case HVM_RIP: return g->rip;
	case HVM_RSP: return g->rsp;
	case HVM_RFLAGS: return g->rflags;
	case HVM_CR0: return g->cr0;
	case HVM_CR2: return g->cr2;
	case HVM_CR3: return g->cr3;
	case HVM_CR4: return g->cr4;
	case HVM_EFER: return g->efer & ~EFER_SVME;
	case HVM_DR0: return read_dr0();
	case HVM_DR1: return read_dr1();
	case HVM_DR2: return read_dr2();
	case HVM_DR3: return read_dr3();
	case HVM_DR6: return g->dr6;
	case HVM_DR7: return g->dr7;
	case HVM_CPL: return g->cpl;
	case HVM_ES_BASE: return g->es.base;
	case HVM_CS_BASE: return g->cs.base;
	case HVM_SS_BASE: return g->ss.base;
	case HVM_DS_BASE: return g->ds.base;
	case HVM_FS_BASE: return rdmsr(MSR_FS_BASE);
	case HVM_GS_BASE: return rdmsr(MSR_GS_BASE);
	case HVM_CS: return g->cs.selector;
	case HVM_SS: return g->ss.selector;
	case HVM_CS_MODE: return cs_mode(g);
	case HVM_PAT: return g->g_pat;
	case HVM_TSC_OFFSET: return b->control.tsc_offset;
	case HVM_XCR0:
	case HVM_VID_STATUS: break;
	}
	return 0;
}

static void svm_set(struct vcpu *v, enum hvm_reg reg, uint64_t val)
{
	struct vmcb *b = svm_of(v)->vmcb;
	struct vmcb_save *g = &b->save;

	switch (reg) {
	case HVM_RIP: g->rip = val; return;
	case HVM_RSP: g->rsp = val; return;
	case HVM_RFLAGS: g->rflags = val; return;
	case HVM_CR0: g->cr0 = val; break;
	case HVM_CR2:
		g->cr2 = val;
		write_cr2(val); /* Bochs 2.7 does not load it (docs/findings.md) */
		return;
	case HVM_CR3: g->cr3 = val; break;
	case HVM_CR4: g->cr4 = val; break;
	case HVM_EFER: g->efer = val | EFER_SVME; break;
	case HVM_DR0: write_dr0(val); return;
	case HVM_DR1: write_dr1(val); return;
	case HVM_DR2: write_dr2(val); return;
	case HVM_DR3: write_dr3(val); return;
	case HVM_DR6: g->dr6 = val; return;
	case HVM_DR7: g->dr7 = val; return;
	case HVM_PAT: g->g_pat = val; break;
	case HVM_TSC_OFFSET: b->control.tsc_offset = val; return;
	case HVM_XCR0: xsetbv(val); return;
	default: return;
	}
	b->control.tlb_control = TLB_CONTROL_FLUSH_ALL; /* paging changed under the guest */
}

/* V_TPR has no more than CR8's four bits; a write clears the others even if it does not change these. */
static void svm_set_tpr(struct vcpu *v, uint8_t tpr, uint8_t threshold)
{
	struct svm *s = svm_of(v);
	struct vmcb_control *c = &s->vmcb->control;
	bool intercept = threshold || TPR_SUBCLASS(tpr);

	/* Under TCG always: QEMU aborts when a guest writes CR8 while V_IRQ is pending, and with V_INTR_MASKING it raises no #GP
	 * for reserved bits (7.2 and 10.0). */
	intercept = intercept || s->caps.tcg;
	c->int_ctl = (c->int_ctl & ~INT_CTL_V_TPR_MASK) | TPR_CLASS(tpr);
	if (intercept)
		c->intercept_cr |= INTERCEPT_CR_WRITE(8);
	else
		c->intercept_cr &= ~INTERCEPT_CR_WRITE(8);
}

static uint8_t svm_get_cr8(const struct vcpu *v)
{
	return (uint8_t)INT_CTL_V_TPR(svm_of(v)->vmcb->control.int_ctl);
}

static int svm_map(struct vcpu *v, gpa_t gpa, hpa_t hpa)
{
	return nested_map(&svm_of(v)->nested, gpa, hpa);
}

static void svm_unmap(struct vcpu *v, gpa_t gpa)
{
	struct svm *s = svm_of(v);

	nested_unmap(&s->nested, gpa);
	s->vmcb->control.tlb_control = TLB_CONTROL_FLUSH_ALL;
}

static uint64_t svm_halt(struct vcpu *v, uint64_t deadline)
{
	struct svm *s = svm_of(v);

	host_halt_until(s->host, deadline);
	return host_now(s->host);
}

static uint64_t svm_now(const struct vcpu *v)
{
	return host_now(svm_of(v)->host);
}

static uint64_t svm_guest_tsc(const struct vcpu *v)
{
	return rdtsc() + svm_of(v)->vmcb->control.tsc_offset;
}

static void svm_cpuid(const struct vcpu *v, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
	struct cpuid_regs r = cpuid(leaf, sub);

	(void)v;
	out[0] = r.eax;
	out[1] = r.ebx;
	out[2] = r.ecx;
	out[3] = r.edx;
}

static void svm_write_msr(struct vcpu *v, uint32_t msr, uint64_t val)
{
	(void)v; /* VMLOAD has put the guest's into the CPU */
	wrmsr(msr, val);
}

const struct hvm_ops svm_ops = {
	.name = "svm",
	.enter = svm_enter,
	.intr_allowed = svm_intr_allowed,
	.nmi_allowed = svm_nmi_allowed,
	.shadow = svm_shadow,
	.if_flag = svm_if_flag,
	.inject = svm_inject,
	.intr_window = svm_intr_window,
	.nmi_window = svm_nmi_window,
	.skip = svm_skip,
	.get = svm_get,
	.set = svm_set,
	.segment = svm_segment,
	.set_segment = svm_set_segment,
	.set_tpr = svm_set_tpr,
	.get_cr8 = svm_get_cr8,
	.map = svm_map,
	.unmap = svm_unmap,
	.halt = svm_halt,
	.now = svm_now,
	.guest_tsc = svm_guest_tsc,
	.cpuid = svm_cpuid,
	.write_msr = svm_write_msr,
};
