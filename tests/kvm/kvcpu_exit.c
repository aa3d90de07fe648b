/* SPDX-License-Identifier: BSD-2-Clause
 * KVM's exits in the words of the contract, and the user half's answers in KVM's.
 * Knows nothing of when KVM runs. */
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>

#include "status.h"
#include "tests/kvm/kvcpu.h"
#include "x86.h"

_Static_assert(VCPU_IO_IN == KVM_EXIT_IO_IN && VCPU_IO_OUT == KVM_EXIT_IO_OUT, "the contract has KVM's directions");

static void trace_exit(struct kvcpu *v, enum trace_event e, uint64_t a, uint64_t b)
{
	if (!v->trace)
		return;
	v->trace->now = alarm_now();
	trace_add(v->trace, e, a, b);
}

/* ---- ports ---- */

static void next_port_access(struct kvcpu *v)
{
	struct vcpu_run *run = &v->run;

	run->io.direction = v->kr->io.direction;
	run->io.size = v->kr->io.size;
	run->io.port = v->kr->io.port;
	run->io.data = 0;
	if (run->io.direction == VCPU_IO_OUT)
		memcpy(&run->io.data, v->pio.at, run->io.size);
	run->exit_reason = VCPU_EXIT_IO;
	trace_exit(v, TRACE_kvm_pio, run->io.port, run->io.data);
}

static void take_io(struct kvcpu *v)
{
	v->pio.at = (uint8_t *)v->kr + v->kr->io.data_offset;
	v->pio.left = v->kr->io.count;
	next_port_access(v);
}

static bool complete_port_access(struct kvcpu *v)
{
	if (v->run.io.direction == VCPU_IO_IN)
		memcpy(v->pio.at, &v->run.io.data, v->run.io.size);
	v->pio.at += v->run.io.size;
	if (!--v->pio.left)
		return false;
	next_port_access(v);
	return true;
}

/* ---- all others ---- */

static void take_mmio(struct kvcpu *v)
{
	struct vcpu_run *run = &v->run;
	uint64_t val = 0;

	run->mmio.phys_addr = v->kr->mmio.phys_addr;
	run->mmio.len = v->kr->mmio.len;
	run->mmio.is_write = v->kr->mmio.is_write;
	memcpy(run->mmio.data, v->kr->mmio.data, sizeof(run->mmio.data));
	if (run->mmio.is_write)
		memcpy(&val, run->mmio.data, min_u64(run->mmio.len, sizeof(val)));
	run->exit_reason = VCPU_EXIT_MMIO;
	trace_exit(v, TRACE_kvm_mmio, run->mmio.phys_addr, val);
}

static void take_msr(struct kvcpu *v, enum vcpu_exit_reason reason)
{
	v->run.msr.index = v->kr->msr.index;
	v->run.msr.data = reason == VCPU_EXIT_WRMSR ? v->kr->msr.data : 0;
	v->run.msr.error = 0;
	v->run.exit_reason = reason;
	trace_exit(v, TRACE_kvm_msr, v->run.msr.index, v->run.msr.data);
}

static void crash(struct kvcpu *v, enum vcpu_suberror why, uint64_t a, uint64_t b)
{
	v->run.internal.suberror = why;
	v->run.internal.data[0] = a;
	v->run.internal.data[1] = b;
	v->run.exit_reason = VCPU_EXIT_INTERNAL_ERROR;
}

/* KVM does not say which address an instruction that it cannot emulate was about. But if the instruction itself is in
 * no RAM, then that is it. */
static void take_emulation_failure(struct kvcpu *v)
{
	struct kvm_translation at = { 0 };
	struct vcpu_dump d;

	kvcpu_dump(v, &d);
	at.linear_address = d.cs_base + d.rip;
	if (!ioctl(v->fd, KVM_TRANSLATE, &at) && at.valid && at.physical_address >= v->vm->ram_size)
		crash(v, VCPU_ERROR_FETCH, at.physical_address, 0);
	else
		crash(v, VCPU_ERROR_EXIT, KVM_EXIT_INTERNAL_ERROR, v->kr->internal.suberror);
}

/* KVM_INTERNAL_ERROR_DELIVERY_EV: its data are the vectoring information, the exit's reason and qualification, and, on an exit
 * for memory, the guest-physical address. */
enum { DELIVERY_GPA = 3, DELIVERY_DATA };

static void take_internal_error(struct kvcpu *v)
{
	switch (v->kr->internal.suberror) {
	case KVM_INTERNAL_ERROR_EMULATION:
		take_emulation_failure(v);
		return;
	case KVM_INTERNAL_ERROR_DELIVERY_EV:
		if (v->kr->internal.ndata >= DELIVERY_DATA) {
			crash(v, VCPU_ERROR_DELIVERY, v->kr->internal.data[DELIVERY_GPA], 0);
			return;
		}
		break;
	default:
		break;
	}
	crash(v, VCPU_ERROR_EXIT, KVM_EXIT_INTERNAL_ERROR, v->kr->internal.suberror);
}

void kvcpu_take_exit(struct kvcpu *v)
{
	switch (v->kr->exit_reason) {
	case KVM_EXIT_IO:
		take_io(v);
		return;
	case KVM_EXIT_MMIO:
		take_mmio(v);
		return;
	case KVM_EXIT_X86_RDMSR:
		take_msr(v, VCPU_EXIT_RDMSR);
		return;
	case KVM_EXIT_X86_WRMSR:
		take_msr(v, VCPU_EXIT_WRMSR);
		return;
	case KVM_EXIT_IRQ_WINDOW_OPEN:
		v->run.exit_reason = VCPU_EXIT_IRQ_WINDOW_OPEN;
		return;
	case KVM_EXIT_HLT:
		v->run.exit_reason = VCPU_EXIT_HLT;
		return;
	case KVM_EXIT_SHUTDOWN:
		v->run.exit_reason = VCPU_EXIT_SHUTDOWN;
		return;
	case KVM_EXIT_INTR:
		v->run.exit_reason = VCPU_EXIT_INTR;
		return;
	case KVM_EXIT_SET_TPR:
		v->run.exit_reason = VCPU_EXIT_SET_TPR;
		return;
	case KVM_EXIT_IOAPIC_EOI:
		v->run.eoi.vector = v->kr->eoi.vector;
		v->run.exit_reason = VCPU_EXIT_IOAPIC_EOI;
		trace_exit(v, TRACE_kvm_eoi, v->run.eoi.vector, 0);
		return;
	case KVM_EXIT_FAIL_ENTRY:
		v->run.fail_entry.hardware_entry_failure_reason = v->kr->fail_entry.hardware_entry_failure_reason;
		v->run.exit_reason = VCPU_EXIT_FAIL_ENTRY;
		return;
	case KVM_EXIT_INTERNAL_ERROR:
		take_internal_error(v);
		return;
	default:
		crash(v, VCPU_ERROR_EXIT, v->kr->exit_reason, 0);
	}
}

void kvcpu_take_error(struct kvcpu *v, int error)
{
	crash(v, VCPU_ERROR_EXIT, KVM_EXIT_UNKNOWN, (uint64_t)error);
}

bool kvcpu_complete_exit(struct kvcpu *v)
{
	switch ((enum vcpu_exit_reason)v->run.exit_reason) {
	case VCPU_EXIT_IO:
		return complete_port_access(v);
	case VCPU_EXIT_MMIO:
		if (!v->run.mmio.is_write)
			memcpy(v->kr->mmio.data, v->run.mmio.data, sizeof(v->run.mmio.data));
		return false;
	case VCPU_EXIT_RDMSR:
	case VCPU_EXIT_WRMSR:
		v->kr->msr.data = v->run.msr.data;
		v->kr->msr.error = v->run.msr.error;
		return false;
	default:
		return false;
	}
}
