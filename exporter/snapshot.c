// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "snapshot.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <jansson.h>

#include "lib/array.h"
#include "lib/clock.h"
#include "lib/error.h"
#include "lib/filter.h"
#include "lib/fwdstats.h"
#include "lib/jsontext.h"
#include "lib/pins.h"

/* A forwarder answers in milliseconds; one that is stopped or stuck is left out after this. */
#define FORWARDER_WAIT_MS 1000

/* Each turn, somebody has reloaded between two of our system calls. */
#define REPLACED_MAX 8

static void fail(struct sl_snapshot *snapshot, const char *text)
{
	json_array_append_new(snapshot->failures, sl_json_text(text));
}

static void forwarder_failed(void *context, const char *text)
{
	fail(context, text);
}

static const char *attached_text(enum sl_attached how)
{
	switch (how) {
	case SL_ATTACHED_LINK:
		return "link";
	case SL_ATTACHED_SHARED:
		return "shared";
	default:
		return "netlink";
	}
}

/* Unknown is not down. */
static bool is_up(int fd, const char *interface)
{
	struct ifreq request = { 0 };

	memcpy(request.ifr_name, interface, strnlen(interface, IFNAMSIZ - 1));
	return ioctl(fd, SIOCGIFFLAGS, &request) < 0 ||
	       request.ifr_flags & IFF_UP;
}

static const struct sl_snapshot_interface *
find(const struct sl_snapshot *snapshot, int ifindex)
{
	for (size_t i = 0; snapshot && i < snapshot->n_interfaces; i++)
		if (snapshot->interfaces[i].ifindex == ifindex)
			return &snapshot->interfaces[i];
	return NULL;
}

/*
 * When each rule was last seen to count. A rule keeps its slot from generation to generation,
 * so the slot finds what it had counted before. What there was at the first reading of all may
 * be old; what is new after that has counted since.
 */
static int take_hits(struct sl_snapshot_interface *to, uint32_t n_slots,
		     const struct sl_snapshot_interface *before,
		     uint64_t since_ns)
{
	size_t n_before = before ? before->stats.n_rules : 0;
	size_t *by_slot = calloc((size_t)n_slots + 1, sizeof(*by_slot));

	to->hit_ns = calloc(to->stats.n_rules + 1, sizeof(*to->hit_ns));
	if (!by_slot || !to->hit_ns) {
		free(by_slot);
		return -ENOMEM;
	}
	for (size_t i = 0; i < n_before; i++)
		if (before->stats.rules[i].slot < n_slots)
			by_slot[before->stats.rules[i].slot] = i + 1;
	for (size_t i = 0; i < to->stats.n_rules; i++) {
		const struct sl_rule_stats *rule = &to->stats.rules[i];
		size_t at = by_slot[rule->slot];
		const struct sl_rule_stats *old =
			before && at ? &before->stats.rules[at - 1] : NULL;

		if (old && old->counter.packets == rule->counter.packets &&
		    strcmp(old->name.name, rule->name.name) == 0)
			to->hit_ns[i] = before->hit_ns[at - 1];
		else if (rule->counter.packets)
			to->hit_ns[i] = since_ns;
	}
	free(by_slot);
	return 0;
}

static int take_ports(const struct sl_filter *filter,
		      const struct sl_ports_wanted *wanted, struct sl_top *top)
{
	struct sl_counter(*counters)[65536];
	int err;

	if (!wanted->top && !wanted->n_chosen)
		return 0;
	counters = calloc(SL_PORT_PROTOS, sizeof(*counters));
	err = counters ? sl_ports_read(filter, counters) : -ENOMEM;
	if (!err)
		err = sl_top_take(wanted, counters, top);
	free(counters);
	return err;
}

static void fini_interface(struct sl_snapshot_interface *interface)
{
	sl_stats_fini(&interface->stats);
	free(interface->hit_ns);
	free(interface->top.ports);
	sl_sets_fini(&interface->sets);
}

static int read_filter(const struct sl_snapshots *snapshots,
		       const struct sl_snapshot *snapshot,
		       const struct sl_filter *filter,
		       struct sl_snapshot_interface *to)
{
	const struct sl_snapshot *last = snapshots->n_taken ? &snapshots->last :
							      NULL;
	const struct sl_snapshot_interface *before = find(last, to->ifindex);
	int err = sl_stats_read(filter, &to->stats);

	to->generation = filter->gen.generation;
	to->policy = sl_verdict_text(filter->gen.default_verdict);
	if (!err)
		err = take_hits(to, filter->n_slots, before,
				snapshots->n_taken ? snapshot->at_ns : 0);
	if (!err)
		err = take_ports(filter, snapshots->ports, &to->top);
	if (!err)
		err = sl_sets_read(filter, before ? &before->sets : NULL,
				   &to->sets);
	return err;
}

/* 0 and *to, which holds nothing when there is no Sluice filter; -ENOENT: it was replaced. */
static int read_interface(const struct sl_snapshots *snapshots,
			  const struct sl_snapshot *snapshot, const char *name,
			  struct sl_snapshot_interface *to,
			  struct sl_error *error)
{
	struct sl_attachment attachment;
	struct sl_filter filter;
	int err = sl_attachment_open(name, &attachment, error);

	*to = (struct sl_snapshot_interface){ 0 };
	if (err || !attachment.prog_id) {
		if (!err)
			sl_attachment_close(&attachment);
		return err == -ENODEV ? 0 : err;
	}
	memcpy(to->name, attachment.interface, sizeof(to->name));
	to->ifindex = attachment.ifindex;
	to->mode = sl_attachment_mode(&attachment);
	to->attached = attached_text(attachment.how);
	err = sl_filter_open(attachment.prog_id, &filter, error);
	sl_attachment_close(&attachment);
	if (err) {
		to->ifindex = 0;
		return err == -ENOMSG ? 0 : err;
	}
	err = read_filter(snapshots, snapshot, &filter, to);
	sl_filter_close(&filter);
	if (err) {
		fini_interface(to);
		*to = (struct sl_snapshot_interface){ 0 };
		sl_error_set(error, err, "%s: read the counters: %s", name,
			     strerror(-err));
	}
	return err;
}

static int add_interface(const struct sl_snapshots *snapshots,
			 struct sl_snapshot *snapshot, const char *name)
{
	struct sl_snapshot_interface to, *grown;
	struct sl_error error = { "" };
	int err = -ENOENT;

	for (int turn = 0; turn < REPLACED_MAX && err == -ENOENT; turn++)
		err = read_interface(snapshots, snapshot, name, &to, &error);
	if (err) {
		fail(snapshot, error.text);
		return err == -ENOMEM ? err : 0;
	}
	if (!to.ifindex)
		return 0;
	grown = sl_array_room(snapshot->interfaces, snapshot->n_interfaces,
			      sizeof(*grown));
	if (!grown) {
		fini_interface(&to);
		return -ENOMEM;
	}
	snapshot->interfaces = grown;
	grown[snapshot->n_interfaces++] = to;
	return 0;
}

static int add_interfaces(const struct sl_snapshots *snapshots,
			  struct sl_snapshot *snapshot)
{
	struct if_nameindex *all = if_nameindex();
	int fd, err = 0;

	if (!all) {
		fail(snapshot, "interfaces: cannot be listed");
		return 0;
	}
	for (size_t i = 0; all[i].if_index && !err; i++)
		err = add_interface(snapshots, snapshot, all[i].if_name);
	if_freenameindex(all);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	for (size_t i = 0; i < snapshot->n_interfaces; i++)
		snapshot->interfaces[i].up =
			is_up(fd, snapshot->interfaces[i].name);
	if (fd >= 0)
		close(fd);
	return err;
}

static void fini(struct sl_snapshot *snapshot)
{
	for (size_t i = 0; i < snapshot->n_interfaces; i++)
		fini_interface(&snapshot->interfaces[i]);
	free(snapshot->interfaces);
	json_decref(snapshot->forwarders);
	json_decref(snapshot->failures);
	*snapshot = (struct sl_snapshot){ 0 };
}

int sl_snapshots_open(struct sl_snapshots *snapshots,
		      const struct sl_ports_wanted *ports,
		      struct sl_error *error)
{
	int err;

	*snapshots = (struct sl_snapshots){ .ports = ports,
					    .started_ns = sl_clock_ns() };
	/*
	 * Where the pins are: it may take us to the initial mount namespace, for which there are
	 * no privileges later. None there means that none of ours is attached yet.
	 */
	sl_pins_find();
	err = sl_pressure_open(&snapshots->pressure);
	return err ? sl_error_set(error, err, "/proc: read the softirqs: %s",
				  strerror(-err)) :
		     0;
}

void sl_snapshots_close(struct sl_snapshots *snapshots)
{
	fini(&snapshots->last);
	sl_pressure_close(snapshots->pressure);
	*snapshots = (struct sl_snapshots){ 0 };
}

int sl_snapshots_take(struct sl_snapshots *snapshots, uint64_t fresh_ns)
{
	struct sl_snapshot taken = { .at_ns = sl_clock_ns(),
				     .pressure = snapshots->pressure };
	int err;

	if (snapshots->n_taken &&
	    taken.at_ns - snapshots->last.at_ns < fresh_ns)
		return 0;
	taken.failures = json_array();
	err = taken.failures ? add_interfaces(snapshots, &taken) : -ENOMEM;
	if (!err) {
		taken.forwarders = sl_fwdstats_ask(FORWARDER_WAIT_MS,
						   forwarder_failed, &taken);
		err = taken.forwarders ? 0 : -ENOMEM;
	}
	if (err) {
		fini(&taken);
		return err;
	}
	if (sl_pressure_read(snapshots->pressure))
		fail(&taken, "/proc: the softirqs cannot be read");
	taken.taken_ns = sl_clock_ns() - taken.at_ns;
	fini(&snapshots->last);
	snapshots->last = taken;
	snapshots->n_taken++;
	snapshots->n_failures += json_array_size(taken.failures);
	return 0;
}
