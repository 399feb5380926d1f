// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Waits for a key, for a signal, or for the time of the next reading, whichever is
 * first. A filter that goes away or is reloaded is an event on the screen, no end.
 *
 * The library and the other parts of this command speak on stderr, which is the screen now:
 * while that is open, stderr is a memory file, of which the last line is shown.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cli.h"
#include "filters.h"
#include "options.h"
#include "top_model.h"
#include "top_read.h"
#include "top_screen.h"
#include "top_sources.h"
#include "top_state.h"
#include "lib/clock.h"

#define MESSAGE 256

struct top {
	struct top_reader reader;
	struct top_state state;
	struct top_reading now;
	uint64_t interval_ns, next_ns; /* of CLOCK_MONOTONIC */
	int signal_fd;
	int stderr_fd; /* what stderr was */
	char event[TOP_EVENT];
	char fault[MESSAGE]; /* why the last reading failed; "": it did not */
};

/* 0 or -errno: then stderr is what it was, and is not to be looked into. */
static int quieten(struct top *top)
{
	int memory = memfd_create("sluice-top", MFD_CLOEXEC);
	int err = 0;

	if (memory < 0)
		return -errno;
	top->stderr_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
	if (top->stderr_fd < 0 || dup2(memory, STDERR_FILENO) < 0)
		err = -errno;
	close(memory);
	return err;
}

static void speak_again(struct top *top)
{
	fflush(stderr);
	if (top->stderr_fd < 0)
		return;
	dup2(top->stderr_fd, STDERR_FILENO);
	close(top->stderr_fd);
	top->stderr_fd = -1;
}

/* The last line that was said on stderr since, cleaned; "": nothing was. */
static void take_said(char text[MESSAGE])
{
	char said[MESSAGE + 1];
	off_t end = lseek(STDERR_FILENO, 0, SEEK_END);
	off_t from = end > MESSAGE ? end - MESSAGE : 0;
	ssize_t n = end > 0 ? pread(STDERR_FILENO, said, (size_t)(end - from),
				    from) :
			      0;
	char *line;

	said[n > 0 ? n : 0] = '\0';
	while (n > 0 && said[n - 1] == '\n')
		said[--n] = '\0';
	line = strrchr(said, '\n');
	top_clean(line ? line + 1 : said, text, MESSAGE);
	if (ftruncate(STDERR_FILENO, 0) == 0)
		lseek(STDERR_FILENO, 0, SEEK_SET);
}

/* A reading that fails leaves the one before on the screen. */
static void read_next(struct top *top)
{
	struct top_reading next;
	char said[MESSAGE];
	int status = top_read(&top->reader, top->state.tab, &next);

	top->next_ns = sl_clock_ns() + top->interval_ns;
	take_said(said);
	top->fault[0] = '\0';
	if (status != CLI_OK) {
		snprintf(top->fault, sizeof(top->fault), "%s",
			 said[0] ? said : "the filters could not be read");
		return;
	}
	if (top_keep_missing(&next, &top->now)) {
		top_reading_fini(&next);
		snprintf(top->fault, sizeof(top->fault), "out of memory");
		return;
	}
	top_rate(&next, &top->now);
	top_event(&next, &top->now, top->event);
	if (said[0])
		snprintf(top->fault, sizeof(top->fault), "%s", said);
	top_reading_fini(&top->now);
	top->now = next;
}

static struct top_view view_of(const struct top *top)
{
	return (struct top_view){
		.reading = &top->now,
		.message = top->fault[0] ? top->fault : top->event,
		.alarm = top->fault[0],
		.seconds = (double)top->interval_ns / 1e9,
	};
}

/* All keys that wait. */
static void take_keys(struct top *top)
{
	enum top_tab tab = top->state.tab;
	struct top_view view = view_of(top);
	bool frozen = top->state.frozen;
	int key;

	while (!top->state.quit && (key = top_screen_key()) >= 0)
		top_state_press(&top->state, key, top_screen_page(&view));
	if (tab == TOP_SOURCES && top->state.tab != tab)
		top_sources_leave(top->reader.sources);
	/* What a tab shows is read when it comes into view, also of a frozen screen. */
	if (tab != top->state.tab || (frozen && !top->state.frozen))
		read_next(top);
}

/* False: a signal, or the end of the terminal. */
static bool wait_for_more(const struct top *top)
{
	struct pollfd polls[] = {
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = top->signal_fd, .events = POLLIN },
	};
	uint64_t now_ns = sl_clock_ns();
	int wait_ms = -1;

	if (!top->state.frozen)
		wait_ms = top->next_ns > now_ns ?
				  (int)((top->next_ns - now_ns) / 1000000) + 1 :
				  0;
	/* A window that changes its size ends it, too: EINTR. */
	if (poll(polls, 2, wait_ms) < 0)
		return errno == EINTR;
	return !polls[1].revents &&
	       !(polls[0].revents & (POLLHUP | POLLERR | POLLNVAL));
}

static int watch(struct top *top)
{
	bool going;

	read_next(top);
	do {
		struct top_view view = view_of(top);

		if (top_screen_draw(&view, &top->state))
			return -ENOMEM;
		going = wait_for_more(top);
		if (going)
			take_keys(top);
		if (going && !top->state.quit && !top->state.frozen &&
		    sl_clock_ns() >= top->next_ns)
			read_next(top);
	} while (going && !top->state.quit);
	return 0;
}

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	return signalfd(-1, &set, SFD_CLOEXEC);
}

static int run(struct top *top)
{
	int status, err;

	top->signal_fd = open_signals();
	top->reader.sources = top_sources_new();
	if (top->signal_fd < 0 || !top->reader.sources)
		return cli_fail(-ENOMEM, "out of memory");
	status = top_screen_open();
	if (status != CLI_OK)
		return status;
	err = quieten(top);
	if (!err)
		err = watch(top);
	top_screen_close();
	speak_again(top);
	top_reading_fini(&top->now);
	return err ? cli_fail(err, strerror(-err)) : CLI_OK;
}

int cli_top(const struct cli_command *command, int argc, char **argv)
{
	struct top top = { .stderr_fd = -1, .signal_fd = -1 };
	struct cli_filters filters;
	unsigned long seconds = 1;
	const char *interval = NULL;
	const struct cli_option options[] = {
		{ "interval", .value = &interval }, { 0 }
	};
	int status;

	if (cli_options_read(command, options, argc, argv) != CLI_OK ||
	    (interval && cli_option_number("--interval", interval, 3600,
					   &seconds) != CLI_OK))
		return CLI_USAGE;
	/* Once, so that a wrong name is an error, and no empty screen. */
	status = cli_filters_open(argv + optind, argc - optind, 0, &filters);
	if (status != CLI_OK)
		return status;
	cli_filters_close(&filters);
	top_state_init(&top.state);
	top.interval_ns = seconds * 1000000000u;
	top.reader.names = argv + optind;
	top.reader.n_names = argc - optind;
	status = run(&top);
	top_sources_free(top.reader.sources);
	if (top.signal_fd >= 0)
		close(top.signal_fd);
	return status;
}
