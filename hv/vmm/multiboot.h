/* SPDX-License-Identifier: BSD-2-Clause
 * The Multiboot 1 loader: an image, its command line and modules, into guest memory.
 * Knows nothing of files and of the vCPU that starts there. */
#pragma once

#include "types.h"

struct mb_module {
	const uint8_t *data;
	size_t size;
	const char *cmdline; /* NULL: "" */
};

struct mb_request {
	const uint8_t *image;
	size_t image_size;
	const char *cmdline; /* NULL: "" */
	const struct mb_module *modules;
	uint32_t module_count;
	uint8_t *ram; /* guest memory from address 0 */
	uint64_t ram_size;
};

/* The machine state: EAX "must contain the magic value '0x2BADB002'", EBX "must contain the 32-bit physical address of
 * the Multiboot information structure" (Multiboot Specification 0.6.96, as all quotations). */
struct mb_entry {
	uint32_t eip, eax, ebx;
};

/* Loads ELF32 images and those that give their load addresses in the header (flag 16, which goes before ELF).
 * 0, or an enum status with one line in `err` that names what is wrong; guest memory may have been written then. */
int multiboot_load(const struct mb_request *req, struct mb_entry *out, char *err, size_t err_size);
