/* SPDX-License-Identifier: BSD-2-Clause
 * Images that load, images that do not and why, and a hundred thousand that nobody meant to write.
 * Knows nothing of vCPUs. */
#include "vmm/multiboot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bits.h"
#include "status.h"

#define RAM_SIZE 0x200000u
#define MAGIC 0x1badb002u
#define FILE_SIZE 0x600u
#define HEADER_AT 0x100u
#define SEGMENT_AT 0x200u
#define SEGMENT_SIZE 0x300u
#define SEGMENT_MEM 0x500u
#define LOAD_AT 0x100000u
#define DIRTY 0xcc
#define MUTATIONS 100000

/* Offsets as the ELF specification names them. */
enum { E_CLASS = 4, E_DATA = 5, E_MACHINE = 18, E_ENTRY = 24, E_PHOFF = 28, E_PHENTSIZE = 42, E_PHNUM = 44, E_END = 52 };
enum { P_TYPE = 0, P_OFFSET = 4, P_VADDR = 8, P_PADDR = 12, P_FILESZ = 16, P_MEMSZ = 20, P_SIZE = 32 };

static uint8_t *ram;
static uint8_t image[FILE_SIZE];
static struct mb_request req;
static struct mb_entry entry;
static char err[160];

static void put16(uint32_t at, uint32_t val)
{
	memcpy(image + at, &val, 2);
}

static void put32(uint32_t at, uint32_t val)
{
	memcpy(image + at, &val, 4);
}

static uint32_t get32(uint32_t gpa)
{
	uint32_t val;

	assert_true(gpa <= RAM_SIZE - 4);
	memcpy(&val, ram + gpa, 4);
	return val;
}

static const char *text_at(uint32_t gpa)
{
	return (const char *)ram + gpa;
}

static void put_header(uint32_t flags)
{
	put32(HEADER_AT, MAGIC);
	put32(HEADER_AT + 4, flags);
	put32(HEADER_AT + 8, 0u - MAGIC - flags);
}

static void segment(unsigned n, uint32_t field, uint32_t val)
{
	put32(E_END + n * P_SIZE + field, val);
}

/* A small correct image: one segment with bss, one note that is not loaded. */
static int setup(void **state)
{
	(void)state;
	ram = malloc(RAM_SIZE);
	memset(ram, DIRTY, RAM_SIZE);
	memset(image, 0, sizeof(image));
	memcpy(image, "\177ELF\1\1\1", 7);
	put16(16, 2);
	put16(E_MACHINE, 3);
	put32(E_ENTRY, LOAD_AT + 0x10);
	put32(E_PHOFF, E_END);
	put16(E_PHENTSIZE, P_SIZE);
	put16(E_PHNUM, 2);
	segment(0, P_TYPE, 4);
	segment(0, P_OFFSET, UINT32_MAX);
	segment(1, P_TYPE, 1);
	segment(1, P_OFFSET, SEGMENT_AT);
	segment(1, P_VADDR, LOAD_AT);
	segment(1, P_PADDR, LOAD_AT);
	segment(1, P_FILESZ, SEGMENT_SIZE);
	segment(1, P_MEMSZ, SEGMENT_MEM);
	put_header(3);
	memset(image + SEGMENT_AT, 0x90, SEGMENT_SIZE);
	req = (struct mb_request){ .image = image, .image_size = FILE_SIZE, .cmdline = "rule=rearm", .ram = ram,
				   .ram_size = RAM_SIZE };
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(ram);
	return 0;
}

static void assert_loads(void)
{
	strcpy(err, "");
	assert_int_equal(multiboot_load(&req, &entry, err, sizeof(err)), 0);
	assert_string_equal(err, "");
}

static void assert_refused(int status, const char *why)
{
	assert_int_equal(multiboot_load(&req, &entry, err, sizeof(err)), status);
	assert_string_equal(err, why);
}

/* ---- what loads ---- */

static void the_machine_state_is_the_specifications(void **state)
{
	(void)state;
	assert_loads();
	assert_int_equal(entry.eax, 0x2badb002);
	assert_int_equal(entry.eip, LOAD_AT + 0x10);
	assert_int_equal(entry.ebx % 4, 0);
}

static void a_segment_is_copied_and_its_bss_is_zeroed(void **state)
{
	(void)state;
	assert_loads();
	assert_int_equal(ram[LOAD_AT - 1], DIRTY);
	assert_memory_equal(ram + LOAD_AT, image + SEGMENT_AT, SEGMENT_SIZE);
	for (uint32_t i = SEGMENT_SIZE; i < SEGMENT_MEM; i++)
		assert_int_equal(ram[LOAD_AT + i], 0);
	assert_int_equal(ram[LOAD_AT + SEGMENT_MEM], DIRTY);
}

static void the_entry_point_is_virtual_and_the_guest_starts_at_the_physical_one(void **state)
{
	(void)state;
	segment(1, P_VADDR, 0xc0100000);
	put32(E_ENTRY, 0xc0100010);
	assert_loads();
	assert_int_equal(entry.eip, LOAD_AT + 0x10);
}

static void the_information_describes_memory(void **state)
{
	static const uint32_t map[] = { 20, 0,	      0, 0x9fc00,	      0, 1, 20, 0x9fc00, 0, 0x60400, 0, 2,
					20, 0x100000, 0, RAM_SIZE - 0x100000, 0, 1 };
	uint32_t info;
	(void)state;

	assert_loads();
	info = entry.ebx;
	assert_int_equal(get32(info), BIT(0) | BIT(2) | BIT(3) | BIT(6) | BIT(9));
	assert_int_equal(get32(info + 4), 639);
	assert_int_equal(get32(info + 8), (RAM_SIZE - 0x100000) / 1024);
	assert_string_equal(text_at(get32(info + 16)), "rule=rearm");
	assert_int_equal(get32(info + 20), 0);
	assert_int_equal(get32(info + 44), sizeof(map));
	assert_memory_equal(ram + get32(info + 48), map, sizeof(map));
	assert_string_equal(text_at(get32(info + 64)), "intack");
}

static void modules_are_page_aligned_behind_the_image(void **state)
{
	static const struct mb_module modules[] = {
		{ .data = (const uint8_t *)"first", .size = 5, .cmdline = "one a=b" },
		{ .data = NULL, .size = 0 },
		{ .data = (const uint8_t *)"third!", .size = 6, .cmdline = "three" },
	};
	uint32_t list;
	(void)state;

	req.modules = modules;
	req.module_count = 3;
	assert_loads();
	assert_int_equal(get32(entry.ebx + 20), 3);
	list = get32(entry.ebx + 24);
	assert_int_equal(list % 4, 0);
	assert_int_equal(get32(list), 0x101000);
	assert_int_equal(get32(list + 4), 0x101005);
	assert_string_equal(text_at(get32(list + 8)), "one a=b");
	assert_memory_equal(ram + 0x101000, "first", 5);
	assert_int_equal(get32(list + 16), 0x102000);
	assert_int_equal(get32(list + 20), 0x102000);
	assert_string_equal(text_at(get32(list + 24)), "");
	assert_int_equal(get32(list + 32), 0x102000);
	assert_int_equal(get32(list + 36), 0x102006);
	assert_string_equal(text_at(get32(list + 40)), "three");
	assert_memory_equal(ram + 0x102000, "third!", 6);
	assert_string_equal(text_at(get32(entry.ebx + 16)), "rule=rearm");
}

/* Below the image if there is room, else behind it. */
static void the_information_overlaps_nothing(void **state)
{
	(void)state;
	assert_loads();
	assert_int_equal(entry.ebx, 0x1000);

	put32(E_ENTRY, 0x1080);
	segment(1, P_VADDR, 0x1080);
	segment(1, P_PADDR, 0x1080);
	assert_loads();
	assert_int_equal(entry.ebx, 0x100000);
	assert_memory_equal(ram + 0x1080, image + SEGMENT_AT, SEGMENT_SIZE);

	put32(E_ENTRY, 0x9f000);
	segment(1, P_VADDR, 0x9f000);
	segment(1, P_PADDR, 0x9f000);
	segment(1, P_MEMSZ, 0x90000);
	assert_loads();
	assert_int_equal(entry.ebx, 0x1000);

	put32(E_ENTRY, 0);
	segment(1, P_VADDR, 0);
	segment(1, P_PADDR, 0);
	segment(1, P_MEMSZ, 0x123456);
	assert_loads();
	assert_int_equal(entry.ebx, 0x123460);
}

static void information_too_large_for_low_memory_goes_behind_the_image(void **state)
{
	char *text = malloc(0xa0000);
	(void)state;

	memset(text, 'w', 0xa0000);
	text[0xa0000 - 1] = '\0';
	req.cmdline = text;
	assert_loads();
	assert_int_equal(entry.ebx, LOAD_AT + SEGMENT_MEM);
	assert_string_equal(text_at(get32(entry.ebx + 16)), text);
	free(text);
}

static void put_addresses(uint32_t header, uint32_t load, uint32_t load_end, uint32_t bss_end, uint32_t start)
{
	put_header(BIT(16));
	put32(HEADER_AT + 12, header);
	put32(HEADER_AT + 16, load);
	put32(HEADER_AT + 20, load_end);
	put32(HEADER_AT + 24, bss_end);
	put32(HEADER_AT + 28, start);
}

/* "bit 16 in the 'flags' word ... the boot loader should use them instead of the fields in the actual executable header" */
static void load_addresses_go_before_elf(void **state)
{
	(void)state;
	put_addresses(0x110000, 0x110000 - 0x80, 0x110100, 0x110200, 0x110010);
	assert_loads();
	assert_int_equal(entry.eip, 0x110010);
	assert_memory_equal(ram + 0x110000 - 0x80, image + HEADER_AT - 0x80, 0x180);
	for (uint32_t at = 0x110100; at < 0x110200; at++)
		assert_int_equal(ram[at], 0);
	assert_int_equal(ram[0x110200], DIRTY);
	assert_int_equal(ram[LOAD_AT], DIRTY);
}

/* "If this field is zero, the boot loader assumes that the text and data segments occupy the whole OS image file." */
static void a_load_end_of_zero_means_the_whole_file(void **state)
{
	(void)state;
	memcpy(image, "flat", 4);
	put_addresses(0x110000, 0x110000, 0, 0, 0x110000);
	assert_loads();
	assert_memory_equal(ram + 0x110000, image + HEADER_AT, FILE_SIZE - HEADER_AT);
	assert_int_equal(ram[0x110000 + FILE_SIZE - HEADER_AT], DIRTY);
}

static void the_header_must_end_within_8192_bytes(void **state)
{
	static uint8_t big[0x3000];
	static const uint32_t header[] = { MAGIC, 0, 0u - MAGIC };
	(void)state;

	put32(HEADER_AT, 0);
	memcpy(big, image, sizeof(image));
	req.image = big;
	req.image_size = sizeof(big);
	memcpy(big + 8192 - 12, header, sizeof(header));
	assert_loads();
	memset(big + 8192 - 12, 0, sizeof(header));
	memcpy(big + 8192 - 8, header, sizeof(header));
	assert_refused(E_NOEXEC, "no multiboot header in the first 8192 bytes");
	memset(big + 8192 - 8, 0, sizeof(header));
	memcpy(big + 0x802, header, sizeof(header));
	assert_refused(E_NOEXEC, "no multiboot header in the first 8192 bytes");
}

static void flags_that_do_not_require_anything_are_ignored(void **state)
{
	(void)state;
	put_header(BIT(31) | BIT(17));
	assert_loads();
}

/* ---- what is refused, and how that is said ---- */

static void what_is_no_image_is_named(void **state)
{
	(void)state;
	put32(HEADER_AT + 8, 0);
	assert_refused(E_NOEXEC, "no multiboot header in the first 8192 bytes");
	image[1] = 'x';
	assert_refused(E_NOEXEC, "not an ELF file");
	put_header(0);
	assert_refused(E_NOEXEC, "not an ELF file");
	req.image = NULL;
	req.image_size = 0;
	assert_refused(E_NOEXEC, "not an ELF file");
}

static void a_requirement_that_cannot_be_met_is_named(void **state)
{
	(void)state;
	put_header(BIT(2));
	assert_refused(E_NOEXEC, "requires a video mode (header flag 2): there is no display");
	put_header(BIT(15) | BIT(0));
	assert_refused(E_NOEXEC, "requires what header flag 15 stands for, which is unknown");
}

static void another_kind_of_elf_is_named(void **state)
{
	(void)state;
	image[E_CLASS] = 2;
	assert_refused(E_NOEXEC, "a 64-bit ELF file: Multiboot takes 32-bit ones (objcopy -O elf32-i386)");
	image[E_CLASS] = 0;
	assert_refused(E_NOEXEC, "not a 32-bit little-endian ELF file: class 0, data 1");
	image[E_CLASS] = 1;
	image[E_DATA] = 2;
	assert_refused(E_NOEXEC, "not a 32-bit little-endian ELF file: class 1, data 2");
	image[E_DATA] = 1;
	put16(E_MACHINE, 40);
	assert_refused(E_NOEXEC, "an ELF file for machine 40, not for the 386 (3)");
	put16(E_MACHINE, 3);
	put16(E_PHENTSIZE, 31);
	assert_refused(E_NOEXEC, "program headers of 31 bytes: they have 32");
}

static void a_short_file_is_named(void **state)
{
	(void)state;
	req.image_size = SEGMENT_AT + SEGMENT_SIZE - 1;
	assert_refused(E_NOEXEC, "truncated: segment 1 needs 768 bytes at 0x200, the file has 1279");
	segment(1, P_OFFSET, UINT32_MAX);
	assert_refused(E_NOEXEC, "truncated: segment 1 needs 768 bytes at 0xffffffff, the file has 1279");
	put32(E_PHOFF, 1279 - P_SIZE);
	assert_refused(E_NOEXEC, "truncated: program header 1 at 0x4ff is past the file's end");
	put32(E_PHOFF, UINT32_MAX);
	assert_refused(E_NOEXEC, "truncated: program header 0 at 0xffffffff is past the file's end");
	memmove(image + 16, image + HEADER_AT, 12);
	req.image_size = 40;
	assert_refused(E_NOEXEC, "truncated: the ELF header needs 52 bytes, the file has 40");
}

static void a_segment_outside_memory_is_named(void **state)
{
	(void)state;
	segment(1, P_PADDR, RAM_SIZE - SEGMENT_MEM + 1);
	assert_refused(E_NOMEM, "does not fit: segment 1 needs 1280 bytes of memory at 0x1ffb01, the guest has 2097152");
	segment(1, P_PADDR, 0xffffff00);
	assert_refused(E_NOMEM, "does not fit: segment 1 needs 1280 bytes of memory at 0xffffff00, the guest has 2097152");
	segment(1, P_MEMSZ, SEGMENT_SIZE - 1);
	assert_refused(E_NOEXEC, "segment 1 has 768 bytes in the file but 767 in memory");
}

static void an_entry_point_outside_the_image_is_named(void **state)
{
	(void)state;
	put32(E_ENTRY, LOAD_AT + SEGMENT_MEM);
	assert_refused(E_NOEXEC, "entry point 0x100500 is in no segment");
	put32(E_ENTRY, LOAD_AT - 1);
	assert_refused(E_NOEXEC, "entry point 0xfffff is in no segment");
	put16(E_PHNUM, 1);
	assert_refused(E_NOEXEC, "no segment to load");
}

static void load_addresses_that_make_no_sense_are_named(void **state)
{
	(void)state;
	put_addresses(0x110000, 0x110001, 0, 0, 0x110001);
	assert_refused(E_NOEXEC, "load address 0x110001 lies before the file when the header is at 0x110000");
	put_addresses(0x110000, 0x110000 - HEADER_AT - 1, 0, 0, 0x110000);
	assert_refused(E_NOEXEC, "load address 0x10feff lies before the file when the header is at 0x110000");
	put_addresses(0x110000, 0x110000, 0x10ffff, 0, 0x110000);
	assert_refused(E_NOEXEC, "load end 0x10ffff is below load address 0x110000");
	put_addresses(0x110000, 0x110000, 0x110010, 0x11000f, 0x110000);
	assert_refused(E_NOEXEC, "bss end 0x11000f is below load end 0x110010");
	put_addresses(0x110000, 0x110000, 0x111000, 0, 0x110000);
	assert_refused(E_NOEXEC, "truncated: the image needs 4096 bytes at 0x100, the file has 1536");
	put_addresses(0x110000, 0x110000, 0x110010, RAM_SIZE + 1, 0x110000);
	assert_refused(E_NOMEM, "does not fit: the image needs 983041 bytes of memory at 0x110000, the guest has 2097152");
	put_addresses(0x110000, 0x110000, 0x110010, 0, 0x110010);
	assert_refused(E_NOEXEC, "entry point 0x110010 is not in the image");
	put_addresses(0x110000, 0x110000, 0x110010, 0, 0x110000);
	req.image_size = HEADER_AT + 31;
	assert_refused(E_NOEXEC, "truncated: the load addresses of header flag 16 are missing");
}

static void too_little_memory_is_named(void **state)
{
	struct mb_module module = { .data = ram, .size = RAM_SIZE };
	(void)state;

	req.modules = &module;
	req.module_count = 1;
	assert_refused(E_NOMEM, "does not fit: module 0 needs 2097152 bytes of memory at 0x101000, the guest has 2097152");
	module.size = SIZE_MAX;
	assert_int_equal(multiboot_load(&req, &entry, err, sizeof(err)), E_NOMEM);
	req.module_count = 0;
	put32(E_ENTRY, 0);
	segment(1, P_VADDR, 0);
	segment(1, P_PADDR, 0);
	segment(1, P_MEMSZ, RAM_SIZE - 0x80);
	assert_refused(E_NOMEM, "does not fit: needs 2097230 bytes of memory, the guest has 2097152");
	req.ram_size = 0x100000;
	assert_refused(E_NOMEM, "does not fit: needs more than 1048576 bytes of memory, the guest has 1048576");
}

/* ---- anything else ---- */

static uint32_t rnd(uint64_t *s)
{
	*s ^= *s >> 12;
	*s ^= *s << 25;
	*s ^= *s >> 27;
	return (uint32_t)(*s * 0x2545f4914f6cdd1dull >> 32);
}

static void mutate(uint8_t *buf, size_t size, uint64_t *seed)
{
	static const uint32_t values[] = { 0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffff000, RAM_SIZE, LOAD_AT, FILE_SIZE };
	/* Mostly where the structures are. */
	uint32_t at = rnd(seed) % 8 ? rnd(seed) % (E_END + 2 * P_SIZE) : HEADER_AT + rnd(seed) % 32;

	if (at + 4 > size)
		return;
	switch (rnd(seed) % 3) {
	case 0:
		buf[at] ^= (uint8_t)BIT(rnd(seed) % 8);
		break;
	case 1:
		memcpy(buf + at, &values[rnd(seed) % ARRAY_SIZE(values)], 4);
		break;
	default:
		buf[at] = (uint8_t)rnd(seed);
	}
}

/* The image lies in a block of exactly its size and so does memory: the sanitizer sees every step beyond. */
static void no_image_makes_the_loader_leave_the_file_or_memory(void **state)
{
	uint64_t seed = 0x1234567;
	unsigned loaded = 0;
	(void)state;

	for (unsigned i = 0; i < MUTATIONS; i++) {
		size_t size = rnd(&seed) % 4 ? FILE_SIZE : rnd(&seed) % FILE_SIZE;
		uint8_t *copy = malloc(size ? size : 1);

		memcpy(copy, image, size);
		if (i % 2 && size > HEADER_AT + 32) {
			static const uint32_t flat[] = { MAGIC, BIT(16), 0u - MAGIC - BIT(16), 0x110000, 0x110000, 0x110100,
							 0x110200, 0x110000 };

			memcpy(copy + HEADER_AT, flat, sizeof(flat));
		}
		for (unsigned n = rnd(&seed) % 4; n; n--)
			mutate(copy, size, &seed);
		req.image = copy;
		req.image_size = size;
		memset(err, 0x5a, sizeof(err));
		if (multiboot_load(&req, &entry, err, sizeof(err)) == 0) {
			loaded++;
			assert_true(entry.eip < RAM_SIZE && entry.ebx < RAM_SIZE);
		} else {
			assert_non_null(memchr(err, 0, sizeof(err)));
			assert_true(err[0] >= 'a' && err[0] <= 'z');
		}
		free(copy);
	}
	/* Both ways were taken. */
	assert_in_range(loaded, MUTATIONS / 10, MUTATIONS * 9 / 10);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(the_machine_state_is_the_specifications),
		T(a_segment_is_copied_and_its_bss_is_zeroed),
		T(the_entry_point_is_virtual_and_the_guest_starts_at_the_physical_one),
		T(the_information_describes_memory),
		T(modules_are_page_aligned_behind_the_image),
		T(the_information_overlaps_nothing),
		T(information_too_large_for_low_memory_goes_behind_the_image),
		T(load_addresses_go_before_elf),
		T(a_load_end_of_zero_means_the_whole_file),
		T(the_header_must_end_within_8192_bytes),
		T(flags_that_do_not_require_anything_are_ignored),
		T(what_is_no_image_is_named),
		T(a_requirement_that_cannot_be_met_is_named),
		T(another_kind_of_elf_is_named),
		T(a_short_file_is_named),
		T(a_segment_outside_memory_is_named),
		T(an_entry_point_outside_the_image_is_named),
		T(load_addresses_that_make_no_sense_are_named),
		T(too_little_memory_is_named),
		T(no_image_makes_the_loader_leave_the_file_or_memory),
	};

	return cmocka_run_group_tests_name("multiboot", tests, NULL, NULL);
}
