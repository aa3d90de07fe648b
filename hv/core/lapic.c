/* SPDX-License-Identifier: BSD-2-Clause
 * The local APIC proper: what it accepts, what it offers to the CPU, what an EOI and an IPI do.
 * Knows nothing of how its registers are addressed, nor of time. */
#include "core/lapic.h"

#include <string.h>

#include "core/lapic_internal.h"

#define WORD_BITS 32
#define CLASS(v) GET_FIELD(7, 4, v)
#define CLASS_MASK ((uint32_t)MASK(7, 4))
#define CR8_TO_TPR(c) ((uint32_t)FIELD(7, 4, c))

#define DEST_BROADCAST_XAPIC ((uint32_t)MASK(7, 0))
#define DEST_BROADCAST_X2APIC ((uint32_t)MASK(31, 0))
#define DFR_MODEL(v) GET_FIELD(31, 28, v)
#define DFR_FLAT 15
#define DFR_CLUSTER 0
#define DFR_RESET ((uint32_t)MASK(31, 0))
#define LDR_LOGICAL_ID(v) ((uint32_t)GET_FIELD(31, 24, v))
#define MDA_CLUSTER(v) GET_FIELD(7, 4, v)
#define MDA_MEMBERS(v) GET_FIELD(3, 0, v)
#define X2APIC_CLUSTER(v) GET_FIELD(31, 16, v)
#define X2APIC_MEMBERS(v) GET_FIELD(15, 0, v)
/* SDM v3, "Deriving Logical x2APIC ID from the Local x2APIC ID": "Logical x2APIC ID = [(x2APIC ID[19:4] « 16) |
 * (1 « x2APIC ID[3:0])]". */
#define X2APIC_LDR(id) ((uint32_t)(FIELD(31, 16, GET_FIELD(19, 4, id)) | BIT64(GET_FIELD(3, 0, id))))
#define ICR_DEST_XAPIC(icr) ((uint32_t)GET_FIELD(63, 56, icr))
#define ICR_DEST_X2APIC(icr) ((uint32_t)GET_FIELD(63, 32, icr))

/* map: APIC_ISR, APIC_IRR, or APIC_TMR, which changes with IRR only. */
static void put_vector(struct lapic *l, uint32_t map, uint8_t v, bool in)
{
	uint32_t offset = map + v / WORD_BITS * APIC_REG_STRIDE, word = lapic_get(l, offset) & ~BIT(v % WORD_BITS);

	lapic_set(l, offset, word | (in ? BIT(v % WORD_BITS) : 0));
	l->changed = true;
}

static int highest_posted(const struct lapic *l)
{
	for (int i = LAPIC_VECTORS / WORD_BITS - 1; i >= 0; i--)
		if (l->posted.pir[i])
			return i * WORD_BITS + fls64(l->posted.pir[i]);
	return -1;
}

static int highest_vector(const struct lapic *l, uint32_t map)
{
	for (int i = LAPIC_VECTORS / WORD_BITS - 1; i >= 0; i--) {
		uint32_t word = lapic_get(l, map + (uint32_t)i * APIC_REG_STRIDE);

		if (word)
			return i * WORD_BITS + fls64(word);
	}
	return -1;
}

/* SDM v3, "Local APIC State After Power-Up or Reset": "The DFR register is reset to all 1s." "The LVT register is
 * reset to 0s except for the mask bits; these are set to 1s." "The spurious-interrupt vector register is initialized
 * to 000000FFH." All others are 0. */
void lapic_power_up(struct lapic *l)
{
	memset(l->page, 0, sizeof(l->page));
	memset(&l->posted, 0, sizeof(l->posted));
	l->changed = true;
	l->id = l->reset_id;
	l->svr = APIC_SVR_RESET;
	l->ldr = 0;
	l->dfr = DFR_RESET;
	l->esr = l->esr_pending = 0;
	for (int i = 0; i < LVT_COUNT; i++)
		l->lvt[i] = APIC_LVT_MASKED;
	l->timer_initial = l->timer_divide = 0;
	l->timer_deadline = TIME_NEVER;
	l->tsc_deadline = 0;
	l->lint0_vector = 0;
	lapic_mirror(l);
}

void lapic_reset(struct lapic *l, uint32_t id, bool bsp)
{
	memset(l, 0, sizeof(*l));
	l->base = APIC_DEFAULT_PHYS | APIC_BASE_EN | (bsp ? APIC_BASE_BSP : 0);
	l->reset_id = id;
	l->bsp = bsp;
	l->eoi_broadcast = -1;
	lapic_power_up(l);
	if (bsp)
		l->lvt[LVT_LINT0] = APIC_DM_FIELD(APIC_DM_EXTINT);
	lapic_mirror(l);
}

/* SDM v3, "State Changes From xAPIC Mode to x2APIC Mode": "The Logical Destination Register is not preserved. Any APIC
 * ID value written to the memory-mapped local APIC ID register is not preserved. The high half of the Interrupt Command
 * Register is not preserved." */
void lapic_enter_x2apic(struct lapic *l)
{
	l->id = l->reset_id;
	l->ldr = X2APIC_LDR(l->id);
	lapic_set(l, APIC_ICR_HIGH, 0);
	lapic_mirror(l);
}

bool lapic_accepts_extint(const struct lapic *l)
{
	uint32_t lvt0 = l->lvt[LVT_LINT0];

	return !lapic_is_enabled(l) || (!(lvt0 & APIC_LVT_MASKED) && APIC_DM(lvt0) == APIC_DM_EXTINT);
}

/* SDM v3, "Task and Processor Priorities": PPR[7:4] is "the maximum of TPR[7:4] (the task-priority class) and
 * ISRV[7:4]"; PPR[3:0] is TPR[3:0] if the task priority is higher, 0 if it is lower; if equal, "PPR[3:0] may be
 * either TPR[3:0] or 0": here the former. */
uint32_t lapic_ppr(const struct lapic *l)
{
	int in_service = lapic_highest_isr(l);
	uint32_t tpr = lapic_tpr(l), isrv = in_service < 0 ? 0 : (uint32_t)in_service;

	return CLASS(tpr) >= CLASS(isrv) ? tpr : isrv & CLASS_MASK;
}

int lapic_highest_irr(const struct lapic *l)
{
	return highest_vector(l, APIC_IRR);
}

int lapic_highest_isr(const struct lapic *l)
{
	return highest_vector(l, APIC_ISR);
}

/* The software-disable bit is not consulted. SDM v3, "Local APIC State After It Has Been Software Disabled": "Pending
 * interrupts in the IRR and ISR registers are held and require masking or handling by the CPU." */
int lapic_pending(const struct lapic *l)
{
	int vector = lapic_highest_irr(l), posted = highest_posted(l);

	if (posted > vector)
		vector = posted;
	if (!lapic_is_enabled(l) || vector < 0 || CLASS(vector) <= CLASS(lapic_ppr(l)))
		return -1;
	return vector;
}

void lapic_accept(struct lapic *l, uint8_t vector)
{
	put_vector(l, APIC_IRR, vector, false);
	put_vector(l, APIC_ISR, vector, true);
}

uint8_t lapic_tpr(const struct lapic *l)
{
	return (uint8_t)lapic_get(l, APIC_TPR);
}

uint8_t lapic_cr8(const struct lapic *l)
{
	return (uint8_t)CLASS(lapic_tpr(l));
}

/* SDM v3, "Interaction of Task Priorities between CR8 and APIC": a MOV to CR8 sets "APIC.TPR[bits 7:4] = CR8[bits 3:0],
 * APIC.TPR[bits 3:0] = 0". */
void lapic_set_cr8(struct lapic *l, uint8_t cr8)
{
	lapic_set(l, APIC_TPR, CR8_TO_TPR(cr8));
}

/* SDM v3, "Error Handling": a write of the ESR "rearms the APIC error interrupt triggering mechanism": from then on the
 * first error raises the interrupt. This also ends the recursion when LVT_ERROR itself holds an illegal vector. */
void lapic_error(struct lapic *l, uint32_t bits)
{
	bool armed = !l->esr_pending;

	l->esr_pending |= bits;
	if (armed)
		lapic_raise_lvt(l, LVT_ERROR);
}

/* SDM v3, "Interrupt Acceptance for Fixed Interrupts": "Upon acceptance of an interrupt into the IRR, the
 * corresponding TMR bit is cleared for edge-triggered interrupts and set for level-triggered interrupts." "Error
 * Handling": for vectors below 16 "the local APIC will never set an IRR bit". */
static bool accept_fixed(struct lapic *l, uint8_t vector, bool level)
{
	if (vector < APIC_FIRST_VALID_VECTOR) {
		lapic_error(l, APIC_ESR_RECV_ILLEGAL);
		return false;
	}
	put_vector(l, APIC_IRR, vector, true);
	put_vector(l, APIC_TMR, vector, level);
	return true;
}

/* Only fixed interrupts depend on the software enable. Lowest priority is fixed where there is one CPU to choose from;
 * focus processors do not exist. */
static void receive(struct lapic *l, uint8_t delivery_mode, uint8_t vector, bool level)
{
	switch (delivery_mode) {
	case APIC_DM_FIXED:
	case APIC_DM_LOWEST:
		if (l->svr & APIC_SVR_ENABLE)
			accept_fixed(l, vector, level);
		break;
	case APIC_DM_NMI:
		l->nmi = true;
		break;
	default: /* SMI, INIT, SIPI, ExtINT and reserved modes: see lapic_deliver() */
		break;
	}
}

void lapic_raise_lvt(struct lapic *l, enum lapic_lvt n)
{
	uint32_t lvt = l->lvt[n];

	if (lvt & APIC_LVT_MASKED)
		return;
	if (APIC_DM(lvt) == APIC_DM_FIXED)
		accept_fixed(l, APIC_VECTOR(lvt), false);
	else if (APIC_DM(lvt) == APIC_DM_NMI)
		l->nmi = true;
}

/* SDM v3, "Local Vector Table", "Trigger Mode": "This flag is only used when the delivery mode is Fixed. When the
 * delivery mode is NMI, SMI, or INIT, the trigger mode is always edge sensitive." */
static bool lint0_is_level(const struct lapic *l)
{
	uint32_t lvt0 = l->lvt[LVT_LINT0];

	return APIC_DM(lvt0) == APIC_DM_FIXED && (lvt0 & APIC_LVT_LEVEL);
}

/* It changes behind the guest's back: the page must show it without a write. */
static void set_remote_irr(struct lapic *l, bool on)
{
	uint32_t *lvt0 = &l->lvt[LVT_LINT0];

	*lvt0 = (*lvt0 & ~APIC_LVT_REMOTE_IRR) | (on ? APIC_LVT_REMOTE_IRR : 0);
	lapic_set(l, APIC_LVT_LINT0, *lvt0);
}

void lapic_update_lint0(struct lapic *l)
{
	uint32_t lvt0 = l->lvt[LVT_LINT0];

	if (!lint0_is_level(l)) {
		set_remote_irr(l, false); /* "undefined for edge-triggered interrupts and other delivery modes" */
		return;
	}
	if (!l->lint0_level || (lvt0 & (APIC_LVT_MASKED | APIC_LVT_REMOTE_IRR)))
		return;
	/* Remembered, because software may change the entry's vector before the EOI of the old one. */
	l->lint0_vector = APIC_VECTOR(lvt0);
	if (accept_fixed(l, l->lint0_vector, true))
		set_remote_irr(l, true);
}

void lapic_set_lint0(struct lapic *l, bool high)
{
	bool rising = high && !l->lint0_level;

	l->lint0_level = high;
	if (lint0_is_level(l))
		lapic_update_lint0(l);
	else if (rising)
		lapic_raise_lvt(l, LVT_LINT0);
}

/* TMR is not consulted, as in KVM's split irqchip: the receiver of the broadcast knows which vectors are its own. */
void lapic_eoi_virtualized(struct lapic *l, uint8_t vector)
{
	if (!(l->svr & APIC_SVR_DIRECTED_EOI))
		l->eoi_broadcast = vector;
	if ((l->lvt[LVT_LINT0] & APIC_LVT_REMOTE_IRR) && l->lint0_vector == vector) {
		set_remote_irr(l, false);
		lapic_update_lint0(l);
	}
}

/* SDM v3, "Signaling Interrupt Servicing Completion": "the APIC clears the highest priority bit in the ISR". */
void lapic_eoi(struct lapic *l)
{
	int vector = lapic_highest_isr(l);

	if (vector < 0)
		return;
	put_vector(l, APIC_ISR, (uint8_t)vector, false);
	lapic_eoi_virtualized(l, (uint8_t)vector);
}

bool lapic_take_nmi(struct lapic *l)
{
	bool nmi = l->nmi;

	l->nmi = false;
	return nmi;
}

int lapic_take_eoi(struct lapic *l)
{
	int vector = l->eoi_broadcast;

	l->eoi_broadcast = -1;
	return vector;
}

/* SDM v3, "Logical Destination Mode": flat: "Each local APIC performs a bit-wise AND of the MDA and its logical APIC
 * ID." Cluster: the upper four bits must be equal and the lower four share a bit. Other models are reserved and
 * match nothing. */
static bool matches_logical_xapic(const struct lapic *l, uint32_t mda)
{
	uint32_t id = LDR_LOGICAL_ID(l->ldr);

	if (mda > DEST_BROADCAST_XAPIC)
		return false;
	if (DFR_MODEL(l->dfr) == DFR_FLAT)
		return mda & id;
	return DFR_MODEL(l->dfr) == DFR_CLUSTER && MDA_CLUSTER(mda) == MDA_CLUSTER(id) &&
	       (MDA_MEMBERS(mda) & MDA_MEMBERS(id));
}

static bool matches_logical_x2apic(const struct lapic *l, uint32_t mda)
{
	return X2APIC_CLUSTER(mda) == X2APIC_CLUSTER(l->ldr) && (X2APIC_MEMBERS(mda) & X2APIC_MEMBERS(l->ldr));
}

bool lapic_matches(const struct lapic *l, uint32_t dest, bool logical)
{
	if (!lapic_is_enabled(l))
		return false;
	if (dest == (lapic_is_x2apic(l) ? DEST_BROADCAST_X2APIC : DEST_BROADCAST_XAPIC))
		return true;
	if (!logical)
		return dest == l->id;
	return lapic_is_x2apic(l) ? matches_logical_x2apic(l, dest) : matches_logical_xapic(l, dest);
}

/* Messages of devices have 8-bit destinations: their broadcast stays one when the APIC is in x2APIC mode, as in KVM
 * (KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK off). IPIs do not come this way. */
static bool message_reaches(const struct lapic *l, const struct apic_msg *msg)
{
	bool broadcast = lapic_is_x2apic(l) && msg->dest == DEST_BROADCAST_XAPIC;

	return broadcast || lapic_matches(l, msg->dest, msg->dest_logical);
}

bool lapic_deliver(struct lapic *l, const struct apic_msg *msg)
{
	if (!message_reaches(l, msg))
		return false;
	receive(l, msg->delivery_mode, msg->vector, msg->level);
	return true;
}

/* What accept_fixed() would let into IRR, edge-triggered. */
static bool may_post(const struct lapic *l, const struct apic_msg *msg)
{
	bool fixed = msg->delivery_mode == APIC_DM_FIXED || msg->delivery_mode == APIC_DM_LOWEST;

	return fixed && !msg->level && msg->vector >= APIC_FIRST_VALID_VECTOR && (l->svr & APIC_SVR_ENABLE);
}

/* SDM v3, "Posted-Interrupt Processing": the CPU reads PIR only after "The processor clears the outstanding-notification
 * bit". TMR is no business of its: a vector that was level-triggered the last time is to lose its bit here. */
bool lapic_post(struct lapic *l, const struct apic_msg *msg)
{
	uint8_t v = msg->vector;

	if (!may_post(l, msg))
		return lapic_deliver(l, msg);
	if (!message_reaches(l, msg))
		return false;
	if (lapic_get(l, APIC_TMR + v / WORD_BITS * APIC_REG_STRIDE) & BIT(v % WORD_BITS))
		put_vector(l, APIC_TMR, v, false);
	l->posted.pir[v / WORD_BITS] |= BIT(v % WORD_BITS);
	l->posted.notification |= POSTED_OUTSTANDING;
	return true;
}

bool lapic_has_posted(const struct lapic *l)
{
	return l->posted.notification & POSTED_OUTSTANDING;
}

void lapic_take_posted(struct lapic *l)
{
	for (uint32_t i = 0; i < ARRAY_SIZE(l->posted.pir); i++) {
		uint32_t irr = APIC_IRR + i * APIC_REG_STRIDE;

		lapic_set(l, irr, lapic_get(l, irr) | l->posted.pir[i]);
		l->posted.pir[i] = 0;
	}
	l->posted.notification &= ~POSTED_OUTSTANDING;
	l->changed = true;
}

static bool ipi_reaches_self(const struct lapic *l, uint64_t icr)
{
	switch (APIC_ICR_SHORTHAND(icr)) {
	case APIC_ICR_SELF:
	case APIC_ICR_ALL:
		return true;
	case APIC_ICR_ALL_BUT_SELF:
		return false;
	default:
		return lapic_matches(l, lapic_is_x2apic(l) ? ICR_DEST_X2APIC(icr) : ICR_DEST_XAPIC(icr),
				     icr & APIC_ICR_LOGICAL);
	}
}

/* An illegal vector is logged by the sender and, where the message arrives, by the receiver: here one ESR takes
 * both. The trigger mode "has no meaning in Pentium 4 and Intel Xeon processors, and will always be issued as a 0":
 * edge. NMI by shorthand "self" is not a valid combination of the manual's table; it is delivered, as KVM does. INIT
 * and SIPI to the only CPU do nothing. */
void lapic_send_ipi(struct lapic *l, uint64_t icr)
{
	uint8_t mode = APIC_DM(icr), vector = APIC_VECTOR(icr);

	if ((mode == APIC_DM_FIXED || mode == APIC_DM_LOWEST) && vector < APIC_FIRST_VALID_VECTOR)
		lapic_error(l, APIC_ESR_SEND_ILLEGAL);
	if (ipi_reaches_self(l, icr))
		receive(l, mode, vector, false);
}

/* SDM v3, "SELF IPI Register": it is "semantically identical to an inter-processor interrupt sent via the ICR, with a
 * Destination Shorthand of Self, Trigger Mode equal to Edge, and a Delivery Mode equal to Fixed". */
void lapic_self_ipi(struct lapic *l, uint8_t vector)
{
	lapic_send_ipi(l, vector | APIC_DM_FIELD(APIC_DM_FIXED) | APIC_ICR_SHORTHAND_FIELD(APIC_ICR_SELF));
}
