// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* No value here has a newline (actor.h): none would begin another field of the journal's. */
#include "audit.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "actor.h"
#include "apply.h"
#include "journal.h"

static void print_message(FILE *out, const char *action,
			  const struct sl_actor *actor,
			  const struct sl_audit_change *changes, size_t n)
{
	char who[SL_ACTOR_TEXT];

	sl_actor_print(actor, who, sizeof(who));
	fprintf(out, "%s by %s", action, who);
	for (size_t i = 0; i < n; i++)
		fprintf(out, "%s %s generation %llu -> %llu", i ? "," : ":",
			changes[i].interface,
			(unsigned long long)changes[i].before,
			(unsigned long long)changes[i].after);
	fprintf(out, "; %s", actor->command);
}

static void print_fields(FILE *out, const char *action,
			 const struct sl_actor *actor,
			 const struct sl_audit_change *changes, size_t n)
{
	fputs("MESSAGE=", out);
	print_message(out, action, actor, changes, n);
	fprintf(out,
		"\nPRIORITY=%d\nSYSLOG_IDENTIFIER=sluice\nSYSLOG_FACILITY=%d\n"
		"SLUICE_ACTION=%s\nSLUICE_UID=%u\nSLUICE_USER=%s\n"
		"SLUICE_COMMAND=%s\n",
		LOG_NOTICE, LOG_AUTHPRIV >> 3, action, actor->uid, actor->user,
		actor->command);
	if (actor->sudo_user[0])
		fprintf(out, "SLUICE_SUDO_USER=%s\n", actor->sudo_user);
	if (actor->login_uid != UINT32_MAX)
		fprintf(out, "SLUICE_LOGIN_UID=%u\n", actor->login_uid);
	if (actor->tty[0])
		fprintf(out, "SLUICE_TTY=%s\n", actor->tty);
	if (actor->ssh[0])
		fprintf(out, "SLUICE_SSH_CONNECTION=%s\n", actor->ssh);
	/* A field may come again: the n-th values belong together. */
	for (size_t i = 0; i < n; i++)
		fprintf(out,
			"SLUICE_INTERFACE=%s\nSLUICE_GENERATION_BEFORE=%llu\n"
			"SLUICE_GENERATION=%llu\n",
			changes[i].interface,
			(unsigned long long)changes[i].before,
			(unsigned long long)changes[i].after);
}

void sl_audit(const char *action, const struct sl_audit_change *changes,
	      size_t n)
{
	struct sl_actor actor;
	char *fields = NULL, *end;
	size_t bytes = 0;
	FILE *out = open_memstream(&fields, &bytes);

	if (!out)
		return;
	sl_actor_read(&actor);
	print_fields(out, action, &actor, changes, n);
	if (fclose(out) == 0 && !sl_journal_send(-1, fields, bytes)) {
		end = strchr(fields, '\n');
		syslog(LOG_AUTHPRIV | LOG_NOTICE, "%.*s",
		       (int)(end - fields - (ptrdiff_t)strlen("MESSAGE=")),
		       fields + strlen("MESSAGE="));
	}
	free(fields);
}

void sl_audit_applied(const char *action, const struct sl_applied *applied,
		      size_t n)
{
	struct sl_audit_change *changes = calloc(n + 1, sizeof(*changes));

	for (size_t i = 0; i < n && changes; i++) {
		memcpy(changes[i].interface, applied[i].interface,
		       sizeof(changes[i].interface));
		changes[i].before = applied[i].generation - 1;
		changes[i].after = applied[i].generation;
	}
	if (changes)
		sl_audit(action, changes, n);
	free(changes);
}
