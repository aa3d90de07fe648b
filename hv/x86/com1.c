/* SPDX-License-Identifier: BSD-2-Clause
 * The first serial port, polled: the one way to speak while the firmware does not run.
 * Knows nothing of lines, reports or the port's settings, which are the firmware's. */
#include "x86/com1.h"

#include "bits.h"
#include "x86/insn.h"

#define COM1_THR 0x3f8
#define COM1_LSR 0x3fd
#define LSR_THRE BIT(5)
#define LSR_TEMT BIT(6)
#define LSR_FLOATING 0xff /* nobody drives the bus */
/* A character takes 87 us at 115200 baud and a port read about 1 us: a thousand times that is a dead port. */
#define POLLS_MAX 100000

bool com1_present(void)
{
	return in8(COM1_LSR) != LSR_FLOATING;
}

static bool com1_wait(uint8_t status)
{
	for (unsigned polls = 0; polls < POLLS_MAX; polls++) {
		if (in8(COM1_LSR) & status)
			return true;
		pause();
	}
	return false;
}

static bool com1_put(char c)
{
	if (!com1_wait(LSR_THRE))
		return false;
	out8(COM1_THR, (uint8_t)c);
	return true;
}

bool com1_write(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\n' && !com1_put('\r'))
			return false;
		if (!com1_put(text[i]))
			return false;
	}
	return true;
}

void com1_drain(void)
{
	com1_wait(LSR_TEMT);
}
