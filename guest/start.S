/* SPDX-License-Identifier: BSD-2-Clause
 * From the multiboot state to 64-bit C: identity paging of 4 GiB, the first GDT, a stack.
 * Knows nothing of interrupts and scenarios. */
#include "guest_layout.h"

#define MULTIBOOT_HEADER_MAGIC 0x1badb002
#define MULTIBOOT_FLAGS 3 /* modules page-aligned, memory information */

#define CR0_PG_BIT 31
#define CR4_PAE_BIT 5
#define MSR_EFER_INDEX 0xc0000080
#define EFER_LME_BIT 8

#define PTE_TABLE 0x03 /* P, W */
#define PTE_LARGE 0x83 /* P, W, PS */
#define PTE_UNCACHED 0x10 /* PCD */
#define PAGE_2M_SHIFT 21
#define PAGES_IN_4G 2048
#define APIC_FIRST_2M (0xfec00000 >> PAGE_2M_SHIFT)
#define APIC_LAST_2M (0xfee00000 >> PAGE_2M_SHIFT)

#define DESC_CODE64 0x00af9b000000ffff
#define DESC_DATA   0x00cf93000000ffff
#define DESC_CODE32 0x00cf9b000000ffff

	.section .boot, "ax"
	.balign 4
	.long MULTIBOOT_HEADER_MAGIC, MULTIBOOT_FLAGS, -(MULTIBOOT_HEADER_MAGIC + MULTIBOOT_FLAGS)

	.code32
	.globl _start
_start:
	cli
	cld
	mov $rt_stack_top, %esp
	mov %eax, %edi /* rt_main's first argument: the loader's magic */
	mov %ebx, %esi /* second: struct multiboot_info */
	mov $pml4, %eax
	mov %eax, %cr3
	mov %cr4, %eax
	bts $CR4_PAE_BIT, %eax
	mov %eax, %cr4
	mov $MSR_EFER_INDEX, %ecx
	rdmsr
	bts $EFER_LME_BIT, %eax
	wrmsr
	mov %cr0, %eax
	bts $CR0_PG_BIT, %eax
	mov %eax, %cr0
	lgdt gdt_pointer
	ljmp $SEL_CODE64, $start64

	.code64
start64:
	mov $SEL_DATA, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	xor %eax, %eax
	mov %eax, %fs
	mov %eax, %gs
	mov %edi, %edi
	mov %esi, %esi
	call rt_main
1:	cli
	hlt
	jmp 1b

	.data
gdt_pointer:
	.word GDT_ENTRIES * 8 - 1
	.quad rt_gdt_page

	/* The GDT has its page to itself: a scenario takes away its nested translation. Accessed bits are set:
	 * the CPU has nothing to write there. */
	.balign PAGE
	.globl rt_gdt_page
rt_gdt_page:
	.quad 0, DESC_CODE64, DESC_DATA, DESC_CODE32, 0, 0 /* the last two: TSS, written by rt_idt.c */
	.balign PAGE
pml4:	.quad pdpt + PTE_TABLE
	.balign PAGE
pdpt:	.quad pd + PTE_TABLE, pd + PAGE + PTE_TABLE, pd + 2 * PAGE + PTE_TABLE, pd + 3 * PAGE + PTE_TABLE
	.balign PAGE
pd:	.set i, 0
	.rept PAGES_IN_4G
	.if i >= APIC_FIRST_2M && i <= APIC_LAST_2M
	.quad (i << PAGE_2M_SHIFT) + PTE_LARGE + PTE_UNCACHED
	.else
	.quad (i << PAGE_2M_SHIFT) + PTE_LARGE
	.endif
	.set i, i + 1
	.endr

	.bss
	.balign PAGE
	.skip RT_STACK_SIZE
rt_stack_top:
	.section .note.GNU-stack, "", @progbits
