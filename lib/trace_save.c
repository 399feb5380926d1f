// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* Files of observations. One that somebody edited must not upset its readers. */
#include "trace_json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "error.h"

#define VERSION 1

static int wrong(struct sl_error *error, const char *path, const char *what)
{
	return sl_error_set(error, -EINVAL,
			    "%s: %s; `sluice trace --save FILE` writes such "
			    "files",
			    path, what);
}

/* What is wrong with a run, or NULL. */
static const char *judge_run(json_t *run)
{
	json_t *intervals = json_object_get(run, "intervals");
	json_t *interval;
	size_t i;

	if (!json_is_object(json_object_get(run, "metrics")) ||
	    !json_is_array(intervals) ||
	    !json_is_integer(json_object_get(run, "time")) ||
	    !json_is_string(json_object_get(run, "source")) ||
	    !json_is_string(json_object_get(run, "packets_from")))
		return "a run without its metrics, intervals, time or source";
	json_array_foreach(intervals, i, interval)
	{
		if (!json_is_object(json_object_get(interval, "metrics")) ||
		    !json_is_boolean(json_object_get(interval, "traced")))
			return "an interval without its metrics";
	}
	return NULL;
}

int sl_trace_load(const char *path, json_t **runs, struct sl_error *error)
{
	json_error_t where;
	json_t *root, *list, *run;
	const char *what = NULL;
	size_t i;

	/* jansson tells of a file that cannot be opened only in words. */
	if (access(path, R_OK))
		return sl_error_set(error, -errno, "%s: read it: %s", path,
				    strerror(errno));
	root = json_load_file(path, JSON_REJECT_DUPLICATES, &where);
	if (!root)
		return sl_error_set(error, -EINVAL, "%s:%d: %s", path,
				    where.line, where.text);
	list = json_object_get(root, "runs");
	if (json_integer_value(json_object_get(root, "sluice_trace")) !=
		    VERSION ||
	    !json_is_array(list) || !json_array_size(list))
		what = "not an observation of this version";
	json_array_foreach(list, i, run)
	{
		what = what ? what : judge_run(run);
	}
	if (!what)
		*runs = json_incref(list);
	json_decref(root);
	return what ? wrong(error, path, what) : 0;
}

static int write_file(const char *path, json_t *root, struct sl_error *error)
{
	char fresh[4096];
	int fd, err = 0;

	if ((size_t)snprintf(fresh, sizeof(fresh), "%s.XXXXXX", path) >=
	    sizeof(fresh))
		return sl_error_set(error, -ENAMETOOLONG,
				    "%s: its name is too long", path);
	fd = mkostemp(fresh, O_CLOEXEC);
	if (fd < 0)
		return sl_error_set(error, -errno,
				    "%s: make a file beside it: %s", path,
				    strerror(errno));
	errno = 0;
	if (json_dumpfd(root, fd, JSON_INDENT(1)) || fchmod(fd, 0644) ||
	    fsync(fd))
		err = errno ? -errno : -EIO;
	close(fd);
	if (!err && rename(fresh, path))
		err = -errno;
	if (err) {
		unlink(fresh);
		sl_error_set(error, err, "%s: write it: %s", path,
			     strerror(-err));
	}
	return err;
}

int sl_trace_save(const char *path, json_t *run, struct sl_error *error)
{
	json_t *runs = NULL, *root;
	int err = 0;

	if (access(path, F_OK) == 0)
		err = sl_trace_load(path, &runs, error);
	else
		runs = json_array();
	if (err)
		return err;
	root = json_pack("{s:i, s:o}", "sluice_trace", VERSION, "runs", runs);
	if (!root || json_array_append(runs, run))
		err = sl_error_set(error, -ENOMEM, "%s: out of memory", path);
	else
		err = write_file(path, root, error);
	json_decref(root);
	return err;
}
