// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "finding.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void set_text(struct sl_findings *findings, char **text,
		     const char *format, va_list args)
{
	char *new = NULL;

	if (vasprintf(&new, format, args) < 0) {
		findings->lost = true;
		return;
	}
	free(*text);
	*text = new;
}

static struct sl_finding *append(struct sl_findings *findings,
				 struct sl_finding finding)
{
	struct sl_finding *more = reallocarray(findings->items,
					       findings->n_items + 1,
					       sizeof(*findings->items));

	if (!more) {
		findings->lost = true;
		return NULL;
	}
	findings->items = more;
	more[findings->n_items] = finding;
	return &more[findings->n_items++];
}

void sl_finding_add(struct sl_findings *findings, const char *name,
		    enum sl_severity severity, const char *format, ...)
{
	struct sl_finding *f =
		append(findings, (struct sl_finding){ .name = name,
						      .severity = severity,
						      .known = true });
	va_list args;

	if (!f)
		return;
	va_start(args, format);
	set_text(findings, &f->value, format, args);
	va_end(args);
}

void sl_finding_unseen(struct sl_findings *findings, const char *name,
		       const char *format, ...)
{
	struct sl_finding *f = append(
		findings, (struct sl_finding){ .name = name,
					       .severity = SL_SEVERITY_NOTE });
	va_list args;

	if (!f)
		return;
	va_start(args, format);
	set_text(findings, &f->value, format, args);
	va_end(args);
}

void sl_finding_means(struct sl_findings *findings, const char *format, ...)
{
	va_list args;

	if (!findings->n_items)
		return;
	va_start(args, format);
	set_text(findings, &findings->items[findings->n_items - 1].consequence,
		 format, args);
	va_end(args);
}

void sl_finding_remedy(struct sl_findings *findings, const char *format, ...)
{
	va_list args;

	if (!findings->n_items)
		return;
	va_start(args, format);
	set_text(findings, &findings->items[findings->n_items - 1].remedy,
		 format, args);
	va_end(args);
}

const char *sl_severity_text(enum sl_severity severity)
{
	static const char *const texts[] = {
		[SL_SEVERITY_OK] = "ok",
		[SL_SEVERITY_NOTE] = "note",
		[SL_SEVERITY_WARN] = "warn",
		[SL_SEVERITY_BAD] = "bad",
	};

	return texts[severity];
}

void sl_findings_fini(struct sl_findings *findings)
{
	for (size_t i = 0; i < findings->n_items; i++) {
		free(findings->items[i].value);
		free(findings->items[i].consequence);
		free(findings->items[i].remedy);
	}
	free(findings->items);
	*findings = (struct sl_findings){ 0 };
}
