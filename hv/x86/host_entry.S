/* SPDX-License-Identifier: BSD-2-Clause
 * Where interrupts and exceptions of the hypervisor itself arrive: 256 stubs that end in one C function.
 * Knows nothing of what any vector means. */

#define HOST_STUB_SIZE 16 /* host_idt.c counts with the same */

	.text
	.hidden host_interrupt
	.hidden host_stubs, host_rdmsr_insn, host_wrmsr_insn, host_msr_fault
	.globl host_stubs, host_rdmsr, host_wrmsr, host_rdmsr_insn, host_wrmsr_insn, host_msr_fault
	.hidden host_rdmsr, host_wrmsr

/* Each leaves an error code (0 where the CPU pushes none) and its vector: the tail of struct host_frame.
 * #DF, #TS, #NP, #SS, #GP, #PF, #AC, #CP, #VC and #SX come with an error code of their own. */
	.balign HOST_STUB_SIZE
host_stubs:
	vector = 0
	.rept 256
	.balign HOST_STUB_SIZE
	.if vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30
	.else
	pushq $0
	.endif
	pushq $vector
	jmp host_common
	vector = vector + 1
	.endr

/* struct host_frame. The CPU aligns RSP to 16 and has pushed 5 words, the stub 2, this 15: aligned for the call. */
host_common:
	push %rax
	push %rcx
	push %rdx
	push %rbx
	push %rbp
	push %rsi
	push %rdi
	push %r8
	push %r9
	push %r10
	push %r11
	push %r12
	push %r13
	push %r14
	push %r15
	cld
	mov %rsp, %rdi
	call host_interrupt
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %r11
	pop %r10
	pop %r9
	pop %r8
	pop %rdi
	pop %rsi
	pop %rbp
	pop %rbx
	pop %rdx
	pop %rcx
	pop %rax
	add $16, %rsp
	iretq

/* bool host_rdmsr(uint32_t index, uint64_t *v), bool host_wrmsr(uint32_t index, uint64_t v).
 * A #GP at either _insn label continues at host_msr_fault. */
host_rdmsr:
	mov %edi, %ecx
host_rdmsr_insn:
	rdmsr
	shl $32, %rdx
	or %rdx, %rax
	mov %rax, (%rsi)
	mov $1, %eax
	ret

host_wrmsr:
	mov %edi, %ecx
	mov %esi, %eax
	mov %rsi, %rdx
	shr $32, %rdx
host_wrmsr_insn:
	wrmsr
	mov $1, %eax
	ret

host_msr_fault:
	xor %eax, %eax
	ret

	.section .note.GNU-stack, "", @progbits
