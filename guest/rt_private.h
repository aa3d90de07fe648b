/* SPDX-License-Identifier: BSD-2-Clause
 * What the runtime's own files share: strings, the serial port, the state of the running scenario, resets.
 * Knows nothing of scenarios' contents. */
#pragma once

#include "rt.h"

#include <stdarg.h>

/* rt_fmt.c */
void *memcpy(void *to, const void *from, size_t n);
void *memmove(void *to, const void *from, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t str_len(const char *s);
int str_cmp(const char *a, const char *b);
/* `*` and `?`; several globs may be joined by commas. */
bool glob_match(const char *globs, const char *s);
uint64_t str_to_u64(const char *s); /* decimal, or hexadecimal after 0x */
int rt_vsnprintf(char *buf, size_t size, const char *fmt, va_list ap);

/* rt_serial.c */
void serial_init(void);
void serial_quiet(void);
void serial_write(const char *s, size_t n);
void serial_flush(void); /* all of it is on the wire */
void serial_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Port 0xf4, Bochs' 0x8900, then cli;hlt. */
_Noreturn void rt_exit(uint8_t status);

/* rt_env.c */
struct options {
	const char *only; /* globs, or NULL */
	uint32_t first;   /* number of the scenario to start with, from 1 */
	bool list;        /* print the scenarios and what is expected of them, run none */
};
void env_init(uint32_t magic, uint32_t multiboot_info, struct options *opt);

/* rt_idt.c */
void idt_init(void);  /* once: TSS, IDT registers */
void idt_reset(void); /* all gates and handlers as at the start */
/* While false, interrupts and NMIs are swallowed (with LAPIC EOI) and an exception is a bail-out. */
extern volatile bool rt_running;
extern volatile uint32_t rt_swallowed;
void rt_dispatch(struct frame *f); /* called by the stubs */

/* rt_pc.c, rt_apic.c */
void pc_quiet(void);      /* lines low, everything masked, timers stopped */
void pc_reset(void);      /* 8259 pair, ELCR, I/O APIC as before every scenario */
void apic_reset(void);    /* enabled, xAPIC, LVTs as before every scenario */
void apic_drain(void);    /* takes whatever is still pending; IF is 0 before and after */
bool apic_is_reachable(void);

/* rt_run.c */
_Noreturn void bail_out(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int rt_setjmp(uint64_t buf[8]) __attribute__((returns_twice));
_Noreturn void rt_longjmp(const uint64_t buf[8]);

void rt_main(uint32_t magic, uint32_t multiboot_info);
