// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * capture "FILE": packets into a pcapng file, whole, as they are at this place among the
 * stages. The worker copies one in `sample` into a spool; the courier builds blocks in memory
 * and writes them, a batch a call. A disk that is slow stalls the courier only, until the
 * spool is full and copies are lost.
 *
 * The file always ends with a whole block, so that it can be read at any time: where a write
 * fails part of the way (the disk is full), that batch is cut off and lost, and a later one is
 * tried. A FIFO cannot be cut: when its reader goes, its capture is over.
 *
 * In a handover two data planes have the file open for a while, the old one's courier with copies
 * to write still. Who writes holds a lock on it until its end, and the other's copies wait.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "copy.h"
#include "forwarder.h"
#include "lib/config.h"
#include "lib/pcapng.h"
#include "lib/setfile.h"
#include "rules.h"
#include "say.h"
#include "sluice/meta.h"

/* Packets a write: 100 KB of large ones, so that calls do not count, and a stop is soon seen. */
#define BATCH 64
/* After a failed write: a full disk is not asked more often. */
#define RETRY_MS 100
/* How often a courier that waits for a FIFO's reader looks whether it is to stop. */
#define FIFO_MS 100

/*
 * Naps of a courier, a second together: a handover takes milliseconds, or the second that the old
 * one has for a slow disk. After that it is another forwarder that writes there.
 */
#define WAITS_MAX 1000u

struct record {
	uint64_t time_ns; /* since 1970 */
	uint32_t in, out; /* interfaces, index among the forwarder's */
	uint32_t in_queue, out_queue;
	uint32_t rule,
		generation; /* slot, and the filter's generation in which it is that */
};

_Static_assert(sizeof(struct record) % 8 == 0, "as sl_fwd_copy_packet() wants");

struct lane {
	struct sl_spool *spool;
	uint64_t to_go; /* packets until the next sample */
};

struct capture {
	struct sl_courier courier;
	const struct sl_fwd_iface *ifaces;
	const struct sl_fwd_rule_names *names; /* of each of them */
	uint32_t n_ifaces;
	struct lane *lanes; /* one a worker */
	int fd;
	bool fifo, begun; /* begun: the file has its beginning */
	bool resumes;	  /* behind what another data plane wrote */
	bool locked;
	uint32_t waits; /* for the lock */
	int over;	/* nothing can be written any more: why, -errno */
	off_t end;	/* of the last whole block */
	/* Blocks in the making: a stream into memory. */
	FILE *blocks;
	char *text;
	size_t text_bytes;
};

/*
 * Not one that another user has made, or linked, at this path: /var/tmp and the like. It
 * is emptied when the first block is written, not here: until then the start may fail, for one
 * because another forwarder has the queues, and writes to this very file. Non-blocking, for a
 * FIFO.
 */
static int file_open(const char *path, bool *fifo)
{
	int fd = open(path,
		      O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
		      0600);
	struct stat status;
	int err = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &status))
		err = -errno;
	else if (status.st_uid != geteuid() ||
		 (!S_ISFIFO(status.st_mode) &&
		  (!S_ISREG(status.st_mode) || status.st_nlink != 1)))
		err = -EPERM;
	if (err) {
		close(fd);
		return err;
	}
	*fifo = S_ISFIFO(status.st_mode);
	return fd;
}

static const char *file_remedy(int err)
{
	switch (-err) {
	case EPERM:
		return "it is there and not a file or FIFO of our own with one name; remove it";
	case ELOOP:
		return "it is a symbolic link; name what it points to";
	case ENXIO:
		return "nobody reads from this FIFO; start the reader first";
	default:
		return "a relative path is beside the configuration";
	}
}

static int capture_file(struct sl_fwd_stage *stage, const struct sl_fwd *fwd,
			struct capture *capture)
{
	char *path = sl_setfile_locate(fwd->config_path, stage->config->target);
	char name[SL_FWD_STAGE_NAME];

	if (!path)
		return -ENOMEM;
	capture->fd = file_open(path, &capture->fifo);
	free(path);
	if (capture->fd < 0) {
		sl_fwd_say_error(sl_fwd_stage_name(stage, name), "open",
				 capture->fd, file_remedy(capture->fd));
		return capture->fd;
	}
	capture->resumes = fwd->restarted;
	return 0;
}

static bool capture_carry(void *context, struct sl_spool *spool);

static void capture_free(struct capture *capture)
{
	sl_courier_fini(&capture->courier);
	if (capture->fd >= 0)
		close(capture->fd);
	if (capture->blocks)
		fclose(capture->blocks);
	free(capture->text);
	free(capture->lanes);
	free(capture);
}

static int capture_open(struct sl_fwd_stage *stage, const struct sl_fwd *fwd)
{
	struct capture *capture = calloc(1, sizeof(*capture));
	int err = -ENOMEM;

	if (!capture)
		return -ENOMEM;
	capture->fd = -1;
	capture->ifaces = fwd->ifaces;
	capture->n_ifaces = fwd->n_ifaces;
	capture->names = fwd->names;
	capture->lanes = calloc(fwd->n_workers, sizeof(*capture->lanes));
	capture->blocks = open_memstream(&capture->text, &capture->text_bytes);
	if (capture->lanes && capture->blocks)
		err = capture_file(stage, fwd, capture);
	if (!err)
		err = sl_fwd_copy_open(stage, &capture->courier, capture_carry,
				       fwd->n_workers);
	if (err) {
		capture_free(capture);
		return err;
	}
	stage->own = capture;
	return 0;
}

static int capture_attach(struct sl_fwd_stage *stage, struct sl_fwd_step *step,
			  uint32_t worker,
			  uint32_t workers __attribute__((unused)))
{
	struct capture *capture = stage->own;

	capture->lanes[worker].spool = &capture->courier.spools[worker];
	step->state = &capture->lanes[worker];
	return 0;
}

/* The metadata still stands in front of a packet whose rule was learnt (burst.h). */
static uint32_t generation(const struct sl_fwd_packet *packet)
{
	struct sl_meta meta;

	if (packet->rule == SL_FWD_RULE_NONE)
		return 0;
	memcpy(&meta, packet->data - sizeof(meta), sizeof(meta));
	return meta.generation;
}

static void capture_process(struct sl_fwd_step *step,
			    const struct sl_fwd_batch *batch)
{
	uint64_t sample = step->stage->config->sample;
	struct lane *lane = step->state;
	struct timespec now = { 0 };
	bool some = false;

	for (uint32_t i = 0; i < batch->n; i++) {
		const struct sl_fwd_packet *packet = batch->packets[i];
		struct record *record;

		if (lane->to_go) {
			lane->to_go--;
			continue;
		}
		lane->to_go = sample ? sample - 1 : 0;
		record = sl_fwd_copy_packet(step, lane->spool, batch->burst,
					    packet, sizeof(*record));
		if (!record)
			continue;
		if (!some)
			clock_gettime(CLOCK_REALTIME, &now);
		some = true;
		*record = (struct record){
			.time_ns = (uint64_t)now.tv_sec * 1000000000ull +
				   (uint64_t)now.tv_nsec,
			.in = batch->burst->in->iface,
			.out = packet->out->iface,
			.in_queue = batch->burst->in->queue,
			.out_queue = packet->out->queue,
			.rule = packet->rule,
			.generation = generation(packet),
		};
	}
	if (some)
		sl_fwd_copy_hand_over(step, lane->spool);
}

/*
 * Whether it is ours to write to. The lock is of the open file, and so ends with the process, or
 * when that is killed; a file system that knows no locks does without.
 */
static bool file_lock(struct capture *capture)
{
	struct flock all = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (!capture->locked)
		capture->locked = !fcntl(capture->fd, F_OFD_SETLK, &all) ||
				  (errno != EAGAIN && errno != EACCES);
	return capture->locked;
}

static int block_begin(struct capture *capture)
{
	int err;

	/* Nothing of an earlier data plane's, and all of an earlier forwarder's. */
	if (!capture->fifo) {
		capture->end =
			capture->resumes ? lseek(capture->fd, 0, SEEK_END) : 0;
		if (capture->end < 0 || ftruncate(capture->fd, capture->end))
			return -errno;
	}
	err = sl_pcapng_section(capture->blocks);
	for (uint32_t i = 0; i < capture->n_ifaces && !err; i++)
		err = sl_pcapng_interface(capture->blocks,
					  capture->ifaces[i].name, 0);
	return err;
}

/* By its name; where that is not known by its number; nothing where the filter tells none. */
static const char *rule_text(const struct capture *capture,
			     const struct record *record,
			     char text[SL_NAME_BYTES + 8])
{
	char name[SL_NAME_BYTES];

	text[0] = '\0';
	if (record->rule == SL_FWD_RULE_NONE)
		return text;
	if (capture->names &&
	    sl_fwd_rules_name(&capture->names[record->in], record->generation,
			      record->rule, name))
		snprintf(text, SL_NAME_BYTES + 8, " by %s", name);
	else
		snprintf(text, SL_NAME_BYTES + 8, " by rule #%u", record->rule);
	return text;
}

static int block_packet(struct capture *capture, const struct record *record,
			uint32_t bytes)
{
	char comment[SL_PCAPNG_COMMENT], rule[SL_NAME_BYTES + 8];
	const struct sl_pcapng_packet packet = {
		.interface = record->in,
		.queue = record->in_queue,
		.time_ns = record->time_ns,
		.bytes = record + 1,
		.captured_bytes = bytes - (uint32_t)sizeof(*record),
		.frame_bytes = bytes - (uint32_t)sizeof(*record),
		.xdp_action = XDP_REDIRECT, /* the filter's, of `forward` */
		.comment = comment,
	};

	snprintf(comment, sizeof(comment),
		 "forward%s, %s queue %u -> %s queue %u",
		 rule_text(capture, record, rule),
		 capture->ifaces[record->in].name, record->in_queue,
		 capture->ifaces[record->out].name, record->out_queue);
	return sl_pcapng_packet(capture->blocks, &packet);
}

/* All of it, or -errno; *done tells how far it got. */
static int write_all(const struct capture *capture, size_t *done)
{
	struct pollfd room = { .fd = capture->fd, .events = POLLOUT };

	*done = 0;
	while (*done < capture->text_bytes) {
		ssize_t n = write(capture->fd, capture->text + *done,
				  capture->text_bytes - *done);

		if (n > 0)
			*done += (size_t)n;
		else if (n < 0 && errno != EAGAIN)
			return -errno;
		else if (sl_courier_late(&capture->courier))
			return -ETIMEDOUT;
		else
			poll(&room, 1, FIFO_MS);
	}
	return 0;
}

/*
 * Writes the blocks made, if they were made without error; what cannot be written whole leaves
 * no trace, or it is over.
 */
static int flush(struct capture *capture, int err)
{
	size_t done = 0;

	if (!err && fflush(capture->blocks))
		err = -ENOMEM;
	if (!err)
		err = write_all(capture, &done);
	rewind(capture->blocks);
	if (!err) {
		capture->end += (off_t)done;
		capture->begun = true;
		return 0;
	}
	if (capture->fifo ?
		    done || err == -EPIPE :
		    ftruncate(capture->fd, capture->end) ||
			    lseek(capture->fd, capture->end, SEEK_SET) < 0)
		capture->over = err;
	return err;
}

static bool capture_carry(void *context, struct sl_spool *spool)
{
	struct sl_fwd_stage *stage = context;
	struct capture *capture = stage->own;
	uint32_t n = 0, bytes;
	const void *record;
	int err = capture->over;

	if (!file_lock(capture)) {
		if (++capture->waits == WAITS_MAX)
			sl_fwd_copy_count(stage, 0, -EBUSY);
		return false;
	}
	if (!capture->begun && !err)
		err = block_begin(capture);
	while (n < BATCH && (record = sl_spool_take(spool, &bytes))) {
		if (!err)
			err = block_packet(capture, record, bytes);
		n++;
	}
	sl_spool_release(spool);
	if (!capture->over)
		err = flush(capture, err);
	if (n || err)
		sl_fwd_copy_count(stage, n, err);
	if (err && !capture->over && !sl_courier_late(&capture->courier))
		poll(NULL, 0, RETRY_MS);
	return n;
}

static void capture_close(struct sl_fwd_stage *stage)
{
	capture_free(stage->own);
}

const struct sl_fwd_stage_ops sl_fwd_stage_capture = {
	.copies = "write",
	.open = capture_open,
	.attach = capture_attach,
	.process = capture_process,
	.close = capture_close,
};
