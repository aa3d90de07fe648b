/* SPDX-License-Identifier: BSD-2-Clause
 * VMCSs that a CPU would enter, in five modes of the guest, and what it takes to break one rule of them.
 * Knows nothing of the rules. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "x86.h"
#include "x86/vmx_check.h"

#define ALL_CONTROLS FIELD(63, 32, UINT32_MAX)
#define EPTP_GOOD (0x5000 | EPTP_WB | EPTP_WALK_LENGTH_4)
#define CODE_64 (AR_CODE | AR_L | AR_G)
#define CODE_32 (AR_CODE | AR_DB | AR_G)
#define DATA_32 (AR_DATA | AR_DB | AR_G)
#define AR_V8086 0xf3
#define AR_LDT 0x82
#define AR_TSS_16_BUSY 0x83
#define DPL3 FIELD(6, 5, 3)
#define INJECT(type, vector) (INTR_INFO_VALID | INTR_INFO_TYPE_FIELD(type) | (vector))
#define CAPS_PROC2                                                                                                        \
	(PROC2_APIC_ACCESSES | PROC2_EPT | PROC2_X2APIC_MODE | PROC2_VPID | PROC2_WBINVD_EXITING | PROC2_UNRESTRICTED_GUEST | \
	 PROC2_APIC_REGISTERS | PROC2_VIRTUAL_INTR_DELIVERY)
#define CAPS_CR4 (MASK(13, 0) | CR4_FSGSBASE | CR4_PCIDE | CR4_OSXSAVE | CR4_SMEP | CR4_SMAP | CR4_CET)
#define MISC_ACTIVITIES MASK(8, 6)
#define PROC2_BASE (PROC2_EPT | PROC2_UNRESTRICTED_GUEST)

enum base { LONG_MODE, PROTECTED, REAL, PAE, V8086 };

static inline void set_host(uint64_t *f)
{
	f[VF_HOST_CR0] = CR0_PE | CR0_ET | CR0_NE | CR0_WP | CR0_PG;
	f[VF_HOST_CR3] = 0x1000;
	f[VF_HOST_CR4] = CR4_PAE | CR4_VMXE;
	f[VF_HOST_PAT] = PAT_RESET;
	f[VF_HOST_EFER] = EFER_LME | EFER_LMA | EFER_NXE;
	f[VF_HOST_CS] = 0x08;
	f[VF_HOST_ES] = f[VF_HOST_SS] = f[VF_HOST_DS] = 0x10;
	f[VF_HOST_TR] = 0x18;
	f[VF_HOST_GDTR_BASE] = f[VF_HOST_IDTR_BASE] = f[VF_HOST_TR_BASE] = 0x7000;
	f[VF_HOST_RIP] = 0x8000;
}

static inline void set_controls(uint64_t *f)
{
	f[VF_PIN_CTLS] = PIN_EXTINT_EXITING | PIN_NMI_EXITING | PIN_VIRTUAL_NMIS | PIN_PREEMPTION_TIMER;
	f[VF_PROC_CTLS] = PROC_TPR_SHADOW | PROC_IO_BITMAPS | PROC_MSR_BITMAPS | PROC_SECONDARY_CTLS;
	f[VF_PROC_CTLS2] = PROC2_BASE;
	f[VF_EXIT_CTLS] = VM_EXIT_HOST_ADDR_SPACE_SIZE | VM_EXIT_LOAD_EFER | VM_EXIT_LOAD_PAT | VM_EXIT_SAVE_PREEMPTION_TIMER;
	f[VF_ENTRY_CTLS] = VM_ENTRY_LOAD_EFER | VM_ENTRY_LOAD_PAT | VM_ENTRY_LOAD_DEBUG;
	f[VF_IO_BITMAP_A] = 0x1000;
	f[VF_IO_BITMAP_B] = 0x2000;
	f[VF_MSR_BITMAP] = 0x3000;
	f[VF_VIRTUAL_APIC_ADDR] = 0x4000;
	f[VF_EPT_POINTER] = EPTP_GOOD;
	f[VF_LINK_POINTER] = UINT64_MAX;
}

static inline void set_segments(uint64_t *f, uint64_t code, uint64_t data, uint64_t limit)
{
	for (unsigned i = 0; i < VF_GUEST_LDTR - VF_GUEST_ES; i++) {
		f[VF_GUEST_ES + i] = 0x10;
		f[VF_GUEST_ES_LIMIT + i] = limit;
		f[VF_GUEST_ES_AR + i] = data;
	}
	f[VF_GUEST_CS] = 0x08;
	f[VF_GUEST_CS_AR] = code;
	f[VF_GUEST_LDTR_AR] = AR_UNUSABLE;
	f[VF_GUEST_TR_AR] = AR_TSS_BUSY;
	f[VF_GUEST_TR_LIMIT] = 0x67;
}

static inline void set_guest(uint64_t *f)
{
	f[VF_GUEST_CR0] = CR0_PE | CR0_ET | CR0_NE;
	f[VF_GUEST_CR4] = CR4_VMXE;
	f[VF_GUEST_PAT] = PAT_RESET;
	f[VF_GUEST_DR7] = DR7_INIT;
	f[VF_GUEST_RFLAGS] = RFLAGS_RESERVED1;
	f[VF_GUEST_RIP] = 0x100000;
	set_segments(f, CODE_32, DATA_32, UINT32_MAX);
}

static inline void set_v8086(uint64_t *f)
{
	set_segments(f, AR_V8086, AR_V8086, UINT16_MAX);
	for (unsigned i = 0; i < VF_GUEST_LDTR - VF_GUEST_ES; i++)
		f[VF_GUEST_ES_BASE + i] = f[VF_GUEST_ES + i] << 4;
	f[VF_GUEST_RFLAGS] |= RFLAGS_VM;
	f[VF_GUEST_RIP] = 0x7c00;
}

static inline void set_mode(uint64_t *f, enum base base)
{
	switch (base) {
	case LONG_MODE:
		f[VF_ENTRY_CTLS] |= VM_ENTRY_IA32E_MODE_GUEST;
		f[VF_GUEST_CR0] |= CR0_PG | CR0_WP;
		f[VF_GUEST_CR4] |= CR4_PAE;
		f[VF_GUEST_EFER] = EFER_LME | EFER_LMA | EFER_SCE | EFER_NXE;
		f[VF_GUEST_RIP] = 0xffff800000001000;
		f[VF_GUEST_CS_AR] = CODE_64;
		return;
	case PROTECTED:
		return;
	case REAL:
		f[VF_GUEST_CR0] &= ~CR0_PE;
		set_segments(f, AR_CODE, AR_DATA, UINT16_MAX);
		return;
	case PAE:
		f[VF_GUEST_CR0] |= CR0_PG;
		f[VF_GUEST_CR4] |= CR4_PAE;
		f[VF_GUEST_PDPTE0] = 0x9000 | PTE_P;
		return;
	case V8086:
		set_v8086(f);
	}
}

static inline struct vmx_snapshot good(enum base base)
{
	struct vmx_snapshot s = { .phys_bits = 40, .linear_bits = 48 };

	s.caps.pin = s.caps.exit = s.caps.entry = ALL_CONTROLS;
	s.caps.proc = ALL_CONTROLS & ~FIELD(63, 32, PROC_TERTIARY_CTLS | PROC_MONITOR_TRAP_FLAG);
	s.caps.proc2 = FIELD(63, 32, CAPS_PROC2);
	s.caps.ept_vpid = EPT_CAP_WB | EPT_CAP_WALK_LENGTH_4;
	s.caps.misc = MISC_ACTIVITIES;
	s.caps.cr0_fixed0 = CR0_PE | CR0_NE | CR0_PG;
	s.caps.cr0_fixed1 = UINT32_MAX;
	s.caps.cr4_fixed0 = CR4_VMXE;
	s.caps.cr4_fixed1 = CAPS_CR4;
	set_controls(s.field);
	set_host(s.field);
	set_guest(s.field);
	set_mode(s.field, base);
	return s;
}

/* What breaks a rule: fields with another value. */
struct change {
	uint8_t field;
	uint64_t value;
};
#define CHANGES 6
struct broken {
	const char *rule;
	enum base base;
	struct change change[CHANGES];
};

static inline struct vmx_snapshot changed(const struct broken *b)
{
	struct vmx_snapshot s = good(b->base);

	for (unsigned i = 0; i < CHANGES && b->change[i].field != VF_END; i++)
		s.field[b->change[i].field] = b->change[i].value;
	return s;
}

/* Exactly this rule is named. */
static inline void assert_only(const struct vmx_snapshot *s, const char *where, const char *rule)
{
	struct entry_check c;
	char start[ENTRY_CHECK_LINE_SIZE];
	int n = snprintf(start, sizeof(start), "invalid %s: %s (", where, rule);

	vmx_check(s, &c);
	if (c.broken != 1)
		fail_msg("%s: %u rules are broken: %s | %s", rule, c.broken, c.line[1], c.lines > 2 ? c.line[2] : "");
	if (strncmp(c.line[1], start, (size_t)n) != 0)
		fail_msg("not \"%s\" but \"%s\"", start, c.line[1]);
}

/* Here `rule` is what is tried. */
static inline void assert_good(const struct broken *list, size_t n, enum vmx_refusal refusal, unsigned code)
{
	struct entry_check c;

	for (size_t i = 0; i < n; i++) {
		struct vmx_snapshot s = changed(&list[i]);

		s.refusal = refusal;
		s.insn_error = s.exit_reason = code;
		vmx_check(&s, &c);
		if (c.broken)
			fail_msg("%s: %s", list[i].rule, c.line[1]);
	}
}

static inline void assert_each(const struct broken *list, size_t n, enum vmx_refusal refusal, unsigned code, const char *where)
{
	for (size_t i = 0; i < n; i++) {
		struct vmx_snapshot s = changed(&list[i]);

		s.refusal = refusal;
		s.insn_error = s.exit_reason = code;
		assert_only(&s, where, list[i].rule);
	}
}
