// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "difference.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "cli.h"
#include "lib/config.h"
#include "lib/difference.h"
#include "lib/error.h"
#include "lib/jsontext.h"
#include "lib/pending.h"

/* A screenful; --json has all. */
#define SHOWN_MAX 40

static void print_item(const char *what, const struct sl_difference_item *item)
{
	if (item->kind == SL_DIFF_MOVED)
		printf("  moved:   %s\n", item->new);
	else if (!item->old && !item->new)
		printf("  %s %s \"%s\": %zu items, %zu before\n", what,
		       sl_difference_words[item->kind], item->name, item->n_new,
		       item->n_old);
	else if (item->kind == SL_DIFF_CHANGED)
		printf("  before:  %s\n  now:     %s\n", item->old, item->new);
	else if (item->new)
		printf("  added:   %s\n", item->new);
	else
		printf("  removed: %s\n", item->old);
}

static size_t print_list(const char *what,
			 const struct sl_difference_list *list, size_t shown)
{
	for (size_t i = 0; i < list->n; i++, shown++)
		if (shown < SHOWN_MAX)
			print_item(what, &list->items[i]);
	return shown;
}

static void print_difference(const struct sl_difference *d)
{
	size_t shown = print_list("interface", &d->interfaces, 0);

	if (d->default_changed)
		printf("  before:  default %s\n  now:     default %s\n",
		       d->default_old, d->default_new);
	if (d->other)
		puts("  changed: limits, extensions, forwarder or metrics");
	shown = print_list("set", &d->sets, shown);
	shown = print_list("rule", &d->rules, shown);
	if (shown > SHOWN_MAX)
		printf("  and %zu more; --json lists all\n", shown - SHOWN_MAX);
	if (!sl_difference_any(d))
		puts("  nothing changes");
}

static json_t *list_json(const struct sl_difference_list *list, bool sets)
{
	json_t *all = json_array();

	for (size_t i = 0; i < list->n; i++) {
		const struct sl_difference_item *item = &list->items[i];
		json_t *o = json_pack("{s:o, s:s}", "name",
				      sl_json_text(item->name), "change",
				      sl_difference_words[item->kind]);

		if (o && sets)
			json_object_update_new(
				o, json_pack("{s:I, s:I}", "items_before",
					     (json_int_t)item->n_old, "items",
					     (json_int_t)item->n_new));
		if (o && item->old)
			json_object_set_new(o, "before",
					    sl_json_text(item->old));
		if (o && item->new)
			json_object_set_new(o, "now", sl_json_text(item->new));
		json_array_append_new(all, o);
	}
	return all;
}

static json_t *default_json(const struct sl_difference *d)
{
	return d->default_changed ?
		       json_pack("{s:s, s:s}", "before", d->default_old, "now",
				 d->default_new) :
		       json_null();
}

static json_t *names_json(const char *names)
{
	json_t *all = json_array();

	for (size_t n; *names; names += n + (names[n] != '\0')) {
		char name[64];

		n = strcspn(names, " ");
		snprintf(name, sizeof(name), "%.*s", (int)n, names);
		if (n)
			json_array_append_new(all, sl_json_text(name));
	}
	return all;
}

static json_t *to_json(const struct sl_before *before,
		       const struct sl_difference *d)
{
	return json_pack("{s:o, s:b, s:b, s:o, s:o, s:o, s:o, s:b}", "on",
			 names_json(before->interfaces), "ran",
			 before->text != NULL, "any", sl_difference_any(d),
			 "interfaces", list_json(&d->interfaces, false),
			 "default", default_json(d), "sets",
			 list_json(&d->sets, true), "rules",
			 list_json(&d->rules, false), "other", d->other);
}

static int show_one(const struct sl_before *before, const struct sl_config *old,
		    const struct sl_config *config, json_t *list)
{
	int names = (int)strlen(before->interfaces) - 1;
	struct sl_difference d;

	if (!old && !list) {
		printf("%.*s: no filter yet; %zu rules, %zu sets, default %s\n",
		       names, before->interfaces, config->n_rules,
		       config->n_sets, config->default_drop ? "drop" : "pass");
		return CLI_OK;
	}
	if (sl_difference_find(old, config, &d))
		return cli_fail(-ENOMEM, "out of memory");
	if (list) {
		json_array_append_new(list, to_json(before, &d));
	} else {
		printf("%.*s: against what runs:\n", names, before->interfaces);
		print_difference(&d);
	}
	sl_difference_fini(&d);
	return CLI_OK;
}

int cli_difference_show(const struct sl_befores *befores,
			const struct sl_config *config, struct json_t *list)
{
	int status = CLI_OK;

	for (size_t i = 0; i < befores->n && status == CLI_OK; i++) {
		const struct sl_before *before = &befores->items[i];
		struct sl_config *old = NULL;
		struct sl_diags diags = { 0 };
		int err = !before->text ?
				  0 :
				  sl_config_parse(before->text,
						  strlen(before->text),
						  "running", &diags, &old);

		sl_diags_fini(&diags);
		/* Another version's; carrying its rules over says so. */
		if (!err)
			status = show_one(before, old, config, list);
		sl_config_free(old);
	}
	return status;
}
