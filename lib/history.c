// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "history.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "array.h"
#include "durable.h"
#include "error.h"
#include "jsontext.h"
#include "netns.h"
#include "textfile.h"

#define DIRECTORY "/var/lib/sluice/history"
#define TRANSIENT "/run/sluice/history"
#define STATE "state.json"
#define SUFFIX ".conf"
#define NAME_BYTES 32
/* The first line: a path of PATH_MAX, each byte six in JSON, and the rest. */
#define HEADER_BYTES (6 * PATH_MAX + 2048)
#define TEXT_BYTES_MAX (256u << 20) /* a million prefixes are 45 MB */

static void find_path(struct sl_history *h)
{
	const char *given = getenv("SLUICE_HISTORY");
	struct sl_netns netns;

	if (given) {
		snprintf(h->path, sizeof(h->path), "%s", given);
	} else if (sl_netns_is_initial()) {
		snprintf(h->path, sizeof(h->path), DIRECTORY);
	} else {
		sl_netns_read(&netns);
		snprintf(h->path, sizeof(h->path),
			 TRANSIENT "/%" PRIu64 "-%" PRIu64, netns.inode,
			 netns.cookie);
	}
}

/* With what is above it: configurations tell who may do what, so 0700. */
static int make_directories(const char *path)
{
	char part[PATH_MAX];

	for (size_t i = 1; path[i]; i++) {
		if (path[i] != '/')
			continue;
		snprintf(part, sizeof(part), "%.*s", (int)i, path);
		if (mkdir(part, 0700) < 0 && errno != EEXIST)
			return -errno;
	}
	return mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

static void name_of(unsigned number, char name[NAME_BYTES])
{
	snprintf(name, NAME_BYTES, "%06u" SUFFIX, number);
}

/* 0: it is no entry's. */
static unsigned number_of(const char *name)
{
	char *end;
	unsigned long number = strtoul(name, &end, 10);

	if (name[0] < '0' || name[0] > '9' || strcmp(end, SUFFIX) != 0 ||
	    number >= INT_MAX)
		return 0;
	return (unsigned)number;
}

static void copy_text(const json_t *object, const char *key, char *to,
		      size_t bytes)
{
	const char *text = json_string_value(json_object_get(object, key));

	snprintf(to, bytes, "%s", text ? text : "");
}

/* "# {...}". */
static int read_header(int dir, const char *name, json_t **object)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	char *line = fd < 0 ? NULL : malloc(HEADER_BYTES);
	FILE *in = line ? fdopen(fd, "r") : NULL;
	int err = -EINVAL;

	if (!in) {
		if (fd >= 0)
			close(fd);
		free(line);
		return -ENOENT;
	}
	if (fgets(line, HEADER_BYTES, in) && strncmp(line, "# ", 2) == 0) {
		*object = json_loads(line + 2, 0, NULL);
		err = *object ? 0 : -EINVAL;
	}
	fclose(in);
	free(line);
	return err;
}

static int add_entry(struct sl_history *h, const struct sl_history_entry *entry)
{
	struct sl_history_entry *more =
		sl_array_room(h->entries, h->n, sizeof(*more));

	if (!more)
		return -ENOMEM;
	h->entries = more;
	more[h->n++] = *entry;
	return 0;
}

static int read_entry(struct sl_history *h, const char *name)
{
	struct sl_history_entry entry = { .number = number_of(name) };
	const char *file;
	json_t *o;
	int err;

	if (!entry.number || read_header(h->fd, name, &o))
		return 0;
	entry.time = json_integer_value(json_object_get(o, "time"));
	entry.generation =
		(uint64_t)json_integer_value(json_object_get(o, "generation"));
	entry.bytes = (uint64_t)json_integer_value(json_object_get(o, "bytes"));
	copy_text(o, "who", entry.who, sizeof(entry.who));
	file = json_string_value(json_object_get(o, "file"));
	entry.file = strdup(file ? file : "");
	err = entry.file ? add_entry(h, &entry) : -ENOMEM;
	if (err)
		free(entry.file);
	json_decref(o);
	return err;
}

static int compare(const void *a, const void *b)
{
	const struct sl_history_entry *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

static void read_state(struct sl_history *h)
{
	int fd = openat(h->fd, STATE, O_RDONLY | O_CLOEXEC);
	FILE *in = fd < 0 ? NULL : fdopen(fd, "r");
	json_t *o = in ? json_loadf(in, 0, NULL) : NULL;

	h->running =
		(unsigned)json_integer_value(json_object_get(o, "running"));
	h->confirmed =
		(unsigned)json_integer_value(json_object_get(o, "confirmed"));
	json_decref(o);
	if (in)
		fclose(in);
	else if (fd >= 0)
		close(fd);
}

static int read_entries(struct sl_history *h)
{
	int copy = openat(h->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *found;
	int err = 0;

	if (!dir) {
		err = -errno;
		if (copy >= 0)
			close(copy);
		return err;
	}
	while (!err && (found = readdir(dir)))
		err = read_entry(h, found->d_name);
	closedir(dir);
	if (h->n)
		qsort(h->entries, h->n, sizeof(*h->entries), compare);
	read_state(h);
	return err;
}

int sl_history_open(bool make, struct sl_history *h, struct sl_error *error)
{
	int err = 0;

	*h = (struct sl_history){ .fd = -1 };
	find_path(h);
	if (make)
		err = make_directories(h->path);
	if (!err) {
		h->fd = open(h->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (h->fd < 0 && (make || errno != ENOENT))
			err = -errno;
	}
	if (!err && h->fd >= 0)
		err = read_entries(h);
	if (!err)
		return 0;
	sl_history_close(h);
	return sl_error_set(error, err,
			    "%s: read the history of configurations: %s%s",
			    h->path, strerror(-err),
			    err == -EACCES ? "; run as root" : "");
}

void sl_history_close(struct sl_history *h)
{
	for (size_t i = 0; i < h->n; i++)
		free(h->entries[i].file);
	free(h->entries);
	h->entries = NULL;
	h->n = 0;
	if (h->fd >= 0)
		close(h->fd);
	h->fd = -1;
}

const struct sl_history_entry *sl_history_find(const struct sl_history *h,
					       unsigned number)
{
	for (size_t i = 0; i < h->n; i++)
		if (h->entries[i].number == number)
			return &h->entries[i];
	return NULL;
}

const struct sl_history_entry *sl_history_previous(const struct sl_history *h)
{
	for (size_t i = h->n; i-- > 0;)
		if (h->entries[i].number < h->running)
			return &h->entries[i];
	return NULL;
}

int sl_history_read(const struct sl_history *h, unsigned number, char **text,
		    size_t *length, struct sl_error *error)
{
	char path[64], name[NAME_BYTES];
	int err;

	name_of(number, name);
	/* By the descriptor: the path may lie in another mount namespace. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", h->fd, name);
	err = sl_textfile_read(path, TEXT_BYTES_MAX, text, length);
	return err ? sl_error_set(error, err, "%s/%s: %s", h->path, name,
				  strerror(-err)) :
		     0;
}

/* To free(), with its length; NULL: no memory. */
static char *compose(const struct sl_history_entry *entry, const char *text,
		     size_t *bytes)
{
	json_t *o = json_pack("{s:I, s:o, s:o, s:I, s:I}", "time",
			      (json_int_t)entry->time, "who",
			      sl_json_text(entry->who), "file",
			      sl_json_text(entry->file), "generation",
			      (json_int_t)entry->generation, "bytes",
			      (json_int_t)entry->bytes);
	char *header = o ? json_dumps(o, JSON_COMPACT) : NULL;
	char *whole = NULL;
	int n = header ? asprintf(&whole, "# %s\n%s", header, text) : -1;

	free(header);
	json_decref(o);
	if (n < 0)
		return NULL;
	*bytes = (size_t)n;
	return whole;
}

static int write_entry(struct sl_history *h,
		       const struct sl_history_entry *entry, const char *text)
{
	char name[NAME_BYTES];
	size_t bytes;
	char *whole = compose(entry, text, &bytes);
	int err = -ENOMEM;

	name_of(entry->number, name);
	if (whole)
		err = h->fd < 0 ? -ENOENT :
				  sl_durable_write(h->fd, name, whole, bytes);
	free(whole);
	return err;
}

int sl_history_add(struct sl_history *h, const char *file, uint64_t generation,
		   const char *text, struct sl_error *error)
{
	struct sl_history_entry entry = {
		.number = 1 + (h->n ? h->entries[h->n - 1].number : 0),
		.time = time(NULL),
		.generation = generation,
		.bytes = strlen(text),
		.file = strdup(file),
	};
	struct sl_actor actor;
	int err = -ENOMEM;

	sl_actor_read(&actor);
	sl_actor_print(&actor, entry.who, sizeof(entry.who));
	/* Numbers that the state still names are not given again. */
	if (entry.number <= h->running)
		entry.number = h->running + 1;
	if (entry.number <= h->confirmed)
		entry.number = h->confirmed + 1;
	if (entry.file)
		err = write_entry(h, &entry, text);
	if (!err) {
		err = add_entry(h, &entry);
		if (!err)
			return (int)entry.number;
		sl_history_drop(h, entry.number);
	}
	free(entry.file);
	return sl_error_set(error, err,
			    "%s: keep this configuration in the history: %s",
			    h->path, strerror(-err));
}

void sl_history_drop(struct sl_history *h, unsigned number)
{
	char name[NAME_BYTES];

	name_of(number, name);
	unlinkat(h->fd, name, 0);
	for (size_t i = 0; i < h->n; i++) {
		if (h->entries[i].number != number)
			continue;
		free(h->entries[i].file);
		h->n--;
		memmove(h->entries + i, h->entries + i + 1,
			(h->n - i) * sizeof(*h->entries));
		return;
	}
}

/* Without the first line, which differs. */
static bool is_same(const struct sl_history *h, unsigned a, unsigned b)
{
	struct sl_error ignored;
	char *x = NULL, *y = NULL;
	size_t length;
	bool same = false;

	if (sl_history_read(h, a, &x, &length, &ignored) == 0 &&
	    sl_history_read(h, b, &y, &length, &ignored) == 0)
		same = strcmp(x + strcspn(x, "\n"), y + strcspn(y, "\n")) == 0;
	free(x);
	free(y);
	return same;
}

static void prune(struct sl_history *h)
{
	for (size_t i = h->n; i-- > 0;) {
		const struct sl_history_entry *running =
			sl_history_find(h, h->running);
		unsigned number = h->entries[i].number;

		if (number == h->running || number == h->confirmed)
			continue;
		if (running && h->entries[i].bytes == running->bytes &&
		    is_same(h, number, h->running))
			sl_history_drop(h, number);
	}
	for (size_t i = 0; i < h->n && h->n > SL_HISTORY_MAX;) {
		unsigned number = h->entries[i].number;

		if (number == h->running || number == h->confirmed)
			i++;
		else
			sl_history_drop(h, number);
	}
}

int sl_history_mark(struct sl_history *h, unsigned running, unsigned confirmed,
		    struct sl_error *error)
{
	char state[64];
	int n = snprintf(state, sizeof(state),
			 "{\"running\":%u,\"confirmed\":%u}\n", running,
			 confirmed);
	int err = h->fd < 0 ? -ENOENT :
			      sl_durable_write(h->fd, STATE, state, (size_t)n);

	if (err)
		return sl_error_set(error, err, "%s: write down what runs: %s",
				    h->path, strerror(-err));
	h->running = running;
	h->confirmed = confirmed;
	prune(h);
	return 0;
}
