/* SPDX-License-Identifier: BSD-2-Clause
 * The ways in which software resets a PC: keyboard controller, system control port A, reset control register.
 * Knows nothing of keyboards, nor of what a reset does. */
#pragma once

#include "bits.h"
#include "types.h"

#define KBC_DATA 0x60
#define KBC_COMMAND 0x64 /* read: status */
#define PORT92 0x92
#define RESET_CONTROL 0xcf9

#define KBC_STATUS_OBF BIT(0)
#define KBC_STATUS_IBF BIT(1)
#define KBC_STATUS_SYS BIT(2)
#define KBC_STATUS_UNLOCKED BIT(4)
#define KBC_WRITE_OUTPUT_PORT 0xd1
#define KBC_PULSE 0xf0 /* the low four bits: output port bits that do not pulse */
#define KBC_OUTPUT_RESET BIT(0)
#define PORT92_RESET BIT(0)
#define PORT92_A20 BIT(1) /* A20 is always open here */
#define RESET_CONTROL_SRST BIT(1)
#define RESET_CONTROL_RCPU BIT(2)

struct rst {
	uint8_t port92, control;
	bool output_port; /* the keyboard controller's next data byte is its output port's */
};

void rst_init(struct rst *r);
/* KBC_COMMAND, PORT92 and RESET_CONTROL. */
uint8_t rst_read(const struct rst *r, uint16_t port);
/* Those and KBC_DATA. True: the machine is reset. */
bool rst_write(struct rst *r, uint16_t port, uint8_t val);
