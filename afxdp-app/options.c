// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

/* A day in seconds times a thousand: more is a slip of the keyboard. */
#define SECONDS_MAX 86400000ul

void sl_fwd_options_usage(FILE *out)
{
	fputs("usage: sluice-fwd -c FILE [--takeover] [--json] [--stats SECONDS] [--duration SECONDS]\n"
	      "       sluice-fwd --ctl stats|reload|stop\n"
	      "\n"
	      "Forwards the packets that a 'forward' rule hands over along the wires of FILE.\n"
	      "\n"
	      "  -c, --config FILE       the configuration that 'sluice apply' loaded\n"
	      "  -t, --takeover          go on where the one that runs stops, without a loss\n"
	      "  -j, --json              statistics as one JSON object a line\n"
	      "  -s, --stats SECONDS     print statistics that often (SIGUSR1: now)\n"
	      "  -d, --duration SECONDS  end after that time (else on SIGINT or SIGTERM)\n"
	      "      --ctl REQUEST       ask those that run in this network namespace\n"
	      "  -h, --help              this text\n"
	      "\n"
	      "Exit status: 0 done, 1 the input is wrong, 2 usage, 3 the system refused.\n",
	      out);
}

static int seconds_parse(const char *name, const char *text, uint32_t *seconds)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || *end || *text < '0' || *text > '9' || !value ||
	    value > SECONDS_MAX) {
		fprintf(stderr,
			"--%s: read '%s': not a number of seconds; give 1 to %lu\n",
			name, text, SECONDS_MAX);
		return -EINVAL;
	}
	*seconds = (uint32_t)value;
	return 0;
}

static int request_parse(const char *text, const char **request)
{
	if (strcmp(text, "stats") && strcmp(text, "reload") &&
	    strcmp(text, "stop")) {
		fprintf(stderr,
			"--ctl: read '%s': no such request; give stats, reload or stop\n",
			text);
		return -EINVAL;
	}
	*request = text;
	return 0;
}

int sl_fwd_options_parse(int argc, char **argv, struct sl_fwd_options *options)
{
	static const struct option table[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "takeover", no_argument, NULL, 't' },
		{ "ctl", required_argument, NULL, 'r' },
		{ "json", no_argument, NULL, 'j' },
		{ "stats", required_argument, NULL, 's' },
		{ "duration", required_argument, NULL, 'd' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	struct sl_fwd_options new = { 0 };
	int option, err = 0;

	optind = 1;
	while (!err && (option = getopt_long(argc, argv, "c:tjs:d:h", table,
					     NULL)) != -1) {
		if (option == 'c')
			new.config = optarg;
		else if (option == 't')
			new.takeover = true;
		else if (option == 'j')
			new.json = true;
		else if (option == 's')
			err = seconds_parse("stats", optarg, &new.stats_s);
		else if (option == 'd')
			err = seconds_parse("duration", optarg,
					    &new.duration_s);
		else if (option == 'r')
			err = request_parse(optarg, &new.ctl);
		else if (option == 'h')
			new.help = true;
		else
			err = -EINVAL;
	}
	if (!err && optind < argc) {
		fprintf(stderr,
			"%s: read the command line: an argument too many; see --help\n",
			argv[optind]);
		err = -EINVAL;
	}
	if (!err && !new.help && !new.ctl && !new.config) {
		fputs("sluice-fwd: read the command line: no configuration; give -c FILE\n",
		      stderr);
		err = -EINVAL;
	}
	if (!err)
		*options = new;
	return err;
}
