// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Channels, rings and coalescing by ethtool netlink, of which one attribute can
 * be set at a time: the kernel leaves the others as they are.
 */
#include "tune_device.h"

#include <errno.h>
#include <linux/ethtool_netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* More than any of the messages read here has. */
#define TYPES 64

static const struct field {
	uint8_t get, set;
	uint16_t type;
	uint16_t most_type; /* the most that it can be; 0: not told */
	bool byte;	    /* a u8, else a u32 */
} fields[SL_TUNE_SETTINGS] = {
	[SL_TUNE_RX_RING] = { ETHTOOL_MSG_RINGS_GET, ETHTOOL_MSG_RINGS_SET,
			      ETHTOOL_A_RINGS_RX, ETHTOOL_A_RINGS_RX_MAX,
			      false },
	[SL_TUNE_TX_RING] = { ETHTOOL_MSG_RINGS_GET, ETHTOOL_MSG_RINGS_SET,
			      ETHTOOL_A_RINGS_TX, ETHTOOL_A_RINGS_TX_MAX,
			      false },
	[SL_TUNE_ADAPTIVE_RX] = { ETHTOOL_MSG_COALESCE_GET,
				  ETHTOOL_MSG_COALESCE_SET,
				  ETHTOOL_A_COALESCE_USE_ADAPTIVE_RX, 0, true },
	[SL_TUNE_ADAPTIVE_TX] = { ETHTOOL_MSG_COALESCE_GET,
				  ETHTOOL_MSG_COALESCE_SET,
				  ETHTOOL_A_COALESCE_USE_ADAPTIVE_TX, 0, true },
	[SL_TUNE_RX_USECS] = { ETHTOOL_MSG_COALESCE_GET,
			       ETHTOOL_MSG_COALESCE_SET,
			       ETHTOOL_A_COALESCE_RX_USECS, 0, false },
	[SL_TUNE_TX_USECS] = { ETHTOOL_MSG_COALESCE_GET,
			       ETHTOOL_MSG_COALESCE_SET,
			       ETHTOOL_A_COALESCE_TX_USECS, 0, false },
};

static const struct part {
	const char *name;
	uint16_t type, most_type;
} parts[] = {
	{ "rx", ETHTOOL_A_CHANNELS_RX_COUNT, ETHTOOL_A_CHANNELS_RX_MAX },
	{ "tx", ETHTOOL_A_CHANNELS_TX_COUNT, ETHTOOL_A_CHANNELS_TX_MAX },
	{ "combined", ETHTOOL_A_CHANNELS_COMBINED_COUNT,
	  ETHTOOL_A_CHANNELS_COMBINED_MAX },
};

#define PARTS (sizeof(parts) / sizeof(*parts))

struct answer {
	bool has[TYPES];
	uint32_t value[TYPES];
};

static int read_answer(const struct nlmsghdr *message, void *data)
{
	const struct nlattr *of[TYPES];
	struct answer *answer = data;

	sl_genl_attributes(message, of, TYPES - 1);
	/* 1 is the header, in each of the messages. */
	for (int i = 2; i < TYPES; i++) {
		answer->has[i] = of[i];
		answer->value[i] = (uint32_t)sl_genl_number(of[i]);
	}
	return MNL_CB_OK;
}

static struct nlmsghdr *begin(struct sl_tune_device *device, uint8_t command)
{
	struct nlmsghdr *message =
		sl_genl_begin(&device->ethtool, command, false);
	struct nlattr *header = mnl_attr_nest_start(message, 1);

	mnl_attr_put_u32(message, ETHTOOL_A_HEADER_DEV_INDEX,
			 (uint32_t)device->ifindex);
	mnl_attr_nest_end(message, header);
	return message;
}

static int ask(struct sl_tune_device *device, uint8_t command,
	       struct answer *answer)
{
	*answer = (struct answer){ 0 };
	if (device->ethtool_err || !device->ethtool.has[command])
		return -EOPNOTSUPP;
	begin(device, command);
	return sl_genl_ask(&device->ethtool, read_answer, answer);
}

static int tell(struct sl_tune_device *device)
{
	int err = sl_genl_ask(&device->ethtool, NULL, NULL);

	snprintf(device->said, sizeof(device->said), "%s",
		 device->ethtool.said);
	return err;
}

/* "rx 2 tx 2", "combined 4": the kinds that the driver can have any of. */
static int read_channels(struct sl_tune_device *device, char **value)
{
	struct answer answer;
	size_t bytes = 0;
	FILE *out;
	int err = ask(device, ETHTOOL_MSG_CHANNELS_GET, &answer);

	if (err)
		return err;
	out = open_memstream(value, &bytes);
	if (!out)
		return -ENOMEM;
	for (size_t i = 0; i < PARTS; i++)
		if (answer.value[parts[i].most_type])
			fprintf(out, "%s%s %u", ftell(out) > 0 ? " " : "",
				parts[i].name, answer.value[parts[i].type]);
	return fclose(out) ? -ENOMEM : 0;
}

/* What is given is what was read, or made of it: pairs of word and number. */
static int write_channels(struct sl_tune_device *device, const char *value)
{
	struct nlmsghdr *message = begin(device, ETHTOOL_MSG_CHANNELS_SET);

	while (*value) {
		size_t length = strcspn(value, " ");
		char *end;
		unsigned long n = strtoul(value + length, &end, 10);

		for (size_t i = 0; i < PARTS; i++)
			if (strlen(parts[i].name) == length &&
			    strncmp(value, parts[i].name, length) == 0)
				mnl_attr_put_u32(message, parts[i].type,
						 (uint32_t)n);
		value = end + (*end == ' ');
	}
	return tell(device);
}

int sl_tune_channels_form(struct sl_tune_device *device, uint32_t queues,
			  char **form)
{
	struct answer answer;
	int err = ask(device, ETHTOOL_MSG_CHANNELS_GET, &answer);

	if (err)
		return err;
	if (!answer.value[ETHTOOL_A_CHANNELS_COMBINED_MAX])
		return asprintf(form, "rx %u tx %u", queues, queues) < 0 ?
			       -ENOMEM :
			       0;
	/* Those with all three kinds take the queues of one kind from the rest. */
	err = asprintf(form, "%s%scombined %u",
		       answer.value[ETHTOOL_A_CHANNELS_RX_MAX] ? "rx 0 " : "",
		       answer.value[ETHTOOL_A_CHANNELS_TX_MAX] ? "tx 0 " : "",
		       queues);
	return err < 0 ? -ENOMEM : 0;
}

int sl_tune_ethtool_read(struct sl_tune_device *device,
			 enum sl_tune_setting setting, char **value)
{
	const struct field *field = &fields[setting];
	struct answer answer;
	int err;

	if (setting == SL_TUNE_CHANNELS)
		return read_channels(device, value);
	err = ask(device, field->get, &answer);
	if (err)
		return err;
	if (!answer.has[field->type] ||
	    (field->most_type && !answer.value[field->most_type]))
		return -EOPNOTSUPP;
	return sl_tune_number(answer.value[field->type], value);
}

int sl_tune_ethtool_write(struct sl_tune_device *device,
			  enum sl_tune_setting setting, const char *value)
{
	const struct field *field = &fields[setting];
	struct nlmsghdr *message;
	uint32_t number;

	if (device->ethtool_err)
		return -EOPNOTSUPP;
	if (setting == SL_TUNE_CHANNELS)
		return write_channels(device, value);
	number = (uint32_t)strtoul(value, NULL, 10);
	message = begin(device, field->set);
	if (field->byte)
		mnl_attr_put_u8(message, field->type, number != 0);
	else
		mnl_attr_put_u32(message, field->type, number);
	return tell(device);
}
