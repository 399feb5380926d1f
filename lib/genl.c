// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "genl.h"

#include <errno.h>
#include <linux/genetlink.h>
#include <stdio.h>
#include <string.h>

/* One message of a dump; the kernel's are at most 32 KiB. */
#define ANSWER_BYTES 32768

struct table {
	const struct nlattr **attributes;
	uint16_t most;
};

static int collect(const struct nlattr *attribute, void *data)
{
	const struct table *table = data;
	uint16_t type = mnl_attr_get_type(attribute);

	if (type <= table->most)
		table->attributes[type] = attribute;
	return MNL_CB_OK;
}

void sl_genl_attributes(const struct nlmsghdr *message,
			const struct nlattr **table, uint16_t most)
{
	struct table t = { table, most };

	memset(table, 0, (most + 1u) * sizeof(*table));
	mnl_attr_parse(message, sizeof(struct genlmsghdr), collect, &t);
}

void sl_genl_nested(const struct nlattr *nest, const struct nlattr **table,
		    uint16_t most)
{
	struct table t = { table, most };

	memset(table, 0, (most + 1u) * sizeof(*table));
	if (nest)
		mnl_attr_parse_nested(nest, collect, &t);
}

uint64_t sl_genl_number(const struct nlattr *attribute)
{
	if (!attribute)
		return 0;
	switch (mnl_attr_get_payload_len(attribute)) {
	case 1:
		return mnl_attr_get_u8(attribute);
	case 2:
		return mnl_attr_get_u16(attribute);
	case 4:
		return mnl_attr_get_u32(attribute);
	case 8:
		return mnl_attr_get_u64(attribute);
	default:
		return 0;
	}
}

struct nlmsghdr *sl_genl_begin(struct sl_genl *genl, uint8_t command, bool dump)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(genl->request);
	struct genlmsghdr *header;

	message->nlmsg_type = genl->family;
	message->nlmsg_flags = NLM_F_REQUEST | (dump ? NLM_F_DUMP : NLM_F_ACK);
	header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
	header->cmd = command;
	header->version = 1;
	return message;
}

static int read_said(const struct nlattr *attribute, void *data)
{
	struct sl_genl *genl = data;

	if (mnl_attr_get_type(attribute) == NLMSGERR_ATTR_MSG)
		snprintf(genl->said, sizeof(genl->said), "%s",
			 mnl_attr_get_str(attribute));
	return MNL_CB_OK;
}

/*
 * The end of an answer, good or bad. Behind the error stand the kernel's words,
 * after our own request where that is not left out.
 */
static void read_end(struct sl_genl *genl, const struct nlmsghdr *message)
{
	const struct nlmsgerr *end = mnl_nlmsg_get_payload(message);
	unsigned offset = sizeof(*end);

	if (message->nlmsg_type != NLMSG_ERROR ||
	    !(message->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	if (!(message->nlmsg_flags & NLM_F_CAPPED))
		offset += end->msg.nlmsg_len - sizeof(end->msg);
	mnl_attr_parse(message, offset, read_said, genl);
}

int sl_genl_ask(struct sl_genl *genl, mnl_cb_t answer, void *data)
{
	struct nlmsghdr *message = (struct nlmsghdr *)genl->request;
	char buffer[ANSWER_BYTES] __attribute__((aligned(8)));
	int ran = MNL_CB_OK;

	*genl->said = '\0';
	message->nlmsg_seq = ++genl->sequence;
	if (mnl_socket_sendto(genl->socket, message, message->nlmsg_len) < 0)
		return -errno;
	while (ran > MNL_CB_STOP) {
		ssize_t got = mnl_socket_recvfrom(genl->socket, buffer,
						  sizeof(buffer));

		if (got < 0)
			return -errno;
		if (mnl_nlmsg_ok((const struct nlmsghdr *)buffer, (int)got))
			read_end(genl, (const struct nlmsghdr *)buffer);
		ran = mnl_cb_run(buffer, (size_t)got, genl->sequence,
				 mnl_socket_get_portid(genl->socket), answer,
				 data);
	}
	return ran < 0 ? -errno : 0;
}

static int read_command(const struct nlattr *attribute, void *data)
{
	const struct nlattr *of[CTRL_ATTR_OP_MAX + 1];
	struct sl_genl *genl = data;
	uint64_t command;

	sl_genl_nested(attribute, of, CTRL_ATTR_OP_MAX);
	command = sl_genl_number(of[CTRL_ATTR_OP_ID]);
	if (command < SL_GENL_COMMANDS)
		genl->has[command] = true;
	return MNL_CB_OK;
}

static int read_family(const struct nlmsghdr *message, void *data)
{
	const struct nlattr *of[CTRL_ATTR_MAX + 1];
	struct sl_genl *genl = data;

	sl_genl_attributes(message, of, CTRL_ATTR_MAX);
	genl->family = (uint16_t)sl_genl_number(of[CTRL_ATTR_FAMILY_ID]);
	if (of[CTRL_ATTR_OPS])
		mnl_attr_parse_nested(of[CTRL_ATTR_OPS], read_command, genl);
	return MNL_CB_OK;
}

int sl_genl_open(const char *family, struct sl_genl *genl)
{
	struct nlmsghdr *message;
	const int on = 1;
	int err;

	*genl = (struct sl_genl){ .family = GENL_ID_CTRL };
	genl->socket = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	if (!genl->socket)
		return -errno;
	/* Without the kernel's words an answer serves as well. */
	mnl_socket_setsockopt(genl->socket, NETLINK_EXT_ACK, (void *)&on,
			      sizeof(on));
	if (mnl_socket_bind(genl->socket, 0, MNL_SOCKET_AUTOPID) < 0) {
		err = -errno;
		goto err_close;
	}
	message = sl_genl_begin(genl, CTRL_CMD_GETFAMILY, false);
	mnl_attr_put_strz(message, CTRL_ATTR_FAMILY_NAME, family);
	err = sl_genl_ask(genl, read_family, genl);
	if (err)
		goto err_close;
	return 0;
err_close:
	sl_genl_close(genl);
	return err;
}

void sl_genl_close(struct sl_genl *genl)
{
	if (genl->socket)
		mnl_socket_close(genl->socket);
	genl->socket = NULL;
}
