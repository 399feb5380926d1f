/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * One message for the operator: object, operation, cause, and what to do. The
 * function that knows the context says it once; its callers pass it on.
 */
#ifndef SLUICE_ERROR_H
#define SLUICE_ERROR_H

/* Start from `struct sl_error e = { "" }`. */
struct sl_error {
	char text[4096]; /* room for the tail of a verifier log */
};

/* Writes the message; returns `err` (a -errno), for `return sl_error_set(...)`.
 */
int sl_error_set(struct sl_error *error, int err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif /* SLUICE_ERROR_H */
