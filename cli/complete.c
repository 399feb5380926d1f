// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "complete.h"

#include <ctype.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "filters.h"
#include "help.h"
#include "synopsis.h"
#include "lib/config.h"
#include "lib/error.h"
#include "lib/live.h"
#include "lib/rulelist.h"
#include "lib/rules.h"

/* The command line up to the cursor. */
struct line {
	char *const *words; /* the command's name is the first */
	size_t n;
	const char *last; /* the one to complete */
};

static void offer(const struct line *line, const char *word)
{
	if (strncmp(word, line->last, strlen(line->last)) == 0)
		puts(word);
}

static void offer_choices(const struct line *line, const char *choices)
{
	char word[CLI_PART_BYTES];

	while (*choices) {
		size_t length = strcspn(choices, "|");

		snprintf(word, sizeof(word), "%.*s", (int)length, choices);
		offer(line, word);
		choices += length;
		choices += *choices == '|';
	}
}

static void offer_commands(const struct line *line)
{
	for (const struct cli_command *c = cli_commands; c->name; c++)
		offer(line, c->name);
}

static void offer_interfaces(const struct line *line)
{
	struct if_nameindex *all = if_nameindex();

	for (size_t i = 0; all && all[i].if_index; i++)
		offer(line, all[i].if_name);
	if (all)
		if_freenameindex(all);
}

/* Who may not read the filters is offered none. */
static void offer_rules(const struct line *line, bool live_only)
{
	struct sl_error error = { "" };
	struct sl_rules_list list;

	if (sl_rules_list(NULL, &list, &error))
		return;
	for (size_t g = 0; g < list.n_groups; g++)
		for (size_t i = 0; i < list.groups[g].n_rules; i++) {
			const struct sl_rule *r = list.groups[g].rules[i].rule;

			if (!live_only || sl_rule_is_live(r))
				offer(line, r->name);
		}
	sl_rules_list_fini(&list);
}

static void offer_sets_of(const struct line *line, int map_fd)
{
	struct sl_error error = { "" };
	struct sl_live live;

	if (sl_live_open(map_fd, &live, &error))
		return;
	for (uint32_t i = 0; i < live.header->n_sets; i++)
		offer(line, live.header->sets[i].name);
	sl_live_close(&live);
}

static void offer_sets(const struct line *line)
{
	struct cli_filters filters;

	if (cli_filters_open(NULL, 0, 0, &filters) != CLI_OK)
		return;
	for (size_t i = 0; i < filters.n_items; i++)
		if (filters.items[i].filter.gen.live.bytes)
			offer_sets_of(
				line,
				filters.items[i].filter.map_fd[SL_MAP_LIVE]);
	cli_filters_close(&filters);
}

/* What a placeholder of the synopsis stands for. */
static void offer_operand(const struct line *line, const char *operand)
{
	const char *command = line->words[0];

	if (islower((unsigned char)operand[0]))
		offer_choices(line, operand);
	else if (strcmp(operand, "COMMAND") == 0)
		offer_commands(line);
	else if (strcmp(operand, "IFACE") == 0)
		offer_interfaces(line);
	else if (strcmp(operand, "NAME") == 0 && strcmp(command, "set") == 0)
		offer_sets(line);
	else if (strcmp(operand, "NAME") == 0)
		offer_rules(line, strcmp(command, "rule") == 0);
	else if (strncmp(operand, "FILE", 4) == 0 ||
		 strncmp(operand, "PROG", 4) == 0 ||
		 strcmp(operand, "A") == 0 || strcmp(operand, "B") == 0)
		putchar('\n');
}

/* The part of the form that `word`, an option, is; or false. */
static bool find_option(const char *form, const char *word,
			struct cli_part *part)
{
	size_t length = strcspn(word, "=");

	while (cli_synopsis_part(&form, part))
		if (part->word[0] == '-' && strlen(part->word) == length &&
		    strncmp(part->word, word, length) == 0)
			return true;
	return false;
}

/* Its operand number `index`, the last one again if that repeats; or false. */
static bool find_operand(const char *form, size_t index, struct cli_part *part)
{
	struct cli_part found;

	while (cli_synopsis_part(&form, &found)) {
		if (found.word[0] == '-' && found.word[1])
			continue;
		*part = found;
		if (index-- == 0)
			return true;
		if (found.repeats)
			return true;
	}
	return false;
}

static void offer_options(const struct line *line, const char *form)
{
	struct cli_part part;

	while (cli_synopsis_part(&form, &part))
		if (part.word[0] == '-')
			offer(line, part.word);
}

/* Goes along the words behind the verb, as getopt_long() will. */
static void complete_form(const struct line *line, const char *form,
			  size_t first)
{
	struct cli_part part = { .word = "" };
	size_t operands = 0;

	for (size_t i = first; i + 1 < line->n; i++) {
		const char *word = line->words[i];

		if (word[0] != '-' || !word[1]) {
			operands++;
			continue;
		}
		if (!find_option(form, word, &part))
			return; /* another form's */
		if (part.value[0] && !strchr(word, '=') && ++i + 1 >= line->n) {
			offer_operand(line, part.value);
			return;
		}
	}
	if (line->last[0] == '-' || !find_operand(form, operands, &part))
		offer_options(line, form);
	else
		offer_operand(line, part.word);
}

/* A form begins with its verbs, if it has any. */
static void complete_command(const struct line *line,
			     const struct cli_command *command)
{
	const char *rest = command->arguments;
	char form[CLI_FORM_BYTES];

	while (cli_synopsis_form(&rest, form)) {
		const char *behind = form;
		struct cli_part verbs;

		if (!islower((unsigned char)form[0]))
			complete_form(line, form, 1);
		else if (!cli_synopsis_part(&behind, &verbs))
			continue;
		else if (line->n == 2)
			offer_choices(line, verbs.word);
		else if (cli_synopsis_is_choice(verbs.word, line->words[1]))
			complete_form(line, behind, 2);
	}
}

int cli_complete(char *const *words, size_t n)
{
	struct line line = { .words = words, .n = n, .last = words[n - 1] };
	const struct cli_command *command;

	if (n == 1) {
		offer_commands(&line);
		return fflush(stdout) == 0 ? CLI_OK : CLI_SYSTEM;
	}
	command = cli_help_find(words[0]);
	if (command)
		complete_command(&line, command);
	return fflush(stdout) == 0 ? CLI_OK : CLI_SYSTEM;
}
