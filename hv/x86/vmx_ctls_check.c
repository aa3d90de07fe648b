/* SPDX-License-Identifier: BSD-2-Clause
 * The rules of a VM entry on the control fields, in the order in which the manual has them. Of controls that the backend never
 * sets (PML, VMCS shadowing, #VE, VM functions, SGX, processor trace) only whether this CPU has them.
 * Knows nothing of how the VMCS came to be so. */
#include "vmm/fmt.h"
#include "x86.h"
#include "x86/vmx_check.h"

#define RULE_SIZE 160
#define CONTROLS 32
#define MSR_AREA_ENTRY 16
#define MSR_AREA_ALIGN MASK(3, 0)
#define POSTED_DESC_ALIGN MASK(5, 0)
#define CR3_TARGETS_MAX 4
#define TPR_THRESHOLD_RESERVED MASK(31, 4)
#define TPR_THRESHOLD_CLASS(t) GET_FIELD(3, 0, t)
#define TPR_CLASS(tpr) GET_FIELD(7, 4, tpr)
#define ENTRY_ERROR_RESERVED MASK(31, 16)
#define INSN_LEN_MAX 15
#define EXCEPTION_VECTOR_MAX 31
#define EPTP_TYPE(p) GET_FIELD(2, 0, p)
#define EPTP_TYPE_UC 0
#define EPTP_TYPE_WB 6
#define EPTP_WALK_LENGTH(p) (GET_FIELD(5, 3, p) + 1)
#define EPTP_AD BIT64(6)
#define EPTP_RESERVED MASK(11, 7)
#define EPT_CAP_WALK_LENGTH_5 BIT64(7)
#define EPT_CAP_UC BIT64(8)
#define EPT_CAP_AD BIT64(21)
#define VMX_MISC_INSN_LEN_0 BIT64(30)

/* Bit by bit. */
static const char *const pin_names[CONTROLS] = {
	[0] = "external-interrupt exiting", [3] = "NMI exiting", [5] = "virtual NMIs", [6] = "activate VMX-preemption timer",
	[7] = "process posted interrupts",
};
static const char *const proc_names[CONTROLS] = {
	[2] = "interrupt-window exiting", [3] = "use TSC offsetting",  [7] = "HLT exiting",
	[9] = "INVLPG exiting",           [10] = "MWAIT exiting",      [11] = "RDPMC exiting",
	[12] = "RDTSC exiting",           [15] = "CR3-load exiting",   [16] = "CR3-store exiting",
	[17] = "activate tertiary controls", [19] = "CR8-load exiting", [20] = "CR8-store exiting",
	[21] = "use TPR shadow",          [22] = "NMI-window exiting", [23] = "MOV-DR exiting",
	[24] = "unconditional I/O exiting", [25] = "use I/O bitmaps",  [27] = "monitor trap flag",
	[28] = "use MSR bitmaps",         [29] = "MONITOR exiting",    [30] = "PAUSE exiting",
	[31] = "activate secondary controls",
};
static const char *const proc2_names[CONTROLS] = {
	[0] = "virtualize APIC accesses", [1] = "enable EPT",           [2] = "descriptor-table exiting",
	[3] = "enable RDTSCP",            [4] = "virtualize x2APIC mode", [5] = "enable VPID",
	[6] = "WBINVD exiting",           [7] = "unrestricted guest",   [8] = "APIC-register virtualization",
	[9] = "virtual-interrupt delivery", [10] = "PAUSE-loop exiting", [11] = "RDRAND exiting",
	[12] = "enable INVPCID",          [13] = "enable VM functions", [14] = "VMCS shadowing",
	[15] = "enable ENCLS exiting",    [16] = "RDSEED exiting",      [17] = "enable PML",
	[18] = "EPT-violation #VE",       [20] = "enable XSAVES/XRSTORS", [25] = "use TSC scaling",
};
static const char *const exit_names[CONTROLS] = {
	[2] = "save debug controls", [9] = "host address-space size", [12] = "load IA32_PERF_GLOBAL_CTRL",
	[15] = "acknowledge interrupt on exit", [18] = "save IA32_PAT", [19] = "load IA32_PAT",
	[20] = "save IA32_EFER",     [21] = "load IA32_EFER",         [22] = "save VMX-preemption timer value",
};
static const char *const entry_names[CONTROLS] = {
	[2] = "load debug controls", [9] = "IA-32e mode guest",       [10] = "entry to SMM",
	[11] = "deactivate dual-monitor treatment", [13] = "load IA32_PERF_GLOBAL_CTRL", [14] = "load IA32_PAT",
	[15] = "load IA32_EFER",
};

static bool proc(const struct vmx_checker *k, uint32_t control)
{
	return vmx_field(k, VF_PROC_CTLS) & control;
}

bool vmx_check_pin(const struct vmx_checker *k, uint32_t control)
{
	return vmx_field(k, VF_PIN_CTLS) & control;
}

/* "If the 'activate secondary controls' primary processor-based VM-execution control is 0 ... The logical processor operates as
 * if all the secondary processor-based VM-execution controls were 0." */
bool vmx_check_proc2(const struct vmx_checker *k, uint32_t control)
{
	return proc(k, PROC_SECONDARY_CTLS) && (vmx_field(k, VF_PROC_CTLS2) & control);
}

/* "Reserved bits in the ... controls must be set properly. Software may consult the VMX capability MSRs to determine the proper
 * settings." */
static void check_reserved(const struct vmx_checker *k, uint8_t f, const char *const *names, uint64_t msr)
{
	uint64_t v = vmx_field(k, f), wrong = (v & ~(uint64_t)VMX_ALLOWED_1(msr)) | (VMX_ALLOWED_0(msr) & ~v);
	char rule[RULE_SIZE];

	for (; wrong; wrong &= wrong - 1) {
		int bit = ffs64(wrong);
		const char *name = bit < CONTROLS && names[bit] ? names[bit] : "a reserved control";

		fmt(rule, sizeof(rule), "%s, bit %d, must be %d on this CPU", name, bit, !(v & BIT64(bit)));
		VMX_NEED(k, false, rule, f);
	}
}

/* An address that leads to a page: "Bits 11:0 of the address must be 0", "should not set any bits beyond the processor's
 * physical-address width". */
static void check_page(const struct vmx_checker *k, bool used, uint8_t f)
{
	uint64_t pa = vmx_field(k, f);

	VMX_NEED(k, !used || !(pa & PAGE_MASK), "bits 11:0 of an address must be 0", f);
	VMX_NEED(k, !used || vmx_check_physical(k, pa), "an address is beyond the physical-address width", f);
}

static void check_msr_area(const struct vmx_checker *k, uint8_t count, uint8_t addr)
{
	uint64_t n = vmx_field(k, count), pa = vmx_field(k, addr);

	if (!n)
		return;
	VMX_NEED(k, !(pa & MSR_AREA_ALIGN), "bits 3:0 of the address of an MSR area must be 0", addr);
	VMX_NEED(k, vmx_check_physical(k, pa) && vmx_check_physical(k, pa + n * MSR_AREA_ENTRY - 1),
		 "an MSR area is beyond the physical-address width", addr, count);
}

static void check_bitmaps(const struct vmx_checker *k)
{
	check_page(k, proc(k, PROC_IO_BITMAPS), VF_IO_BITMAP_A);
	check_page(k, proc(k, PROC_IO_BITMAPS), VF_IO_BITMAP_B);
	check_page(k, proc(k, PROC_MSR_BITMAPS), VF_MSR_BITMAP);
}

static void check_tpr_threshold(const struct vmx_checker *k)
{
	uint64_t threshold = vmx_field(k, VF_TPR_THRESHOLD);
	const struct entry_field values[] = { { "TPR_THRESHOLD", threshold }, { "VTPR", k->s->vtpr }, { NULL, 0 } };

	VMX_NEED(k, !(threshold & TPR_THRESHOLD_RESERVED), "bits 31:4 of the TPR threshold must be 0", VF_TPR_THRESHOLD);
	if (!vmx_check_proc2(k, PROC2_APIC_ACCESSES) && TPR_THRESHOLD_CLASS(threshold) > TPR_CLASS(k->s->vtpr))
		entry_check_broken(k->out, k->where, "the TPR threshold is above VTPR[7:4]", values);
}

static void check_tpr_shadow(const struct vmx_checker *k)
{
	const uint32_t need_shadow = PROC2_X2APIC_MODE | PROC2_APIC_REGISTERS | PROC2_VIRTUAL_INTR_DELIVERY;
	bool shadow = proc(k, PROC_TPR_SHADOW);

	check_page(k, shadow, VF_VIRTUAL_APIC_ADDR);
	if (shadow && !vmx_check_proc2(k, PROC2_VIRTUAL_INTR_DELIVERY))
		check_tpr_threshold(k);
	VMX_NEED(k, shadow || !vmx_check_proc2(k, need_shadow),
		 "virtualize x2APIC mode, APIC-register virtualization and virtual-interrupt delivery need use TPR shadow",
		 VF_PROC_CTLS, VF_PROC_CTLS2);
}

static void check_apic_virtualization(const struct vmx_checker *k)
{
	bool vid = vmx_check_proc2(k, PROC2_VIRTUAL_INTR_DELIVERY), accesses = vmx_check_proc2(k, PROC2_APIC_ACCESSES);

	check_page(k, accesses, VF_APIC_ACCESS_ADDR);
	VMX_NEED(k, !accesses || !vmx_check_proc2(k, PROC2_X2APIC_MODE),
		 "virtualize x2APIC mode and virtualize APIC accesses cannot both be 1", VF_PROC_CTLS2);
	VMX_NEED(k, !vid || vmx_check_pin(k, PIN_EXTINT_EXITING), "virtual-interrupt delivery needs external-interrupt exiting",
		 VF_PROC_CTLS2, VF_PIN_CTLS);
}

static void check_posted_interrupts(const struct vmx_checker *k)
{
	uint64_t desc = vmx_field(k, VF_POSTED_INTR_DESC_ADDR);

	if (!vmx_check_pin(k, PIN_POSTED_INTERRUPTS))
		return;
	VMX_NEED(k, vmx_check_proc2(k, PROC2_VIRTUAL_INTR_DELIVERY),
		 "process posted interrupts needs virtual-interrupt delivery",
		 VF_PIN_CTLS, VF_PROC_CTLS2);
	VMX_NEED(k, vmx_field(k, VF_EXIT_CTLS) & VM_EXIT_ACK_INTERRUPT,
		 "process posted interrupts needs acknowledge interrupt on exit", VF_PIN_CTLS, VF_EXIT_CTLS);
	VMX_NEED(k, vmx_field(k, VF_POSTED_INTR_VECTOR) <= UINT8_MAX, "the posted-interrupt notification vector is above 255",
		 VF_POSTED_INTR_VECTOR);
	VMX_NEED(k, !(desc & POSTED_DESC_ALIGN), "bits 5:0 of the posted-interrupt descriptor address must be 0",
		 VF_POSTED_INTR_DESC_ADDR);
	VMX_NEED(k, vmx_check_physical(k, desc), "the posted-interrupt descriptor is beyond the physical-address width",
		 VF_POSTED_INTR_DESC_ADDR);
}

static void check_nmi(const struct vmx_checker *k)
{
	bool vnmi = vmx_check_pin(k, PIN_VIRTUAL_NMIS);

	VMX_NEED(k, !vnmi || vmx_check_pin(k, PIN_NMI_EXITING), "virtual NMIs needs NMI exiting", VF_PIN_CTLS);
	VMX_NEED(k, vnmi || !proc(k, PROC_NMI_WINDOW_EXITING), "NMI-window exiting needs virtual NMIs", VF_PROC_CTLS,
		 VF_PIN_CTLS);
}

static bool ept_type_supported(const struct vmx_checker *k, uint64_t eptp)
{
	uint64_t cap = k->s->caps.ept_vpid;

	return (EPTP_TYPE(eptp) == EPTP_TYPE_WB && (cap & EPT_CAP_WB)) ||
	       (EPTP_TYPE(eptp) == EPTP_TYPE_UC && (cap & EPT_CAP_UC));
}

static bool ept_walk_supported(const struct vmx_checker *k, uint64_t eptp)
{
	const uint64_t four = 4, five = 5;
	uint64_t cap = k->s->caps.ept_vpid, length = EPTP_WALK_LENGTH(eptp);

	return (length == four && (cap & EPT_CAP_WALK_LENGTH_4)) || (length == five && (cap & EPT_CAP_WALK_LENGTH_5));
}

static void check_ept(const struct vmx_checker *k)
{
	uint64_t eptp = vmx_field(k, VF_EPT_POINTER);

	VMX_NEED(k, vmx_check_proc2(k, PROC2_EPT) || !vmx_check_proc2(k, PROC2_UNRESTRICTED_GUEST),
		 "unrestricted guest needs enable EPT", VF_PROC_CTLS2);
	if (!vmx_check_proc2(k, PROC2_EPT))
		return;
	VMX_NEED(k, ept_type_supported(k, eptp), "EPTP has a memory type that this CPU does not support", VF_EPT_POINTER);
	VMX_NEED(k, ept_walk_supported(k, eptp), "EPTP has a page-walk length that this CPU does not support", VF_EPT_POINTER);
	VMX_NEED(k, !(eptp & EPTP_AD) || (k->s->caps.ept_vpid & EPT_CAP_AD),
		 "EPTP enables accessed and dirty flags that this CPU does not support", VF_EPT_POINTER);
	VMX_NEED(k, !(eptp & EPTP_RESERVED), "reserved bits 11:7 of EPTP must be 0", VF_EPT_POINTER);
	VMX_NEED(k, vmx_check_physical(k, eptp), "EPTP is beyond the physical-address width", VF_EPT_POINTER);
}

/* "VM-Execution Control Fields" */
static void check_execution_controls(const struct vmx_checker *k)
{
	const struct vmx_caps *c = &k->s->caps;

	check_reserved(k, VF_PIN_CTLS, pin_names, c->pin);
	check_reserved(k, VF_PROC_CTLS, proc_names, c->proc);
	if (proc(k, PROC_SECONDARY_CTLS))
		check_reserved(k, VF_PROC_CTLS2, proc2_names, c->proc2);
	VMX_NEED(k, vmx_field(k, VF_CR3_TARGET_COUNT) <= CR3_TARGETS_MAX, "the CR3-target count must not be greater than 4",
		 VF_CR3_TARGET_COUNT);
	check_bitmaps(k);
	check_tpr_shadow(k);
	check_nmi(k);
	check_apic_virtualization(k);
	check_posted_interrupts(k);
	VMX_NEED(k, !vmx_check_proc2(k, PROC2_VPID) || vmx_field(k, VF_VPID), "VPID must not be 0", VF_VPID);
	check_ept(k);
}

/* "VM-Exit Control Fields" */
static void check_exit_controls(const struct vmx_checker *k)
{
	check_reserved(k, VF_EXIT_CTLS, exit_names, k->s->caps.exit);
	VMX_NEED(k, vmx_check_pin(k, PIN_PREEMPTION_TIMER) || !(vmx_field(k, VF_EXIT_CTLS) & VM_EXIT_SAVE_PREEMPTION_TIMER),
		 "save VMX-preemption timer value needs activate VMX-preemption timer", VF_EXIT_CTLS, VF_PIN_CTLS);
	check_msr_area(k, VF_EXIT_MSR_STORE_COUNT, VF_EXIT_MSR_STORE_ADDR);
	check_msr_area(k, VF_EXIT_MSR_LOAD_COUNT, VF_EXIT_MSR_LOAD_ADDR);
}

static bool delivers_error(uint64_t info)
{
	const uint32_t with_error = BIT(VEC_DF) | BIT(VEC_TS) | BIT(VEC_NP) | BIT(VEC_SS) | BIT(VEC_GP) | BIT(VEC_PF) |
				    BIT(VEC_AC);
	uint8_t vector = INTR_INFO_VECTOR(info);

	return INTR_INFO_TYPE(info) == INTR_TYPE_EXCEPTION && vector <= EXCEPTION_VECTOR_MAX && (with_error & BIT(vector));
}

static bool vector_fits_type(uint64_t info)
{
	switch (INTR_INFO_TYPE(info)) {
	case INTR_TYPE_NMI:
		return INTR_INFO_VECTOR(info) == VEC_NMI;
	case INTR_TYPE_EXCEPTION:
		return INTR_INFO_VECTOR(info) <= EXCEPTION_VECTOR_MAX;
	case INTR_TYPE_OTHER:
		return INTR_INFO_VECTOR(info) == 0;
	default:
		return true;
	}
}

static bool type_is_reserved(const struct vmx_checker *k, uint64_t info)
{
	const uint64_t reserved = 1;
	bool has_mtf = VMX_ALLOWED_1(k->s->caps.proc) & PROC_MONITOR_TRAP_FLAG;

	return INTR_INFO_TYPE(info) == reserved || (INTR_INFO_TYPE(info) == INTR_TYPE_OTHER && !has_mtf);
}

static bool insn_len_fits(const struct vmx_checker *k, uint64_t info)
{
	uint64_t len = vmx_field(k, VF_ENTRY_INSN_LEN);

	switch (INTR_INFO_TYPE(info)) {
	case INTR_TYPE_SOFT_INTR:
	case INTR_TYPE_PRIV_SOFT_EXCEPTION:
	case INTR_TYPE_SOFT_EXCEPTION:
		return len <= INSN_LEN_MAX && (len || (k->s->caps.misc & VMX_MISC_INSN_LEN_0));
	default:
		return true;
	}
}

/* "Fields relevant to VM-entry event injection must be set properly." */
static void check_injection(const struct vmx_checker *k)
{
	uint64_t info = vmx_field(k, VF_ENTRY_INTR_INFO), error = info & INTR_INFO_ERROR_VALID;
	bool protected_mode = !vmx_check_proc2(k, PROC2_UNRESTRICTED_GUEST) || (vmx_field(k, VF_GUEST_CR0) & CR0_PE);

	if (!(info & INTR_INFO_VALID))
		return;
	VMX_NEED(k, !type_is_reserved(k, info), "the interruption type is reserved", VF_ENTRY_INTR_INFO);
	VMX_NEED(k, vector_fits_type(info), "the vector is not consistent with the interruption type", VF_ENTRY_INTR_INFO);
	VMX_NEED(k, !error || (delivers_error(info) && protected_mode),
		 "deliver-error-code is 1 for an event that has no error code",
		 VF_ENTRY_INTR_INFO, VF_GUEST_CR0);
	VMX_NEED(k, error || !(delivers_error(info) && protected_mode),
		 "deliver-error-code is 0 for an exception that has an error code",
		 VF_ENTRY_INTR_INFO, VF_GUEST_CR0);
	VMX_NEED(k, !(info & INTR_INFO_RESERVED), "reserved bits 30:12 of the interruption information must be 0",
		 VF_ENTRY_INTR_INFO);
	VMX_NEED(k, !error || !(vmx_field(k, VF_ENTRY_EXCEPTION_ERROR) & ENTRY_ERROR_RESERVED),
		 "bits 31:16 of the exception error code must be 0", VF_ENTRY_EXCEPTION_ERROR);
	VMX_NEED(k, insn_len_fits(k, info), "the instruction length of a software event must be 1 to 15", VF_ENTRY_INTR_INFO,
		 VF_ENTRY_INSN_LEN);
}

/* "VM-Entry Control Fields" */
static void check_entry_controls(const struct vmx_checker *k)
{
	const uint64_t smm = VM_ENTRY_TO_SMM | VM_ENTRY_DEACTIVATE_DUAL_MONITOR;

	check_reserved(k, VF_ENTRY_CTLS, entry_names, k->s->caps.entry);
	check_injection(k);
	check_msr_area(k, VF_ENTRY_MSR_LOAD_COUNT, VF_ENTRY_MSR_LOAD_ADDR);
	VMX_NEED(k, !(vmx_field(k, VF_ENTRY_CTLS) & smm),
		 "entry to SMM and deactivate dual-monitor treatment must be 0 outside SMM", VF_ENTRY_CTLS);
}

void vmx_check_controls(const struct vmx_checker *k)
{
	check_execution_controls(k);
	check_exit_controls(k);
	check_entry_controls(k);
}
