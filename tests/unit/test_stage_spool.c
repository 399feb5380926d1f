// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Spools and the courier: nothing is lost unseen, torn or waited for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "afxdp-app/courier.h"

#define SPOOL 4096u

/* Record `number`: 4 bytes of it, then so many bytes that follow from it. */
static uint32_t length_of(uint32_t number)
{
	return 4 + number * 2654435761u % 700;
}

static bool put(struct sl_spool *spool, uint32_t number)
{
	uint32_t bytes = length_of(number);
	uint8_t *record = sl_spool_reserve(spool, bytes);

	if (!record)
		return false;
	assert_int_equal((uintptr_t)record % 8, 0);
	memset(record, (int)(number & 0xff), bytes);
	memcpy(record, &number, sizeof(number));
	return true;
}

static void verify(const uint8_t *record, uint32_t bytes, uint32_t number)
{
	uint32_t got;

	memcpy(&got, record, sizeof(got));
	assert_int_equal(got, number);
	assert_int_equal(bytes, length_of(number));
	for (uint32_t i = 4; i < bytes; i++)
		assert_int_equal(record[i], number & 0xff);
}

static void keeps_order_around_the_end(void **state)
{
	struct sl_spool spool;
	uint32_t in = 0, out = 0, bytes, full = 0;
	const void *record;

	(void)state;
	assert_int_equal(sl_spool_init(&spool, SPOOL), 0);
	assert_true(sl_spool_empty(&spool));
	while (out < 20000) {
		/* Runs of different length, into a spool that is never in step with them. */
		for (uint32_t run = in % 23; run && put(&spool, in); run--)
			in++;
		if (!put(&spool, in))
			full++;
		else
			in++;
		sl_spool_commit(&spool);
		for (uint32_t run = 1 + out % 17;
		     run && (record = sl_spool_take(&spool, &bytes)); run--)
			verify(record, bytes, out++);
		sl_spool_release(&spool);
	}
	assert_true(full > 100);
	sl_spool_fini(&spool);
}

static void sees_only_what_is_committed(void **state)
{
	struct sl_spool spool;
	const void *record;
	uint32_t bytes;

	(void)state;
	assert_int_equal(sl_spool_init(&spool, SPOOL), 0);
	assert_true(put(&spool, 1));
	assert_null(sl_spool_take(&spool, &bytes));
	assert_true(sl_spool_empty(&spool));
	sl_spool_commit(&spool);
	assert_false(sl_spool_empty(&spool));
	record = sl_spool_take(&spool, &bytes);
	assert_non_null(record);
	verify(record, bytes, 1);
	assert_null(sl_spool_take(&spool, &bytes));
	sl_spool_fini(&spool);
}

static void gives_no_room_before_the_release(void **state)
{
	struct sl_spool spool;
	uint32_t n = 0, bytes;

	(void)state;
	assert_int_equal(sl_spool_init(&spool, SPOOL), 0);
	while (sl_spool_reserve(&spool, 504))
		n++;
	assert_int_equal(n, SPOOL / 512);
	sl_spool_commit(&spool);
	assert_non_null(sl_spool_take(&spool, &bytes));
	assert_null(sl_spool_reserve(&spool, 504));
	sl_spool_release(&spool);
	assert_non_null(sl_spool_reserve(&spool, 504));
	assert_null(sl_spool_reserve(&spool, 504));
	sl_spool_fini(&spool);
}

/* Two producers, a courier that now and then takes its time. */
#define PRODUCERS 2
#define RECORDS 30000u

struct road {
	struct sl_courier courier;
	uint32_t next[PRODUCERS];    /* courier: the least number to come */
	uint32_t carried[PRODUCERS]; /* courier */
	uint32_t lost[PRODUCERS], wakes[PRODUCERS];
	bool slow;  /* atomic: the courier carries 50 a second */
	bool hangs; /* atomic: it does not come back */
};

struct producer {
	struct road *road;
	uint32_t index;
};

static void pause_ms(long ms)
{
	nanosleep(&(struct timespec){ .tv_nsec = ms * 1000000 }, NULL);
}

static bool carry(void *context, struct sl_spool *spool)
{
	struct road *road = context;
	uint32_t index = (uint32_t)(spool - road->courier.spools);
	const uint8_t *record;
	bool slow = __atomic_load_n(&road->slow, __ATOMIC_ACQUIRE);
	uint32_t bytes, number, n = 0, most = slow ? 1 : 8;

	if (slow)
		pause_ms(20);
	while (__atomic_load_n(&road->hangs, __ATOMIC_ACQUIRE))
		pause_ms(20);
	while (n < most && (record = sl_spool_take(spool, &bytes))) {
		memcpy(&number, record, sizeof(number));
		/* Some were lost on the way, none comes twice or out of turn. */
		assert_true(number >= road->next[index]);
		verify(record, bytes, number);
		road->next[index] = number + 1;
		road->carried[index]++;
		n++;
	}
	sl_spool_release(spool);
	if (road->next[index] % 5000 < 8 && n)
		pause_ms(2);
	return n;
}

static void *produce(void *context)
{
	const struct producer *producer = context;
	struct road *road = producer->road;
	struct sl_spool *spool = &road->courier.spools[producer->index];

	for (uint32_t i = 0; i < RECORDS; i++) {
		road->lost[producer->index] += !put(spool, i);
		if (i % 4 != 3)
			continue;
		sl_spool_commit(spool);
		road->wakes[producer->index] += sl_courier_wake(&road->courier);
		if (i % 64 == 63)
			sched_yield();
		/* Long enough for it to fall asleep. */
		if (i % 6000 == 5999)
			pause_ms(5);
	}
	return NULL;
}

static void road_open(struct road *road)
{
	memset(road, 0, sizeof(*road));
	assert_int_equal(sl_courier_init(&road->courier, PRODUCERS, 16 * SPOOL),
			 0);
	road->courier.carry = carry;
	road->courier.context = road;
	assert_int_equal(sl_courier_start(&road->courier), 0);
}

static struct road *road_new(void)
{
	struct road *road = aligned_alloc(_Alignof(struct road), sizeof(*road));

	assert_non_null(road);
	road_open(road);
	return road;
}

static void carries_or_counts_each(void **state)
{
	struct road *road = road_new();
	struct producer producers[PRODUCERS];
	pthread_t threads[PRODUCERS];

	(void)state;
	for (uint32_t i = 0; i < PRODUCERS; i++) {
		producers[i] = (struct producer){ road, i };
		assert_int_equal(pthread_create(&threads[i], NULL, produce,
						&producers[i]),
				 0);
	}
	for (uint32_t i = 0; i < PRODUCERS; i++)
		pthread_join(threads[i], NULL);
	sl_courier_stop(&road->courier);
	for (uint32_t i = 0; i < PRODUCERS; i++) {
		assert_int_equal(road->carried[i] + road->lost[i], RECORDS);
		assert_true(road->carried[i] > RECORDS / 100);
	}
	assert_true(road->wakes[0] + road->wakes[1] < RECORDS / 8);
	sl_courier_fini(&road->courier);
	free(road);
}

/* Each is carried without another to push it: the sleep and the wakeup do not miss each other. */
static void wakes_for_a_single_record(void **state)
{
	struct road *road = road_new();
	struct sl_spool *spool = &road->courier.spools[1];
	uint32_t woken = 0;

	(void)state;
	for (uint32_t i = 0; i < 100; i++) {
		assert_true(put(spool, i));
		sl_spool_commit(spool);
		woken += sl_courier_wake(&road->courier);
		for (int ms = 0;
		     ms < 10000 &&
		     __atomic_load_n(&spool->tail, __ATOMIC_ACQUIRE) !=
			     spool->written;
		     ms++)
			pause_ms(1);
		assert_int_equal(__atomic_load_n(&spool->tail,
						 __ATOMIC_ACQUIRE),
				 spool->written);
		/* 1 ms of nap, then it sleeps. */
		pause_ms((long)(i % 4));
	}
	assert_true(woken > 10);
	sl_courier_stop(&road->courier);
	sl_courier_fini(&road->courier);
	free(road);
}

static void stops_although_slow(void **state)
{
	struct road *road = road_new();
	struct timespec begin, end;
	uint32_t bytes, left = 0, n = 0;

	(void)state;
	__atomic_store_n(&road->slow, true, __ATOMIC_RELEASE);
	pause_ms(20);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	while (put(&road->courier.spools[0], n))
		n++;
	sl_spool_commit(&road->courier.spools[0]);
	sl_courier_wake(&road->courier);
	clock_gettime(CLOCK_MONOTONIC, &end);
	/* The producer did not wait, and was told at the end of the room. */
	assert_true(end.tv_sec - begin.tv_sec < 2);
	sl_courier_stop(&road->courier);
	clock_gettime(CLOCK_MONOTONIC, &end);
	assert_true(end.tv_sec - begin.tv_sec < 10);
	while (sl_spool_take(&road->courier.spools[0], &bytes))
		left++;
	assert_int_equal(left + road->carried[0], n);
	assert_true(left > 0);
	sl_courier_fini(&road->courier);
	free(road);
}

static void leaves_behind_what_hangs(void **state)
{
	struct road *road = road_new();
	struct timespec begin, end;

	(void)state;
	__atomic_store_n(&road->hangs, true, __ATOMIC_RELEASE);
	assert_true(put(&road->courier.spools[0], 0));
	sl_spool_commit(&road->courier.spools[0]);
	sl_courier_wake(&road->courier);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	sl_courier_stop(&road->courier);
	clock_gettime(CLOCK_MONOTONIC, &end);
	assert_true(end.tv_sec - begin.tv_sec < 10);
	assert_true(road->courier.stuck);
	/* It ends by itself once it can, and the second stop waits for nothing. */
	__atomic_store_n(&road->hangs, false, __ATOMIC_RELEASE);
	sl_courier_stop(&road->courier);
	assert_int_equal(pthread_join(road->courier.thread, NULL), 0);
	assert_true(road->courier.stuck);
	sl_courier_fini(&road->courier);
	free(road);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_order_around_the_end),
		cmocka_unit_test(sees_only_what_is_committed),
		cmocka_unit_test(gives_no_room_before_the_release),
		cmocka_unit_test(carries_or_counts_each),
		cmocka_unit_test(wakes_for_a_single_record),
		cmocka_unit_test(stops_although_slow),
		cmocka_unit_test(leaves_behind_what_hangs),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
