/* SPDX-License-Identifier: BSD-2-Clause
 * A vCPU of Linux KVM behind the vCPU contract: KVM_RUN and its neighbours.
 * Knows nothing of the user half. */
#define _GNU_SOURCE
#include "tests/kvm/kvcpu.h"

#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "status.h"
#include "tests/kvm/msr.h"
#include "tests/kvm/routes.h"
#include "tests/kvm/tsc.h"
#include "x86.h"

/* So many windows at one place, and nothing delivered, are no progress. */
#define STUCK_WINDOWS 10000

static void trace_at(struct kvcpu *v, enum trace_event e, uint64_t a, uint64_t b)
{
	if (!v->trace)
		return;
	v->trace->now = alarm_now();
	trace_add(v->trace, e, a, b);
}

static uint64_t delivered(const struct kvcpu *v)
{
	return kstats_read(&v->stats, KSTAT_IRQ_INJECTIONS) + kstats_read(&v->stats, KSTAT_NMI_INJECTIONS);
}

/* KVM has no watchdog. A vCPU that makes nothing but window exits comes back at its deadlines, always at the same
 * instruction. */
static bool is_stuck(struct kvcpu *v)
{
	uint64_t windows = kstats_read(&v->stats, KSTAT_IRQ_WINDOW_EXITS);
	uint64_t since = windows - v->stuck.windows;
	struct vcpu_dump d;

	if (v->stuck.known && since < STUCK_WINDOWS)
		return false;
	kvcpu_dump(v, &d);
	if (v->stuck.known && d.rip == v->stuck.rip && delivered(v) == v->stuck.delivered) {
		v->run.livelock.window_exits = since;
		v->run.livelock.rip = d.rip;
		v->run.livelock.lapic_vector = d.lapic_pending;
		v->run.livelock.rvi = -1;
		return true;
	}
	v->stuck.known = true;
	v->stuck.rip = d.rip;
	v->stuck.windows = windows;
	v->stuck.delivered = delivered(v);
	return false;
}

/* KVM, api.rst: the operations of these exits "are complete (and guest state is consistent) only after userspace has
 * re-entered the kernel with KVM_RUN". */
static bool is_operation(enum vcpu_exit_reason reason)
{
	return reason == VCPU_EXIT_IO || reason == VCPU_EXIT_MMIO || reason == VCPU_EXIT_RDMSR || reason == VCPU_EXIT_WRMSR;
}

static void publish(struct kvcpu *v)
{
	v->run.operation_pending = is_operation((enum vcpu_exit_reason)v->run.exit_reason);
	v->run.ready_for_interrupt_injection = v->kr->ready_for_interrupt_injection;
	v->run.if_flag = v->kr->if_flag;
	v->run.cr8 = v->kr->cr8;
	v->run.apic_base = v->apic_base = v->kr->apic_base;
}

/* In user mode IA32_APIC_BASE is the user half's; KVM shows its enable bit in CPUID. */
static void sync_apic_base(struct kvcpu *v)
{
	uint64_t base = v->run.apic_base;

	if (v->vm->mode == IRQCHIP_USER && base != v->apic_base && !msr_set(v->fd, MSR_APIC_BASE, base))
		v->apic_base = base;
}

/* Deadlines come and go; the alarm rings for the earliest that was asked for. One that nobody waits for any more is no
 * reason to return. */
static bool rang_for_nothing(struct kvcpu *v)
{
	alarm_take(&v->alarm);
	return alarm_now() < v->run.deadline;
}

static void enter(struct kvcpu *v)
{
	bool again = true;

	while (again) {
		alarm_arm(&v->alarm, v->run.deadline);
		if (!ioctl(v->fd, KVM_RUN, 0)) {
			kvcpu_take_exit(v);
			v->stuck.known = false;
			again = false;
		} else if (errno == EINTR) {
			again = !v->run.immediate_exit && rang_for_nothing(v);
			v->run.exit_reason = VCPU_EXIT_INTR;
		} else {
			kvcpu_take_error(v, errno);
			again = false;
		}
	}
	publish(v);
	if (v->run.exit_reason == VCPU_EXIT_INTR && !v->run.immediate_exit && is_stuck(v))
		v->run.exit_reason = VCPU_EXIT_LIVELOCK;
}

static void kvcpu_run(void *h)
{
	struct kvcpu *v = h;

	if (kvcpu_complete_exit(v)) {
		/* KVM has not run since it last said so. */
		v->run.ready_for_interrupt_injection = false;
	} else {
		v->kr->request_interrupt_window = v->run.request_interrupt_window;
		v->kr->immediate_exit = v->run.immediate_exit;
		v->kr->cr8 = v->run.cr8;
		sync_apic_base(v);
		enter(v);
	}
	v->user_exits++;
	trace_at(v, TRACE_kvm_userspace_exit, v->run.exit_reason, v->run.ready_for_interrupt_injection);
}

static int kvcpu_interrupt(void *h, uint32_t vector)
{
	struct kvcpu *v = h;
	struct kvm_interrupt irq = { .irq = vector };
	int r = 0;

	if (ioctl(v->fd, KVM_INTERRUPT, &irq))
		r = errno == EEXIST ? E_EXIST : E_INVAL;
	v->extint += !r;
	trace_at(v, TRACE_dm_stash, vector, (uint64_t)(int64_t)r);
	return r;
}

static void kvcpu_nmi(void *h)
{
	struct kvcpu *v = h;

	ioctl(v->fd, KVM_NMI);
}

static bool kvcpu_has_event(void *h)
{
	const struct kvcpu *v = h;
	struct kvm_vcpu_events e;

	if (ioctl(v->fd, KVM_GET_VCPU_EVENTS, &e))
		return false;
	return e.exception.injected || e.exception.pending || e.interrupt.injected || e.nmi.injected ||
	       (e.nmi.pending && !e.nmi.masked);
}

static void kvcpu_get_tsc(void *h, struct tsc_clock *out)
{
	struct kvcpu *v = h;

	tsc_follow_guest(v->fd, &v->tsc);
	*out = v->tsc;
}

static uint32_t kvcpu_get_lapic(void *h, uint32_t reg)
{
	return kvcpu_lapic_reg(h, reg);
}

static int kvcpu_signal_msi(void *h, const struct apic_msg *msg)
{
	struct kvcpu *v = h;

	if (v->vm->mode == IRQCHIP_USER)
		return E_NXIO;
	trace_at(v, TRACE_kvm_msi_set_irq, msg->vector, msg->delivery_mode);
	routes_signal_msi(v->vm->fd, msg);
	return 0;
}

static void kvcpu_set_eoi_exits(void *h, const uint64_t bitmap[4])
{
	struct kvcpu *v = h;

	routes_set_eoi_exits(v->vm->fd, bitmap);
}

static void kvcpu_unmap(void *h, gpa_t gpa, uint64_t len)
{
	struct kvcpu *v = h;

	vm_unmap(v->vm, gpa, len);
}

static uint64_t kvcpu_now(void *h)
{
	(void)h;
	return alarm_now();
}

/* The guest takes a number of exits for the word that everything here is counted. KVM does not count deliveries that were
 * cut short, nor what it injected again: so no exits, and those two are 0. Which of its injections were the local APIC's it
 * does not say either: all that we did not hand over. */
static void kvcpu_stats(void *h, struct vcpu_stats *out)
{
	const struct kvcpu *v = h;
	uint64_t injected = kstats_read(&v->stats, KSTAT_IRQ_INJECTIONS);

	*out = (struct vcpu_stats){
		.user_exits = v->user_exits,
		.window_exits = kstats_read(&v->stats, KSTAT_IRQ_WINDOW_EXITS),
		.preempt_exits = kstats_read(&v->stats, KSTAT_IRQ_EXITS),
		.extint = v->extint,
		.lapic = injected > v->extint ? injected - v->extint : 0,
		.nmi = kstats_read(&v->stats, KSTAT_NMI_INJECTIONS),
		.halts = kstats_read(&v->stats, KSTAT_HALT_EXITS),
	};
}

static void kvcpu_api_dump(void *h, struct vcpu_dump *out)
{
	kvcpu_dump(h, out);
}

static void kvcpu_wait(void *h, uint64_t deadline)
{
	const struct timespec until = { .tv_sec = (time_t)(deadline / NSEC_PER_SEC), .tv_nsec = (long)(deadline % NSEC_PER_SEC) };

	(void)h;
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

const struct vcpu_api kvcpu_api = {
	.name = "kvm",
	.run = kvcpu_run,
	.interrupt = kvcpu_interrupt,
	.nmi = kvcpu_nmi,
	.has_event = kvcpu_has_event,
	.get_tsc = kvcpu_get_tsc,
	.get_lapic = kvcpu_get_lapic,
	.signal_msi = kvcpu_signal_msi,
	.set_eoi_exits = kvcpu_set_eoi_exits,
	.unmap = kvcpu_unmap,
	.now = kvcpu_now,
	.stats = kvcpu_stats,
	.dump = kvcpu_api_dump,
	.wait = kvcpu_wait,
};

/* ---- making and ending one ---- */

static int map_run(struct kvcpu *v)
{
	int size = ioctl(v->vm->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	void *p;

	if (size < 0)
		return -1;
	p = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd, 0);
	if (p == MAP_FAILED)
		return -1;
	v->kr = p;
	v->kr_size = (size_t)size;
	return 0;
}

static int make(struct kvcpu *v, const struct tsc_clock *host, const char **what)
{
	*what = "KVM_CREATE_VCPU";
	v->fd = ioctl(v->vm->fd, KVM_CREATE_VCPU, 0);
	if (v->fd < 0)
		return -1;
	*what = "the vCPU's memory";
	if (map_run(v))
		return -1;
	*what = "KVM_SET_CPUID2";
	if (kvcpu_set_cpuid(v))
		return -1;
	*what = "the guest's TSC";
	if (tsc_of_guest(v->fd, host, &v->tsc))
		return -1;
	*what = "the alarm";
	return alarm_init(&v->alarm, v->fd);
}

int kvcpu_open(struct kvcpu *v, const struct vm *vm, const struct tsc_clock *host, struct trace *trace, struct report *r)
{
	const char *what;

	*v = (struct kvcpu){ .vm = vm, .trace = trace };
	v->run.deadline = TIME_NEVER;
	if (make(v, host, &what)) {
		report_error(r, "/dev/kvm: %s: %s", what, strerror(errno));
		return E_IO;
	}
	kstats_open(&v->stats, v->fd);
	publish(v);
	return 0;
}

void kvcpu_close(struct kvcpu *v)
{
	alarm_fini(&v->alarm);
	kstats_close(&v->stats);
	munmap(v->kr, v->kr_size);
	close(v->fd);
}
