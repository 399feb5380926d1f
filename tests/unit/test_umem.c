// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The ledger of frames: every arrow of the state machine, and every wrong one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>

#include "afxdp-app/umem.h"

#define FRAMES 64u

static int setup(void **state)
{
	struct sl_umem *umem = calloc(1, sizeof(*umem));

	*state = umem;
	return umem ? sl_umem_init(umem, FRAMES) : -ENOMEM;
}

static int teardown(void **state)
{
	sl_umem_fini(*state);
	free(*state);
	return 0;
}

static void starts_free(void **state)
{
	struct sl_umem *umem = *state;

	assert_int_equal(umem->count[SL_FRAME_FREE], FRAMES);
	assert_int_equal((uintptr_t)umem->area % SL_FRAME_BYTES, 0);
	assert_true(sl_umem_audit(umem));
}

static void refuses_sizes(void **state)
{
	struct sl_umem umem = { 0 };

	(void)state;
	assert_int_equal(sl_umem_init(&umem, 0), -EINVAL);
	assert_int_equal(sl_umem_init(&umem, UINT32_MAX), -EINVAL);
	assert_null(umem.area);
}

static void whole_life(void **state)
{
	struct sl_umem *umem = *state;

	for (int round = 0; round < 1000; round++) {
		uint64_t addr = sl_umem_take(umem);

		assert_int_equal(addr % SL_FRAME_BYTES, 0);
		assert_true(addr < (uint64_t)FRAMES * SL_FRAME_BYTES);
		/* The kernel hands it back with an offset: the headroom. */
		addr += 256;
		assert_true(
			sl_umem_move(umem, addr, SL_FRAME_FILL, SL_FRAME_RX));
		assert_true(
			sl_umem_move(umem, addr, SL_FRAME_RX, SL_FRAME_STAGE));
		assert_true(
			sl_umem_move(umem, addr, SL_FRAME_STAGE, SL_FRAME_TX));
		assert_int_equal(umem->count[SL_FRAME_TX], 1);
		assert_true(sl_umem_give(umem, addr, SL_FRAME_TX));
	}
	assert_int_equal(umem->count[SL_FRAME_FREE], FRAMES);
	assert_true(sl_umem_audit(umem));
}

static void takes_each_frame_once(void **state)
{
	struct sl_umem *umem = *state;
	uint8_t seen[FRAMES] = { 0 };

	while (umem->count[SL_FRAME_FREE])
		seen[sl_umem_take(umem) >> SL_FRAME_SHIFT]++;
	for (uint32_t i = 0; i < FRAMES; i++)
		assert_int_equal(seen[i], 1);
	assert_int_equal(umem->count[SL_FRAME_FILL], FRAMES);
	assert_true(sl_umem_audit(umem));
}

static void wrong_state_is_a_violation(void **state)
{
	struct sl_umem *umem = *state;
	uint64_t addr = sl_umem_take(umem);

	assert_false(sl_umem_move(umem, addr, SL_FRAME_RX, SL_FRAME_STAGE));
	assert_false(sl_umem_give(umem, addr, SL_FRAME_TX));
	assert_int_equal(umem->violations, 2);
	assert_int_equal(umem->count[SL_FRAME_FILL], 1);
	assert_int_equal(umem->count[SL_FRAME_FREE], FRAMES - 1);
	assert_false(sl_umem_audit(umem));
}

static void given_twice_is_a_violation(void **state)
{
	struct sl_umem *umem = *state;
	uint64_t addr = sl_umem_take(umem);

	assert_true(sl_umem_give(umem, addr, SL_FRAME_FILL));
	assert_false(sl_umem_give(umem, addr, SL_FRAME_FILL));
	assert_int_equal(umem->count[SL_FRAME_FREE], FRAMES);
	assert_int_equal(umem->violations, 1);
}

static void foreign_address_is_a_violation(void **state)
{
	struct sl_umem *umem = *state;

	assert_false(sl_umem_move(umem, (uint64_t)FRAMES << SL_FRAME_SHIFT,
				  SL_FRAME_FILL, SL_FRAME_RX));
	assert_false(sl_umem_give(umem, UINT64_MAX, SL_FRAME_TX));
	assert_int_equal(umem->violations, 2);
}

static void audit_finds_a_lost_frame(void **state)
{
	struct sl_umem *umem = *state;
	uint64_t addr = sl_umem_take(umem);

	umem->state[addr >> SL_FRAME_SHIFT] = SL_FRAME_STAGE;
	assert_false(sl_umem_audit(umem));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(starts_free, setup, teardown),
		cmocka_unit_test(refuses_sizes),
		cmocka_unit_test_setup_teardown(whole_life, setup, teardown),
		cmocka_unit_test_setup_teardown(takes_each_frame_once, setup,
						teardown),
		cmocka_unit_test_setup_teardown(wrong_state_is_a_violation,
						setup, teardown),
		cmocka_unit_test_setup_teardown(given_twice_is_a_violation,
						setup, teardown),
		cmocka_unit_test_setup_teardown(foreign_address_is_a_violation,
						setup, teardown),
		cmocka_unit_test_setup_teardown(audit_finds_a_lost_frame, setup,
						teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
