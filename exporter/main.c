// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * sluice-exporter: what filters and forwarders count, for Prometheus and for people. Two
 * processes, so that who speaks with strangers can do nothing, and who can do something
 * hears no stranger:
 *
 *   reader (the one that was started)            server (its child)
 *   CAP_SYS_ADMIN alone, for BPF objects by id   no capability; Landlock, seccomp
 *   kernel -> snapshot.h -> metrics.h, state.h   server.h: libmicrohttpd, page.h
 *                 \___ a text in a memfd, over channel.h ___/
 *
 * Each ends with the other. Reading order: snapshot.h (what there is to tell), metrics.h and
 * state.h (how it is told), reader.h, channel.h, server.h, clients.h (who is let go of).
 */
#include <errno.h>
#include <linux/capability.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "options.h"
#include "reader.h"
#include "server.h"
#include "snapshot.h"
#include "socket.h"
#include "lib/confine.h"
#include "lib/error.h"
#include "lib/log.h"

enum { EXIT_DONE, EXIT_INPUT, EXIT_USAGE, EXIT_SYSTEM };

/* As in afxdp-app/main.c: megabytes that are freed go back to the kernel. */
#define LARGE_BYTES (128 << 10)

static int fail(const char *text)
{
	fprintf(stderr, "sluice-exporter: %s\n", text);
	return EXIT_SYSTEM;
}

/* The child. Its end of the channel closes with it, so the reader learns of its death. */
static int serve(const struct sl_socket *listening, int channel, pid_t reader)
{
	bool addressed = listening->at.address.ss_family != AF_UNIX;
	int err;

	signal(SIGPIPE, SIG_IGN);
	/* A terminal's Ctrl-C is for the reader, which then ends us. */
	signal(SIGINT, SIG_IGN);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != reader)
		return EXIT_SYSTEM;
	err = sl_server_run(listening->fd, channel,
			    addressed && sl_listen_local(&listening->at));
	if (err)
		fprintf(stderr, "sluice-exporter: serve: %s\n", strerror(-err));
	return err ? EXIT_SYSTEM : EXIT_DONE;
}

static void announce(const struct sl_socket *listening)
{
	fprintf(stderr, "sluice-exporter: %s%s\n", listening->name,
		listening->passed ? " (passed by systemd)" : "");
	if (!sl_listen_local(&listening->at))
		fputs("sluice-exporter: other hosts can read this: there is no password and no "
		      "encryption\n",
		      stderr);
}

/* The first reading is taken at once: what is counted from now on has a time. */
static int read_and_answer(const struct sl_exporter_options *options,
			   const struct sl_socket *listening, int channel,
			   int signal_fd, bool *wished)
{
	static const unsigned int kept[] = { CAP_SYS_ADMIN };
	struct sl_snapshots snapshots;
	struct sl_error error = { "" };
	int err = sl_snapshots_open(&snapshots, &options->ports, &error);

	if (err)
		return fail(error.text);
	err = sl_confine_keep(kept, sizeof(kept) / sizeof(kept[0]));
	if (!err)
		err = sl_snapshots_take(&snapshots, 0);
	if (!err) {
		announce(listening);
		err = sl_reader_run(&snapshots, channel, signal_fd, wished);
	}
	sl_snapshots_close(&snapshots);
	return err ? fail(strerror(-err)) : EXIT_DONE;
}

/* After the reader's end: why the server went, if that was not at our wish. */
static int join(pid_t server, bool wished)
{
	char text[96];
	int status = 0;

	kill(server, SIGTERM);
	if (waitpid(server, &status, 0) != server || wished)
		return EXIT_DONE;
	if (!WIFSIGNALED(status))
		return EXIT_SYSTEM; /* it has said why */
	snprintf(text, sizeof(text), "the server ended by signal %d%s",
		 WTERMSIG(status),
		 WTERMSIG(status) == SIGSYS ?
			 " (a system call it may not make)" :
			 "");
	return fail(text);
}

/* A descriptor that tells of SIGINT and SIGTERM, which do not end the process any more. */
static int catch_signals(sigset_t *caught)
{
	sigemptyset(caught);
	sigaddset(caught, SIGINT);
	sigaddset(caught, SIGTERM);
	if (sigprocmask(SIG_BLOCK, caught, NULL) < 0)
		return -1;
	return signalfd(-1, caught, SFD_CLOEXEC);
}

static int run(const struct sl_exporter_options *options,
	       const struct sl_socket *listening)
{
	int ends[2], status, joined, signal_fd;
	pid_t server, self = getpid();
	bool wished = false;
	sigset_t caught;

	signal_fd = catch_signals(&caught);
	if (signal_fd < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return fail(strerror(errno));
	server = fork();
	if (server < 0)
		return fail(strerror(errno));
	if (server == 0) {
		close(ends[0]);
		close(signal_fd);
		sigprocmask(SIG_UNBLOCK, &caught, NULL);
		exit(serve(listening, ends[1], self));
	}
	close(ends[1]);
	status = read_and_answer(options, listening, ends[0], signal_fd,
				 &wished);
	joined = join(server, wished || status);
	close(ends[0]);
	close(signal_fd);
	return status ? status : joined;
}

int main(int argc, char **argv)
{
	struct sl_exporter_options options;
	struct sl_socket listening;
	struct sl_error error = { "" };
	int err = sl_exporter_options_read(argc, argv, &options), status;

	if (err)
		return err == -EINVAL ? EXIT_USAGE : EXIT_INPUT;
	if (options.help) {
		sl_exporter_usage(stdout);
		return EXIT_DONE;
	}
	mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
	sl_log_init();
	if (sl_socket_open(&listening, &options.listen, options.group, &error))
		return fail(error.text);
	status = run(&options, &listening);
	sl_socket_close(&listening);
	return status;
}
