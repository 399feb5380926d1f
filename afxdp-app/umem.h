/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The packet memory of one worker and the ledger of who owns each frame.
 *
 *                 refill                 RX ring                 output chosen
 *        FREE -------------> FILL --------------------> RX -------------------> STAGE
 *         ^                   |                          |                        |
 *         |    (close)        |         (dropped)        |       (dropped)        |
 *         +<------------------+<-------------------------+<-----------------------+
 *         |                                                                       | TX ring
 *         +<--------------------------- completion ring ----------- TX <----------+
 *
 *   FREE   on the free stack; nobody reads or writes it
 *   FILL   the kernel's: in a fill ring, with the driver, or in an RX ring not read yet
 *   RX     ours: taken off an RX ring, no output chosen yet
 *   STAGE  ours: an output is chosen, stages work on it
 *   TX     the kernel's: in a TX ring, being sent, or in a completion ring not read yet
 *
 * A frame is in exactly one state, so the counts of the states add up to the total. Each
 * arrow is one function below, which checks the state that the frame comes from: an
 * address that the kernel hands over twice, or that was never handed to it, is counted in
 * `violations` and not used.
 *
 * One thread (the worker; before it runs and after it ended, the main thread). Nothing is
 * allocated after sl_umem_init().
 *
 * Frames, free stack and states lie in one piece of memory behind a descriptor, so that another
 * process can go on where this one stopped (handover.h).
 */
#ifndef SLUICE_FWD_UMEM_H
#define SLUICE_FWD_UMEM_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * One page a frame. XDP without fragments takes at most 4096 - 256 (headroom) - 320
 * (skb_shared_info) = 3520 bytes, so whatever a linear filter passes fits; with 2048 a
 * frame over 1792 bytes would vanish into rx_dropped. It is also the largest chunk of a UMEM
 * in pages of 4096 bytes. A driver that refuses the size refuses zero-copy at bind().
 */
#define SL_FRAME_SHIFT 12
#define SL_FRAME_BYTES (1u << SL_FRAME_SHIFT)

/* The largest packet that surely takes one frame, see above. */
#define SL_FRAME_PACKET 3520u

enum sl_frame_state {
	SL_FRAME_FREE,
	SL_FRAME_FILL,
	SL_FRAME_RX,
	SL_FRAME_STAGE,
	SL_FRAME_TX,
	SL_FRAME_STATES
};

struct sl_umem {
	void *area; /* page aligned, frames * SL_FRAME_BYTES; NULL: not mapped */
	int fd; /* memfd of area, free and state; owned; only if frames is not 0 */
	uint32_t frames;
	uint32_t count[SL_FRAME_STATES]; /* adds up to frames */
	uint64_t violations;
	uint32_t *free; /* a stack, count[SL_FRAME_FREE] deep; the warmest frame on top */
	uint8_t *state; /* enum sl_frame_state, by frame */
};

/* Reserves and touches the memory; all frames are FREE. 0, -EINVAL or -ENOMEM. */
int sl_umem_init(struct sl_umem *umem, uint32_t frames);
/* Unmaps and closes; one that was only zeroed is fine. */
void sl_umem_fini(struct sl_umem *umem);

/* Unmaps: the descriptor and the number of frames are left, for sl_umem_adopt(). */
void sl_umem_forget(struct sl_umem *umem);

/*
 * Maps what another process made; `umem` has fd and frames, and gets count[] and violations from
 * the caller, who audits it. 0, -ENOMEM, or -EPROTO if the memory is not of that size.
 */
int sl_umem_adopt(struct sl_umem *umem);

/* The word for a state, as statistics print it. */
const char *sl_frame_state_text(enum sl_frame_state state);

/*
 * Counts the frames anew by their states: true if that agrees with count[], the sum is
 * the total and no violation was seen. Reads the whole ledger.
 */
bool sl_umem_audit(const struct sl_umem *umem);

/* The slow path of a wrong address or state: counted, the frame is left as it is. */
void sl_umem_violate(struct sl_umem *umem);

/* Where the bytes at an address are; the address is one of the UMEM. */
static inline void *sl_umem_data(const struct sl_umem *umem, uint64_t addr)
{
	return (char *)umem->area + addr;
}

/*
 * Debug builds (SLUICE_DEBUG; the tests are) end the process where frames were lost or made
 * up; others publish the counts, and sl_fwd_stats_accounted() judges them.
 */
static inline void sl_umem_check(const struct sl_umem *umem)
{
#ifdef SLUICE_DEBUG
	uint64_t sum = 0;

	for (int s = 0; s < SL_FRAME_STATES; s++)
		sum += umem->count[s];
	assert(sum == umem->frames);
#else
	(void)umem;
#endif
}

/* FREE -> FILL. The caller knows that count[SL_FRAME_FREE] > 0. Returns the address. */
static inline uint64_t sl_umem_take(struct sl_umem *umem)
{
	uint32_t frame = umem->free[--umem->count[SL_FRAME_FREE]];

	umem->state[frame] = SL_FRAME_FILL;
	umem->count[SL_FRAME_FILL]++;
	return (uint64_t)frame << SL_FRAME_SHIFT;
}

/*
 * A burst's worth of sl_umem_move(): try for each frame, which says no and counts nothing where
 * the frame is not in `from`; then moved, once, for the `n` that it said yes to. A third
 * of the whole path's time goes into the counts otherwise.
 *
 * A loop gives them a copy of struct sl_umem on its stack, and has copies of its rings, too. A
 * state is a byte, and a byte stored may be any byte, as the language has it: what is behind
 * a pointer would be loaded again for every frame.
 */
static inline bool sl_umem_try(const struct sl_umem *umem, uint64_t addr,
			       enum sl_frame_state from, enum sl_frame_state to)
{
	uint64_t frame = addr >> SL_FRAME_SHIFT;

	if (__builtin_expect(
		    frame >= umem->frames || umem->state[frame] != from, 0))
		return false;
	umem->state[frame] = (uint8_t)to;
	return true;
}

static inline void sl_umem_moved(struct sl_umem *umem, enum sl_frame_state from,
				 enum sl_frame_state to, uint32_t n)
{
	umem->count[from] -= n;
	umem->count[to] += n;
}

/* The same to and from FREE; `free` begins as count[SL_FRAME_FREE] and goes with the stack. */
static inline bool sl_umem_try_give(const struct sl_umem *umem, uint64_t addr,
				    enum sl_frame_state from, uint32_t *free)
{
	if (!sl_umem_try(umem, addr, from, SL_FRAME_FREE))
		return false;
	umem->free[(*free)++] = (uint32_t)(addr >> SL_FRAME_SHIFT);
	return true;
}

/* FREE -> FILL; the caller knows that *free > 0. */
static inline uint64_t sl_umem_try_take(const struct sl_umem *umem,
					uint32_t *free)
{
	uint32_t frame = umem->free[--*free];

	umem->state[frame] = SL_FRAME_FILL;
	return (uint64_t)frame << SL_FRAME_SHIFT;
}

/* from -> to, neither of them FREE; false (a violation) if the frame is not in `from`. */
static inline bool sl_umem_move(struct sl_umem *umem, uint64_t addr,
				enum sl_frame_state from,
				enum sl_frame_state to)
{
	if (__builtin_expect(!sl_umem_try(umem, addr, from, to), 0)) {
		sl_umem_violate(umem);
		return false;
	}
	sl_umem_moved(umem, from, to, 1);
	return true;
}

/* from -> FREE; false (a violation) if the frame is not in `from`. */
static inline bool sl_umem_give(struct sl_umem *umem, uint64_t addr,
				enum sl_frame_state from)
{
	uint64_t frame = addr >> SL_FRAME_SHIFT;

	if (__builtin_expect(
		    frame >= umem->frames || umem->state[frame] != from, 0)) {
		sl_umem_violate(umem);
		return false;
	}
	umem->state[frame] = SL_FRAME_FREE;
	umem->count[from]--;
	umem->free[umem->count[SL_FRAME_FREE]++] = (uint32_t)frame;
	return true;
}

#endif /* SLUICE_FWD_UMEM_H */
