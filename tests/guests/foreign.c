/* SPDX-License-Identifier: BSD-2-Clause
 * A guest that shares no line with Intack: a 32-bit Multiboot kernel that tells what its loader has handed over. It prints the
 * command line, the memory map and each module with its text on COM1, checks them as far as it can without knowing who
 * loads it, and ends with the number of faults as its status.
 * Knows nothing of Intack: it takes its structures from the Multiboot Specification alone. */
#include <stdint.h>

#define HEADER_MAGIC 0x1badb002u
#define HEADER_FLAGS 3u /* modules page-aligned, memory information */
#define LOADER_MAGIC 0x2badb002u
#define INFO_MEMORY (1u << 0)
#define INFO_CMDLINE (1u << 2)
#define INFO_MODULES (1u << 3)
#define INFO_MMAP (1u << 6)
#define MMAP_AVAILABLE 1u
#define PAGE_SIZE 4096u
#define CLEAR_WORDS 16384u
#define HIGH_START 0x100000u
#define KIB 1024u
#define COM1_DATA 0x3f8
#define COM1_LSR 0x3fd
#define LSR_THRE 0x20
#define EXIT_PORT 0xf4

struct info {
	uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr, syms[4], mmap_length, mmap_addr;
};

struct module {
	uint32_t start, end, text, reserved;
};

struct region {
	uint32_t size, base, base_high, length, length_high, type;
};

void _start(void);
void report(uint32_t magic, const struct info *info);
extern char __executable_start[], _end[];

__attribute__((used, section(".text.header"), aligned(4))) static const uint32_t header[] = {
	HEADER_MAGIC, HEADER_FLAGS, 0u - HEADER_MAGIC - HEADER_FLAGS
};

/* In .bss: the loader has to clear it. */
static uint8_t stack[PAGE_SIZE] __attribute__((used, aligned(16)));
static volatile uint32_t clear[CLEAR_WORDS];
static uint32_t faults;

__attribute__((naked)) void _start(void)
{
	__asm__ volatile("lea stack + %c0, %%esp; push %%ebx; push %%eax; call report" : : "i"(PAGE_SIZE));
}

static void out8(uint16_t port, uint8_t v)
{
	__asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port));
}

static uint8_t in8(uint16_t port)
{
	uint8_t v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static void put(const char *text, const char *end)
{
	for (; text != end && (end || *text); text++) {
		while (!(in8(COM1_LSR) & LSR_THRE))
			;
		out8(COM1_DATA, (uint8_t)*text);
	}
}

static void put_text(const char *text)
{
	put(text, 0);
}

static void put_hex(uint32_t v)
{
	char text[11] = "0x";

	for (unsigned i = 0; i < 8; i++)
		text[2 + i] = "0123456789abcdef"[v >> (28 - 4 * i) & 15];
	put_text(text);
}

static void check(int ok, const char *what)
{
	if (ok)
		return;
	faults++;
	put_text("foreign: wrong: ");
	put_text(what);
	put_text("\n");
}

static const void *at(uint32_t address)
{
	return (const void *)address;
}

static void put_region(const struct region *r)
{
	put_text("foreign: memory ");
	put_hex(r->base);
	put_text(" length ");
	put_hex(r->length);
	put_text(r->type == MMAP_AVAILABLE ? " available\n" : " reserved\n");
}

/* "'size' is the size of the associated structure in bytes, which can be greater than the minimum of 20 bytes." */
static uint32_t memory_map(const struct info *info)
{
	uint32_t p = info->mmap_addr, end = p + info->mmap_length, next = 0, high = 0;

	for (const struct region *r; p < end; p += r->size + sizeof(r->size)) {
		r = at(p);
		put_region(r);
		check(r->size >= 20 && !r->base_high && !r->length_high, "a region's size");
		check(r->base >= next, "regions overlap");
		next = r->base + r->length;
		if (r->type == MMAP_AVAILABLE && r->base == HIGH_START)
			high = next;
	}
	check(p == end, "the map's length");
	check(info->mem_upper == (high - HIGH_START) / KIB, "mem_upper is not what the map says");
	return high;
}

/* There is RAM up to its last word, and .bss is clear. */
static void memory(uint32_t high)
{
	volatile uint32_t *last = (volatile uint32_t *)(high - sizeof(*last));
	uint32_t sum = 0;

	check((uint32_t)_end <= high, "the image reaches over the memory's end");
	*last = HEADER_MAGIC;
	check(*last == HEADER_MAGIC, "the last word of memory");
	for (unsigned i = 0; i < CLEAR_WORDS; i++)
		sum |= clear[i];
	check(!sum, "bss is not clear");
}

static void modules(const struct info *info, uint32_t high)
{
	const struct module *m = at(info->mods_addr);

	for (uint32_t i = 0; i < info->mods_count; i++, m++) {
		put_text("foreign: module '");
		put_text(at(m->text));
		put_text("': ");
		put(at(m->start), at(m->end));
		put_text("\n");
		check(!(m->start % PAGE_SIZE), "a module is not page-aligned");
		check(m->end >= m->start && m->end <= high, "a module's end");
		check(m->start >= (uint32_t)_end || m->end <= (uint32_t)__executable_start, "a module lies over the image");
	}
}

void report(uint32_t magic, const struct info *info)
{
	const uint32_t wanted = INFO_MEMORY | INFO_CMDLINE | INFO_MODULES | INFO_MMAP;
	uint32_t high;

	check(magic == LOADER_MAGIC, "EAX is not the loader's magic value");
	check((info->flags & wanted) == wanted, "flags");
	put_text("foreign: cmdline '");
	put_text(at(info->cmdline));
	put_text("'\n");
	high = memory_map(info);
	memory(high);
	modules(info, high);
	put_text(faults ? "foreign: done, with faults\n" : "foreign: done\n");
	out8(EXIT_PORT, (uint8_t)faults);
	for (;;)
		__asm__ volatile("cli; hlt");
}
