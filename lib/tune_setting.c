// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "tune_setting.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct sl_tune_kind sl_tune_kinds[SL_TUNE_SETTINGS] = {
	[SL_TUNE_CHANNELS] = { "channels", "a number of queues",
			       .restarts = true },
	/* On the way to a table the default one stands there. */
	[SL_TUNE_RSS] = { "rss", "a number of queues", .rounds = true },
	[SL_TUNE_RX_RING] = { "rx-ring", "a number of entries", .number = true,
			      .rounds = true, .restarts = true },
	[SL_TUNE_TX_RING] = { "tx-ring", "a number of entries", .number = true,
			      .rounds = true, .restarts = true },
	[SL_TUNE_ADAPTIVE_RX] = { "adaptive-rx", "0 or 1", .number = true },
	[SL_TUNE_ADAPTIVE_TX] = { "adaptive-tx", "0 or 1", .number = true },
	[SL_TUNE_RX_USECS] = { "rx-usecs", "microseconds", .number = true,
			       .rounds = true },
	[SL_TUNE_TX_USECS] = { "tx-usecs", "microseconds", .number = true,
			       .rounds = true },
	[SL_TUNE_DEFER] = { "napi-defer-hard-irqs", "a number of polls",
			    .number = true, .queues = true },
	[SL_TUNE_FLUSH] = { "gro-flush-timeout", "nanoseconds", .number = true,
			    .queues = true },
	[SL_TUNE_SUSPEND] = { "irq-suspend-timeout", "nanoseconds",
			      .number = true, .queues = true },
	[SL_TUNE_THREADED] = { "napi-threaded", "0 or 1", .number = true,
			       .queues = true },
	/* "0,1" is read as "0-1". */
	[SL_TUNE_IRQ_AFFINITY] = { "irq-affinity", "a list of CPUs",
				   .rounds = true, .queues = true },
};

static const char *const units[] = {
	[SL_TUNE_INTERFACE] = "interface",
	[SL_TUNE_RX] = "rx",
	[SL_TUNE_TX] = "tx",
	[SL_TUNE_OTHER] = "other",
};

void sl_tune_unit_format(const struct sl_tune_key *key,
			 char text[SL_TUNE_UNIT_TEXT])
{
	if (key->unit == SL_TUNE_INTERFACE)
		snprintf(text, SL_TUNE_UNIT_TEXT, "%s", units[key->unit]);
	else
		snprintf(text, SL_TUNE_UNIT_TEXT, "%s-%u", units[key->unit],
			 key->queue);
}

/* Digits, and nothing else. */
static bool parse_queue(const char *text, uint32_t *queue)
{
	unsigned long number;
	char *end;

	errno = 0;
	number = strtoul(text, &end, 10);
	if (!isdigit((unsigned char)*text) || *end || errno ||
	    number > UINT32_MAX)
		return false;
	*queue = (uint32_t)number;
	return true;
}

bool sl_tune_unit_parse(const char *text, struct sl_tune_key *key)
{
	if (strcmp(text, units[SL_TUNE_INTERFACE]) == 0) {
		key->unit = SL_TUNE_INTERFACE;
		key->queue = 0;
		return true;
	}
	for (int i = SL_TUNE_RX; i <= SL_TUNE_OTHER; i++) {
		size_t length = strlen(units[i]);

		if (strncmp(text, units[i], length) != 0 ||
		    text[length] != '-' ||
		    !parse_queue(text + length + 1, &key->queue))
			continue;
		key->unit = (enum sl_tune_unit)i;
		return true;
	}
	return false;
}

bool sl_tune_setting_find(const char *name, enum sl_tune_setting *setting)
{
	for (int i = 0; i < SL_TUNE_SETTINGS; i++)
		if (strcmp(name, sl_tune_kinds[i].name) == 0) {
			*setting = (enum sl_tune_setting)i;
			return true;
		}
	return false;
}

bool sl_tune_key_equal(const struct sl_tune_key *a, const struct sl_tune_key *b)
{
	return a->setting == b->setting && a->unit == b->unit &&
	       a->queue == b->queue;
}

/* The letters that end before `end` and begin after the separator before them. */
static size_t last_word(const char *name, size_t end)
{
	while (end > 0 && isalpha((unsigned char)name[end - 1]))
		end--;
	return end;
}

static bool separates(char c)
{
	return c == '-' || c == '.' || c == '_';
}

static bool is_word(const char *word, size_t length, const char *what)
{
	return length == strlen(what) && strncasecmp(word, what, length) == 0;
}

bool sl_tune_irq_queue(const char *name, enum sl_tune_unit *unit,
		       uint32_t *queue)
{
	static const char *const others[] = { "async", "config", "misc",
					      "mgmt",  "ctrl",	 "control" };
	size_t end = strcspn(name, "@"), digits = end, start, length;
	bool apart;

	while (digits > 0 && isdigit((unsigned char)name[digits - 1]))
		digits--;
	if (digits == end || end - digits > 6)
		return false;
	apart = digits > 0 && separates(name[digits - 1]);
	start = last_word(name, digits - apart);
	length = digits - apart - start;
	/* "eth1": the digit is the interface's. */
	if (!apart && (!start || !separates(name[start - 1])))
		return false;
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (is_word(name + start, length, others[i]))
			return false;
	*unit = is_word(name + start, length, "tx") ||
				is_word(name + start, length, "output") ?
			SL_TUNE_TX :
			SL_TUNE_RX;
	*queue = (uint32_t)strtoul(name + digits, NULL, 10);
	return true;
}

static uint32_t table_queues(const uint32_t *table, uint32_t n)
{
	uint32_t most = 0;

	for (uint32_t i = 0; i < n; i++)
		if (table[i] > most)
			most = table[i];
	return most + 1;
}

char *sl_tune_rss_format(const uint32_t *table, uint32_t n)
{
	uint32_t queues = table_queues(table, n), equal = 0;
	size_t bytes = 0;
	char *text = NULL;
	FILE *out = open_memstream(&text, &bytes);

	if (!out)
		return NULL;
	while (equal < n && table[equal] == equal % queues)
		equal++;
	if (equal == n)
		fprintf(out, "equal %u", queues);
	for (uint32_t i = 0, run; equal < n && i < n; i += run) {
		for (run = 1; i + run < n && table[i + run] == table[i];)
			run++;
		fprintf(out, "%s%u*%u", i ? " " : "", table[i], run);
	}
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}

/* A number at *text, which then points behind it. */
static bool take_number(const char **text, uint32_t *number)
{
	unsigned long value;
	char *end;

	if (!isdigit((unsigned char)**text))
		return false;
	errno = 0;
	value = strtoul(*text, &end, 10);
	if (errno || value > UINT32_MAX)
		return false;
	*text = end;
	*number = (uint32_t)value;
	return true;
}

/* "QUEUE*ENTRIES", and the blank after it. */
static bool take_run(const char **text, uint32_t *queue, uint32_t *run)
{
	if (!take_number(text, queue) || *(*text)++ != '*' ||
	    !take_number(text, run))
		return false;
	*text += **text == ' ';
	return true;
}

/* The N of "equal N"; 0: it is not that. */
static uint32_t take_equal(const char *text)
{
	static const char word[] = "equal ";
	uint32_t queues = 0;

	if (strncmp(text, word, sizeof(word) - 1) != 0)
		return 0;
	text += sizeof(word) - 1;
	return take_number(&text, &queues) && !*text ? queues : 0;
}

int sl_tune_rss_parse(const char *text, uint32_t *table, uint32_t n)
{
	uint32_t queues = take_equal(text), at = 0;

	for (; queues && at < n; at++)
		table[at] = at % queues;
	while (!queues && *text) {
		uint32_t queue, run;

		if (!take_run(&text, &queue, &run) || run > n - at)
			return -EINVAL;
		for (uint32_t i = 0; i < run; i++)
			table[at++] = queue;
	}
	return at == n ? 0 : -EINVAL;
}

/* Counts the entries of each of `queues`; false: another queue has some, too. */
static bool count_shares(const char *text, uint32_t *share, uint32_t queues)
{
	while (*text) {
		uint32_t queue, run;

		if (!take_run(&text, &queue, &run) || queue >= queues)
			return false;
		share[queue] += run;
	}
	return true;
}

static bool is_even(const char *now, uint32_t queues)
{
	uint32_t *share = calloc(queues, sizeof(*share));
	bool even = share && count_shares(now, share, queues);

	for (uint32_t i = 1; even && i < queues; i++)
		even = share[i] && share[i] + 1 >= share[0] &&
		       share[i] <= share[0] + 1;
	free(share);
	return even;
}

bool sl_tune_satisfied(const struct sl_tune_key *key, const char *now,
		       const char *wanted)
{
	uint32_t queues;

	if (strcmp(now, wanted) == 0)
		return true;
	queues = key->setting == SL_TUNE_RSS ? take_equal(wanted) : 0;
	return queues && is_even(now, queues);
}
