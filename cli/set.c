// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * A set of that name may be in more than one map, where interfaces of this network
 * namespace run different configurations: a change goes to each, a test or list
 * asks the first.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <jansson.h>

#include "cli.h"
#include "filters.h"
#include "lib/address.h"
#include "lib/config.h"
#include "lib/error.h"
#include "lib/live.h"
#include "lib/lock.h"

/* A set in one map. */
struct place {
	struct sl_live live;
	uint32_t map_id;
	unsigned set;
};

struct job {
	const char *name;
	struct sl_prefix *prefixes;
	size_t n_prefixes;
	struct place *places;
	size_t n_places;
	bool json;
};

struct action {
	const char *name;
	bool takes_prefixes;
	int (*run)(struct job *job);
};

static uint32_t map_id(int fd)
{
	struct bpf_map_info info = { 0 };
	uint32_t length = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &length) < 0 ? 0 : info.id;
}

/* Takes the map into the job if it has the set, and is not there already. */
static int take_place(struct job *job, int fd)
{
	struct place *p = &job->places[job->n_places];
	struct sl_error error = { "" };
	uint32_t id = map_id(fd);
	int err, set;

	for (size_t i = 0; i < job->n_places; i++)
		if (job->places[i].map_id == id)
			return CLI_OK;
	err = sl_live_open(fd, &p->live, &error);
	if (err)
		return cli_fail(err, error.text);
	set = sl_live_find(&p->live, job->name);
	if (set < 0) {
		sl_live_close(&p->live);
		return CLI_OK;
	}
	p->map_id = id;
	p->set = (unsigned)set;
	job->n_places++;
	return CLI_OK;
}

static int find_places(struct job *job)
{
	struct cli_filters filters;
	int status = cli_filters_open(NULL, 0, 0, &filters);

	if (status != CLI_OK)
		return status;
	job->places = calloc(filters.n_items + 1, sizeof(*job->places));
	if (!job->places) {
		cli_filters_close(&filters);
		return cli_fail(-ENOMEM, "out of memory");
	}
	for (size_t i = 0; i < filters.n_items && status == CLI_OK; i++) {
		const struct sl_filter *f = &filters.items[i].filter;

		if (f->gen.live.bytes)
			status = take_place(job, f->map_fd[SL_MAP_LIVE]);
	}
	cli_filters_close(&filters);
	if (status == CLI_OK && !job->n_places) {
		fprintf(stderr,
			"sluice: set \"%s\": no filter here has a live set of "
			"that name; `sluice show` prints what is loaded\n",
			job->name);
		return CLI_INPUT;
	}
	return status;
}

static int read_prefix(const char *text, struct sl_prefix *prefix)
{
	char taken[SL_ADDRESS_TEXT];
	bool host_bits;
	const char *wrong =
		sl_prefix_parse(text, strlen(text), prefix, &host_bits);

	if (wrong) {
		fprintf(stderr,
			"sluice: %s: expected an IPv4 or IPv6 address or "
			"prefix (%s)\n",
			text, wrong);
		return CLI_INPUT;
	}
	if (host_bits) {
		sl_prefix_format(prefix, taken);
		fprintf(stderr,
			"sluice: warning: %s has host bits set: it is taken as "
			"%s\n",
			text, taken);
	}
	return CLI_OK;
}

/* All or none: the first that is wrong ends it before anything is changed. */
static int read_prefixes(struct job *job, char **texts, size_t n)
{
	job->prefixes = calloc(n + 1, sizeof(*job->prefixes));
	if (!job->prefixes)
		return cli_fail(-ENOMEM, "out of memory");
	for (; job->n_prefixes < n; job->n_prefixes++) {
		size_t i = job->n_prefixes;
		int status = read_prefix(texts[i], &job->prefixes[i]);

		if (status != CLI_OK)
			return status;
	}
	return CLI_OK;
}

/* Changes one prefix in every map: 1 if that changed any, 0, or -errno. */
static int change(struct job *job, const struct sl_prefix *prefix, bool add,
		  struct sl_error *error)
{
	int changed = 0;

	for (size_t i = 0; i < job->n_places; i++) {
		struct place *p = &job->places[i];
		int done = add ? sl_live_add(&p->live, p->set, prefix, error) :
				 sl_live_del(&p->live, p->set, prefix);

		if (done < 0)
			return done;
		changed |= done;
	}
	return changed;
}

static int change_all(struct job *job, bool add)
{
	const char *what = add ? "added" : "deleted";
	struct sl_error error = { "" };
	size_t n = 0;
	int done = 0;

	for (size_t i = 0; i < job->n_prefixes && done >= 0; i++) {
		done = change(job, &job->prefixes[i], add, &error);
		n += done > 0;
	}
	if (done < 0) {
		fprintf(stderr, "sluice: %s; %zu of %zu %s\n",
			error.text[0] ? error.text : strerror(-done), n,
			job->n_prefixes, what);
		return CLI_SYSTEM;
	}
	if (job->json)
		return cli_print_json(
			json_pack("{s:s, s:I, s:I}", "set", job->name, what,
				  (json_int_t)n, "unchanged",
				  (json_int_t)(job->n_prefixes - n)));
	printf("%s: %zu %s", job->name, n, what);
	if (n < job->n_prefixes)
		printf(", %zu %s", job->n_prefixes - n,
		       add ? "there already" : "not there");
	putchar('\n');
	return CLI_OK;
}

static int run_add(struct job *job)
{
	return change_all(job, true);
}

static int run_del(struct job *job)
{
	return change_all(job, false);
}

/* Exit status 1 if any is not in the set, for scripts. */
static int run_test(struct job *job)
{
	const struct place *p = &job->places[0];
	json_t *list = json_array();
	int status = CLI_OK, printed = CLI_OK;

	for (size_t i = 0; i < job->n_prefixes; i++) {
		char text[SL_ADDRESS_TEXT], by[SL_ADDRESS_TEXT] = "";
		struct sl_prefix holder;
		bool is = sl_live_test(&p->live, p->set, &job->prefixes[i],
				       &holder);

		sl_prefix_format(&job->prefixes[i], text);
		if (is)
			sl_prefix_format(&holder, by);
		else
			status = CLI_INPUT;
		json_array_append_new(list, json_pack("{s:s, s:b, s:s?}",
						      "prefix", text, "in", is,
						      "by", is ? by : NULL));
		if (!job->json)
			printf("%s: %s%s\n", text, is ? "in, by " : "not in",
			       by);
	}
	if (job->json)
		printed = cli_print_json(json_pack(
			"{s:s, s:O}", "set", job->name, "prefixes", list));
	json_decref(list);
	return printed == CLI_OK ? status : printed;
}

static int run_list(struct job *job)
{
	const struct place *p = &job->places[0];
	const struct sl_live_set *set = &p->live.header->sets[p->set];
	json_t *list = json_array();
	struct sl_prefix *prefixes;
	int status = CLI_OK;
	size_t n;

	if (sl_live_list(&p->live, p->set, &prefixes, &n) < 0) {
		json_decref(list);
		return cli_fail(-ENOMEM, "out of memory");
	}
	for (size_t i = 0; i < n; i++) {
		char text[SL_ADDRESS_TEXT];

		sl_prefix_format(&prefixes[i], text);
		if (job->json)
			json_array_append_new(list, json_string(text));
		else
			puts(text);
	}
	free(prefixes);
	if (job->json)
		status = cli_print_json(
			json_pack("{s:s, s:I, s:I, s:O}", "set", job->name,
				  "count", (json_int_t)n, "max",
				  (json_int_t)set->max, "prefixes", list));
	json_decref(list);
	return status;
}

static const struct action actions[] = {
	{ "add", true, run_add },
	{ "del", true, run_del },
	{ "test", true, run_test },
	{ "list", false, run_list },
};

#define N_ACTIONS (sizeof(actions) / sizeof(*actions))

static const struct action *find_action(const char *name, bool prefixes)
{
	for (size_t i = 0; i < N_ACTIONS; i++)
		if (strcmp(actions[i].name, name) == 0 &&
		    actions[i].takes_prefixes == prefixes)
			return &actions[i];
	return NULL;
}

static int run(const struct action *action, struct job *job)
{
	struct sl_error error = { "" };
	struct sl_lock lock;
	int status = sl_lock_take(&lock, &error);

	if (status)
		return cli_fail(status, error.text);
	status = find_places(job);
	if (status == CLI_OK)
		status = action->run(job);
	for (size_t i = 0; i < job->n_places; i++)
		sl_live_close(&job->places[i].live);
	free(job->places);
	sl_lock_release(&lock);
	return status;
}

int cli_set(const struct cli_command *command, int argc, char **argv)
{
	const struct action *action;
	struct job job = { 0 };
	int n, status = cli_json_option(command, argc, argv, &job.json);

	if (status != CLI_OK)
		return status;
	n = argc - optind - 2;
	if (n < 0)
		return cli_usage(command);
	action = find_action(argv[optind], n > 0);
	if (!action)
		return cli_usage(command);
	job.name = argv[optind + 1];
	status = read_prefixes(&job, argv + optind + 2, (size_t)n);
	if (status == CLI_OK)
		status = run(action, &job);
	free(job.prefixes);
	return status;
}
