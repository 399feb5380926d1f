// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "journal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define JOURNAL "/run/systemd/journal/socket"

bool sl_journal_is_stderr(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	struct stat status;
	char now[64];

	if (!stream || fstat(STDERR_FILENO, &status) < 0)
		return false;
	snprintf(now, sizeof(now), "%llu:%llu",
		 (unsigned long long)status.st_dev,
		 (unsigned long long)status.st_ino);
	return strcmp(stream, now) == 0;
}

int sl_journal_open(void)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

/* By its path each time: a journal that was started anew has another socket there. */
bool sl_journal_send(int fd, const char *lines, size_t bytes)
{
	const struct sockaddr_un to = { .sun_family = AF_UNIX,
					.sun_path = JOURNAL };
	int by = fd < 0 ? sl_journal_open() : fd;
	bool sent = by >= 0 &&
		    sendto(by, lines, bytes, MSG_NOSIGNAL | MSG_DONTWAIT,
			   (const struct sockaddr *)&to, sizeof(to)) >= 0;

	if (by >= 0 && by != fd)
		close(by);
	return sent;
}

/* A newline would begin another field. */
static void print_field(FILE *out, const char *field, const char *value)
{
	fprintf(out, "%s=", field);
	for (; *value; value++)
		fputc((unsigned char)*value < ' ' ? ' ' : *value, out);
	fputc('\n', out);
}

bool sl_journal_say(int fd, const char *identifier, int priority,
		    const struct sl_journal_about *about, const char *text)
{
	char *lines = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&lines, &bytes);
	bool sent;

	if (!out)
		return false;
	print_field(out, "MESSAGE", text);
	print_field(out, "SYSLOG_IDENTIFIER", identifier);
	fprintf(out, "PRIORITY=%d\n", priority);
	if (about->interface)
		print_field(out, "SLUICE_INTERFACE", about->interface);
	if (about->rule)
		print_field(out, "SLUICE_RULE", about->rule);
	if (about->generation)
		fprintf(out, "SLUICE_GENERATION=%llu\n",
			(unsigned long long)about->generation);
	sent = fclose(out) == 0 && sl_journal_send(fd, lines, bytes);
	free(lines);
	return sent;
}

char *sl_journal_text(const char *object, const char *format, va_list arguments)
{
	char *rest, *text;
	int n = vasprintf(&rest, format, arguments);

	if (n < 0)
		return NULL;
	n = asprintf(&text, "%s: %s", object, rest);
	free(rest);
	return n < 0 ? NULL : text;
}
