// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * sluice-fwd: the AF_XDP forwarder. Reading order: plan.h (who sends where), umem.h (who
 * owns a frame), port.h (rings), burst.h and stage.h (packets, and what is done to them),
 * worker.h (the data path), forwarder.h (start and end), watch.h (what changes meanwhile).
 */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "forwarder.h"
#include "lib/config.h"
#include "lib/log.h"
#include "say.h"
#include "options.h"
#include "signals.h"
#include "stats.h"
#include "watch.h"

enum { EXIT_DONE, EXIT_INPUT, EXIT_USAGE, EXIT_SYSTEM };

#define WATCH_MS 1000ll

static long long clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}

static int config_read(const char *path, struct sl_config **config)
{
	struct sl_diags diags = { 0 };
	struct sl_config *new = NULL;
	int err = sl_config_read(path, &diags, &new);

	if (!err)
		err = sl_config_check_effective(new, &diags);
	sl_diags_print(&diags, stderr);
	sl_diags_fini(&diags);
	if (!err && !new->forwarder.n_wires) {
		sl_fwd_say_of(path, "read the forwarder: there is no wire; "
				    "add 'forwarder { wire IF IF }'");
		err = -EINVAL;
	}
	if (err) {
		sl_config_free(new);
		return err;
	}
	*config = new;
	return 0;
}

static void stats_print(struct sl_fwd *fwd,
			const struct sl_fwd_options *options, bool accounted)
{
	int err;

	sl_fwd_refresh(fwd);
	err = sl_fwd_stats_print(fwd, options->json, accounted, stdout);
	if (err)
		sl_fwd_say_error("standard output", "print statistics", err,
				 NULL);
}

/* Until a signal, the duration's end (true), or the loss of all interfaces (false). */
static bool forward(struct sl_fwd *fwd, struct sl_fwd_signals *signals,
		    const struct sl_fwd_options *options)
{
	long long now = clock_ms(), end = now + options->duration_s * 1000ll;
	long long watch = now, stats = now + options->stats_s * 1000ll;

	for (;;) {
		struct sl_fwd_events events;
		long long wake = watch;

		if (options->duration_s && end < wake)
			wake = end;
		if (options->stats_s && stats < wake)
			wake = stats;
		if (sl_fwd_signals_wait(signals,
					wake > now ? (int)(wake - now) : 0,
					&events) ||
		    events.stop)
			return true;
		now = clock_ms();
		if (events.statistics)
			stats_print(fwd, options, sl_fwd_stats_accounted(fwd));
		if (options->stats_s && now >= stats) {
			stats_print(fwd, options, sl_fwd_stats_accounted(fwd));
			stats = now + options->stats_s * 1000ll;
		}
		if (options->duration_s && now >= end)
			return true;
		if (!events.link && now < watch)
			continue;
		if (!sl_fwd_watch(fwd))
			return false;
		watch = now + WATCH_MS;
	}
}

static int run(const struct sl_config *config,
	       const struct sl_fwd_options *options)
{
	struct sl_fwd_signals signals;
	struct sl_fwd fwd = { .config_path = options->config };
	int status = EXIT_SYSTEM;
	int err = sl_fwd_signals_open(&signals);

	if (err) {
		sl_fwd_say_error("signals", "take over", err, NULL);
		return EXIT_SYSTEM;
	}
	err = sl_fwd_open(&fwd, &config->forwarder);
	if (err) {
		status = err == -EDOM ? EXIT_INPUT : EXIT_SYSTEM;
	} else {
		bool left = forward(&fwd, &signals, options);
		bool whole = sl_fwd_stop(&fwd);

		if (!left)
			sl_fwd_say("every interface is gone");
		stats_print(&fwd, options, whole);
		if (left && whole)
			status = EXIT_DONE;
	}
	sl_fwd_close(&fwd);
	sl_fwd_signals_close(&signals);
	return status;
}

int main(int argc, char **argv)
{
	struct sl_fwd_options options;
	struct sl_config *config = NULL;
	int status;

	if (sl_fwd_options_parse(argc, argv, &options))
		return EXIT_USAGE;
	if (options.help) {
		sl_fwd_options_usage(stdout);
		return EXIT_DONE;
	}
	/* libbpf and libxdp do not print: what fails is said here, once. */
	sl_log_init();
	if (config_read(options.config, &config))
		return EXIT_INPUT;
	status = run(config, &options);
	sl_config_free(config);
	return status;
}
