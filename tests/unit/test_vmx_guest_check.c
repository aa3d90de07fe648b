/* SPDX-License-Identifier: BSD-2-Clause
 * What is said of a guest that a VM entry refused: each rule on the guest-state area by name, with the fields that broke it.
 * Knows nothing of control fields and host state: test_vmx_check.c. */
#include "vmx_check_fixture.h"

#define NON_CANONICAL BIT64(47)
#define BEYOND BIT64(40)
#define BIT32 BIT64(32)
#define LONG_CR0 (CR0_PE | CR0_ET | CR0_NE | CR0_WP | CR0_PG)
#define PAGED_CR0 (CR0_PE | CR0_ET | CR0_NE | CR0_PG)
#define CONFORMING BIT(2)
#define LONG_CR4 (CR4_PAE | CR4_VMXE)
#define LONG_EFER (EFER_LME | EFER_LMA | EFER_SCE | EFER_NXE)
#define RESTRICTED PROC2_EPT
#define EXTINT INJECT(INTR_TYPE_EXTINT, 0x30)
#define NMI INJECT(INTR_TYPE_NMI, VEC_NMI)
#define CPL3_CS 0x0b
#define CPL3_SS 0x13

static struct vmx_snapshot refused(enum base base)
{
	struct vmx_snapshot s = good(base);

	s.refusal = VMX_FAIL_LOADING;
	s.exit_reason = EXIT_REASON_ENTRY_FAILURE | EXIT_REASON_INVALID_GUEST_STATE;
	return s;
}

static void assert_guest(const struct broken *list, size_t n)
{
	assert_each(list, n, VMX_FAIL_LOADING, EXIT_REASON_ENTRY_FAILURE | EXIT_REASON_INVALID_GUEST_STATE, "guest state");
}

static void good_guests_break_no_rule(void **state)
{
	static const struct broken list[] = {
		{ "long mode", LONG_MODE, { { VF_END, 0 } } },
		{ "protected mode", PROTECTED, { { VF_END, 0 } } },
		{ "real-address mode", REAL, { { VF_END, 0 } } },
		{ "PAE paging", PAE, { { VF_END, 0 } } },
		{ "virtual-8086 mode", V8086, { { VF_END, 0 } } },
		{ "an external interrupt", LONG_MODE, { { VF_ENTRY_INTR_INFO, EXTINT }, { VF_GUEST_RFLAGS, RFLAGS_IF | 2 } } },
		{ "an NMI with IF=0", LONG_MODE, { { VF_ENTRY_INTR_INFO, NMI } } },
		{ "STI's shadow", LONG_MODE,
		  { { VF_GUEST_INTERRUPTIBILITY, INTERRUPTIBILITY_STI }, { VF_GUEST_RFLAGS, RFLAGS_IF | 2 } } },
		{ "MOV SS's shadow with a step due", LONG_MODE,
		  { { VF_GUEST_INTERRUPTIBILITY, INTERRUPTIBILITY_MOV_SS }, { VF_GUEST_RFLAGS, RFLAGS_TF | 2 },
		    { VF_GUEST_PENDING_DEBUG, PENDING_DEBUG_BS } } },
		{ "MOV SS's shadow with BTF", LONG_MODE,
		  { { VF_GUEST_INTERRUPTIBILITY, INTERRUPTIBILITY_MOV_SS }, { VF_GUEST_RFLAGS, RFLAGS_TF | 2 },
		    { VF_GUEST_DEBUGCTL, BIT(1) } } },
		{ "halted, woken by an interrupt", LONG_MODE,
		  { { VF_GUEST_ACTIVITY, ACTIVITY_HLT }, { VF_ENTRY_INTR_INFO, EXTINT }, { VF_GUEST_RFLAGS, RFLAGS_IF | 2 } } },
		{ "halted, a #DB", LONG_MODE,
		  { { VF_GUEST_ACTIVITY, ACTIVITY_HLT }, { VF_ENTRY_INTR_INFO, INJECT(INTR_TYPE_EXCEPTION, VEC_DB) } } },
		{ "halted, a #MC", LONG_MODE,
		  { { VF_GUEST_ACTIVITY, ACTIVITY_HLT }, { VF_ENTRY_INTR_INFO, INJECT(INTR_TYPE_EXCEPTION, VEC_MC) } } },
		{ "BS outside a shadow", LONG_MODE, { { VF_GUEST_PENDING_DEBUG, PENDING_DEBUG_BS } } },
		{ "a step outside a shadow", LONG_MODE, { { VF_GUEST_RFLAGS, RFLAGS_TF | 2 } } },
		{ "shutdown, an NMI", LONG_MODE, { { VF_GUEST_ACTIVITY, ACTIVITY_SHUTDOWN }, { VF_ENTRY_INTR_INFO, NMI } } },
		{ "a 16-bit TSS", PROTECTED, { { VF_GUEST_TR_AR, AR_TSS_16_BUSY } } },
		{ "an LDT", LONG_MODE, { { VF_GUEST_LDTR_AR, AR_LDT } } },
		{ "unusable data segments", LONG_MODE,
		  { { VF_GUEST_DS_AR, AR_UNUSABLE }, { VF_GUEST_ES_AR, AR_UNUSABLE }, { VF_GUEST_SS_AR, AR_UNUSABLE },
		    { VF_GUEST_DS_BASE, BIT32 }, { VF_GUEST_SS_BASE, BIT32 } } },
		{ "data in CS", PROTECTED, { { VF_GUEST_CS_AR, DATA_32 } } },
		{ "conforming code below SS", PROTECTED,
		  { { VF_GUEST_CS_AR, CODE_32 | CONFORMING }, { VF_GUEST_SS_AR, DATA_32 | DPL3 } } },
		{ "conforming code beside SS", PROTECTED, { { VF_GUEST_CS_AR, CODE_32 | CONFORMING } } },
		{ "a data segment that cannot be written", PROTECTED, { { VF_GUEST_DS_AR, DATA_32 & ~BIT(1) } } },
		{ "DPL below RPL, unrestricted", PROTECTED, { { VF_GUEST_DS, 0x13 } } },
		{ "DPL below RPL, conforming", LONG_MODE,
		  { { VF_GUEST_DS, 0x13 }, { VF_GUEST_DS_AR, CODE_32 | CONFORMING }, { VF_PROC_CTLS2, RESTRICTED } } },
		{ "a base for FS", LONG_MODE, { { VF_GUEST_FS_BASE, 0xffff800000000000 } } },
		{ "ring 3", LONG_MODE,
		  { { VF_PROC_CTLS2, RESTRICTED }, { VF_GUEST_CS, CPL3_CS }, { VF_GUEST_SS, CPL3_SS },
		    { VF_GUEST_CS_AR, CODE_64 | DPL3 }, { VF_GUEST_SS_AR, DATA_32 | DPL3 } } },
		{ "a linked VMCS", LONG_MODE, { { VF_LINK_POINTER, 0x2000 } } },
		{ "a PDPTE that is not present", PAE, { { VF_GUEST_PDPTE1, UINT64_MAX - PTE_P } } },
		{ "PDPTEs in long mode", LONG_MODE, { { VF_GUEST_PDPTE0, UINT64_MAX } } },
		{ "PDPTEs without PAE", PROTECTED, { { VF_GUEST_PDPTE0, UINT64_MAX }, { VF_GUEST_CR0, PAGED_CR0 } } },
		{ "PDPTEs without paging", PROTECTED, { { VF_GUEST_PDPTE0, UINT64_MAX }, { VF_GUEST_CR4, LONG_CR4 } } },
		{ "PDPTEs without EPT", PAE, { { VF_GUEST_PDPTE0, UINT64_MAX }, { VF_PROC_CTLS2, 0 } } },
	};

	(void)state;
	assert_good(list, ARRAY_SIZE(list), VMX_FAIL_LOADING, EXIT_REASON_INVALID_GUEST_STATE);
}

/* The line names the rule and the fields with their values. */
static void the_line_holds_the_fields(void **state)
{
	struct vmx_snapshot s = refused(LONG_MODE);
	struct entry_check c;

	(void)state;
	s.field[VF_ENTRY_INTR_INFO] = EXTINT;
	vmx_check(&s, &c);
	assert_int_equal(c.lines, 2);
	assert_string_equal(c.line[0], "VM entry failed: exit reason 33, invalid guest state (EXIT_QUALIFICATION=0)");
	assert_string_equal(c.line[1], "invalid guest state: RFLAGS.IF = 0 with an external interrupt injected "
				       "(GUEST_RFLAGS=0x2 ENTRY_INTR_INFO=0x80000030)");
}

/* SDM v3, "Checks on Guest Control Registers, Debug Registers, and MSRs" */
static void each_rule_on_registers(void **state)
{
	static const struct broken list[] = {
		{ "CR0 sets a bit to a value not supported in VMX operation", LONG_MODE, { { VF_GUEST_CR0,
		  LONG_CR0 & ~CR0_NE } } },
		{ "CR0 sets a bit to a value not supported in VMX operation", LONG_MODE, { { VF_GUEST_CR0,
		  LONG_CR0 | BIT32 } } },
		/* "... except that bits PE and PG are not checked" under unrestricted guest alone. */
		{ "CR0 sets a bit to a value not supported in VMX operation", PROTECTED, { { VF_PROC_CTLS2, RESTRICTED } } },
		{ "CR0.PG is 1 and CR0.PE is 0", REAL, { { VF_GUEST_CR0, CR0_ET | CR0_NE | CR0_PG } } },
		{ "CR4 sets a bit to a value not supported in VMX operation", LONG_MODE, { { VF_GUEST_CR4, CR4_PAE } } },
		{ "CR4 sets a bit to a value not supported in VMX operation", LONG_MODE, { { VF_GUEST_CR4,
		  LONG_CR4 | BIT(15) } } },
		{ "CR4.CET is 1 and CR0.WP is 0", LONG_MODE,
		  { { VF_GUEST_CR4, LONG_CR4 | CR4_CET }, { VF_GUEST_CR0, LONG_CR0 & ~CR0_WP } } },
		{ "CR0.PG must be 1 with IA-32e mode guest", LONG_MODE, { { VF_GUEST_CR0, LONG_CR0 & ~CR0_PG } } },
		{ "CR4.PAE must be 1 with IA-32e mode guest", LONG_MODE, { { VF_GUEST_CR4, CR4_VMXE } } },
		{ "CR4.PCIDE must be 0 without IA-32e mode guest", PROTECTED, { { VF_GUEST_CR4, CR4_VMXE | CR4_PCIDE } } },
		{ "CR3 has bits beyond the physical-address width", LONG_MODE, { { VF_GUEST_CR3, BEYOND } } },
		{ "IA32_DEBUGCTL has reserved bits", LONG_MODE, { { VF_GUEST_DEBUGCTL, BIT(4) } } },
		{ "bits 63:32 of DR7 must be 0", LONG_MODE, { { VF_GUEST_DR7, DR7_INIT | BIT32 } } },
		{ "IA32_SYSENTER_ESP is not canonical", LONG_MODE, { { VF_GUEST_SYSENTER_ESP, NON_CANONICAL } } },
		{ "IA32_SYSENTER_EIP is not canonical", LONG_MODE, { { VF_GUEST_SYSENTER_EIP, NON_CANONICAL } } },
		{ "IA32_PAT has a memory type that does not exist", LONG_MODE, { { VF_GUEST_PAT, 0x0300 } } },
		{ "IA32_PAT has a memory type that does not exist", LONG_MODE, { { VF_GUEST_PAT, 0x08 } } },
		{ "IA32_EFER has reserved bits", LONG_MODE, { { VF_GUEST_EFER, LONG_EFER | EFER_SVME } } },
		{ "IA32_EFER.LMA must be IA-32e mode guest", PAE, { { VF_GUEST_EFER, EFER_LME | EFER_LMA } } },
		{ "IA32_EFER.LMA must be LME when CR0.PG is 1", PAE, { { VF_GUEST_EFER, EFER_LME } } },
	};

	(void)state;
	assert_guest(list, ARRAY_SIZE(list));
}

static void what_is_not_loaded_is_not_checked(void **state)
{
	static const struct broken list[] = {
		{ "EFER", PROTECTED, { { VF_ENTRY_CTLS, 0 }, { VF_GUEST_EFER, UINT64_MAX } } },
		{ "PAT", PROTECTED, { { VF_ENTRY_CTLS, 0 }, { VF_GUEST_PAT, UINT64_MAX } } },
		{ "DR7", PROTECTED, { { VF_ENTRY_CTLS, 0 }, { VF_GUEST_DR7, UINT64_MAX }, { VF_GUEST_DEBUGCTL, UINT64_MAX } } },
		{ "LME alone before paging", PROTECTED, { { VF_GUEST_EFER, EFER_LME } } },
	};

	(void)state;
	assert_good(list, ARRAY_SIZE(list), VMX_FAIL_LOADING, EXIT_REASON_INVALID_GUEST_STATE);
}

/* SDM v3, "Checks on Guest Segment Registers" */
static void each_rule_on_code_and_stack(void **state)
{
	static const struct broken list[] = {
		{ "CS: bits 63:32 of the base must be 0", LONG_MODE, { { VF_GUEST_CS_BASE, BIT32 } } },
		{ "CS: Type must be accessed code, or with unrestricted guest 3", PROTECTED, { { VF_GUEST_CS_AR,
		  CODE_32 & ~BIT(0) } } },
		{ "CS: Type must be accessed code, or with unrestricted guest 3", LONG_MODE,
		  { { VF_GUEST_CS_AR, AR_DATA | AR_L | AR_G }, { VF_PROC_CTLS2, RESTRICTED } } },
		{ "CS: S must be 1", PROTECTED, { { VF_GUEST_CS_AR, CODE_32 & ~AR_S } } },
		{ "CS: DPL does not fit the Type and the DPL of SS", PROTECTED, { { VF_GUEST_CS_AR, CODE_32 | DPL3 } } },
		{ "CS: DPL does not fit the Type and the DPL of SS", PROTECTED, { { VF_GUEST_CS_AR,
		  CODE_32 | CONFORMING | DPL3 } } },
		{ "CS: DPL does not fit the Type and the DPL of SS", PROTECTED, { { VF_GUEST_CS_AR, DATA_32 | DPL3 } } },
		{ "CS: D/B must be 0 in IA-32e mode when L is 1", LONG_MODE, { { VF_GUEST_CS_AR, CODE_64 | AR_DB } } },
		{ "CS: P must be 1", PROTECTED, { { VF_GUEST_CS_AR, CODE_32 & ~AR_P } } },
		{ "CS: reserved bits of the access rights must be 0", PROTECTED, { { VF_GUEST_CS_AR, CODE_32 | BIT(8) } } },
		{ "CS: reserved bits of the access rights must be 0", PROTECTED, { { VF_GUEST_CS_AR, CODE_32 | BIT(17) } } },
		{ "CS: G must be 0 when a bit of the limit's 11:0 is 0", PROTECTED, { { VF_GUEST_CS_LIMIT, 0xfffffffe } } },
		{ "CS: G must be 1 when a bit of the limit's 31:20 is 1", PROTECTED, { { VF_GUEST_CS_AR, CODE_32 & ~AR_G } } },
		{ "SS: RPL must be that of CS", LONG_MODE, { { VF_GUEST_CS, CPL3_CS }, { VF_PROC_CTLS2, RESTRICTED } } },
		{ "SS: DPL must be the RPL of its selector", LONG_MODE,
		  { { VF_GUEST_CS, CPL3_CS }, { VF_GUEST_SS, CPL3_SS }, { VF_PROC_CTLS2, RESTRICTED } } },
		{ "SS: DPL must be 0 in real-address mode and with a data segment in CS", REAL,
		  { { VF_GUEST_SS_AR, AR_DATA | DPL3 }, { VF_GUEST_CS_AR, AR_CODE | DPL3 } } },
		{ "SS: DPL must be 0 in real-address mode and with a data segment in CS", PROTECTED,
		  { { VF_GUEST_SS_AR, DATA_32 | DPL3 }, { VF_GUEST_CS_AR, DATA_32 } } },
		{ "SS: bits 63:32 of the base must be 0", LONG_MODE, { { VF_GUEST_SS_BASE, BIT32 } } },
		{ "SS: Type must be 3 or 7", PROTECTED, { { VF_GUEST_SS_AR, DATA_32 & ~BIT(0) } } },
		{ "SS: S must be 1", PROTECTED, { { VF_GUEST_SS_AR, DATA_32 & ~AR_S } } },
		{ "SS: P must be 1", PROTECTED, { { VF_GUEST_SS_AR, DATA_32 & ~AR_P } } },
	};

	(void)state;
	assert_guest(list, ARRAY_SIZE(list));
}

static void each_rule_on_data_segments(void **state)
{
	static const struct broken list[] = {
		{ "FS: the base is not canonical", LONG_MODE, { { VF_GUEST_FS_BASE, NON_CANONICAL } } },
		{ "GS: the base is not canonical", LONG_MODE, { { VF_GUEST_GS_BASE, NON_CANONICAL }, { VF_GUEST_GS_AR,
		  AR_UNUSABLE } } },
		{ "DS: bits 63:32 of the base must be 0", LONG_MODE, { { VF_GUEST_DS_BASE, BIT32 } } },
		{ "ES: bits 63:32 of the base must be 0", LONG_MODE, { { VF_GUEST_ES_BASE, BIT32 } } },
		{ "DS: Type must be accessed", PROTECTED, { { VF_GUEST_DS_AR, DATA_32 & ~BIT(0) } } },
		{ "ES: Type must be readable", PROTECTED, { { VF_GUEST_ES_AR, CODE_32 & ~BIT(1) } } },
		{ "FS: S must be 1", PROTECTED, { { VF_GUEST_FS_AR, DATA_32 & ~AR_S } } },
		{ "GS: DPL cannot be less than the RPL of its selector", LONG_MODE,
		  { { VF_GUEST_GS, 0x13 }, { VF_PROC_CTLS2, RESTRICTED } } },
		/* Of data, bit 2 is expand-down. */
		{ "DS: DPL cannot be less than the RPL of its selector", LONG_MODE,
		  { { VF_GUEST_DS, 0x13 }, { VF_GUEST_DS_AR, DATA_32 | CONFORMING }, { VF_PROC_CTLS2, RESTRICTED } } },
		{ "DS: P must be 1", PROTECTED, { { VF_GUEST_DS_AR, DATA_32 & ~AR_P } } },
		{ "ES: reserved bits of the access rights must be 0", PROTECTED, { { VF_GUEST_ES_AR, DATA_32 | BIT(11) } } },
		{ "FS: G must be 1 when a bit of the limit's 31:20 is 1", PROTECTED, { { VF_GUEST_FS_AR, DATA_32 & ~AR_G } } },
	};

	(void)state;
	assert_guest(list, ARRAY_SIZE(list));
}

static void each_rule_on_virtual_8086_mode(void **state)
{
	static const struct broken list[] = {
		{ "CS: the base must be the selector shifted left 4 bits in virtual-8086 mode", V8086, { { VF_GUEST_CS_BASE,
		  0x81 } } },
		{ "GS: the limit must be 0xffff in virtual-8086 mode", V8086, { { VF_GUEST_GS_LIMIT, UINT32_MAX } } },
		{ "ES: the access rights must be 0xf3 in virtual-8086 mode", V8086, { { VF_GUEST_ES_AR, AR_DATA } } },
		{ "RFLAGS.VM must be 0 with IA-32e mode guest or CR0.PE = 0", V8086, { { VF_GUEST_CR0, CR0_ET | CR0_NE } } },
	};

	(void)state;
	assert_guest(list, ARRAY_SIZE(list));
}

static void each_rule_on_system_segments(void **state)
{
	static const struct broken list[] = {
		{ "TR: TI must be 0", LONG_MODE, { { VF_GUEST_TR, 0x1c } } },
		{ "TR: the base is not canonical", LONG_MODE, { { VF_GUEST_TR_BASE, NON_CANONICAL } } },
		{ "TR: Type must be a busy TSS", LONG_MODE, { { VF_GUEST_TR_AR, AR_TSS_16_BUSY } } },
		{ "TR: Type must be a busy TSS", PROTECTED, { { VF_GUEST_TR_AR, AR_TSS_BUSY & ~BIT(1) } } },
		{ "TR: S must be 0", LONG_MODE, { { VF_GUEST_TR_AR, AR_TSS_BUSY | AR_S } } },
		{ "TR: the unusable bit must be 0", LONG_MODE, { { VF_GUEST_TR_AR, AR_TSS_BUSY | AR_UNUSABLE } } },
		{ "TR: P must be 1", LONG_MODE, { { VF_GUEST_TR_AR, AR_TSS_BUSY & ~AR_P } } },
		{ "TR: G must be 0 when a bit of the limit's 11:0 is 0", LONG_MODE, { { VF_GUEST_TR_AR,
		  AR_TSS_BUSY | AR_G } } },
		{ "LDTR: TI must be 0", LONG_MODE, { { VF_GUEST_LDTR, 0x1c }, { VF_GUEST_LDTR_AR, AR_LDT } } },
		{ "LDTR: the base is not canonical", LONG_MODE,
		  { { VF_GUEST_LDTR_BASE, NON_CANONICAL }, { VF_GUEST_LDTR_AR, AR_LDT } } },
		{ "LDTR: Type must be LDT", LONG_MODE, { { VF_GUEST_LDTR_AR, AR_TSS_BUSY } } },
		{ "LDTR: S must be 0", LONG_MODE, { { VF_GUEST_LDTR_AR, AR_LDT | AR_S } } },
		{ "LDTR: P must be 1", LONG_MODE, { { VF_GUEST_LDTR_AR, AR_LDT & ~AR_P } } },
		{ "the base of GDTR is not canonical", LONG_MODE, { { VF_GUEST_GDTR_BASE, NON_CANONICAL } } },
		{ "the base of IDTR is not canonical", LONG_MODE, { { VF_GUEST_IDTR_BASE, NON_CANONICAL } } },
		{ "bits 31:16 of the limit of GDTR must be 0", LONG_MODE, { { VF_GUEST_GDTR_LIMIT, BIT(16) } } },
		{ "bits 31:16 of the limit of IDTR must be 0", LONG_MODE, { { VF_GUEST_IDTR_LIMIT, BIT(16) } } },
	};

	(void)state;
	assert_guest(list, ARRAY_SIZE(list));
}

/* SDM v3, "Checks on Guest RIP, RFLAGS, and SSP" */
static void each_rule_on_rip_and_rflags(void **state)
{
	static const struct broken list[] = {
		{ "bits 63:32 of RIP must be 0 outside 64-bit mode", PROTECTED, { { VF_GUEST_RIP, BIT32 } } },
		/* Compatibility mode. */
		{ "bits 63:32 of RIP must be 0 outside 64-bit mode", LONG_MODE, { { VF_GUEST_CS_AR, CODE_32 } } },
		{ "RIP is not canonical", LONG_MODE, { { VF_GUEST_RIP, NON_CANONICAL } } },
		{ "reserved bits of RFLAGS must be 0, and bit 1 must be 1", LONG_MODE, { { VF_GUEST_RFLAGS, 0 } } },
		{ "reserved bits of RFLAGS must be 0, and bit 1 must be 1", LONG_MODE, { { VF_GUEST_RFLAGS,
		  RFLAGS_RESERVED1 | BIT(15) } } },
		{ "RFLAGS.IF = 0 with an external interrupt injected", LONG_MODE, { { VF_ENTRY_INTR_INFO, EXTINT } } },
	};

	(void)state;
	assert_guest(list, ARRAY_SIZE(list));
}

/* SDM v3, "Checks on Guest Non-Register State": "Activity state" */
static void each_rule_on_the_activity_state(void **state)
{
	static const struct broken list[] = {
		{ "this CPU does not support the activity state", LONG_MODE, { { VF_GUEST_ACTIVITY,
		  ACTIVITY_WAIT_FOR_SIPI + 1 } } },
		{ "the activity state must not be HLT when the DPL of SS is not 0", PROTECTED,
		  { { VF_GUEST_ACTIVITY, ACTIVITY_HLT }, { VF_GUEST_SS_AR, DATA_32 | DPL3 }, { VF_GUEST_CS_AR,
		  CODE_32 | DPL3 } } },
		{ "the activity state must be active under blocking by STI or by MOV SS", LONG_MODE,
		  { { VF_GUEST_ACTIVITY, ACTIVITY_HLT }, { VF_GUEST_INTERRUPTIBILITY, INTERRUPTIBILITY_MOV_SS } } },
		{ "the event injected is blocked in the activity state", LONG_MODE,
		  { { VF_GUEST_ACTIVITY, ACTIVITY_HLT }, { VF_ENTRY_INTR_INFO, INJECT(INTR_TYPE_EXCEPTION, VEC_UD) } } },
		{ "the event injected is blocked in the activity state", LONG_MODE,
		  { { VF_GUEST_ACTIVITY, ACTIVITY_SHUTDOWN }, { VF_ENTRY_INTR_INFO, EXTINT }, { VF_GUEST_RFLAGS,
		  RFLAGS_IF | 2 } } },
		{ "the event injected is blocked in the activity state", LONG_MODE,
		  { { VF_GUEST_ACTIVITY, ACTIVITY_WAIT_FOR_SIPI }, { VF_ENTRY_INTR_INFO, NMI } } },
	};
	struct vmx_snapshot s = refused(LONG_MODE);

	(void)state;
	assert_guest(list, ARRAY_SIZE(list));
	s.field[VF_GUEST_ACTIVITY] = ACTIVITY_SHUTDOWN;
	s.caps.misc = VMX_MISC_ACTIVITY_HLT;
	assert_only(&s, "guest state", "this CPU does not support the activity state");
}

/* "Interruptibility state" */
static void each_rule_on_the_interruptibility_state(void **state)
{
	static const struct broken list[] = {
		{ "reserved bits of the interruptibility state must be 0", LONG_MODE, { { VF_GUEST_INTERRUPTIBILITY,
		  BIT(5) } } },
		{ "blocking by STI and by MOV SS cannot both be 1", LONG_MODE,
		  { { VF_GUEST_INTERRUPTIBILITY, INTERRUPTIBILITY_SHADOW }, { VF_GUEST_RFLAGS, RFLAGS_IF | 2 } } },
		{ "blocking by STI must be 0 when RFLAGS.IF = 0", LONG_MODE, { { VF_GUEST_INTERRUPTIBILITY,
		  INTERRUPTIBILITY_STI } } },
		{ "blocking by STI or by MOV SS with an external interrupt injected", LONG_MODE,
		  { { VF_GUEST_INTERRUPTIBILITY, INTERRUPTIBILITY_STI }, { VF_GUEST_RFLAGS, RFLAGS_IF | 2 },
		    { VF_ENTRY_INTR_INFO, EXTINT } } },
		{ "blocking by STI or by MOV SS with an external interrupt injected", LONG_MODE,
		  { { VF_GUEST_INTERRUPTIBILITY, INTERRUPTIBILITY_MOV_SS }, { VF_GUEST_RFLAGS, RFLAGS_IF | 2 },
		    { VF_ENTRY_INTR_INFO, EXTINT } } },
		{ "blocking by MOV SS with an NMI injected", LONG_MODE,
		  { { VF_GUEST_INTERRUPTIBILITY, INTERRUPTIBILITY_MOV_SS }, { VF_ENTRY_INTR_INFO, NMI } } },
		{ "blocking by SMI must be 0 outside SMM", LONG_MODE, { { VF_GUEST_INTERRUPTIBILITY, INTERRUPTIBILITY_SMI } } },
		{ "blocking by STI with an NMI injected, which this CPU may not take", LONG_MODE,
		  { { VF_GUEST_INTERRUPTIBILITY, INTERRUPTIBILITY_STI }, { VF_GUEST_RFLAGS, RFLAGS_IF | 2 },
		    { VF_ENTRY_INTR_INFO, NMI } } },
		{ "blocking by NMI with an NMI injected under virtual NMIs", LONG_MODE,
		  { { VF_GUEST_INTERRUPTIBILITY, INTERRUPTIBILITY_NMI }, { VF_ENTRY_INTR_INFO, NMI } } },
		{ "enclave interruption and blocking by MOV SS cannot both be 1", LONG_MODE,
		  { { VF_GUEST_INTERRUPTIBILITY, INTERRUPTIBILITY_ENCLAVE | INTERRUPTIBILITY_MOV_SS } } },
	};
	struct vmx_snapshot s = refused(LONG_MODE);
	struct entry_check c;

	(void)state;
	assert_guest(list, ARRAY_SIZE(list));
	/* "If the 'virtual NMIs' VM-execution control is 0, there is no requirement that bit 3 be 0". */
	s.field[VF_GUEST_INTERRUPTIBILITY] = INTERRUPTIBILITY_NMI;
	s.field[VF_ENTRY_INTR_INFO] = NMI;
	s.field[VF_PIN_CTLS] &= ~(uint64_t)PIN_VIRTUAL_NMIS;
	vmx_check(&s, &c);
	assert_int_equal(c.broken, 0);
}

/* "Pending debug exceptions", "VMCS link pointer", and SDM v3, "Checks on Guest Page-Directory-Pointer-Table Entries" */
static void each_rule_on_the_rest(void **state)
{
	static const struct broken list[] = {
		{ "reserved bits of the pending debug exceptions must be 0", LONG_MODE, { { VF_GUEST_PENDING_DEBUG,
		  BIT(13) } } },
		{ "BS of the pending debug exceptions must be 1 when a step is due", LONG_MODE,
		  { { VF_GUEST_INTERRUPTIBILITY, INTERRUPTIBILITY_MOV_SS }, { VF_GUEST_RFLAGS, RFLAGS_TF | 2 } } },
		{ "BS of the pending debug exceptions must be 0 when no step is due", LONG_MODE,
		  { { VF_GUEST_ACTIVITY, ACTIVITY_HLT }, { VF_GUEST_PENDING_DEBUG, PENDING_DEBUG_BS } } },
		{ "BS of the pending debug exceptions must be 0 when no step is due", LONG_MODE,
		  { { VF_GUEST_INTERRUPTIBILITY, INTERRUPTIBILITY_MOV_SS }, { VF_GUEST_RFLAGS, RFLAGS_TF | 2 },
		    { VF_GUEST_DEBUGCTL, BIT(1) }, { VF_GUEST_PENDING_DEBUG, PENDING_DEBUG_BS } } },
		{ "the VMCS link pointer is neither all ones nor the address of a page", LONG_MODE, { { VF_LINK_POINTER,
		  UINT32_MAX } } },
		{ "the VMCS link pointer is neither all ones nor the address of a page", LONG_MODE, { { VF_LINK_POINTER,
		  BEYOND } } },
		{ "a PDPTE has reserved bits", PAE, { { VF_GUEST_PDPTE0, 0x9000 | PTE_P | PTE_W } } },
		{ "a PDPTE has reserved bits", PAE, { { VF_GUEST_PDPTE3, 0x9000 | PTE_P | BEYOND } } },
	};

	(void)state;
	assert_guest(list, ARRAY_SIZE(list));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_guests_break_no_rule),
		cmocka_unit_test(the_line_holds_the_fields),
		cmocka_unit_test(each_rule_on_registers),
		cmocka_unit_test(what_is_not_loaded_is_not_checked),
		cmocka_unit_test(each_rule_on_code_and_stack),
		cmocka_unit_test(each_rule_on_data_segments),
		cmocka_unit_test(each_rule_on_virtual_8086_mode),
		cmocka_unit_test(each_rule_on_system_segments),
		cmocka_unit_test(each_rule_on_rip_and_rflags),
		cmocka_unit_test(each_rule_on_the_activity_state),
		cmocka_unit_test(each_rule_on_the_interruptibility_state),
		cmocka_unit_test(each_rule_on_the_rest),
	};

	return cmocka_run_group_tests_name("vmx_guest_check", tests, NULL, NULL);
}
