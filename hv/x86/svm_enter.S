/* SPDX-License-Identifier: BSD-2-Clause
 * One trip into the guest and back.
 * Knows nothing of why the guest left. */

/* struct hvm_regs, asserted in svm.c */
#define REG_RCX 0x08
#define REG_RDX 0x10
#define REG_RBX 0x18
#define REG_RBP 0x28
#define REG_RSI 0x30
#define REG_RDI 0x38
#define REG_R8 0x40
#define REG_R9 0x48
#define REG_R10 0x50
#define REG_R11 0x58
#define REG_R12 0x60
#define REG_R13 0x68
#define REG_R14 0x70
#define REG_R15 0x78

/* void svm_vmrun(struct hvm_regs *regs, uint64_t vmcb_pa, uint64_t shadow);
 *
 *   1 save host  2 load guest  3 enter  4 save guest  5 load host
 *
 * RAX and RSP of the guest travel in the VMCB. The host's IF must be 1 at VMRUN for its interrupts to end the guest's run
 * (APM v2, "Physical (INTR) Interrupt Masking in EFLAGS": "The host EFLAGS.IF at the time of the VMRUN is saved and controls
 * physical interrupts while the guest is running"), GIF = 0 holds them until then.
 * Two ways to set it: QEMU 7.2 ignores INTERRUPT_SHADOW of the VMCB at VMRUN, but lets the shadow of our own STI reach one
 * instruction into the guest. So `sti; vmrun` when the guest is in a shadow, `sti; nop; vmrun` when not. On hardware both
 * are the same. */
	.text
	.globl svm_vmrun
	.type svm_vmrun, @function
svm_vmrun:
	/* 1 save host */
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	push	%rdi
	/* 2 load guest: no instruction from here to VMRUN changes the flags that TEST leaves */
	mov	%rsi, %rax
	test	%rdx, %rdx
	mov	REG_RCX(%rdi), %rcx
	mov	REG_RDX(%rdi), %rdx
	mov	REG_RBX(%rdi), %rbx
	mov	REG_RBP(%rdi), %rbp
	mov	REG_RSI(%rdi), %rsi
	mov	REG_R8(%rdi), %r8
	mov	REG_R9(%rdi), %r9
	mov	REG_R10(%rdi), %r10
	mov	REG_R11(%rdi), %r11
	mov	REG_R12(%rdi), %r12
	mov	REG_R13(%rdi), %r13
	mov	REG_R14(%rdi), %r14
	mov	REG_R15(%rdi), %r15
	mov	REG_RDI(%rdi), %rdi
	/* 3 enter */
	clgi
	jnz	1f
	sti
	nop
	vmrun	%rax
	jmp	2f
1:	sti
	vmrun	%rax
2:	cli
	/* 4 save guest */
	push	%rdi
	mov	8(%rsp), %rdi
	mov	%rcx, REG_RCX(%rdi)
	mov	%rdx, REG_RDX(%rdi)
	mov	%rbx, REG_RBX(%rdi)
	mov	%rbp, REG_RBP(%rdi)
	mov	%rsi, REG_RSI(%rdi)
	mov	%r8, REG_R8(%rdi)
	mov	%r9, REG_R9(%rdi)
	mov	%r10, REG_R10(%rdi)
	mov	%r11, REG_R11(%rdi)
	mov	%r12, REG_R12(%rdi)
	mov	%r13, REG_R13(%rdi)
	mov	%r14, REG_R14(%rdi)
	mov	%r15, REG_R15(%rdi)
	pop	REG_RDI(%rdi)
	/* 5 load host */
	pop	%rdi
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	stgi
	ret
	.size svm_vmrun, . - svm_vmrun

	.section .note.GNU-stack, "", @progbits
