// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "pending.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "array.h"
#include "config.h"
#include "durable.h"
#include "error.h"
#include "jsontext.h"
#include "live_text.h"
#include "netns.h"
#include "running.h"

#define DIRECTORY "/run/sluice/confirm"
#define BEFORE ".before"
#define WAITS ".json"
#define PATH_BYTES 128

static int no_memory(struct sl_error *error)
{
	return sl_error_set(error, -ENOMEM, "out of memory");
}

static int make_directory(void)
{
	if (mkdir("/run/sluice", 0700) < 0 && errno != EEXIST)
		return -errno;
	if (mkdir(DIRECTORY, 0700) < 0 && errno != EEXIST)
		return -errno;
	return 0;
}

static FILE *open_file(const struct sl_pending *p, const char *suffix)
{
	char name[PATH_BYTES];
	FILE *in;
	int fd;

	snprintf(name, sizeof(name), "%s%s", p->name, suffix);
	fd = openat(p->dir, name, O_RDONLY | O_CLOEXEC);
	in = fd < 0 ? NULL : fdopen(fd, "r");
	if (!in && fd >= 0)
		close(fd);
	return in;
}

static void copy_text(const json_t *object, const char *key, char *to,
		      size_t bytes)
{
	const char *text = json_string_value(json_object_get(object, key));

	snprintf(to, bytes, "%s", text ? text : "");
}

static json_int_t number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* One of another boot waits for nothing: no filter outlives a boot. */
static void read_state(struct sl_pending *p, const struct sl_netns *netns)
{
	FILE *in = open_file(p, WAITS);
	json_t *o = in ? json_loadf(in, 0, NULL) : NULL;
	const char *boot = json_string_value(json_object_get(o, "boot"));

	if (in)
		fclose(in);
	p->waits = boot && strcmp(boot, netns->boot) == 0;
	if (p->waits) {
		p->due_ns = (uint64_t)number(o, "due_ns");
		p->guard = (int)number(o, "guard");
		p->time = number(o, "time");
		p->number = (unsigned)number(o, "number");
		p->before = (unsigned)number(o, "before");
		copy_text(o, "who", p->who, sizeof(p->who));
		copy_text(o, "file", p->file, sizeof(p->file));
	}
	json_decref(o);
}

/* Takes the descriptor over. */
static void open_state(int dir, struct sl_pending *p)
{
	struct sl_netns netns;

	*p = (struct sl_pending){ .dir = dir };
	sl_netns_read(&netns);
	snprintf(p->name, sizeof(p->name), "%" PRIu64 "-%" PRIu64, netns.inode,
		 netns.cookie);
	if (dir >= 0)
		read_state(p, &netns);
}

int sl_pending_open(bool make, struct sl_pending *p, struct sl_error *error)
{
	int dir = -1, err = make ? make_directory() : 0;

	if (!err) {
		dir = open(DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		err = dir < 0 ? -errno : 0;
	}
	open_state(dir, p);
	if (!err || !make)
		return 0;
	return sl_error_set(error, err, DIRECTORY ": open: %s%s",
			    strerror(-err),
			    err == -EACCES ? "; run as root" : "");
}

int sl_pending_open_at(int dir, struct sl_pending *p, struct sl_error *error)
{
	int copy = fcntl(dir, F_DUPFD_CLOEXEC, 0);

	open_state(copy, p);
	return copy < 0 ? sl_error_set(error, -EBADF, DIRECTORY ": open: %s",
				       strerror(EBADF)) :
			  0;
}

void sl_pending_close(struct sl_pending *p)
{
	if (p->dir >= 0)
		close(p->dir);
	p->dir = -1;
}

void sl_befores_fini(struct sl_befores *befores)
{
	for (size_t i = 0; i < befores->n; i++) {
		free(befores->items[i].interfaces);
		free(befores->items[i].text);
	}
	free(befores->items);
	*befores = (struct sl_befores){ 0 };
}

/* Takes the texts over. */
static int add(struct sl_befores *befores, struct sl_before item)
{
	struct sl_before *more =
		sl_array_room(befores->items, befores->n, sizeof(*more));

	if (!more) {
		free(item.interfaces);
		free(item.text);
		return -ENOMEM;
	}
	befores->items = more;
	more[befores->n++] = item;
	return 0;
}

/* Of the configuration's interfaces those on which it runs, or none does. */
static char *names_of(const struct sl_config *config,
		      const struct sl_runnings *runnings,
		      const struct sl_running *running)
{
	char *names = NULL;
	size_t bytes;
	FILE *out = open_memstream(&names, &bytes);

	for (size_t i = 0; out && i < config->n_interfaces; i++) {
		const char *name = config->interfaces[i].name;
		bool on = running ? sl_running_on(running, name) :
				    if_nametoindex(name) != 0;

		for (size_t k = 0; !running && k < runnings->n_items; k++)
			on &= !sl_running_on(&runnings->items[k], name);
		if (on)
			fprintf(out, "%s ", name);
	}
	if (!out || fclose(out) != 0) {
		free(names);
		return NULL;
	}
	return names;
}

struct take {
	const struct sl_config *config;
	bool live;
	struct sl_runnings runnings;
	struct sl_befores taken;
	struct sl_error *error;
};

static int no_text(const struct take *t, const struct sl_running *running)
{
	return sl_error_set(t->error, -EIO,
			    "%s: its configuration or live sets cannot be "
			    "read, so it could not be put back; apply without "
			    "--confirm",
			    running->filters[0].interface);
}

/* GCC 12 loses the array that the text is in, and so calls it lost. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpragmas"
#pragma GCC diagnostic ignored "-Wunknown-warning-option"
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
/* NULL: where nothing runs. */
static int take_running(struct take *t, const struct sl_running *running)
{
	char *names = names_of(t->config, &t->runnings, running);
	struct sl_before item = { .interfaces = names };

	if (!names)
		return no_memory(t->error);
	if (!names[0]) {
		free(names);
		return 0;
	}
	if (running) {
		item.text = t->live ?
				    sl_live_text(&running->filters[0].filter) :
				    strdup(running->text);
		if (!item.text) {
			free(names);
			return no_text(t, running);
		}
	}
	for (size_t i = 0; running && i < running->n_filters; i++) {
		uint64_t of = running->filters[i].filter.gen.generation;

		item.generation = of > item.generation ? of : item.generation;
	}
	return add(&t->taken, item) ? no_memory(t->error) : 0;
}
#pragma GCC diagnostic pop

int sl_befores_take(const struct sl_config *config, bool live,
		    struct sl_befores *befores, struct sl_error *error)
{
	struct take t = { .config = config, .live = live, .error = error };
	int err = sl_runnings_open(&t.runnings, error);

	if (err)
		return err;
	for (size_t i = 0; i < t.runnings.n_items && !err; i++)
		err = take_running(&t, &t.runnings.items[i]);
	if (!err)
		err = take_running(&t, NULL);
	sl_runnings_close(&t.runnings);
	if (err)
		sl_befores_fini(&t.taken);
	else
		*befores = t.taken;
	return err;
}

/* For each: a line of names, a line with the length of the text or -1, it. */
static int write_befores(const struct sl_pending *p,
			 const struct sl_befores *befores)
{
	char name[PATH_BYTES], *data = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&data, &bytes);
	int err = -ENOMEM;

	for (size_t i = 0; out && i < befores->n; i++) {
		const struct sl_before *b = &befores->items[i];

		fprintf(out, "%s\n%lld\n%s", b->interfaces,
			b->text ? (long long)strlen(b->text) : -1,
			b->text ? b->text : "");
	}
	snprintf(name, sizeof(name), "%s" BEFORE, p->name);
	if (out && fclose(out) == 0)
		err = sl_durable_write(p->dir, name, data, bytes);
	free(data);
	return err;
}

static int write_state(const struct sl_pending *p)
{
	char name[PATH_BYTES], *text;
	struct sl_netns netns;
	json_t *o;
	int err;

	sl_netns_read(&netns);
	o = json_pack("{s:s, s:I, s:i, s:I, s:i, s:i, s:o, s:o}", "boot",
		      netns.boot, "due_ns", (json_int_t)p->due_ns, "guard",
		      p->guard, "time", (json_int_t)p->time, "number",
		      (int)p->number, "before", (int)p->before, "who",
		      sl_json_text(p->who), "file", sl_json_text(p->file));
	text = o ? json_dumps(o, JSON_INDENT(1)) : NULL;
	snprintf(name, sizeof(name), "%s" WAITS, p->name);
	err = text ? sl_durable_write(p->dir, name, text, strlen(text)) :
		     -ENOMEM;
	free(text);
	json_decref(o);
	return err;
}

static int remove_file(const struct sl_pending *p, const char *suffix)
{
	char name[PATH_BYTES];

	snprintf(name, sizeof(name), "%s%s", p->name, suffix);
	return unlinkat(p->dir, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

int sl_pending_save(struct sl_pending *p, const struct sl_befores *befores,
		    struct sl_error *error)
{
	int err = write_befores(p, befores);

	if (!err)
		err = write_state(p);
	if (err) {
		remove_file(p, WAITS);
		remove_file(p, BEFORE);
		return sl_error_set(error, err,
				    DIRECTORY
				    "/%s: write down what runs, to "
				    "put it back: %s; nothing was changed",
				    p->name, strerror(-err));
	}
	p->waits = true;
	return 0;
}

int sl_pending_clear(struct sl_pending *p, struct sl_error *error)
{
	int err = p->dir < 0 ? 0 : remove_file(p, WAITS);

	if (err)
		return sl_error_set(error, err,
				    DIRECTORY "/%s" WAITS ": remove: %s",
				    p->name, strerror(-err));
	if (p->dir >= 0)
		remove_file(p, BEFORE);
	p->waits = false;
	return 0;
}

/* -1: there is no text. */
static long long read_length(FILE *in)
{
	char line[32], *end;
	long long length;

	if (!fgets(line, sizeof(line), in))
		return -EINVAL;
	length = strtoll(line, &end, 10);
	return *end != '\n' || length < -1 || length > INT_MAX ? -EINVAL :
								 length;
}

/* 0 and *text, NULL where there is none; or -errno. */
static int read_text(FILE *in, char **text)
{
	long long length = read_length(in);

	*text = NULL;
	if (length < 0)
		return length == -1 ? 0 : -EINVAL;
	*text = calloc(1, (size_t)length + 1);
	if (!*text)
		return -ENOMEM;
	if (fread(*text, 1, (size_t)length, in) == (size_t)length)
		return 0;
	free(*text);
	return -EINVAL;
}

/* The next one of the file: 1, 0 at its end, or -errno. */
static int read_before(FILE *in, struct sl_befores *befores)
{
	struct sl_before item = { 0 };
	size_t room = 0;
	ssize_t n = getline(&item.interfaces, &room, in);
	int err;

	if (n <= 0) {
		free(item.interfaces);
		return feof(in) ? 0 : -EIO;
	}
	item.interfaces[n - 1] = '\0';
	err = read_text(in, &item.text);
	if (err) {
		free(item.interfaces);
		return err;
	}
	return add(befores, item) ? -ENOMEM : 1;
}

int sl_pending_read(const struct sl_pending *p, struct sl_befores *befores,
		    struct sl_error *error)
{
	FILE *in = open_file(p, BEFORE);
	struct sl_befores found = { 0 };
	int err = in ? 1 : -errno;

	while (err > 0)
		err = read_before(in, &found);
	if (in)
		fclose(in);
	if (!err) {
		*befores = found;
		return 0;
	}
	sl_befores_fini(&found);
	return sl_error_set(error, err,
			    DIRECTORY "/%s" BEFORE
				      ": read what ran before: %s; `sluice "
				      "rollback --list` shows what else there "
				      "is to go back to",
			    p->name, strerror(-err));
}
