/* SPDX-License-Identifier: BSD-2-Clause
 * The machine beneath the hypervisor: taken over from the firmware for one run, with its interrupts and a one-shot
 * timer, and given back as it was.
 * Knows nothing of guests, nor of the firmware's services. */
#include "x86/host.h"

#include <string.h>

#include "status.h"
#include "x86.h"
#include "x86/host_idt.h"

#define PIC_MASTER_DATA 0x21
#define PIC_SLAVE_DATA 0xa1
#define PIC_ALL_MASKED 0xff

#define CPUID_EXT_FEATURES 0x80000001
#define CPUID_EXT_FEATURES_ECX_SVM BIT(2)

#define DIVIDE_BY_1 0xb /* "Divide Configuration Register" */
#define LVT_OF_VERSION(v) (GET_FIELD(23, 16, v) + 1)
#define LVT_TIMER_INDEX 0

#define KHZ_PER_GHZ 1000000ull
#define TIMER_COUNT_MAX UINT32_MAX
#define PROBE_DELAY (100 * NSEC_PER_USEC)
#define PROBE_LIMIT NSEC_PER_SEC
#define DRAIN_ROUNDS 1000

/* "Segment Selectors", "Segment Descriptors", "TSS Descriptor in 64-Bit Mode" */
#define SELECTOR_INDEX MASK(15, 3)
#define DESC_P BIT64(47)
#define DESC_SYSTEM_TYPE (DESC_P | MASK(44, 40)) /* present, S=0 and type */
#define DESC_TSS_AVAILABLE FIELD(43, 40, 9)
#define DESC_TSS_BUSY BIT64(41)

/* "Default MXCSR" and the control word of FNINIT */
#define FXSAVE_FCW 0x37f
#define FXSAVE_MXCSR 0x1f80
struct fx_area {
	uint16_t fcw, fsw;
	uint8_t ftw, reserved;
	uint16_t fop;
	uint64_t fip, fdp;
	uint32_t mxcsr, mxcsr_mask;
	uint8_t registers[480];
};
CHECK_LAYOUT(struct fx_area, mxcsr, 24, "\"FXSAVE Area\"");
_Static_assert(sizeof(struct fx_area) == HOST_FXSAVE_SIZE, "\"FXSAVE Area\" is 512 bytes");

/* In the order in which entries appear with the "Max LVT Entry" of the version register. */
static const uint16_t lvts[HOST_LVTS] = {
	APIC_LVT_TIMER, APIC_LVT_LINT0, APIC_LVT_LINT1, APIC_LVT_ERROR, APIC_LVT_PERFMON, APIC_LVT_THERMAL, APIC_LVT_CMCI,
};

/* EFER comes last: the others are there whatever it says. */
static const uint32_t msrs[HOST_MSRS] = {
	MSR_FS_BASE, MSR_GS_BASE, MSR_KERNEL_GS_BASE, MSR_STAR, MSR_LSTAR, MSR_CSTAR, MSR_SFMASK, MSR_SYSENTER_CS,
	MSR_SYSENTER_ESP, MSR_SYSENTER_EIP, MSR_PAT, MSR_EFER,
};

static void save_tables(struct host_saved *s)
{
	sgdt(&s->gdt);
	sidt(&s->idt);
	s->cs = read_cs();
	s->ds = read_ds();
	s->es = read_es();
	s->fs = read_fs();
	s->gs = read_gs();
	s->ss = read_ss();
	s->ldt = sldt();
	s->tr = str();
}

/* Where TR was null before an earlier run, it holds the selector that this run left behind, which names no TSS here. */
static bool is_tss(const struct host_saved *s, uint16_t offset)
{
	uint64_t desc;

	if (!offset || offset + sizeof(desc) - 1 > s->gdt.limit)
		return false;
	memcpy(&desc, (const void *)(uintptr_t)(s->gdt.base + offset), sizeof(desc));
	return (desc & (DESC_SYSTEM_TYPE & ~DESC_TSS_BUSY)) == (DESC_P | DESC_TSS_AVAILABLE);
}

/* LTR refuses a busy TSS, and the firmware's has been busy since the firmware loaded it. */
static void load_tr(const struct host_saved *s)
{
	uint16_t offset = s->tr & SELECTOR_INDEX;

	if (!is_tss(s, offset))
		return;
	*(uint64_t *)(uintptr_t)(s->gdt.base + offset) &= ~DESC_TSS_BUSY;
	ltr(s->tr);
}

static void restore_tables(const struct host_saved *s)
{
	lgdt(&s->gdt);
	write_cs(s->cs);
	write_ss(s->ss);
	write_ds(s->ds);
	write_es(s->es);
	write_fs(s->fs);
	write_gs(s->gs);
	lldt(s->ldt);
	load_tr(s);
	lidt(&s->idt);
}

static void save_registers(struct host *h)
{
	struct host_saved *s = &h->saved;

	s->cr0 = read_cr0();
	s->cr3 = read_cr3();
	s->cr4 = read_cr4();
	s->dr[0] = read_dr0();
	s->dr[1] = read_dr1();
	s->dr[2] = read_dr2();
	s->dr[3] = read_dr3();
	s->dr6 = read_dr6();
	s->dr7 = read_dr7();
	for (unsigned i = 0; i < HOST_MSRS; i++)
		s->msr[i] = rdmsr(msrs[i]);
	h->has_svm = cpuid(CPUID_EXT_FEATURES, 0).ecx & CPUID_EXT_FEATURES_ECX_SVM;
	if (h->has_svm)
		s->hsave = rdmsr(MSR_VM_HSAVE_PA);
}

/* FS and GS bases are among the MSRs: call after restore_tables(), which clears them. */
static void restore_registers(const struct host *h)
{
	const struct host_saved *s = &h->saved;

	if (h->has_svm)
		wrmsr(MSR_VM_HSAVE_PA, s->hsave);
	for (unsigned i = 0; i < HOST_MSRS; i++)
		if (rdmsr(msrs[i]) != s->msr[i])
			wrmsr(msrs[i], s->msr[i]);
	write_dr0(s->dr[0]);
	write_dr1(s->dr[1]);
	write_dr2(s->dr[2]);
	write_dr3(s->dr[3]);
	write_dr6(s->dr6);
	write_dr7(s->dr7);
	write_cr4(s->cr4);
	write_cr3(s->cr3);
	write_cr0(s->cr0);
}

/* The hypervisor never touches the FPU; each guest finds it as after reset and the firmware finds it as it was. */
static void take_fpu(struct host_saved *s)
{
	write_cr0(read_cr0() & ~(CR0_TS | CR0_EM));
	fxsave(s->fxsave);
}

void host_fresh_guest(void)
{
	struct fx_area clean __attribute__((aligned(16))) = { .fcw = FXSAVE_FCW, .mxcsr = FXSAVE_MXCSR };

	fxrstor(&clean);
	write_dr0(0);
	write_dr1(0);
	write_dr2(0);
	write_dr3(0);
}

static void take_pics(struct host_saved *s)
{
	s->pic_mask[0] = in8(PIC_MASTER_DATA);
	s->pic_mask[1] = in8(PIC_SLAVE_DATA);
	out8(PIC_MASTER_DATA, PIC_ALL_MASKED);
	out8(PIC_SLAVE_DATA, PIC_ALL_MASKED);
}

static void restore_pics(const struct host_saved *s)
{
	out8(PIC_SLAVE_DATA, s->pic_mask[1]);
	out8(PIC_MASTER_DATA, s->pic_mask[0]);
}

static unsigned lvt_count(const struct lapic_hw *l)
{
	return (unsigned)min_u64(LVT_OF_VERSION(lapic_hw_read(l, APIC_VERSION)), HOST_LVTS);
}

static void save_lapic(struct host *h)
{
	const struct lapic_hw *l = &h->lapic;
	struct host_saved *s = &h->saved;

	s->lapic.svr = lapic_hw_read(l, APIC_SVR);
	s->lapic.tpr = lapic_hw_read(l, APIC_TPR);
	s->lapic.divide = lapic_hw_read(l, APIC_TIMER_DIVIDE);
	s->lapic.initial = lapic_hw_read(l, APIC_TIMER_INITIAL);
	s->lapic.current = lapic_hw_read(l, APIC_TIMER_CURRENT);
	for (unsigned i = 0; i < lvt_count(l); i++)
		s->lapic.lvt[i] = lapic_hw_read(l, lvts[i]);
	if (APIC_TIMER_MODE(s->lapic.lvt[LVT_TIMER_INDEX]) == APIC_TIMER_TSC_DEADLINE)
		s->lapic.tsc_deadline = rdmsr(MSR_TSC_DEADLINE);
}

static void take_lapic(struct host *h)
{
	const struct lapic_hw *l = &h->lapic;

	for (unsigned i = 0; i < lvt_count(l); i++)
		lapic_hw_write(l, lvts[i], h->saved.lapic.lvt[i] | APIC_LVT_MASKED);
	lapic_hw_write(l, APIC_TIMER_INITIAL, 0);
	lapic_hw_write(l, APIC_SVR, APIC_SVR_ENABLE | HOST_SPURIOUS_VECTOR);
	lapic_hw_write(l, APIC_TPR, HOST_TPR);
	lapic_hw_write(l, APIC_TIMER_DIVIDE, DIVIDE_BY_1);
	lapic_hw_write(l, APIC_LVT_TIMER, APIC_TIMER_MODE_FIELD(APIC_TIMER_ONESHOT) | HOST_TIMER_VECTOR);
}

/* None of our interrupts may arrive in the firmware's IDT, which knows no such vectors. */
static void drain_lapic(struct host *h)
{
	lapic_hw_write(&h->lapic, APIC_LVT_TIMER, APIC_LVT_MASKED);
	lapic_hw_write(&h->lapic, APIC_TIMER_INITIAL, 0);
	for (unsigned round = 0; round < DRAIN_ROUNDS; round++) {
		host_take_interrupts(h);
		if (!lapic_hw_pending(&h->lapic, HOST_TIMER_VECTOR) && !lapic_hw_pending(&h->lapic, HOST_KICK_VECTOR) &&
		    !lapic_hw_pending(&h->lapic, HOST_POST_VECTOR))
			return;
	}
}

/* A periodic timer starts a period anew; a one-shot timer goes on from where it stood. */
static void restart_timer(const struct host *h)
{
	const struct host_saved *s = &h->saved;

	switch (APIC_TIMER_MODE(s->lapic.lvt[LVT_TIMER_INDEX])) {
	case APIC_TIMER_PERIODIC:
		lapic_hw_write(&h->lapic, APIC_TIMER_INITIAL, s->lapic.initial);
		break;
	case APIC_TIMER_TSC_DEADLINE:
		/* The MSR is ordered after the LVT's memory write only by a fence. */
		mfence();
		wrmsr(MSR_TSC_DEADLINE, s->lapic.tsc_deadline);
		break;
	default:
		lapic_hw_write(&h->lapic, APIC_TIMER_INITIAL, s->lapic.current);
		break;
	}
}

/* SVR last: where the firmware had the APIC disabled, clearing the enable bit masks the LVTs, and writes to them
 * before it still take. */
static void restore_lapic(const struct host *h)
{
	const struct host_saved *s = &h->saved;

	lapic_hw_write(&h->lapic, APIC_TIMER_DIVIDE, s->lapic.divide);
	for (unsigned i = 0; i < lvt_count(&h->lapic); i++)
		lapic_hw_write(&h->lapic, lvts[i], s->lapic.lvt[i]);
	restart_timer(h);
	lapic_hw_write(&h->lapic, APIC_TPR, s->lapic.tpr);
	lapic_hw_write(&h->lapic, APIC_SVR, s->lapic.svr);
}

static void start_clock(struct host *h)
{
	h->mult = (KHZ_PER_GHZ << 32) / h->clock.tsc_khz;
	h->timer_mult = (h->clock.lapic_khz << 32) / KHZ_PER_GHZ;
	h->armed = TIME_NEVER;
	h->tsc0 = rdtsc();
}

/* Without a working timer a guest that spins would never come back, so see one interrupt before anything else. */
static bool timer_works(struct host *h)
{
	host_timer_arm(h, PROBE_DELAY);
	while (!h->seen.timer && host_now(h) < PROBE_LIMIT)
		host_take_interrupts(h);
	return h->seen.timer;
}

int host_takeover(struct host *h)
{
	struct host_clock clock = h->clock;

	memset(h, 0, sizeof(*h));
	h->clock = clock;
	if (!clock.tsc_khz || !clock.lapic_khz)
		return E_INVAL;
	if (lapic_hw_probe(&h->lapic))
		return E_NODEV;
	h->saved.rflags = read_rflags();
	cli();
	save_tables(&h->saved);
	save_registers(h);
	take_fpu(&h->saved);
	write_dr7(DR7_INIT);
	take_pics(&h->saved);
	save_lapic(h);
	host_tables_load(h);
	/* "IA32_DEBUGCTL is cleared" by each VM exit (SDM v3, "Loading Host Control Registers, Debug Registers, MSRs"). */
	h->saved.has_debugctl = !host_rdmsr_safe(MSR_DEBUGCTL, &h->saved.debugctl);
	take_lapic(h);
	start_clock(h);
	if (timer_works(h))
		return 0;
	host_giveback(h);
	return E_NODEV;
}

void host_giveback(struct host *h)
{
	cli();
	drain_lapic(h);
	restore_lapic(h);
	fxrstor(h->saved.fxsave);
	if (h->saved.has_debugctl)
		host_wrmsr_safe(MSR_DEBUGCTL, h->saved.debugctl);
	restore_tables(&h->saved);
	restore_registers(h);
	restore_pics(&h->saved);
	if (h->saved.rflags & RFLAGS_IF)
		sti();
}

uint64_t host_now(const struct host *h)
{
	return (uint64_t)(((unsigned __int128)(rdtsc() - h->tsc0) * h->mult) >> 32);
}

void host_timer_arm(struct host *h, uint64_t deadline)
{
	unsigned __int128 count = 0;
	uint64_t now;

	if (deadline >= h->armed)
		return;
	now = host_now(h);
	if (deadline > now)
		count = ((unsigned __int128)(deadline - now) * h->timer_mult) >> 32;
	/* One more, so that it does not come early; and 0 would stop the timer. */
	count++;
	lapic_hw_write(&h->lapic, APIC_TIMER_INITIAL, count > TIMER_COUNT_MAX ? TIMER_COUNT_MAX : (uint32_t)count);
	h->armed = deadline;
}

void host_take_interrupts(struct host *h)
{
	(void)h; /* the handlers find it themselves */
	sti_nop_cli();
}

void host_halt_until(struct host *h, uint64_t deadline)
{
	uint64_t others = h->seen.kick + h->seen.other;

	while (host_now(h) < deadline && h->seen.kick + h->seen.other == others) {
		host_timer_arm(h, deadline);
		sti_hlt_cli();
	}
}

/* The local APIC sends it to itself like any other message, and IRR shows when it has come. Until then an entry would not end. */
static void send_to_self(struct host *h, uint8_t vector)
{
	lapic_hw_self_ipi(&h->lapic, vector);
	if (!lapic_hw_wait_pending(&h->lapic, vector))
		host_panic("the local APIC does not take vector %#x from itself", vector);
}

void host_self_ipi(struct host *h)
{
	send_to_self(h, HOST_KICK_VECTOR);
}

void host_self_post(struct host *h)
{
	send_to_self(h, HOST_POST_VECTOR);
}

void host_self_nmi(struct host *h)
{
	lapic_hw_self_nmi(&h->lapic);
}
