/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What `sluice doctor` found: a list of named facts, each with what follows
 * from it and what to do.
 */
#ifndef SLUICE_FINDING_H
#define SLUICE_FINDING_H

#include <stdbool.h>
#include <stddef.h>

enum sl_severity {
	SL_SEVERITY_OK,
	SL_SEVERITY_NOTE, /* good to know; nothing is wrong */
	SL_SEVERITY_WARN, /* costs speed or packets in some set-ups */
	SL_SEVERITY_BAD,  /* something does not work as it stands */
};

struct sl_finding {
	const char *name; /* a stable key; static */
	enum sl_severity severity;
	bool known; /* false: it could not be seen; `value` says why */
	char *value;
	char *consequence; /* NULL: none worth a line */
	char *remedy;	   /* NULL: none, or none needed */
};

/* Start from { 0 }; sl_findings_fini() frees the contents. */
struct sl_findings {
	struct sl_finding *items;
	size_t n_items;
	bool lost; /* memory ran out: the list is not whole */
};

/* Adds one that is known. The others act on the one added last. */
void sl_finding_add(struct sl_findings *findings, const char *name,
		    enum sl_severity severity, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
void sl_finding_means(struct sl_findings *findings, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void sl_finding_remedy(struct sl_findings *findings, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Adds one that could not be seen, and why: a note. */
void sl_finding_unseen(struct sl_findings *findings, const char *name,
		       const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* "ok", "note", "warn", "bad". */
const char *sl_severity_text(enum sl_severity severity);

void sl_findings_fini(struct sl_findings *findings);

#endif /* SLUICE_FINDING_H */
