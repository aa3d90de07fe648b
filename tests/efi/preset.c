/* SPDX-License-Identifier: BSD-2-Clause
 * Brings a machine into a state that a firmware could have left it in, shows what an application has to leave as it found
 * it, and ends the emulator: `preset.efi WORD...`, each word done in turn.
 *   lock    locks IA32_FEATURE_CONTROL without VMX
 *   vmxon   enters VMX operation and stays there; locks IA32_FEATURE_CONTROL with VMX if nobody has
 *   vmxoff  leaves it
 *   show    prints the machine's state, a line NAME=VALUE each
 *   off     ends the emulator
 * Knows nothing of Intack, but uses its wrappers of instructions. */
#include <efi.h>

#include "types.h"
#include "vmm/fmt.h"
#include "x86.h"
#include "x86/emulator.h"
#include "x86/insn.h"
#include "x86/lapic_hw.h"
#include "x86/vmcs.h"

#define LINE_SIZE 80
#define PIC_MASTER_DATA 0x21
#define PIC_SLAVE_DATA 0xa1
#define CPUID_FEATURES 1u
#define ECX_VMX BIT(5)
#define CPUID_AMD_FEATURES 0x80000001u
#define ECX_SVM BIT(2)
#define FXSAVE_SIZE 512
#define FXSAVE_FCW 0 /* offsets: "FXSAVE Area" */
#define FXSAVE_MXCSR 24

static const struct named {
	const char *name;
	uint32_t index;
} msrs[] = {
	{ "efer", MSR_EFER },
	{ "pat", MSR_PAT },
	{ "apic_base", MSR_APIC_BASE },
	{ "fs_base", MSR_FS_BASE },
	{ "gs_base", MSR_GS_BASE },
	{ "kernel_gs_base", MSR_KERNEL_GS_BASE },
	{ "star", MSR_STAR },
	{ "lstar", MSR_LSTAR },
	{ "cstar", MSR_CSTAR },
	{ "sfmask", MSR_SFMASK },
	{ "sysenter_cs", MSR_SYSENTER_CS },
	{ "sysenter_esp", MSR_SYSENTER_ESP },
	{ "sysenter_eip", MSR_SYSENTER_EIP },
}, lapic_registers[] = {
	{ "lapic_svr", APIC_SVR },
	{ "lapic_tpr", APIC_TPR },
	{ "lapic_timer", APIC_LVT_TIMER },
	{ "lapic_lint0", APIC_LVT_LINT0 },
	{ "lapic_lint1", APIC_LVT_LINT1 },
	{ "lapic_error", APIC_LVT_ERROR },
	{ "lapic_divide", APIC_TIMER_DIVIDE },
	{ "lapic_initial", APIC_TIMER_INITIAL },
};

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system_table);

static EFI_SYSTEM_TABLE *st;

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
	char text[LINE_SIZE];
	CHAR16 wide[LINE_SIZE + 2];
	va_list ap;
	size_t n = 0;

	va_start(ap, format);
	fmt_v(text, sizeof(text), format, ap);
	va_end(ap);
	while (text[n]) {
		wide[n] = (CHAR16)text[n];
		n++;
	}
	wide[n] = '\r';
	wide[n + 1] = '\n';
	wide[n + 2] = 0;
	st->ConOut->OutputString(st->ConOut, wide);
}

static EFI_STATUS refuse(EFI_STATUS status, const char *why)
{
	say("preset: error: %s", why);
	return status;
}

static void show(const char *name, uint64_t value)
{
	say("%s=%#lx", name, value);
}

static void show_table(const char *name, const struct table_ptr *t)
{
	say("%s=%#lx+%#x", name, t->base, t->limit);
}

static void show_tables(void)
{
	struct table_ptr gdt, idt;

	sgdt(&gdt);
	sidt(&idt);
	show_table("gdt", &gdt);
	show_table("idt", &idt);
	show("cs", read_cs());
	show("ds", read_ds());
	show("es", read_es());
	show("fs", read_fs());
	show("gs", read_gs());
	show("ss", read_ss());
	show("ldt", sldt());
}

/* The application's own RFLAGS: the firmware's IF is in it. */
static void show_registers(void)
{
	show("rflags_if", read_rflags() & RFLAGS_IF);
	show("cr0", read_cr0());
	show("cr3", read_cr3());
	show("cr4", read_cr4());
	show("dr0", read_dr0());
	show("dr1", read_dr1());
	show("dr2", read_dr2());
	show("dr3", read_dr3());
	show("dr6", read_dr6());
	show("dr7", read_dr7());
}

static void show_fpu(void)
{
	uint8_t area[FXSAVE_SIZE] __attribute__((aligned(16)));

	fxsave(area);
	show("fcw", *(const uint16_t *)(const void *)&area[FXSAVE_FCW]);
	show("mxcsr", *(const uint32_t *)(const void *)&area[FXSAVE_MXCSR]);
}

static bool has_vmx(void)
{
	return cpuid(CPUID_FEATURES, 0).ecx & ECX_VMX;
}

static bool has_svm(void)
{
	return cpuid(CPUID_AMD_FEATURES, 0).ecx & ECX_SVM;
}

static void show_msrs(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(msrs); i++)
		show(msrs[i].name, rdmsr(msrs[i].index));
	if (has_vmx())
		show("feature_control", rdmsr(MSR_FEATURE_CONTROL));
	if (has_svm())
		show("hsave_pa", rdmsr(MSR_VM_HSAVE_PA));
}

static void show_interrupts(void)
{
	struct lapic_hw lapic;

	show("pic_master", in8(PIC_MASTER_DATA));
	show("pic_slave", in8(PIC_SLAVE_DATA));
	if (lapic_hw_probe(&lapic))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(lapic_registers); i++)
		show(lapic_registers[i].name, lapic_hw_read(&lapic, lapic_registers[i].index));
}

static EFI_STATUS do_show(void)
{
	show_tables();
	show_registers();
	show_fpu();
	show_msrs();
	show_interrupts();
	return EFI_SUCCESS;
}

static EFI_STATUS do_lock(void)
{
	uint64_t features;

	if (!has_vmx())
		return refuse(EFI_UNSUPPORTED, "lock: no VMX");
	features = rdmsr(MSR_FEATURE_CONTROL);
	if (features & FEATURE_CONTROL_LOCK)
		return refuse(EFI_ACCESS_DENIED, "lock: IA32_FEATURE_CONTROL is locked already");
	wrmsr(MSR_FEATURE_CONTROL, (features & ~(uint64_t)FEATURE_CONTROL_VMX) | FEATURE_CONTROL_LOCK);
	return EFI_SUCCESS;
}

/* It stays in use when the application is gone. */
static uint32_t *vmxon_region(void)
{
	EFI_PHYSICAL_ADDRESS page = 0;
	uint32_t *region;

	if (EFI_ERROR(st->BootServices->AllocatePages(AllocateAnyPages, EfiRuntimeServicesData, 1, &page)))
		return NULL;
	region = (uint32_t *)(uintptr_t)page;
	*region = VMX_BASIC_REVISION(rdmsr(MSR_VMX_BASIC));
	return region;
}

static EFI_STATUS do_vmxon(void)
{
	uint64_t features;
	uint32_t *region;

	if (!has_vmx())
		return refuse(EFI_UNSUPPORTED, "vmxon: no VMX");
	features = rdmsr(MSR_FEATURE_CONTROL);
	if (!(features & FEATURE_CONTROL_LOCK))
		wrmsr(MSR_FEATURE_CONTROL, features | FEATURE_CONTROL_VMX | FEATURE_CONTROL_LOCK);
	else if (!(features & FEATURE_CONTROL_VMX))
		return refuse(EFI_ACCESS_DENIED, "vmxon: IA32_FEATURE_CONTROL is locked without VMX");
	if (read_cr4() & CR4_VMXE)
		return refuse(EFI_ALREADY_STARTED, "vmxon: CR4.VMXE is set already");
	region = vmxon_region();
	if (!region)
		return refuse(EFI_OUT_OF_RESOURCES, "vmxon: out of memory");
	write_cr0(read_cr0() | rdmsr(MSR_VMX_CR0_FIXED0));
	write_cr4(read_cr4() | rdmsr(MSR_VMX_CR4_FIXED0));
	return vmxon(HPA((uintptr_t)region)) ? EFI_SUCCESS : refuse(EFI_DEVICE_ERROR, "vmxon: VMfail");
}

static EFI_STATUS do_vmxoff(void)
{
	if (!(read_cr4() & CR4_VMXE))
		return refuse(EFI_NOT_STARTED, "vmxoff: CR4.VMXE is not set");
	vmxoff();
	write_cr4(read_cr4() & ~CR4_VMXE);
	return EFI_SUCCESS;
}

static EFI_STATUS do_off(void)
{
	emulator_exit(EMULATOR_OK);
	return refuse(EFI_DEVICE_ERROR, "off: the emulator goes on");
}

static bool same(const CHAR16 *word, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!name[i] || word[i] != (CHAR16)name[i])
			return false;
	return !name[n];
}

static EFI_STATUS do_word(const CHAR16 *word, size_t n)
{
	if (same(word, n, "lock"))
		return do_lock();
	if (same(word, n, "vmxon"))
		return do_vmxon();
	if (same(word, n, "vmxoff"))
		return do_vmxoff();
	if (same(word, n, "show"))
		return do_show();
	if (same(word, n, "off"))
		return do_off();
	return refuse(EFI_INVALID_PARAMETER, "must be lock, vmxon, vmxoff, show or off");
}

static size_t word_length(const CHAR16 *s, size_t n)
{
	size_t len = 0;

	while (len < n && s[len] && s[len] != ' ')
		len++;
	return len;
}

/* The shell hands over the whole command: the first word is the application's name. */
static EFI_STATUS do_words(const CHAR16 *s, size_t n)
{
	EFI_STATUS status = EFI_SUCCESS;
	size_t at = word_length(s, n), len;

	while (at < n && s[at] && !EFI_ERROR(status)) {
		len = word_length(s + at, n - at);
		if (len)
			status = do_word(s + at, len);
		at += len ? len : 1;
	}
	return status;
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system_table)
{
	EFI_GUID guid = EFI_LOADED_IMAGE_PROTOCOL_GUID;
	EFI_LOADED_IMAGE *loaded;
	EFI_STATUS status;

	st = system_table;
	status = st->BootServices->HandleProtocol(image, &guid, (void **)&loaded);
	if (EFI_ERROR(status))
		return status;
	return do_words(loaded->LoadOptions, loaded->LoadOptionsSize / sizeof(CHAR16));
}
