// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "umem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* The kernel counts UMEM pages in 32 bits and a ledger index is 32 bits wide. */
#define FRAMES_MAX (1u << 24)

int sl_umem_init(struct sl_umem *umem, uint32_t frames)
{
	struct sl_umem new = { .frames = frames };

	if (!frames || frames > FRAMES_MAX)
		return -EINVAL;
	new.free = calloc(frames, sizeof(*new.free));
	new.state = calloc(frames, sizeof(*new.state));
	if (!new.free || !new.state)
		goto err_free;
	/* Populated now: a page fault in the data path is a stall. */
	new.area = mmap(NULL, (size_t)frames << SL_FRAME_SHIFT,
			PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (new.area == MAP_FAILED)
		goto err_free;
	for (uint32_t i = 0; i < frames; i++)
		new.free[i] = frames - 1 - i;
	new.count[SL_FRAME_FREE] = frames;
	*umem = new;
	return 0;

err_free:
	free(new.free);
	free(new.state);
	return -ENOMEM;
}

void sl_umem_fini(struct sl_umem *umem)
{
	if (!umem->area)
		return;
	munmap(umem->area, (size_t)umem->frames << SL_FRAME_SHIFT);
	free(umem->free);
	free(umem->state);
	memset(umem, 0, sizeof(*umem));
}

const char *sl_frame_state_text(enum sl_frame_state state)
{
	static const char *const text[SL_FRAME_STATES] = {
		[SL_FRAME_FREE] = "free", [SL_FRAME_FILL] = "fill",
		[SL_FRAME_RX] = "rx",	  [SL_FRAME_STAGE] = "stage",
		[SL_FRAME_TX] = "tx",
	};

	return text[state];
}

bool sl_umem_audit(const struct sl_umem *umem)
{
	uint32_t seen[SL_FRAME_STATES] = { 0 };
	uint64_t sum = 0;

	for (uint32_t i = 0; i < umem->frames; i++)
		if (umem->state[i] < SL_FRAME_STATES)
			seen[umem->state[i]]++;
	for (int s = 0; s < SL_FRAME_STATES; s++) {
		if (seen[s] != umem->count[s])
			return false;
		sum += seen[s];
	}
	for (uint32_t i = 0; i < umem->count[SL_FRAME_FREE]; i++)
		if (umem->state[umem->free[i]] != SL_FRAME_FREE)
			return false;
	return sum == umem->frames && !umem->violations;
}

void sl_umem_violate(struct sl_umem *umem)
{
	umem->violations++;
}
