/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The settings that `sluice tune` knows, and how one is named: what it is, and
 * of which queue. That name stays: NAPI ids and interrupt numbers change when a
 * link goes down, and are looked up each time from the queue. Any thread.
 */
#ifndef SLUICE_TUNE_SETTING_H
#define SLUICE_TUNE_SETTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * In the order in which they are set: what makes a driver close and open its
 * rings first, because that takes settings of the queues with it.
 */
enum sl_tune_setting {
	SL_TUNE_CHANNELS,
	SL_TUNE_RSS,
	SL_TUNE_RX_RING,
	SL_TUNE_TX_RING,
	SL_TUNE_ADAPTIVE_RX,
	SL_TUNE_ADAPTIVE_TX,
	SL_TUNE_RX_USECS,
	SL_TUNE_TX_USECS,
	SL_TUNE_DEFER,
	SL_TUNE_FLUSH,
	SL_TUNE_SUSPEND,
	SL_TUNE_THREADED,
	SL_TUNE_IRQ_AFFINITY,
	SL_TUNE_SETTINGS
};

enum sl_tune_unit {
	SL_TUNE_INTERFACE,
	SL_TUNE_RX, /* a receive queue, and what serves it: NAPI, interrupt */
	SL_TUNE_TX, /* a transmit queue that has those of its own */
	SL_TUNE_OTHER, /* an interrupt of no queue: the first, the second */
};

struct sl_tune_key {
	enum sl_tune_setting setting;
	enum sl_tune_unit unit;
	uint32_t queue;
};

struct sl_tune_kind {
	const char *name;  /* on the command line and in the journal */
	const char *value; /* what it takes, for messages */
	bool number;	   /* else text: channels, tables, lists of CPUs */
	bool rounds;	   /* another value may stand there for what was set */
	bool restarts;	   /* a driver may close and open its rings for it */
	bool queues;	   /* is one of a queue, where the kernel can do that */
};

extern const struct sl_tune_kind sl_tune_kinds[SL_TUNE_SETTINGS];

#define SL_TUNE_UNIT_TEXT 16

/* "interface", "rx-3", "other-0". */
void sl_tune_unit_format(const struct sl_tune_key *key,
			 char text[SL_TUNE_UNIT_TEXT]);

/* The other way; false, and *key unchanged, for what is no unit. */
bool sl_tune_unit_parse(const char *text, struct sl_tune_key *key);

/* The setting of that name; false: there is none. */
bool sl_tune_setting_find(const char *name, enum sl_tune_setting *setting);

bool sl_tune_key_equal(const struct sl_tune_key *a,
		       const struct sl_tune_key *b);

/*
 * The queue whose packets cause an interrupt, by its name in /proc/interrupts
 * ("eth1-TxRx-0", "virtio1-input.0", "mlx5_comp3@pci:..."); false: its name is
 * not that of a queue's (link changes, configuration).
 */
bool sl_tune_irq_queue(const char *name, enum sl_tune_unit *unit,
		       uint32_t *queue);

/*
 * An RSS table as text: "equal N" (as `ethtool -X` makes it), or runs of queues,
 * "0*64 1*64". The caller's; NULL: no memory.
 */
char *sl_tune_rss_format(const uint32_t *table, uint32_t n);

/* The other way, to a table of n entries. 0 or -EINVAL. */
int sl_tune_rss_parse(const char *text, uint32_t *table, uint32_t n);

/*
 * Is `now` as good as `wanted`? Equal text is; and a table that spreads evenly
 * over N queues is as good as "equal N", however it is laid out.
 */
bool sl_tune_satisfied(const struct sl_tune_key *key, const char *now,
		       const char *wanted);

#endif /* SLUICE_TUNE_SETTING_H */
