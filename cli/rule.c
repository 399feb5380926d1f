// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "applied.h"
#include "cli.h"
#include "options.h"
#include "lib/config.h"
#include "lib/error.h"
#include "lib/jsontext.h"
#include "lib/rulelist.h"
#include "lib/rules.h"
#include "lib/textfile.h"

#define TEXT_BYTES_MAX (64u << 20) /* of rules on standard input */

static int fail(int err, const char *text)
{
	/* A device that a rule redirects to. */
	return cli_fail(err == -ENODEV ? -EINVAL : err, text);
}

static json_t *names_json(char (*names)[SL_NAME_BYTES], size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_string(names[i]));
	return list;
}

/* `what` is "added" or "deleted". */
static int print_changed(const struct sl_rules_changed *changed,
			 const char *what, bool json)
{
	if (json)
		return cli_print_json(json_pack(
			"{s:I, s:o, s:o}", what, (json_int_t)changed->n_rules,
			"expired",
			names_json(changed->expired, changed->n_expired),
			"interfaces",
			cli_applied_json(changed->applied,
					 changed->n_applied)));
	printf("%zu %s %s\n", changed->n_rules,
	       changed->n_rules == 1 ? "rule" : "rules", what);
	for (size_t i = 0; i < changed->n_expired; i++)
		printf("rule \"%s\" had expired and is dropped\n",
		       changed->expired[i]);
	cli_applied_print(changed->applied, changed->n_applied, false);
	return fflush(stdout) == 0 ? CLI_OK : CLI_SYSTEM;
}

/*
 * No rule is one word, so where the first argument is one, the arguments are
 * the words of one rule. Else each is a rule, or several, and becomes a line.
 */
static char *join(const struct cli_request *request)
{
	char separator = strpbrk(request->arguments[0], " \t\n") ? '\n' : ' ';
	size_t bytes = 1;
	char *text, *to;

	for (size_t i = 0; i < request->n_arguments; i++)
		bytes += strlen(request->arguments[i]) + 1;
	text = to = malloc(bytes);
	if (!text)
		return NULL;
	for (size_t i = 0; i < request->n_arguments; i++) {
		to = stpcpy(to, request->arguments[i]);
		*to++ = separator;
	}
	*to = '\0';
	return text;
}

/* CLI_OK and the caller's input->text, or the exit status. */
static int read_rules(const struct cli_request *request,
		      struct sl_rules_input *input)
{
	char *text = NULL;
	int err;

	*input = (struct sl_rules_input){ .interface = request->interface,
					  .name = "rule add" };
	if (request->n_arguments == 1 &&
	    strcmp(request->arguments[0], "-") == 0) {
		input->name = "-";
		err = sl_textfile_read("/dev/stdin", TEXT_BYTES_MAX, &text,
				       &input->length);
		if (err)
			return cli_fail(-EINVAL, "standard input: the rules "
						 "cannot be read");
	} else {
		text = join(request);
		if (!text)
			return cli_fail(-ENOMEM, "out of memory");
		input->length = strlen(text);
	}
	input->text = text;
	return CLI_OK;
}

static int rule_add(const struct cli_request *request)
{
	struct sl_rules_changed changed = { 0 };
	struct sl_error error = { "" };
	struct sl_diags diags = { 0 };
	struct sl_rules_input input;
	int err, status = read_rules(request, &input);

	if (status != CLI_OK)
		return status;
	err = sl_rules_add(&input, &diags, &changed, &error);
	sl_diags_print(&diags, stderr);
	if (err && error.text[0])
		status = fail(err, error.text);
	else if (err)
		status = CLI_INPUT; /* the diags said why */
	else
		status = print_changed(&changed, "added", request->json);
	sl_rules_changed_fini(&changed);
	sl_diags_fini(&diags);
	free((char *)input.text);
	return status;
}

static int rule_del(const struct cli_request *request)
{
	struct sl_rules_changed changed = { 0 };
	struct sl_error error = { "" };
	int status, err = sl_rules_del(request->interface, request->arguments,
				       request->n_arguments, &changed, &error);

	if (err)
		return fail(err, error.text);
	status = print_changed(&changed, "deleted", request->json);
	sl_rules_changed_fini(&changed);
	return status;
}

/* Seconds until the rule expires; 0: it has. */
static double remaining_s(const struct sl_rule *rule, uint64_t now_ns)
{
	return rule->deadline_ns > now_ns ?
		       (double)(rule->deadline_ns - now_ns) / 1e9 :
		       0;
}

static json_t *seconds_json(const struct sl_rule *rule, double seconds)
{
	return rule->options.expires_ns ? json_real(seconds) : json_null();
}

static json_t *entry_json(const struct sl_rules_entry *entry, uint64_t now_ns)
{
	const struct sl_rule *r = entry->rule;
	char *text = sl_rule_text(r);
	json_t *object = json_pack(
		"{s:s, s:s, s:I, s:s, s:b, s:o, s:o, s:b, s:I, s:I, s:s}",
		"name", r->name, "owner", sl_rule_owner(r), "band",
		(json_int_t)r->options.band, "verdict",
		sl_action_text(r->verdict.action), "observe",
		(r->options.written & SL_OPT_OBSERVE) != 0, "expires_s",
		seconds_json(r, (double)r->options.expires_ns / 1e9),
		"remaining_s", seconds_json(r, remaining_s(r, now_ns)),
		"expired", sl_rule_is_expired(r, now_ns), "packets",
		(json_int_t)entry->counter.packets, "bytes",
		(json_int_t)entry->counter.bytes, "text", text);

	free(text);
	return object;
}

static void print_entry(const struct sl_rules_entry *entry, uint64_t now_ns)
{
	const struct sl_rule *r = entry->rule;
	char verdict[32], left[32] = "";

	snprintf(verdict, sizeof(verdict), "%s%s",
		 sl_action_text(r->verdict.action),
		 r->options.written & SL_OPT_OBSERVE ? " (observe)" : "");
	if (sl_rule_is_expired(r, now_ns))
		strcpy(left, "expired");
	else if (r->options.expires_ns)
		snprintf(left, sizeof(left), "%.1f s", remaining_s(r, now_ns));
	printf("  %-28.28s %-12.12s %10" PRIu32 " %-18s %14s %14llu %18llu\n",
	       r->name, sl_rule_owner(r), r->options.band, verdict, left,
	       (unsigned long long)entry->counter.packets,
	       (unsigned long long)entry->counter.bytes);
}

static bool is_wanted(const struct cli_request *request,
		      const struct sl_rules_entry *entry)
{
	return !request->owner ||
	       strcmp(request->owner, sl_rule_owner(entry->rule)) == 0;
}

static json_t *group_json(const struct cli_request *request,
			  const struct sl_rules_group *group, uint64_t now_ns)
{
	json_t *names = json_array(), *rules = json_array();

	for (size_t i = 0; i < group->n_interfaces; i++)
		json_array_append_new(names,
				      sl_json_text(group->interfaces[i]));
	for (size_t i = 0; i < group->n_rules; i++)
		if (is_wanted(request, &group->rules[i]))
			json_array_append_new(
				rules, entry_json(&group->rules[i], now_ns));
	return json_pack("{s:o, s:o}", "interfaces", names, "rules", rules);
}

static void print_group(const struct cli_request *request,
			const struct sl_rules_group *group, uint64_t now_ns)
{
	for (size_t i = 0; i < group->n_interfaces; i++)
		printf("%s%s", i ? ", " : "", group->interfaces[i]);
	printf(":\n  %-28s %-12s %10s %-18s %14s %14s %18s\n", "rule", "owner",
	       "band", "verdict", "time left", "packets", "bytes");
	for (size_t i = 0; i < group->n_rules; i++)
		if (is_wanted(request, &group->rules[i]))
			print_entry(&group->rules[i], now_ns);
}

static int print_list(const struct cli_request *request,
		      const struct sl_rules_list *list)
{
	json_t *groups = json_array();

	for (size_t i = 0; i < list->n_groups; i++) {
		if (request->json)
			json_array_append_new(
				groups, group_json(request, &list->groups[i],
						   list->now_ns));
		else
			print_group(request, &list->groups[i], list->now_ns);
	}
	if (request->json)
		return cli_print_json(
			json_pack("{s:o}", "configurations", groups));
	json_decref(groups);
	if (!list->n_groups)
		puts("no configuration runs in this network namespace; "
		     "`sluice apply FILE` makes one run");
	return fflush(stdout) == 0 ? CLI_OK : CLI_SYSTEM;
}

static int rule_list(const struct cli_request *request)
{
	struct sl_error error = { "" };
	struct sl_rules_list list;
	int status, err = sl_rules_list(request->interface, &list, &error);

	if (err)
		return fail(err, error.text);
	status = print_list(request, &list);
	sl_rules_list_fini(&list);
	return status;
}

int cli_rule(const struct cli_command *command, int argc, char **argv)
{
	static const struct cli_verb verbs[] = {
		{ "add", CLI_TAKES_INTERFACE, 1, SIZE_MAX, rule_add },
		{ "del", CLI_TAKES_INTERFACE, 1, SIZE_MAX, rule_del },
		{ "list",
		  CLI_TAKES_INTERFACE | CLI_TAKES_OWNER | CLI_NAMES_INTERFACE,
		  0, 1, rule_list },
		{ 0 }
	};

	return cli_verbs_run(command, verbs, argc, argv);
}
