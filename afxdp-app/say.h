/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Messages to the operator, on standard error, one line each:
 *
 *	OBJECT: OPERATION: CAUSE; REMEDY
 *
 * Where standard error goes to systemd's journal they go there themselves, with what is known
 * of the object in fields (lib/journal.h). Main thread only.
 */
#ifndef SLUICE_FWD_SAY_H
#define SLUICE_FWD_SAY_H

struct sl_journal_about;

/* Before the first message, and before the data plane is started, which has it, too. */
void sl_fwd_say_init(void);

/* The descriptor that messages go by, which the data plane keeps; -1: standard error. */
int sl_fwd_say_fd(void);

/*
 * What messages about `object` are about, and those about a queue of it ("eth1 queue 0"); in
 * place of what was known. The names are copied. Without a journal nothing is kept.
 */
void sl_fwd_say_about(const char *object, const struct sl_journal_about *about);

/* `err` is -errno; `remedy` may be NULL. */
void sl_fwd_say_error(const char *object, const char *operation, int err,
		      const char *remedy);

/* The same where there is no errno: "OBJECT: " and the text. */
void sl_fwd_say_of(const char *object, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Anything else worth a line: "sluice-fwd: " and the text, which may be of an object, as above.
 */
void sl_fwd_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif /* SLUICE_FWD_SAY_H */
