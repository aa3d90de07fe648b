/* SPDX-License-Identifier: BSD-2-Clause
 * The Multiboot 1 loader: an image, its command line and modules, into guest memory.
 * Knows nothing of files and of the vCPU that starts there.
 *
 * Nothing in the image is trusted: every range is checked against the file and against memory before it is touched.
 * Memory is laid out as: the image where it wants to be; modules, page-aligned, behind it and above 1 MiB; the
 * information structure and all it points to in one block below the image and the BIOS, or else behind the modules. */
#include "vmm/multiboot.h"

#include <string.h>

#include "status.h"
#include "vmm/bios.h"
#include "vmm/fmt.h"
#include "x86.h"

#define HEADER_MAGIC 0x1badb002u
#define LOADER_MAGIC 0x2badb002u
#define SEARCH_SIZE 8192u
#define SEARCH_ALIGN 4u
#define FLAG_VIDEO 2
#define FLAG_ADDRESSES 16
/* "Bits 0-15 indicate requirements; if the boot loader sees any of these bits set but doesn't understand the flag or
 * can't fulfill the requirements it indicates for some reason, it must notify the user and fail to load the OS image." Modules
 * are page-aligned and memory is described anyway. */
#define FLAGS_MET (BIT(0) | BIT(1))
#define FLAGS_REQUIRED MASK(15, 0)

#define INFO_MEMORY BIT(0)
#define INFO_CMDLINE BIT(2)
#define INFO_MODULES BIT(3)
#define INFO_MMAP BIT(6)
#define INFO_LOADER_NAME BIT(9)
#define MMAP_AVAILABLE 1
#define MMAP_RESERVED 2
#define MMAP_ENTRIES 3
#define INFO_ALIGN 16

#define KIB 1024u
#define LOW_END BIOS_LOW_END
#define HIGH_START 0x100000u
#define INFO_START 0x1000u  /* above the real-mode vectors */
#define MODULE_ALIGN PAGE_SIZE
#define ADDRESS_LIMIT BIT64(32)

#define EI_CLASS 4
#define EI_DATA 5
#define ELFCLASS32 1
#define ELFCLASS64 2
#define ELFDATA2LSB 1
#define EM_386 3
#define PT_LOAD 1
#define NAME_SIZE 24

static const char elf_magic[] = "\177ELF";
static const char loader_name[] = "intack";

struct mb_header {
	uint32_t magic, flags, checksum;
};

/* Present with flag 16, right behind the header. */
struct mb_addresses {
	uint32_t header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr;
};

struct mb_info {
	uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr, syms[4];
	uint32_t mmap_length, mmap_addr, drives_length, drives_addr, config_table, boot_loader_name, apm_table;
	uint32_t vbe[4];
	uint32_t framebuffer[7];
};
_Static_assert(sizeof(struct mb_info) == 116, "\"Boot information format\"");
CHECK_LAYOUT(struct mb_info, mmap_length, 44, "\"Boot information format\"");
CHECK_LAYOUT(struct mb_info, boot_loader_name, 64, "\"Boot information format\"");

struct mb_module_entry {
	uint32_t start, end, cmdline, reserved;
};

struct mb_mmap_entry {
	uint32_t size; /* of what follows */
	uint32_t base_low, base_high, length_low, length_high, type;
};

struct elf_header {
	uint8_t ident[16];
	uint16_t type, machine;
	uint32_t version, entry, phoff, shoff, flags;
	uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
_Static_assert(sizeof(struct elf_header) == 52, "ELF, \"ELF Header\"");

struct elf_segment {
	uint32_t type, offset, vaddr, paddr, filesz, memsz, flags, align;
};
_Static_assert(sizeof(struct elf_segment) == 32, "ELF, \"Program Header\"");

/* What happens while loading. */
struct loader {
	const struct mb_request *req;
	char *err;
	size_t err_size;
	uint32_t header_at;
	struct mb_header header;
	uint64_t image_start; /* below everything loaded so far */
	uint64_t image_end;   /* above it; the modules count, too */
	uint32_t entry;
	bool entry_known;
};

#define FAIL(l, status, ...) (fmt((l)->err, (l)->err_size, __VA_ARGS__), (status))

static bool fits(uint64_t offset, uint64_t len, uint64_t size)
{
	return offset <= size && len <= size - offset;
}

static uint64_t align_up(uint64_t v, uint64_t align)
{
	return (v + align - 1) / align * align;
}

static uint64_t memory_end(const struct loader *l)
{
	return min_u64(l->req->ram_size, ADDRESS_LIMIT);
}

/* Takes a structure out of the image, aligned or not. */
static bool peek(const struct loader *l, uint64_t offset, void *out, size_t len)
{
	if (!fits(offset, len, l->req->image_size))
		return false;
	memcpy(out, l->req->image + offset, len);
	return true;
}

/* ---- header ---- */

/* "The Multiboot header must be contained completely within the first 8192 bytes of the OS image, and must be longword
 * (32-bit) aligned." */
static bool find_header(struct loader *l)
{
	uint64_t end = min_u64(l->req->image_size, SEARCH_SIZE);

	for (uint32_t at = 0; fits(at, sizeof(l->header), end); at += SEARCH_ALIGN) {
		if (!peek(l, at, &l->header, sizeof(l->header)))
			return false;
		if (l->header.magic == HEADER_MAGIC && !(l->header.magic + l->header.flags + l->header.checksum)) {
			l->header_at = at;
			return true;
		}
	}
	return false;
}

static bool is_elf(const struct loader *l)
{
	return l->req->image_size >= sizeof(elf_magic) - 1 && !memcmp(l->req->image, elf_magic, sizeof(elf_magic) - 1);
}

static int check_header(struct loader *l)
{
	uint32_t unmet;

	if (!find_header(l)) {
		if (!is_elf(l))
			return FAIL(l, E_NOEXEC, "not an ELF file");
		return FAIL(l, E_NOEXEC, "no multiboot header in the first %u bytes", SEARCH_SIZE);
	}
	unmet = l->header.flags & FLAGS_REQUIRED & ~FLAGS_MET;
	if (unmet & BIT(FLAG_VIDEO))
		return FAIL(l, E_NOEXEC, "requires a video mode (header flag %u): there is no display", FLAG_VIDEO);
	if (unmet)
		return FAIL(l, E_NOEXEC, "requires what header flag %d stands for, which is unknown", ffs64(unmet));
	return 0;
}

/* ---- image ---- */

/* One piece of the image to memory, its bss zeroed. */
static int load_piece(struct loader *l, const char *name, uint64_t offset, uint64_t filesz, uint64_t addr, uint64_t memsz)
{
	const struct mb_request *req = l->req;

	if (filesz > memsz)
		return FAIL(l, E_NOEXEC, "%s has %llu bytes in the file but %llu in memory", name,
			    (unsigned long long)filesz, (unsigned long long)memsz);
	if (!fits(offset, filesz, req->image_size))
		return FAIL(l, E_NOEXEC, "truncated: %s needs %llu bytes at %#llx, the file has %llu", name,
			    (unsigned long long)filesz, (unsigned long long)offset,
			    (unsigned long long)req->image_size);
	if (!fits(addr, memsz, memory_end(l)))
		return FAIL(l, E_NOMEM, "does not fit: %s needs %llu bytes of memory at %#llx, the guest has %llu", name,
			    (unsigned long long)memsz, (unsigned long long)addr, (unsigned long long)req->ram_size);
	memcpy(req->ram + addr, req->image + offset, filesz);
	memset(req->ram + addr + filesz, 0, memsz - filesz);
	l->image_start = min_u64(l->image_start, addr);
	if (addr + memsz > l->image_end)
		l->image_end = addr + memsz;
	return 0;
}

/* "a.out kludge": the header says where the image goes. */
static int load_by_addresses(struct loader *l)
{
	struct mb_addresses a;
	uint64_t offset, filesz, memsz;

	if (!fits(l->header_at + sizeof(l->header), sizeof(a), SEARCH_SIZE) ||
	    !peek(l, l->header_at + sizeof(l->header), &a, sizeof(a)))
		return FAIL(l, E_NOEXEC, "truncated: the load addresses of header flag %u are missing", FLAG_ADDRESSES);
	if (a.load_addr > a.header_addr || a.header_addr - a.load_addr > l->header_at)
		return FAIL(l, E_NOEXEC, "load address %#x lies before the file when the header is at %#x", a.load_addr,
			    a.header_addr);
	offset = l->header_at - (a.header_addr - a.load_addr);
	if (a.load_end_addr && a.load_end_addr < a.load_addr)
		return FAIL(l, E_NOEXEC, "load end %#x is below load address %#x", a.load_end_addr, a.load_addr);
	/* "If this field is zero, the boot loader assumes that the text and data segments occupy the whole OS image
	 * file." */
	filesz = a.load_end_addr ? a.load_end_addr - a.load_addr : l->req->image_size - offset;
	memsz = filesz;
	if (a.bss_end_addr && a.bss_end_addr < a.load_addr + filesz)
		return FAIL(l, E_NOEXEC, "bss end %#x is below load end %#llx", a.bss_end_addr,
			    (unsigned long long)(a.load_addr + filesz));
	if (a.bss_end_addr)
		memsz = a.bss_end_addr - a.load_addr;
	l->entry = a.entry_addr;
	if (a.entry_addr < a.load_addr || a.entry_addr - a.load_addr >= memsz)
		return FAIL(l, E_NOEXEC, "entry point %#x is not in the image", a.entry_addr);
	return load_piece(l, "the image", offset, filesz, a.load_addr, memsz);
}

/* The entry point is given as the segments' virtual address; the guest starts without paging. */
static void find_entry(struct loader *l, const struct elf_segment *s, uint32_t entry)
{
	if (!l->entry_known && entry >= s->vaddr && entry - s->vaddr < s->memsz) {
		l->entry = entry - s->vaddr + s->paddr;
		l->entry_known = true;
	}
}

static int load_segments(struct loader *l, const struct elf_header *e)
{
	struct elf_segment s;
	char name[NAME_SIZE];
	int r;

	for (unsigned i = 0; i < e->phnum; i++) {
		if (!peek(l, e->phoff + (uint64_t)i * e->phentsize, &s, sizeof(s)))
			return FAIL(l, E_NOEXEC, "truncated: program header %u at %#llx is past the file's end", i,
				    e->phoff + (unsigned long long)i * e->phentsize);
		if (s.type != PT_LOAD || !s.memsz)
			continue;
		fmt(name, sizeof(name), "segment %u", i);
		r = load_piece(l, name, s.offset, s.filesz, s.paddr, s.memsz);
		if (r)
			return r;
		find_entry(l, &s, e->entry);
	}
	return 0;
}

static int load_elf(struct loader *l)
{
	struct elf_header e;
	int r;

	if (!is_elf(l))
		return FAIL(l, E_NOEXEC, "not an ELF file");
	if (!peek(l, 0, &e, sizeof(e)))
		return FAIL(l, E_NOEXEC, "truncated: the ELF header needs %zu bytes, the file has %zu", sizeof(e),
			    l->req->image_size);
	if (e.ident[EI_CLASS] == ELFCLASS64)
		return FAIL(l, E_NOEXEC, "a 64-bit ELF file: Multiboot takes 32-bit ones (objcopy -O elf32-i386)");
	if (e.ident[EI_CLASS] != ELFCLASS32 || e.ident[EI_DATA] != ELFDATA2LSB)
		return FAIL(l, E_NOEXEC, "not a 32-bit little-endian ELF file: class %u, data %u", e.ident[EI_CLASS],
			    e.ident[EI_DATA]);
	if (e.machine != EM_386)
		return FAIL(l, E_NOEXEC, "an ELF file for machine %u, not for the 386 (%u)", e.machine, EM_386);
	if (e.phentsize < sizeof(struct elf_segment))
		return FAIL(l, E_NOEXEC, "program headers of %u bytes: they have %zu", e.phentsize,
			    sizeof(struct elf_segment));
	r = load_segments(l, &e);
	if (r)
		return r;
	if (!l->image_end)
		return FAIL(l, E_NOEXEC, "no segment to load");
	return l->entry_known ? 0 : FAIL(l, E_NOEXEC, "entry point %#x is in no segment", e.entry);
}

/* ---- what the image is told ---- */

/* The information block: first measured with `at` NULL, then written. */
struct block {
	uint8_t *at;
	uint64_t base; /* guest-physical */
	uint64_t len;
};

/* Appends to the block; returns the guest-physical address. */
static uint32_t put(struct block *b, const void *data, size_t len)
{
	uint64_t address = b->base + b->len;

	if (b->at)
		memcpy(b->at + b->len, data, len);
	b->len += len;
	return (uint32_t)address;
}

static uint32_t put_text(struct block *b, const char *text)
{
	size_t len = 0;

	while (text && text[len])
		len++;
	return put(b, len ? text : "", len + 1);
}

static uint32_t put_mmap(struct block *b, uint64_t memory)
{
	struct mb_mmap_entry map[MMAP_ENTRIES] = {
		{ .length_low = LOW_END, .type = MMAP_AVAILABLE },
		{ .base_low = LOW_END, .length_low = HIGH_START - LOW_END, .type = MMAP_RESERVED },
		{ .base_low = HIGH_START, .length_low = (uint32_t)(memory - HIGH_START), .type = MMAP_AVAILABLE },
	};

	for (unsigned i = 0; i < MMAP_ENTRIES; i++)
		map[i].size = sizeof(map[i]) - sizeof(map[i].size);
	return put(b, map, sizeof(map));
}

static uint64_t module_address(uint64_t end)
{
	return align_up(end, MODULE_ALIGN);
}

/* The list must be in one piece: its texts come behind it. */
static uint32_t put_modules(struct block *b, const struct mb_request *req, uint64_t at)
{
	struct block texts = *b;
	uint32_t list = (uint32_t)(b->base + b->len);

	texts.len += (uint64_t)req->module_count * sizeof(struct mb_module_entry);
	for (uint32_t i = 0; i < req->module_count; i++) {
		struct mb_module_entry e = { .start = (uint32_t)module_address(at) };

		at = module_address(at) + req->modules[i].size;
		e.end = (uint32_t)at;
		e.cmdline = put_text(&texts, req->modules[i].cmdline);
		put(b, &e, sizeof(e));
	}
	*b = texts;
	return list;
}

/* Everything but its own place: the structure itself comes first. */
static void put_info(struct block *b, const struct loader *l, uint64_t modules_at)
{
	const struct mb_request *req = l->req;
	uint64_t memory = memory_end(l);
	struct mb_info info = {
		.flags = INFO_MEMORY | INFO_CMDLINE | INFO_MODULES | INFO_MMAP | INFO_LOADER_NAME,
		.mem_lower = LOW_END / KIB,
		.mem_upper = (uint32_t)((memory - HIGH_START) / KIB),
		.mods_count = req->module_count,
		.mmap_length = MMAP_ENTRIES * sizeof(struct mb_mmap_entry),
	};

	put(b, &info, sizeof(info));
	info.mmap_addr = put_mmap(b, memory);
	info.mods_addr = put_modules(b, req, modules_at);
	info.cmdline = put_text(b, req->cmdline);
	info.boot_loader_name = put_text(b, loader_name);
	if (b->at)
		memcpy(b->at, &info, sizeof(info));
}

static int load_modules(struct loader *l)
{
	const struct mb_request *req = l->req;

	for (uint32_t i = 0; i < req->module_count; i++) {
		const struct mb_module *m = &req->modules[i];
		uint64_t at = module_address(l->image_end);

		if (!fits(at, m->size, memory_end(l)))
			return FAIL(l, E_NOMEM, "does not fit: module %u needs %zu bytes of memory at %#llx, the guest has %llu",
				    i, m->size, (unsigned long long)at, (unsigned long long)req->ram_size);
		if (m->size)
			memcpy(req->ram + at, m->data, m->size);
		l->image_end = at + m->size;
	}
	return 0;
}

static int load_info(struct loader *l, uint64_t modules_at, uint32_t *address)
{
	const struct mb_request *req = l->req;
	uint64_t low_end = min_u64(l->image_start, LOW_END);
	struct block b = { 0 };

	put_info(&b, l, modules_at);
	b.base = fits(INFO_START, b.len, low_end) ? INFO_START : align_up(l->image_end, INFO_ALIGN);
	if (!fits(b.base, b.len, memory_end(l)))
		return FAIL(l, E_NOMEM, "does not fit: needs %llu bytes of memory, the guest has %llu",
			    (unsigned long long)(b.base + b.len), (unsigned long long)req->ram_size);
	b.at = req->ram + b.base;
	b.len = 0;
	put_info(&b, l, modules_at);
	*address = (uint32_t)b.base;
	return 0;
}

int multiboot_load(const struct mb_request *req, struct mb_entry *out, char *err, size_t err_size)
{
	struct loader l = { .req = req, .err = err, .err_size = err_size, .image_start = UINT64_MAX };
	uint64_t modules_at;
	int r;

	if (req->ram_size <= HIGH_START)
		return FAIL(&l, E_NOMEM, "does not fit: needs more than %u bytes of memory, the guest has %llu", HIGH_START,
			    (unsigned long long)req->ram_size);
	r = check_header(&l);
	if (!r)
		r = l.header.flags & BIT(FLAG_ADDRESSES) ? load_by_addresses(&l) : load_elf(&l);
	if (r)
		return r;
	if (l.image_end < HIGH_START)
		l.image_end = HIGH_START;
	modules_at = l.image_end;
	r = load_modules(&l);
	if (!r)
		r = load_info(&l, modules_at, &out->ebx);
	if (r)
		return r;
	out->eip = l.entry;
	out->eax = LOADER_MAGIC;
	return 0;
}
