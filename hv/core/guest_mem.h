/* SPDX-License-Identifier: BSD-2-Clause
 * The guest's memory as its own instructions see it: segments, page tables, protection.
 * Knows nothing of instructions, nor of devices but that they are not RAM. */
#pragma once

#include "core/hvm.h"

enum access { ACCESS_READ, ACCESS_WRITE, ACCESS_FETCH };
/* Whose access it is. SDM v3, "Access Rights": "Some operations implicitly access system data structures with linear
 * addresses; the resulting accesses to those data structures are supervisor-mode accesses regardless of CPL." */
enum privilege { AS_CPL, AS_SYSTEM };

struct fault {
	uint8_t vector;
	bool has_error;
	uint32_t error;
	uint64_t cr2; /* #PF */
};

/* A piece of linear memory that may be accessed: where it is, in one page or in two. */
#define ACCESS_MAX 16
struct guest_ref {
	uint64_t linear;
	uint8_t len, first; /* bytes, and how many of them lie in the first page */
	gpa_t gpa[2];
};

/* Offset to linear address: the segment's limit and type, or that the address is canonical. 0, or E_FAULT: *f. */
int guest_linear(const struct vcpu *v, enum sreg s, uint64_t offset, uint8_t len, enum access how, uint64_t *linear,
		 struct fault *f);
/* The same, of what the CPU has checked already. */
uint64_t guest_linear_unchecked(const struct vcpu *v, enum sreg s, uint64_t offset);
/* The walk of the guest's tables for each page of [linear, linear + len), len 1..ACCESS_MAX, with all their protection; sets A and
 * D when all of it may be accessed. 0; E_FAULT: *f; E_NXIO: a table is not in RAM, its address in f->cr2. */
int guest_access(struct vcpu *v, uint64_t linear, uint8_t len, enum access how, enum privilege who, struct guest_ref *out,
		 struct fault *f);
/* Any length of RAM, checked whole before the first byte is moved. As guest_access(); E_NXIO: not RAM. */
int guest_read(struct vcpu *v, uint64_t linear, void *buf, size_t len, enum privilege who, struct fault *f);
int guest_write(struct vcpu *v, uint64_t linear, const void *buf, size_t len, enum privilege who, struct fault *f);
/* Instruction bytes at CS:RIP + skip: up to len of them, not beyond the page of the first. 0 where that is not to be had: *f, which has
 * vector 0 where it is not RAM, and the guest-physical address in cr2. */
size_t guest_fetch(struct vcpu *v, uint8_t skip, uint8_t *buf, size_t len, struct fault *f);
