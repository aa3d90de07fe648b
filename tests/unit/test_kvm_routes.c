/* SPDX-License-Identifier: BSD-2-Clause
 * Proves which messages and routes KVM is told of.
 * Knows nothing of a real /dev/kvm. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <linux/kvm.h>

#include "dev/ioapic.h"
#include "tests/kvm/routes.h"
#include "x86.h"

static struct kvm_msi msi;
static union {
	struct kvm_irq_routing head;
	uint8_t bytes[sizeof(struct kvm_irq_routing) + IOAPIC_PINS * sizeof(struct kvm_irq_routing_entry)];
} routes;

int ioctl(int fd, unsigned long request, ...);
int ioctl(int fd, unsigned long request, ...)
{
	const void *arg;
	va_list ap;

	assert_int_equal(fd, 42);
	va_start(ap, request);
	arg = va_arg(ap, const void *);
	va_end(ap);
	if (request == KVM_SIGNAL_MSI) {
		memcpy(&msi, arg, sizeof(msi));
		return 1;
	}
	assert_int_equal(request, KVM_SET_GSI_ROUTING);
	memcpy(&routes, arg, sizeof(routes.head));
	assert_true(routes.head.nr <= IOAPIC_PINS);
	memcpy(&routes, arg, sizeof(routes.head) + routes.head.nr * sizeof(routes.head.entries[0]));
	return 0;
}

static void send(const struct apic_msg *msg)
{
	memset(&msi, 0xff, sizeof(msi));
	routes_signal_msi(42, msg);
	assert_int_equal(msi.flags, 0);
	assert_int_equal(msi.address_hi, 0);
}

/* SDM v3, "Message Address Register Format": destination ID in bits 19:12, destination mode in bit 2; "Message Data Register
 * Format": vector in 7:0, delivery mode in 10:8, level in 14, trigger mode in 15. */
static void a_message_has_the_format_of_an_msi(void **state)
{
	(void)state;
	send(&(struct apic_msg){ .dest = 0x12, .vector = 0x51 });
	assert_int_equal(msi.address_lo, 0xfee12000);
	assert_int_equal(msi.data, 0x51);
	send(&(struct apic_msg){ .dest = 0xff, .vector = 0x52, .dest_logical = true, .delivery_mode = APIC_DM_LOWEST });
	assert_int_equal(msi.address_lo, 0xfeeff004);
	assert_int_equal(msi.data, 0x152);
	send(&(struct apic_msg){ .vector = 0x53, .level = true });
	assert_int_equal(msi.data, 0xc053);
	send(&(struct apic_msg){ .delivery_mode = APIC_DM_NMI });
	assert_int_equal(msi.data, 0x400);
}

static void every_vector_gets_a_level_route_to_everybody(void **state)
{
	const uint64_t bitmap[4] = { BIT64(32) | BIT64(63), BIT64(0), 0, BIT64(63) };
	static const uint32_t vectors[] = { 32, 63, 64, 255 };
	(void)state;

	routes_set_eoi_exits(42, bitmap);
	assert_int_equal(routes.head.nr, ARRAY_SIZE(vectors));
	for (uint32_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		assert_int_equal(routes.head.entries[i].gsi, i);
		assert_int_equal(routes.head.entries[i].type, KVM_IRQ_ROUTING_MSI);
		assert_int_equal(routes.head.entries[i].u.msi.address_lo, 0xfeeff000);
		assert_int_equal(routes.head.entries[i].u.msi.data, 0xc000 | vectors[i]);
	}
}

static void no_vectors_are_no_routes(void **state)
{
	const uint64_t bitmap[4] = { 0 };
	(void)state;

	routes.head.nr = 7;
	routes_set_eoi_exits(42, bitmap);
	assert_int_equal(routes.head.nr, 0);
}

static void there_are_never_more_routes_than_reserved(void **state)
{
	const uint64_t bitmap[4] = { UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX };
	(void)state;

	routes_set_eoi_exits(42, bitmap);
	assert_int_equal(routes.head.nr, IOAPIC_PINS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_has_the_format_of_an_msi),
		cmocka_unit_test(every_vector_gets_a_level_route_to_everybody),
		cmocka_unit_test(no_vectors_are_no_routes),
		cmocka_unit_test(there_are_never_more_routes_than_reserved),
	};

	return cmocka_run_group_tests_name("kvm_routes", tests, NULL, NULL);
}
