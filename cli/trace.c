// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * What the kernel does with packets, seen without changing anything: an observation
 * is printed, and on request kept in a file, so that two can be compared.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "cli.h"
#include "options.h"
#include "trace_text.h"
#include "lib/trace.h"
#include "lib/trace_compare.h"
#include "lib/trace_json.h"
#include "lib/trace_page.h"

#define INTERVALS 10 /* enough for quartiles; with --deep each way */
#define SECONDS 5
#define SECONDS_MAX 86400

struct request {
	bool deep, json, compare;
	const char *save, *html;
	unsigned long seconds;
	char **arguments;
	int n_arguments;
};

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
	(void)number;
	stop = 1;
}

/* Ctrl-C ends the observation, not its report. A second one ends the program. */
static void catch_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal,
				    .sa_flags = (int)SA_RESETHAND };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

static int fail(int err, const struct sl_error *error)
{
	return cli_fail(err == -ENODEV ? -EINVAL : err, error->text);
}

static FILE *open_page(const char *path)
{
	FILE *out = fopen(path, "we");

	if (!out)
		fprintf(stderr, "sluice: %s: make it: %s\n", path,
			strerror(errno));
	return out;
}

/* `err` is that of writing. */
static int close_page(const char *path, FILE *out, int err)
{
	if (fclose(out) && !err)
		err = -errno;
	if (!err)
		return CLI_OK;
	fprintf(stderr, "sluice: %s: write it: %s\n", path, strerror(-err));
	return CLI_SYSTEM;
}

static int write_page(const char *path, const struct sl_trace *trace)
{
	FILE *out = open_page(path);

	return out ? close_page(path, out, sl_trace_page(trace, out)) :
		     CLI_SYSTEM;
}

static int write_comparison(const char *path,
			    const struct sl_trace_comparison *comparison,
			    char **names)
{
	FILE *out = open_page(path);

	return out ? close_page(path, out,
				sl_trace_comparison_page(comparison, names[0],
							 names[1], out)) :
		     CLI_SYSTEM;
}

static int tell(const struct request *request, const struct sl_trace *trace)
{
	struct sl_error error = { "" };
	json_t *run = NULL;
	int status = CLI_OK, err;

	if (request->json || request->save) {
		run = sl_trace_json(trace);
		if (!run)
			return cli_fail(-ENOMEM, "trace: out of memory");
	}
	/* A file that cannot be written does not cost the observation. */
	if (request->html)
		status = write_page(request->html, trace);
	if (request->save) {
		err = sl_trace_save(request->save, run, &error);
		status = err ? fail(err, &error) : status;
	}
	if (request->json) {
		err = cli_print_json(run);
		return err == CLI_OK ? status : err;
	}
	json_decref(run);
	cli_trace_print(trace);
	return status;
}

static int observe(const struct request *request)
{
	size_t n = request->deep ? 2 * INTERVALS : INTERVALS;
	/* With --deep one more, in which the programs are timed. */
	uint64_t interval_ns =
		request->seconds * 1000000000ull / (n + request->deep);
	struct sl_error error = { "" };
	struct sl_trace *trace = NULL;
	int err, status = CLI_OK;

	if (request->save && access(request->save, F_OK) == 0) {
		json_t *runs = NULL;

		/* Before the wait, not after it. */
		err = sl_trace_load(request->save, &runs, &error);
		if (err)
			return fail(err, &error);
		json_decref(runs);
	}
	err = sl_trace_open(request->n_arguments ? request->arguments[0] : NULL,
			    request->deep, &trace, &error);
	if (err)
		return fail(err, &error);
	catch_signals();
	err = sl_trace_run(trace, n, interval_ns, &stop, &error);
	status = err ? fail(err, &error) : tell(request, trace);
	sl_trace_close(trace);
	return status;
}

static int compare(const struct request *request)
{
	struct sl_trace_comparison comparison;
	struct sl_error error = { "" };
	json_t *a = NULL, *b = NULL;
	int status = CLI_OK, err;

	err = sl_trace_load(request->arguments[0], &a, &error);
	if (!err)
		err = sl_trace_load(request->arguments[1], &b, &error);
	if (!err && (err = sl_trace_compare(a, b, &comparison)))
		sl_error_set(&error, err, "trace: out of memory");
	json_decref(a);
	json_decref(b);
	if (err)
		return cli_fail(err == -ENOENT ? -EINVAL : err, error.text);
	if (request->html)
		status = write_comparison(request->html, &comparison,
					  request->arguments);
	if (status != CLI_OK)
		return status;
	if (request->json)
		return cli_print_json(sl_trace_comparison_json(&comparison));
	cli_trace_print_comparison(&comparison, request->arguments[0],
				   request->arguments[1]);
	return CLI_OK;
}

int cli_trace(const struct cli_command *command, int argc, char **argv)
{
	struct request r = { .seconds = SECONDS };
	const char *seconds = NULL;
	const struct cli_option options[] = { { "duration", .value = &seconds },
					      { "deep", .flag = &r.deep },
					      { "json", .flag = &r.json },
					      { "save", .value = &r.save },
					      { "html", .value = &r.html },
					      { "compare", .flag = &r.compare },
					      { 0 } };

	if (cli_options_read(command, options, argc, argv) != CLI_OK ||
	    (seconds && cli_option_number("--duration", seconds, SECONDS_MAX,
					  &r.seconds) != CLI_OK))
		return CLI_USAGE;
	r.arguments = argv + optind;
	r.n_arguments = argc - optind;
	if (r.compare ? r.n_arguments != 2 || r.save || r.deep || seconds :
			r.n_arguments > 1)
		return cli_usage(command);
	return r.compare ? compare(&r) : observe(&r);
}
