/* SPDX-License-Identifier: BSD-2-Clause
 * The guest's segment and table registers in the common form.
 * Knows nothing of descriptors. */
#include "core/vcpu.h"
#include "x86.h"
#include "x86/vmx.h"

static const struct {
	enum vmcs_field base, limit;
} tables[] = { { VMCS_GUEST_GDTR_BASE, VMCS_GUEST_GDTR_LIMIT }, { VMCS_GUEST_IDTR_BASE, VMCS_GUEST_IDTR_LIMIT } };

/* The fields of ES to TR stand in the order of enum sreg. */
void vmx_segment(const struct vcpu *v, enum sreg which, struct hvm_segment *out)
{
	struct vmx *x = v->hw;
	unsigned i = which * VMCS_SEGMENT_STRIDE;

	*out = (struct hvm_segment){ 0 };
	if (which >= SREG_GDTR) {
		out->base = vmcs_read(x, tables[which - SREG_GDTR].base);
		out->limit = (uint32_t)vmcs_read(x, tables[which - SREG_GDTR].limit);
		return;
	}
	out->base = vmcs_read(x, VMCS_GUEST_ES_BASE + i);
	out->limit = (uint32_t)vmcs_read(x, VMCS_GUEST_ES_LIMIT + i);
	out->selector = (uint16_t)vmcs_read(x, VMCS_GUEST_ES + i);
	out->ar = (uint32_t)(which == SREG_CS ? vmx_state(x, STATE_CS_AR) : vmcs_read(x, VMCS_GUEST_ES_AR + i));
}

void vmx_set_segment(struct vcpu *v, enum sreg which, const struct hvm_segment *val)
{
	struct vmx *x = v->hw;
	unsigned i = which * VMCS_SEGMENT_STRIDE;

	if (which >= SREG_GDTR) {
		vmcs_write(x, tables[which - SREG_GDTR].base, val->base);
		vmcs_write(x, tables[which - SREG_GDTR].limit, val->limit);
		return;
	}
	vmcs_write(x, VMCS_GUEST_ES_BASE + i, val->base);
	vmcs_write(x, VMCS_GUEST_ES_LIMIT + i, val->limit);
	vmcs_write(x, VMCS_GUEST_ES + i, val->selector);
	if (which == SREG_CS)
		vmx_set_state(x, STATE_CS_AR, val->ar);
	else
		vmcs_write(x, VMCS_GUEST_ES_AR + i, val->ar);
}
