/* SPDX-License-Identifier: BSD-2-Clause
 * The built-in guest, as one multiboot ELF within the image.
 * Knows nothing of what is in it. */

	.section .rodata
	.globl guest_image, guest_image_size
	.hidden guest_image, guest_image_size
	.balign 16
guest_image:
	.incbin GUEST_ELF
guest_image_end:
	.balign 8
guest_image_size:
	.quad guest_image_end - guest_image

	.section .note.GNU-stack, "", @progbits
