/* SPDX-License-Identifier: BSD-2-Clause
 * A VMX exit in the common form.
 * Knows nothing of what is done about it. */
#include "core/vcpu.h"
#include "x86.h"
#include "x86/vmx.h"

/* The event whose delivery was cut short. Software interrupts, INT3 and INTO are not passed on: RIP still points at the
 * instruction, and it runs again, so that the CPU needs no instruction length from us. */
static void translate_vectoring(struct vmx *x, struct event *e)
{
	uint32_t info = (uint32_t)vmcs_read(x, VMCS_IDT_VECTORING_INFO);

	if (!(info & INTR_INFO_VALID))
		return;
	e->vector = INTR_INFO_VECTOR(info);
	e->has_error = info & INTR_INFO_ERROR_VALID;
	e->error = e->has_error ? (uint32_t)vmcs_read(x, VMCS_IDT_VECTORING_ERROR) : 0;
	switch (INTR_INFO_TYPE(info)) {
	case INTR_TYPE_EXTINT:
		e->type = EVENT_INTR;
		break;
	case INTR_TYPE_NMI:
		e->type = EVENT_NMI;
		break;
	case INTR_TYPE_EXCEPTION:
		e->type = EVENT_EXCEPTION;
		break;
	default:
		e->type = EVENT_SOFT;
	}
}

/* SDM v3, "Architectural State Before a VM Exit", on an NMI that was cut short: "virtual-NMI blocking is in effect before the VM
 * exit commences". It goes in again, and "Bit 3 (blocking by NMI) must be 0" for that. An IRET that was cut short has ended
 * the blocking already, and runs again: "The VMM should set bit 3 (blocking by NMI) in the interruptibility-state field"
 * then ("Resuming Guest Software after Handling an Exception"). */
static void fix_nmi_blocking(struct vmx *x, const struct event *vectoring, bool unblocked)
{
	uint64_t blocking = INTERRUPTIBILITY_NMI;

	if (vectoring->type == EVENT_NMI)
		vmx_set_state(x, STATE_INTERRUPTIBILITY, vmx_state(x, STATE_INTERRUPTIBILITY) & ~blocking);
	else if (vectoring->type == EVENT_NONE && unblocked)
		vmx_set_state(x, STATE_INTERRUPTIBILITY, vmx_state(x, STATE_INTERRUPTIBILITY) | blocking);
}

static void translate_io(struct vmx *x, struct hvm_exit *out)
{
	uint64_t info = vmcs_read(x, VMCS_EXIT_QUALIFICATION);

	out->kind = HVM_EXIT_IO;
	out->insn_len = (uint8_t)vmcs_read(x, VMCS_EXIT_INSN_LEN);
	out->io.port = IO_PORT(info);
	out->io.size = IO_SIZE(info);
	out->io.in = info & IO_IN;
	out->io.string = info & IO_STRING;
}

static void translate_npf(struct vmx *x, struct hvm_exit *out)
{
	const uint64_t translated = EPT_VIOLATION_LINEAR_VALID | EPT_VIOLATION_TRANSLATED;
	uint64_t info = vmcs_read(x, VMCS_EXIT_QUALIFICATION);

	out->kind = HVM_EXIT_NPF;
	out->npf.gpa = GPA(vmcs_read(x, VMCS_GUEST_PHYSICAL_ADDR));
	out->npf.write = info & EPT_VIOLATION_WRITE;
	out->npf.fetch = info & EPT_VIOLATION_FETCH;
	out->npf.walk = (info & translated) != translated;
	translate_vectoring(x, &out->vectoring);
	fix_nmi_blocking(x, &out->vectoring, info & EPT_VIOLATION_NMI_UNBLOCKING);
}

/* SDM v3, "Architectural State Before a VM Exit": a gate's NMI has its "virtual-NMI blocking in effect", and IRET has none any more. */
static void translate_task(struct vmx *x, struct hvm_exit *out)
{
	uint64_t info = vmcs_read(x, VMCS_EXIT_QUALIFICATION), nmi = INTERRUPTIBILITY_NMI;

	out->kind = HVM_EXIT_TASK;
	out->task.selector = TASK_SWITCH_SELECTOR(info);
	out->task.source = (enum task_source)TASK_SWITCH_SOURCE(info);
	out->task.event = (struct event){ .type = EVENT_NONE };
	translate_vectoring(x, &out->task.event);
	out->task.insn_len = 0;
	if (out->task.source != TASK_GATE || out->task.event.type == EVENT_SOFT)
		out->task.insn_len = (uint8_t)vmcs_read(x, VMCS_EXIT_INSN_LEN);
	if (out->task.source == TASK_IRET)
		vmx_set_state(x, STATE_INTERRUPTIBILITY, vmx_state(x, STATE_INTERRUPTIBILITY) & ~nmi);
}

/* An access to the page at APIC_DEFAULT_PHYS that the CPU does not virtualize. It tells no address but the offset. */
static void translate_apic_access(struct vmx *x, struct hvm_exit *out)
{
	uint64_t info = vmcs_read(x, VMCS_EXIT_QUALIFICATION);
	uint64_t type = APIC_ACCESS_TYPE(info);

	out->kind = HVM_EXIT_NPF;
	out->npf.gpa = GPA(APIC_DEFAULT_PHYS + APIC_ACCESS_OFFSET(info));
	out->npf.write = type == APIC_ACCESS_WRITE;
	out->npf.fetch = type == APIC_ACCESS_FETCH;
	out->npf.walk = type == APIC_ACCESS_PHYSICAL || type == APIC_ACCESS_PHYSICAL_DELIVERY;
	translate_vectoring(x, &out->vectoring);
	fix_nmi_blocking(x, &out->vectoring, false);
}

/* The machine's own NMI. It has been taken; but an exit leaves NMIs blocked until an IRET, which the handler must execute. */
static void translate_nmi(struct hvm_exit *out)
{
	out->kind = HVM_EXIT_INTR;
	int_nmi();
}

/* SDM v3, "Architectural State Before a VM Exit": a debug exception that exits has not updated DR6 nor DR7.GD, "Information about
 * the nature of the debug exception is saved in the exit qualification field". INT1 says nothing there, and RIP is still in
 * front of it. */
static void translate_db(struct vcpu *v, struct vmx *x, uint32_t info)
{
	uint64_t what = vmcs_read(x, VMCS_EXIT_QUALIFICATION) & (DR6_BREAKPOINTS | DR6_BD | DR6_BS);

	if (INTR_INFO_TYPE(info) == INTR_TYPE_PRIV_SOFT_EXCEPTION) {
		vmx_ops.skip(v, (uint8_t)vmcs_read(x, VMCS_EXIT_INSN_LEN));
		return;
	}
	write_dr6((read_dr6() & ~DR6_BREAKPOINTS) | what);
	if (x->has_breakpoints)
		vmcs_write(x, VMCS_GUEST_DR7, vmcs_read(x, VMCS_GUEST_DR7) & ~DR7_GD);
}

static void translate_exception(struct vcpu *v, struct vmx *x, struct hvm_exit *out)
{
	uint32_t info = (uint32_t)vmcs_read(x, VMCS_EXIT_INTR_INFO);

	translate_vectoring(x, &out->vectoring);
	if (INTR_INFO_TYPE(info) == INTR_TYPE_NMI) {
		translate_nmi(out);
		return;
	}
	out->kind = HVM_EXIT_EXCEPTION;
	out->event = (struct event){ .type = EVENT_EXCEPTION,
				     .vector = INTR_INFO_VECTOR(info),
				     .has_error = info & INTR_INFO_ERROR_VALID };
	if (out->event.has_error)
		out->event.error = (uint32_t)vmcs_read(x, VMCS_EXIT_INTR_ERROR);
	if (out->event.vector == VEC_DB)
		translate_db(v, x, info);
	fix_nmi_blocking(x, &out->vectoring, false);
}

/* Until the guest first touches a debug register nobody needs to ask for its breakpoints; from then on they are its own. */
static enum hvm_exit_kind give_debug_registers(struct vmx *x)
{
	x->has_breakpoints = true;
	x->proc.want &= ~PROC_MOV_DR_EXITING;
	return HVM_EXIT_NONE;
}

/* MOV to CR0 exits only when it changes a bit that is ours, MOV to CR4 when it changes any. CLTS and LMSW never touch bits that
 * are ours. */
static enum hvm_exit_kind translate_cr(struct vmx *x)
{
	uint64_t info = vmcs_read(x, VMCS_EXIT_QUALIFICATION);

	return CR_ACCESS_TYPE(info) == CR_ACCESS_MOV_TO ? HVM_EXIT_CR_WRITE : HVM_EXIT_UNKNOWN;
}

static enum hvm_exit_kind simple_kind(uint16_t reason)
{
	switch (reason) {
	case EXIT_REASON_EXTERNAL_INTERRUPT:
	case EXIT_REASON_PREEMPTION_TIMER:
	case EXIT_REASON_INIT:
		return HVM_EXIT_INTR;
	case EXIT_REASON_INTERRUPT_WINDOW:
		return HVM_EXIT_WINDOW;
	case EXIT_REASON_NMI_WINDOW:
		return HVM_EXIT_NMI_WINDOW;
	case EXIT_REASON_HLT:
		return HVM_EXIT_HLT;
	case EXIT_REASON_CPUID:
		return HVM_EXIT_CPUID;
	case EXIT_REASON_RDMSR:
		return HVM_EXIT_RDMSR;
	case EXIT_REASON_WRMSR:
		return HVM_EXIT_WRMSR;
	case EXIT_REASON_TPR_BELOW_THRESHOLD:
		return HVM_EXIT_TPR;
	case EXIT_REASON_RDPMC:
		return HVM_EXIT_GP;
	case EXIT_REASON_INVD:
	case EXIT_REASON_WBINVD:
		return HVM_EXIT_NOP;
	case EXIT_REASON_GETSEC:
	case EXIT_REASON_RSM:
	case EXIT_REASON_VMCALL:
	case EXIT_REASON_VMCLEAR:
	case EXIT_REASON_VMLAUNCH:
	case EXIT_REASON_VMPTRLD:
	case EXIT_REASON_VMPTRST:
	case EXIT_REASON_VMREAD:
	case EXIT_REASON_VMRESUME:
	case EXIT_REASON_VMWRITE:
	case EXIT_REASON_VMXOFF:
	case EXIT_REASON_VMXON:
	case EXIT_REASON_INVEPT:
	case EXIT_REASON_INVVPID:
	case EXIT_REASON_MONITOR:
	case EXIT_REASON_MWAIT:
		return HVM_EXIT_UD;
	case EXIT_REASON_XSETBV:
		return HVM_EXIT_XSETBV;
	case EXIT_REASON_TRIPLE_FAULT:
		return HVM_EXIT_SHUTDOWN;
	default:
		return HVM_EXIT_UNKNOWN;
	}
}

/* The exits that are finished by skipping the instruction; no other has a length. */
static uint8_t skip_len(struct vmx *x, enum hvm_exit_kind kind)
{
	bool skips = kind == HVM_EXIT_HLT || kind == HVM_EXIT_CPUID || kind == HVM_EXIT_RDMSR ||
		     kind == HVM_EXIT_WRMSR || kind == HVM_EXIT_XSETBV || kind == HVM_EXIT_NOP;

	return skips ? (uint8_t)vmcs_read(x, VMCS_EXIT_INSN_LEN) : 0;
}

/* VMfail, or an exit that says so: the guest has not run. vmx_check.c knows why. */
static bool translate_failure(struct vmx *x, struct hvm_exit *out)
{
	bool vmfail = x->entry != VMX_ENTERED;

	if (!vmfail && !(out->vendor_code & EXIT_REASON_ENTRY_FAILURE))
		return false;
	out->kind = HVM_EXIT_FAIL_ENTRY;
	if (vmfail) {
		out->vendor_code = VMX_VENDOR_VMFAIL;
		out->vendor_info[0] = x->entry == VMX_VMFAIL_VALID ? vmcs_read(x, VMCS_INSN_ERROR) : 0;
	} else {
		out->vendor_info[0] = out->vendor_code;
		out->vendor_info[1] = vmcs_read(x, VMCS_EXIT_QUALIFICATION);
	}
	return true;
}

void vmx_translate_exit(struct vcpu *v, struct hvm_exit *out)
{
	struct vmx *x = v->hw;

	out->insn_len = 0;
	out->vendor_code = x->entry == VMX_ENTERED ? vmcs_read(x, VMCS_EXIT_REASON) : 0;
	out->vendor_info[0] = out->vendor_info[1] = 0;
	out->vectoring.type = EVENT_NONE;
	if (translate_failure(x, out))
		return;
	switch (EXIT_REASON_BASIC(out->vendor_code)) {
	case EXIT_REASON_EXCEPTION_NMI:
		translate_exception(v, x, out);
		return;
	case EXIT_REASON_IO_INSTRUCTION:
		translate_io(x, out);
		return;
	case EXIT_REASON_EPT_VIOLATION:
		translate_npf(x, out);
		return;
	case EXIT_REASON_TASK_SWITCH:
		translate_task(x, out);
		return;
	case EXIT_REASON_APIC_ACCESS:
		translate_apic_access(x, out);
		return;
	case EXIT_REASON_VIRTUALIZED_EOI:
		out->kind = HVM_EXIT_EOI;
		out->eoi_vector = (uint8_t)vmcs_read(x, VMCS_EXIT_QUALIFICATION);
		return;
	case EXIT_REASON_APIC_WRITE:
		out->kind = HVM_EXIT_APIC_WRITE;
		out->apic_offset = (uint16_t)APIC_ACCESS_OFFSET(vmcs_read(x, VMCS_EXIT_QUALIFICATION));
		return;
	case EXIT_REASON_CR_ACCESS:
		out->kind = translate_cr(x);
		return;
	case EXIT_REASON_MOV_DR:
		out->kind = give_debug_registers(x);
		return;
	default:
		out->kind = simple_kind(EXIT_REASON_BASIC(out->vendor_code));
	}
	out->insn_len = skip_len(x, out->kind);
}
