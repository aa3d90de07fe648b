/* SPDX-License-Identifier: BSD-2-Clause
 * What a PC's firmware leaves behind for those who start after it: in low memory, in the 8259 pair and in the PIT.
 * Knows nothing of who starts.
 *
 * No firmware runs here, but what starts on a PC counts on its traces: a kernel looks into the data area for the end of
 * conventional memory, and whoever halts in real mode waits for a tick. There are no services: every other vector returns. */
#include "vmm/bios.h"

#include <string.h>

#include "bits.h"

#define IVT_VECTORS 256
#define VEC_MASTER 0x08
#define VEC_SLAVE 0x70
#define VEC_TICK VEC_MASTER

/* The data area, where every PC has it. */
#define BDA_COM1 0x400
#define BDA_EBDA_SEGMENT 0x40e
#define BDA_EQUIPMENT 0x410
#define BDA_LOW_KIB 0x413
#define EQUIPMENT_FPU BIT(1)
#define EQUIPMENT_SERIAL_PORTS(n) FIELD(11, 9, n)
#define COM1 0x3f8
#define EBDA_KIB 1

#define CODE_SEGMENT 0xf000
#define CODE_START 0xe000
#define LINEAR(segment, offset) (((uint32_t)(segment) << 4) + (offset))

#define MASTER_MASKS 0xb8 /* open: timer, keyboard, cascade, floppy disk */
#define SLAVE_MASKS 0x8e  /* open: clock, mouse, coprocessor, disk */
#define SQUARE_WAVE 3

/* 46c is the tick counter, 1c the vector for whoever wants to hear of it. No roll-over at midnight: there is no date to turn. */
static const uint8_t tick_code[] = {
	0x1e,                               /* push ds */
	0x50,                               /* push ax */
	0x31, 0xc0,                         /* xor ax, ax */
	0x8e, 0xd8,                         /* mov ds, ax */
	0x66, 0xff, 0x06, 0x6c, 0x04,       /* inc dword [46c] */
	0xcd, 0x1c,                         /* int 1c */
	0xb0, OCW2_EOI,                     /* mov al, OCW2_EOI */
	0xe6, PIC_MASTER_CMD,               /* out PIC_MASTER_CMD, al */
	0x58,                               /* pop ax */
	0x1f,                               /* pop ds */
	0xcf,                               /* iret */
};
static const uint8_t slave_code[] = {
	0x50,                               /* push ax */
	0xb0, OCW2_EOI,                     /* mov al, OCW2_EOI */
	0xe6, PIC_SLAVE_CMD,                /* out PIC_SLAVE_CMD, al */
	0xe6, PIC_MASTER_CMD,               /* out PIC_MASTER_CMD, al */
	0x58,                               /* pop ax */
	0xcf,                               /* iret */
};
static const uint8_t master_code[] = {
	0x50,                               /* push ax */
	0xb0, OCW2_EOI,                     /* mov al, OCW2_EOI */
	0xe6, PIC_MASTER_CMD,               /* out PIC_MASTER_CMD, al */
	0x58,                               /* pop ax */
	0xcf,                               /* iret */
};
static const uint8_t iret_code[] = { 0xcf };

static void put16(uint8_t *ram, uint32_t at, uint32_t val)
{
	ram[at] = (uint8_t)GET_FIELD(7, 0, val);
	ram[at + 1] = (uint8_t)GET_FIELD(15, 8, val);
}

/* Code to `*at`, and vectors first to last to it. */
static void handle(uint8_t *ram, uint16_t *at, const uint8_t *code, size_t len, unsigned first, unsigned last)
{
	memcpy(ram + LINEAR(CODE_SEGMENT, *at), code, len);
	for (unsigned vector = first; vector <= last; vector++) {
		put16(ram, vector * 4, *at);
		put16(ram, vector * 4 + 2, CODE_SEGMENT);
	}
	*at = (uint16_t)(*at + len);
}

void bios_memory(uint8_t *ram)
{
	uint16_t at = CODE_START;

	handle(ram, &at, iret_code, sizeof(iret_code), 0, IVT_VECTORS - 1);
	handle(ram, &at, master_code, sizeof(master_code), VEC_MASTER, VEC_MASTER + PIC_LEVELS - 1);
	handle(ram, &at, slave_code, sizeof(slave_code), VEC_SLAVE, VEC_SLAVE + PIC_LEVELS - 1);
	handle(ram, &at, tick_code, sizeof(tick_code), VEC_TICK, VEC_TICK);
	put16(ram, BDA_COM1, COM1);
	put16(ram, BDA_EBDA_SEGMENT, BIOS_LOW_END >> 4);
	put16(ram, BDA_EQUIPMENT, (uint32_t)(EQUIPMENT_FPU | EQUIPMENT_SERIAL_PORTS(1)));
	put16(ram, BDA_LOW_KIB, BIOS_LOW_KIB);
	ram[BIOS_LOW_END] = EBDA_KIB;
}

static void init_chip(struct pic *p, uint16_t cmd, uint16_t data, uint8_t base, uint8_t icw3, uint8_t masks)
{
	pic_write(p, cmd, ICW1_INIT | ICW1_IC4);
	pic_write(p, data, base);
	pic_write(p, data, icw3);
	pic_write(p, data, ICW4_UPM);
	pic_write(p, data, masks);
}

void bios_devices(struct pic *pic, struct pit *pit)
{
	init_chip(pic, PIC_MASTER_CMD, PIC_MASTER_DATA, VEC_MASTER, BIT(PIC_CASCADE), MASTER_MASKS);
	init_chip(pic, PIC_SLAVE_CMD, PIC_SLAVE_DATA, VEC_SLAVE, PIC_CASCADE, SLAVE_MASKS);
	pit_write(pit, PIT_CMD, (uint8_t)(PIT_CW_RW(PIT_RW_WORD) | PIT_CW_MODE(SQUARE_WAVE)));
	pit_write(pit, PIT_CH0, 0); /* 65536 */
	pit_write(pit, PIT_CH0, 0);
}
