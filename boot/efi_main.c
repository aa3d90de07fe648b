/* SPDX-License-Identifier: BSD-2-Clause
 * The UEFI application: reads its configuration, gets memory and the guest, does one run, leaves the report behind.
 * Knows nothing of how a run works. */
#include "boot/clock.h"
#include "boot/firmware.h"
#include "boot/memory.h"
#include "boot/run.h"
#include "boot/trace_file.h"
#include "boot/volume.h"
#include "status.h"
#include "x86.h"

#define MIB (1024ull * 1024)
#define FOLDER "\\intack"
#define CONFIG_FILE_NAME FOLDER "\\intack.cfg"
#define REPORT_FILE_NAME FOLDER "\\report.ktap"
#define TRACE_FILE_NAME FOLDER "\\trace.txt"
#define REPORT_SIZE (4 * MIB)
#define TRACE_RECORDS 65536
/* Nested page tables take a page for 2 MiB of guest memory; the rest is for everything else. */
#define POOL_SIZE(ram) (8 * MIB + (ram) / 512)
#define RAM_ALIGN (2 * MIB)

struct app {
	struct firmware fw;
	struct volume volume;
	struct memory memory;
	struct report report;
	struct config config;
	struct page_pool pages;
	struct trace trace;
	struct intack_env env;
};

/* guest_image.S */
extern const uint8_t guest_image[];
extern const uint64_t guest_image_size;

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *st);

static int get_report_buffer(struct app *a)
{
	char *buf = memory_alloc(&a->memory, REPORT_SIZE, PAGE_SIZE);

	if (!buf) {
		report_error(&a->report, "out of memory: %llu KiB for the report", REPORT_SIZE / 1024);
		return E_NOMEM;
	}
	report_set_buffer(&a->report, buf, REPORT_SIZE);
	return 0;
}

static int parse_file(struct app *a, char *text)
{
	char error[CONFIG_ERROR_SIZE];
	uint8_t *data;
	size_t size;
	int err = volume_read(&a->volume, CONFIG_FILE_NAME, &a->memory, &data, &size);

	if (err == E_NOENT)
		return 0;
	if (!err)
		err = config_text_from_file(data, size, text);
	if (err) {
		report_error(&a->report, CONFIG_FILE_NAME ": %s", err == E_NOMEM ? "too long" : "cannot be read as text");
		return err;
	}
	err = config_parse(&a->config, CONFIG_FILE, text, error);
	if (err)
		report_error(&a->report, CONFIG_FILE_NAME ": %s", error);
	return err;
}

static int parse_load_options(struct app *a, char *text)
{
	char error[CONFIG_ERROR_SIZE];
	int err = config_text_from_load_options(a->fw.loaded->LoadOptions, a->fw.loaded->LoadOptionsSize, text);

	if (err == E_NOMEM) {
		report_error(&a->report, "load options: too long");
		return err;
	}
	if (err) {
		report_printf(&a->report, "# intack: load options are not text: ignored\n");
		return 0;
	}
	err = config_parse(&a->config, CONFIG_LOAD_OPTIONS, text, error);
	if (err)
		report_error(&a->report, "load options: %s", error);
	return err;
}

static int load_config(struct app *a)
{
	char *text = memory_alloc(&a->memory, CONFIG_TEXT_SIZE, PAGE_SIZE);
	int err = text ? parse_file(a, text) : E_NOMEM;

	if (!err)
		err = parse_load_options(a, text);
	/* Nobody reads the screen of an emulator that ends by itself, and its serial port is read once: here. */
	a->report.serial_only = a->config.poweroff && a->report.com1;
	return err;
}

static int load_file(struct app *a, const char *what, const char *path, const uint8_t **data, size_t *size)
{
	uint8_t *bytes;
	int err = volume_read(&a->volume, path, &a->memory, &bytes, size);

	*data = bytes;
	if (err == E_NOENT)
		report_error(&a->report, "%s=%s: no such file on the volume", what, path);
	else if (err == E_NOMEM)
		report_error(&a->report, "%s=%s: out of memory", what, path);
	else if (err)
		report_error(&a->report, "%s=%s: cannot be read", what, path);
	return err;
}

static int load_guest(struct app *a)
{
	const struct config *c = &a->config;

	a->env.in.good = guest_image;
	a->env.in.good_size = guest_image_size;
	if (c->guest[0])
		return load_file(a, "guest", c->guest, &a->env.in.guest, &a->env.in.guest_size);
	a->env.in.guest_built_in = true;
	a->env.in.guest = a->env.in.good;
	a->env.in.guest_size = a->env.in.good_size;
	return 0;
}

static int load_modules(struct app *a)
{
	const struct config *c = &a->config;
	int err = 0;

	for (uint32_t i = 0; i < c->modules && !err; i++) {
		struct suite_module *m = &a->env.in.module[i];

		m->path = c->module[i].path;
		m->args = c->module[i].args;
		err = load_file(a, "module", m->path, &m->data, &m->size);
	}
	a->env.in.modules = c->modules;
	return err;
}

static int get_trace(struct app *a)
{
	if (!a->config.trace)
		return 0;
	a->trace.size = TRACE_RECORDS;
	a->trace.ring = memory_alloc(&a->memory, TRACE_RECORDS * sizeof(*a->trace.ring), PAGE_SIZE);
	a->env.in.trace = &a->trace;
	return a->trace.ring ? 0 : E_NOMEM;
}

static int get_memory(struct app *a)
{
	uint64_t ram = a->config.mem * MIB;

	a->env.in.ram = memory_alloc(&a->memory, ram, RAM_ALIGN);
	a->env.in.ram_size = ram;
	a->pages.next = memory_alloc(&a->memory, POOL_SIZE(ram), PAGE_SIZE);
	a->pages.end = a->pages.next + POOL_SIZE(ram);
	a->env.pages = &a->pages;
	if (a->env.in.ram && a->pages.next && !get_trace(a))
		return 0;
	report_error(&a->report, "out of memory: mem=%u: the firmware has no %u MiB in one piece", a->config.mem,
		     a->config.mem);
	return E_NOMEM;
}

static int measure_clock(struct app *a)
{
	int err = clock_measure(&a->fw, &a->env.clock);

	a->env.in.unix_seconds = clock_unix_seconds(&a->fw);
	if (err)
		report_error(&a->report, "no usable local APIC timer");
	return err;
}

static int prepare(struct app *a)
{
	int err = get_report_buffer(a);

	if (!err)
		err = load_config(a);
	if (!err)
		err = load_guest(a);
	if (!err)
		err = load_modules(a);
	if (!err)
		err = get_memory(a);
	return err ? err : measure_clock(a);
}

static int run(struct app *a)
{
	const struct config *c = &a->config;
	const char *posted = "";

	cpu_probe(&a->env.cpu);
	config_choose_vid(&a->config, cpu_has_vid(&a->env.cpu));
	if (c->vid == CONFIG_VID_ON)
		posted = cpu_has_posting(&a->env.cpu) ? " posted=on" : " posted=off";
	report_printf(&a->report,
		      "# intack: rule=%s irqchip=%s vid=%s%s cpu=%s l0=%s mem=%u seed=%lu tsc_khz=%lu lapic_khz=%lu\n",
		      config_rule_name(c->rule), config_irqchip_name(c->irqchip), config_vid_name(c->vid), posted,
		      cpu_name(&a->env.cpu), c->l0[0] ? c->l0 : "unknown", c->mem, c->seed, a->env.clock.tsc_khz,
		      a->env.clock.lapic_khz);
	return intack_run(&a->env, &a->report);
}

static int write_file(struct app *a, const char *path, bool is_trace)
{
	EFI_FILE_HANDLE f;
	int err = volume_create(&a->volume, FOLDER, path, &f);

	if (err)
		return err;
	err = is_trace ? trace_file_write(&a->trace, f) : volume_append(f, a->report.buf, a->report.len);
	/* Close cannot fail, and it flushes. */
	f->Close(f);
	return err;
}

/* What is said from here on comes too late for the file. */
static void leave_report(struct app *a)
{
	if (!a->report.buf)
		return;
	if (a->report.lost)
		report_printf(&a->report, "# intack: report full: %zu bytes lost\n", a->report.lost);
	if (!a->report.serial_only)
		report_summary(&a->report);
	if (write_file(a, REPORT_FILE_NAME, false))
		report_printf(&a->report, "# intack: " REPORT_FILE_NAME " cannot be written\n");
	if (a->trace.ring && write_file(a, TRACE_FILE_NAME, true))
		report_printf(&a->report, "# intack: " TRACE_FILE_NAME " cannot be written\n");
}

static EFI_STATUS efi_status(int result)
{
	switch (result) {
	case EMULATOR_OK:
		return EFI_SUCCESS;
	case EMULATOR_DEADLINE:
		return EFI_TIMEOUT;
	case E_INVAL:
		return EFI_INVALID_PARAMETER;
	case E_NODEV:
		return EFI_UNSUPPORTED;
	case E_NOMEM:
		return EFI_OUT_OF_RESOURCES;
	case E_NOEXEC:
		return EFI_LOAD_ERROR;
	case E_NOENT:
		return EFI_NOT_FOUND;
	case E_IO:
		return EFI_DEVICE_ERROR;
	default:
		return EFI_ABORTED;
	}
}

/* Returns only if nothing could end the machine. An emulator may have no way to hand the status on: so it is said too. */
static void power_off(struct app *a, int result)
{
	enum emulator_status status = result < 0 ? EMULATOR_BENCH : (enum emulator_status)result;

	report_printf(&a->report, "# intack: status %d\n", status);
	emulator_exit(status);
	a->fw.st->RuntimeServices->ResetSystem(EfiResetShutdown, efi_status(result), 0, NULL);
}

static void disable_watchdog(struct app *a)
{
	/* The boot manager allows an application five minutes; we have a deadline of our own. */
	a->fw.bs->SetWatchdogTimer(0, 0, 0, NULL);
}

static EFI_STATUS find_image(struct app *a)
{
	EFI_GUID guid = EFI_LOADED_IMAGE_PROTOCOL_GUID;

	return a->fw.bs->HandleProtocol(a->fw.image, &guid, (void **)&a->fw.loaded);
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *st)
{
	struct app a = { .fw = { .image = image, .st = st, .bs = st->BootServices } };
	EFI_STATUS status = find_image(&a);
	int result;

	if (EFI_ERROR(status))
		return status;
	a.memory.bs = a.fw.bs;
	a.env.in.config = &a.config;
	disable_watchdog(&a);
	config_init(&a.config);
	report_init(&a.report, st->ConOut);
	volume_open(&a.volume, &a.fw);
	result = prepare(&a);
	if (!result)
		result = run(&a);
	leave_report(&a);
	volume_close(&a.volume);
	if (a.config.poweroff)
		power_off(&a, result);
	memory_free_all(&a.memory);
	return efi_status(result);
}
