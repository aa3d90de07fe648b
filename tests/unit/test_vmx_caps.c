/* SPDX-License-Identifier: BSD-2-Clause
 * What a CPU must have to run a guest under VMX, with virtual-interrupt delivery and without, and the line for each thing that
 * may be missing.
 * Knows nothing of how the facts are read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "x86/vmcs.h"
#include "x86/vmx.h"

#define PIN (PIN_EXTINT_EXITING | PIN_NMI_EXITING | PIN_VIRTUAL_NMIS | PIN_PREEMPTION_TIMER)
#define PROC                                                                                                            \
	(PROC_INTR_WINDOW_EXITING | PROC_NMI_WINDOW_EXITING | PROC_TSC_OFFSETTING | PROC_HLT_EXITING | PROC_RDPMC_EXITING | \
	 PROC_MONITOR_EXITING | PROC_MWAIT_EXITING | PROC_TPR_SHADOW | PROC_IO_BITMAPS | PROC_MSR_BITMAPS |            \
	 PROC_SECONDARY_CTLS)
#define PROC_OFF                                                                                                        \
	(PROC_CR3_LOAD_EXITING | PROC_CR3_STORE_EXITING | PROC_INVLPG_EXITING | PROC_MOV_DR_EXITING | PROC_RDTSC_EXITING | \
	 PROC_CR8_LOAD_EXITING | PROC_CR8_STORE_EXITING)
#define PROC2 (PROC2_EPT | PROC2_UNRESTRICTED_GUEST | PROC2_WBINVD_EXITING)
#define PROC2_VID (PROC2_APIC_ACCESSES | PROC2_X2APIC_MODE | PROC2_APIC_REGISTERS | PROC2_VIRTUAL_INTR_DELIVERY)
#define EXIT                                                                                                             \
	(VM_EXIT_HOST_ADDR_SPACE_SIZE | VM_EXIT_SAVE_EFER | VM_EXIT_LOAD_EFER | VM_EXIT_SAVE_PAT | VM_EXIT_LOAD_PAT | \
	 VM_EXIT_SAVE_PREEMPTION_TIMER | VM_EXIT_SAVE_DEBUG)
#define ENTRY (VM_ENTRY_LOAD_DEBUG | VM_ENTRY_LOAD_EFER | VM_ENTRY_LOAD_PAT | VM_ENTRY_IA32E_MODE_GUEST)
#define ALLOWED_1(controls) FIELD(63, 32, controls)
#define EPT_CAPS (EPT_CAP_WALK_LENGTH_4 | EPT_CAP_WB | EPT_CAP_INVEPT | EPT_CAP_INVEPT_SINGLE | EPT_CAP_INVEPT_ALL)

#define LOCKED_OFF \
	"VMX is locked off by firmware (IA32_FEATURE_CONTROL = locked, VMX outside SMX = 0): enable it in the firmware's set-up"
#define IS_ON "VMX is on already (CR4.VMXE = 1): another hypervisor has this CPU"
#define NO_VMX "this CPU has no VMX (CPUID.1:ECX.VMX = 0)"

/* Nothing but what is needed, and every control may be 0. */
static const struct vmx_caps without_vid = { .vmx = true,
					     .feature_control = FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX,
					     .basic = VMX_BASIC_INS_OUTS_INFO,
					     .misc = VMX_MISC_SAVES_LMA,
					     .pin = ALLOWED_1(PIN),
					     .proc = ALLOWED_1(PROC),
					     .proc2 = ALLOWED_1(PROC2),
					     .exit = ALLOWED_1(EXIT),
					     .entry = ALLOWED_1(ENTRY),
					     .ept_vpid = EPT_CAPS };

static struct vmx_caps with_vid(void)
{
	struct vmx_caps c = without_vid;

	c.proc2 |= ALLOWED_1(PROC2_VID);
	return c;
}

static void assert_missing(const struct vmx_caps *c, bool vid, const char *line)
{
	const char *missing = vmx_missing(c, vid);

	assert_non_null(missing);
	assert_string_equal(missing, line);
}

static void nothing_is_missing(void **state)
{
	const struct vmx_caps c = with_vid();

	(void)state;
	assert_null(vmx_missing(&without_vid, false));
	assert_false(vmx_has_vid(&without_vid));
	assert_null(vmx_missing(&c, false));
	assert_null(vmx_missing(&c, true));
	assert_true(vmx_has_vid(&c));
}

/* It is used where it is, and nobody misses it. */
static void posted_interrupts_need_both_controls_and_vid(void **state)
{
	struct vmx_caps c = with_vid();

	(void)state;
	c.pin |= ALLOWED_1(PIN_POSTED_INTERRUPTS);
	assert_false(vmx_has_posting(&c));
	c.exit |= ALLOWED_1(VM_EXIT_ACK_INTERRUPT);
	assert_true(vmx_has_posting(&c));
	assert_null(vmx_missing(&c, true));
	c.pin &= ~ALLOWED_1(PIN_POSTED_INTERRUPTS);
	assert_false(vmx_has_posting(&c));
	c.pin |= ALLOWED_1(PIN_POSTED_INTERRUPTS);
	c.proc2 &= ~ALLOWED_1(PROC2_VIRTUAL_INTR_DELIVERY);
	assert_false(vmx_has_posting(&c));
}

/* SDM v3, "Discovering Support for VMX": "If CPUID.1:ECX.VMX[bit 5] = 1, then VMX operation is supported." */
static void without_vmx(void **state)
{
	struct vmx_caps c = with_vid();

	(void)state;
	c.vmx = false;
	assert_missing(&c, false, NO_VMX);
	/* The rest was not read then. */
	c = (struct vmx_caps){ 0 };
	assert_missing(&c, true, NO_VMX);
	assert_false(vmx_has_vid(&c));
}

/* SDM v3, "Enabling and Entering VMX Operation": "If this bit is clear, VMXON causes a general-protection exception. If the
 * lock bit is set, WRMSR to this MSR causes a general-protection exception". */
static void locked_off_by_firmware(void **state)
{
	struct vmx_caps c = with_vid();

	(void)state;
	c.feature_control = FEATURE_CONTROL_LOCK;
	assert_missing(&c, false, LOCKED_OFF);
	/* Inside SMX is not outside. */
	c.feature_control = FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX_IN_SMX;
	assert_missing(&c, false, LOCKED_OFF);
}

static void not_locked_yet_can_be_enabled(void **state)
{
	struct vmx_caps c = with_vid();

	(void)state;
	c.feature_control = 0;
	assert_null(vmx_missing(&c, true));
	c.feature_control = FEATURE_CONTROL_VMX;
	assert_null(vmx_missing(&c, true));
}

static void on_already(void **state)
{
	struct vmx_caps c = with_vid();

	(void)state;
	c.on = true;
	assert_missing(&c, false, IS_ON);
	/* Whatever else is missing: nobody can say what the other one has done. */
	c.pin = 0;
	assert_missing(&c, false, IS_ON);
}

struct control {
	size_t msr;
	uint32_t bit;
	const char *line;
};
#define AT(msr) offsetof(struct vmx_caps, msr)

static uint64_t *msr_of(struct vmx_caps *c, const struct control *n)
{
	return (uint64_t *)(void *)((char *)c + n->msr);
}

static const struct control needed[] = {
	{ AT(pin), PIN_EXTINT_EXITING, "this CPU lacks external-interrupt exiting (IA32_VMX_PINBASED_CTLS)" },
	{ AT(pin), PIN_NMI_EXITING, "this CPU lacks NMI exiting (IA32_VMX_PINBASED_CTLS)" },
	{ AT(pin), PIN_VIRTUAL_NMIS, "this CPU lacks virtual NMIs (IA32_VMX_PINBASED_CTLS)" },
	{ AT(pin), PIN_PREEMPTION_TIMER, "this CPU lacks activate VMX-preemption timer (IA32_VMX_PINBASED_CTLS)" },
	{ AT(proc), PROC_INTR_WINDOW_EXITING, "this CPU lacks interrupt-window exiting (IA32_VMX_PROCBASED_CTLS)" },
	{ AT(proc), PROC_NMI_WINDOW_EXITING, "this CPU lacks NMI-window exiting (IA32_VMX_PROCBASED_CTLS)" },
	{ AT(proc), PROC_TSC_OFFSETTING, "this CPU lacks use TSC offsetting (IA32_VMX_PROCBASED_CTLS)" },
	{ AT(proc), PROC_HLT_EXITING, "this CPU lacks HLT exiting (IA32_VMX_PROCBASED_CTLS)" },
	{ AT(proc), PROC_RDPMC_EXITING, "this CPU lacks RDPMC exiting (IA32_VMX_PROCBASED_CTLS)" },
	{ AT(proc), PROC_MONITOR_EXITING, "this CPU lacks MONITOR exiting (IA32_VMX_PROCBASED_CTLS)" },
	{ AT(proc), PROC_MWAIT_EXITING, "this CPU lacks MWAIT exiting (IA32_VMX_PROCBASED_CTLS)" },
	{ AT(proc), PROC_TPR_SHADOW, "this CPU lacks use TPR shadow (IA32_VMX_PROCBASED_CTLS)" },
	{ AT(proc), PROC_IO_BITMAPS, "this CPU lacks use I/O bitmaps (IA32_VMX_PROCBASED_CTLS)" },
	{ AT(proc), PROC_MSR_BITMAPS, "this CPU lacks use MSR bitmaps (IA32_VMX_PROCBASED_CTLS)" },
	{ AT(proc), PROC_SECONDARY_CTLS, "this CPU lacks activate secondary controls (IA32_VMX_PROCBASED_CTLS)" },
	{ AT(proc2), PROC2_EPT, "this CPU has no EPT (IA32_VMX_PROCBASED_CTLS2, enable EPT)" },
	{ AT(proc2), PROC2_UNRESTRICTED_GUEST,
	  "this CPU has no unrestricted guest (IA32_VMX_PROCBASED_CTLS2, unrestricted guest)" },
	{ AT(proc2), PROC2_WBINVD_EXITING, "this CPU lacks WBINVD exiting (IA32_VMX_PROCBASED_CTLS2)" },
	{ AT(exit), VM_EXIT_HOST_ADDR_SPACE_SIZE, "this CPU lacks host address-space size (IA32_VMX_EXIT_CTLS)" },
	{ AT(exit), VM_EXIT_SAVE_DEBUG, "this CPU lacks save debug controls (IA32_VMX_EXIT_CTLS)" },
	{ AT(exit), VM_EXIT_SAVE_EFER, "this CPU lacks save IA32_EFER (IA32_VMX_EXIT_CTLS)" },
	{ AT(exit), VM_EXIT_LOAD_EFER, "this CPU lacks load IA32_EFER (IA32_VMX_EXIT_CTLS)" },
	{ AT(exit), VM_EXIT_SAVE_PAT, "this CPU lacks save IA32_PAT (IA32_VMX_EXIT_CTLS)" },
	{ AT(exit), VM_EXIT_LOAD_PAT, "this CPU lacks load IA32_PAT (IA32_VMX_EXIT_CTLS)" },
	{ AT(exit), VM_EXIT_SAVE_PREEMPTION_TIMER, "this CPU lacks save VMX-preemption timer value (IA32_VMX_EXIT_CTLS)" },
	{ AT(entry), VM_ENTRY_LOAD_DEBUG, "this CPU lacks load debug controls (IA32_VMX_ENTRY_CTLS)" },
	{ AT(entry), VM_ENTRY_LOAD_EFER, "this CPU lacks load IA32_EFER (IA32_VMX_ENTRY_CTLS)" },
	{ AT(entry), VM_ENTRY_LOAD_PAT, "this CPU lacks load IA32_PAT (IA32_VMX_ENTRY_CTLS)" },
	{ AT(entry), VM_ENTRY_IA32E_MODE_GUEST, "this CPU lacks IA-32e mode guest (IA32_VMX_ENTRY_CTLS)" },
};

/* SDM v3, "VMX Capability Reporting Facility": "Bits 63:32 indicate the allowed 1-settings of these controls. VM entry allows
 * control X ... to be 1 if bit 32+X in the MSR is set to 1; if bit 32+X is cleared to 0, VM entry fails if control X is 1." */
static void each_control_that_cannot_be_1(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		struct vmx_caps c = with_vid();

		*msr_of(&c, &needed[i]) &= ~ALLOWED_1(needed[i].bit);
		assert_missing(&c, false, needed[i].line);
		assert_missing(&c, true, needed[i].line);
		assert_false(vmx_has_vid(&c));
	}
}

/* The table above is the whole of what without_vid allows: no control is needed that it does not name. */
static void the_controls_are_all_named(void **state)
{
	struct vmx_caps c = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
		*msr_of(&c, &needed[i]) |= ALLOWED_1(needed[i].bit);
	assert_true(c.pin == without_vid.pin && c.proc == without_vid.proc && c.proc2 == without_vid.proc2);
	assert_true(c.exit == without_vid.exit && c.entry == without_vid.entry);
}

/* "Bits 31:0 indicate the allowed 0-settings of these controls. VM entry allows control X ... to be 0 if bit X in the MSR is
 * cleared to 0; if bit X in the MSR is set to 1, VM entry fails if control X is 0." */
static void each_control_that_cannot_be_0(void **state)
{
	static const struct control off[] = {
		{ AT(proc), PROC_CR3_LOAD_EXITING, "this CPU cannot do without CR3-load exiting (IA32_VMX_PROCBASED_CTLS)" },
		{ AT(proc), PROC_CR3_STORE_EXITING, "this CPU cannot do without CR3-store exiting (IA32_VMX_PROCBASED_CTLS)" },
		{ AT(proc), PROC_INVLPG_EXITING, "this CPU cannot do without INVLPG exiting (IA32_VMX_PROCBASED_CTLS)" },
		{ AT(proc), PROC_MOV_DR_EXITING, "this CPU cannot do without MOV-DR exiting (IA32_VMX_PROCBASED_CTLS)" },
		{ AT(proc), PROC_RDTSC_EXITING, "this CPU cannot do without RDTSC exiting (IA32_VMX_PROCBASED_CTLS)" },
		{ AT(proc), PROC_CR8_LOAD_EXITING, "this CPU cannot do without CR8-load exiting (IA32_VMX_PROCBASED_CTLS)" },
		{ AT(proc), PROC_CR8_STORE_EXITING, "this CPU cannot do without CR8-store exiting (IA32_VMX_PROCBASED_CTLS)" },
	};
	struct vmx_caps c = with_vid();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(off); i++) {
		c = with_vid();
		*msr_of(&c, &off[i]) |= off[i].bit;
		assert_missing(&c, false, off[i].line);
	}
	/* Any other may have to be 1. */
	c = with_vid();
	c.pin |= UINT32_MAX;
	c.proc |= (uint32_t)~PROC_OFF;
	c.proc2 |= UINT32_MAX;
	c.exit |= UINT32_MAX;
	c.entry |= UINT32_MAX;
	assert_null(vmx_missing(&c, true));
}

static void each_thing_that_ept_needs(void **state)
{
	static const struct {
		uint64_t without;
		const char *line;
	} caps[] = {
		{ EPT_CAP_WALK_LENGTH_4, "this CPU lacks an EPT page-walk length of 4 (IA32_VMX_EPT_VPID_CAP)" },
		{ EPT_CAP_WB, "this CPU lacks write-back EPT paging structures (IA32_VMX_EPT_VPID_CAP)" },
		{ EPT_CAP_INVEPT, "this CPU lacks INVEPT (IA32_VMX_EPT_VPID_CAP)" },
		{ EPT_CAP_INVEPT_SINGLE | EPT_CAP_INVEPT_ALL,
		  "this CPU lacks single-context and all-context INVEPT (IA32_VMX_EPT_VPID_CAP)" },
	};
	struct vmx_caps c;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(caps); i++) {
		c = with_vid();
		c.ept_vpid &= ~caps[i].without;
		assert_missing(&c, false, caps[i].line);
	}
	/* One of the two INVEPT types is enough. */
	c = with_vid();
	c.ept_vpid &= ~EPT_CAP_INVEPT_SINGLE;
	assert_null(vmx_missing(&c, true));
	c.ept_vpid ^= EPT_CAP_INVEPT_SINGLE | EPT_CAP_INVEPT_ALL;
	assert_null(vmx_missing(&c, true));
}

static void each_thing_that_exits_need(void **state)
{
	struct vmx_caps c = with_vid();

	(void)state;
	c.basic = 0;
	assert_missing(&c, false, "this CPU lacks the instruction information of INS and OUTS (IA32_VMX_BASIC)");
	c = with_vid();
	c.misc = 0;
	assert_missing(&c, false, "this CPU lacks the store of IA32_EFER.LMA into IA-32e mode guest (IA32_VMX_MISC)");
}

static void each_control_of_virtual_interrupt_delivery(void **state)
{
	static const struct control vid[] = {
		{ AT(proc2), PROC2_APIC_ACCESSES, "this CPU lacks virtualize APIC accesses (IA32_VMX_PROCBASED_CTLS2)" },
		{ AT(proc2), PROC2_X2APIC_MODE, "this CPU lacks virtualize x2APIC mode (IA32_VMX_PROCBASED_CTLS2)" },
		{ AT(proc2), PROC2_APIC_REGISTERS, "this CPU lacks APIC-register virtualization (IA32_VMX_PROCBASED_CTLS2)" },
		{ AT(proc2), PROC2_VIRTUAL_INTR_DELIVERY,
		  "this CPU lacks virtual-interrupt delivery (IA32_VMX_PROCBASED_CTLS2)" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(vid); i++) {
		struct vmx_caps c = with_vid();

		c.proc2 &= ~ALLOWED_1(vid[i].bit);
		assert_missing(&c, true, vid[i].line);
		assert_false(vmx_has_vid(&c));
		assert_null(vmx_missing(&c, false));
	}
}

/* What cannot be read because something else is missing is not what is named. */
static void the_first_cause_is_named(void **state)
{
	struct vmx_caps c = with_vid();

	(void)state;
	c.proc &= ~ALLOWED_1(PROC_SECONDARY_CTLS);
	c.proc2 = c.ept_vpid = 0;
	assert_missing(&c, true, "this CPU lacks activate secondary controls (IA32_VMX_PROCBASED_CTLS)");
	c = with_vid();
	c.proc2 = c.ept_vpid = 0;
	assert_missing(&c, true, "this CPU has no EPT (IA32_VMX_PROCBASED_CTLS2, enable EPT)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_missing),
		cmocka_unit_test(posted_interrupts_need_both_controls_and_vid),
		cmocka_unit_test(without_vmx),
		cmocka_unit_test(locked_off_by_firmware),
		cmocka_unit_test(not_locked_yet_can_be_enabled),
		cmocka_unit_test(on_already),
		cmocka_unit_test(each_control_that_cannot_be_1),
		cmocka_unit_test(the_controls_are_all_named),
		cmocka_unit_test(each_control_that_cannot_be_0),
		cmocka_unit_test(each_thing_that_ept_needs),
		cmocka_unit_test(each_thing_that_exits_need),
		cmocka_unit_test(each_control_of_virtual_interrupt_delivery),
		cmocka_unit_test(the_first_cause_is_named),
	};

	return cmocka_run_group_tests_name("vmx_caps", tests, NULL, NULL);
}
