/* SPDX-License-Identifier: BSD-2-Clause
 * The 8259 pair: sixteen lines in, one INT output and an INTA vector out.
 * Knows nothing of vCPUs, time or who reads the output. */
#pragma once

#include "bits.h"
#include "types.h"

#define PIC_MASTER_CMD 0x20
#define PIC_MASTER_DATA 0x21
#define PIC_SLAVE_CMD 0xa0
#define PIC_SLAVE_DATA 0xa1
#define PIC_ELCR_MASTER 0x4d0
#define PIC_ELCR_SLAVE 0x4d1
#define PIC_CASCADE 2 /* the master's input that the slave drives */
#define PIC_LEVELS 8

#define ICW1_IC4 BIT(0)  /* ICW4 follows */
#define ICW1_SNGL BIT(1) /* no cascade, no ICW3 */
#define ICW1_LTIM BIT(3) /* all inputs level-triggered */
#define ICW1_INIT BIT(4) /* tells ICW1 from OCW2 and OCW3 */
#define ICW2_BASE 0xf8   /* T7..T3; the level is below */
#define ICW3_ID 0x07     /* the slave's address on the cascade lines */
#define ICW4_UPM BIT(0)  /* 8086 mode */
#define ICW4_AEOI BIT(1)
#define ICW4_SFNM BIT(4)
#define OCW2_LEVEL 0x07
#define OCW2_EOI BIT(5)
#define OCW2_SL BIT(6)
#define OCW2_R BIT(7)
#define OCW3_SELECT BIT(3) /* tells OCW3 from OCW2 */
#define OCW3_RIS BIT(0)
#define OCW3_RR BIT(1)
#define OCW3_P BIT(2)
#define OCW3_SMM BIT(5)
#define OCW3_ESMM BIT(6)
#define PIC_POLL_I BIT(7) /* poll byte: there is an interrupt */

struct pic_chip {
	uint8_t lines;      /* input levels as they are now */
	uint8_t edge;       /* edge latch: rose and has stayed high, not acknowledged since */
	uint8_t imr, isr;
	uint8_t elcr;       /* 1 = level-triggered input */
	uint8_t elcr_mask;  /* which ELCR bits can be set */
	uint8_t base;       /* ICW2 vector base */
	uint8_t lowest;     /* input with the lowest priority; 7 after initialization */
	uint8_t init_step;  /* ICW that the data port expects next: 0 none, 2, 3, 4 */
	uint8_t icw3;       /* master: inputs with a slave; slave: its address */
	uint8_t frozen;     /* while `poll`: the requests as they were at the poll command */
	bool slave;         /* the SP pin */
	bool icw1_single, icw1_level, icw4_needed;
	bool aeoi, rotate_on_aeoi, sfnm, special_mask;
	bool read_isr;      /* OCW3: the command port reads ISR instead of IRR */
	bool poll;          /* OCW3 poll: the next read is an acknowledge */
};

struct pic {
	struct pic_chip master, slave;
};

struct pic_ack {
	uint8_t vector;
	bool spurious; /* the vector is an IR7 default: no request was there any more */
};

/* Everything masked and wired as in a PC; the data sheet leaves the state before ICW1 open. */
void pic_reset(struct pic *p);
/* irq 0..15 except 2 (the cascade, ignored). */
void pic_set_line(struct pic *p, unsigned irq, bool high);
/* The INT output of the master. */
bool pic_intr(const struct pic *p);
/* One INTA cycle (both pulses). Always answers: without a request, the spurious vector. */
struct pic_ack pic_inta(struct pic *p);
/* The same with `falling` lines (bit n = IRQ n) going low at the last moment: after INTR was seen, too late for the
 * slave's INT to follow. A master's line gives the default IR7; a slave's line leaves the master committed to IR2,
 * and the slave answers with its own default IR7 (IRQ 15). */
struct pic_ack pic_inta_falling(struct pic *p, uint16_t falling);
/* Ports as above; others read all ones and ignore writes. */
uint8_t pic_read(struct pic *p, uint16_t port);
void pic_write(struct pic *p, uint16_t port, uint8_t val);
/* What the command port would read as IRR, for dumps. */
uint8_t pic_chip_irr(const struct pic_chip *c);
