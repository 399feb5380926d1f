// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * mirror IF: a copy of each packet leaves by another interface. The worker copies into a
 * spool, and the courier sends from there by a packet socket: what the device or its queue
 * takes its time for, the courier waits for. Copies that find no room are lost.
 *
 * By a packet socket, as the interface need be no port of ours and have no XDP, and the copy is
 * made anyway: an AF_XDP socket would save one of two on a path that nobody waits for.
 */
#include "mirror.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "copy.h"
#include "forwarder.h"
#include "kin.h"
#include "lib/config.h"
#include "say.h"

/* A wait for room in the socket's buffer: a link of 10 Mbit/s sends a burst in 80 ms. */
#define ROOM_MS 100
/* How long an interface that is down is left alone; also the pace of the tries. */
#define DOWN_MS 10

struct mirror {
	struct sl_courier courier;
	int fd;	     /* bound to no interface: each message names it */
	int ifindex; /* atomic: the main thread's, for the courier */
};

/* Its copies would be taken for packets of the wire, and be mirrored again. */
static int loop_check(const struct sl_fwd_stage *stage,
		      const struct sl_fwd *fwd, int ifindex)
{
	char name[SL_FWD_STAGE_NAME];

	for (uint32_t i = 0; i < fwd->n_ifaces; i++) {
		bool kin = false;
		int err = sl_fwd_kin(ifindex, fwd->ifaces[i].ifindex, &kin);

		if (err) {
			sl_fwd_say_error(sl_fwd_stage_name(stage, name),
					 "ask how it hangs together", err,
					 NULL);
			return err;
		}
		if (!kin)
			continue;
		sl_fwd_say_of(
			sl_fwd_stage_name(stage, name),
			"copies would get into the wire at %s and be mirrored again; "
			"choose an interface apart from it",
			fwd->ifaces[i].name);
		return -EDOM;
	}
	return 0;
}

static bool is_mirror(const struct sl_fwd *fwd, size_t i)
{
	return fwd->config->stages[i].kind == SL_STAGE_MIRROR;
}

int sl_fwd_mirrors_open(struct sl_fwd *fwd)
{
	size_t n = fwd->config->n_stages;

	fwd->mirrors = calloc(n + 1, sizeof(*fwd->mirrors));
	if (!fwd->mirrors)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (is_mirror(fwd, i))
			fwd->mirrors[i].ifindex = (int)if_nametoindex(
				fwd->config->stages[i].target);
	return 0;
}

void sl_fwd_mirrors_close(struct sl_fwd *fwd)
{
	free(fwd->mirrors);
	fwd->mirrors = NULL;
}

static void mirror_watch(struct sl_fwd *fwd, size_t i)
{
	const struct sl_fwd_stage stage = { .config = &fwd->config->stages[i] };
	struct sl_fwd_mirror *mirror = &fwd->mirrors[i];
	int ifindex = (int)if_nametoindex(stage.config->target);
	char name[SL_FWD_STAGE_NAME];

	if (!ifindex || ifindex == mirror->ifindex ||
	    ifindex == mirror->refused)
		return;
	if (loop_check(&stage, fwd, ifindex)) {
		mirror->refused = ifindex;
		return;
	}
	mirror->ifindex = ifindex;
	sl_fwd_say_of(sl_fwd_stage_name(&stage, name),
		      "the interface is there anew; copies go on");
}

void sl_fwd_mirrors_watch(struct sl_fwd *fwd)
{
	for (size_t i = 0; fwd->mirrors && i < fwd->config->n_stages; i++)
		if (is_mirror(fwd, i))
			mirror_watch(fwd, i);
}

void sl_fwd_mirror_move(struct sl_fwd_stage *stage, int ifindex)
{
	struct mirror *mirror = stage->own;

	if (stage->ops == &sl_fwd_stage_mirror && mirror && ifindex > 0)
		__atomic_store_n(&mirror->ifindex, ifindex, __ATOMIC_RELAXED);
}

static bool mirror_carry(void *context, struct sl_spool *spool);

static int mirror_open(struct sl_fwd_stage *stage, const struct sl_fwd *fwd)
{
	int ifindex = (int)if_nametoindex(stage->config->target);
	char name[SL_FWD_STAGE_NAME];
	struct mirror *mirror;
	int err = -errno;

	if (!ifindex) {
		sl_fwd_say_error(
			sl_fwd_stage_name(stage, name), "find the interface",
			err, "'ip link' lists those of this network namespace");
		return err;
	}
	err = loop_check(stage, fwd, ifindex);
	if (err)
		return err;
	mirror = calloc(1, sizeof(*mirror));
	if (!mirror)
		return -ENOMEM;
	mirror->ifindex = ifindex;
	/* Protocol 0: it sends only. */
	mirror->fd =
		socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (mirror->fd < 0) {
		err = -errno;
		sl_fwd_say_error(sl_fwd_stage_name(stage, name),
				 "open a packet socket", err,
				 "start it as root or with CAP_NET_RAW");
		goto err_free;
	}
	err = sl_fwd_copy_open(stage, &mirror->courier, mirror_carry,
			       fwd->n_workers);
	if (err)
		goto err_close;
	stage->own = mirror;
	return 0;

err_close:
	close(mirror->fd);
err_free:
	free(mirror);
	return err;
}

static int mirror_attach(struct sl_fwd_stage *stage, struct sl_fwd_step *step,
			 uint32_t worker,
			 uint32_t workers __attribute__((unused)))
{
	step->state = &stage->courier->spools[worker];
	return 0;
}

static void mirror_process(struct sl_fwd_step *step,
			   const struct sl_fwd_batch *batch)
{
	struct sl_spool *spool = step->state;

	for (uint32_t i = 0; i < batch->n; i++)
		sl_fwd_copy_packet(step, spool, batch->burst, batch->packets[i],
				   0);
	sl_fwd_copy_hand_over(step, spool);
}

/*
 * Sends the first of `n` messages, and what follows as far as it goes; how many were done
 * with, at least 1. *err: how the first ended.
 */
static uint32_t send_some(const struct mirror *mirror, struct mmsghdr *messages,
			  uint32_t n, int *err)
{
	struct pollfd room = { .fd = mirror->fd, .events = POLLOUT };
	int sent = sendmmsg(mirror->fd, messages, n, MSG_DONTWAIT);

	if (sent < 0 && errno == EAGAIN && poll(&room, 1, ROOM_MS) > 0)
		sent = sendmmsg(mirror->fd, messages, n, MSG_DONTWAIT);
	*err = sent < 0 ? -errno : 0;
	if (sent > 0)
		return (uint32_t)sent;
	/* It will not be better for the next one in a moment. */
	if (*err == -ENETDOWN || *err == -ENXIO || *err == -ENODEV) {
		poll(NULL, 0, DOWN_MS);
		return n;
	}
	return 1;
}

static bool mirror_carry(void *context, struct sl_spool *spool)
{
	struct sl_fwd_stage *stage = context;
	const struct mirror *mirror = stage->own;
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET,
		.sll_ifindex =
			__atomic_load_n(&mirror->ifindex, __ATOMIC_RELAXED),
	};
	struct mmsghdr messages[SL_BURST];
	struct iovec data[SL_BURST];
	uint32_t n, done, bytes;
	int err;

	memset(messages, 0, sizeof(messages));
	for (n = 0; n < SL_BURST; n++) {
		const void *record = sl_spool_take(spool, &bytes);

		if (!record)
			break;
		data[n].iov_base = (void *)record;
		data[n].iov_len = bytes;
		messages[n].msg_hdr.msg_name = &to;
		messages[n].msg_hdr.msg_namelen = sizeof(to);
		messages[n].msg_hdr.msg_iov = &data[n];
		messages[n].msg_hdr.msg_iovlen = 1;
	}
	for (uint32_t i = 0; i < n; i += done) {
		done = n - i;
		err = -ETIMEDOUT;
		if (!sl_courier_late(&mirror->courier))
			done = send_some(mirror, messages + i, n - i, &err);
		sl_fwd_copy_count(stage, done, err);
	}
	sl_spool_release(spool);
	return n;
}

static void mirror_close(struct sl_fwd_stage *stage)
{
	struct mirror *mirror = stage->own;

	sl_courier_fini(&mirror->courier);
	close(mirror->fd);
	free(mirror);
}

const struct sl_fwd_stage_ops sl_fwd_stage_mirror = {
	.copies = "send copies",
	.open = mirror_open,
	.attach = mirror_attach,
	.process = mirror_process,
	.close = mirror_close,
};
