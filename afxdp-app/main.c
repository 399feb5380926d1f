// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * sluice-fwd: the AF_XDP forwarder. Reading order: agent.h (two processes, who may do what),
 * plan.h (who sends where), umem.h (who owns a frame), port.h (rings), burst.h and stage.h
 * (packets, and what is done to them), worker.h (the data path), forwarder.h (what belongs
 * together), watch.h (what changes meanwhile), handover.h (how another one goes on).
 */
#include <malloc.h>

#include "agent.h"
#include "ctl.h"
#include "lib/log.h"
#include "options.h"
#include "say.h"

enum { EXIT_DONE, EXIT_INPUT, EXIT_USAGE };

/*
 * malloc's own, which it raises by itself with each large block that is freed: the names of a
 * filter's rules are megabytes, and would stay in the heap of a process that runs for months.
 */
#define LARGE_BYTES (128 << 10)

int main(int argc, char **argv)
{
	struct sl_fwd_options options;
	struct sl_config *config = NULL;

	if (sl_fwd_options_parse(argc, argv, &options))
		return EXIT_USAGE;
	if (options.help) {
		sl_fwd_options_usage(stdout);
		return EXIT_DONE;
	}
	if (options.ctl)
		return sl_ctl_run(options.ctl);
	sl_fwd_say_init();
	mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
	/* libbpf and libxdp do not print: what fails is said here, once. */
	sl_log_init();
	if (sl_agent_config(options.config, &config))
		return EXIT_INPUT;
	return sl_agent_run(&options, config);
}
