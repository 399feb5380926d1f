// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "cli.h"
#include "filters.h"
#include "options.h"
#include "lib/config.h"
#include "lib/error.h"
#include "lib/jsontext.h"
#include "lib/live_text.h"
#include "lib/lock.h"

/* Shows the whole language, also what this version does not carry out. */
static int show_file(const char *path, bool json)
{
	struct sl_diags diags = { 0 };
	struct sl_config *config;
	char *text = NULL;
	size_t bytes = 0;
	FILE *out;
	int err = sl_config_read(path, &diags, &config);

	sl_diags_print(&diags, stderr);
	sl_diags_fini(&diags);
	if (err)
		return err == -EINVAL ? CLI_INPUT :
					cli_fail(err, strerror(-err));
	out = json ? open_memstream(&text, &bytes) : stdout;
	err = out ? sl_config_print(config, 0, out) : -ENOMEM;
	sl_config_free(config);
	if (out == stdout) {
		if (fflush(stdout) != 0)
			err = -EIO;
	} else if (out && fclose(out) != 0) {
		err = -EIO;
	}
	if (err)
		cli_fail(err, "cannot write the configuration");
	else if (json)
		err = cli_print_json(json_pack("{s:s, s:s}", "file", path,
					       "configuration", text));
	free(text);
	return err ? CLI_SYSTEM : CLI_OK;
}

/* Interfaces that run the same text are shown together. */
static void show_text(char **texts, const struct cli_filters *filters,
		      size_t first)
{
	fputs("# loaded on", stdout);
	for (size_t i = first; i < filters->n_items; i++)
		if (texts[i] && strcmp(texts[i], texts[first]) == 0)
			printf(" %s", filters->items[i].attachment.interface);
	printf("\n%s", texts[first]);
	for (size_t i = filters->n_items; i-- > first;) {
		if (texts[i] && strcmp(texts[i], texts[first]) == 0) {
			free(texts[i]);
			texts[i] = NULL;
		}
	}
}

static int show_texts(char **texts, const struct cli_filters *filters)
{
	if (filters->n_items == 0)
		puts("# no filter is attached in this network namespace");
	for (size_t i = 0; i < filters->n_items; i++)
		if (!texts[i])
			printf("# %s: attached without a configuration: "
			       "counts and passes\n",
			       filters->items[i].attachment.interface);
	for (size_t i = 0; i < filters->n_items; i++)
		if (texts[i])
			show_text(texts, filters, i);
	return fflush(stdout) == 0 ? CLI_OK : CLI_SYSTEM;
}

static int show_json(char **texts, const struct cli_filters *filters)
{
	json_t *list = json_array();

	for (size_t i = 0; i < filters->n_items; i++) {
		const struct cli_filter *f = &filters->items[i];

		json_array_append_new(
			list, json_pack("{s:o, s:I, s:s?}", "name",
					sl_json_text(f->attachment.interface),
					"generation",
					(json_int_t)f->filter.gen.generation,
					"configuration", texts[i]));
		free(texts[i]);
	}
	return cli_print_json(json_pack("{s:o}", "interfaces", list));
}

/* What is there to read must be read: half a configuration is none. */
static int read_texts(const struct cli_filters *filters, char **texts)
{
	for (size_t i = 0; i < filters->n_items; i++) {
		const struct cli_filter *f = &filters->items[i];
		char message[128];

		texts[i] = sl_live_text(&f->filter);
		if (texts[i] || f->filter.map_fd[SL_MAP_TEXT] < 0)
			continue;
		snprintf(message, sizeof(message),
			 "%s: its configuration or live sets cannot be read; "
			 "`sluice apply` makes them anew",
			 f->attachment.interface);
		return cli_fail(-EIO, message);
	}
	return CLI_OK;
}

static int show_filters(const struct cli_filters *filters, bool json)
{
	char **texts = calloc(filters->n_items + 1, sizeof(*texts));
	int status;

	if (!texts)
		return cli_fail(-ENOMEM, "out of memory");
	status = read_texts(filters, texts);
	if (status == CLI_OK)
		status = json ? show_json(texts, filters) :
				show_texts(texts, filters);
	else
		for (size_t i = 0; i < filters->n_items; i++)
			free(texts[i]);
	free(texts);
	return status;
}

/* Under the lock: live sets are not read while somebody changes them. */
static int show_loaded(bool json)
{
	struct cli_filters filters;
	struct sl_error error;
	struct sl_lock lock;
	int status = sl_lock_take(&lock, &error);

	if (status)
		return cli_fail(status, error.text);
	status = cli_filters_open(NULL, 0, 0, &filters);
	if (status == CLI_OK) {
		status = show_filters(&filters, json);
		cli_filters_close(&filters);
	}
	sl_lock_release(&lock);
	return status;
}

int cli_show(const struct cli_command *command, int argc, char **argv)
{
	bool json;

	if (cli_json_option(command, argc, argv, &json) != CLI_OK)
		return CLI_USAGE;
	if (argc - optind > 1)
		return cli_usage(command);
	return argc > optind ? show_file(argv[optind], json) :
			       show_loaded(json);
}
