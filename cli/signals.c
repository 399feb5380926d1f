// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "signals.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t stopped;

static void stop(int signal_number __attribute__((unused)))
{
	stopped = 1;
}

void cli_catch_signals(void)
{
	struct sigaction action = { .sa_handler = stop,
				    .sa_flags = SA_RESTART | SA_RESETHAND };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

bool cli_stopped(void)
{
	return stopped;
}
