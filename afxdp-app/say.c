// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "say.h"

#include <net/if.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "lib/journal.h"
#include "sluice/abi.h"

/* What is known of an object; as many as the configurations so far had names. */
struct topic {
	struct topic *next;
	struct sl_journal_about about;
	char interface[IF_NAMESIZE], rule[SL_NAME_BYTES]; /* "": none */
	char object[];					  /* terminated */
};

static struct topic *topics;
static int journal = -1; /* -1: standard error is not one */

void sl_fwd_say_init(void)
{
	if (sl_journal_is_stderr())
		journal = sl_journal_open();
}

int sl_fwd_say_fd(void)
{
	return journal;
}

/* Is the message's beginning this object, or a queue of it? */
static bool begins(const char *text, const char *object)
{
	size_t n = strlen(object);

	return strncmp(text, object, n) == 0 &&
	       (text[n] == ':' || strncmp(text + n, " queue ", 7) == 0);
}

static struct topic *topic_find(const char *object)
{
	struct topic *topic = topics;

	while (topic && strcmp(topic->object, object) != 0)
		topic = topic->next;
	return topic;
}

void sl_fwd_say_about(const char *object, const struct sl_journal_about *about)
{
	struct topic *topic = journal < 0 ? NULL : topic_find(object);

	if (journal < 0)
		return;
	if (!topic) {
		topic = calloc(1, sizeof(*topic) + strlen(object) + 1);
		if (!topic)
			return;
		strcpy(topic->object, object);
		topic->next = topics;
		topics = topic;
	}
	snprintf(topic->interface, sizeof(topic->interface), "%s",
		 about->interface ? about->interface : "");
	snprintf(topic->rule, sizeof(topic->rule), "%s",
		 about->rule ? about->rule : "");
	topic->about = (struct sl_journal_about){
		.interface = topic->interface[0] ? topic->interface : NULL,
		.rule = topic->rule[0] ? topic->rule : NULL,
		.generation = about->generation,
	};
}

/* `prefix` stands before the object, or is "". */
static void say(int priority, const char *prefix, const char *text)
{
	static const struct sl_journal_about nothing;
	const struct topic *topic = topics;
	char *whole = NULL;
	bool sent = false;

	while (topic && !begins(text, topic->object))
		topic = topic->next;
	if (journal >= 0 && asprintf(&whole, "%s%s", prefix, text) >= 0) {
		sent = sl_journal_say(journal, "sluice-fwd", priority,
				      topic ? &topic->about : &nothing, whole);
		free(whole);
	}
	if (!sent)
		fprintf(stderr, "%s%s\n", prefix, text);
}

void sl_fwd_say_error(const char *object, const char *operation, int err,
		      const char *remedy)
{
	char *text;

	if (asprintf(&text, "%s: %s: %s%s%s", object, operation, strerror(-err),
		     remedy ? "; " : "", remedy ? remedy : "") < 0)
		return;
	say(LOG_ERR, "", text);
	free(text);
}

void sl_fwd_say_of(const char *object, const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	text = sl_journal_text(object, format, arguments);
	va_end(arguments);
	if (text)
		say(LOG_WARNING, "", text);
	free(text);
}

void sl_fwd_say(const char *format, ...)
{
	va_list arguments;
	char *text;
	int n;

	va_start(arguments, format);
	n = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (n < 0)
		return;
	say(LOG_INFO, "sluice-fwd: ", text);
	free(text);
}
