/* SPDX-License-Identifier: BSD-2-Clause
 * The lab device (guest_abi.h): interrupt lines moved by port writes, now, later or at an INTA cycle.
 * Knows nothing of the controllers behind the lines: it says what falls and what rises. */
#pragma once

#include "guest_abi.h"
#include "types.h"

#define LAB_LINES 24 /* ISA lines 0..15, I/O APIC pins 16..23 */
#define LAB_QUEUE 32 /* commands that can wait at once; one more happens at once */

enum lab_command { LAB_CMD_UP, LAB_CMD_DOWN, LAB_CMD_PULSE, LAB_CMD_NMI };

/* A command that waits: for a time, or for a number of INTA cycles. */
struct lab_later {
	uint64_t when;  /* ns; meaningful when intas is 0 */
	uint32_t intas; /* INTA cycles still to come */
	uint32_t lines;
	enum lab_command command;
};

struct lab {
	uint32_t lines;    /* levels driven now */
	uint32_t delay_us; /* of the next command; 0: none */
	uint32_t at_inta;  /* raise commands wait for this many INTA cycles; 0: at once */
	uint32_t drop;     /* lines that fall between the look at INTR and the next INTA */
	uint64_t counter;  /* the snapshot that LAB_COUNTER reads */
	uint32_t waiting;
	struct lab_later later[LAB_QUEUE]; /* in the order they were written */
};

/* What the machine has to do about a command. */
enum lab_request { LAB_REQ_NONE, LAB_REQ_NMI, LAB_REQ_UNMAP, LAB_REQ_COUNTER, LAB_REQ_SCENARIO };
struct lab_effect {
	uint32_t fall, rise; /* lines that go low first, then lines that go high; `lines` has the result already */
	enum lab_request request;
	uint32_t arg;
};

void lab_reset(struct lab *l);
/* Ports LAB_BASE + 0..LAB_PORTS - 1. A width that the port does not take reads all ones. */
uint32_t lab_read(const struct lab *l, uint16_t port, unsigned size);
/* A width that the port does not take is dropped. A delay and the wait for an INTA do not add up: the delay wins. */
struct lab_effect lab_write(struct lab *l, uint16_t port, unsigned size, uint32_t val, uint64_t now);
/* The next waiting command that is due, earliest first; false when there is none. */
bool lab_due(struct lab *l, uint64_t now, struct lab_effect *out);
/* When the next waiting command is due, TIME_NEVER if none waits for a time. */
uint64_t lab_deadline(const struct lab *l);
/* Between the look at INTR and the INTA cycle: the lines that fall there. */
struct lab_effect lab_before_inta(struct lab *l);
/* An INTA cycle ran: commands that waited for it are due now. */
void lab_after_inta(struct lab *l);
/* Does an NMI wait? */
bool lab_nmi_waits(const struct lab *l);
