/* SPDX-License-Identifier: BSD-2-Clause
 * What is said of a VM entry that the CPU refused: its own words, and the rules on control fields and host state that the VMCS
 * breaks, each by name.
 * Knows nothing of the guest's state: test_vmx_guest_check.c. */
#include "vmx_check_fixture.h"

#define ERROR_CONTROL 7
#define ERROR_HOST 8
#define NON_CANONICAL BIT64(47)
#define BEYOND BIT64(40)
#define PAGE 0x1000
#define SELECTOR_TI BIT(2)
#define PIN_BASE (PIN_EXTINT_EXITING | PIN_NMI_EXITING | PIN_VIRTUAL_NMIS | PIN_PREEMPTION_TIMER)
#define PROC_BASE (PROC_TPR_SHADOW | PROC_IO_BITMAPS | PROC_MSR_BITMAPS | PROC_SECONDARY_CTLS)
#define EXIT_BASE (VM_EXIT_HOST_ADDR_SPACE_SIZE | VM_EXIT_LOAD_EFER | VM_EXIT_LOAD_PAT | VM_EXIT_SAVE_PREEMPTION_TIMER)
#define VID_BASE (PROC2_BASE | PROC2_VIRTUAL_INTR_DELIVERY)

static struct vmx_snapshot refused(enum base base, uint32_t error)
{
	struct vmx_snapshot s = good(base);

	s.refusal = VMX_FAIL_VALID;
	s.insn_error = error;
	return s;
}

static void a_good_vmcs_breaks_no_rule(void **state)
{
	struct entry_check c;

	(void)state;
	for (int base = LONG_MODE; base <= V8086; base++) {
		struct vmx_snapshot s = refused((enum base)base, ERROR_CONTROL);

		vmx_check(&s, &c);
		if (c.broken)
			fail_msg("%d: %s", base, c.line[1]);
		assert_int_equal(c.lines, 2);
		assert_string_equal(c.line[1], "no rule that is checked here is broken");
	}
}

/* SDM v3, "VM-Instruction Error Numbers" */
static void every_error_has_its_name(void **state)
{
	static const uint32_t unnamed[] = { 0, 14, 21, 27, 29, UINT32_MAX };

	(void)state;
	assert_string_equal(vmx_insn_error_name(1), "VMCALL executed in VMX root operation");
	assert_string_equal(vmx_insn_error_name(4), "VMLAUNCH with non-clear VMCS");
	assert_string_equal(vmx_insn_error_name(5), "VMRESUME with non-launched VMCS");
	assert_string_equal(vmx_insn_error_name(7), "VM entry with invalid control field(s)");
	assert_string_equal(vmx_insn_error_name(8), "VM entry with invalid host-state field(s)");
	assert_string_equal(vmx_insn_error_name(11), "VMPTRLD with incorrect VMCS revision identifier");
	assert_string_equal(vmx_insn_error_name(13), "VMWRITE to read-only VMCS component");
	assert_string_equal(vmx_insn_error_name(26), "VM entry with events blocked by MOV SS");
	assert_string_equal(vmx_insn_error_name(28), "Invalid operand to INVEPT/INVVPID");
	for (uint32_t i = 1; i <= 28; i++)
		assert_true(i == 14 || i == 21 || i == 27 || strcmp(vmx_insn_error_name(i), vmx_insn_error_name(0)) != 0);
	for (size_t i = 0; i < ARRAY_SIZE(unnamed); i++)
		assert_string_equal(vmx_insn_error_name(unnamed[i]), "an error that the manual does not name");
}

static void assert_first(const struct vmx_snapshot *s, const char *line, unsigned lines)
{
	struct entry_check c;

	vmx_check(s, &c);
	assert_string_equal(c.line[0], line);
	assert_int_equal(c.lines, lines);
}

static void the_cpu_speaks_first(void **state)
{
	struct vmx_snapshot s = refused(LONG_MODE, ERROR_CONTROL);

	(void)state;
	assert_first(&s, "VM entry failed: VM-instruction error 7, VM entry with invalid control field(s)", 2);
	s.insn_error = ERROR_HOST;
	assert_first(&s, "VM entry failed: VM-instruction error 8, VM entry with invalid host-state field(s)", 2);
	/* Nothing of the fields explains these. */
	s.insn_error = 5;
	s.field[VF_PIN_CTLS] = 0;
	assert_first(&s, "VM entry failed: VM-instruction error 5, VMRESUME with non-launched VMCS", 1);
	s.refusal = VMX_FAIL_INVALID;
	assert_first(&s, "VM entry failed: VMfailInvalid, there is no current VMCS", 1);
}

/* SDM v3, "VM-Entry Failures During or After Loading Guest State" */
static void a_failure_while_loading_names_its_reason(void **state)
{
	struct vmx_snapshot s = good(LONG_MODE);

	(void)state;
	s.refusal = VMX_FAIL_LOADING;
	s.exit_reason = EXIT_REASON_ENTRY_FAILURE | EXIT_REASON_INVALID_GUEST_STATE;
	assert_first(&s, "VM entry failed: exit reason 33, invalid guest state (EXIT_QUALIFICATION=0)", 2);
	s.qualification = ENTRY_FAIL_PDPTE;
	assert_first(&s,
		 "VM entry failed: exit reason 33, invalid guest state (EXIT_QUALIFICATION=0x2, a problem loading the PDPTEs)", 2);
	s.qualification = ENTRY_FAIL_NMI;
	assert_first(&s, "VM entry failed: exit reason 33, invalid guest state "
			 "(EXIT_QUALIFICATION=0x3, an NMI injected while events are blocked by STI)", 2);
	s.qualification = ENTRY_FAIL_LINK_POINTER;
	assert_first(&s,
		 "VM entry failed: exit reason 33, invalid guest state (EXIT_QUALIFICATION=0x4, an invalid VMCS link pointer)", 2);
	s.exit_reason = EXIT_REASON_ENTRY_FAILURE | EXIT_REASON_MSR_LOADING;
	assert_first(&s, "VM entry failed: exit reason 34, MSR loading, entry 4 of the area", 1);
	s.exit_reason = EXIT_REASON_ENTRY_FAILURE | EXIT_REASON_MACHINE_CHECK;
	assert_first(&s, "VM entry failed: exit reason 41, machine-check event", 1);
	s.exit_reason = EXIT_REASON_ENTRY_FAILURE;
	assert_first(&s, "VM entry failed: exit reason 0 (EXIT_REASON=0x80000000 EXIT_QUALIFICATION=0x4)", 1);
}

/* "VM-entry checks on control fields and host-state fields may be performed in any order." */
static void either_error_looks_at_both(void **state)
{
	struct vmx_snapshot s = refused(LONG_MODE, ERROR_HOST);
	struct entry_check c;

	(void)state;
	s.field[VF_CR3_TARGET_COUNT] = 5;
	s.field[VF_HOST_TR] = 0;
	vmx_check(&s, &c);
	assert_int_equal(c.broken, 2);
	assert_string_equal(c.line[1],
		 "invalid control: the CR3-target count must not be greater than 4 (CR3_TARGET_COUNT=0x5)");
	assert_string_equal(c.line[2], "invalid host state: the selector of TR cannot be 0 (HOST_TR=0)");
	assert_int_equal(c.lines, 3);
}

static void what_has_no_room_is_counted(void **state)
{
	struct vmx_snapshot s = refused(LONG_MODE, ERROR_HOST);
	struct entry_check c;

	(void)state;
	/* One line is the CPU's own, one the conclusion. */
	for (unsigned f = VF_HOST_ES; f <= VF_HOST_TR; f++)
		s.field[f] |= SELECTOR_TI;
	vmx_check(&s, &c);
	assert_int_equal(c.broken, VF_HOST_TR - VF_HOST_ES + 1);
	assert_int_equal(c.lines, ENTRY_CHECK_LINES);
	assert_string_equal(c.line[ENTRY_CHECK_LINES - 2],
			    "invalid host state: RPL and TI of a selector must be 0 (HOST_GS=0x4)");
	assert_string_equal(c.line[ENTRY_CHECK_LINES - 1], "and 1 more");
	s.field[VF_HOST_TR] &= ~(uint64_t)SELECTOR_TI;
	vmx_check(&s, &c);
	assert_int_equal(c.lines, ENTRY_CHECK_LINES - 1);
}

/* SDM v3, "VM-Execution Control Fields": "Reserved bits in the ... controls must be set properly." */
static void a_control_that_is_not_allowed_is_named(void **state)
{
	struct vmx_snapshot s = refused(LONG_MODE, ERROR_CONTROL);

	(void)state;
	s.field[VF_PROC_CTLS2] |= PROC2_VMFUNC;
	assert_only(&s, "control", "enable VM functions, bit 13, must be 0 on this CPU");
	s = refused(LONG_MODE, ERROR_CONTROL);
	s.caps.proc |= PROC_CR3_LOAD_EXITING;
	assert_only(&s, "control", "CR3-load exiting, bit 15, must be 1 on this CPU");
	s = refused(LONG_MODE, ERROR_CONTROL);
	s.caps.pin |= BIT(1);
	assert_only(&s, "control", "a reserved control, bit 1, must be 1 on this CPU");
	s = refused(LONG_MODE, ERROR_CONTROL);
	s.caps.exit &= ~FIELD(63, 32, VM_EXIT_LOAD_PAT);
	assert_only(&s, "control", "load IA32_PAT, bit 19, must be 0 on this CPU");
	s = refused(LONG_MODE, ERROR_CONTROL);
	s.caps.entry |= VM_ENTRY_LOAD_PERF_GLOBAL_CTRL;
	assert_only(&s, "control", "load IA32_PERF_GLOBAL_CTRL, bit 13, must be 1 on this CPU");
}

/* "If the 'activate secondary controls' ... is 0 ... no checks are performed on the secondary processor-based VM-execution
 * controls. The logical processor operates as if all ... were 0." */
static void secondary_controls_that_are_not_activated_do_not_count(void **state)
{
	struct vmx_snapshot s = refused(LONG_MODE, ERROR_CONTROL);
	struct entry_check c;

	(void)state;
	s.field[VF_PROC_CTLS] &= ~(uint64_t)PROC_SECONDARY_CTLS;
	s.field[VF_PROC_CTLS2] = UINT32_MAX;
	s.field[VF_EPT_POINTER] = 0;
	vmx_check(&s, &c);
	assert_int_equal(c.broken, 0);
}

static void each_rule_on_execution_controls(void **state)
{
	static const struct broken list[] = {
		{ "the CR3-target count must not be greater than 4", LONG_MODE, { { VF_CR3_TARGET_COUNT, 5 } } },
		{ "bits 11:0 of an address must be 0", LONG_MODE, { { VF_IO_BITMAP_A, PAGE + 1 } } },
		{ "an address is beyond the physical-address width", LONG_MODE, { { VF_IO_BITMAP_A, BEYOND } } },
		{ "bits 11:0 of an address must be 0", LONG_MODE, { { VF_IO_BITMAP_B, PAGE / 2 } } },
		{ "bits 11:0 of an address must be 0", LONG_MODE, { { VF_MSR_BITMAP, PAGE + 8 } } },
		{ "bits 11:0 of an address must be 0", LONG_MODE, { { VF_VIRTUAL_APIC_ADDR, PAGE + 0x80 } } },
		{ "an address is beyond the physical-address width", LONG_MODE, { { VF_VIRTUAL_APIC_ADDR, BEYOND } } },
		{ "bits 31:4 of the TPR threshold must be 0", LONG_MODE, { { VF_TPR_THRESHOLD, BIT(4) } } },
		{ "the TPR threshold is above VTPR[7:4]", LONG_MODE, { { VF_TPR_THRESHOLD, 1 } } },
		{ "virtualize x2APIC mode, APIC-register virtualization and virtual-interrupt delivery need use TPR shadow",
		  LONG_MODE,
		  { { VF_PROC_CTLS, PROC_BASE & ~PROC_TPR_SHADOW }, { VF_PROC_CTLS2, PROC2_BASE | PROC2_APIC_REGISTERS } } },
		{ "virtual NMIs needs NMI exiting", LONG_MODE, { { VF_PIN_CTLS, PIN_BASE & ~PIN_NMI_EXITING } } },
		{ "NMI-window exiting needs virtual NMIs", LONG_MODE,
		  { { VF_PIN_CTLS, PIN_BASE & ~PIN_VIRTUAL_NMIS }, { VF_PROC_CTLS, PROC_BASE | PROC_NMI_WINDOW_EXITING } } },
		{ "bits 11:0 of an address must be 0", LONG_MODE,
		  { { VF_PROC_CTLS2, PROC2_BASE | PROC2_APIC_ACCESSES }, { VF_APIC_ACCESS_ADDR, 8 } } },
		{ "virtualize x2APIC mode and virtualize APIC accesses cannot both be 1", LONG_MODE,
		  { { VF_PROC_CTLS2, PROC2_BASE | PROC2_APIC_ACCESSES | PROC2_X2APIC_MODE } } },
		{ "virtual-interrupt delivery needs external-interrupt exiting", LONG_MODE,
		  { { VF_PROC_CTLS2, VID_BASE }, { VF_PIN_CTLS, PIN_BASE & ~PIN_EXTINT_EXITING } } },
		{ "VPID must not be 0", LONG_MODE, { { VF_PROC_CTLS2, PROC2_BASE | PROC2_VPID } } },
		{ "unrestricted guest needs enable EPT", LONG_MODE, { { VF_PROC_CTLS2, PROC2_UNRESTRICTED_GUEST } } },
		{ "EPTP has a memory type that this CPU does not support", LONG_MODE, { { VF_EPT_POINTER,
		  EPTP_WALK_LENGTH_4 } } },
		{ "EPTP has a page-walk length that this CPU does not support", LONG_MODE, { { VF_EPT_POINTER, EPTP_WB } } },
		{ "EPTP enables accessed and dirty flags that this CPU does not support", LONG_MODE,
		  { { VF_EPT_POINTER, EPTP_GOOD | BIT(6) } } },
		{ "reserved bits 11:7 of EPTP must be 0", LONG_MODE, { { VF_EPT_POINTER, EPTP_GOOD | BIT(9) } } },
		{ "EPTP is beyond the physical-address width", LONG_MODE, { { VF_EPT_POINTER, EPTP_GOOD | BEYOND } } },
	};

	(void)state;
	assert_each(list, ARRAY_SIZE(list), VMX_FAIL_VALID, ERROR_CONTROL, "control");
}

static void each_rule_on_posted_interrupts(void **state)
{
	static const struct broken list[] = {
		{ "process posted interrupts needs virtual-interrupt delivery", LONG_MODE,
		  { { VF_PIN_CTLS, PIN_BASE | PIN_POSTED_INTERRUPTS }, { VF_EXIT_CTLS, EXIT_BASE | VM_EXIT_ACK_INTERRUPT } } },
		{ "process posted interrupts needs acknowledge interrupt on exit", LONG_MODE,
		  { { VF_PIN_CTLS, PIN_BASE | PIN_POSTED_INTERRUPTS }, { VF_PROC_CTLS2, VID_BASE } } },
		{ "the posted-interrupt notification vector is above 255", LONG_MODE,
		  { { VF_PIN_CTLS, PIN_BASE | PIN_POSTED_INTERRUPTS }, { VF_PROC_CTLS2, VID_BASE },
		    { VF_EXIT_CTLS, EXIT_BASE | VM_EXIT_ACK_INTERRUPT }, { VF_POSTED_INTR_VECTOR, 256 } } },
		{ "bits 5:0 of the posted-interrupt descriptor address must be 0", LONG_MODE,
		  { { VF_PIN_CTLS, PIN_BASE | PIN_POSTED_INTERRUPTS }, { VF_PROC_CTLS2, VID_BASE },
		    { VF_EXIT_CTLS, EXIT_BASE | VM_EXIT_ACK_INTERRUPT }, { VF_POSTED_INTR_DESC_ADDR, PAGE + 32 } } },
		{ "the posted-interrupt descriptor is beyond the physical-address width", LONG_MODE,
		  { { VF_PIN_CTLS, PIN_BASE | PIN_POSTED_INTERRUPTS }, { VF_PROC_CTLS2, VID_BASE },
		    { VF_EXIT_CTLS, EXIT_BASE | VM_EXIT_ACK_INTERRUPT }, { VF_POSTED_INTR_DESC_ADDR, BEYOND } } },
	};

	(void)state;
	assert_each(list, ARRAY_SIZE(list), VMX_FAIL_VALID, ERROR_CONTROL, "control");
}

/* "If the 'use TPR shadow' VM-execution control is 1 and the 'virtual-interrupt delivery' ... is 0, bits 31:4 of the TPR
 * threshold ... must be 0"; "the value of bits 3:0 of the TPR threshold ... should not be greater than the value of bits 7:4
 * of VTPR". */
static void the_tpr_threshold_is_compared_with_vtpr(void **state)
{
	struct vmx_snapshot s = refused(LONG_MODE, ERROR_CONTROL);
	struct entry_check c;

	(void)state;
	s.field[VF_TPR_THRESHOLD] = 3;
	s.vtpr = 0x2f;
	vmx_check(&s, &c);
	assert_string_equal(c.line[1], "invalid control: the TPR threshold is above VTPR[7:4] (TPR_THRESHOLD=0x3 VTPR=0x2f)");
	s.vtpr = 0x30;
	vmx_check(&s, &c);
	assert_int_equal(c.broken, 0);
	s.vtpr = 0;
	s.field[VF_PROC_CTLS2] |= PROC2_APIC_ACCESSES;
	vmx_check(&s, &c);
	assert_int_equal(c.broken, 0);
	s.field[VF_PROC_CTLS2] = VID_BASE;
	s.field[VF_TPR_THRESHOLD] = UINT32_MAX;
	vmx_check(&s, &c);
	assert_int_equal(c.broken, 0);
}

static void each_rule_on_exit_and_entry_controls(void **state)
{
	static const struct broken list[] = {
		{ "save VMX-preemption timer value needs activate VMX-preemption timer", LONG_MODE,
		  { { VF_PIN_CTLS, PIN_BASE & ~PIN_PREEMPTION_TIMER } } },
		{ "bits 3:0 of the address of an MSR area must be 0", LONG_MODE,
		  { { VF_EXIT_MSR_STORE_COUNT, 1 }, { VF_EXIT_MSR_STORE_ADDR, PAGE + 8 } } },
		{ "an MSR area is beyond the physical-address width", LONG_MODE,
		  { { VF_EXIT_MSR_LOAD_COUNT, 1 }, { VF_EXIT_MSR_LOAD_ADDR, BEYOND } } },
		{ "an MSR area is beyond the physical-address width", LONG_MODE,
		  { { VF_ENTRY_MSR_LOAD_COUNT, 2 }, { VF_ENTRY_MSR_LOAD_ADDR, BEYOND - 16 } } },
		{ "entry to SMM and deactivate dual-monitor treatment must be 0 outside SMM", LONG_MODE,
		  { { VF_ENTRY_CTLS, VM_ENTRY_LOAD_EFER | VM_ENTRY_LOAD_PAT | VM_ENTRY_TO_SMM } } },
	};

	(void)state;
	assert_each(list, ARRAY_SIZE(list), VMX_FAIL_VALID, ERROR_CONTROL, "control");
}

/* "Fields relevant to VM-entry event injection must be set properly." */
static void each_rule_on_injection(void **state)
{
	static const struct broken list[] = {
		{ "the interruption type is reserved", LONG_MODE, { { VF_ENTRY_INTR_INFO, INJECT(1, 0x30) } } },
		/* This CPU has no monitor trap flag. */
		{ "the interruption type is reserved", LONG_MODE, { { VF_ENTRY_INTR_INFO, INJECT(INTR_TYPE_OTHER, 0) } } },
		{ "the vector is not consistent with the interruption type", LONG_MODE,
		  { { VF_ENTRY_INTR_INFO, INJECT(INTR_TYPE_NMI, 3) } } },
		{ "the vector is not consistent with the interruption type", LONG_MODE,
		  { { VF_ENTRY_INTR_INFO, INJECT(INTR_TYPE_EXCEPTION, 32) } } },
		{ "deliver-error-code is 1 for an event that has no error code", LONG_MODE,
		  { { VF_ENTRY_INTR_INFO, INJECT(INTR_TYPE_EXCEPTION, VEC_UD) | INTR_INFO_ERROR_VALID } } },
		{ "deliver-error-code is 1 for an event that has no error code", LONG_MODE,
		  { { VF_ENTRY_INTR_INFO, INJECT(INTR_TYPE_EXTINT, VEC_PF) | INTR_INFO_ERROR_VALID } } },
		/* In real-address mode there are none. */
		{ "deliver-error-code is 1 for an event that has no error code", REAL,
		  { { VF_ENTRY_INTR_INFO, INJECT(INTR_TYPE_EXCEPTION, VEC_GP) | INTR_INFO_ERROR_VALID } } },
		{ "deliver-error-code is 0 for an exception that has an error code", LONG_MODE,
		  { { VF_ENTRY_INTR_INFO, INJECT(INTR_TYPE_EXCEPTION, VEC_PF) } } },
		{ "reserved bits 30:12 of the interruption information must be 0", LONG_MODE,
		  { { VF_ENTRY_INTR_INFO, INJECT(INTR_TYPE_EXTINT, 0x30) | INTR_INFO_NMI_UNBLOCKING } } },
		{ "bits 31:16 of the exception error code must be 0", LONG_MODE,
		  { { VF_ENTRY_INTR_INFO, INJECT(INTR_TYPE_EXCEPTION, VEC_PF) | INTR_INFO_ERROR_VALID },
		    { VF_ENTRY_EXCEPTION_ERROR, BIT(16) } } },
		{ "the instruction length of a software event must be 1 to 15", LONG_MODE,
		  { { VF_ENTRY_INTR_INFO, INJECT(INTR_TYPE_SOFT_INTR, 0x80) } } },
		{ "the instruction length of a software event must be 1 to 15", LONG_MODE,
		  { { VF_ENTRY_INTR_INFO, INJECT(INTR_TYPE_SOFT_EXCEPTION, VEC_BP) }, { VF_ENTRY_INSN_LEN, 16 } } },
	};

	(void)state;
	assert_each(list, ARRAY_SIZE(list), VMX_FAIL_VALID, ERROR_CONTROL, "control");
}

static void good_injections_break_no_rule(void **state)
{
	static const struct broken list[] = {
		{ "an interrupt", LONG_MODE, { { VF_ENTRY_INTR_INFO, INJECT(INTR_TYPE_EXTINT, 0x30) } } },
		{ "an NMI", LONG_MODE, { { VF_ENTRY_INTR_INFO, INJECT(INTR_TYPE_NMI, VEC_NMI) } } },
		{ "#GP", LONG_MODE, { { VF_ENTRY_INTR_INFO, INJECT(INTR_TYPE_EXCEPTION, VEC_GP) | INTR_INFO_ERROR_VALID } } },
		{ "#GP in real-address mode", REAL, { { VF_ENTRY_INTR_INFO, INJECT(INTR_TYPE_EXCEPTION, VEC_GP) } } },
		{ "the last exception", LONG_MODE, { { VF_ENTRY_INTR_INFO, INJECT(INTR_TYPE_EXCEPTION, 31) } } },
		{ "INT n", LONG_MODE, { { VF_ENTRY_INTR_INFO, INJECT(INTR_TYPE_SOFT_INTR, 0x80) }, { VF_ENTRY_INSN_LEN,
		  15 } } },
		{ "nothing", LONG_MODE, { { VF_ENTRY_INTR_INFO, INTR_INFO_RESERVED | INTR_INFO_TYPE_FIELD(1) } } },
	};

	(void)state;
	assert_good(list, ARRAY_SIZE(list), VMX_FAIL_VALID, ERROR_CONTROL);
}

static void good_controls_break_no_rule(void **state)
{
	static const struct broken list[] = {
		{ "four CR3 targets", LONG_MODE, { { VF_CR3_TARGET_COUNT, 4 } } },
		{ "the NMI window", LONG_MODE, { { VF_PROC_CTLS, PROC_BASE | PROC_NMI_WINDOW_EXITING } } },
		{ "no NMI control at all", LONG_MODE, { { VF_PIN_CTLS, PIN_EXTINT_EXITING | PIN_PREEMPTION_TIMER } } },
		{ "posted interrupts", LONG_MODE,
		  { { VF_PIN_CTLS, PIN_BASE | PIN_POSTED_INTERRUPTS }, { VF_PROC_CTLS2, VID_BASE },
		    { VF_EXIT_CTLS, EXIT_BASE | VM_EXIT_ACK_INTERRUPT }, { VF_POSTED_INTR_VECTOR, 255 },
		    { VF_POSTED_INTR_DESC_ADDR, PAGE + 64 } } },
		{ "VPID", LONG_MODE, { { VF_PROC_CTLS2, PROC2_BASE | PROC2_VPID }, { VF_VPID, 1 } } },
		{ "VID in x2APIC mode", LONG_MODE,
		  { { VF_PROC_CTLS2, VID_BASE | PROC2_X2APIC_MODE | PROC2_APIC_REGISTERS } } },
		{ "an MSR area at the end of memory", LONG_MODE,
		  { { VF_EXIT_MSR_LOAD_COUNT, 2 }, { VF_EXIT_MSR_LOAD_ADDR, BEYOND - 32 } } },
		{ "bitmaps that are not used", LONG_MODE,
		  { { VF_PROC_CTLS, PROC_TPR_SHADOW | PROC_SECONDARY_CTLS }, { VF_IO_BITMAP_A, 1 }, { VF_MSR_BITMAP,
		  BEYOND } } },
	};

	(void)state;
	assert_good(list, ARRAY_SIZE(list), VMX_FAIL_VALID, ERROR_CONTROL);
}

/* What IA32_VMX_EPT_VPID_CAP and IA32_VMX_MISC allow beyond that. */
static void capabilities_widen_the_rules(void **state)
{
	const uint64_t uc = BIT64(8), five_levels = BIT64(7), ad = BIT64(21), len_0 = BIT64(30);
	struct vmx_snapshot s = refused(LONG_MODE, ERROR_CONTROL);
	struct entry_check c;

	(void)state;
	s.field[VF_EPT_POINTER] = FIELD(5, 3, 4) | BIT64(6);
	s.field[VF_ENTRY_INTR_INFO] = INJECT(INTR_TYPE_SOFT_INTR, 0x80);
	vmx_check(&s, &c);
	assert_int_equal(c.broken, 4);
	s.caps.ept_vpid = uc | five_levels | ad;
	s.caps.misc |= len_0;
	vmx_check(&s, &c);
	assert_int_equal(c.broken, 0);
	s.field[VF_EPT_POINTER] = EPTP_GOOD;
	vmx_check(&s, &c);
	assert_int_equal(c.broken, 2);
}

static void each_rule_on_host_state(void **state)
{
	static const struct broken list[] = {
		{ "CR0 sets a bit to a value not supported in VMX operation", LONG_MODE,
		  { { VF_HOST_CR0, CR0_PE | CR0_ET | CR0_PG } } },
		{ "CR0 sets a bit to a value not supported in VMX operation", LONG_MODE,
		  { { VF_HOST_CR0, BIT64(32) | CR0_PE | CR0_NE | CR0_PG } } },
		{ "CR4 sets a bit to a value not supported in VMX operation", LONG_MODE, { { VF_HOST_CR4, CR4_PAE } } },
		{ "CR4.CET is 1 and CR0.WP is 0", LONG_MODE,
		  { { VF_HOST_CR4, CR4_PAE | CR4_VMXE | CR4_CET }, { VF_HOST_CR0, CR0_PE | CR0_NE | CR0_PG } } },
		{ "CR3 has bits beyond the physical-address width", LONG_MODE, { { VF_HOST_CR3, BEYOND } } },
		{ "IA32_SYSENTER_ESP is not canonical", LONG_MODE, { { VF_HOST_SYSENTER_ESP, NON_CANONICAL } } },
		{ "IA32_SYSENTER_EIP is not canonical", LONG_MODE, { { VF_HOST_SYSENTER_EIP, NON_CANONICAL } } },
		{ "IA32_PAT has a memory type that does not exist", LONG_MODE, { { VF_HOST_PAT, PAT_RESET ^ 4 } } },
		{ "IA32_EFER has reserved bits", LONG_MODE, { { VF_HOST_EFER, EFER_LME | EFER_LMA | EFER_SVME } } },
		{ "LMA and LME of IA32_EFER are not those of host address-space size", LONG_MODE, { { VF_HOST_EFER,
		  EFER_LME } } },
		{ "RPL and TI of a selector must be 0", LONG_MODE, { { VF_HOST_ES, 0x13 } } },
		{ "RPL and TI of a selector must be 0", LONG_MODE, { { VF_HOST_TR, 0x1c } } },
		{ "the selector of CS cannot be 0", LONG_MODE, { { VF_HOST_CS, 0 } } },
		{ "the selector of TR cannot be 0", LONG_MODE, { { VF_HOST_TR, 0 } } },
		{ "a base address is not canonical", LONG_MODE, { { VF_HOST_FS_BASE, NON_CANONICAL } } },
		{ "a base address is not canonical", LONG_MODE, { { VF_HOST_IDTR_BASE, NON_CANONICAL } } },
		{ "host address-space size must be 1 in IA-32e mode", LONG_MODE,
		  { { VF_EXIT_CTLS, VM_EXIT_LOAD_EFER | VM_EXIT_LOAD_PAT }, { VF_HOST_EFER, 0 } } },
		{ "CR4.PAE must be 1 with host address-space size", LONG_MODE, { { VF_HOST_CR4, CR4_VMXE } } },
		{ "RIP is not canonical", LONG_MODE, { { VF_HOST_RIP, NON_CANONICAL } } },
	};

	(void)state;
	assert_each(list, ARRAY_SIZE(list), VMX_FAIL_VALID, ERROR_HOST, "host state");
}

/* "The selector field for SS cannot be 0000H if the 'host address-space size' VM-exit control is 0." */
static void a_host_outside_64_bits_needs_a_stack_segment(void **state)
{
	struct vmx_snapshot s = refused(LONG_MODE, ERROR_HOST);
	struct entry_check c;

	(void)state;
	s.field[VF_HOST_SS] = 0;
	vmx_check(&s, &c);
	assert_int_equal(c.broken, 0);
	s.field[VF_EXIT_CTLS] = s.field[VF_HOST_EFER] = 0;
	vmx_check(&s, &c);
	assert_int_equal(c.broken, 2);
	assert_string_equal(c.line[1], "invalid host state: the selector of SS cannot be 0 without host address-space size "
				       "(HOST_SS=0 EXIT_CTLS=0)");
}

/* Fields that the snapshot reads are where the manual has them. SDM v3, "Field Encoding in VMCS". */
static void fields_have_their_encodings(void **state)
{
	(void)state;
	assert_int_equal(vmx_check_encoding[VF_PIN_CTLS], 0x4000);
	assert_int_equal(vmx_check_encoding[VF_ENTRY_INTR_INFO], 0x4016);
	assert_int_equal(vmx_check_encoding[VF_GUEST_RFLAGS], 0x6820);
	assert_int_equal(vmx_check_encoding[VF_GUEST_TR_AR], 0x4822);
	assert_int_equal(vmx_check_encoding[VF_GUEST_PDPTE3], 0x2810);
	/* VPID alone is 0. */
	for (unsigned f = VF_END + 1; f < VMX_CHECK_COUNT; f++)
		assert_int_equal(!vmx_check_encoding[f], f == VF_VPID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_vmcs_breaks_no_rule),
		cmocka_unit_test(every_error_has_its_name),
		cmocka_unit_test(the_cpu_speaks_first),
		cmocka_unit_test(a_failure_while_loading_names_its_reason),
		cmocka_unit_test(either_error_looks_at_both),
		cmocka_unit_test(what_has_no_room_is_counted),
		cmocka_unit_test(a_control_that_is_not_allowed_is_named),
		cmocka_unit_test(secondary_controls_that_are_not_activated_do_not_count),
		cmocka_unit_test(each_rule_on_execution_controls),
		cmocka_unit_test(each_rule_on_posted_interrupts),
		cmocka_unit_test(the_tpr_threshold_is_compared_with_vtpr),
		cmocka_unit_test(each_rule_on_exit_and_entry_controls),
		cmocka_unit_test(each_rule_on_injection),
		cmocka_unit_test(good_injections_break_no_rule),
		cmocka_unit_test(good_controls_break_no_rule),
		cmocka_unit_test(capabilities_widen_the_rules),
		cmocka_unit_test(each_rule_on_host_state),
		cmocka_unit_test(a_host_outside_64_bits_needs_a_stack_segment),
		cmocka_unit_test(fields_have_their_encodings),
	};

	return cmocka_run_group_tests_name("vmx_check", tests, NULL, NULL);
}
