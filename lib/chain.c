// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "chain.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "pins.h"

/* The members are the entries, in order. */
_Static_assert(sizeof(struct sl_chain) == SL_EXT_ENTRIES * sizeof(int) &&
		       __builtin_offsetof(struct sl_chain, classify) ==
			       SL_EXT_CLASSIFY * sizeof(int) &&
		       __builtin_offsetof(struct sl_chain, end) ==
			       SL_EXT_END * sizeof(int),
	       "a chain is an array of SL_EXT_ENTRIES");

static int *entries(struct sl_chain *chain)
{
	return chain->before;
}

int *sl_chain_slot(struct sl_chain *chain, bool after, unsigned slot)
{
	return &(after ? chain->after : chain->before)[slot];
}

void sl_chain_init(struct sl_chain *chain)
{
	memset(chain, 0xff, sizeof(*chain)); /* all -1 */
}

void sl_chain_fini(struct sl_chain *chain)
{
	for (int i = 0; i < SL_EXT_ENTRIES; i++)
		if (entries(chain)[i] >= 0)
			close(entries(chain)[i]);
	sl_chain_init(chain);
}

unsigned sl_chain_count(const struct sl_chain *chain)
{
	unsigned n = 0;

	for (int i = 0; i < SL_EXT_SLOTS; i++)
		n += (chain->before[i] >= 0) + (chain->after[i] >= 0);
	return n;
}

/* An entry that holds the next one's program is an empty slot's. */
int sl_chain_read(int map_fd, struct sl_chain *chain)
{
	uint32_t next = 0;

	sl_chain_init(chain);
	for (uint32_t i = SL_EXT_ENTRIES; i-- > 0;) {
		uint32_t id = 0;
		int fd;

		if (bpf_map_lookup_elem(map_fd, &i, &id) < 0 && errno != ENOENT)
			goto err_fini;
		if (!id || id == next)
			continue;
		fd = bpf_prog_get_fd_by_id(id);
		if (fd < 0)
			goto err_fini;
		entries(chain)[i] = fd;
		next = id;
	}
	return 0;
err_fini:
	map_fd = -errno;
	sl_chain_fini(chain);
	return map_fd;
}

static int write_entry(int map_fd, uint32_t entry, int prog_fd)
{
	if (prog_fd >= 0)
		return bpf_map_update_elem(map_fd, &entry, &prog_fd, BPF_ANY) <
				       0 ?
			       -errno :
			       0;
	return bpf_map_delete_elem(map_fd, &entry) < 0 && errno != ENOENT ?
		       -errno :
		       0;
}

int sl_chain_write(int map_fd, const struct sl_chain *chain)
{
	const int *wanted = chain->before;
	bool any = false;
	int next = -1;

	for (uint32_t i = SL_EXT_ENTRIES; i-- > 0;) {
		bool fixed = i == SL_EXT_CLASSIFY || i == SL_EXT_END;
		bool first = i == SL_EXT_BEFORE || i == SL_EXT_AFTER;
		int err;

		any = !fixed && (any || wanted[i] >= 0);
		if (wanted[i] >= 0)
			next = wanted[i];
		err = write_entry(map_fd, i, first && !any ? -1 : next);
		if (err)
			return err;
	}
	return 0;
}

int sl_chain_pin(int ifindex, int map_fd)
{
	char path[SL_PIN_PATH_BYTES];
	int err = sl_pins_chain(ifindex, path, sizeof(path));

	if (err)
		return err;
	if (unlink(path) < 0 && errno != ENOENT)
		return -errno;
	return map_fd >= 0 && bpf_obj_pin(map_fd, path) < 0 ? -errno : 0;
}
