/* SPDX-License-Identifier: BSD-2-Clause
 * 256 vector stubs that build a struct frame for rt_dispatch(), and the runtime's setjmp and longjmp.
 * Knows nothing of what a vector means, but whether the CPU pushes an error code. */
#include "guest_layout.h"

/* Exceptions with an error code: #DF, #TS, #NP, #SS, #GP, #PF, #AC, #CP, #VC, #SX. */
#define HAS_ERROR(v) ((v) == 8 || ((v) >= 10 && (v) <= 14) || (v) == 17 || (v) == 21 || (v) == 29 || (v) == 30)

	.text
	.balign STUB_SIZE
	.globl rt_vector_stubs
rt_vector_stubs:
	.set v, 0
	.rept 256
	.balign STUB_SIZE
	.if !HAS_ERROR(v)
	pushq $0
	.endif
	pushq $v
	jmp common
	.set v, v + 1
	.endr

	/* The order of struct frame, last member first. The CPU has aligned RSP: 22 quadwords keep the alignment. */
common:
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
	mov %rsp, %rdi
	cld
	call rt_dispatch
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
	add $16, %rsp /* vector, error */
	iretq

	/* int rt_setjmp(uint64_t buf[8]) */
	.globl rt_setjmp
rt_setjmp:
	pop %rdx
	mov %rbx, 0(%rdi)
	mov %rbp, 8(%rdi)
	mov %r12, 16(%rdi)
	mov %r13, 24(%rdi)
	mov %r14, 32(%rdi)
	mov %r15, 40(%rdi)
	mov %rsp, 48(%rdi)
	mov %rdx, 56(%rdi)
	xor %eax, %eax
	jmp *%rdx

	/* void rt_longjmp(const uint64_t buf[8]): rt_setjmp() returns 1 */
	.globl rt_longjmp
rt_longjmp:
	mov 0(%rdi), %rbx
	mov 8(%rdi), %rbp
	mov 16(%rdi), %r12
	mov 24(%rdi), %r13
	mov 32(%rdi), %r14
	mov 40(%rdi), %r15
	mov 48(%rdi), %rsp
	mov $1, %eax
	jmp *56(%rdi)
	.section .note.GNU-stack, "", @progbits
