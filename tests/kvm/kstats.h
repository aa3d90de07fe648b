/* SPDX-License-Identifier: BSD-2-Clause
 * KVM's own counters of a vCPU, by name.
 * Knows nothing of the counters of the contract. */
#pragma once

#include "types.h"

enum kstat {
	KSTAT_EXITS,
	KSTAT_IRQ_EXITS,
	KSTAT_IRQ_WINDOW_EXITS,
	KSTAT_NMI_WINDOW_EXITS,
	KSTAT_IRQ_INJECTIONS,
	KSTAT_NMI_INJECTIONS,
	KSTAT_HALT_EXITS,
	KSTAT_PF_TAKEN,
	KSTAT_INSN_EMULATION,
	KSTATS
};
extern const char *const kstat_names[KSTATS];

struct kstats {
	int fd;                 /* -1: this KVM has none */
	uint64_t offset[KSTATS]; /* 0: it has not this one */
};

void kstats_open(struct kstats *k, int vcpu);
void kstats_close(struct kstats *k);
/* 0 for what is not counted. */
uint64_t kstats_read(const struct kstats *k, enum kstat which);
