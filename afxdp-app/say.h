/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Messages to the operator, on standard error, one line each:
 *
 *	OBJECT: OPERATION: CAUSE; REMEDY
 *
 * Main thread only.
 */
#ifndef SLUICE_FWD_SAY_H
#define SLUICE_FWD_SAY_H

/* `err` is -errno; `remedy` may be NULL. */
void sl_fwd_say_error(const char *object, const char *operation, int err,
		      const char *remedy);

/* The same where there is no errno: "OBJECT: " and the text. */
void sl_fwd_say_of(const char *object, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Anything else worth a line: "sluice-fwd: " and the text. */
void sl_fwd_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif /* SLUICE_FWD_SAY_H */
