/* SPDX-License-Identifier: BSD-2-Clause
 * One KVM virtual machine: memory from address 0, and the irqchip of the mode.
 * Knows nothing of its vCPU. */
#define _GNU_SOURCE
#include "tests/kvm/vm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dev/ioapic.h"
#include "status.h"
#include "x86.h"

/* On Intel KVM wants three pages for a TSS and one for a page table, behind everything that the guest has. */
#define TSS_ADDR 0xfffbd000ull
#define IDENTITY_MAP_ADDR 0xfffbc000ull
/* Of KVM_CAP_X2APIC_API; newer than many a <linux/kvm.h>. */
#define X2APIC_ENABLE_SUPPRESS_EOI_BROADCAST BIT64(2)

struct need {
	uint32_t cap;
	const char *name;
};

static const struct need needs[] = {
	{ KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT" },
	{ KVM_CAP_MP_STATE, "KVM_CAP_MP_STATE" },
	{ KVM_CAP_VCPU_EVENTS, "KVM_CAP_VCPU_EVENTS" },
	{ KVM_CAP_USER_NMI, "KVM_CAP_USER_NMI" },
};
static const struct need needs_split[] = {
	{ KVM_CAP_SPLIT_IRQCHIP, "KVM_CAP_SPLIT_IRQCHIP" },
	{ KVM_CAP_SIGNAL_MSI, "KVM_CAP_SIGNAL_MSI" },
	{ KVM_CAP_IRQ_ROUTING, "KVM_CAP_IRQ_ROUTING" },
};
static const struct need needs_user[] = {
	{ KVM_CAP_X86_USER_SPACE_MSR, "KVM_CAP_X86_USER_SPACE_MSR" },
	{ KVM_CAP_X86_MSR_FILTER, "KVM_CAP_X86_MSR_FILTER" },
};

/* Shared memory: taking a private page away would lose what is in it. No huge pages: one page is to be unmapped. */
uint8_t *vm_alloc_ram(uint64_t size)
{
	uint8_t *ram = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (ram == MAP_FAILED)
		return NULL;
	madvise(ram, size, MADV_NOHUGEPAGE); /* fails on a kernel that has none */
	return ram;
}

/* Giving the pages back is quicker than writing zeros to all of them. */
void vm_zero_ram(uint8_t *ram, uint64_t size)
{
	if (madvise(ram, size, MADV_REMOVE))
		memset(ram, 0, size);
}

static int check(const struct vm *vm, const struct need *need, size_t n, struct report *r)
{
	for (; n; n--, need++) {
		if (ioctl(vm->kvm, KVM_CHECK_EXTENSION, need->cap) > 0)
			continue;
		report_error(r, "this KVM has no %s", need->name);
		return E_NODEV;
	}
	return 0;
}

static int check_all(const struct vm *vm, struct report *r)
{
	int err = check(vm, needs, ARRAY_SIZE(needs), r);

	if (ioctl(vm->kvm, KVM_GET_API_VERSION, 0) != KVM_API_VERSION) {
		report_error(r, "/dev/kvm: not the stable API");
		return E_NODEV;
	}
	if (err)
		return err;
	if (vm->mode == IRQCHIP_SPLIT)
		return check(vm, needs_split, ARRAY_SIZE(needs_split), r);
	return check(vm, needs_user, ARRAY_SIZE(needs_user), r);
}

static int enable(const struct vm *vm, uint32_t cap, uint64_t arg)
{
	struct kvm_enable_cap e = { .cap = cap, .args = { arg } };

	return ioctl(vm->fd, KVM_ENABLE_CAP, &e);
}

/* The local APIC stays in KVM; the argument is the number of interrupt routes whose EOIs are ours. */
static int make_split(struct vm *vm)
{
	int has;

	if (enable(vm, KVM_CAP_SPLIT_IRQCHIP, IOAPIC_PINS))
		return -1;
	has = ioctl(vm->fd, KVM_CHECK_EXTENSION, KVM_CAP_X2APIC_API);
	vm->directed_eoi = has > 0 && ((uint64_t)has & X2APIC_ENABLE_SUPPRESS_EOI_BROADCAST) &&
			   !enable(vm, KVM_CAP_X2APIC_API, X2APIC_ENABLE_SUPPRESS_EOI_BROADCAST);
	return 0;
}

/* The local APIC is ours, and so are its MSRs. Those of x2APIC mode cannot be filtered, but without an APIC of its own KVM
 * finds every access to them invalid, and asks. */
static int make_user(const struct vm *vm)
{
	uint8_t deny = 0;
	struct kvm_msr_filter filter = {
		.flags = KVM_MSR_FILTER_DEFAULT_ALLOW,
		.ranges = { { KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE, 1, MSR_APIC_BASE, &deny },
			    { KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE, 1, MSR_TSC_DEADLINE, &deny } },
	};

	if (enable(vm, KVM_CAP_X86_USER_SPACE_MSR, KVM_MSR_EXIT_REASON_INVAL | KVM_MSR_EXIT_REASON_FILTER))
		return -1;
	return ioctl(vm->fd, KVM_X86_SET_MSR_FILTER, &filter);
}

static int add_ram(const struct vm *vm)
{
	struct kvm_userspace_memory_region region = { .memory_size = vm->ram_size, .userspace_addr = (uintptr_t)vm->ram };
	uint64_t identity = IDENTITY_MAP_ADDR;

	/* AMD needs neither; a KVM that knows them not lives without. */
	(void)ioctl(vm->fd, KVM_SET_IDENTITY_MAP_ADDR, &identity);
	(void)ioctl(vm->fd, KVM_SET_TSS_ADDR, TSS_ADDR);
	return ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region);
}

static int make(struct vm *vm, struct report *r)
{
	const char *what = "KVM_CREATE_VM";
	int err;

	vm->fd = ioctl(vm->kvm, KVM_CREATE_VM, 0);
	err = vm->fd < 0;
	if (!err) {
		what = vm->mode == IRQCHIP_SPLIT ? "split irqchip" : "MSR filter";
		err = vm->mode == IRQCHIP_SPLIT ? make_split(vm) : make_user(vm);
	}
	if (!err) {
		what = "KVM_SET_USER_MEMORY_REGION";
		err = add_ram(vm);
	}
	if (!err)
		return 0;
	report_error(r, "/dev/kvm: %s: %s", what, strerror(errno));
	return E_IO;
}

int vm_open(struct vm *vm, enum irqchip_mode mode, uint8_t *ram, uint64_t size, struct report *r)
{
	int err;

	*vm = (struct vm){ .fd = -1, .mode = mode, .ram = ram, .ram_size = size };
	vm->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (vm->kvm < 0) {
		report_error(r, "/dev/kvm: %s", strerror(errno));
		return E_NODEV;
	}
	err = check_all(vm, r);
	return err ? err : make(vm, r);
}

void vm_close(struct vm *vm)
{
	if (vm->fd >= 0)
		close(vm->fd);
	if (vm->kvm >= 0)
		close(vm->kvm);
	vm->fd = vm->kvm = -1;
}

/* The process loses its mapping of the pages, so KVM, whose nested tables follow the process's by notifiers, loses its own;
 * the memory itself is a file's. */
void vm_unmap(const struct vm *vm, gpa_t gpa, uint64_t len)
{
	uint64_t first = gpa.v & ~PAGE_MASK;

	if (!len || gpa.v >= vm->ram_size || len > vm->ram_size - gpa.v)
		return;
	madvise(vm->ram + first, (gpa.v + len - first + PAGE_MASK) & ~PAGE_MASK, MADV_DONTNEED);
}
