// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "explain.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "attach.h"
#include "filter.h"

int sl_explain_open(const struct sl_filter *filter,
		    const struct sl_attachment *attachment)
{
	int fd = attachment->dispatcher_id ?
			 bpf_prog_get_fd_by_id(attachment->dispatcher_id) :
			 dup(filter->prog_fd);

	return fd < 0 ? -errno : fd;
}

static int run(int prog_fd, int ifindex, uint8_t *data, size_t bytes)
{
	/* data_meta is 0: the metadata stands before `data` in data_in. */
	struct xdp_md context = {
		.data = sizeof(struct sl_probe),
		.data_end = (uint32_t)bytes,
		.ingress_ifindex = (uint32_t)ifindex,
	};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = data,
		    .data_size_in = (uint32_t)bytes, .data_out = data,
		    .data_size_out = (uint32_t)bytes, .ctx_in = &context,
		    .ctx_size_in = sizeof(context), .repeat = 1);

	return bpf_prog_test_run_opts(prog_fd, &opts) < 0 ? -errno : 0;
}

/*
 * What the test run gives to a program without frags in one piece: a page less
 * XDP_PACKET_HEADROOM and the skb_shared_info at its end, which is 320 bytes in
 * its cache lines (bpf_prog_test_run_xdp() in net/bpf/test_run.c). The rest of
 * a longer packet would lie where such a program does not look.
 */
static size_t linear_bytes(void)
{
	return (size_t)sysconf(_SC_PAGESIZE) - 256 - 320;
}

int sl_explain_packet(const struct sl_filter *filter, int prog_fd, int ifindex,
		      const void *packet, size_t bytes, struct sl_probe *answer)
{
	struct sl_probe probe = { .nonce = filter->gen.nonce };
	uint8_t *data;
	int err;

	if (!probe.nonce)
		return -ENODATA;
	if (bytes < SL_EXPLAIN_BYTES_MIN ||
	    (!filter->frags && bytes > linear_bytes()))
		return -ERANGE;
	data = malloc(sizeof(probe) + bytes);
	if (!data)
		return -ENOMEM;
	memcpy(data, &probe, sizeof(probe));
	memcpy(data + sizeof(probe), packet, bytes);
	err = run(prog_fd, ifindex, data, sizeof(probe) + bytes);
	if (!err) {
		memcpy(&probe, data, sizeof(probe));
		if (probe.answered)
			*answer = probe;
		else
			err = -EAGAIN; /* another program answered */
	}
	free(data);
	return err == -EINVAL || err == -E2BIG ? -ERANGE : err;
}
