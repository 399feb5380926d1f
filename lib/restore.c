// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "restore.h"

#include <errno.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "apply.h"
#include "attach.h"
#include "audit.h"
#include "carry.h"
#include "config.h"
#include "error.h"
#include "filter.h"
#include "pending.h"
#include "rulelist.h"

struct restore {
	const struct sl_before *before;
	const char *file, *action;
	struct sl_error *error;
};

static int no_memory(const struct restore *r)
{
	return sl_error_set(r->error, -ENOMEM, "out of memory");
}

static bool has_name(const char *names, const char *name)
{
	size_t bytes = strlen(name);

	for (const char *at = names; *at; at += strcspn(at, " ") + 1)
		if (strncmp(at, name, bytes) == 0 && at[bytes] == ' ')
			return true;
	return false;
}

static int parse(const struct restore *r, struct sl_config **config)
{
	const char *text = r->before->text;
	struct sl_diags diags = { 0 };
	int err = sl_config_parse(text, strlen(text), r->file, &diags, config);

	if (err)
		sl_error_set(r->error, err,
			     "%s: what ran before cannot be "
			     "read (%s)",
			     r->before->interfaces,
			     diags.n_items ? diags.items[0].message : "?");
	sl_diags_fini(&diags);
	return err;
}

static int drop_live(struct sl_config *config)
{
	bool *gone = calloc(config->n_rules + 1, sizeof(*gone));

	if (!gone)
		return -ENOMEM;
	for (size_t i = 0; i < config->n_rules; i++)
		gone[i] = sl_rule_is_live(&config->rules[i]);
	sl_rulelist_remove(config, gone);
	free(gone);
	return 0;
}

/* With the live rules of now, or of then where those refuse. */
static int make_config(const struct restore *r, struct sl_config **config)
{
	int err = parse(r, config);

	if (err)
		return err;
	err = drop_live(*config) ? no_memory(r) : sl_carry(*config, r->error);
	if (!err)
		return 0;
	sl_config_free(*config);
	return err == -EINVAL ? parse(r, config) : err;
}

/* On the interfaces for which not skip[i], and there are n of them. */
static int apply_some(const struct restore *r, struct sl_config *config,
		      const bool *skip, size_t n)
{
	struct sl_applied *applied = calloc(n + 1, sizeof(*applied));
	int err;

	if (!applied)
		return no_memory(r);
	err = sl_apply(config, skip, false, applied, r->error);
	if (!err)
		sl_audit_applied(r->action, applied, n);
	free(applied);
	return err;
}

static int apply(const struct restore *r, struct sl_config *config)
{
	bool *skip = calloc(config->n_interfaces + 1, sizeof(*skip));
	size_t n = 0;
	int err = 0;

	if (!skip)
		return no_memory(r);
	for (size_t i = 0; i < config->n_interfaces; i++) {
		const char *name = config->interfaces[i].name;

		skip[i] = !has_name(r->before->interfaces, name) ||
			  !if_nametoindex(name);
		n += !skip[i];
	}
	if (n)
		err = apply_some(r, config, skip, n);
	free(skip);
	return err;
}

static int put_back(const struct restore *r)
{
	struct sl_config *config;
	int err = make_config(r, &config);

	if (err)
		return err;
	err = apply(r, config);
	sl_config_free(config);
	return err;
}

/* Nothing ran there. */
static int take_off(const struct restore *r, const char *name)
{
	struct sl_attachment attachment;
	struct sl_filter filter;
	int err = sl_attachment_open(name, &attachment, r->error);

	if (err)
		return err == -ENODEV ? 0 : err;
	if (!attachment.prog_id ||
	    sl_filter_open(attachment.prog_id, &filter, r->error))
		goto out; /* nothing is there, or another's program */
	err = sl_attachment_remove(&attachment, filter.prog_fd, r->error);
	if (!err) {
		struct sl_audit_change change = {
			.before = filter.gen.generation,
		};

		memcpy(change.interface, attachment.interface,
		       sizeof(change.interface));
		sl_audit(r->action, &change, 1);
	}
	sl_filter_close(&filter);
out:
	sl_attachment_close(&attachment);
	return err;
}

static int take_off_all(const struct restore *r)
{
	char *names = strdup(r->before->interfaces), *left = names, *name;
	int err = names ? 0 : no_memory(r);

	while (!err && (name = strsep(&left, " ")))
		if (name[0])
			err = take_off(r, name);
	free(names);
	return err;
}

int sl_restore(const struct sl_befores *befores, const char *file,
	       const char *action, struct sl_error *error)
{
	struct sl_error ignored;
	int first = 0;

	for (size_t i = 0; i < befores->n; i++) {
		struct restore r = { &befores->items[i], file, action,
				     first ? &ignored : error };
		int err = befores->items[i].text ? put_back(&r) :
						   take_off_all(&r);

		if (!first)
			first = err;
	}
	return first;
}
