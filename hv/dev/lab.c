/* SPDX-License-Identifier: BSD-2-Clause
 * The lab device: interrupt lines moved by port writes, now, later or at an INTA cycle.
 * Knows nothing of the controllers behind the lines: it says what falls and what rises. */
#include "dev/lab.h"

#include "bits.h"

#define ALL_ONES UINT32_MAX
#define ISA_LINES MASK(15, 0)
#define FIRST_IOAPIC_PIN 16

void lab_reset(struct lab *l)
{
	*l = (struct lab){ 0 };
}

uint32_t lab_read(const struct lab *l, uint16_t port, unsigned size)
{
	if (size != sizeof(uint32_t))
		return ALL_ONES;
	switch (port) {
	case LAB_MAGIC_PORT:
		return LAB_MAGIC;
	case LAB_COUNTER:
		return (uint32_t)GET_FIELD(31, 0, l->counter);
	case LAB_COUNTER + sizeof(uint32_t):
		return (uint32_t)GET_FIELD(63, 32, l->counter);
	default:
		return ALL_ONES;
	}
}

/* The width that a port takes when written; 0: it is not written. */
static unsigned lab_write_size(uint16_t port)
{
	switch (port) {
	case LAB_NMI:
	case LAB_COUNTER_SELECT:
	case LAB_NOP:
		return sizeof(uint8_t);
	case LAB_UP:
	case LAB_DOWN:
	case LAB_PULSE:
	case LAB_IOAPIC_UP:
	case LAB_IOAPIC_DOWN:
	case LAB_DROP_BEFORE_INTA:
		return sizeof(uint16_t);
	case LAB_DELAY:
	case LAB_UNMAP:
	case LAB_SCENARIO:
	case LAB_AT_INTA:
		return sizeof(uint32_t);
	default:
		return 0;
	}
}

static struct lab_effect lab_move(struct lab *l, uint32_t fall, uint32_t rise)
{
	l->lines = (l->lines & ~fall) | rise;
	return (struct lab_effect){ .fall = fall, .rise = rise };
}

static struct lab_effect lab_do(struct lab *l, enum lab_command command, uint32_t lines)
{
	switch (command) {
	case LAB_CMD_UP:
		return lab_move(l, 0, lines);
	case LAB_CMD_DOWN:
		return lab_move(l, lines, 0);
	case LAB_CMD_PULSE:
		return lab_move(l, lines, lines);
	default:
		return (struct lab_effect){ .request = LAB_REQ_NMI };
	}
}

static bool lab_is_raise(enum lab_command command)
{
	return command == LAB_CMD_UP || command == LAB_CMD_PULSE;
}

/* Now, later or at an INTA, as the writes before it said. */
static struct lab_effect lab_command(struct lab *l, enum lab_command command, uint32_t lines, uint64_t now)
{
	struct lab_later later = { .command = command, .lines = lines };

	if (l->delay_us)
		later.when = now + l->delay_us * NSEC_PER_USEC;
	else if (lab_is_raise(command) && l->at_inta)
		later.intas = l->at_inta;
	else
		return lab_do(l, command, lines);
	l->delay_us = 0;
	if (l->waiting == LAB_QUEUE)
		return lab_do(l, command, lines);
	l->later[l->waiting++] = later;
	return (struct lab_effect){ 0 };
}

/* The I/O APIC's own pins: named by number, not by mask; others are not ours to drive. */
static uint32_t lab_pin(uint32_t pin)
{
	return pin >= FIRST_IOAPIC_PIN && pin < LAB_LINES ? BIT(pin) : 0;
}

struct lab_effect lab_write(struct lab *l, uint16_t port, unsigned size, uint32_t val, uint64_t now)
{
	if (size != lab_write_size(port))
		return (struct lab_effect){ 0 };
	switch (port) {
	case LAB_UP:
		return lab_command(l, LAB_CMD_UP, val & ISA_LINES, now);
	case LAB_DOWN:
		return lab_command(l, LAB_CMD_DOWN, val & ISA_LINES, now);
	case LAB_PULSE:
		return lab_command(l, LAB_CMD_PULSE, val & ISA_LINES, now);
	case LAB_NMI:
		return lab_command(l, LAB_CMD_NMI, 0, now);
	case LAB_IOAPIC_UP:
		return lab_move(l, 0, lab_pin(val));
	case LAB_IOAPIC_DOWN:
		return lab_move(l, lab_pin(val), 0);
	case LAB_DROP_BEFORE_INTA:
		l->drop = val & ISA_LINES;
		break;
	case LAB_DELAY:
		l->delay_us = val;
		break;
	case LAB_AT_INTA:
		l->at_inta = val;
		break;
	case LAB_UNMAP:
		return (struct lab_effect){ .request = LAB_REQ_UNMAP, .arg = val };
	case LAB_COUNTER_SELECT:
		return (struct lab_effect){ .request = LAB_REQ_COUNTER, .arg = val };
	case LAB_SCENARIO:
		return (struct lab_effect){ .request = LAB_REQ_SCENARIO, .arg = val };
	}
	return (struct lab_effect){ 0 };
}

/* Index of the command that is due first; l->waiting if none waits for a time. Equal times keep their order. */
static uint32_t lab_first(const struct lab *l)
{
	uint32_t first = l->waiting;

	for (uint32_t i = 0; i < l->waiting; i++) {
		if (l->later[i].intas)
			continue;
		if (first == l->waiting || l->later[i].when < l->later[first].when)
			first = i;
	}
	return first;
}

uint64_t lab_deadline(const struct lab *l)
{
	uint32_t first = lab_first(l);

	return first == l->waiting ? TIME_NEVER : l->later[first].when;
}

bool lab_due(struct lab *l, uint64_t now, struct lab_effect *out)
{
	uint32_t first = lab_first(l);
	struct lab_later due;

	if (first == l->waiting || l->later[first].when > now)
		return false;
	due = l->later[first];
	for (l->waiting--; first < l->waiting; first++)
		l->later[first] = l->later[first + 1];
	*out = lab_do(l, due.command, due.lines);
	return true;
}

struct lab_effect lab_before_inta(struct lab *l)
{
	uint32_t drop = l->drop;

	l->drop = 0;
	return lab_move(l, drop, 0);
}

void lab_after_inta(struct lab *l)
{
	for (uint32_t i = 0; i < l->waiting; i++) {
		if (l->later[i].intas)
			l->later[i].intas--;
		/* `when` of these is 0: the last cycle makes them due at once. */
	}
}

bool lab_nmi_waits(const struct lab *l)
{
	for (uint32_t i = 0; i < l->waiting; i++) {
		if (l->later[i].command == LAB_CMD_NMI)
			return true;
	}
	return false;
}
