/* SPDX-License-Identifier: BSD-2-Clause
 * The PC around the vCPU: which device answers which port and address, and which wire goes where.
 * Knows nothing of vCPUs; what it cannot do itself it leaves in `events`. */
#pragma once

#include "dev/ioapic.h"
#include "dev/lab.h"
#include "dev/pic.h"
#include "dev/pit.h"
#include "dev/rst.h"
#include "dev/rtc.h"
#include "dev/testdev.h"
#include "dev/uart.h"
#include "trace.h"

#define IRQ_PIT 0
/* As in the default configurations of the MultiProcessor Specification; all other ISA lines keep their number. */
#define IOAPIC_PIN_PIT 2

/* What an access asks of the machine's owner. The owner clears what it has done. */
struct machine_events {
	uint32_t nmis;
	bool exited;
	uint8_t exit_status;
	bool reset;
	uint16_t reset_port;    /* the one that asked for it */
	bool unmap;
	uint64_t unmap_gpa;
	bool counter;           /* lab_counter wanted: the answer goes to lab.counter */
	uint8_t counter_index;
	bool scenario;
	uint32_t scenario_gpa;  /* 0: it ended */
};

struct machine {
	struct pic pic;
	struct pit pit;
	struct ioapic ioapic;
	struct uart uart;
	struct rtc rtc;
	struct lab lab;
	struct rst rst;
	struct testdev testdev; /* the owner switches it on */
	uint32_t device_lines;  /* levels driven by PIT, UART and RTC */
	uint32_t lines;         /* the wires: device_lines ORed with the lab's and the test device's */
	bool nmi_held;          /* one came while RTC_NMI_OFF was set */
	uint64_t pit_edge;      /* time of the advance that saw counter 0 rise */
	uint8_t bochs_matched;  /* bytes of "Shutdown" seen so far */
	struct machine_events events;
	struct trace *trace;
};

void machine_init(struct machine *m, uint64_t now, uint64_t unix_seconds, struct trace *trace);
/* Moves every device to `now`. Periods of counter 0 that were missed give one edge, as on a PC, whose 8259 holds one
 * request per line. A pulse of counter 0 that began and ended between two advances stays high until the next one:
 * a CPU that was open for interrupts would have seen it. */
void machine_advance(struct machine *m, uint64_t now);
/* When a device will act by itself next. */
uint64_t machine_deadline(const struct machine *m);
/* One port access of 1, 2 or 4 bytes. The lab device takes its own widths. All other devices are eight bits wide: a
 * wide access is split into bytes at ascending ports, low byte first, as an ISA bridge does. Unclaimed ports read
 * all ones. Advances to `now` first. */
void machine_pio(struct machine *m, uint16_t port, unsigned size, bool out, uint32_t *data, uint64_t now);
/* One access to memory that is not RAM: the I/O APIC, which takes aligned 32-bit writes. Elsewhere reads are all ones. */
void machine_mmio(struct machine *m, uint64_t gpa, uint8_t *data, uint32_t len, bool write, uint64_t now);
/* One INTA cycle, with what the lab device wants to happen right before and after it. */
struct pic_ack machine_inta(struct machine *m, uint64_t now);
/* Could an NMI still come without the CPU doing anything? */
bool machine_nmi_possible(const struct machine *m);
