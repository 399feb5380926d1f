// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "ctl.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/fwdctl.h"
#include "say.h"

enum { EXIT_DONE, EXIT_INPUT, EXIT_USAGE, EXIT_SYSTEM };

/* The answer is a line, with the size of what follows it, if anything does. 0 or -errno. */
static int answer_print(int fd, const char *line, int *status)
{
	json_t *object = json_loads(line, 0, NULL);
	size_t bytes =
		(size_t)json_integer_value(json_object_get(object, "bytes"));
	char *more = NULL;
	int err = bytes ? sl_fwdctl_more(fd, bytes, &more) : 0;

	if (!object)
		err = -EPROTO;
	if (!err)
		printf("%s\n%s", line, more ? more : "");
	if (json_object_get(object, "error"))
		*status = EXIT_SYSTEM;
	json_decref(object);
	free(more);
	return err;
}

static int ask(int fd, const char *request, int *status)
{
	json_t *object = json_pack("{s:s}", "request", request);
	char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
	char *line = NULL;
	int err = text ? sl_fwdctl_ask(fd, text, &line) : -ENOMEM;

	json_decref(object);
	free(text);
	if (!err)
		err = answer_print(fd, line, status);
	free(line);
	return err;
}

int sl_ctl_run(const char *request)
{
	struct sl_fwdctl *found;
	int status = EXIT_DONE;
	size_t n;
	int err = sl_fwdctl_connect(0, &found, &n);

	if (err || !n) {
		sl_fwd_say_error(
			SL_FWDCTL_DIRECTORY, "find a forwarder",
			err ? err : -ENOENT,
			"one must run in this network namespace, as a user that "
			"may be asked");
		return EXIT_SYSTEM;
	}
	for (size_t i = 0; i < n; i++) {
		char name[32];

		err = found[i].fd;
		if (err >= 0)
			err = ask(found[i].fd, request, &status);
		if (err) {
			snprintf(name, sizeof(name), "forwarder %d",
				 found[i].pid);
			sl_fwd_say_error(name, request, err, NULL);
			status = EXIT_SYSTEM;
		}
	}
	sl_fwdctl_close(found, n);
	return status;
}
