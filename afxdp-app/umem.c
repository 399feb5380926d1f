// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "umem.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* The kernel counts UMEM pages in 32 bits and a ledger index is 32 bits wide. */
#define FRAMES_MAX (1u << 24)
/* Bytes of a frame in free[] and state[]. */
#define FRAME_LEDGER (sizeof(uint32_t) + sizeof(uint8_t))

static size_t area_bytes(uint32_t frames)
{
	return (size_t)frames << SL_FRAME_SHIFT;
}

static size_t all_bytes(uint32_t frames)
{
	return area_bytes(frames) + frames * FRAME_LEDGER;
}

static int map(struct sl_umem *umem)
{
	/* Populated now: a page fault in the data path is a stall. */
	void *area = mmap(NULL, all_bytes(umem->frames), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_POPULATE, umem->fd, 0);

	if (area == MAP_FAILED)
		return -ENOMEM;
	umem->area = area;
	umem->free = (void *)((char *)area + area_bytes(umem->frames));
	umem->state = (void *)(umem->free + umem->frames);
	return 0;
}

/* Nobody who holds it can take the memory away from under another. */
static int memory_open(uint32_t frames)
{
	int fd = memfd_create("sluice-umem", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -ENOMEM;
	if (ftruncate(fd, (off_t)all_bytes(frames)) ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)) {
		close(fd);
		return -ENOMEM;
	}
	return fd;
}

int sl_umem_init(struct sl_umem *umem, uint32_t frames)
{
	struct sl_umem new = { .frames = frames };

	if (!frames || frames > FRAMES_MAX)
		return -EINVAL;
	new.fd = memory_open(frames);
	if (new.fd < 0)
		return -ENOMEM;
	if (map(&new)) {
		close(new.fd);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < frames; i++)
		new.free[i] = frames - 1 - i;
	new.count[SL_FRAME_FREE] = frames;
	*umem = new;
	return 0;
}

void sl_umem_forget(struct sl_umem *umem)
{
	if (umem->area)
		munmap(umem->area, all_bytes(umem->frames));
	umem->area = NULL;
	umem->free = NULL;
	umem->state = NULL;
}

int sl_umem_adopt(struct sl_umem *umem)
{
	struct stat status;

	if (!umem->frames || umem->frames > FRAMES_MAX ||
	    fstat(umem->fd, &status) ||
	    status.st_size != (off_t)all_bytes(umem->frames))
		return -EPROTO;
	return map(umem);
}

void sl_umem_fini(struct sl_umem *umem)
{
	if (!umem->frames)
		return;
	sl_umem_forget(umem);
	close(umem->fd);
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
		if (umem->free[i] >= umem->frames ||
		    umem->state[umem->free[i]] != SL_FRAME_FREE)
			return false;
	return sum == umem->frames && !umem->violations;
}

void sl_umem_violate(struct sl_umem *umem)
{
	umem->violations++;
}
