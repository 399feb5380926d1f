// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "handover.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "forwarder.h"
#include "lib/config.h"
#include "say.h"

/* Goes up whenever the record, a struct in it or the memory behind a UMEM changes. */
#define VERSION 2u
/* Descriptors in one message: SCM_MAX_FD is 253. */
#define BATCH 64u
/* How long the other agent may take for one message. */
#define WAIT_MS 2000
/* The same until its data plane is held: twice what it gives that one (supervise.c). */
#define HOLD_MS 10000

/*
 * The record: one of the first, one of the second for each worker, and behind it one of the third
 * for each of its ports.
 */
struct record {
	uint32_t version, n_workers;
	struct sl_handover_stop stop;
};

struct worker_record {
	uint32_t n_ports, frames;
	uint32_t count[SL_FRAME_STATES], pad;
	uint64_t violations, count_poll, count_wake_rx;
};

struct port_record {
	uint32_t fill_out, tx_out;
	uint32_t rx_cut, pad;
	struct sl_fwd_counters count;
};

static int put(int fd, const void *bytes, size_t n)
{
	ssize_t done = write(fd, bytes, n);

	return done < 0 ? -errno : (size_t)done == n ? 0 : -EIO;
}

static int get(int fd, void *bytes, size_t n)
{
	ssize_t done = read(fd, bytes, n);

	return done < 0 ? -errno : (size_t)done == n ? 0 : -EPROTO;
}

static int worker_write(const struct sl_fwd_worker *worker, int fd)
{
	struct worker_record record = {
		.n_ports = worker->n_ports,
		.frames = worker->umem.frames,
		.violations = worker->umem.violations,
		.count_poll = worker->count_poll,
		.count_wake_rx = worker->count_wake_rx,
	};
	int err;

	memcpy(record.count, worker->umem.count, sizeof(record.count));
	err = put(fd, &record, sizeof(record));
	for (uint32_t i = 0; i < worker->n_ports && !err; i++) {
		const struct sl_fwd_port *port = &worker->ports[i];
		const struct port_record part = { .fill_out = port->fill_out,
						  .tx_out = port->tx_out,
						  .rx_cut = port->rx_cut,
						  .count = port->count };

		err = put(fd, &part, sizeof(part));
	}
	return err;
}

int sl_handover_record(const struct sl_fwd *fwd,
		       const struct sl_handover_stop *stop, int fd)
{
	const struct record record = { .version = VERSION,
				       .n_workers = fwd->n_workers,
				       .stop = *stop };
	int err = fd < 0 ? -EPROTO : put(fd, &record, sizeof(record));

	for (uint32_t w = 0; w < fwd->n_workers && !err; w++)
		err = worker_write(&fwd->workers[w], fd);
	if (fd >= 0)
		close(fd);
	return err;
}

static int worker_read(struct sl_fwd_worker *worker, int fd)
{
	struct worker_record record;
	int err = get(fd, &record, sizeof(record));

	if (err)
		return err;
	if (record.n_ports != worker->n_ports ||
	    record.frames != worker->umem.frames)
		return -EPROTO;
	memcpy(worker->umem.count, record.count, sizeof(record.count));
	worker->umem.violations = record.violations;
	worker->count_poll = record.count_poll;
	worker->count_wake_rx = record.count_wake_rx;
	for (uint32_t i = 0; i < worker->n_ports; i++) {
		struct sl_fwd_port *port = &worker->ports[i];
		struct port_record part;

		err = get(fd, &part, sizeof(part));
		if (err)
			return err;
		port->fill_out = part.fill_out;
		port->tx_out = part.tx_out;
		port->rx_cut = part.rx_cut;
		port->count = part.count;
	}
	return 0;
}

/* The ledger, and that the ports have out what it says is out. */
static bool worker_sound(const struct sl_fwd_worker *worker)
{
	const struct sl_umem *umem = &worker->umem;
	uint64_t fill = 0, tx = 0;

	for (uint32_t i = 0; i < worker->n_ports; i++) {
		fill += worker->ports[i].fill_out;
		tx += worker->ports[i].tx_out;
	}
	/* The count first: the audit walks the free stack that far. */
	return umem->count[SL_FRAME_FREE] <= umem->frames &&
	       fill == umem->count[SL_FRAME_FILL] &&
	       tx == umem->count[SL_FRAME_TX] && sl_umem_audit(umem);
}

static int worker_map(struct sl_fwd_worker *worker)
{
	int err = sl_umem_adopt(&worker->umem);

	for (uint32_t i = 0; i < worker->n_ports && !err; i++)
		err = sl_xsk_adopt(&worker->ports[i].xsk);
	return err;
}

int sl_handover_map(struct sl_fwd *fwd)
{
	int err = 0;

	for (uint32_t w = 0; w < fwd->n_workers && !err; w++)
		err = worker_map(&fwd->workers[w]);
	if (err)
		sl_fwd_say_error("data plane", "map frames and rings", err,
				 NULL);
	return err;
}

static int worker_adopt(struct sl_fwd_worker *worker, int record_fd)
{
	int err = worker_read(worker, record_fd);

	if (err)
		return err;
	if (!worker_sound(worker))
		return -EPROTO;
	for (uint32_t i = 0; i < worker->n_ports; i++)
		sl_xsk_resume(&worker->ports[i].xsk);
	return 0;
}

static int record_adopt(struct sl_fwd *fwd, int record_fd,
			struct sl_handover_stop *stop)
{
	struct record record;
	int err = lseek(record_fd, 0, SEEK_SET) ? -errno : 0;

	if (!err)
		err = get(record_fd, &record, sizeof(record));
	if (err)
		return err;
	if (record.version != VERSION || record.n_workers != fwd->n_workers)
		return -EPROTO;
	for (uint32_t w = 0; w < fwd->n_workers && !err; w++)
		err = worker_adopt(&fwd->workers[w], record_fd);
	/* From here on it says what is no more: nobody else shall go on from it. */
	if (!err && ftruncate(record_fd, 0))
		err = -errno;
	if (!err)
		*stop = record.stop;
	return err;
}

int sl_handover_adopt(struct sl_fwd *fwd, int record_fd,
		      struct sl_handover_stop *stop)
{
	int err = record_adopt(fwd, record_fd, stop);

	close(record_fd);
	if (err)
		sl_fwd_say_error("data plane", "go on from the record", err,
				 NULL);
	return err;
}

int sl_handover_possible(const struct sl_fwd *fwd)
{
	struct sl_xsk trial = { .fd = fwd->end_port[0]->xsk.fd };
	int err = sl_xsk_adopt(&trial);

	sl_xsk_forget(&trial);
	return err;
}

void sl_handover_move(struct sl_fwd *to, struct sl_fwd *from)
{
	for (uint32_t w = 0; w < to->n_workers; w++) {
		to->workers[w].umem = from->workers[w].umem;
		from->workers[w].umem = (struct sl_umem){ 0 };
	}
	for (uint32_t e = 0; e < to->plan.n_ends; e++) {
		struct sl_fwd_port *old = from->end_port[e];

		to->end_port[e]->xsk = old->xsk;
		old->xsk = (struct sl_xsk){ .fd = -1 };
	}
	for (uint32_t i = 0; i < to->n_ifaces; i++)
		to->ifaces[i].base = from->ifaces[i].base;
}

char *sl_handover_describe(const struct sl_fwd *fwd)
{
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	if (!out)
		return NULL;
	fprintf(out, "v%u ring %u frame %u counters %zu;", VERSION, SL_XSK_RING,
		SL_FRAME_BYTES, sizeof(struct sl_fwd_counters));
	/* What is asked of a socket before it is bound. */
	fprintf(out, " zero-copy %d", (int)fwd->config->zerocopy);
	fputs(fwd->config->route ? " route" : " wires", out);
	for (uint32_t i = 0; i < fwd->n_ifaces; i++)
		fprintf(out, " %d", fwd->ifaces[i].ifindex);
	for (uint32_t e = 0; e < fwd->plan.n_ends; e++) {
		const struct sl_fwd_plan_end *end = &fwd->plan.ends[e];

		fprintf(out, "; %u.%u.%u w%u%s", end->wire, end->side,
			end->queue, end->worker, end->receives ? "" : " tx");
	}
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}

/* What goes beside each batch of descriptors. */
struct parcel {
	uint32_t n;
	uint8_t flags[BATCH]; /* of a socket: PARCEL_* */
};

#define PARCEL_MULTI_BUFFER 1u
#define PARCEL_YIELDED 2u

union ancillary {
	char bytes[CMSG_SPACE(BATCH * sizeof(int))];
	struct cmsghdr align;
};

static int parcel_send(int to, const struct parcel *parcel, const int *fds)
{
	struct iovec bytes = { .iov_base = (void *)parcel,
			       .iov_len = sizeof(*parcel) };
	union ancillary ancillary = { 0 };
	struct msghdr header = { .msg_iov = &bytes,
				 .msg_iovlen = 1,
				 .msg_control = &ancillary,
				 .msg_controllen =
					 CMSG_SPACE(parcel->n * sizeof(int)) };
	struct cmsghdr *part = CMSG_FIRSTHDR(&header);
	ssize_t n;

	part->cmsg_level = SOL_SOCKET;
	part->cmsg_type = SCM_RIGHTS;
	part->cmsg_len = CMSG_LEN(parcel->n * sizeof(int));
	memcpy(CMSG_DATA(part), fds, parcel->n * sizeof(int));
	n = sendmsg(to, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0)
		return -errno;
	return n == sizeof(*parcel) ? 0 : -EPROTO;
}

/* parcel->n descriptors into fds[] of BATCH, or -errno and none. */
static int parcel_receive(int from, int timeout_ms, struct parcel *parcel,
			  int *fds)
{
	struct iovec bytes = { .iov_base = parcel, .iov_len = sizeof(*parcel) };
	union ancillary ancillary = { 0 };
	struct msghdr header = { .msg_iov = &bytes,
				 .msg_iovlen = 1,
				 .msg_control = &ancillary,
				 .msg_controllen = sizeof(ancillary) };
	struct pollfd readable = { .fd = from, .events = POLLIN };
	struct cmsghdr *part;
	uint32_t got = 0;
	ssize_t n;

	if (poll(&readable, 1, timeout_ms) != 1)
		return -ETIMEDOUT;
	n = recvmsg(from, &header, MSG_CMSG_CLOEXEC | MSG_WAITALL);
	if (n < 0)
		return -errno;
	part = CMSG_FIRSTHDR(&header);
	if (part && part->cmsg_level == SOL_SOCKET &&
	    part->cmsg_type == SCM_RIGHTS) {
		got = (uint32_t)((part->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fds, CMSG_DATA(part), got * sizeof(int));
	}
	if (n == sizeof(*parcel) && got && got == parcel->n)
		return 0;
	for (uint32_t i = 0; i < got; i++)
		close(fds[i]);
	return n ? -EPROTO : -EPIPE;
}

/* The order on the way: the UMEM of each worker, the socket of each end. */
static uint32_t descriptors(const struct sl_fwd *fwd)
{
	return fwd->n_workers + fwd->plan.n_ends;
}

static int descriptor(const struct sl_fwd *fwd, uint32_t i, uint8_t *flags)
{
	const struct sl_fwd_port *port;

	*flags = 0;
	if (i < fwd->n_workers)
		return fwd->workers[i].umem.fd;
	port = fwd->end_port[i - fwd->n_workers];
	*flags = (port->xsk.multi_buffer ? PARCEL_MULTI_BUFFER : 0) |
		 (port->xsk.yielded ? PARCEL_YIELDED : 0);
	return port->xsk.fd;
}

int sl_handover_send(const struct sl_fwd *fwd, int to)
{
	uint32_t all = descriptors(fwd);
	int err = 0;

	for (uint32_t first = 0; first < all && !err; first += BATCH) {
		struct parcel parcel = { .n = all - first };
		int fds[BATCH] = { 0 };

		if (parcel.n > BATCH)
			parcel.n = BATCH;
		for (uint32_t i = 0; i < parcel.n; i++)
			fds[i] = descriptor(fwd, first + i, &parcel.flags[i]);
		err = parcel_send(to, &parcel, fds);
	}
	return err;
}

static void descriptors_take(struct sl_fwd *fwd, const int *fds,
			     const uint8_t *flags)
{
	for (uint32_t w = 0; w < fwd->n_workers; w++)
		fwd->workers[w].umem = (struct sl_umem){
			.fd = fds[w],
			.frames = sl_fwd_worker_frames_wanted(&fwd->workers[w])
		};
	for (uint32_t e = 0; e < fwd->plan.n_ends; e++) {
		struct sl_fwd_port *port = fwd->end_port[e];
		uint8_t flag = flags[fwd->n_workers + e];

		port->xsk.fd = fds[fwd->n_workers + e];
		port->xsk.multi_buffer = flag & PARCEL_MULTI_BUFFER;
		port->xsk.yielded = flag & PARCEL_YIELDED;
		port->xsk.zerocopy = sl_xsk_zerocopy(&port->xsk);
	}
}

int sl_handover_receive(struct sl_fwd *fwd, int from)
{
	uint32_t all = descriptors(fwd), got = 0;
	int *fds = calloc(all + BATCH, sizeof(*fds));
	uint8_t *flags = calloc(all + BATCH, 1);
	int err = fds && flags ? 0 : -ENOMEM;

	while (!err && got < all) {
		struct parcel parcel;

		err = parcel_receive(from, WAIT_MS, &parcel, fds + got);
		if (err)
			break;
		memcpy(flags + got, parcel.flags, parcel.n);
		got += parcel.n;
	}
	if (!err && got != all)
		err = -EPROTO;
	if (!err)
		descriptors_take(fwd, fds, flags);
	for (uint32_t i = 0; err && i < got; i++)
		close(fds[i]);
	free(fds);
	free(flags);
	return err;
}

int sl_handover_record_send(int record_fd, int to)
{
	const struct parcel parcel = { .n = 1 };

	return parcel_send(to, &parcel, &record_fd);
}

int sl_handover_record_receive(int from, int *record_fd)
{
	struct parcel parcel;
	int fds[BATCH] = { 0 };
	int err = parcel_receive(from, HOLD_MS, &parcel, fds);

	if (!err && parcel.n != 1) {
		for (uint32_t i = 0; i < parcel.n; i++)
			close(fds[i]);
		err = -EPROTO;
	}
	if (!err)
		*record_fd = fds[0];
	return err;
}
