/* SPDX-License-Identifier: BSD-2-Clause
 * Proves how KVM's exits become the contract's, and the answers KVM's.
 * Knows nothing of a real /dev/kvm: KVM's shared memory is an array here. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <linux/kvm.h>

#include "tests/kvm/kvcpu.h"

#define DATA_AT 0x1000
#define RAM_BYTES 0x200000u

static union {
	struct kvm_run kr;
	uint8_t bytes[2 * DATA_AT];
} shared;
static struct vm vm = { .ram_size = RAM_BYTES };
static struct kvcpu v;
static uint64_t fetch_gpa;

/* KVM_TRANSLATE, the only one that is asked. */
int ioctl(int fd, unsigned long request, ...);
int ioctl(int fd, unsigned long request, ...)
{
	struct kvm_translation *at;
	va_list ap;

	(void)fd;
	assert_int_equal(request, KVM_TRANSLATE);
	va_start(ap, request);
	at = va_arg(ap, struct kvm_translation *);
	va_end(ap);
	assert_int_equal(at->linear_address, 0x1234);
	at->physical_address = fetch_gpa;
	at->valid = 1;
	return 0;
}

uint64_t alarm_now(void)
{
	return 0;
}

void kvcpu_dump(const struct kvcpu *vcpu, struct vcpu_dump *out)
{
	(void)vcpu;
	memset(out, 0, sizeof(*out));
	out->rip = 0x1234;
}

static struct kvm_run *exit_is(uint32_t reason)
{
	memset(&shared, 0, sizeof(shared));
	memset(&v, 0, sizeof(v));
	v.vm = &vm;
	v.kr = &shared.kr;
	shared.kr.exit_reason = reason;
	return &shared.kr;
}

static struct kvm_run *io_exit(uint8_t direction, uint8_t size, uint32_t count)
{
	struct kvm_run *kr = exit_is(KVM_EXIT_IO);

	kr->io.direction = direction;
	kr->io.size = size;
	kr->io.count = count;
	kr->io.port = 0x600;
	kr->io.data_offset = DATA_AT;
	return kr;
}

static void assert_io(uint8_t direction, uint8_t size, uint32_t data)
{
	assert_int_equal(v.run.exit_reason, VCPU_EXIT_IO);
	assert_int_equal(v.run.io.direction, direction);
	assert_int_equal(v.run.io.size, size);
	assert_int_equal(v.run.io.port, 0x600);
	assert_int_equal(v.run.io.data, data);
}

static void an_out_carries_no_more_than_its_size(void **state)
{
	(void)state;
	io_exit(KVM_EXIT_IO_OUT, 2, 1);
	memcpy(shared.bytes + DATA_AT, "\x11\x22\x33\x44", 4);
	kvcpu_take_exit(&v);
	assert_io(VCPU_IO_OUT, 2, 0x2211);
	assert_false(kvcpu_complete_exit(&v));
}

static void an_in_is_answered_where_kvm_wants_it(void **state)
{
	(void)state;
	io_exit(KVM_EXIT_IO_IN, 2, 1);
	memset(shared.bytes + DATA_AT, 0xee, 4);
	kvcpu_take_exit(&v);
	assert_io(VCPU_IO_IN, 2, 0);
	v.run.io.data = 0xaabbccdd;
	assert_false(kvcpu_complete_exit(&v));
	assert_memory_equal(shared.bytes + DATA_AT, "\xdd\xcc\xee\xee", 4);
}

/* KVM does a whole REP OUTS in one exit; the contract has one access in each. */
static void a_string_is_one_exit_for_each_element(void **state)
{
	(void)state;
	io_exit(KVM_EXIT_IO_OUT, 4, 3);
	memcpy(shared.bytes + DATA_AT, "aaaabbbbcccc", 12);
	kvcpu_take_exit(&v);
	assert_io(VCPU_IO_OUT, 4, 0x61616161);
	assert_true(kvcpu_complete_exit(&v));
	assert_io(VCPU_IO_OUT, 4, 0x62626262);
	assert_true(kvcpu_complete_exit(&v));
	assert_io(VCPU_IO_OUT, 4, 0x63636363);
	assert_false(kvcpu_complete_exit(&v));
}

static void each_element_of_ins_has_its_own_place(void **state)
{
	(void)state;
	io_exit(KVM_EXIT_IO_IN, 1, 3);
	kvcpu_take_exit(&v);
	for (unsigned i = 0; i < 3; i++) {
		v.run.io.data = 'x' + i;
		assert_int_equal(kvcpu_complete_exit(&v), i < 2);
	}
	assert_memory_equal(shared.bytes + DATA_AT, "xyz", 4);
}

static void an_mmio_read_is_answered_and_a_write_is_not(void **state)
{
	struct kvm_run *kr = exit_is(KVM_EXIT_MMIO);
	(void)state;

	kr->mmio.phys_addr = 0xfee00020;
	kr->mmio.len = 4;
	kvcpu_take_exit(&v);
	assert_int_equal(v.run.exit_reason, VCPU_EXIT_MMIO);
	assert_int_equal(v.run.mmio.phys_addr, 0xfee00020);
	assert_int_equal(v.run.mmio.len, 4);
	assert_false(v.run.mmio.is_write);
	memcpy(v.run.mmio.data, "12345678", 8);
	assert_false(kvcpu_complete_exit(&v));
	assert_memory_equal(kr->mmio.data, "12345678", 8);
	kr->mmio.is_write = 1;
	memcpy(kr->mmio.data, "abcdefgh", 8);
	kvcpu_take_exit(&v);
	assert_true(v.run.mmio.is_write);
	assert_memory_equal(v.run.mmio.data, "abcdefgh", 8);
	memset(v.run.mmio.data, 0, 8);
	kvcpu_complete_exit(&v);
	assert_memory_equal(kr->mmio.data, "abcdefgh", 8);
}

static void an_msr_access_comes_with_its_value_and_goes_back_with_its_verdict(void **state)
{
	struct kvm_run *kr = exit_is(KVM_EXIT_X86_WRMSR);
	(void)state;

	kr->msr.index = 0x6e0;
	kr->msr.data = 0x123456789a;
	kvcpu_take_exit(&v);
	assert_int_equal(v.run.exit_reason, VCPU_EXIT_WRMSR);
	assert_int_equal(v.run.msr.index, 0x6e0);
	assert_int_equal(v.run.msr.data, 0x123456789a);
	v.run.msr.error = 1;
	kvcpu_complete_exit(&v);
	assert_int_equal(kr->msr.error, 1);
	kr->exit_reason = KVM_EXIT_X86_RDMSR;
	kvcpu_take_exit(&v);
	assert_int_equal(v.run.exit_reason, VCPU_EXIT_RDMSR);
	assert_int_equal(v.run.msr.error, 0);
	v.run.msr.data = 0xfeedull << 32;
	kvcpu_complete_exit(&v);
	assert_int_equal(kr->msr.data, 0xfeedull << 32);
	assert_int_equal(kr->msr.error, 0);
}

static void exits_without_data_keep_their_names(void **state)
{
	static const struct {
		uint32_t kvm;
		enum vcpu_exit_reason ours;
	} same[] = {
		{ KVM_EXIT_IRQ_WINDOW_OPEN, VCPU_EXIT_IRQ_WINDOW_OPEN }, { KVM_EXIT_HLT, VCPU_EXIT_HLT },
		{ KVM_EXIT_SHUTDOWN, VCPU_EXIT_SHUTDOWN },               { KVM_EXIT_INTR, VCPU_EXIT_INTR },
		{ KVM_EXIT_SET_TPR, VCPU_EXIT_SET_TPR },
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
		exit_is(same[i].kvm);
		kvcpu_take_exit(&v);
		assert_int_equal(v.run.exit_reason, same[i].ours);
		assert_false(kvcpu_complete_exit(&v));
	}
}

static void an_eoi_exit_names_its_vector(void **state)
{
	(void)state;
	exit_is(KVM_EXIT_IOAPIC_EOI)->eoi.vector = 0x51;
	kvcpu_take_exit(&v);
	assert_int_equal(v.run.exit_reason, VCPU_EXIT_IOAPIC_EOI);
	assert_int_equal(v.run.eoi.vector, 0x51);
}

static void a_refused_entry_gives_the_cpu_s_reason(void **state)
{
	(void)state;
	exit_is(KVM_EXIT_FAIL_ENTRY)->fail_entry.hardware_entry_failure_reason = 0x80000021;
	kvcpu_take_exit(&v);
	assert_int_equal(v.run.exit_reason, VCPU_EXIT_FAIL_ENTRY);
	assert_int_equal(v.run.fail_entry.hardware_entry_failure_reason, 0x80000021);
}

static void assert_crash(uint32_t suberror, uint64_t a, uint64_t b)
{
	assert_int_equal(v.run.exit_reason, VCPU_EXIT_INTERNAL_ERROR);
	assert_int_equal(v.run.internal.suberror, suberror);
	assert_int_equal(v.run.internal.data[0], a);
	assert_int_equal(v.run.internal.data[1], b);
}

static void an_emulation_failure_outside_of_ram_was_a_fetch(void **state)
{
	(void)state;
	exit_is(KVM_EXIT_INTERNAL_ERROR)->internal.suberror = KVM_INTERNAL_ERROR_EMULATION;
	fetch_gpa = RAM_BYTES;
	kvcpu_take_exit(&v);
	assert_crash(VCPU_ERROR_FETCH, RAM_BYTES, 0);
	fetch_gpa = RAM_BYTES - 1;
	kvcpu_take_exit(&v);
	assert_crash(VCPU_ERROR_EXIT, KVM_EXIT_INTERNAL_ERROR, KVM_INTERNAL_ERROR_EMULATION);
}

static void a_delivery_that_needs_no_ram_names_the_address(void **state)
{
	struct kvm_run *kr = exit_is(KVM_EXIT_INTERNAL_ERROR);
	(void)state;

	kr->internal.suberror = KVM_INTERNAL_ERROR_DELIVERY_EV;
	kr->internal.ndata = 4;
	kr->internal.data[3] = 0xd0000030;
	kvcpu_take_exit(&v);
	assert_crash(VCPU_ERROR_DELIVERY, 0xd0000030, 0);
	kr->internal.ndata = 3;
	kvcpu_take_exit(&v);
	assert_crash(VCPU_ERROR_EXIT, KVM_EXIT_INTERNAL_ERROR, KVM_INTERNAL_ERROR_DELIVERY_EV);
}

static void what_the_contract_does_not_name_ends_the_guest(void **state)
{
	(void)state;
	exit_is(KVM_EXIT_HYPERCALL);
	kvcpu_take_exit(&v);
	assert_crash(VCPU_ERROR_EXIT, KVM_EXIT_HYPERCALL, 0);
	kvcpu_take_error(&v, 14);
	assert_crash(VCPU_ERROR_EXIT, KVM_EXIT_UNKNOWN, 14);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_out_carries_no_more_than_its_size),
		cmocka_unit_test(an_in_is_answered_where_kvm_wants_it),
		cmocka_unit_test(a_string_is_one_exit_for_each_element),
		cmocka_unit_test(each_element_of_ins_has_its_own_place),
		cmocka_unit_test(an_mmio_read_is_answered_and_a_write_is_not),
		cmocka_unit_test(an_msr_access_comes_with_its_value_and_goes_back_with_its_verdict),
		cmocka_unit_test(exits_without_data_keep_their_names),
		cmocka_unit_test(an_eoi_exit_names_its_vector),
		cmocka_unit_test(a_refused_entry_gives_the_cpu_s_reason),
		cmocka_unit_test(an_emulation_failure_outside_of_ram_was_a_fetch),
		cmocka_unit_test(a_delivery_that_needs_no_ram_names_the_address),
		cmocka_unit_test(what_the_contract_does_not_name_ends_the_guest),
	};

	return cmocka_run_group_tests_name("kvm_exit", tests, NULL, NULL);
}
