// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What is left to a process after each step of the sandbox, in a child for each try. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "afxdp-app/channel.h"
#include "afxdp-app/sandbox.h"

enum { REACHED = 0, BARRED = 10, WITHOUT = 11, BROKEN = 12 };

/* Exit status of a child that runs `body`. */
static int in_child(int (*body)(int channel), int channel)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	/* Not _exit(), in which ASan makes calls that are refused. */
	if (!pid)
		syscall(__NR_exit_group, body(channel));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int open_file(int channel)
{
	bool landlock;

	(void)channel;
	if (sl_sandbox_enter(&landlock))
		return BROKEN;
	if (!landlock)
		return WITHOUT;
	if (open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0)
		return REACHED;
	return errno == EACCES ? BARRED : BROKEN;
}

static void test_landlock(void **state)
{
	int status = in_child(open_file, -1);

	(void)state;
	if (status == WITHOUT)
		skip(); /* this kernel has no Landlock */
	assert_int_equal(status, BARRED);
}

static int open_raw(int channel)
{
	bool landlock;

	(void)channel;
	if (sl_sandbox_enter(&landlock))
		return BROKEN;
	if (socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0) >= 0)
		return REACHED;
	return errno == EPERM ? BARRED : BROKEN;
}

static void test_capabilities(void **state)
{
	(void)state;
	assert_int_equal(in_child(open_raw, -1), BARRED);
}

static int call_socket(int channel)
{
	if (sl_sandbox_seal(channel))
		return BROKEN;
	syscall(__NR_socket, AF_INET, SOCK_DGRAM, 0);
	return REACHED;
}

/* A thread that was there before, and makes the call after. */
static int begun[2], begin[2];

static void *thread(void *context)
{
	char byte;

	if (write(begun[1], "", 1) == 1 && read(begin[0], &byte, 1) == 1)
		syscall(__NR_getppid);
	return context;
}

static int call_in_thread(int channel)
{
	pthread_t other;
	char byte;

	if (pipe(begun) || pipe(begin) ||
	    pthread_create(&other, NULL, thread, NULL) ||
	    read(begun[0], &byte, 1) != 1 || sl_sandbox_seal(channel) ||
	    write(begin[1], "", 1) != 1)
		return BROKEN;
	pthread_join(other, NULL);
	return REACHED;
}

static int call_allowed(int channel)
{
	return sl_sandbox_seal(channel) || getpid() < 1 ? BROKEN : REACHED;
}

static void refused(int (*body)(int channel), int number)
{
	struct sl_channel_message message;
	int ends[2];

	assert_int_equal(sl_channel_open(ends), 0);
	assert_int_equal(in_child(body, ends[1]), SL_SANDBOX_REFUSED);
	assert_int_equal(sl_channel_receive(ends[0], 0, &message, NULL), 0);
	assert_int_equal(message.type, SL_CHANNEL_REFUSED);
	assert_int_equal(message.value, number);
	close(ends[0]);
	close(ends[1]);
}

static void test_seccomp(void **state)
{
	(void)state;
	refused(call_socket, __NR_socket);
	refused(call_in_thread, __NR_getppid);
	assert_int_equal(in_child(call_allowed, -1), REACHED);
}

/* Bounds are kept, a descriptor arrives once, and an end is told. */
static void test_channel(void **state)
{
	struct sl_channel_message out = { .type = SL_CHANNEL_STATS,
					  .value = 7 };
	struct sl_channel_message in;
	int ends[2], fd = -1;

	(void)state;
	assert_int_equal(sl_channel_open(ends), 0);
	assert_int_equal(sl_channel_receive(ends[0], 0, &in, &fd), -ETIMEDOUT);
	assert_int_equal(sl_channel_send(ends[1], &out, ends[1]), 0);
	assert_int_equal(sl_channel_send(ends[1], &out, -1), 0);
	assert_int_equal(sl_channel_receive(ends[0], 0, &in, &fd), 0);
	assert_int_equal(in.value, 7);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(sl_channel_receive(ends[0], 0, &in, &fd), 0);
	assert_int_equal(fd, -1);
	assert_int_equal(send(ends[1], "short", 5, 0), 5);
	assert_int_equal(sl_channel_receive(ends[0], 0, &in, &fd), -EPROTO);
	/* The last words of one that ends with a message unread. */
	assert_int_equal(sl_channel_send(ends[0], &out, -1), 0);
	assert_int_equal(sl_channel_send(ends[1], &out, -1), 0);
	close(ends[1]);
	assert_int_equal(sl_channel_receive(ends[0], 0, &in, &fd), 0);
	assert_int_equal(in.value, 7);
	assert_int_equal(sl_channel_receive(ends[0], 0, &in, &fd), -EPIPE);
	close(ends[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_landlock),
		cmocka_unit_test(test_capabilities),
		cmocka_unit_test(test_seccomp),
		cmocka_unit_test(test_channel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
