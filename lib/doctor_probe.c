// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "doctor_probe.h"

#include <errno.h>
#include <linux/btf.h>
#include <linux/if_xdp.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#ifndef XDP_USE_SG /* Linux 6.6 */
#define XDP_USE_SG (1 << 4)
#endif
#ifndef AF_XDP
#define AF_XDP 44
#endif
#ifndef SOL_XDP
#define SOL_XDP 283
#endif
#ifndef SO_PREFER_BUSY_POLL
#define SO_PREFER_BUSY_POLL 69
#endif

#define LOOPBACK 1 /* its index in every network namespace */

/* r0 = 0; exit. As XDP that is XDP_ABORTED: it is never to see a packet. */
static const struct bpf_insn nothing[] = {
	{ .code = BPF_ALU64 | BPF_MOV | BPF_K },
	{ .code = BPF_JMP | BPF_EXIT },
};

static int load(enum bpf_prog_type type, const struct bpf_prog_load_opts *opts)
{
	int fd = bpf_prog_load(type, "sl_probe", "Dual BSD/GPL", nothing,
			       sizeof(nothing) / sizeof(*nothing), opts);

	return fd < 0 ? -errno : fd;
}

/* Of a load, which is undone. */
static int outcome(int fd)
{
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static int read_jit(int fd)
{
	struct bpf_prog_info info = { 0 };
	uint32_t bytes = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &bytes))
		return -1;
	/* Without CAP_BPF both lengths are hidden. */
	if (!info.xlated_prog_len)
		return -1;
	return info.jited_prog_len > 0;
}

/* On the hook `name` of the kernel's own types. */
static int probe_tracing(const struct btf *kernel, const char *name,
			 uint32_t kind, enum bpf_attach_type type)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = type);
	int id = btf__find_by_name_kind(kernel, name, kind);

	if (id < 0)
		return -ENOENT;
	opts.attach_btf_id = (uint32_t)id;
	return outcome(load(BPF_PROG_TYPE_TRACING, &opts));
}

/*
 * The types of `int sl_probe(struct xdp_md *ctx)`, as clang writes them for a
 * global function; *function is its number. NULL: errno says why.
 */
static struct btf *function_types(int *function)
{
	struct btf *btf = btf__new_empty();
	int number, context, pointer, prototype;

	if (!btf)
		return NULL;
	number = btf__add_int(btf, "int", 4, BTF_INT_SIGNED);
	context = btf__add_struct(btf, "xdp_md", 4);
	btf__add_field(btf, "data", number, 0, 0);
	pointer = btf__add_ptr(btf, context);
	prototype = btf__add_func_proto(btf, number);
	btf__add_func_param(btf, "ctx", pointer);
	*function = btf__add_func(btf, "sl_probe", BTF_FUNC_GLOBAL, prototype);
	if (*function < 0 || btf__load_into_kernel(btf)) {
		btf__free(btf);
		return NULL;
	}
	return btf;
}

/* libxdp's dispatcher needs the load and the attachment, which has no traffic. */
static int probe_freplace(void)
{
	struct bpf_func_info info = { 0 };
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .func_info = &info,
		    .func_info_cnt = 1, .func_info_rec_size = sizeof(info));
	int function, target, fd, link, err;
	struct btf *btf = function_types(&function);

	if (!btf)
		return -errno;
	info.type_id = (uint32_t)function;
	opts.prog_btf_fd = (uint32_t)btf__fd(btf);
	target = load(BPF_PROG_TYPE_XDP, &opts);
	if (target < 0) {
		err = target;
		goto out;
	}
	opts.attach_prog_fd = (uint32_t)target;
	opts.attach_btf_id = (uint32_t)function;
	fd = load(BPF_PROG_TYPE_EXT, &opts);
	err = fd < 0 ? fd : 0;
	if (fd >= 0) {
		link = bpf_raw_tracepoint_open(NULL, fd);
		err = link < 0 ? -errno : outcome(link);
		close(fd);
	}
	close(target);
out:
	btf__free(btf);
	return err;
}

static void probe_programs(struct sl_probe *probe, const struct btf *kernel)
{
	int fd = load(BPF_PROG_TYPE_XDP, NULL);

	probe->jit = -1;
	probe->program = fd < 0 ? fd : 0;
	if (fd < 0)
		return;
	probe->jit = read_jit(fd);
	close(fd);
	probe->freplace = probe_freplace();
	probe->fentry = probe->tp_btf = probe->btf;
	if (probe->btf)
		return;
	probe->fentry = probe_tracing(kernel, "bpf_fentry_test1", BTF_KIND_FUNC,
				      BPF_TRACE_FENTRY);
	probe->tp_btf = probe_tracing(kernel, "btf_trace_napi_poll",
				      BTF_KIND_TYPEDEF, BPF_TRACE_RAW_TP);
}

/* A flag that the kernel does not know is refused before the device is looked for,
 * and no device has the index 0 (xsk_bind(), net/xdp/xsk.c). */
static int probe_use_sg(int fd)
{
	struct sockaddr_xdp address = { .sxdp_family = AF_XDP,
					.sxdp_flags = XDP_USE_SG };

	if (!bind(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    errno == ENODEV)
		return 0;
	return errno == EINVAL ? -EOPNOTSUPP : -errno;
}

static void probe_sockets(struct sl_probe *probe)
{
	int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	socklen_t bytes = sizeof(int);
	int value;

	probe->socket = fd < 0 ? -errno : 0;
	probe->use_sg = probe->socket;
	if (fd >= 0) {
		probe->use_sg = probe_use_sg(fd);
		close(fd);
	}
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_PREFER_BUSY_POLL, &value, &bytes))
		probe->busy_poll = -errno;
	if (fd >= 0)
		close(fd);
}

/* A socket on the child's loopback, whose fill ring is mapped once it is bound. */
static int probe_remap(void)
{
	enum { FRAMES = 4, FRAME = 4096, BYTES = FRAMES * FRAME };
	struct sockaddr_xdp address = { .sxdp_family = AF_XDP,
					.sxdp_flags = XDP_COPY,
					.sxdp_ifindex = LOOPBACK };
	struct xdp_umem_reg umem = { .len = BYTES, .chunk_size = FRAME };
	int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0), n = FRAMES;
	void *memory = mmap(NULL, BYTES, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	umem.addr = (uintptr_t)memory;
	if (fd < 0 || memory == MAP_FAILED ||
	    setsockopt(fd, SOL_XDP, XDP_UMEM_REG, &umem, sizeof(umem)) ||
	    setsockopt(fd, SOL_XDP, XDP_UMEM_FILL_RING, &n, sizeof(n)) ||
	    setsockopt(fd, SOL_XDP, XDP_UMEM_COMPLETION_RING, &n, sizeof(n)) ||
	    setsockopt(fd, SOL_XDP, XDP_RX_RING, &n, sizeof(n)) ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)))
		return -errno;
	if (mmap(NULL, FRAME, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		 XDP_UMEM_PGOFF_FILL_RING) == MAP_FAILED)
		return -errno;
	return 0;
}

static int probe_link(void)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = 1u << 1);
	int fd = load(BPF_PROG_TYPE_XDP, NULL);

	if (fd < 0)
		return fd;
	if (bpf_link_create(fd, LOOPBACK, BPF_XDP, &opts) < 0)
		return -errno;
	return 0;
}

/* In the child: what it opened goes with it. */
static void answer(int out)
{
	struct sl_probe found = { 0 };

	if (unshare(CLONE_NEWNET)) {
		found.namespaced = -errno;
	} else {
		found.remap = probe_remap();
		found.link = probe_link();
	}
	if (write(out, &found, sizeof(found)) < 0)
		_exit(1);
	_exit(0);
}

static void probe_namespaced(struct sl_probe *probe)
{
	struct sl_probe found = { .namespaced = -EIO };
	int ends[2];
	pid_t child;

	probe->namespaced = -EIO;
	if (pipe(ends))
		return;
	child = fork();
	if (child == 0)
		answer(ends[1]);
	close(ends[1]);
	if (child > 0) {
		if (read(ends[0], &found, sizeof(found)) != sizeof(found))
			found.namespaced = -EIO;
		waitpid(child, NULL, 0);
	}
	close(ends[0]);
	probe->namespaced = found.namespaced;
	probe->remap = found.remap;
	probe->link = found.link;
}

void sl_probe_run(struct sl_probe *probe)
{
	struct btf *kernel = btf__load_vmlinux_btf();
	struct sl_probe new = { .btf = kernel ? 0 : -errno };

	probe_programs(&new, kernel);
	btf__free(kernel);
	probe_sockets(&new);
	probe_namespaced(&new);
	*probe = new;
}
