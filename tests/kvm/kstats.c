/* SPDX-License-Identifier: BSD-2-Clause
 * KVM's own counters of a vCPU, by name.
 * Knows nothing of the counters of the contract. */
#define _GNU_SOURCE
#include "tests/kvm/kstats.h"

#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define NAME_MAX_SIZE 256

const char *const kstat_names[KSTATS] = {
	[KSTAT_EXITS] = "exits",
	[KSTAT_IRQ_EXITS] = "irq_exits",
	[KSTAT_IRQ_WINDOW_EXITS] = "irq_window_exits",
	[KSTAT_NMI_WINDOW_EXITS] = "nmi_window_exits",
	[KSTAT_IRQ_INJECTIONS] = "irq_injections",
	[KSTAT_NMI_INJECTIONS] = "nmi_injections",
	[KSTAT_HALT_EXITS] = "halt_exits",
	[KSTAT_PF_TAKEN] = "pf_taken",
	[KSTAT_INSN_EMULATION] = "insn_emulation",
};

static bool read_at(int fd, void *to, size_t size, uint64_t offset)
{
	return pread(fd, to, size, (off_t)offset) == (ssize_t)size;
}

static void keep(struct kstats *k, const struct kvm_stats_header *head, const struct kvm_stats_desc *desc, const char *name)
{
	for (unsigned i = 0; i < KSTATS; i++)
		if (desc->size == 1 && !strcmp(name, kstat_names[i]))
			k->offset[i] = head->data_offset + desc->offset;
}

static void find(struct kstats *k, const struct kvm_stats_header *head)
{
	union {
		struct kvm_stats_desc desc;
		char bytes[sizeof(struct kvm_stats_desc) + NAME_MAX_SIZE];
	} d;
	size_t size = sizeof(d.desc) + head->name_size;

	if (size >= sizeof(d))
		return;
	for (uint32_t i = 0; i < head->num_desc; i++) {
		memset(&d, 0, sizeof(d));
		if (read_at(k->fd, &d, size, head->desc_offset + i * size))
			keep(k, head, &d.desc, d.desc.name);
	}
}

void kstats_open(struct kstats *k, int vcpu)
{
	struct kvm_stats_header head;

	*k = (struct kstats){ .fd = ioctl(vcpu, KVM_GET_STATS_FD, NULL) };
	if (k->fd >= 0 && read_at(k->fd, &head, sizeof(head), 0))
		find(k, &head);
}

void kstats_close(struct kstats *k)
{
	if (k->fd >= 0)
		close(k->fd);
	k->fd = -1;
}

uint64_t kstats_read(const struct kstats *k, enum kstat which)
{
	uint64_t val;

	if (!k->offset[which] || !read_at(k->fd, &val, sizeof(val), k->offset[which]))
		return 0;
	return val;
}
