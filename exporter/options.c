// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>

#include "lib/config.h"

#define TOP_MOST 65536 /* as `metrics { ports N }` */

/* What was typed; NULL: nothing. */
struct typed {
	const char *config, *listen, *top, *group;
};

void sl_exporter_usage(FILE *out)
{
	fputs("usage: sluice-exporter [-c FILE] [--listen ADDRESS] [--ports N] [--port PROTO/N]...\n"
	      "                       [--group NAME]\n"
	      "\n"
	      "Serves the counters of this network namespace's filters and forwarders: OpenMetrics at\n"
	      "/metrics, a page at /. Read-only. Until SIGINT or SIGTERM.\n"
	      "\n"
	      "  -c, --config FILE     take `metrics { listen \"ADDRESS\"; ports N }` from it\n"
	      "  -l, --listen ADDRESS  " SL_LISTEN_FORMS "\n"
	      "                        (" SL_LISTEN_DEFAULT
	      "). A socket that systemd passes goes before it\n"
	      "  -n, --ports N         ports shown, those with most packets (20; 0: none)\n"
	      "  -p, --port PROTO/N    a port that is always shown, as tcp/443\n"
	      "  -g, --group NAME      who may use a Unix socket, beside the user it runs as\n"
	      "  -h, --help            this text\n"
	      "\n"
	      "Exit status: 0 done, 1 the input is wrong, 2 usage, 3 the system refused.\n",
	      out);
}

static int choose(struct sl_ports_wanted *wanted, const char *text)
{
	int err = sl_ports_choose(wanted, text);

	if (err == -ENOSPC)
		fprintf(stderr,
			"--port %s: there are %d before it, and that is the most\n",
			text, SL_PORTS_CHOSEN);
	else if (err)
		fprintf(stderr,
			"--port %s: expected tcp/N or udp/N, N from 0 to 65535\n",
			text);
	return err ? -EBADMSG : 0;
}

static int take(int argc, char **argv, struct typed *typed,
		struct sl_exporter_options *options)
{
	static const struct option table[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "listen", required_argument, NULL, 'l' },
		{ "ports", required_argument, NULL, 'n' },
		{ "port", required_argument, NULL, 'p' },
		{ "group", required_argument, NULL, 'g' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	int option, err = 0;

	while (!err && (option = getopt_long(argc, argv, "c:l:n:p:g:h", table,
					     NULL)) != -1) {
		if (option == 'c')
			typed->config = optarg;
		else if (option == 'l')
			typed->listen = optarg;
		else if (option == 'n')
			typed->top = optarg;
		else if (option == 'p')
			err = choose(&options->ports, optarg);
		else if (option == 'g')
			typed->group = optarg;
		else if (option == 'h')
			options->help = true;
		else
			err = -EINVAL;
	}
	if (!err && optind < argc) {
		fprintf(stderr, "%s: an argument too many; see --help\n",
			argv[optind]);
		err = -EINVAL;
	}
	return err;
}

static int read_config(const char *path, struct sl_exporter_options *options)
{
	struct sl_diags diags = { 0 };
	struct sl_config *config = NULL;
	int err = sl_config_read(path, &diags, &config);

	if (!err)
		err = sl_config_check_effective(config, &diags);
	sl_diags_print(&diags, stderr);
	sl_diags_fini(&diags);
	if (!err && config->metrics.listen)
		err = sl_listen_parse(config->metrics.listen, &options->listen);
	if (!err && config->metrics.ports)
		options->ports.top = config->metrics.ports;
	sl_config_free(config);
	return err ? -EBADMSG : 0;
}

static int take_top(const char *text, struct sl_exporter_options *options)
{
	unsigned long value;
	char *end;

	value = strtoul(text, &end, 10);
	if (*end || *text < '0' || *text > '9' || value > TOP_MOST) {
		fprintf(stderr, "--ports %s: expected a number from 0 to %d\n",
			text, TOP_MOST);
		return -EBADMSG;
	}
	options->ports.top = (uint32_t)value;
	return 0;
}

static int take_group(const char *name, struct sl_exporter_options *options)
{
	const struct group *group = getgrnam(name);

	if (!group) {
		fprintf(stderr, "--group %s: there is no such group\n", name);
		return -EBADMSG;
	}
	options->group = group->gr_gid;
	return 0;
}

static int take_listen(const char *text, struct sl_exporter_options *options)
{
	if (sl_listen_parse(text, &options->listen) == 0)
		return 0;
	fprintf(stderr, "--listen %s: expected " SL_LISTEN_FORMS "\n", text);
	return -EBADMSG;
}

int sl_exporter_options_read(int argc, char **argv,
			     struct sl_exporter_options *options)
{
	struct typed typed = { 0 };
	int err;

	*options = (struct sl_exporter_options){ .ports.top = SL_PORTS_DEFAULT,
						 .group = (gid_t)-1 };
	sl_listen_parse(SL_LISTEN_DEFAULT, &options->listen);
	err = take(argc, argv, &typed, options);
	if (err || options->help)
		return err;
	if (typed.config)
		err = read_config(typed.config, options);
	if (!err && typed.top)
		err = take_top(typed.top, options);
	if (!err && typed.group)
		err = take_group(typed.group, options);
	if (!err && typed.listen)
		err = take_listen(typed.listen, options);
	return err;
}
