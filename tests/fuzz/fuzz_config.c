// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The configuration language: any bytes are read or refused with a message,
 * and what is accepted prints as text that is accepted and prints the same.
 *
 * Input: the configuration; from a line `%%` on, if there is one, the content
 * of every set file that the configuration names. Files are not opened: this
 * file stands in for lib/textfile.c, so the fuzzer cannot wander off to
 * /dev/zero, and it reaches the reader of set files too.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/config.h"
#include "lib/textfile.h"

#define SEPARATOR "\n%%\n"
#define SEPARATOR_BYTES (sizeof(SEPARATOR) - 1)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Of the input that is running; libFuzzer calls from one thread. */
static const char *file_text;
static size_t file_length;

int sl_textfile_read(const char *path, size_t most, char **text, size_t *length)
{
	char *copy;

	if (!file_text || strstr(path, "absent"))
		return -ENOENT;
	if (file_length > most)
		return -EFBIG;
	copy = malloc(file_length + 1);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, file_text, file_length);
	copy[file_length] = '\0';
	*text = copy;
	*length = file_length;
	return 0;
}

static void fail(const char *what, const char *first, const char *second)
{
	fprintf(stderr, "%s\n--- first\n%s\n--- second\n%s\n", what, first,
		second);
	abort();
}

/* The messages, as text: printing must hold for whatever they quote. */
static char *messages(const struct sl_diags *diags)
{
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	if (!out)
		abort();
	sl_diags_print(diags, out);
	fclose(out);
	return text;
}

/* NULL when the text is refused, which must come with an error's message. */
static struct sl_config *parse(const char *text, size_t length, char **said)
{
	struct sl_diags diags = { 0 };
	struct sl_config *config = NULL;
	int err = sl_config_parse(text, length, "fuzz.conf", &diags, &config);

	*said = messages(&diags);
	if (err ? !diags.n_errors || !**said || config :
		  diags.n_errors || !config)
		fail("the status and the messages contradict each other", text,
		     *said);
	sl_diags_fini(&diags);
	return config;
}

static char *print(const struct sl_config *config, unsigned flags)
{
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	if (!out || sl_config_print(config, flags, out) || fclose(out))
		abort();
	return text;
}

/* What `check` and `apply` ask next: the verdict and the messages agree. */
static void check_effective(const struct sl_config *config)
{
	struct sl_diags diags = { 0 };
	int err = sl_config_check_effective(config, &diags);
	char *said = messages(&diags);

	if (!err != !diags.n_errors)
		fail("refused without a reason, or the reverse", "", said);
	free(said);
	sl_diags_fini(&diags);
}

static bool same_size(const struct sl_config *a, const struct sl_config *b)
{
	if (a->n_interfaces != b->n_interfaces || a->n_sets != b->n_sets ||
	    a->n_rules != b->n_rules || a->n_extensions != b->n_extensions ||
	    a->default_drop != b->default_drop ||
	    a->forwarder.n_wires != b->forwarder.n_wires ||
	    a->forwarder.n_stages != b->forwarder.n_stages)
		return false;
	for (size_t i = 0; i < a->n_sets; i++)
		if (a->sets[i]->n_prefixes != b->sets[i]->n_prefixes ||
		    a->sets[i]->n_macs != b->sets[i]->n_macs)
			return false;
	for (size_t i = 0; i < a->n_rules; i++)
		if (a->rules[i].options.written !=
			    b->rules[i].options.written ||
		    strcmp(a->rules[i].name, b->rules[i].name) != 0)
			return false;
	return true;
}

static void check_round_trip(const struct sl_config *config, unsigned flags)
{
	char *first = print(config, flags), *second, *said;
	struct sl_config *again = parse(first, strlen(first), &said);

	if (!again)
		fail("the printed form is refused", first, said);
	second = print(again, flags);
	if (strcmp(first, second) != 0)
		fail("printed twice, it differs", first, second);
	if (!same_size(config, again))
		fail("the printed form says less or more", first, second);
	sl_config_free(again);
	free(first);
	free(second);
	free(said);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data, *separator;
	struct sl_config *config;
	size_t length = size;
	char *exact, *said;

	file_text = NULL;
	separator = size ? memmem(text, size, SEPARATOR, SEPARATOR_BYTES) :
			   NULL;
	if (separator) {
		length = (size_t)(separator - text) + 1;
		file_text = separator + SEPARATOR_BYTES;
		file_length = (size_t)(text + size - file_text);
	}
	/* A block of its own, so that reading past its end is seen. */
	exact = malloc(length + !length);
	if (!exact)
		abort();
	memcpy(exact, text, length);
	config = parse(exact, length, &said);
	free(exact);
	free(said);
	if (!config)
		return 0;
	check_effective(config);
	check_round_trip(config, 0);
	check_round_trip(config, SL_PRINT_EXPAND | SL_PRINT_LIVE);
	sl_config_free(config);
	return 0;
}
