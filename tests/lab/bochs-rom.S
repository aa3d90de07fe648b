/* SPDX-License-Identifier: BSD-2-Clause
 * The ROM of the lab's machine in Bochs, in place of a firmware: reads the first disk into memory and enters Linux there, the
 * way that a hypervisor enters it ("PVH": 32-bit, flat, paging off, EBX = struct hvm_start_info). An unpacked kernel and no
 * firmware to wait for are most of the time of a boot less.
 * The disk holds memory from LOAD on, BLOCKS times 256 sectors: the section .info below on a page of its own, the initramfs, and
 * the kernel, which starts at ENTRY. Section .rom is the ROM.
 * Symbols that the assembler is given: LOAD BLOCKS ENTRY INITRD_SIZE MEMORY_SIZE. The file `.cmdline` is included.
 * Knows nothing of what is in the kernel. */
#define ROM_SIZE 0x10000
#define ROM_BASE 0xffff0000
#define RESET_VECTOR 0xfff0
#define CODE 0x08
#define DATA 0x10
#define CR0_PE 1

/* ATA, task file of the first channel */
#define ATA_DATA 0x1f0
#define ATA_COUNT 0x1f2 /* 0: 256 */
#define ATA_COMMAND 0x1f7
#define ATA_LBA 0xe0
#define ATA_READ_SECTORS 0x20
#define ATA_STATUS_ERR 0x01
#define ATA_STATUS_DRQ 0x08
#define ATA_STATUS_BSY 0x80
#define SECTORS 256
#define WORDS 256

	.section .rom, "ax"
rom:
	.code16
start:
	cli
	lgdtl %cs:gdtr - rom
	mov $CR0_PE, %eax
	mov %eax, %cr0
	ljmpl $CODE, $(flat - rom + ROM_BASE)

	.code32
flat:
	mov $DATA, %ax
	mov %ax, %ds
	mov %ax, %es
	mov %ax, %ss
	mov $LOAD, %edi
	mov $BLOCKS, %ebp
	xor %esi, %esi
	cld
read_block: /* sector %esi and 255 more to %edi */
	mov $ATA_COUNT, %dx
	xor %eax, %eax
	out %al, %dx
	mov %esi, %eax
	.rept 3
	inc %edx
	out %al, %dx
	shr $8, %eax
	.endr
	inc %edx
	or $ATA_LBA, %al
	out %al, %dx
	inc %edx
	mov $ATA_READ_SECTORS, %al
	out %al, %dx
	mov $SECTORS, %ebx
wait:
	in %dx, %al
	test $ATA_STATUS_BSY, %al
	jnz wait
	test $ATA_STATUS_ERR, %al
	jnz stop
	test $ATA_STATUS_DRQ, %al
	jz wait
	mov $ATA_DATA, %dx
	mov $WORDS, %ecx
	rep insw
	mov $ATA_COMMAND, %dx
	dec %ebx
	jnz wait
	add $SECTORS, %esi
	dec %ebp
	jnz read_block

	mov $LOAD, %ebx
	mov $ENTRY, %eax
	jmp *%eax
stop:
	hlt
	jmp stop

	.balign 8
gdt:
	.quad 0
	.quad 0x00cf9b000000ffff /* 32-bit code, 0 to 4 GiB */
	.quad 0x00cf93000000ffff /* data, the same */
gdtr:
	.word . - gdt - 1
	.long gdt - rom + ROM_BASE

	.org RESET_VECTOR
	.code16
	jmp start
	.org ROM_SIZE

/* xen/include/public/arch-x86/hvm/start_info.h */
#define START_MAGIC 0x336ec578
#define START_VERSION 1
#define MEMMAP_ENTRY_SIZE 24
#define MEMMAP_RAM 1
#define PAGE_SIZE 0x1000
#define LOW_END 0x9fc00
#define HIGH_START 0x100000

	.section .info, "a"
info:
	.long START_MAGIC, START_VERSION, 0
	.long 1 /* module */
	.quad module - info + LOAD
	.quad cmdline - info + LOAD
	.quad 0 /* no ACPI */
	.quad memmap - info + LOAD
	.long (memmap_end - memmap) / MEMMAP_ENTRY_SIZE, 0
module:
	.quad info_end - info + LOAD, INITRD_SIZE, 0, 0
memmap:
	.quad 0, LOW_END
	.long MEMMAP_RAM, 0
	.quad HIGH_START, MEMORY_SIZE - HIGH_START
	.long MEMMAP_RAM, 0
memmap_end:
cmdline:
	.incbin ".cmdline"
	.byte 0
	.org PAGE_SIZE
info_end:
