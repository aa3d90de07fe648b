/* SPDX-License-Identifier: BSD-2-Clause
 * The first serial port, polled: the one way to speak while the firmware does not run.
 * Knows nothing of lines, reports or the port's settings, which are the firmware's. */
#pragma once

#include "types.h"

/* Is there a UART at all? */
bool com1_present(void);
/* Returns false when the transmitter did not get ready in time; the rest of the text is lost. A line feed is sent as
 * carriage return and line feed. */
bool com1_write(const char *text, size_t len);
/* Waits until the last character has left. */
void com1_drain(void);
