/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Messages to systemd's journal with fields beside the text, by its native protocol
 * (https://systemd.io/JOURNAL_NATIVE_PROTOCOL): a datagram of FIELD=VALUE lines. No library
 * for that.
 */
#ifndef SLUICE_JOURNAL_H
#define SLUICE_JOURNAL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a message is about: SLUICE_INTERFACE, SLUICE_RULE, SLUICE_GENERATION. */
struct sl_journal_about {
	const char *interface; /* NULL: none */
	const char *rule;      /* the same */
	uint64_t generation;   /* of the interface's filter; 0: not known */
};

/* Does standard error go to the journal (systemd.exec(5), JOURNAL_STREAM)? */
bool sl_journal_is_stderr(void);

/* A socket to send by, whether or not a journal listens. The caller closes it; or -errno. */
int sl_journal_open(void);

/*
 * Sends lines as they are, by that socket or, with -1, by one made for them. False: no journal
 * took them. Never waits.
 */
bool sl_journal_send(int fd, const char *lines, size_t bytes);

/*
 * One message, of a priority of syslog(3). Control characters in it and in the names become
 * blanks. As above.
 */
bool sl_journal_say(int fd, const char *identifier, int priority,
		    const struct sl_journal_about *about, const char *text);

/* "OBJECT: " and the text. NULL: no memory; the caller frees it. */
char *sl_journal_text(const char *object, const char *format, va_list arguments)
	__attribute__((format(printf, 2, 0)));

#endif /* SLUICE_JOURNAL_H */
