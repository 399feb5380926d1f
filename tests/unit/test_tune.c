// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * What `sluice tune` makes of a card and a wish, and the texts by which it knows
 * settings again: names of interrupts, units, tables of RSS.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/doctor_nic.h"
#include "lib/tune_plan.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define QUEUES 2

/* A card with two queues that has all there is, and four CPUs. */
struct world {
	struct sl_nic nic;
	struct sl_nic_queue queues[2 * QUEUES];
	struct sl_nic_irq irqs[QUEUES + 1];
	uint32_t cpus[4];
	struct sl_tune_wish wish;
	struct sl_tune_list plan;
};

static void prepare(struct world *w)
{
	*w = (struct world){
		.nic = { .name = "eth1",
			 .up = true,
			 .rings = { 0, 256, 4096, 256, 512 },
			 .channels = { 0, QUEUES, 8, QUEUES, 8 },
			 .queues = { .n = 2 * QUEUES },
			 .irqs = { .n = QUEUES + 1 } },
		.irqs = { { 30, "eth1", "0-3", "0" },
			  { 31, "eth1-TxRx-0", "0-3", "0" },
			  { 32, "eth1-TxRx-1", "0-3", "0" } },
		.cpus = { 0, 1, 2, 3 },
		.wish = { .n_cpus = 4 },
	};
	for (uint32_t i = 0; i < 2 * QUEUES; i++)
		w->queues[i] = (struct sl_nic_queue){ .id = i % QUEUES,
						      .tx = i / QUEUES,
						      .napi = 500 + i % QUEUES,
						      .irq = SL_NIC_UNKNOWN };
	w->nic.queues.items = w->queues;
	w->nic.irqs.items = w->irqs;
	w->wish.cpus = w->cpus;
}

static void plan(struct world *w)
{
	sl_tune_list_fini(&w->plan);
	assert_int_equal(sl_tune_plan(&w->nic, &w->wish, &w->plan), 0);
}

static const struct sl_tune_item *
find(const struct world *w, enum sl_tune_setting setting, const char *unit)
{
	struct sl_tune_key key = { .setting = setting };

	assert_true(sl_tune_unit_parse(unit, &key));
	for (size_t i = 0; i < w->plan.n; i++)
		if (sl_tune_key_equal(&w->plan.items[i].key, &key))
			return &w->plan.items[i];
	return NULL;
}

static void wants(const struct world *w, enum sl_tune_setting setting,
		  const char *unit, const char *value)
{
	const struct sl_tune_item *item = find(w, setting, unit);

	if (!value) {
		assert_null(item);
		return;
	}
	assert_non_null(item);
	assert_string_equal(item->wanted, value);
	assert_true(*item->why != '\0');
}

static void a_sleeper(void **state)
{
	struct world w;

	(void)state;
	prepare(&w);
	plan(&w);
	wants(&w, SL_TUNE_CHANNELS, "interface", "4");
	wants(&w, SL_TUNE_RSS, "interface", "4");
	wants(&w, SL_TUNE_RX_RING, "interface", "1024");
	wants(&w, SL_TUNE_TX_RING, "interface", "512");
	wants(&w, SL_TUNE_ADAPTIVE_RX, "interface", "0");
	wants(&w, SL_TUNE_RX_USECS, "interface", "50");
	wants(&w, SL_TUNE_DEFER, "rx-0", "2");
	wants(&w, SL_TUNE_DEFER, "rx-3", "2");
	wants(&w, SL_TUNE_DEFER, "rx-4", NULL);
	wants(&w, SL_TUNE_DEFER, "tx-0", NULL);
	wants(&w, SL_TUNE_DEFER, "interface", NULL);
	wants(&w, SL_TUNE_FLUSH, "rx-1", "200000");
	wants(&w, SL_TUNE_SUSPEND, "rx-0", NULL);
	wants(&w, SL_TUNE_THREADED, "rx-0", NULL);
	wants(&w, SL_TUNE_IRQ_AFFINITY, "rx-0", "0");
	wants(&w, SL_TUNE_IRQ_AFFINITY, "rx-3", "3");
	wants(&w, SL_TUNE_IRQ_AFFINITY, "tx-0", NULL);
	sl_tune_list_fini(&w.plan);
}

static void who_polls(void **state)
{
	static const enum sl_poll polls[] = { SL_POLL_ADAPTIVE, SL_POLL_BUSY };
	struct world w;

	(void)state;
	prepare(&w);
	for (size_t i = 0; i < COUNT(polls); i++) {
		w.wish.poll = polls[i];
		plan(&w);
		wants(&w, SL_TUNE_SUSPEND, "rx-0", NULL);
		wants(&w, SL_TUNE_DEFER, "rx-0", "2");
		wants(&w, SL_TUNE_RX_USECS, "interface", NULL);
	}
	w.wish.defer = 9;
	w.wish.timeout_ns = 5000;
	plan(&w);
	wants(&w, SL_TUNE_DEFER, "rx-1", "9");
	wants(&w, SL_TUNE_FLUSH, "rx-1", "5000");
	sl_tune_list_fini(&w.plan);
}

static void workers(void **state)
{
	uint32_t given[] = { 3, 1 };
	struct world w;

	(void)state;
	prepare(&w);
	w.wish.workers = 2;
	w.wish.cpus = given;
	w.wish.n_cpus = COUNT(given);
	w.wish.cpus_given = true;
	strcpy(w.nic.sysfs.local_cpus, "0-1");
	plan(&w);
	wants(&w, SL_TUNE_CHANNELS, "interface", "2");
	wants(&w, SL_TUNE_IRQ_AFFINITY, "rx-0", "3");
	wants(&w, SL_TUNE_IRQ_AFFINITY, "rx-1", "1");
	wants(&w, SL_TUNE_IRQ_AFFINITY, "rx-2", NULL);
	assert_non_null(
		strstr(find(&w, SL_TUNE_IRQ_AFFINITY, "rx-0")->why, "far"));
	assert_null(strstr(find(&w, SL_TUNE_IRQ_AFFINITY, "rx-1")->why, "far"));
	/* More workers than the card can have queues: it decides. */
	w.wish.workers = 20;
	plan(&w);
	wants(&w, SL_TUNE_CHANNELS, "interface", "8");
	w.nic.channels.tx_max = 3;
	plan(&w);
	wants(&w, SL_TUNE_CHANNELS, "interface", "3");
	sl_tune_list_fini(&w.plan);
}

/* Where we choose the CPUs, those near the card. */
static void near_cpus(void **state)
{
	struct world w;

	(void)state;
	prepare(&w);
	w.wish.workers = 2;
	strcpy(w.nic.sysfs.local_cpus, "2-3,7");
	plan(&w);
	wants(&w, SL_TUNE_IRQ_AFFINITY, "rx-0", "2");
	wants(&w, SL_TUNE_IRQ_AFFINITY, "rx-1", "3");
	strcpy(w.nic.sysfs.local_cpus, "8-15"); /* none that we may use */
	plan(&w);
	wants(&w, SL_TUNE_IRQ_AFFINITY, "rx-1", "1");
	sl_tune_list_fini(&w.plan);
}

static void asked_for(void **state)
{
	struct world w;

	(void)state;
	prepare(&w);
	w.wish.set[SL_TUNE_CHANNELS] = "1";
	w.wish.set[SL_TUNE_THREADED] = "1";
	w.wish.set[SL_TUNE_DEFER] = "77";
	w.wish.set[SL_TUNE_IRQ_AFFINITY] = "0,2";
	plan(&w);
	wants(&w, SL_TUNE_CHANNELS, "interface", "1");
	wants(&w, SL_TUNE_RSS, "interface", "1");
	wants(&w, SL_TUNE_DEFER, "rx-0", "77");
	wants(&w, SL_TUNE_DEFER, "rx-1", NULL);
	wants(&w, SL_TUNE_THREADED, "rx-0", "1");
	wants(&w, SL_TUNE_IRQ_AFFINITY, "rx-0", "0,2");
	assert_true(find(&w, SL_TUNE_DEFER, "rx-0")->given);
	/* A slip of the finger makes no rows for queues that cannot be. */
	w.wish.set[SL_TUNE_CHANNELS] = "4000000000";
	plan(&w);
	wants(&w, SL_TUNE_CHANNELS, "interface", "4000000000");
	wants(&w, SL_TUNE_DEFER, "rx-7", "77");
	wants(&w, SL_TUNE_DEFER, "rx-8", NULL);
	assert_false(find(&w, SL_TUNE_RX_RING, "interface")->given);
	sl_tune_list_fini(&w.plan);
}

/* Before Linux 6.13, or while the link is down: of the interface, by /sys. */
static void without_napis(void **state)
{
	struct world w;

	(void)state;
	prepare(&w);
	for (size_t i = 0; i < COUNT(w.queues); i++)
		w.queues[i].polling.suspend_err = -EOPNOTSUPP;
	w.nic.irqs.n = 0;
	plan(&w);
	wants(&w, SL_TUNE_DEFER, "interface", "2");
	wants(&w, SL_TUNE_DEFER, "rx-0", NULL);
	wants(&w, SL_TUNE_IRQ_AFFINITY, "rx-0", NULL);
	sl_tune_list_fini(&w.plan);
}

/* A NAPI and an interrupt for each direction (igb with few queues, virtio). */
static void tx_apart(void **state)
{
	struct world w;

	(void)state;
	prepare(&w);
	w.wish.workers = QUEUES;
	for (uint32_t i = QUEUES; i < 2 * QUEUES; i++)
		w.queues[i].napi += 100;
	strcpy(w.irqs[2].name, "eth1-tx-0");
	plan(&w);
	wants(&w, SL_TUNE_DEFER, "rx-1", "2");
	wants(&w, SL_TUNE_DEFER, "tx-1", "2");
	wants(&w, SL_TUNE_IRQ_AFFINITY, "tx-1", "1");
	sl_tune_list_fini(&w.plan);
}

/* Long enough is left as it is; so is what the card cannot make longer. */
static void rings(void **state)
{
	static const struct {
		uint32_t now, most;
		const char *wanted;
	} cases[] = { { 4096, 4096, "4096" },
		      { 1024, 4096, "1024" },
		      { 1023, 4096, "1024" },
		      { 256, 256, "256" },
		      { 128, 256, "256" } };
	struct world w;

	(void)state;
	prepare(&w);
	for (size_t i = 0; i < COUNT(cases); i++) {
		w.nic.rings.rx = cases[i].now;
		w.nic.rings.rx_max = cases[i].most;
		plan(&w);
		wants(&w, SL_TUNE_RX_RING, "interface", cases[i].wanted);
	}
	sl_tune_list_fini(&w.plan);
}

static void names_of_interrupts(void **state)
{
	static const struct {
		const char *name;
		int unit; /* -1: not of a queue */
		uint32_t queue;
	} cases[] = {
		{ "eth1-TxRx-0", SL_TUNE_RX, 0 },
		{ "i40e-eth1-TxRx-12", SL_TUNE_RX, 12 },
		{ "eth1-rx-3", SL_TUNE_RX, 3 },
		{ "eth1-tx-3", SL_TUNE_TX, 3 },
		{ "tx1-rx-0", SL_TUNE_RX, 0 },
		{ "virtio1-input.2", SL_TUNE_RX, 2 },
		{ "virtio1-output.2", SL_TUNE_TX, 2 },
		{ "mlx5_comp7@pci:0000:01:00.0", SL_TUNE_RX, 7 },
		{ "eth0-Tx-Rx-5", SL_TUNE_RX, 5 },
		{ "eth0-rxtx-1", SL_TUNE_RX, 1 },
		{ "eth0-0", SL_TUNE_RX, 0 },
		{ "eth1", -1, 0 },
		{ "enp3s0f1", -1, 0 },
		{ "virtio1-config", -1, 0 },
		{ "mlx5_async0@pci:0000:01:00.0", -1, 0 },
		{ "1", -1, 0 },
		{ "", -1, 0 },
		{ "eth1-rx-", -1, 0 },
		{ "eth1-rx-99999999999", -1, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		enum sl_tune_unit unit = SL_TUNE_INTERFACE;
		uint32_t queue = 0;
		bool is = sl_tune_irq_queue(cases[i].name, &unit, &queue);

		if (is != (cases[i].unit >= 0))
			print_message("# %s\n", cases[i].name);
		assert_int_equal(is, cases[i].unit >= 0);
		if (!is)
			continue;
		assert_int_equal(unit, cases[i].unit);
		assert_int_equal(queue, cases[i].queue);
	}
}

static void names_of_units(void **state)
{
	static const char *const good[] = { "interface", "rx-0",
					    "tx-4294967295" };
	static const char *const bad[] = { "",	     "rx",    "rx-",
					   "rx--1",  "rx-1x", "rx-4294967296",
					   "queue-1" };
	struct sl_tune_key key = { 0 };
	char text[SL_TUNE_UNIT_TEXT];

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		assert_true(sl_tune_unit_parse(good[i], &key));
		sl_tune_unit_format(&key, text);
		assert_string_equal(text, good[i]);
	}
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(sl_tune_unit_parse(bad[i], &key));
	for (int i = 0; i < SL_TUNE_SETTINGS; i++) {
		assert_true(sl_tune_setting_find(sl_tune_kinds[i].name,
						 &key.setting));
		assert_int_equal(key.setting, i);
	}
	assert_false(sl_tune_setting_find("speed", &key.setting));
}

static void tables(void **state)
{
	static const struct {
		uint32_t table[6];
		const char *text;
		bool even2; /* as good as "equal 2" */
	} cases[] = {
		{ { 0, 1, 0, 1, 0, 1 }, "equal 2", true },
		{ { 0, 0, 0, 0, 0, 0 }, "equal 1", false },
		{ { 0, 0, 0, 1, 1, 1 }, "0*3 1*3", true },
		{ { 0, 0, 0, 0, 1, 1 }, "0*4 1*2", false },
		{ { 1, 1, 1, 1, 1, 1 }, "1*6", false },
		{ { 0, 1, 2, 0, 1, 2 }, "equal 3", false },
		{ { 0, 0, 1, 1, 2, 2 }, "0*2 1*2 2*2", false },
	};
	static const char *const bad[] = {
		"", "0*5", "0*7", "equal 0", "0*3 x*3", "0*4294967295"
	};
	const struct sl_tune_key key = { .setting = SL_TUNE_RSS };
	uint32_t table[6];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char *text = sl_tune_rss_format(cases[i].table, 6);

		assert_string_equal(text, cases[i].text);
		assert_int_equal(sl_tune_rss_parse(text, table, 6), 0);
		assert_memory_equal(table, cases[i].table, sizeof(table));
		assert_int_equal(sl_tune_satisfied(&key, text, "equal 2"),
				 cases[i].even2);
		free(text);
	}
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_int_equal(sl_tune_rss_parse(bad[i], table, 6), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sleeper),
		cmocka_unit_test(who_polls),
		cmocka_unit_test(workers),
		cmocka_unit_test(near_cpus),
		cmocka_unit_test(asked_for),
		cmocka_unit_test(without_napis),
		cmocka_unit_test(tx_apart),
		cmocka_unit_test(rings),
		cmocka_unit_test(names_of_interrupts),
		cmocka_unit_test(names_of_units),
		cmocka_unit_test(tables),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("tune", tests, NULL, NULL);
}
