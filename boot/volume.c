/* SPDX-License-Identifier: BSD-2-Clause
 * Files on the volume that the application was started from.
 * Knows nothing of what they hold. */
#include "boot/volume.h"

#include "boot/config.h"
#include "status.h"
#include "x86.h"

#define POSITION_END UINT64_MAX /* "seek request for end-of-file" */

void volume_open(struct volume *v, const struct firmware *fw)
{
	EFI_GUID guid = EFI_SIMPLE_FILE_SYSTEM_PROTOCOL_GUID;
	EFI_FILE_IO_INTERFACE *fs;

	v->root = NULL;
	if (!fw->loaded->DeviceHandle)
		return;
	if (EFI_ERROR(fw->bs->HandleProtocol(fw->loaded->DeviceHandle, &guid, (void **)&fs)))
		return;
	if (EFI_ERROR(fs->OpenVolume(fs, &v->root)))
		v->root = NULL;
}

void volume_close(struct volume *v)
{
	if (v->root)
		v->root->Close(v->root);
	v->root = NULL;
}

static EFI_STATUS open(struct volume *v, const char *path, UINT64 mode, UINT64 attributes, EFI_FILE_HANDLE *out)
{
	CHAR16 wide[CONFIG_PATH_SIZE];
	size_t n = 0;

	for (; path[n]; n++) {
		if (n == CONFIG_PATH_SIZE - 1)
			return EFI_INVALID_PARAMETER;
		wide[n] = path[n] == '/' ? '\\' : (CHAR16)path[n];
	}
	wide[n] = 0;
	return v->root->Open(v->root, out, wide, mode, attributes);
}

static int read_all(EFI_FILE_HANDLE f, struct memory *m, uint8_t **data, size_t *size)
{
	UINT64 end;
	UINTN n;

	/* A folder has no end to seek to. */
	if (EFI_ERROR(f->SetPosition(f, POSITION_END)) || EFI_ERROR(f->GetPosition(f, &end)) ||
	    EFI_ERROR(f->SetPosition(f, 0)))
		return E_IO;
	*data = memory_alloc(m, end + 1, PAGE_SIZE);
	if (!*data)
		return E_NOMEM;
	n = (UINTN)end;
	if (EFI_ERROR(f->Read(f, &n, *data)) || n != end)
		return E_IO;
	*size = n;
	return 0;
}

int volume_read(struct volume *v, const char *path, struct memory *m, uint8_t **data, size_t *size)
{
	EFI_FILE_HANDLE f;
	EFI_STATUS status;
	int err;

	if (!v->root)
		return E_NOENT;
	status = open(v, path, EFI_FILE_MODE_READ, 0, &f);
	if (EFI_ERROR(status))
		return status == EFI_NOT_FOUND || status == EFI_INVALID_PARAMETER ? E_NOENT : E_IO;
	err = read_all(f, m, data, size);
	f->Close(f);
	return err;
}

int volume_create(struct volume *v, const char *folder, const char *path, EFI_FILE_HANDLE *file)
{
	const UINT64 rw = EFI_FILE_MODE_READ | EFI_FILE_MODE_WRITE;
	EFI_FILE_HANDLE f;

	if (!v->root)
		return E_IO;
	if (EFI_ERROR(open(v, folder, rw | EFI_FILE_MODE_CREATE, EFI_FILE_DIRECTORY, &f)))
		return E_IO;
	f->Close(f);
	/* Delete closes the handle too. */
	if (!EFI_ERROR(open(v, path, rw, 0, &f)) && EFI_ERROR(f->Delete(f)))
		return E_IO;
	return EFI_ERROR(open(v, path, rw | EFI_FILE_MODE_CREATE, 0, file)) ? E_IO : 0;
}

int volume_append(EFI_FILE_HANDLE file, const void *data, size_t size)
{
	UINTN n = size;

	return EFI_ERROR(file->Write(file, &n, (void *)(uintptr_t)data)) || n != size ? E_IO : 0;
}
