// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * A set of that name may be in more than one map, where interfaces of this network
 * namespace run different configurations: a change goes to each, or to none; a
 * test or list asks the first.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <jansson.h>

#include "cli.h"
#include "filters.h"
#include "options.h"
#include "lib/address.h"
#include "lib/config.h"
#include "lib/audit.h"
#include "lib/error.h"
#include "lib/live_change.h"
#include "lib/lock.h"

struct job {
	const char *name;
	struct sl_prefix *prefixes;
	size_t n_prefixes;
	struct sl_live_holder *places;
	uint32_t *map_ids; /* of the places */
	size_t n_places;
	bool json;
};

static uint32_t map_id(int fd)
{
	struct bpf_map_info info = { 0 };
	uint32_t length = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &length) < 0 ? 0 : info.id;
}

/* Takes the map into the job if it has the set, and is not there already. */
static int take_place(struct job *job, const struct cli_filter *f)
{
	struct sl_live_holder *p = &job->places[job->n_places];
	int err, set, fd = f->filter.map_fd[SL_MAP_LIVE];
	struct sl_error error = { "" };
	uint32_t id = map_id(fd);

	for (size_t i = 0; i < job->n_places; i++)
		if (job->map_ids[i] == id)
			return CLI_OK;
	err = sl_live_open(fd, &p->live, &error);
	if (err)
		return cli_fail(err, error.text);
	set = sl_live_find(&p->live, job->name);
	if (set < 0) {
		sl_live_close(&p->live);
		return CLI_OK;
	}
	memcpy(p->interface, f->attachment.interface, sizeof(p->interface));
	p->set = (unsigned)set;
	job->map_ids[job->n_places++] = id;
	return CLI_OK;
}

static void say_no_place(const struct job *job, size_t n_filters)
{
	if (!n_filters)
		fprintf(stderr, "sluice: set \"%s\": " CLI_NO_FILTER "\n",
			job->name);
	else
		fprintf(stderr,
			"sluice: set \"%s\": no filter here has a live set of "
			"that name; `sluice show` prints what is loaded (a set "
			"that is not `live` changes by `apply`)\n",
			job->name);
}

static int find_places(struct job *job)
{
	struct cli_filters filters;
	int status = cli_filters_open(NULL, 0, 0, &filters);

	if (status != CLI_OK)
		return status;
	job->places = calloc(filters.n_items + 1, sizeof(*job->places));
	job->map_ids = calloc(filters.n_items + 1, sizeof(*job->map_ids));
	if (!job->places || !job->map_ids) {
		cli_filters_close(&filters);
		cli_fail(-ENOMEM, "out of memory");
		return CLI_SYSTEM;
	}
	for (size_t i = 0; i < filters.n_items && status == CLI_OK; i++) {
		const struct cli_filter *f = &filters.items[i];

		if (f->filter.gen.live.bytes)
			status = take_place(job, f);
	}
	if (status == CLI_OK && !job->n_places) {
		say_no_place(job, filters.n_items);
		status = CLI_INPUT;
	}
	cli_filters_close(&filters);
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

static int change_all(struct job *job, bool add)
{
	const char *what = add ? "added" : "deleted";
	struct sl_error error = { "" };
	long done = sl_live_change(job->places, job->n_places, job->prefixes,
				   job->n_prefixes, add, &error);
	size_t n = (size_t)done;

	if (done < 0) {
		fprintf(stderr, "sluice: %s\n", error.text);
		return CLI_SYSTEM;
	}
	if (done)
		sl_audit(add ? "set add" : "set del", NULL, 0);
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
	const struct sl_live_holder *p = &job->places[0];
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
	const struct sl_live_holder *p = &job->places[0];
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

static int run_locked(struct job *job, int (*run)(struct job *job))
{
	struct sl_error error = { "" };
	struct sl_lock lock;
	int status = sl_lock_take(&lock, &error);

	if (status)
		return cli_fail(status, error.text);
	status = find_places(job);
	if (status == CLI_OK)
		status = run(job);
	for (size_t i = 0; i < job->n_places; i++)
		sl_live_close(&job->places[i].live);
	free(job->places);
	free(job->map_ids);
	sl_lock_release(&lock);
	return status;
}

/* NAME PREFIX... */
static int with_job(const struct cli_request *request,
		    int (*run)(struct job *job))
{
	struct job job = { .name = request->arguments[0],
			   .json = request->json };
	int status = read_prefixes(&job, request->arguments + 1,
				   request->n_arguments - 1);

	if (status == CLI_OK)
		status = run_locked(&job, run);
	free(job.prefixes);
	return status;
}

static int set_add(const struct cli_request *request)
{
	return with_job(request, run_add);
}

static int set_del(const struct cli_request *request)
{
	return with_job(request, run_del);
}

static int set_test(const struct cli_request *request)
{
	return with_job(request, run_test);
}

static int set_list(const struct cli_request *request)
{
	return with_job(request, run_list);
}

int cli_set(const struct cli_command *command, int argc, char **argv)
{
	static const struct cli_verb verbs[] = {
		{ "add", 0, 2, SIZE_MAX, set_add },
		{ "del", 0, 2, SIZE_MAX, set_del },
		{ "test", 0, 2, SIZE_MAX, set_test },
		{ "list", 0, 1, 1, set_list },
		{ 0 }
	};

	return cli_verbs_run(command, verbs, argc, argv);
}
