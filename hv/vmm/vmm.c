/* SPDX-License-Identifier: BSD-2-Clause
 * The user half: offers interrupts to the vCPU, runs it, serves its exits, and knows when the guest has ended.
 * Knows nothing of how the vCPU is built, of files, and of who prints the lines.
 *
 * Before each run, as QEMU does: NMIs first; then, if the last return said "ready", one INTA cycle and KVM_INTERRUPT, once
 * the operation of the last exit is complete (QEMU does not wait for that); then the window is requested if there is still
 * something to offer. The acknowledge itself can raise INTR again (automatic EOI, a better request): the window is then
 * requested although the stash is full. That is the contract, and whether the window comes in time is the rule's
 * business. */
#include "vmm/vmm.h"

#include <string.h>

#include "vmm/end.h"
#include "vmm/fmt.h"
#include "vmm/ktap.h"
#include "x86.h"

#define DEST_EVERY 0xff

void vmm_init(struct vmm *v, const struct vmm_config *cfg)
{
	struct vmm_config copy = *cfg; /* it may be the last run's own */

	memset(v, 0, sizeof(*v));
	v->cfg = copy;
	v->kept = v->handed = VMM_NO_VECTOR;
	v->scenario_deadline = TIME_NEVER;
	v->now = copy.api->now(copy.h);
	machine_init(&v->machine, v->now, copy.unix_seconds, copy.trace);
	v->machine.testdev.on = copy.testdev;
	lapic_reset(&v->lapic, 0, true);
	copy.api->get_tsc(copy.h, &v->tsc);
}

static bool is_user(const struct vmm *v)
{
	return v->cfg.mode == IRQCHIP_USER;
}

/* ---- how the guest ends ---- */

static uint64_t vmm_deadline(const struct vmm *v)
{
	return min_u64(v->cfg.deadline, v->scenario_deadline);
}

static void check_deadline(struct vmm *v)
{
	char text[VMM_MESSAGE_SIZE];

	if (v->now >= v->scenario_deadline) {
		fmt(text, sizeof(text), "deadline of %u ms passed", v->scenario.deadline_ms);
		end_with_state(v, RUN_END_DEADLINE, text);
	} else if (v->now >= v->cfg.deadline) {
		end_with_state(v, RUN_END_DEADLINE, "deadline of the run passed");
	}
}

static uint32_t lint0(const struct vmm *v)
{
	return is_user(v) ? v->lapic.lvt[LVT_LINT0] : v->cfg.api->get_lapic(v->cfg.h, APIC_LVT_LINT0);
}

/* LINT0 is wired to the 8259: as an NMI it needs no IF. */
static bool nmi_possible(const struct vmm *v)
{
	uint32_t lvt = lint0(v);

	return machine_nmi_possible(&v->machine) || (!(lvt & APIC_LVT_MASKED) && APIC_DM(lvt) == APIC_DM_NMI);
}

/* HLT in split mode stays in the kernel half. With IF=0 only an NMI gets it out, whatever the devices do. */
static void check_hang(struct vmm *v)
{
	struct vcpu_dump d;

	if (v->cfg.run->if_flag || nmi_possible(v))
		return;
	v->cfg.api->dump(v->cfg.h, &d);
	if (d.halted)
		end_with_state(v, RUN_END_HUNG, "halted, and nothing is left that could wake it");
}

/* ---- interrupts ---- */

static void send_messages(struct vmm *v)
{
	struct ioapic *io = &v->machine.ioapic;
	struct apic_msg msg;
	uint64_t vectors[4];

	/* The exits first: the EOI of the first message must find them. */
	if (io->routes_changed && !is_user(v)) {
		ioapic_eoi_vectors(io, vectors);
		v->cfg.api->set_eoi_exits(v->cfg.h, vectors);
	}
	io->routes_changed = false;
	while (ioapic_next_msg(io, &msg)) {
		if (is_user(v))
			lapic_deliver(&v->lapic, &msg);
		else
			v->cfg.api->signal_msi(v->cfg.h, &msg);
	}
}

/* SDM v3, "Local Vector Table", Delivery Mode: Fixed "delivers the interrupt specified in the vector field", NMI "delivers an NMI
 * interrupt to the processor", and neither asks the 8259 for a vector. ExtINT is the kernel half's to judge, by "ready". In split
 * mode LVT0 is asked for when the wire rises, and only then: to look at it may be a system call. */
static void raise_lint0(struct vmm *v)
{
	uint32_t lvt = lint0(v);
	const struct apic_msg msg = { .dest = DEST_EVERY, .vector = APIC_VECTOR(lvt), .delivery_mode = APIC_DM_FIXED };

	if ((lvt & APIC_LVT_MASKED) || !(v->cfg.run->apic_base & APIC_BASE_EN))
		return;
	if (APIC_DM(lvt) == APIC_DM_NMI)
		v->machine.events.nmis++;
	else if (APIC_DM(lvt) == APIC_DM_FIXED)
		v->cfg.api->signal_msi(v->cfg.h, &msg);
}

static void drive_lint0(struct vmm *v)
{
	bool high = pic_intr(&v->machine.pic);

	if (is_user(v))
		lapic_set_lint0(&v->lapic, high);
	else if (high && !v->intr)
		raise_lint0(v);
	v->intr = high;
}

/* What the wires between 8259, I/O APIC and local APIC carry. */
static void settle(struct vmm *v)
{
	int eoi;

	send_messages(v);
	while (is_user(v) && (eoi = lapic_take_eoi(&v->lapic)) >= 0) {
		ioapic_eoi(&v->machine.ioapic, (uint8_t)eoi);
		send_messages(v);
	}
	drive_lint0(v);
}

static void advance(struct vmm *v)
{
	if (v->cfg.trace)
		v->cfg.trace->now = v->now;
	machine_advance(&v->machine, v->now);
	if (is_user(v))
		lapic_advance(&v->lapic, v->now);
	settle(v);
}

static void offer_nmi(struct vmm *v)
{
	struct machine_events *e = &v->machine.events;

	if (is_user(v) && lapic_take_nmi(&v->lapic))
		e->nmis++;
	for (; e->nmis; e->nmis--) {
		v->cfg.api->nmi(v->cfg.h);
		v->halted = v->halted && !v->cfg.api->has_event(v->cfg.h); /* not if it blocks NMIs */
	}
}

/* In split mode LVT0 is not looked at: the kernel half's "ready" has done that. */
static bool extint_waits(const struct vmm *v)
{
	if (v->kept != VMM_NO_VECTOR)
		return true;
	return pic_intr(&v->machine.pic) && (!is_user(v) || lapic_accepts_extint(&v->lapic));
}

static bool interrupt_waits(const struct vmm *v)
{
	return extint_waits(v) || (is_user(v) && lapic_pending(&v->lapic) >= 0);
}

static int acknowledge(struct vmm *v)
{
	struct pic_ack ack;

	if (v->kept != VMM_NO_VECTOR)
		return v->kept;
	ack = machine_inta(&v->machine, v->now);
	v->intas++;
	v->spurious += ack.spurious;
	return ack.vector;
}

static void offer_extint(struct vmm *v)
{
	int vector = acknowledge(v);

	/* A refusal breaks the vCPU's word. The 8259 has been told that the interrupt is in service, so the vector must
	 * not get lost: it is offered again. */
	if (v->cfg.api->interrupt(v->cfg.h, (uint32_t)vector)) {
		v->kept = vector;
		v->refused++;
	} else {
		v->kept = VMM_NO_VECTOR;
		v->handed = vector;
	}
}

static void offer_lapic(struct vmm *v)
{
	int vector = lapic_pending(&v->lapic);

	v->cfg.api->interrupt(v->cfg.h, (uint32_t)vector);
	v->handed = vector;
	lapic_accept(&v->lapic, (uint8_t)vector);
}

static bool can_offer(const struct vmm *v)
{
	return v->ready && interrupt_waits(v) && (!is_user(v) || v->cfg.run->if_flag);
}

/* "ready" is good for one vector. */
static void offer_interrupt(struct vmm *v)
{
	v->ready = false;
	if (extint_waits(v))
		offer_extint(v);
	else
		offer_lapic(v);
	settle(v);
}

/* ---- one run ---- */

static uint64_t next_deadline(const struct vmm *v)
{
	uint64_t t = min_u64(machine_deadline(&v->machine), vmm_deadline(v));

	if (!is_user(v))
		return min_u64(t, v->now + VMM_HANG_POLL);
	t = min_u64(t, lapic_deadline(&v->lapic));
	return v->lapic.tsc_deadline ? min_u64(t, v->now + VMM_TSC_POLL) : t;
}

/* User mode, halted: can it run again? Waits a while if not; ends the run if it never will. */
static bool wake(struct vmm *v)
{
	bool irq_on = v->cfg.run->if_flag;
	uint64_t device = min_u64(machine_deadline(&v->machine), lapic_deadline(&v->lapic));

	if (irq_on && interrupt_waits(v)) {
		v->halted = false;
		return true;
	}
	if (device == TIME_NEVER || (!irq_on && !nmi_possible(v))) {
		end_with_state(v, RUN_END_HUNG, "halted, and nothing is left that could wake it");
		return false;
	}
	v->cfg.api->wait(v->cfg.h, min_u64(device, vmm_deadline(v)));
	v->now = v->cfg.api->now(v->cfg.h);
	return false;
}

/* Everything that precedes a run. False: do not run now. */
static bool prepare(struct vmm *v)
{
	struct vcpu_run *run = v->cfg.run;

	check_deadline(v);
	if (v->ended)
		return false;
	advance(v);
	offer_nmi(v);
	if (v->halted && !wake(v))
		return false;
	/* "ready" is good for the boundary behind an operation only once it is complete: an instruction that is being
	 * single-stepped owes its #DB then, and nothing may be accepted. */
	run->immediate_exit = can_offer(v) && run->operation_pending;
	if (can_offer(v) && !run->immediate_exit)
		offer_interrupt(v);
	run->request_interrupt_window = interrupt_waits(v);
	run->deadline = next_deadline(v);
	if (is_user(v)) {
		run->cr8 = lapic_cr8(&v->lapic);
		run->apic_base = v->lapic.base;
	}
	return true;
}

/* The guest writes its TSC without a word to us. What is armed for a TSC comes at another time then: SDM v3, "TSC-Deadline
 * Mode": "a timer interrupt occurs when the value of the TSC is greater than or equal to the deadline". */
static void follow_tsc(struct vmm *v)
{
	const uint64_t was = v->tsc.tsc0;

	v->cfg.api->get_tsc(v->cfg.h, &v->tsc);
	if (v->tsc.tsc0 != was && v->lapic.tsc_deadline)
		lapic_write_msr(&v->lapic, MSR_TSC_DEADLINE, v->lapic.tsc_deadline, v->now, &v->tsc);
}

/* What the run has changed by itself. */
static void take_results(struct vmm *v)
{
	const struct vcpu_run *run = v->cfg.run;

	v->now = v->cfg.api->now(v->cfg.h);
	v->ready = run->ready_for_interrupt_injection;
	if (v->ready)
		v->handed = VMM_NO_VECTOR;
	if (!is_user(v))
		return;
	if (v->lapic.tsc_deadline || run->exit_reason == VCPU_EXIT_WRMSR)
		follow_tsc(v);
	/* Only a change: TPR has bits that CR8 has not. */
	if (run->cr8 != lapic_cr8(&v->lapic))
		lapic_set_cr8(&v->lapic, (uint8_t)run->cr8);
	if (run->apic_base != v->lapic.base)
		lapic_write_msr(&v->lapic, MSR_APIC_BASE, run->apic_base, v->now, &v->tsc);
}

/* ---- exits ---- */

static uint64_t counter(struct vmm *v, unsigned index)
{
	union {
		struct vcpu_stats stats;
		uint64_t value[sizeof(struct vcpu_stats) / sizeof(uint64_t)];
	} vcpu;

	_Static_assert(ARRAY_SIZE(vcpu.value) == LAB_POSTED + 1, "guest_abi.h: the vCPU's counters come first");
	v->cfg.api->stats(v->cfg.h, &vcpu.stats);
	if (index < ARRAY_SIZE(vcpu.value))
		return vcpu.value[index];
	switch (index) {
	case LAB_INTAS:
		return v->intas;
	case LAB_WINDOWS:
		return v->windows;
	case LAB_REFUSED:
		return v->refused;
	case LAB_SPURIOUS:
		return v->spurious;
	default:
		return UINT64_MAX;
	}
}

static void begin_scenario(struct vmm *v, uint64_t gpa)
{
	struct lab_scenario *s = &v->scenario;

	v->in_scenario = false;
	v->scenario_deadline = TIME_NEVER;
	if (!gpa || gpa >= v->cfg.ram_size || sizeof(*s) > v->cfg.ram_size - gpa)
		return;
	memcpy(s, v->cfg.ram + gpa, sizeof(*s));
	ktap_clean(s->name, sizeof(s->name));
	ktap_clean(s->expect, sizeof(s->expect));
	v->in_scenario = true;
	if (s->deadline_ms)
		v->scenario_deadline = v->now + s->deadline_ms * NSEC_PER_MSEC;
}

static void take_events(struct vmm *v)
{
	struct machine_events *e = &v->machine.events;

	if (e->unmap && e->unmap_gpa < v->cfg.ram_size)
		v->cfg.api->unmap(v->cfg.h, GPA(e->unmap_gpa), PAGE_SIZE);
	if (e->counter)
		v->machine.lab.counter = counter(v, e->counter_index);
	if (e->scenario)
		begin_scenario(v, e->scenario_gpa);
	if (e->exited)
		end_exit(v, e->exit_status);
	else if (e->reset)
		end_reset(v, e->reset_port);
	/* NMIs stay until the next run is prepared. */
	*e = (struct machine_events){ .nmis = e->nmis };
}

static void serve_io(struct vmm *v)
{
	struct vcpu_run *run = v->cfg.run;
	uint32_t data = run->io.data;
	uint8_t size = run->io.size;

	if (!CHECK(v, size == sizeof(uint8_t) || size == sizeof(uint16_t) || size == sizeof(uint32_t)))
		return;
	machine_pio(&v->machine, run->io.port, size, run->io.direction == VCPU_IO_OUT, &data, v->now);
	if (run->io.direction == VCPU_IO_IN)
		run->io.data = data;
	take_events(v);
}

static bool in_apic_page(const struct vmm *v, uint64_t gpa)
{
	uint64_t base = v->lapic.base;

	return is_user(v) && (base & APIC_BASE_EN) && !(base & APIC_BASE_EXTD) && (gpa & ~PAGE_MASK) == (base & APIC_BASE_ADDR);
}

/* "All 32-bit registers should be accessed using 128-bit aligned 32-bit loads or stores" (SDM v3, "The Local APIC Block
 * Diagram"): narrower reads get their part, everything else all ones or nothing. */
static void serve_apic_page(struct vmm *v, uint32_t offset)
{
	struct vcpu_run *run = v->cfg.run;
	uint32_t within = offset % sizeof(uint32_t);
	uint32_t val;

	if (!run->mmio.is_write) {
		memset(run->mmio.data, UINT8_MAX, sizeof(run->mmio.data));
		val = lapic_read(&v->lapic, offset - within, v->now);
		if (within + run->mmio.len <= sizeof(val))
			memcpy(run->mmio.data, (uint8_t *)&val + within, run->mmio.len);
	} else if (!within && run->mmio.len == sizeof(val)) {
		memcpy(&val, run->mmio.data, sizeof(val));
		lapic_write(&v->lapic, offset, val, v->now);
	}
}

static void serve_mmio(struct vmm *v)
{
	struct vcpu_run *run = v->cfg.run;

	if (!CHECK(v, run->mmio.len && run->mmio.len <= sizeof(run->mmio.data)))
		return;
	if (in_apic_page(v, run->mmio.phys_addr))
		serve_apic_page(v, (uint32_t)(run->mmio.phys_addr & PAGE_MASK));
	else
		machine_mmio(&v->machine, run->mmio.phys_addr, run->mmio.data, run->mmio.len, run->mmio.is_write, v->now);
}

static void serve_msr(struct vmm *v, bool write)
{
	struct vcpu_run *run = v->cfg.run;
	uint32_t msr = run->msr.index;
	int r = E_INVAL;

	if (is_user(v)) {
		r = write ? lapic_write_msr(&v->lapic, msr, run->msr.data, v->now, &v->tsc) :
			    lapic_read_msr(&v->lapic, msr, &run->msr.data, v->now);
	}
	run->msr.error = r != 0;
}

/* SDM v2, "HLT": "An enabled interrupt (including NMI and SMI), a debug exception, the BINIT# signal, the INIT# signal, or the
 * RESET# signal will resume execution." Those that the CPU has already are not ours to see. */
static void serve_hlt(struct vmm *v)
{
	if (is_user(v))
		v->halted = !v->cfg.api->has_event(v->cfg.h);
	else
		end_with_state(v, RUN_END_CRASH, "HLT came out of the kernel half in split mode");
}

static void serve(struct vmm *v)
{
	switch ((enum vcpu_exit_reason)v->cfg.run->exit_reason) {
	case VCPU_EXIT_IO:
		serve_io(v);
		return;
	case VCPU_EXIT_MMIO:
		serve_mmio(v);
		return;
	case VCPU_EXIT_RDMSR:
		serve_msr(v, false);
		return;
	case VCPU_EXIT_WRMSR:
		serve_msr(v, true);
		return;
	case VCPU_EXIT_IRQ_WINDOW_OPEN:
		v->windows++;
		return;
	case VCPU_EXIT_HLT:
		serve_hlt(v);
		return;
	case VCPU_EXIT_IOAPIC_EOI:
		ioapic_eoi(&v->machine.ioapic, v->cfg.run->eoi.vector);
		return;
	case VCPU_EXIT_INTR:
		check_hang(v);
		return;
	case VCPU_EXIT_SET_TPR: /* take_results() has it */
		return;
	case VCPU_EXIT_SHUTDOWN:
		end_shutdown(v);
		return;
	case VCPU_EXIT_FAIL_ENTRY:
		end_fail_entry(v);
		return;
	case VCPU_EXIT_INTERNAL_ERROR:
		end_crash(v);
		return;
	case VCPU_EXIT_LIVELOCK:
		end_livelock(v);
		return;
	case VCPU_EXIT_UNKNOWN:
		break;
	}
	end_with_state(v, RUN_END_CRASH, "exit of a kind that the vCPU contract does not name");
}

/* ---- lines ---- */

/* Moves transmitted bytes into the line until it is complete. */
static bool take_line(struct vmm *v)
{
	char c;

	if (v->line_taken) {
		v->line_taken = false;
		v->line_len = 0;
	}
	while (v->line_len < VMM_LINE_MAX && uart_take(&v->machine.uart, &c, 1)) {
		if (c == '\r')
			continue;
		/* The LF right behind a full line has had its line already. */
		v->line_taken = c == '\n' && !v->line_split;
		v->line_split = false;
		if (v->line_taken)
			break;
		if (c == '\0')
			c = '?';
		if (c != '\n')
			v->line[v->line_len++] = c;
	}
	if (v->line_len == VMM_LINE_MAX)
		v->line_taken = v->line_split = true;
	if (v->ended && v->line_len && !v->line_taken)
		v->line_taken = v->line_cut = true;
	v->line[v->line_len] = '\0';
	return v->line_taken;
}

enum vmm_event vmm_step(struct vmm *v)
{
	v->now = v->cfg.api->now(v->cfg.h);
	for (;;) {
		if (take_line(v))
			return VMM_LINE;
		if (v->ended)
			return VMM_ENDED;
		if (!prepare(v))
			continue;
		v->cfg.api->run(v->cfg.h);
		take_results(v);
		serve(v);
		if (v->check.line)
			end_check(v, &v->check);
	}
}
