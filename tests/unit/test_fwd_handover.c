// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The record of a handover: good for one, whole or not at all. The worker that goes on is the one
 * that stopped, with the ports' counts and the ledger's forgotten in between; fwd_lab.h is the
 * kernel. What it refuses it says on standard error.
 */
#include "fwd_lab.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "afxdp-app/forwarder.h"
#include "afxdp-app/handover.h"

static const struct sl_handover_stop at_first = { .ns = 77, .lost = 3 };
static const struct sl_handover_stop other = { .ns = 1 };
static struct sl_fwd fwd;

/* Some packets have gone, some are out on every ring; the record of that. */
static int record_make(void)
{
	int fd = memfd_create("record", MFD_CLOEXEC);

	assert_true(fd >= 0);
	fwd = (struct sl_fwd){ .n_workers = 1, .workers = &lab->worker };
	receive(&lab->kernel[0], 2 * SL_BURST);
	for (int i = 0; i < 2; i++)
		round_later(MS);
	complete(&lab->kernel[1], 5);
	receive(&lab->kernel[0], 7);
	assert_true(lab->worker.ports[1].tx_out > 0);
	/* It closes the one that it writes to. */
	assert_int_equal(sl_handover_record(&fwd, &at_first, dup(fd)), 0);
	return fd;
}

static void forget(void)
{
	for (uint32_t i = 0; i < PORTS; i++) {
		lab->worker.ports[i].fill_out = 0;
		lab->worker.ports[i].tx_out = 0;
		lab->worker.ports[i].count = (struct sl_fwd_counters){ 0 };
	}
	memset(lab->worker.umem.count, 0, sizeof(lab->worker.umem.count));
}

static int adopt(int fd, struct sl_handover_stop *stop)
{
	forget();
	return sl_handover_adopt(&fwd, dup(fd), stop);
}

static off_t bytes_of(int fd)
{
	struct stat status;

	assert_int_equal(fstat(fd, &status), 0);
	return status.st_size;
}

static void goes_on_and_only_once(void **state)
{
	int fd = record_make();
	struct sl_fwd_counters count = lab->worker.ports[0].count;
	struct sl_handover_stop stop = { 0 };

	(void)state;
	assert_int_equal(adopt(fd, &stop), 0);
	assert_memory_equal(&stop, &at_first, sizeof(stop));
	assert_memory_equal(&count, &lab->worker.ports[0].count, sizeof(count));
	check();
	/* What came in meanwhile is on the RX ring, and goes on. */
	assert_int_equal(round_later(MS), 7);
	assert_int_equal(bytes_of(fd), 0);
	assert_int_equal(adopt(fd, &stop), -EPROTO);
	close(fd);
}

/* Cut anywhere it is refused, and stays what it was. */
static void a_part_is_none(void **state)
{
	int fd = record_make();
	off_t bytes = bytes_of(fd);
	struct sl_handover_stop stop = { 0 };
	char whole[4096];

	(void)state;
	assert_true(bytes > 0 && bytes < (off_t)sizeof(whole));
	assert_int_equal(pread(fd, whole, sizeof(whole), 0), bytes);
	for (off_t n = 0; n < bytes; n++) {
		assert_int_equal(ftruncate(fd, n), 0);
		assert_int_equal(adopt(fd, &stop), -EPROTO);
		assert_int_equal(bytes_of(fd), n);
	}
	assert_int_equal(stop.ns, 0);
	assert_int_equal(pwrite(fd, whole, (size_t)bytes, 0), bytes);
	assert_int_equal(adopt(fd, &stop), 0);
	check();
	close(fd);
}

/* A record in which *word is `by` more than it was, and which is refused. */
static void wrong_by(const char *whole, size_t bytes, uint32_t *word,
		     uint32_t by)
{
	int right = memfd_create("right", MFD_CLOEXEC);
	int wrong = memfd_create("wrong", MFD_CLOEXEC);
	struct sl_handover_stop stop = { 0 };

	assert_int_equal(write(right, whole, bytes), bytes);
	assert_int_equal(adopt(right, &stop), 0);
	check();
	*word += by;
	assert_int_equal(sl_handover_record(&fwd, &other, dup(wrong)), 0);
	*word -= by;
	assert_int_equal(adopt(wrong, &stop), -EPROTO);
	assert_memory_equal(&stop, &at_first, sizeof(stop));
	assert_int_not_equal(bytes_of(wrong), 0);
	close(right);
	close(wrong);
}

/* One whose counts are not those of the frames is refused, by whatever it says of them. */
static void a_wrong_count_is_refused(void **state)
{
	static const uint32_t by[] = { 1, -1u, 1u << 31 };
	struct sl_fwd_worker *worker = &lab->worker;
	int fd = record_make();
	char whole[4096];
	ssize_t bytes = pread(fd, whole, sizeof(whole), 0);

	(void)state;
	assert_true(bytes > 0 && bytes < (ssize_t)sizeof(whole));
	for (size_t i = 0; i < sizeof(by) / sizeof(by[0]); i++) {
		for (int s = 0; s < SL_FRAME_STATES; s++)
			wrong_by(whole, (size_t)bytes, &worker->umem.count[s],
				 by[i]);
		for (uint32_t p = 0; p < PORTS; p++) {
			wrong_by(whole, (size_t)bytes,
				 &worker->ports[p].fill_out, by[i]);
			wrong_by(whole, (size_t)bytes, &worker->ports[p].tx_out,
				 by[i]);
		}
		wrong_by(whole, (size_t)bytes, &worker->umem.frames, by[i]);
	}
	/* As if of a worker with a port less. */
	wrong_by(whole, (size_t)bytes, &worker->n_ports, -1u);
	close(fd);
}

static void a_closed_one_is_an_error(void **state)
{
	struct sl_handover_stop stop = { 0 };

	(void)state;
	fwd = (struct sl_fwd){ .n_workers = 1, .workers = &lab->worker };
	assert_int_equal(sl_handover_record(&fwd, &at_first, -1), -EPROTO);
	assert_int_equal(sl_handover_adopt(&fwd, -1, &stop), -EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(goes_on_and_only_once),
		TEST(a_part_is_none),
		TEST(a_wrong_count_is_refused),
		TEST(a_closed_one_is_an_error),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
