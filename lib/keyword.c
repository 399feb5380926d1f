/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include "keyword.h"

#include <string.h>

#include "config.h"

const char *const sl_mode_words[] = {
	[SL_MODE_NATIVE] = "native",
	[SL_MODE_GENERIC] = "generic",
	[SL_MODE_AUTO] = "auto",
	NULL,
};

const char *const sl_attach_words[] = {
	[SL_ATTACH_EXCLUSIVE] = "exclusive",
	[SL_ATTACH_SHARED] = "shared",
	NULL,
};

/* `redirect` stands twice; the parser looks for `fib` behind it. */
const char *const sl_action_words[] = {
	[SL_ACTION_PASS] = "pass",
	[SL_ACTION_DROP] = "drop",
	[SL_ACTION_BOUNCE] = "bounce",
	[SL_ACTION_REDIRECT] = "redirect",
	[SL_ACTION_REDIRECT_FIB] = "redirect fib",
	[SL_ACTION_FORWARD] = "forward",
	[SL_ACTION_ROUTE] = "route",
	[SL_ACTION_LIMIT] = "limit",
	[SL_ACTION_COUNT] = "count",
	[SL_ACTION_LOG] = "log",
	NULL,
};

const char *const sl_proto_words[] = {
	[SL_PROTO_ANY] = "", /* is not written */
	[SL_PROTO_IP] = "ip",
	[SL_PROTO_IP6] = "ip6",
	[SL_PROTO_TCP] = "tcp",
	[SL_PROTO_UDP] = "udp",
	[SL_PROTO_ICMP] = "icmp",
	[SL_PROTO_ICMP6] = "icmp6",
	[SL_PROTO_SCTP] = "sctp",
	[SL_PROTO_NUMBER] = "proto",
	NULL,
};

const char *const sl_fragment_words[] = {
	[SL_FRAG_ANY] = "", /* is not written */
	[SL_FRAG_FIRST] = "first",
	[SL_FRAG_LATER] = "later",
	[SL_FRAG_YES] = "yes",
	[SL_FRAG_NO] = "no",
	NULL,
};

/* `code` follows `icmp-type`; `mac` is followed by src or dst. */
const char *const sl_option_words[] = {
	"flags",   "icmp-type",	 "code",      "fragment", "length", "dscp",
	"vlan",	   "inner-vlan", "ethertype", "mac",	  "mac",    "observe",
	"expires", "owner",	 "band",      NULL,
};

_Static_assert(sizeof(sl_option_words) / sizeof(sl_option_words[0]) ==
		       SL_OPT_COUNT + 1,
	       "one word an option");

/* RFC 9293, section 3.1; RFC 3168 for the two highest. */
const char *const sl_flag_words[] = {
	"fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr", NULL,
};

const char *const sl_poll_words[] = {
	[SL_POLL_SLEEP] = "sleep",
	[SL_POLL_ADAPTIVE] = "adaptive",
	[SL_POLL_BUSY] = "busy",
	NULL,
};

const char *const sl_zerocopy_words[] = {
	[SL_ZC_AUTO] = "auto",
	[SL_ZC_REQUIRE] = "require",
	[SL_ZC_OFF] = "off",
	NULL,
};

const char *const sl_stage_words[] = {
	[SL_STAGE_POLICE] = "police",
	[SL_STAGE_MIRROR] = "mirror",
	[SL_STAGE_CAPTURE] = "capture",
	[SL_STAGE_USER] = "stage",
	NULL,
};

static bool in_table(const char *const *words, const char *word, size_t length)
{
	for (; *words; words++)
		if (**words && strlen(*words) == length &&
		    !memcmp(*words, word, length))
			return true;
	return false;
}

bool sl_keyword_in_rule(const char *word, size_t length)
{
	static const char *const parts[] = { "on", "from", "to", "fib", NULL };

	return in_table(parts, word, length) ||
	       in_table(sl_proto_words, word, length) ||
	       in_table(sl_option_words, word, length);
}

const char *sl_mode_text(enum sl_mode mode)
{
	return sl_mode_words[mode];
}

const char *sl_action_text(enum sl_action action)
{
	return sl_action_words[action];
}
