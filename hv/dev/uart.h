/* SPDX-License-Identifier: BSD-2-Clause
 * A 16550A that transmits at once: enough of it for any polled or interrupt-driven driver to print and to probe.
 * Knows nothing of where the bytes go: they wait in a FIFO until somebody takes them. */
#pragma once

#include "types.h"

#define UART_COM1 0x3f8
#define UART_PORTS 8
#define UART_IRQ 4

#define UART_THR 0
#define UART_IER 1
#define UART_IIR 2
#define UART_FCR 2
#define UART_LCR 3
#define UART_MCR 4
#define UART_LSR 5
#define UART_MSR 6
#define UART_SCR 7

#define UART_TX_FIFO 1024

struct uart {
	uint8_t ier, lcr, mcr, fcr, scr, dll, dlm;
	uint8_t msr_delta; /* MSR bits 3:0: inputs that changed since MSR was read */
	bool thre_pending; /* THR-empty interrupt not read from IIR yet */
	bool fell;         /* the interrupt output was low in the middle of an access since it was asked */
	uint8_t rx[16];
	uint8_t rx_head, rx_count;
	bool overrun;
	char tx[UART_TX_FIFO];
	uint32_t tx_count;
};

void uart_reset(struct uart *u);
/* reg 0..7 */
uint8_t uart_read(struct uart *u, unsigned reg);
void uart_write(struct uart *u, unsigned reg, uint8_t val);
/* The interrupt output. OUT2 gates it, as on a PC; in loop-back mode the OUT2 pin is inactive, so IIR tells of
 * interrupts that do not come out. */
bool uart_intr(const struct uart *u);
/* Was the output low for a moment that uart_intr() before and after an access does not show? Asked once. */
bool uart_take_fall(struct uart *u);
/* Takes up to len transmitted bytes; returns how many. Loop-back bytes never come here. When less than one hardware
 * FIFO is free the UART says that its transmitter is busy; bytes sent in spite of that are lost once the buffer is
 * full. */
size_t uart_take(struct uart *u, char *buf, size_t len);
