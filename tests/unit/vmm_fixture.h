/* SPDX-License-Identifier: BSD-2-Clause
 * A vCPU whose exits are a script and which logs what it is told, with a user half that drives it.
 * Knows nothing of real vCPUs and of what the tests expect. */
#pragma once

#include "vmm/vmm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "x86.h"

#define RAM_SIZE 0x4000u
#define MAX_STEPS 64
#define LOG_SIZE 2048
#define ICW1 (ICW1_INIT | ICW1_IC4)
#define MS NSEC_PER_MSEC
#define US NSEC_PER_USEC
#define APIC_PAGE APIC_DEFAULT_PHYS
#define SCENARIO_AT 0x100u

/* One return from run(). */
struct step {
	enum vcpu_exit_reason reason;
	uint8_t ready, if_flag, pending;
	uint8_t size, in;
	uint16_t port;
	uint32_t data;      /* out; mmio write; msr write; eoi vector; livelock: the vector */
	uint64_t gpa;       /* mmio */
	uint32_t len;
	bool write;
	uint32_t msr;
	uint64_t takes;     /* ns that pass in the guest */
	bool until_deadline; /* or: as long as it may */
	uint64_t tsc_jump;  /* by what the guest has written */
	uint8_t cr8;        /* user mode, when set_cr8 */
	bool set_cr8;
	uint64_t apic_base; /* user mode, when not 0 */
};

struct fake {
	struct vcpu_run run;
	struct vcpu_dump dump;
	struct vcpu_stats stats;
	struct tsc_clock tsc;
	uint32_t lvt0;       /* split mode */
	bool event;          /* has_event() */
	struct step steps[MAX_STEPS];
	unsigned count, at;
	uint64_t now;
	uint64_t deadlines[MAX_STEPS + 1];
	uint64_t runs;
	int refuse;          /* interrupts to refuse */
	bool endless;        /* the last step again and again */
	uint8_t last_in[8];
	uint32_t in_data;
	uint64_t msr_data;
	uint8_t msr_error;
	char log[LOG_SIZE];
	struct vmm vmm;
	uint8_t ram[RAM_SIZE];
};

static inline void note(struct fake *f, const char *format, ...) __attribute__((format(printf, 2, 3)));
static inline void note(struct fake *f, const char *format, ...)
{
	size_t len = strlen(f->log);
	va_list ap;

	va_start(ap, format);
	vsnprintf(f->log + len, sizeof(f->log) - len, format, ap);
	va_end(ap);
}

static inline void take_answers(struct fake *f)
{
	f->in_data = f->run.io.data;
	f->msr_data = f->run.msr.data;
	f->msr_error = f->run.msr.error;
	memcpy(f->last_in, f->run.mmio.data, sizeof(f->last_in));
}

static inline void fill_exit(struct fake *f, const struct step *s)
{
	static const struct check failed = { .file = "hv/core/x.c", .text = "a < b", .line = 42 };
	struct vcpu_run *run = &f->run;

	run->exit_reason = s->reason;
	switch (s->reason) {
	case VCPU_EXIT_IO:
		run->io.direction = s->in ? VCPU_IO_IN : VCPU_IO_OUT;
		run->io.port = s->port;
		run->io.size = s->size;
		run->io.data = s->data;
		break;
	case VCPU_EXIT_MMIO:
		run->mmio.phys_addr = s->gpa;
		run->mmio.len = s->len;
		run->mmio.is_write = s->write;
		memset(run->mmio.data, 0, sizeof(run->mmio.data));
		memcpy(run->mmio.data, &s->data, sizeof(s->data));
		break;
	case VCPU_EXIT_RDMSR:
	case VCPU_EXIT_WRMSR:
		run->msr.index = s->msr;
		run->msr.data = s->data;
		run->msr.error = 0x5a;
		break;
	case VCPU_EXIT_IOAPIC_EOI:
		run->eoi.vector = (uint8_t)s->data;
		break;
	case VCPU_EXIT_LIVELOCK:
		run->livelock.window_exits = 10000;
		run->livelock.rip = 0x1234;
		run->livelock.lapic_vector = run->livelock.rvi = (int32_t)s->data;
		break;
	case VCPU_EXIT_INTERNAL_ERROR:
		run->internal.suberror = s->data;
		run->internal.check = &failed;
		run->internal.data[0] = 0xabc;
		run->internal.data[1] = 0xdef;
		run->internal.insn_size = 3;
		memcpy(run->internal.insn_bytes, "\x0f\xae\x05", 3);
		break;
	case VCPU_EXIT_FAIL_ENTRY:
		run->fail_entry.hardware_entry_failure_reason = 0x80000021;
		break;
	default:
		break;
	}
}

/* Out of script: a triple fault, so that no test runs for ever. */
static inline void fake_run(void *h)
{
	static const struct step last = { .reason = VCPU_EXIT_SHUTDOWN };
	struct fake *f = h;
	const struct step *s = f->at < f->count ? &f->steps[f->at] : &last;

	if (f->at)
		take_answers(f);
	if (f->at < ARRAY_SIZE(f->deadlines))
		f->deadlines[f->at] = f->run.deadline;
	if (!f->endless || f->at + 1 < f->count)
		f->at++;
	if (!f->endless)
		note(f, "run%s%s|", f->run.request_interrupt_window ? " W" : "", f->run.immediate_exit ? " at once" : "");
	f->runs++;
	f->now += s->takes;
	f->tsc.tsc0 += s->tsc_jump;
	if (s->until_deadline)
		f->now = f->run.deadline;
	f->run.ready_for_interrupt_injection = s->ready;
	f->run.if_flag = s->if_flag;
	f->run.operation_pending = s->pending;
	if (s->set_cr8)
		f->run.cr8 = s->cr8;
	if (s->apic_base)
		f->run.apic_base = s->apic_base;
	fill_exit(f, s);
}

static inline int fake_interrupt(void *h, uint32_t vector)
{
	struct fake *f = h;

	note(f, "intr %x|", vector);
	if (!f->refuse)
		return 0;
	f->refuse--;
	return E_EXIST;
}

static inline void fake_nmi(void *h)
{
	struct fake *f = h;

	note(f, "nmi|");
	f->event = f->event || !f->dump.nmi_masked;
}

static inline bool fake_has_event(void *h)
{
	return ((struct fake *)h)->event;
}

static inline void fake_get_tsc(void *h, struct tsc_clock *out)
{
	*out = ((struct fake *)h)->tsc;
}

static inline uint32_t fake_get_lapic(void *h, uint32_t reg)
{
	assert_int_equal(reg, APIC_LVT_LINT0);
	return ((struct fake *)h)->lvt0;
}

static inline int fake_signal_msi(void *h, const struct apic_msg *msg)
{
	note(h, "msi %x|", msg->vector);
	return 0;
}

static inline void fake_set_eoi_exits(void *h, const uint64_t bitmap[4])
{
	note(h, "eoi %llx|", (unsigned long long)bitmap[0]);
}

static inline void fake_unmap(void *h, gpa_t gpa, uint64_t len)
{
	note(h, "unmap %llx %llx|", (unsigned long long)gpa.v, (unsigned long long)len);
}

static inline uint64_t fake_now(void *h)
{
	return ((struct fake *)h)->now;
}

static inline void fake_stats(void *h, struct vcpu_stats *out)
{
	*out = ((struct fake *)h)->stats;
}

static inline void fake_dump(void *h, struct vcpu_dump *out)
{
	*out = ((struct fake *)h)->dump;
}

static inline void fake_wait(void *h, uint64_t deadline)
{
	struct fake *f = h;

	assert_true(deadline != TIME_NEVER);
	note(f, "wait|");
	f->now = deadline > f->now ? deadline : f->now;
}

static const struct vcpu_api fake_api = {
	.name = "script",
	.run = fake_run,
	.interrupt = fake_interrupt,
	.nmi = fake_nmi,
	.has_event = fake_has_event,
	.get_tsc = fake_get_tsc,
	.get_lapic = fake_get_lapic,
	.signal_msi = fake_signal_msi,
	.set_eoi_exits = fake_set_eoi_exits,
	.unmap = fake_unmap,
	.now = fake_now,
	.stats = fake_stats,
	.dump = fake_dump,
	.wait = fake_wait,
};

static inline void start_until(struct fake *f, enum irqchip_mode mode, uint64_t deadline)
{
	struct vmm_config cfg = {
		.api = &fake_api,
		.h = f,
		.run = &f->run,
		.mode = mode,
		.deadline = deadline,
		.ram = f->ram,
		.ram_size = RAM_SIZE,
	};

	memset(f, 0, sizeof(*f));
	f->tsc.mult = BIT64(32);
	f->lvt0 = APIC_DM_FIELD(APIC_DM_EXTINT);
	f->now = NSEC_PER_SEC;
	f->run.apic_base = APIC_DEFAULT_PHYS | APIC_BASE_EN | APIC_BASE_BSP;
	f->dump.rip = 0x1000;
	f->dump.stash = -1;
	vmm_init(&f->vmm, &cfg);
	/* The firmware's tick would be the end of many a wait: mode 0 without a count, whose output is low. */
	pit_write(&f->vmm.machine.pit, PIT_CMD, (uint8_t)PIT_CW_RW(PIT_RW_WORD));
	machine_advance(&f->vmm.machine, f->now);
	/* That there are no routes yet is told once; most logs need not repeat it. */
	f->vmm.machine.ioapic.routes_changed = false;
}

static inline void pic_setup(struct fake *f, uint8_t icw4)
{
	struct pic *p = &f->vmm.machine.pic;

	pic_write(p, PIC_MASTER_CMD, ICW1);
	pic_write(p, PIC_MASTER_DATA, 0x20);
	pic_write(p, PIC_MASTER_DATA, BIT(PIC_CASCADE));
	pic_write(p, PIC_MASTER_DATA, ICW4_UPM | icw4);
	pic_write(p, PIC_SLAVE_CMD, ICW1);
	pic_write(p, PIC_SLAVE_DATA, 0x28);
	pic_write(p, PIC_SLAVE_DATA, PIC_CASCADE);
	pic_write(p, PIC_SLAVE_DATA, ICW4_UPM);
}

static inline void start(struct fake *f, enum irqchip_mode mode)
{
	start_until(f, mode, TIME_NEVER);
	pic_setup(f, 0);
}

static inline struct step *add(struct fake *f, enum vcpu_exit_reason reason, bool ready)
{
	struct step *s = &f->steps[f->count++];

	assert_true(f->count <= MAX_STEPS);
	*s = (struct step){ .reason = reason, .ready = ready, .if_flag = ready };
	return s;
}

static inline struct step *out(struct fake *f, unsigned size, uint16_t port, uint32_t data, bool ready)
{
	struct step *s = add(f, VCPU_EXIT_IO, ready);

	s->size = (uint8_t)size;
	s->port = port;
	s->data = data;
	return s;
}

static inline struct step *in(struct fake *f, unsigned size, uint16_t port)
{
	struct step *s = out(f, size, port, 0, false);

	s->in = true;
	return s;
}

static inline struct step *mmio_write(struct fake *f, uint64_t gpa, uint32_t val)
{
	struct step *s = add(f, VCPU_EXIT_MMIO, false);

	s->gpa = gpa;
	s->len = sizeof(val);
	s->write = true;
	s->data = val;
	return s;
}

static inline struct step *mmio_read(struct fake *f, uint64_t gpa, uint32_t len)
{
	struct step *s = mmio_write(f, gpa, 0);

	s->write = false;
	s->len = len;
	return s;
}

static inline struct step *raise_line(struct fake *f, unsigned line, bool ready)
{
	return out(f, 2, LAB_UP, BIT(line), ready);
}

static inline void print(struct fake *f, const char *text)
{
	for (; *text; text++)
		out(f, 1, UART_COM1, (uint8_t)*text, false);
}

static inline void drive(struct fake *f)
{
	while (vmm_step(&f->vmm) != VMM_ENDED)
		;
}

#define assert_ended(f, how) assert_int_equal((f)->vmm.end.end, how)
#define assert_log(f, text) assert_string_equal((f)->log, text)
#define assert_message(f, text) assert_string_equal((f)->vmm.end.message, text)

static inline void set_lvt0(struct fake *f, uint32_t val)
{
	lapic_write(&f->vmm.lapic, APIC_SVR, APIC_SVR_ENABLE | 0xff, f->now);
	lapic_write(&f->vmm.lapic, APIC_LVT_LINT0, val, f->now);
}

static inline void route(struct fake *f, unsigned pin, uint32_t low)
{
	mmio_write(f, IOAPIC_DEFAULT_PHYS + IOAPIC_REGSEL, IOAPIC_REG_RTE + 2 * pin);
	mmio_write(f, IOAPIC_DEFAULT_PHYS + IOAPIC_WINDOW, low);
}

static inline void place_scenario(struct fake *f, const char *name, uint32_t ms)
{
	struct lab_scenario s = { .index = 12, .deadline_ms = ms, .expect = "hung" };

	snprintf(s.name, sizeof(s.name), "%s", name);
	memcpy(f->ram + SCENARIO_AT, &s, sizeof(s));
	out(f, 4, LAB_SCENARIO, SCENARIO_AT, false);
}
