// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "program.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "draw.h"
#include "object.h"
#include "replay.h"

/* Linux 5.18; Debian 12's headers have it, older ones may not. */
#ifndef BPF_F_TEST_XDP_LIVE_FRAMES
#define BPF_F_TEST_XDP_LIVE_FRAMES (1U << 1)
#endif

#define LOOPBACK_IFINDEX 1
/* Below every kernel's limit, and above: 4 KiB pages less about 700 bytes. */
#define PROBE_LOW 1500u
#define PROBE_HIGH 65536u

struct program {
	struct bpf_object *object;
	int fd;
	volatile struct gen_state *state;
	int hold_link, hold_netns; /* -1: none */
};

/* Warnings and errors of libbpf (the verifier's log, too), in one place. */
__attribute__((format(printf, 2, 0))) static int
print_libbpf(enum libbpf_print_level level, const char *format, va_list args)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, format, args) : 0;
}

static int silence(enum libbpf_print_level level, const char *format,
		   va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	return 0;
}

static int explain_load(int err, FILE *out)
{
	if (err == -EPERM || err == -EACCES)
		fputs("sluice-gen: load the program: no permission; run as root "
		      "(CAP_BPF, CAP_NET_ADMIN, CAP_SYS_ADMIN)\n",
		      out);
	else
		fprintf(out,
			"sluice-gen: load the program: %s; the kernel must be 5.18 or "
			"later with CONFIG_BPF_SYSCALL\n",
			strerror(-err));
	return err;
}

/* Opens the object with one program of it to be loaded. */
static int open_object(struct bpf_object **object, const char *wanted)
{
	DECLARE_LIBBPF_OPTS(bpf_object_open_opts, opts,
			    .object_name = "sluice_gen");
	struct bpf_program *each;
	struct bpf_object *found;
	const void *image;
	size_t length;

	image = sl_gen_object_get(&length);
	found = bpf_object__open_mem(image, length, &opts);
	if (!found)
		return -errno;
	bpf_object__for_each_program(each, found)
		bpf_program__set_autoload(each, !strcmp(bpf_program__name(each),
							wanted));
	*object = found;
	return 0;
}

static uint32_t slot_bytes(const struct gen_config *config)
{
	return (uint32_t)sizeof(struct gen_frame) + config->frame_bytes;
}

static int set_config(struct bpf_object *object,
		      const struct gen_config *config)
{
	struct bpf_map *map = bpf_object__find_map_by_name(object, ".rodata");
	struct bpf_map *frames = bpf_object__find_map_by_name(object, "frames");
	struct gen_config *constants;
	size_t length = 0;
	int err;

	/* libbpf 1.1 says const of what it gives in order to be written. */
	constants = map ? (void *)bpf_map__initial_value(map, &length) : NULL;
	if (!constants || length < sizeof(*config) || !frames)
		return -EINVAL;
	memcpy(constants, config, sizeof(*config));
	if (!config->frames)
		return 0;
	err = bpf_map__set_value_size(frames, slot_bytes(config));
	return err ? err : bpf_map__set_max_entries(frames, config->frames);
}

static int fill_frames(struct bpf_object *object,
		       const struct gen_config *config,
		       const struct replay *replay)
{
	int fd = bpf_object__find_map_fd_by_name(object, "frames");
	struct gen_frame *slot = calloc(1, slot_bytes(config));
	int err = slot ? 0 : -ENOMEM;

	for (uint32_t i = 0; !err && i < replay->count; i++) {
		slot->length = replay->frames[i].length;
		memcpy(slot->bytes, replay->bytes + replay->frames[i].offset,
		       slot->length);
		if (bpf_map_update_elem(fd, &i, slot, BPF_ANY))
			err = -errno;
	}
	free(slot);
	return err;
}

static int set_device(struct bpf_object *object, unsigned int ifindex)
{
	int fd = bpf_object__find_map_fd_by_name(object, "device");
	uint32_t key = 0;

	return bpf_map_update_elem(fd, &key, &ifindex, BPF_ANY) ? -errno : 0;
}

static void set_state(volatile struct gen_state *state,
		      const struct program_options *options)
{
	const struct gen_config *config = &options->config;

	state->seed = options->seed;
	state->next = config->frames ? config->first % config->frames : 0;
	for (int i = 0; i < GEN_FIELDS; i++)
		state->pos[i] = gen_wrap(config->first, config->range[i].last);
}

/* The program's variables, as the program sees them: libbpf maps only a copy. */
static int map_state(struct program *program)
{
	int fd = bpf_object__find_map_fd_by_name(program->object, ".bss");
	void *state;

	if (fd < 0)
		return fd;
	state = mmap(NULL, sizeof(*program->state), PROT_READ | PROT_WRITE,
		     MAP_SHARED, fd, 0);
	if (state == MAP_FAILED)
		return -errno;
	program->state = state;
	return 0;
}

static int load(struct program *program, const struct program_options *options,
		FILE *err)
{
	const char *name = options->config.frames ? "gen_replay" : "gen_vary";
	int failed;

	failed = bpf_object__load(program->object);
	if (failed)
		return explain_load(failed, err);
	program->fd = bpf_program__fd(
		bpf_object__find_program_by_name(program->object, name));
	failed = map_state(program);
	if (failed)
		return explain_load(failed, err);
	set_state(program->state, options);
	failed = set_device(program->object, options->ifindex);
	if (!failed && options->replay)
		failed = fill_frames(program->object, &options->config,
				     options->replay);
	if (failed)
		fprintf(err,
			"sluice-gen: %s: make it the target of a redirect: %s; is the "
			"interface still there?\n",
			options->device, strerror(-failed));
	return failed;
}

int sl_gen_program_open(struct program **program,
			const struct program_options *options, FILE *err)
{
	struct program *new = calloc(1, sizeof(*new));
	int failed;

	if (!new)
		return explain_load(-ENOMEM, err);
	new->hold_link = -1;
	new->hold_netns = -1;
	libbpf_set_print(print_libbpf);
	failed = open_object(&new->object, options->config.frames ?
						   "gen_replay" :
						   "gen_vary");
	if (!failed)
		failed = set_config(new->object, &options->config);
	if (failed)
		explain_load(failed, err);
	else
		failed = load(new, options, err);
	if (failed)
		sl_gen_program_close(&new);
	else
		*program = new;
	return failed;
}

void sl_gen_program_close(struct program **program)
{
	struct program *old = *program;

	if (!old)
		return;
	if (old->hold_link >= 0)
		close(old->hold_link);
	if (old->hold_netns >= 0)
		close(old->hold_netns);
	if (old->state)
		munmap((void *)old->state, sizeof(*old->state));
	bpf_object__close(old->object);
	free(old);
	*program = NULL;
}

/*
 * In a thread of its own, which alone leaves for the new namespace. The
 * descriptor keeps the namespace when the thread is gone.
 */
static void *hold(void *argument)
{
	DECLARE_LIBBPF_OPTS(bpf_link_create_opts, opts,
			    .flags = XDP_FLAGS_SKB_MODE);
	struct program *program = argument;

	if (unshare(CLONE_NEWNET))
		goto err_system;
	program->hold_netns =
		open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (program->hold_netns < 0)
		goto err_system;
	program->hold_link =
		bpf_link_create(program->fd, LOOPBACK_IFINDEX, BPF_XDP, &opts);
	if (program->hold_link < 0)
		goto err_system;
	return NULL;
err_system:
	return (void *)(intptr_t)errno;
}

int sl_gen_program_hold(struct program *program)
{
	pthread_t thread;
	void *result;
	int err;

	err = pthread_create(&thread, NULL, hold, program);
	if (!err)
		err = pthread_join(thread, &result);
	return err ? -err : -(int)(intptr_t)result;
}

static int run(int fd, const void *bytes, uint32_t length, uint32_t count,
	       uint32_t batch)
{
	DECLARE_LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = bytes,
			    .data_size_in = length, .repeat = (int)count,
			    .flags = BPF_F_TEST_XDP_LIVE_FRAMES,
			    .batch_size = batch);

	return bpf_prog_test_run_opts(fd, &opts) ? -errno : 0;
}

int sl_gen_program_run(const struct program *program, const void *bytes,
		       uint32_t length, uint32_t count, uint32_t batch)
{
	return run(program->fd, bytes, length, count, batch);
}

uint64_t sl_gen_program_attempted(const struct program *program)
{
	return program->state->attempted;
}

uint64_t sl_gen_program_bytes(const struct program *program)
{
	return program->state->bytes;
}

/* Halving: the kernel has no way to tell its limit but to refuse. */
static int search_longest(int fd, uint32_t *bytes)
{
	uint32_t low = PROBE_LOW, high = PROBE_HIGH;
	uint8_t *frame = calloc(1, PROBE_HIGH);
	int err = frame ? run(fd, frame, low, 1, 1) : -ENOMEM;

	while (!err && high - low > 1) {
		uint32_t middle = (low + high) / 2;

		if (run(fd, frame, middle, 1, 1))
			high = middle;
		else
			low = middle;
	}
	free(frame);
	if (!err)
		*bytes = low;
	return err;
}

int sl_gen_program_longest_frame(uint32_t *bytes, FILE *err)
{
	struct bpf_object *object = NULL;
	int failed;

	/* Its failure is told below, in a sentence. */
	libbpf_set_print(silence);
	failed = open_object(&object, "gen_probe");
	if (failed)
		return explain_load(failed, err);
	failed = bpf_object__load(object);
	if (failed) {
		explain_load(failed, err);
		goto out;
	}
	failed =
		search_longest(bpf_program__fd(bpf_object__find_program_by_name(
				       object, "gen_probe")),
			       bytes);
	if (failed == -EINVAL)
		fputs("sluice-gen: this kernel has no live frames in BPF_PROG_RUN; Linux 5.18 "
		      "or later is needed\n",
		      err);
	else if (failed)
		fprintf(err,
			"sluice-gen: run a program with live frames: %s; run as root\n",
			strerror(-failed));
out:
	bpf_object__close(object);
	return failed;
}
