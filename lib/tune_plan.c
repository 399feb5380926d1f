// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The choices, and their reasons.
 *
 * channels, rss: a queue a worker. More, and one worker serves queues in turn;
 *	fewer, and a worker has nothing to do.
 * rx-ring, tx-ring: RING entries, if there are fewer: 64-byte packets at 10
 *	Gbit/s fill so many in 69 us, which a worker that was held up gets over.
 *	A longer ring is left as it is.
 * adaptive off, rx-usecs and tx-usecs COALESCE_US (`poll sleep` alone): a card
 *	that changes its mind about interrupts makes figures that do not repeat.
 *	Polling workers leave the card's own delay as it is: their interrupts
 *	are off while there is work, and the first packet after that should not
 *	wait.
 * deferral: DEFER polls that find nothing, FLUSH_NS apart, before the interrupt
 *	is on again. On veth at 100,000 packets a second 0.03 NAPI polls a
 *	packet with these, 1.0 without, for 4-8 us of latency; with a FLUSH_NS
 *	of 50 us 0.08.
 * irq-suspend: left as it is, unless asked for: only epoll_wait() suspends
 *	interrupts by it (fs/eventpoll.c), and an AF_XDP socket is polled by
 *	recvfrom().
 * irq-affinity: the interrupt of queue N to the CPU of the worker that serves
 *	it, so a packet stays in one core's cache.
 * threaded NAPI: left as it is, unless asked for: it moves polls to a kernel
 *	thread that the scheduler places.
 */
#include "tune_plan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "doctor_nic.h"
#include "keyword.h"
#include "sysfs.h"
#include "tune_device.h"

#define RING 1024
#define COALESCE_US 50u
#define DEFER 2
#define FLUSH_NS 200000

/* What is being planned. */
struct draft {
	const struct sl_nic *nic;
	const struct sl_tune_wish *wish;
	struct sl_tune_list *plan;
	uint32_t queues; /* that there will be */
	bool lost;	 /* memory ran out */
};

static const char no_why[] = "";

/* NULL for the value: nothing is wished, unless the operator does. */
static void want(struct draft *draft, const struct sl_tune_key *key,
		 const char *value, const char *why)
{
	const char *given = draft->wish->set[key->setting];
	struct sl_tune_item *item;

	if (!given && !value)
		return;
	item = sl_tune_list_add(draft->plan, draft->nic->name, key);
	if (item) {
		item->wanted = strdup(given ? given : value);
		item->why = strdup(given ? "asked for" : why);
		item->given = given;
	}
	draft->lost |= !item || !item->wanted || !item->why;
}

static void want_number(struct draft *draft, const struct sl_tune_key *key,
			uint64_t value, const char *why)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	want(draft, key, text, why);
}

static void want_of_interface(struct draft *draft, enum sl_tune_setting setting,
			      const char *value, const char *why)
{
	const struct sl_tune_key key = { .setting = setting };

	want(draft, &key, value, why);
}

static uint32_t count_workers(const struct sl_tune_wish *wish)
{
	return wish->workers ? wish->workers : (uint32_t)wish->n_cpus;
}

static uint32_t least(unsigned long a, uint32_t b)
{
	return a < b ? (uint32_t)a : b;
}

static void plan_queues(struct draft *draft)
{
	const char *asked = draft->wish->set[SL_TUNE_CHANNELS];
	const struct sl_nic *nic = draft->nic;
	uint32_t workers = count_workers(draft->wish), most;
	char text[16], why[64];

	draft->queues = nic->channels.err ? 1 : nic->channels.rx;
	if (!nic->channels.rx || nic->channels.err)
		draft->queues = (uint32_t)sl_nic_count_queues(nic, false);
	most = nic->channels.err ? draft->queues : nic->channels.rx_max;
	if (nic->channels.tx_max)
		most = least(most, nic->channels.tx_max);
	snprintf(text, sizeof(text), "%u", least(workers, most));
	snprintf(why, sizeof(why), "%u worker%s, %u queue%s at most", workers,
		 workers == 1 ? "" : "s", most, most == 1 ? "" : "s");
	want_of_interface(draft, SL_TUNE_CHANNELS, text, why);
	/* More than there can be will be refused, and needs no rows. */
	if (!nic->channels.err)
		draft->queues =
			least(strtoul(asked ? asked : text, NULL, 10), most);
	snprintf(text, sizeof(text), "%u", draft->queues);
	want_of_interface(draft, SL_TUNE_RSS,
			  draft->queues > 1 || !nic->rss.err ? text : NULL,
			  "packets to each of the queues");
}

static void plan_ring(struct draft *draft, enum sl_tune_setting setting,
		      uint32_t now, uint32_t most)
{
	bool shorter = draft->nic->rings.err || now < RING;
	const struct sl_tune_key key = { .setting = setting };

	if (most && most < RING && now == most)
		shorter = false;
	want_number(draft, &key,
		    !shorter		? now :
		    most && most < RING ? most :
					  RING,
		    shorter ?
			    "a burst while the core is elsewhere is not lost" :
			    "long enough");
}

static void plan_coalescing(struct draft *draft)
{
	bool sleeps = draft->wish->poll == SL_POLL_SLEEP;
	char text[16];

	snprintf(text, sizeof(text), "%u", COALESCE_US);
	want_of_interface(draft, SL_TUNE_ADAPTIVE_RX, "0",
			  "the card does not change it by itself");
	want_of_interface(draft, SL_TUNE_ADAPTIVE_TX, "0",
			  "the card does not change it by itself");
	want_of_interface(draft, SL_TUNE_RX_USECS, sleeps ? text : NULL,
			  "poll sleep: one interrupt for many packets");
	want_of_interface(draft, SL_TUNE_TX_USECS, sleeps ? text : NULL,
			  "poll sleep: one interrupt for many packets");
}

/* Does the kernel set them for each NAPI, and does the driver name those? */
static bool is_per_napi(const struct sl_nic *nic)
{
	for (size_t i = 0; i < nic->queues.n; i++)
		if (nic->queues.items[i].napi &&
		    !nic->queues.items[i].polling.suspend_err)
			return true;
	return false;
}

/* Have transmit queues a NAPI (or an interrupt) that no receive queue has? */
static bool has_tx_napi(const struct sl_nic *nic)
{
	for (size_t i = 0; i < nic->queues.n; i++) {
		const struct sl_nic_queue *tx = &nic->queues.items[i];
		bool shared = !tx->tx || !tx->napi;

		for (size_t j = 0; j < nic->queues.n; j++)
			shared |= !nic->queues.items[j].tx &&
				  nic->queues.items[j].napi == tx->napi;
		if (!shared)
			return true;
	}
	return false;
}

static bool has_tx_irq(const struct sl_nic *nic)
{
	enum sl_tune_unit unit;
	uint32_t queue;

	for (size_t i = 0; i < nic->irqs.n; i++)
		if (sl_tune_irq_queue(nic->irqs.items[i].name, &unit, &queue) &&
		    unit == SL_TUNE_TX)
			return true;
	return false;
}

/* A row for each NAPI there will be, or one for the interface. */
static void want_of_napis(struct draft *draft, enum sl_tune_setting setting,
			  bool each, const char *value, const char *why)
{
	struct sl_tune_key key = { .setting = setting };
	bool tx = has_tx_napi(draft->nic);

	if (!each) {
		want(draft, &key, value, why);
		return;
	}
	for (key.queue = 0; key.queue < draft->queues; key.queue++) {
		key.unit = SL_TUNE_RX;
		want(draft, &key, value, why);
		key.unit = SL_TUNE_TX;
		if (tx)
			want(draft, &key, value, why);
	}
}

static void plan_napi(struct draft *draft)
{
	const struct sl_tune_wish *wish = draft->wish;
	bool each = is_per_napi(draft->nic), threads = false;
	char defer[16], flush[24], why[96];

	snprintf(defer, sizeof(defer), "%u", wish->defer ? wish->defer : DEFER);
	snprintf(flush, sizeof(flush), "%" PRIu64,
		 wish->timeout_ns ? wish->timeout_ns : FLUSH_NS);
	snprintf(why, sizeof(why), "poll %s: interrupts stay off between polls",
		 sl_poll_words[wish->poll]);
	want_of_napis(draft, SL_TUNE_DEFER, each, defer, why);
	want_of_napis(draft, SL_TUNE_FLUSH, each, flush, why);
	want_of_napis(draft, SL_TUNE_SUSPEND, each, NULL, no_why);
	for (size_t i = 0; i < draft->nic->queues.n; i++)
		threads |= draft->nic->queues.items[i].napi &&
			   !draft->nic->queues.items[i].polling.threaded_err;
	want_of_napis(draft, SL_TUNE_THREADED, threads, NULL, no_why);
}

static void want_irq(struct draft *draft, enum sl_tune_unit unit,
		     uint32_t queue, const char *cpu, const char *why)
{
	const struct sl_tune_key key = { SL_TUNE_IRQ_AFFINITY, unit, queue };

	want(draft, &key, cpu, why);
}

/* Where the card tells of none, each CPU is as near as another. */
static bool is_near(const char *near, uint32_t cpu)
{
	return !*near || sl_sysfs_list_has(near, cpu);
}

/* The worker's CPU: one of the given, or, if we choose, of those near the card. */
static uint32_t find_cpu(const struct draft *draft, uint32_t worker)
{
	const struct sl_tune_wish *wish = draft->wish;
	const char *near = draft->nic->sysfs.local_cpus;
	size_t n = 0;

	for (size_t i = 0; i < wish->n_cpus; i++)
		n += is_near(near, wish->cpus[i]);
	if (!wish->n_cpus)
		return 0;
	if (wish->cpus_given || !n)
		return wish->cpus[worker % wish->n_cpus];
	n = worker % n;
	for (size_t i = 0; i < wish->n_cpus; i++)
		if (is_near(near, wish->cpus[i]) && n-- == 0)
			return wish->cpus[i];
	return wish->cpus[0];
}

static void plan_irqs(struct draft *draft)
{
	const char *near = draft->nic->sysfs.local_cpus;
	uint32_t workers = count_workers(draft->wish);
	bool tx = has_tx_irq(draft->nic);

	/* A device in software has no interrupt, and needs no row. */
	if (!draft->nic->irqs.n && !draft->wish->set[SL_TUNE_IRQ_AFFINITY])
		return;
	for (uint32_t queue = 0; queue < draft->queues; queue++) {
		uint32_t worker = queue % workers;
		uint32_t cpu = find_cpu(draft, worker);
		char text[16], why[160];

		snprintf(text, sizeof(text), "%u", cpu);
		snprintf(why, sizeof(why), "worker %u's core%s%s%s", worker,
			 is_near(near, cpu) ? "" :
					      ", far from the card (near: ",
			 is_near(near, cpu) ? "" : near,
			 is_near(near, cpu) ? "" : ")");
		want_irq(draft, SL_TUNE_RX, queue, text, why);
		if (tx)
			want_irq(draft, SL_TUNE_TX, queue, text, why);
	}
}

int sl_tune_plan(const struct sl_nic *nic, const struct sl_tune_wish *wish,
		 struct sl_tune_list *plan)
{
	struct draft draft = { .nic = nic, .wish = wish, .plan = plan };

	plan_queues(&draft);
	plan_ring(&draft, SL_TUNE_RX_RING, nic->rings.rx, nic->rings.rx_max);
	plan_ring(&draft, SL_TUNE_TX_RING, nic->rings.tx, nic->rings.tx_max);
	plan_coalescing(&draft);
	plan_napi(&draft);
	plan_irqs(&draft);
	return draft.lost ? -ENOMEM : 0;
}

/* The reason in place of a value. */
static void end_unread(struct sl_tune_item *item, int err)
{
	if (err == -ENOENT && item->key.unit != SL_TUNE_INTERFACE)
		sl_tune_item_end(item, SL_TUNE_LATER,
				 "the queue is not there yet");
	else if (err == -EOPNOTSUPP)
		sl_tune_item_end(item, SL_TUNE_UNSUPPORTED,
				 "this kernel or driver has not that setting");
	else
		sl_tune_item_end(item, SL_TUNE_UNSUPPORTED, "%s",
				 strerror(-err));
}

static int form(struct sl_tune_device *device, struct sl_tune_item *item)
{
	char *formed;
	int err;

	if (item->formed)
		return 0;
	err = sl_tune_form(device, &item->key, item->wanted, &formed);
	if (err)
		return err;
	free(item->wanted);
	item->wanted = formed;
	item->formed = true;
	return 0;
}

static int look(struct sl_tune_device *device, struct sl_tune_item *item)
{
	int err = sl_tune_read(device, &item->key, &item->now);

	if (err == -ENODEV || err == -ENOMEM)
		return err;
	if (err) {
		end_unread(item, err);
		return 0;
	}
	err = form(device, item);
	if (err)
		return err;
	sl_tune_item_end(item,
			 sl_tune_satisfied(&item->key, item->now,
					   item->wanted) ?
				 SL_TUNE_SAME :
				 SL_TUNE_CHANGE,
			 NULL);
	return 0;
}

int sl_tune_plan_look(struct sl_tune_device *device, struct sl_tune_list *plan,
		      const struct sl_tune_item **bad)
{
	for (size_t i = 0; i < plan->n; i++) {
		int err = look(device, &plan->items[i]);

		if (err) {
			*bad = &plan->items[i];
			return err;
		}
	}
	return 0;
}
