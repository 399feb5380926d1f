// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "cli.h"
#include "options.h"
#include "lib/compile.h"
#include "lib/config.h"
#include "lib/cost.h"
#include "lib/diag.h"
#include "lib/error.h"
#include "lib/shadow.h"

#define WARNINGS_MAX 20 /* as many as the parser gives; --json has all */

/* What was found of one rule of the configuration. */
struct finding {
	unsigned applies, found; /* on how many interfaces */
	struct sl_shadow shadow; /* on the first of them */
};

struct check {
	const struct sl_config *config;
	struct finding *findings; /* a rule */
	json_t *list;		  /* of interfaces; NULL: text */
};

static void print_text(const char *interface, const struct sl_compiled *c,
		       const struct sl_cost *cost)
{
	printf("%s: %zu rules, %u bytes of tables", interface, c->n_rules,
	       c->gen.table_bytes);
	for (unsigned f = 0; f < SL_FIELD_COUNT; f++)
		if (c->classes[f])
			printf("%s%s %zu",
			       c->gen.want & ((1u << f) - 1) ? ", " :
							       "; classes: ",
			       sl_field_text(f), c->classes[f]);
	if (c->gen.dense)
		printf("\n%s: a table of %zu answers", interface, c->n_answers);
	else if (c->n_rules)
		printf("\n%s: bit vectors, and a cache of %u bytes a CPU that answers %.0f %%",
		       interface, cost->cache_bytes, cost->hit_share * 100);
	else
		printf("\n%s: no lookup", interface);
	printf("; a packet costs %.0f ns, at worst %.0f ns\n",
	       cost->expected_ns, cost->worst_ns);
}

static json_t *classes_json(const struct sl_compiled *c)
{
	json_t *classes = json_object();

	for (unsigned f = 0; f < SL_FIELD_COUNT; f++)
		if (c->classes[f])
			json_object_set_new(
				classes, sl_field_text(f),
				json_integer((json_int_t)c->classes[f]));
	return classes;
}

static json_t *rounded(double value)
{
	return json_integer((json_int_t)(value + 0.5));
}

static json_t *shadowed_json(const struct sl_shadows *shadows)
{
	json_t *list = json_array();

	for (size_t i = 0; i < shadows->n_items; i++) {
		const struct sl_shadow *s = &shadows->items[i];

		if (s->never)
			json_array_append_new(
				list,
				json_pack("{s:s, s:i, s:s?, s:o}", "rule",
					  s->rule->name, "line",
					  (int)s->rule->pos.line, "by",
					  s->by ? s->by->name : NULL, "by_line",
					  s->by ? json_integer(s->by->pos.line) :
						  json_null()));
	}
	return list;
}

static json_t *duplicates_json(const struct sl_shadows *shadows)
{
	json_t *list = json_array();

	for (size_t i = 0; i < shadows->n_items; i++) {
		const struct sl_shadow *s = &shadows->items[i];

		if (s->same)
			json_array_append_new(
				list,
				json_pack("{s:s, s:i, s:s, s:i, s:b}", "rule",
					  s->rule->name, "line",
					  (int)s->rule->pos.line, "of",
					  s->by->name, "of_line",
					  (int)s->by->pos.line, "same_verdict",
					  s->same_verdict));
	}
	return list;
}

static json_t *to_json(const char *interface, const struct sl_compiled *c,
		       const struct sl_cost *cost,
		       const struct sl_shadows *shadows)
{
	json_t *hits = cost->cache_bytes ? rounded(cost->hit_share * 100) :
					   json_null();
	const char *answers = c->gen.dense ? "table" :
			      c->n_rules   ? "vectors" :
					     "none";

	return json_pack(
		"{s:s, s:I, s:I, s:o, s:s, s:I, s:o, s:o, s:o, s:o, s:o}",
		"name", interface, "rules", (json_int_t)c->n_rules,
		"table_bytes", (json_int_t)c->gen.table_bytes, "classes",
		classes_json(c), "answers", answers, "cache_bytes_per_cpu",
		(json_int_t)cost->cache_bytes, "cache_hit_percent", hits,
		"expected_ns", rounded(cost->expected_ns), "worst_ns",
		rounded(cost->worst_ns), "shadowed", shadowed_json(shadows),
		"duplicates", duplicates_json(shadows));
}

/* Notes what this interface says of each rule. */
static void note(struct check *check, const struct sl_compiled *compiled,
		 const struct sl_shadows *shadows)
{
	for (size_t i = 0; i < compiled->n_rules; i++)
		check->findings[compiled->rules[i].rule - check->config->rules]
			.applies++;
	for (size_t i = 0; i < shadows->n_items; i++) {
		const struct sl_shadow *s = &shadows->items[i];
		struct finding *f =
			&check->findings[s->rule - check->config->rules];

		if (!f->found++)
			f->shadow = *s;
	}
}

static int report(struct check *check, const char *name,
		  const struct sl_compiled *compiled)
{
	struct sl_shadows shadows = { 0 };
	struct sl_cost cost;
	int err = sl_cost_of(compiled, &cost);

	if (!err)
		err = sl_shadows_find(compiled, &shadows);
	if (err)
		return cli_fail(err, strerror(-err));
	note(check, compiled, &shadows);
	if (check->list)
		json_array_append_new(check->list,
				      to_json(name, compiled, &cost, &shadows));
	else
		print_text(name, compiled, &cost);
	sl_shadows_fini(&shadows);
	return CLI_OK;
}

static int check_interface(struct check *check, const char *name)
{
	struct sl_compiled *compiled = NULL;
	struct sl_error error = { "" };
	int err = sl_compile(check->config, name, &compiled, &error);
	int status;

	if (err)
		return cli_fail(err, error.text);
	status = report(check, name, compiled);
	sl_compiled_free(compiled);
	return status;
}

/* A rule that has a use on one of its interfaces is worth no warning. */
static void warn(const struct check *check)
{
	struct sl_diags diags = { 0 };
	size_t n = 0;

	for (size_t i = 0; i < check->config->n_rules; i++) {
		const struct finding *f = &check->findings[i];

		if (!f->found || f->found < f->applies)
			continue;
		if (n++ < WARNINGS_MAX)
			sl_shadow_warn(&f->shadow, check->config, &diags);
	}
	sl_diags_print(&diags, stderr);
	sl_diags_fini(&diags);
	if (n > WARNINGS_MAX)
		fprintf(stderr,
			"warning: %zu more rules like these; --json lists them\n",
			n - WARNINGS_MAX);
}

static int check_all(struct check *check, const char *path)
{
	const struct sl_config *config = check->config;
	int status = CLI_OK;

	for (size_t i = 0; i < config->n_interfaces && status == CLI_OK; i++)
		status = check_interface(check, config->interfaces[i].name);
	if (status != CLI_OK) {
		json_decref(check->list);
		return status;
	}
	warn(check);
	if (!check->list) {
		printf("%s: %zu interfaces, %zu rules, %zu sets: correct\n",
		       path, config->n_interfaces, config->n_rules,
		       config->n_sets);
		return CLI_OK;
	}
	return cli_print_json(json_pack("{s:s, s:o}", "file", path,
					"interfaces", check->list));
}

int cli_check(const struct cli_command *command, int argc, char **argv)
{
	struct check check = { 0 };
	struct sl_config *config;
	bool json;
	int status;

	if (cli_json_option(command, argc, argv, &json) != CLI_OK)
		return CLI_USAGE;
	if (argc - optind != 1)
		return cli_usage(command);
	status = cli_read_config(argv[optind], &config);
	if (status != CLI_OK)
		return status;
	check.config = config;
	check.findings = calloc(config->n_rules + 1, sizeof(*check.findings));
	check.list = json ? json_array() : NULL;
	status = check.findings ? check_all(&check, argv[optind]) :
				  cli_fail(-ENOMEM, strerror(ENOMEM));
	free(check.findings);
	sl_config_free(config);
	return status;
}
