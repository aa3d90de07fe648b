/* SPDX-License-Identifier: BSD-2-Clause
 * A vCPU of Linux KVM behind the vCPU contract.
 * Knows nothing of the user half. */
#pragma once

#include "core/lapic.h"
#include "tests/kvm/alarm.h"
#include "tests/kvm/kstats.h"
#include "tests/kvm/vm.h"
#include "trace.h"

struct kvm_run;

struct kvcpu {
	struct vcpu_run run;    /* the contract's, shared with the user half */
	const struct vm *vm;
	int fd;
	struct kvm_run *kr;     /* KVM's, shared with the kernel */
	size_t kr_size;
	struct alarm alarm;
	struct kstats stats;
	struct tsc_clock tsc;   /* of the guest's TSC */
	struct trace *trace;
	uint64_t user_exits, extint;
	uint64_t apic_base;     /* as KVM has it */
	/* An exit is for one port access, KVM's may be for many: those that are left. */
	struct {
		uint8_t *at;
		uint32_t left;
	} pio;
	/* The first of the deadlines in a row that found the guest at the same place with nothing delivered. */
	struct {
		bool known;
		uint64_t rip, windows, delivered;
	} stuck;
};

extern const struct vcpu_api kvcpu_api;

/* host: the machine's own TSC. E_IO after report_error(). */
int kvcpu_open(struct kvcpu *v, const struct vm *vm, const struct tsc_clock *host, struct trace *trace, struct report *r);
void kvcpu_close(struct kvcpu *v);

/* kvcpu_state.c */
/* What CPUID shows: 0 or -1 with errno. */
int kvcpu_set_cpuid(const struct kvcpu *v);
/* The Multiboot machine state. 0 or -1 with errno. */
int kvcpu_set_entry(const struct kvcpu *v, uint32_t eip, uint32_t eax, uint32_t ebx);
/* One register of KVM's local APIC, 0 if it has none. */
uint32_t kvcpu_lapic_reg(const struct kvcpu *v, uint32_t reg);
void kvcpu_dump(const struct kvcpu *v, struct vcpu_dump *out);

/* kvcpu_exit.c */
/* The answer of the user half to the last exit goes to KVM. True: run() has its next exit already. */
bool kvcpu_complete_exit(struct kvcpu *v);
/* KVM_RUN has returned with an exit. */
void kvcpu_take_exit(struct kvcpu *v);
/* KVM_RUN has failed with this errno. */
void kvcpu_take_error(struct kvcpu *v, int error);
