/* SPDX-License-Identifier: BSD-2-Clause
 * A guest that does anything. `seed=S i=K` in its command line say which of them; `mode=NAME`, `kinds=NAME,NAME` ask for less
 * variety; `avoid=NAME,NAME` leaves out what the machine below does not survive. It says what it is going to do in one line on
 * COM1, makes some blocks of instructions out of S and K alone, sets up a mode in which nearly every fault leads to the next
 * block, and ends with status 0 behind the last, if it comes so far.
 * Knows nothing of who runs it. */
#include "random.h"

#define INFO_CMDLINE 4u
#define COM1_DATA 0x3f8
#define COM1_LSR 0x3fd
#define LSR_THRE 0x20
#define CMDLINE_MAX 256
#define INSTRUCTIONS 10
#define ROOM 80 /* more than the longest sequence that make_instruction() emits, and the block's end */
#define INT 0xcd
#define STRIDE 0x9e3779b1u
#define SHOW_BYTES 64
#define KIB 1024u
#define HIGH 0x100000u

struct info {
	uint32_t flags, mem_lower, mem_upper, boot_device, cmdline;
};

void random_main(const struct info *info) __attribute__((noreturn));

static char cmdline[CMDLINE_MAX];

static void put(char c)
{
	uint8_t lsr = 0;

	while (!(lsr & LSR_THRE))
		__asm__ volatile("inb %1, %0" : "=a"(lsr) : "Nd"((uint16_t)COM1_LSR));
	__asm__ volatile("outb %0, %1" : : "a"(c), "Nd"((uint16_t)COM1_DATA));
}

void put_text(const char *text)
{
	while (*text)
		put(*text++);
}

/* Past `name=` in the command line; NULL if it is not there. */
static const char *word(const char *name)
{
	for (const char *p = cmdline; *p; p++) {
		const char *n = name, *q = p;

		if (p != cmdline && p[-1] != ' ')
			continue;
		while (*n && *q == *n)
			n++, q++;
		if (!*n && *q == '=')
			return q + 1;
	}
	return 0;
}

/* Is the word among those of a list with commas? */
bool same_word(const char *list, const char *name)
{
	while (list && *list && *list != ' ') {
		const char *n = name;

		while (*n && *list == *n)
			n++, list++;
		if (!*n && (!*list || *list == ' ' || *list == ','))
			return true;
		while (*list && *list != ' ' && *list != ',')
			list++;
		list += *list == ',';
	}
	return false;
}

static uint64_t number(const char *name)
{
	uint64_t n = 0;

	for (const char *p = word(name); p && *p >= '0' && *p <= '9'; p++)
		n = n * 10 + (uint64_t)(*p - '0');
	return n;
}

static void choose_mode(struct gen *g)
{
	static const uint8_t bits[MODES] = { 16, 16, 16, 16, 32, 32, 32, 64, 32 };

	g->mode = (enum mode)rnd(g, MODES);
	for (unsigned m = 0; m < MODES; m++)
		if (same_word(word("mode"), mode_names[m]))
			g->mode = (enum mode)m;
	if (g->mode == VM86 && same_word(g->avoid, mode_names[VM86]))
		g->mode = PROT16;
	g->bits = bits[g->mode];
	g->user = (g->mode >= VM86 && one_in(g, 4)) || g->mode == VM86;
}

static void make_block(struct gen *g, uint32_t address)
{
	uint8_t *end = (uint8_t *)address + BLOCK_SIZE - ROOM;

	g->p = (uint8_t *)address;
	for (unsigned i = 0; i < INSTRUCTIONS && g->p < end; i++)
		make_instruction(g);
	e8(g, INT);
	e8(g, VECTOR_NEXT);
}

/* For whoever wants to know: `make run GUEST=build/random.elf CMDLINE='seed=S i=K show=1'`. */
static void show_code(void)
{
	for (uint32_t at = CODE; at < CODE + BLOCKS * BLOCK_SIZE; at++) {
		uint8_t byte = *(const volatile uint8_t *)at;

		if (at % SHOW_BYTES == 0)
			put_text("\ncode ");
		put("0123456789abcdef"[byte >> 4]);
		put("0123456789abcdef"[byte & 15]);
	}
	put_text("\n");
}

void random_main(const struct info *info)
{
	const char *text = (const char *)(info->flags & INFO_CMDLINE ? info->cmdline : (uint32_t)"");
	struct gen g = { .ram = HIGH + info->mem_upper * KIB };

	for (unsigned i = 0; i < CMDLINE_MAX - 1 && text[i]; i++)
		cmdline[i] = text[i];
	g.state = number("seed") * STRIDE + (number("i") << 32);
	g.avoid = word("avoid");
	choose_mode(&g);
	g.mmio = one_in(&g, 3);
	choose_kinds(&g, word("kinds"));
	put_text(mode_names[g.mode]);
	put_text(g.user ? " user" : "");
	put_text(g.mmio ? " mmio" : "");
	put_kinds(&g);
	put_text("\n");
	for (uint32_t i = 0; i < BLOCKS; i++)
		make_block(&g, CODE + i * BLOCK_SIZE);
	if (word("show"))
		show_code();
	make_mode(&g);
	__builtin_unreachable();
}
