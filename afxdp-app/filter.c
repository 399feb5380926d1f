// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "filter.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/membarrier.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "lib/filter.h"
#include "lib/observe.h"
#include "lib/shared.h"

#define XSKMAP_NAME "xsks_map"
/* More maps than any program of ours has; a program with more is not ours. */
#define PROGRAM_MAPS_MAX 64
/* A program may be replaced between its query and its opening; three times in a row it is not. */
#define OPEN_TRIES 3
/* Several times what a NAPI poll may last (net.core.netdev_budget_usecs: 2 to 8 ms). */
#define SETTLE_NS 50000000l

static int program_query(int ifindex, uint32_t *program_id, bool *native)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	int err = bpf_xdp_query(ifindex, 0, &query);

	if (err)
		return err;
	*native = query.drv_prog_id;
	/* Native and generic may stand beside each other; native sees the packet first. */
	*program_id = query.drv_prog_id ? query.drv_prog_id :
		      query.skb_prog_id ? query.skb_prog_id :
					  query.prog_id;
	return 0;
}

int sl_fwd_filter_program(int ifindex, uint32_t *program_id)
{
	bool native;

	return program_query(ifindex, program_id, &native);
}

/* The descriptor of map `id` if it is of this type and name; else -errno. */
static int map_open(uint32_t id, enum bpf_map_type type, const char *name,
		    uint32_t *entries)
{
	struct bpf_map_info info = { 0 };
	uint32_t length = sizeof(info);
	int fd = bpf_map_get_fd_by_id(id);
	int err;

	if (fd < 0)
		return -errno;
	err = bpf_obj_get_info_by_fd(fd, &info, &length) ? -errno : 0;
	if (!err && (info.type != type || strcmp(info.name, name)))
		err = -ENOKEY;
	if (err) {
		close(fd);
		return err;
	}
	*entries = info.max_entries;
	return fd;
}

static int program_maps(uint32_t program_id, uint32_t *ids, uint32_t *n)
{
	struct bpf_prog_info info = { .map_ids = (uintptr_t)ids,
				      .nr_map_ids = *n };
	uint32_t length = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(program_id);
	int err;

	if (fd < 0)
		return -errno;
	err = bpf_obj_get_info_by_fd(fd, &info, &length) ? -errno : 0;
	close(fd);
	if (!err && info.nr_map_ids < *n)
		*n = info.nr_map_ids;
	return err;
}

/* The first of that type and name among the maps of a program, or -ENOKEY, or another -errno. */
static int map_find(const uint32_t *ids, uint32_t n, enum bpf_map_type type,
		    const char *name, uint32_t *id, uint32_t *entries)
{
	for (uint32_t i = 0; i < n; i++) {
		int fd = map_open(ids[i], type, name, entries);

		if (fd != -ENOKEY) {
			*id = ids[i];
			return fd;
		}
	}
	return -ENOKEY;
}

/* The maps of a program that we use: 0 and those of *filter are set, or -errno. */
static int maps_find(uint32_t program_id, struct sl_fwd_filter *filter)
{
	uint32_t ids[PROGRAM_MAPS_MAX] = { 0 };
	uint32_t n = PROGRAM_MAPS_MAX, id, entries;
	int err = program_maps(program_id, ids, &n);

	if (err)
		return err;
	filter->map_fd = map_find(ids, n, BPF_MAP_TYPE_XSKMAP, XSKMAP_NAME,
				  &filter->map_id, &filter->map_entries);
	if (filter->map_fd < 0)
		return filter->map_fd;
	filter->totals_fd = map_find(ids, n, BPF_MAP_TYPE_PERCPU_ARRAY,
				     sl_filter_map_name(SL_MAP_TOTALS), &id,
				     &entries);
	return 0;
}

/* -ENOENT with a program_id: the program, or a map of it, went meanwhile. */
static int filter_try(int ifindex, struct sl_fwd_filter *filter)
{
	uint32_t inner_id;
	int err = program_query(ifindex, &filter->program_id, &filter->direct);

	if (err)
		return err;
	if (!filter->program_id)
		return -ENOENT;
	err = maps_find(filter->program_id, filter);
	/* It may be libxdp's dispatcher, with the filter behind it. */
	if (err == -ENOKEY && !sl_shared_find(ifindex, &inner_id)) {
		filter->direct = false;
		err = maps_find(inner_id, filter);
	}
	return err;
}

int sl_fwd_filter_open(int ifindex, struct sl_fwd_filter *filter)
{
	struct sl_fwd_filter new;
	int err, tries = 0;

	do {
		new = (struct sl_fwd_filter){ .map_fd = -1, .totals_fd = -1 };
		err = filter_try(ifindex, &new);
	} while (err == -ENOENT && new.program_id && ++tries < OPEN_TRIES);
	if (!err)
		*filter = new;
	else
		filter->program_id = new.program_id;
	return err == -ENOENT && new.program_id ? -EAGAIN : err;
}

void sl_fwd_filter_close(struct sl_fwd_filter *filter)
{
	if (filter->map_fd >= 0)
		close(filter->map_fd);
	if (filter->totals_fd >= 0)
		close(filter->totals_fd);
	filter->map_fd = -1;
	filter->totals_fd = -1;
	filter->map_id = 0;
}

void sl_fwd_filter_count(const struct sl_fwd_filter *filter, uint64_t *seen,
			 uint64_t *forwarded)
{
	struct sl_totals totals;

	*seen = *forwarded = 0;
	if (filter->totals_fd < 0 || sl_totals_read(filter->totals_fd, &totals))
		return;
	*seen = totals.rx.packets;
	for (int r = 0; r < SL_REASON_COUNT; r++)
		*forwarded += sl_totals_get(&totals, (enum sl_reason)r,
					    SL_VERDICT_FORWARD)
				      ->packets;
}

int sl_fwd_filter_insert(const struct sl_fwd_filter *filter, uint32_t queue,
			 int xsk_fd)
{
	return bpf_map_update_elem(filter->map_fd, &queue, &xsk_fd, BPF_ANY) ?
		       -errno :
		       0;
}

void sl_fwd_filter_remove(const struct sl_fwd_filter *filter, uint32_t queue)
{
	if (filter->map_fd >= 0)
		bpf_map_delete_elem(filter->map_fd, &queue);
}

void sl_fwd_filter_settle(void)
{
	/*
	 * synchronize_rcu(), which waits for softirqs as well. It is refused where nohz_full
	 * CPUs are configured.
	 */
	if (syscall(__NR_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
		nanosleep(&(struct timespec){ .tv_nsec = SETTLE_NS }, NULL);
}
