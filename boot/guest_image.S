/* SPDX-License-Identifier: BSD-2-Clause
 * The built-in guest, as one multiboot ELF within the image.
 * Knows nothing of what is in it. */

	.section .rodata
	.globl guest_image, guest_image_end
	.hidden guest_image, guest_image_end
	.balign 16
guest_image:
	.incbin GUEST_ELF
guest_image_end:

	.section .note.GNU-stack, "", @progbits
