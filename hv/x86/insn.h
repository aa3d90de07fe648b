/* SPDX-License-Identifier: BSD-2-Clause
 * One wrapper per instruction that C has no word for.
 * Knows nothing of why anyone executes it. */
#pragma once

#include "types.h"

/* What LGDT and LIDT read, SGDT and SIDT write. */
struct table_ptr {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

struct cpuid_regs {
	uint32_t eax, ebx, ecx, edx;
};

#define INSN static inline __attribute__((always_inline))

INSN uint64_t rdmsr(uint32_t index)
{
	uint32_t lo, hi;

	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(index) : "memory");
	return (uint64_t)hi << 32 | lo;
}

INSN void wrmsr(uint32_t index, uint64_t v)
{
	__asm__ volatile("wrmsr" : : "c"(index), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
}

INSN uint64_t rdtsc(void)
{
	uint32_t lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (uint64_t)hi << 32 | lo;
}

INSN struct cpuid_regs cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid_regs r;

	__asm__ volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(subleaf));
	return r;
}

INSN uint8_t in8(uint16_t port)
{
	uint8_t v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

INSN uint16_t in16(uint16_t port)
{
	uint16_t v;

	__asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

INSN uint32_t in32(uint16_t port)
{
	uint32_t v;

	__asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

INSN void out8(uint16_t port, uint8_t v) { __asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port) : "memory"); }
INSN void out16(uint16_t port, uint16_t v) { __asm__ volatile("outw %0, %1" : : "a"(v), "Nd"(port) : "memory"); }
INSN void out32(uint16_t port, uint32_t v) { __asm__ volatile("outl %0, %1" : : "a"(v), "Nd"(port) : "memory"); }

INSN void lgdt(const struct table_ptr *p) { __asm__ volatile("lgdt %0" : : "m"(*p) : "memory"); }
INSN void lidt(const struct table_ptr *p) { __asm__ volatile("lidt %0" : : "m"(*p) : "memory"); }
INSN void sgdt(struct table_ptr *p) { __asm__ volatile("sgdt %0" : "=m"(*p) : : "memory"); }
INSN void sidt(struct table_ptr *p) { __asm__ volatile("sidt %0" : "=m"(*p) : : "memory"); }
INSN void lldt(uint16_t selector) { __asm__ volatile("lldt %0" : : "r"(selector) : "memory"); }
INSN void ltr(uint16_t selector) { __asm__ volatile("ltr %0" : : "r"(selector) : "memory"); }

INSN uint16_t sldt(void)
{
	uint16_t v;

	__asm__ volatile("sldt %0" : "=r"(v));
	return v;
}

INSN uint16_t str(void)
{
	uint16_t v;

	__asm__ volatile("str %0" : "=r"(v));
	return v;
}

#define INSN_SEGMENT(reg)                                                                                     \
	INSN uint16_t read_##reg(void)                                                                        \
	{                                                                                                     \
		uint16_t v;                                                                                   \
		__asm__ volatile("mov %%" #reg ", %0" : "=r"(v));                                             \
		return v;                                                                                     \
	}                                                                                                     \
	INSN void write_##reg(uint16_t v) { __asm__ volatile("mov %0, %%" #reg : : "r"((uint32_t)v) : "memory"); }
INSN_SEGMENT(ds)
INSN_SEGMENT(es)
INSN_SEGMENT(fs)
INSN_SEGMENT(gs)
INSN_SEGMENT(ss)
#undef INSN_SEGMENT

INSN uint16_t read_cs(void)
{
	uint16_t v;

	__asm__ volatile("mov %%cs, %0" : "=r"(v));
	return v;
}

/* A far return is the one way to load CS in 64-bit mode without a memory operand. */
INSN void write_cs(uint16_t selector)
{
	uint64_t scratch;

	__asm__ volatile("pushq %1\n\t"
			 "leaq 1f(%%rip), %0\n\t"
			 "pushq %0\n\t"
			 "lretq\n"
			 "1:"
			 : "=&r"(scratch)
			 : "r"((uint64_t)selector)
			 : "memory");
}

/* Control and debug registers: read_cr0(), write_cr0() and so on. */
#define INSN_WIDE(reg)                                                                                  \
	INSN uint64_t read_##reg(void)                                                                  \
	{                                                                                               \
		uint64_t v;                                                                             \
		__asm__ volatile("mov %%" #reg ", %0" : "=r"(v) : : "memory");                          \
		return v;                                                                               \
	}                                                                                               \
	INSN void write_##reg(uint64_t v) { __asm__ volatile("mov %0, %%" #reg : : "r"(v) : "memory"); }
INSN_WIDE(cr0)
INSN_WIDE(cr2)
INSN_WIDE(cr3)
INSN_WIDE(cr4)
INSN_WIDE(cr8)
INSN_WIDE(dr0)
INSN_WIDE(dr1)
INSN_WIDE(dr2)
INSN_WIDE(dr3)
INSN_WIDE(dr6)
INSN_WIDE(dr7)
#undef INSN_WIDE

INSN uint64_t read_rflags(void)
{
	uint64_t v;

	__asm__ volatile("pushfq; popq %0" : "=r"(v) : : "memory");
	return v;
}

INSN void cli(void) { __asm__ volatile("cli" : : : "memory"); }
INSN void sti(void) { __asm__ volatile("sti" : : : "memory"); }
INSN void hlt(void) { __asm__ volatile("hlt" : : : "memory"); }
INSN void pause(void) { __asm__ volatile("pause" : : : "memory"); }
/* STI's shadow covers HLT: an interrupt that is pending already ends the HLT instead of passing it by. */
INSN void sti_hlt_cli(void) { __asm__ volatile("sti; hlt; cli" : : : "memory"); }
/* The NOP ends STI's shadow, so that whatever is pending is taken before CLI. */
INSN void sti_nop_cli(void) { __asm__ volatile("sti; nop; cli" : : : "memory"); }

INSN void clgi(void) { __asm__ volatile("clgi" : : : "memory"); }
INSN void stgi(void) { __asm__ volatile("stgi" : : : "memory"); }
INSN void vmsave(hpa_t vmcb) { __asm__ volatile("vmsave" : : "a"(vmcb.v) : "memory"); }
INSN void vmload(hpa_t vmcb) { __asm__ volatile("vmload" : : "a"(vmcb.v) : "memory"); }

/* VMfail of either kind is false. */
#define INSN_VMX_POINTER(name)                                                                                \
	INSN bool name(hpa_t page)                                                                            \
	{                                                                                                     \
		bool ok;                                                                                      \
		__asm__ volatile(#name " %1" : "=@cca"(ok) : "m"(page.v) : "cc", "memory");                   \
		return ok;                                                                                    \
	}
INSN_VMX_POINTER(vmxon)
INSN_VMX_POINTER(vmclear)
INSN_VMX_POINTER(vmptrld)
#undef INSN_VMX_POINTER

INSN void vmxoff(void) { __asm__ volatile("vmxoff" : : : "cc", "memory"); }

/* VMfail of either kind is false: no current VMCS, or this CPU has no such field. */
INSN bool vmread(uint64_t field, uint64_t *v)
{
	bool ok;

	__asm__ volatile("vmread %2, %1" : "=@cca"(ok), "=r"(*v) : "r"(field) : "cc", "memory");
	return ok;
}

INSN bool vmwrite(uint64_t field, uint64_t v)
{
	bool ok;

	__asm__ volatile("vmwrite %2, %1" : "=@cca"(ok) : "r"(field), "r"(v) : "cc", "memory");
	return ok;
}

/* "INVEPT Descriptor" */
INSN bool invept(uint64_t type, uint64_t eptp)
{
	const uint64_t descriptor[2] = { eptp, 0 };
	bool ok;

	__asm__ volatile("invept %2, %1" : "=@cca"(ok) : "r"(type), "m"(descriptor) : "cc", "memory");
	return ok;
}

INSN void int_nmi(void) { __asm__ volatile("int $2" : : : "memory"); }

INSN void invlpg(const void *p) { __asm__ volatile("invlpg (%0)" : : "r"(p) : "memory"); }
INSN void mfence(void) { __asm__ volatile("mfence" : : : "memory"); }

/* 512 bytes, 16-byte aligned: "FXSAVE Area". */
INSN void fxsave(void *area) { __asm__ volatile("fxsaveq (%0)" : : "r"(area) : "memory"); }
INSN void fxrstor(const void *area) { __asm__ volatile("fxrstorq (%0)" : : "r"(area) : "memory"); }

/* XCR0. With CR4.OSXSAVE. */
INSN uint64_t xgetbv(void)
{
	uint32_t lo, hi;

	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	return (uint64_t)hi << 32 | lo;
}

INSN void xsetbv(uint64_t v)
{
	__asm__ volatile("xsetbv" : : "c"(0), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
}

/* The components of `mask`; 64-byte aligned: "XSAVE Area". */
INSN void xsave(void *area, uint32_t mask) { __asm__ volatile("xsave64 (%0)" : : "r"(area), "a"(mask), "d"(0) : "memory"); }
INSN void xrstor(const void *area, uint32_t mask)
{
	__asm__ volatile("xrstor64 (%0)" : : "r"(area), "a"(mask), "d"(0) : "memory");
}

#undef INSN
