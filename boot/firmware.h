/* SPDX-License-Identifier: BSD-2-Clause
 * What the application keeps of the firmware: its tables and its own image.
 * Knows nothing of what is asked of them. */
#pragma once

#include <efi.h>

struct firmware {
	EFI_HANDLE image;
	EFI_SYSTEM_TABLE *st;
	EFI_BOOT_SERVICES *bs;
	EFI_LOADED_IMAGE *loaded;
};
