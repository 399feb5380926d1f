// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "capture_source.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

#include "cli.h"
#include "lib/capture.h"
#include "lib/error.h"

/* The `log` rules in place of a tap that was refused, `why`. */
static int open_logs(char (*interfaces)[IF_NAMESIZE], size_t n,
		     const struct sl_capture_wish *wish, const char *why,
		     struct sl_capture **capture)
{
	struct sl_capture_wish logs = *wish;
	struct sl_error error = { "" };
	bool some = false;
	int err;

	logs.from_logs = true;
	err = sl_capture_open(interfaces, n, &logs, capture, &error);
	if (err)
		return cli_fail(err, error.text);
	for (size_t i = 0; i < n; i++)
		some = some || sl_capture_expected(*capture, i);
	if (some) {
		fprintf(stderr,
			"sluice: %s; so these are the first %u bytes of packets "
			"that `log` rules sample\n",
			why, sl_capture_snap(*capture));
		return CLI_OK;
	}
	sl_capture_close(*capture);
	fprintf(stderr,
		"sluice: cannot capture: %s; a `log` rule samples packets on "
		"any kernel: put `rule watch log sample 100` first in the "
		"configuration, then this again\n",
		why);
	return CLI_SYSTEM;
}

int cli_capture_open(char (*interfaces)[IF_NAMESIZE], size_t n,
		     const struct sl_capture_wish *wish,
		     struct sl_capture **capture)
{
	struct sl_error error = { "" };
	int err = sl_capture_open(interfaces, n, wish, capture, &error);

	if (err == -EOPNOTSUPP)
		return open_logs(interfaces, n, wish, error.text, capture);
	return err ? cli_fail(err, error.text) : CLI_OK;
}

void cli_capture_report_lost(const struct sl_capture *capture,
			     char (*interfaces)[IF_NAMESIZE], size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t lost = sl_capture_lost(capture, i);

		if (lost)
			fprintf(stderr,
				"sluice: %s: %llu packets are missing: they "
				"came faster than they were read; --sample N "
				"takes one in N\n",
				interfaces[i], (unsigned long long)lost);
	}
}
