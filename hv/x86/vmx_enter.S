/* SPDX-License-Identifier: BSD-2-Clause
 * One trip into the guest and back.
 * Knows nothing of why the guest left. */

/* struct hvm_regs, asserted in vmx.c */
#define REG_RAX 0x00
#define REG_RCX 0x08
#define REG_RDX 0x10
#define REG_RBX 0x18
#define REG_RBP 0x28
#define REG_RSI 0x30
#define REG_RDI 0x38
#define REG_R8 0x40 /* and so on to R15 */
/* asserted in vmx.c */
#define VMCS_HOST_RSP 0x6c14
#define VMX_ENTERED 0
#define VMX_VMFAIL_INVALID 1
#define VMX_VMFAIL_VALID 2

/* enum vmx_entry vmx_vmenter(struct hvm_regs *regs, uint64_t *host_rsp, bool launched);
 *
 *   1 save host  2 load guest  3 enter  4 save guest  5 load host
 *
 * RSP of the guest travels in the VMCS. host_rsp is what the field HOST_RSP holds: it is written only when the stack is
 * another. The CPU jumps to vmx_vmexit (HOST_RIP) when the guest leaves, and goes on behind VMLAUNCH or VMRESUME when it
 * refuses: then the guest's registers have not changed. */
	.text
	.hidden vmx_vmenter, vmx_vmexit
	.globl vmx_vmenter, vmx_vmexit
	.type vmx_vmenter, @function
vmx_vmenter:
	/* 1 save host */
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	push	%rdi
	cmp	%rsp, (%rsi)
	je	1f
	mov	%rsp, (%rsi)
	mov	$VMCS_HOST_RSP, %eax
	vmwrite	%rsp, %rax
1:	/* 2 load guest: no instruction from here to VMLAUNCH changes the flags that TEST leaves */
	test	%dl, %dl
	mov	REG_RAX(%rdi), %rax
	mov	REG_RCX(%rdi), %rcx
	mov	REG_RDX(%rdi), %rdx
	mov	REG_RBX(%rdi), %rbx
	mov	REG_RBP(%rdi), %rbp
	mov	REG_RSI(%rdi), %rsi
	.irp n, 8, 9, 10, 11, 12, 13, 14, 15
	mov	REG_R8 + 8 * (\n - 8)(%rdi), %r\n
	.endr
	mov	REG_RDI(%rdi), %rdi
	/* 3 enter */
	jnz	2f
	vmlaunch
	jmp	3f
2:	vmresume
3:	mov	$VMX_VMFAIL_VALID, %eax
	jz	4f
	mov	$VMX_VMFAIL_INVALID, %eax
4:	pop	%rdi
	jmp	5f
vmx_vmexit:
	/* 4 save guest */
	push	%rdi
	mov	8(%rsp), %rdi
	mov	%rax, REG_RAX(%rdi)
	mov	%rcx, REG_RCX(%rdi)
	mov	%rdx, REG_RDX(%rdi)
	mov	%rbx, REG_RBX(%rdi)
	mov	%rbp, REG_RBP(%rdi)
	mov	%rsi, REG_RSI(%rdi)
	.irp n, 8, 9, 10, 11, 12, 13, 14, 15
	mov	%r\n, REG_R8 + 8 * (\n - 8)(%rdi)
	.endr
	pop	REG_RDI(%rdi)
	pop	%rdi
	mov	$VMX_ENTERED, %eax
5:	/* 5 load host */
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret
	.size vmx_vmenter, . - vmx_vmenter

	.section .note.GNU-stack, "", @progbits
