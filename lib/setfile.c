/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include "setfile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "array.h"
#include "parse.h"
#include "textfile.h"

#define SETFILE_BYTES_MAX \
	(256u << 20)   /* four million IPv6 prefixes, written long */
#define SHOWN_BYTES 40 /* of a bad item, in its message */

struct file {
	struct sl_parser *parser;
	struct sl_set *set;
	const char *path; /* as opened */
	const char *text;
	size_t length;
	unsigned line;
};

static struct sl_pos place(const struct file *f, const char *line,
			   const char *item)
{
	return (struct sl_pos){ .line = f->line,
				.column = (unsigned)(item - line + 1) };
}

static int bad_item(struct file *f, struct sl_pos pos, const char *item,
		    size_t n, const char *wrong)
{
	int shown = (int)(n > SHOWN_BYTES ? SHOWN_BYTES : n);

	f->parser->errors++;
	sl_diags_add(f->parser->diags, false, f->path, pos, f->text, f->length,
		     "set \"%s\": expected %s, found %.*s%s (%s)", f->set->name,
		     f->set->mac ? "a MAC address" :
				   "an IPv4 or IPv6 address or prefix",
		     shown, item, n > SHOWN_BYTES ? "..." : "", wrong);
	return -EINVAL;
}

static int add_mac(struct file *f, struct sl_pos pos, const char *item,
		   size_t n)
{
	struct sl_set *set = f->set;
	struct sl_mac *macs, mac;
	const char *wrong = sl_mac_parse(item, n, &mac);

	if (wrong)
		return bad_item(f, pos, item, n, wrong);
	macs = sl_array_room(set->macs, set->n_macs, sizeof(*macs));
	if (!macs)
		return -ENOMEM;
	set->macs = macs;
	macs[set->n_macs++] = mac;
	return 0;
}

static int add_prefix(struct file *f, struct sl_pos pos, const char *item,
		      size_t n)
{
	struct sl_set *set = f->set;
	struct sl_prefix *prefixes, prefix;
	char taken[SL_ADDRESS_TEXT];
	bool host_bits;
	const char *wrong = sl_prefix_parse(item, n, &prefix, &host_bits);

	if (wrong)
		return bad_item(f, pos, item, n, wrong);
	if (host_bits && f->parser->warnings++ < SL_PARSE_WARNINGS_MAX) {
		sl_prefix_format(&prefix, taken);
		sl_diags_add(f->parser->diags, true, f->path, pos, f->text,
			     f->length,
			     "%.*s has host bits set: it is taken as %s",
			     (int)n, item, taken);
	}
	prefixes = sl_array_room(set->prefixes, set->n_prefixes,
				 sizeof(*prefixes));
	if (!prefixes)
		return -ENOMEM;
	set->prefixes = prefixes;
	prefixes[set->n_prefixes++] = prefix;
	return 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static int read_line(struct file *f, const char *line, size_t length)
{
	const char *comment = memchr(line, '#', length), *item = line;
	const char *end = comment ? comment : line + length;

	while (item < end && is_blank(*item))
		item++;
	while (end > item && is_blank(end[-1]))
		end--;
	if (item == end)
		return 0;
	if (f->set->mac)
		return add_mac(f, place(f, line, item), item,
			       (size_t)(end - item));
	return add_prefix(f, place(f, line, item), item, (size_t)(end - item));
}

static int read_lines(struct file *f)
{
	const char *line = f->text, *end = f->text + f->length;
	int result = 0, err;

	while (line < end && !sl_parse_stopped(f->parser)) {
		const char *newline = memchr(line, '\n', (size_t)(end - line));
		const char *stop = newline ? newline : end;

		f->line++;
		err = read_line(f, line, (size_t)(stop - line));
		if (err == -ENOMEM)
			return err;
		if (err)
			result = err;
		line = stop + 1;
	}
	return result;
}

char *sl_setfile_locate(const char *config, const char *path)
{
	const char *slash = strrchr(config, '/');
	char *located;
	int folder = slash ? (int)(slash - config + 1) : 0;

	if (*path == '/')
		folder = 0;
	if (asprintf(&located, "%.*s%s", folder, config, path) < 0)
		return NULL;
	return located;
}

int sl_setfile_read(struct sl_parser *p, struct sl_set *set, const char *path,
		    struct sl_pos pos)
{
	char *located = sl_setfile_locate(p->source->name, path), *text = NULL;
	size_t length = 0;
	int err;

	if (!located)
		return -ENOMEM;
	err = sl_textfile_read(located, SETFILE_BYTES_MAX, &text, &length);
	if (err && err != -ENOMEM)
		err = sl_parse_error(
			p, pos, "set \"%s\": the file %s cannot be read: %s",
			set->name, located, strerror(-err));
	if (!err) {
		struct file f = { .parser = p,
				  .set = set,
				  .path = located,
				  .text = text,
				  .length = length };

		err = read_lines(&f);
	}
	free(text);
	free(located);
	return err;
}
