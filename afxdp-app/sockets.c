// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "sockets.h"

#include <errno.h>
#include <string.h>

#include "forwarder.h"
#include "lib/config.h"
#include "say.h"
#include "segments.h"

static const char *open_remedy(int err)
{
	switch (-err) {
	case EPERM:
		return "start it as root or with CAP_NET_RAW and CAP_NET_ADMIN";
	case EBUSY:
		return "another AF_XDP socket holds this queue ('ss --xdp -p'): end it";
	case ENOBUFS:
		return "grant CAP_IPC_LOCK or raise the memlock limit (LimitMEMLOCK=)";
	case EOPNOTSUPP:
		return "the driver has no zero-copy here, or none at this MTU; "
		       "'zero-copy auto' takes copy mode";
	case ENETDOWN:
		return "bring the interface up first ('ip link set DEV up')";
	case EAFNOSUPPORT:
		return "this kernel is built without CONFIG_XDP_SOCKETS";
	default:
		return NULL;
	}
}

/* The longest packets that its ports may get, and so send. */
static uint32_t worker_mtu(const struct sl_fwd *fwd,
			   const struct sl_fwd_worker *worker)
{
	uint32_t mtu = 0;

	for (uint32_t i = 0; i < worker->n_ports; i++) {
		uint32_t one = fwd->ifaces[worker->ports[i].iface].mtu;

		mtu = one > mtu ? one : mtu;
	}
	return mtu;
}

/* The first whose driver takes fewer buffers a packet than the worker's have; NULL: none. */
static const struct sl_fwd_iface *too_few(const struct sl_fwd *fwd,
					  const struct sl_fwd_worker *worker)
{
	uint32_t wanted = sl_fwd_segments_wanted(worker_mtu(fwd, worker));

	for (uint32_t i = 0; i < worker->n_ports; i++) {
		const struct sl_fwd_iface *iface =
			&fwd->ifaces[worker->ports[i].iface];

		if (iface->zc_segments && iface->zc_segments < wanted)
			return iface;
	}
	return NULL;
}

int sl_fwd_sockets_mode(const struct sl_fwd *fwd,
			const struct sl_fwd_worker *worker,
			enum sl_zerocopy *zerocopy)
{
	const struct sl_fwd_iface *iface = too_few(fwd, worker);
	uint32_t mtu = worker_mtu(fwd, worker);
	bool require = fwd->config->zerocopy == SL_ZC_REQUIRE;

	*zerocopy = fwd->config->zerocopy;
	if (*zerocopy == SL_ZC_OFF || !iface)
		return 0;
	sl_fwd_say_of(
		iface->name,
		"zero-copy: packets of MTU %u take %u buffers, the driver's zero-copy takes "
		"%u%s %u%s",
		mtu, sl_fwd_segments_wanted(mtu), iface->zc_segments,
		require ? "; lower the MTU to" :
			  ": copy mode; zero-copy is for an MTU up to",
		sl_fwd_segments_mtu(iface->zc_segments),
		require ? ", or 'zero-copy auto' takes copy mode" : "");
	if (require)
		return -EOPNOTSUPP;
	*zerocopy = SL_ZC_OFF;
	return 0;
}

const char *sl_fwd_sockets_copy_reason(const struct sl_fwd *fwd,
				       const struct sl_fwd_worker *worker,
				       const struct sl_fwd_port *port)
{
	if (port->xsk.zerocopy)
		return NULL;
	if (fwd->config->zerocopy == SL_ZC_OFF)
		return "configuration";
	if (too_few(fwd, worker))
		return "mtu";
	return port->xsk.yielded ? "worker" : "driver";
}

/* All sockets of a worker, the first of which registers the UMEM. */
static int sockets_try(struct sl_fwd *fwd, struct sl_fwd_worker *worker,
		       enum sl_zerocopy zerocopy, uint32_t *failed,
		       const char **operation)
{
	struct sl_xsk_request request = {
		.umem = &worker->umem,
		.share_fd = -1,
		.zerocopy = zerocopy,
		.multi_buffer = sl_fwd_iface_jumbo(worker_mtu(fwd, worker)),
	};
	int err;

	for (uint32_t i = 0; i < worker->n_ports; i++) {
		struct sl_fwd_port *port = &worker->ports[i];

		request.ifindex = fwd->ifaces[port->iface].ifindex;
		request.queue = port->queue;
		err = sl_xsk_open(&port->xsk, &request, operation);
		if (err) {
			*failed = i;
			return err;
		}
		request.share_fd = worker->ports[0].xsk.fd;
		request.multi_buffer = worker->ports[0].xsk.multi_buffer;
	}
	return 0;
}

int sl_fwd_sockets_open(struct sl_fwd *fwd, struct sl_fwd_worker *worker)
{
	enum sl_zerocopy zerocopy;
	const char *operation = NULL;
	char object[SL_FWD_END_NAME];
	uint32_t failed = 0, refused;
	int err = sl_fwd_sockets_mode(fwd, worker, &zerocopy);

	if (err)
		return err;
	err = sockets_try(fwd, worker, zerocopy, &failed, &operation);
	if ((err == -EOPNOTSUPP || err == -EINVAL) && failed &&
	    zerocopy == SL_ZC_AUTO && worker->ports[0].xsk.zerocopy) {
		/* Sockets on one UMEM are of one mode: this queue cannot, so none does. */
		sl_fwd_say(
			"%s: zero-copy: %s; copy mode for all queues of the worker",
			sl_fwd_end_name(fwd, &worker->ports[failed], object),
			strerror(-err));
		refused = failed;
		for (uint32_t i = 0; i < failed; i++)
			sl_xsk_close(&worker->ports[i].xsk);
		err = sockets_try(fwd, worker, SL_ZC_OFF, &failed, &operation);
		for (uint32_t i = 0; i < worker->n_ports && !err; i++)
			worker->ports[i].xsk.yielded = i != refused;
	}
	if (err)
		sl_fwd_say_error(sl_fwd_end_name(fwd, &worker->ports[failed],
						 object),
				 operation, err, open_remedy(err));
	return err;
}
