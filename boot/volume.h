/* SPDX-License-Identifier: BSD-2-Clause
 * Files on the volume that the application was started from.
 * Knows nothing of what they hold. */
#pragma once

#include "boot/firmware.h"
#include "boot/memory.h"

struct volume {
	EFI_FILE_HANDLE root; /* NULL: started from something that is no volume */
};

void volume_open(struct volume *v, const struct firmware *fw);
void volume_close(struct volume *v);
/* The whole file, one NUL behind it. Paths take '/' as well as '\'. E_NOENT, E_NOMEM, E_IO. */
int volume_read(struct volume *v, const char *path, struct memory *m, uint8_t **data, size_t *size);
/* Creates the folder too, where missing; an old file of that name goes. E_IO. */
int volume_create(struct volume *v, const char *folder, const char *path, EFI_FILE_HANDLE *file);
int volume_append(EFI_FILE_HANDLE file, const void *data, size_t size);
