/* SPDX-License-Identifier: BSD-2-Clause
 * One MSR of a vCPU.
 * Knows nothing of what it means. */
#include "tests/kvm/msr.h"

#include <linux/kvm.h>
#include <sys/ioctl.h>

union one_msr {
	struct kvm_msrs head;
	uint8_t bytes[sizeof(struct kvm_msrs) + sizeof(struct kvm_msr_entry)];
};

/* The ioctls answer with the number of MSRs that they did. */
int msr_get(int vcpu, uint32_t index, uint64_t *val)
{
	union one_msr m = { .head = { .nmsrs = 1 } };

	m.head.entries[0] = (struct kvm_msr_entry){ .index = index };
	if (ioctl(vcpu, KVM_GET_MSRS, &m.head) != 1)
		return -1;
	*val = m.head.entries[0].data;
	return 0;
}

int msr_set(int vcpu, uint32_t index, uint64_t val)
{
	union one_msr m = { .head = { .nmsrs = 1 } };

	m.head.entries[0] = (struct kvm_msr_entry){ .index = index, .data = val };
	return ioctl(vcpu, KVM_SET_MSRS, &m.head) == 1 ? 0 : -1;
}
