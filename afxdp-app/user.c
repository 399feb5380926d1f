// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * stage "FILE.so": the operator's own code, by the interface of sluice/stage.h. It gets
 * views of the packets, not the worker's own descriptions, so that all it can change of these
 * is what the interface says; nothing keeps it from the rest of the memory.
 *
 * What runs here runs as the forwarder was started, mostly as root: so the file must be root's,
 * and no one else's to write. It is opened once, judged, and loaded by that descriptor, so that
 * no other file can take its place in between. The descriptor stays open as long: dlopen() knows
 * an object by its name, and would take the next one with this number for the same.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "forwarder.h"
#include "lib/config.h"
#include "lib/setfile.h"
#include "say.h"
#include "sluice/stage.h"

#define SYMBOL "sluice_stage"

struct user {
	int fd; /* of the library */
	void *library;
	const struct sl_stage_object *object;
	const struct sl_fwd_iface *ifaces;
};

/* Opened for reading if it is ours to run; -errno, or -EDOM with the reason said. */
static int file_open(const struct sl_fwd_stage *stage, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char name[SL_FWD_STAGE_NAME];
	struct stat status;
	int err;

	if (fd < 0 || fstat(fd, &status)) {
		err = -errno;
		sl_fwd_say_error(sl_fwd_stage_name(stage, name), "open", err,
				 "a relative path is beside the configuration");
		if (fd >= 0)
			close(fd);
		return err == -ENOENT ? -EDOM : err;
	}
	if (S_ISREG(status.st_mode) && !status.st_uid &&
	    !(status.st_mode & (S_IWGRP | S_IWOTH)))
		return fd;
	close(fd);
	sl_fwd_say_of(
		sl_fwd_stage_name(stage, name),
		"open: it would run with the forwarder's privileges, and is not root's "
		"alone; 'chown root:root' and 'chmod go-w' a regular file");
	return -EDOM;
}

/* Why the last dl*() failed, without the name by which the file was opened. */
static const char *reason(const char *opened)
{
	const char *text = dlerror();
	size_t n = strlen(opened);

	if (!text)
		return "unknown error";
	if (!strncmp(text, opened, n) && !strncmp(text + n, ": ", 2))
		return text + n + 2;
	return text;
}

static int object_load(const struct sl_fwd_stage *stage, struct user *user)
{
	char name[SL_FWD_STAGE_NAME], opened[64];
	const struct sl_stage_object *object;

	snprintf(opened, sizeof(opened), "/proc/self/fd/%d", user->fd);
	user->library = dlopen(opened, RTLD_NOW | RTLD_LOCAL);
	if (!user->library) {
		sl_fwd_say_of(
			sl_fwd_stage_name(stage, name),
			"load: %s; is it a shared object for this machine?",
			reason(opened));
		return -EDOM;
	}
	object = dlsym(user->library, SYMBOL);
	if (!object)
		sl_fwd_say_of(sl_fwd_stage_name(stage, name),
			      "load: it defines no symbol " SYMBOL
			      "; define it as sluice/stage.h says");
	else if (object->abi != SL_STAGE_ABI)
		sl_fwd_say_of(
			sl_fwd_stage_name(stage, name),
			"load: it was built for version %u of sluice/stage.h, this is "
			"version %u; build it anew",
			object->abi, SL_STAGE_ABI);
	else if (!object->process)
		sl_fwd_say_of(sl_fwd_stage_name(stage, name),
			      "load: its process is NULL; define it");
	else {
		user->object = object;
		return 0;
	}
	dlclose(user->library);
	return -EDOM;
}

static int user_open(struct sl_fwd_stage *stage, const struct sl_fwd *fwd)
{
	char *path = sl_setfile_locate(fwd->config_path, stage->config->target);
	struct user *user = calloc(1, sizeof(*user));
	int err = -ENOMEM;

	if (!path || !user)
		goto err_free;
	user->fd = file_open(stage, path);
	if (user->fd < 0) {
		err = user->fd;
		goto err_free;
	}
	err = object_load(stage, user);
	if (err)
		goto err_close;
	free(path);
	user->ifaces = fwd->ifaces;
	stage->own = user;
	return 0;

err_close:
	close(user->fd);
err_free:
	free(path);
	free(user);
	return err;
}

static int user_attach(struct sl_fwd_stage *stage, struct sl_fwd_step *step,
		       uint32_t worker, uint32_t workers)
{
	const struct sl_stage_start start = { .worker = worker,
					      .workers = workers };
	const struct user *user = stage->own;
	char name[SL_FWD_STAGE_NAME];
	int err;

	if (!user->object->init)
		return 0;
	err = user->object->init(&start, &step->state);
	if (err)
		sl_fwd_say_error(sl_fwd_stage_name(stage, name), "init",
				 err < 0 ? err : -EINVAL,
				 "the stage itself refused");
	return err < 0 ? err : err ? -EINVAL : 0;
}

/* What the interface shows of the batch's packets; their bytes are where they are. */
static void views_make(const struct user *user,
		       const struct sl_fwd_batch *batch,
		       struct sl_stage_packet *packets, struct iovec *buffers)
{
	const struct sl_fwd_port *in = batch->burst->in;

	for (uint32_t i = 0; i < batch->n; i++) {
		const struct sl_fwd_packet *packet = batch->packets[i];

		packets[i] = (struct sl_stage_packet){
			.buffers = buffers,
			.n_buffers = packet->n_bufs,
			.bytes = packet->len,
			.in = (uint32_t)user->ifaces[in->iface].ifindex,
			.out = (uint32_t)user->ifaces[packet->out->iface]
				       .ifindex,
			.queue = in->queue,
			.rule = packet->rule,
		};
		sl_fwd_burst_vector(batch->burst, packet, in->umem, buffers);
		buffers += packet->n_bufs;
	}
}

static void user_process(struct sl_fwd_step *step,
			 const struct sl_fwd_batch *batch)
{
	const struct user *user = step->stage->own;
	struct sl_stage_packet packets[SL_BURST];
	struct iovec buffers[SL_BURST];
	const struct sl_stage_burst view = { .now_ns = batch->now_ns,
					     .packets = packets,
					     .n = batch->n };

	views_make(user, batch, packets, buffers);
	user->object->process(step->state, &view);
	for (uint32_t i = 0; i < batch->n; i++)
		if (packets[i].drop)
			batch->packets[i]->drop = SL_FWD_DROP_STAGE;
}

static void user_detach(struct sl_fwd_step *step)
{
	const struct user *user = step->stage->own;

	if (user->object->fini)
		user->object->fini(step->state);
}

static void user_close(struct sl_fwd_stage *stage)
{
	struct user *user = stage->own;

	dlclose(user->library);
	close(user->fd);
	free(user);
}

const struct sl_fwd_stage_ops sl_fwd_stage_user = {
	.open = user_open,
	.attach = user_attach,
	.process = user_process,
	.detach = user_detach,
	.close = user_close,
};
