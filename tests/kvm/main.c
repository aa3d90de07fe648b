/* SPDX-License-Identifier: BSD-2-Clause
 * The KVM runner: Intack's guest and Intack's user half on the vCPU of Linux KVM, with the words of the UEFI application.
 * Knows nothing of how a vCPU runs. */
#define _GNU_SOURCE
#include <cpuid.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "boot/suite.h"
#include "status.h"
#include "tests/kvm/files.h"
#include "tests/kvm/kvcpu.h"
#include "tests/kvm/tsc.h"
#include "vmm/fmt.h"

#define MIB (1024ull * 1024)
#define TRACE_RECORDS 65536
#define TRACE_FILE "trace.txt"
#define MODULE_FOLDER "/sys/module/"
#define CPUID_HV_VENDOR 0x40000000u

struct app {
	struct suite suite;
	struct report report;
	struct config config;
	struct suite_input in;
	struct trace trace;
	struct tsc_clock tsc; /* the machine's own */
	struct vm vm;
	struct kvcpu vcpu;
	uint64_t kvm_total[KSTATS];
};

/* boot/guest_image.S */
extern const uint8_t guest_image[];
extern const uint64_t guest_image_size;

/* ---- words ---- */

/* The parser takes one text; a word of the command line may hold what the text would take for its own. */
static size_t quote(char *to, size_t size, const char *word)
{
	size_t n = 0;

	for (; *word; word++) {
		const char *q = *word == '\'' ? "\"" : "'";

		n += fmt(to + min_u64(n, size), size - min_u64(n, size), "%s%c%s", q, *word, q);
	}
	return n + fmt(to + min_u64(n, size), size - min_u64(n, size), " ");
}

static int parse(struct app *a, int argc, char **argv)
{
	static char text[4 * CONFIG_TEXT_SIZE];
	char error[CONFIG_ERROR_SIZE];
	size_t n = 0;
	int err;

	config_init(&a->config);
	/* The rule is KVM's own; the word says which one this kernel has. */
	a->config.rule = IRQ_RULE_BOUNDARY;
	for (int i = 1; i < argc; i++)
		n += quote(text + min_u64(n, sizeof(text)), sizeof(text) - min_u64(n, sizeof(text)), argv[i]);
	if (n >= sizeof(text)) {
		report_error(&a->report, "words: too long");
		return E_INVAL;
	}
	err = config_parse(&a->config, CONFIG_LOAD_OPTIONS, text, error);
	if (err)
		report_error(&a->report, "%s", error);
	return err;
}

/* ---- the platform ---- */

static const char *kvm_module(void)
{
	static const char *const names[] = { "kvm_intel", "kvm_amd" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char path[64];

		fmt(path, sizeof(path), MODULE_FOLDER "%s", names[i]);
		if (!access(path, F_OK))
			return names[i];
	}
	return "kvm";
}

static bool on_tcg(void)
{
	static const char name[] = "TCGTCGTCGTCG";
	uint32_t a, b, c, d;
	char vendor[3 * sizeof(uint32_t)];

	__cpuid(CPUID_HV_VENDOR, a, b, c, d);
	memcpy(vendor, &b, sizeof(b));
	memcpy(vendor + sizeof(b), &c, sizeof(c));
	memcpy(vendor + sizeof(b) + sizeof(c), &d, sizeof(d));
	return !memcmp(vendor, name, sizeof(vendor));
}

/* kvm-amd: the lab's, on an emulated CPU, whose faults the suite knows; kvm-host: whatever else calls itself /dev/kvm. */
static void default_l0(struct config *c)
{
	if (!c->l0[0])
		fmt(c->l0, sizeof(c->l0), on_tcg() && !strcmp(kvm_module(), "kvm_amd") ? "kvm-amd" : "kvm-host");
}

/* AMD's AVIC does not count: KVM turns it off for as long as a window is wanted. */
static bool has_vid(void)
{
	FILE *f = fopen(MODULE_FOLDER "kvm_intel/parameters/enable_apicv", "r");
	bool on = f && fgetc(f) == 'Y';

	if (f)
		fclose(f);
	return on;
}

static void announce(struct app *a)
{
	const struct config *c = &a->config;
	struct utsname u;

	uname(&u);
	report_printf(&a->report, "# intack: rule=%s irqchip=%s vid=%s l0=%s mem=%u seed=%lu tsc_khz=%lu kernel=%s module=%s\n",
		      config_rule_name(c->rule), config_irqchip_name(c->irqchip), config_vid_name(c->vid), c->l0, c->mem,
		      (unsigned long)c->seed, (unsigned long)tsc_khz(&a->tsc), u.release, kvm_module());
}

/* ---- what is to be run ---- */

static int load_guest(struct app *a)
{
	a->in.good = guest_image;
	a->in.good_size = guest_image_size;
	if (a->config.guest[0])
		return files_load(&a->report, "guest", a->config.guest, &a->in.guest, &a->in.guest_size);
	a->in.guest_built_in = true;
	a->in.fresh_after_failure = true; /* KVM's stash, for one */
	a->in.guest = a->in.good;
	a->in.guest_size = a->in.good_size;
	return 0;
}

static int load_modules(struct app *a)
{
	int err = 0;

	for (uint32_t i = 0; i < a->config.modules && !err; i++) {
		struct suite_module *m = &a->in.module[i];

		m->path = a->config.module[i].path;
		m->args = a->config.module[i].args;
		err = files_load(&a->report, "module", m->path, &m->data, &m->size);
	}
	a->in.modules = a->config.modules;
	return err;
}

static int get_memory(struct app *a)
{
	a->in.ram_size = a->config.mem * MIB;
	a->in.ram = vm_alloc_ram(a->in.ram_size);
	if (a->config.trace) {
		a->trace.size = TRACE_RECORDS;
		a->trace.ring = calloc(TRACE_RECORDS, sizeof(*a->trace.ring));
		a->in.trace = &a->trace;
	}
	if (a->in.ram && (!a->config.trace || a->trace.ring))
		return 0;
	report_error(&a->report, "out of memory: mem=%u", a->config.mem);
	return E_NOMEM;
}

/* ---- the run ---- */

static int run_guest(struct app *a)
{
	struct mb_entry entry;
	struct vmm_config vcpu = { .api = &kvcpu_api, .h = &a->vcpu, .run = &a->vcpu.run };
	int err;

	vm_zero_ram(a->in.ram, a->in.ram_size);
	err = suite_load(&a->suite, &entry);
	if (err)
		return err;
	err = kvcpu_open(&a->vcpu, &a->vm, &a->tsc, a->in.trace, &a->report);
	if (err)
		return err;
	if (kvcpu_set_entry(&a->vcpu, entry.eip, entry.eax, entry.ebx)) {
		report_error(&a->report, "/dev/kvm: the entry state: %s", strerror(errno));
		return E_IO;
	}
	suite_run(&a->suite, &vcpu);
	suite_verdict(&a->suite);
	for (unsigned i = 0; i < KSTATS; i++)
		a->kvm_total[i] += kstats_read(&a->vcpu.stats, (enum kstat)i);
	kvcpu_close(&a->vcpu);
	return 0;
}

/* A fresh guest gets a fresh machine: a vCPU cannot be put back into its reset state. */
static int run_guests(struct app *a)
{
	int err;

	do {
		err = vm_open(&a->vm, a->config.irqchip, a->in.ram, a->in.ram_size, &a->report);
		if (!err)
			err = run_guest(a);
		vm_close(&a->vm);
	} while (!err && suite_next(&a->suite));
	return err;
}

static void report_kvm(struct app *a)
{
	report_printf(&a->report, "# intack: kvm");
	for (unsigned i = 0; i < KSTATS; i++)
		report_printf(&a->report, " %s=%lu", kstat_names[i], (unsigned long)a->kvm_total[i]);
	report_printf(&a->report, "\n");
}

static int prepare(struct app *a, int argc, char **argv)
{
	int err = parse(a, argc, argv);

	if (!err && a->config.poweroff) {
		report_error(&a->report, "poweroff: a process ends by itself");
		err = E_INVAL;
	}
	if (!err)
		err = load_guest(a);
	if (!err)
		err = load_modules(a);
	return err ? err : get_memory(a);
}

int main(int argc, char **argv)
{
	static struct app a;
	enum emulator_status status;

	a.in.config = &a.config;
	if (prepare(&a, argc, argv))
		return EMULATOR_BENCH;
	a.in.unix_seconds = (uint64_t)time(NULL);
	default_l0(&a.config);
	config_choose_vid(&a.config, has_vid());
	tsc_measure(&a.tsc);
	announce(&a);
	suite_init(&a.suite, &a.in, &a.report, alarm_now());
	if (run_guests(&a))
		return EMULATOR_BENCH;
	report_kvm(&a);
	status = suite_conclude(&a.suite);
	if (a.trace.ring && files_write_trace(&a.trace, TRACE_FILE))
		report_printf(&a.report, "# intack: " TRACE_FILE " cannot be written\n");
	return status;
}
