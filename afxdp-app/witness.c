// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "witness.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "sluice/witness.h"

/* The Makefile says where it builds. */
#ifndef SL_BUILD
#define SL_BUILD "build"
#endif

/* 8: an ELF header is read through pointers to its 64-bit members. */
__asm__(".pushsection .rodata\n"
	".balign 8\n"
	"sl_witness_object:\n"
	".incbin \"" SL_BUILD "/witness.bpf.o\"\n"
	"sl_witness_object_end:\n"
	".byte 0\n"
	".popsection\n");

extern const unsigned char sl_witness_object[], sl_witness_object_end[];

/* In the order of their attachment: a softirq is known before its polls are counted. */
static const char *const programs[] = { "witness_softirq_exit",
					"witness_softirq_entry",
					"witness_napi_poll" };
#define PROGRAMS (sizeof(programs) / sizeof(programs[0]))

struct sl_witness {
	struct bpf_object *object;
	struct bpf_link *links[PROGRAMS];
	int polls_fd;
};

/* Where there is no BTF or no such trace point the caller says so, in its own words. */
static int silent(enum libbpf_print_level level, const char *format,
		  va_list arguments)
{
	(void)level;
	(void)format;
	(void)arguments;
	return 0;
}

static int tell(struct bpf_object *object, pid_t process)
{
	struct bpf_map *map = bpf_object__find_map_by_name(object, ".rodata");
	struct sl_witness_of of = { .process = (uint32_t)process };
	struct stat status;

	if (stat("/proc/self/ns/pid", &status))
		return -errno;
	of.ns_dev = status.st_dev;
	of.ns_ino = status.st_ino;
	if (!map)
		return -ENOENT;
	return bpf_map__set_initial_value(map, &of, sizeof(of));
}

static int attach(struct sl_witness *witness)
{
	for (size_t i = 0; i < PROGRAMS; i++) {
		struct bpf_program *program = bpf_object__find_program_by_name(
			witness->object, programs[i]);

		if (!program)
			return -ENOENT;
		witness->links[i] = bpf_program__attach(program);
		if (!witness->links[i])
			return -errno;
	}
	return 0;
}

static int witness_start(struct sl_witness *witness, pid_t process)
{
	int err;

	witness->object = bpf_object__open_mem(
		sl_witness_object,
		(uintptr_t)sl_witness_object_end - (uintptr_t)sl_witness_object,
		NULL);
	if (!witness->object)
		return -errno;
	err = tell(witness->object, process);
	if (!err)
		err = bpf_object__load(witness->object);
	if (err)
		return err;
	witness->polls_fd =
		bpf_object__find_map_fd_by_name(witness->object, "own_polls");
	return witness->polls_fd < 0 ? witness->polls_fd : attach(witness);
}

int sl_witness_open(pid_t process, struct sl_witness **witness)
{
	struct sl_witness *new = calloc(1, sizeof(*new));
	libbpf_print_fn_t before;
	int err;

	if (!new)
		return -ENOMEM;
	before = libbpf_set_print(silent);
	err = witness_start(new, process);
	libbpf_set_print(before);
	if (err) {
		sl_witness_close(new);
		return err;
	}
	*witness = new;
	return 0;
}

uint64_t sl_witness_polls(const struct sl_witness *witness, uint32_t napi_id)
{
	uint64_t polls = 0;

	if (bpf_map_lookup_elem(witness->polls_fd, &napi_id, &polls))
		return 0;
	return polls;
}

void sl_witness_close(struct sl_witness *witness)
{
	if (!witness)
		return;
	for (size_t i = 0; i < PROGRAMS; i++)
		bpf_link__destroy(witness->links[i]);
	bpf_object__close(witness->object);
	free(witness);
}
