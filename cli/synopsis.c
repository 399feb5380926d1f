// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "synopsis.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define EACH ", each "

/* Where the form ends: at a `|` of its own, at EACH, or with the text. */
static size_t form_length(const char *text)
{
	size_t i;
	int depth = 0;

	for (i = 0; text[i]; i++) {
		depth += (text[i] == '[') - (text[i] == ']');
		if (!depth && strncmp(text + i, " | ", 3) == 0)
			break;
		if (strncmp(text + i, EACH, strlen(EACH)) == 0)
			break;
	}
	return i;
}

bool cli_synopsis_form(const char **arguments, char form[CLI_FORM_BYTES])
{
	const char *text = *arguments, *each;
	size_t length;

	if (!text)
		return false;
	each = strstr(text, EACH);
	length = form_length(text);
	snprintf(form, CLI_FORM_BYTES, "%.*s%s%s", (int)length, text,
		 each ? " " : "", each ? each + strlen(EACH) : "");
	*arguments = strncmp(text + length, " | ", 3) == 0 ? text + length + 3 :
							     NULL;
	return true;
}

/* The next word between blanks and brackets; how long it is. */
static size_t next_word(const char **form)
{
	*form += strspn(*form, " []|.");
	return strcspn(*form, " ]");
}

static void copy(char *to, const char *word, size_t length)
{
	while (length && (word[length - 1] == '.' || word[length - 1] == ','))
		length--;
	snprintf(to, CLI_PART_BYTES, "%.*s", (int)length, word);
}

bool cli_synopsis_part(const char **form, struct cli_part *part)
{
	size_t length = next_word(form);

	*part = (struct cli_part){ .word = "" };
	if (!length)
		return false;
	copy(part->word, *form, length);
	/* `--watch[=SECONDS]`: a value that is no word of its own. */
	if (part->word[0] == '-' && part->word[1])
		part->word[strcspn(part->word, "[=")] = '\0';
	part->repeats = length > 3 &&
			strncmp(*form + length - 3, "...", 3) == 0;
	*form += length;
	if (part->word[0] != '-' || **form != ' ' ||
	    !isupper((unsigned char)(*form)[1]))
		return true;
	length = next_word(form);
	copy(part->value, *form, length);
	*form += length;
	return true;
}

bool cli_synopsis_is_choice(const char *choices, const char *word)
{
	size_t length = strlen(word);

	for (const char *at = choices; *at; at += strcspn(at, "|")) {
		at += *at == '|';
		if (length && strncmp(at, word, length) == 0 &&
		    strchr("|", at[length]))
			return true;
	}
	return false;
}
