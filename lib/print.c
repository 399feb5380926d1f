/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The canonical form: statements in the order interface, default, limits, set,
 * extension, rule, forwarder, metrics; what was left to its default in a
 * forwarder or a rule is left out again, while an interface states its mode
 * and attachment, which later versions may choose differently.
 */
#include "print.h"

#include <errno.h>
#include <inttypes.h>

#include "address.h"
#include "config.h"
#include "keyword.h"
#include "lex.h"
#include "quantity.h"

#define LIST_INLINE 8 /* longer lists take a line an item */

void sl_print_string(FILE *out, const char *text)
{
	putc('"', out);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			putc('\\', out);
		putc(*text, out);
	}
	putc('"', out);
}

void sl_print_word(FILE *out, const char *text)
{
	if (sl_lex_is_word(text))
		fputs(text, out);
	else
		sl_print_string(out, text);
}

void sl_print_list_begin(FILE *out, size_t n)
{
	fputs(n > LIST_INLINE ? "{\n\t" : "{ ", out);
}

void sl_print_list_next(FILE *out, size_t i, size_t n)
{
	if (i + 1 < n)
		fputs(n > LIST_INLINE ? "\n\t" : ", ", out);
	else
		fputs(n > LIST_INLINE ? "\n}" : " }", out);
}

void sl_print_prefix(FILE *out, const struct sl_prefix *prefix)
{
	char text[SL_ADDRESS_TEXT];

	sl_prefix_format(prefix, text);
	fputs(text, out);
}

static void print_interface(FILE *out, const struct sl_config *c, size_t first,
			    size_t n)
{
	const struct sl_interface *i = &c->interfaces[first];

	fputs("interface ", out);
	for (size_t k = 0; k < n; k++) {
		fputs(k ? ", " : "", out);
		sl_print_word(out, i[k].name);
	}
	fprintf(out, " { mode %s; attach %s%s%s }\n", sl_mode_words[i->mode],
		sl_attach_words[i->attach], i->frags ? "; frags on" : "",
		i->count_source_port ? "; count source-port" : "");
}

static void print_interfaces(FILE *out, const struct sl_config *c)
{
	size_t i = 0;

	while (i < c->n_interfaces) {
		size_t n = 1;

		while (i + n < c->n_interfaces &&
		       c->interfaces[i + n].statement ==
			       c->interfaces[i].statement)
			n++;
		print_interface(out, c, i, n);
		i += n;
	}
}

static void print_limits(FILE *out, const struct sl_limits *limits)
{
	const char *separator = " ";
	char text[SL_QUANTITY_TEXT];

	if (!limits->given)
		return;
	fputs("limits {", out);
	if (limits->rules) {
		fprintf(out, "%srules %" PRIu64, separator, limits->rules);
		separator = "; ";
	}
	if (limits->tables_bytes) {
		sl_size_format(limits->tables_bytes, text);
		fprintf(out, "%stables %s", separator, text);
		separator = "; ";
	}
	if (limits->sets_bytes) {
		sl_size_format(limits->sets_bytes, text);
		fprintf(out, "%ssets %s", separator, text);
	}
	fputs(" }\n", out);
}

static void print_mac(FILE *out, const struct sl_mac *mac)
{
	char text[SL_ADDRESS_TEXT];

	sl_mac_format(mac, text);
	fputs(text, out);
}

static void print_item(FILE *out, const struct sl_item *item)
{
	if (item->kind == SL_ITEM_PREFIX) {
		sl_print_prefix(out, &item->prefix);
	} else if (item->kind == SL_ITEM_MAC) {
		print_mac(out, &item->mac);
	} else {
		fputs("file ", out);
		sl_print_string(out, item->path);
	}
}

static void print_contents(FILE *out, const struct sl_set *set)
{
	size_t n = set->mac ? set->n_macs : set->n_prefixes;

	if (n)
		sl_print_list_begin(out, n);
	for (size_t i = 0; i < n; i++) {
		if (set->mac)
			print_mac(out, &set->macs[i]);
		else
			sl_print_prefix(out, &set->prefixes[i]);
		sl_print_list_next(out, i, n);
	}
	fputs(n ? "\n" : "{ }\n", out);
}

static void print_set(FILE *out, const struct sl_set *set, unsigned flags)
{
	size_t n = set->n_items;

	fputs("set ", out);
	sl_print_word(out, set->name);
	fprintf(out, " %s%s", set->mac ? "mac " : "", set->live ? "live " : "");
	if (set->max)
		fprintf(out, "max %" PRIu64 " ", set->max);
	if (flags & SL_PRINT_EXPAND && set->live && !(flags & SL_PRINT_LIVE)) {
		fputs("{ }\n", out);
		return;
	}
	if (flags & SL_PRINT_EXPAND) {
		print_contents(out, set);
		return;
	}
	if (n)
		sl_print_list_begin(out, n);
	for (size_t i = 0; i < n; i++) {
		print_item(out, &set->items[i]);
		sl_print_list_next(out, i, n);
	}
	fputs(n ? "\n" : "{ }\n", out);
}

static void print_extension(FILE *out, const struct sl_extension *e)
{
	fprintf(out, "extension %s %u ", e->after ? "after" : "before",
		e->slot);
	sl_print_string(out, e->path);
	putc('\n', out);
}

static void print_metrics(FILE *out, const struct sl_metrics *metrics)
{
	if (!metrics->given)
		return;
	fputs("metrics {", out);
	if (metrics->listen) {
		fputs(" listen ", out);
		sl_print_string(out, metrics->listen);
	}
	if (metrics->ports)
		fprintf(out, "%s ports %u", metrics->listen ? ";" : "",
			metrics->ports);
	fputs(" }\n", out);
}

int sl_config_print(const struct sl_config *config, unsigned flags, FILE *out)
{
	print_interfaces(out, config);
	if (config->default_given)
		fprintf(out, "default %s\n",
			config->default_drop ? "drop" : "pass");
	print_limits(out, &config->limits);
	for (size_t i = 0; i < config->n_sets; i++)
		print_set(out, config->sets[i], flags);
	for (size_t i = 0; i < config->n_extensions; i++)
		print_extension(out, &config->extensions[i]);
	for (size_t i = 0; i < config->n_rules; i++)
		sl_print_rule(out, &config->rules[i]);
	sl_print_forwarder(out, &config->forwarder);
	print_metrics(out, &config->metrics);
	return fflush(out) || ferror(out) ? -EIO : 0;
}
