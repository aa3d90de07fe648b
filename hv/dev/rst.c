/* SPDX-License-Identifier: BSD-2-Clause
 * The ways in which software resets a PC: keyboard controller, system control port A, reset control register.
 * Knows nothing of keyboards, nor of what a reset does.
 *
 * The keyboard controller is one that nothing is connected to: it takes each command at once, so that its input buffer is
 * always empty, and answers none. */
#include "dev/rst.h"

#define FLOATING_BUS 0xff
#define PULSE_COMMANDS 0xf0

void rst_init(struct rst *r)
{
	*r = (struct rst){ .port92 = PORT92_A20 };
}

uint8_t rst_read(const struct rst *r, uint16_t port)
{
	switch (port) {
	case KBC_COMMAND:
		return KBC_STATUS_UNLOCKED | KBC_STATUS_SYS;
	case PORT92:
		return r->port92;
	case RESET_CONTROL:
		return r->control;
	default:
		return FLOATING_BUS;
	}
}

/* 8042: the commands F0 to FF pulse those bits of the output port low whose bit in the command is 0; bit 0 of the port is the
 * system's reset, active low. */
static bool kbc_command(struct rst *r, uint8_t val)
{
	r->output_port = val == KBC_WRITE_OUTPUT_PORT;
	return (val & PULSE_COMMANDS) == KBC_PULSE && !(val & KBC_OUTPUT_RESET);
}

static bool kbc_data(struct rst *r, uint8_t val)
{
	bool to_output_port = r->output_port;

	r->output_port = false;
	return to_output_port && !(val & KBC_OUTPUT_RESET);
}

/* Of the two registers' reset bits only the rise counts: a bit that is left high resets nothing again. */
static bool rises(uint8_t *reg, uint8_t val, uint8_t bit)
{
	bool up = val & ~*reg & bit;

	*reg = val;
	return up;
}

bool rst_write(struct rst *r, uint16_t port, uint8_t val)
{
	switch (port) {
	case KBC_COMMAND:
		return kbc_command(r, val);
	case KBC_DATA:
		return kbc_data(r, val);
	case PORT92:
		return rises(&r->port92, val & (PORT92_RESET | PORT92_A20), PORT92_RESET);
	case RESET_CONTROL:
		return rises(&r->control, val & (RESET_CONTROL_RCPU | RESET_CONTROL_SRST), RESET_CONTROL_RCPU);
	default:
		return false;
	}
}
