// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "route.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "forwarder.h"
#include "sluice/meta.h"
#include "xdp/hop.h"

static void route_init(struct sl_fwd *fwd, uint32_t lane)
{
	struct sl_fwd_route *route = &fwd->routes[lane];

	route->n = fwd->n_ifaces;
	route->ifaces = fwd->ifaces;
	route->used = &fwd->used[lane];
	route->out = &fwd->outs[(size_t)lane * fwd->n_ifaces];
	for (uint32_t e = 0; e < fwd->plan.n_ends; e++) {
		struct sl_fwd_port *port = fwd->end_port[e];

		if (fwd->plan.ends[e].lane != lane)
			continue;
		port->route = route;
		if (fwd->plan.ends[e].queue == lane)
			route->out[port->iface] = port;
	}
}

int sl_fwd_routes_open(struct sl_fwd *fwd)
{
	uint32_t lanes = fwd->plan.lanes;

	if (!fwd->config->route)
		return 0;
	fwd->used = sl_fwd_used_new(lanes);
	fwd->routes = calloc(lanes, sizeof(*fwd->routes));
	fwd->outs = calloc((size_t)lanes * fwd->n_ifaces,
			   sizeof(struct sl_fwd_port *));
	if (!fwd->used || !fwd->routes || !fwd->outs)
		return -ENOMEM;
	for (uint32_t l = 0; l < lanes; l++)
		route_init(fwd, l);
	return 0;
}

void sl_fwd_routes_close(struct sl_fwd *fwd)
{
	free(fwd->routes);
	free(fwd->outs);
	sl_fwd_used_free(fwd->used, fwd->plan.lanes);
	fwd->routes = NULL;
	fwd->outs = NULL;
	fwd->used = NULL;
}

/* The index of the interface, or route->n: there is no port on it. */
static uint32_t find_out(const struct sl_fwd_route *route, uint32_t ifindex)
{
	uint32_t i = 0;

	while (i < route->n && (uint32_t)route->ifaces[i].ifindex != ifindex)
		i++;
	return i;
}

/*
 * Lowers TTL or hop limit. The filter has seen the whole header; that it is in the first
 * buffer is asked once more, as this writes. False: it is not.
 */
static bool packet_lower(struct sl_fwd_packet *packet)
{
	uint8_t *header = packet->data + SL_ETH_BYTES;
	uint32_t bytes = packet->flags & SL_META_IP4 ? SL_IP4_BYTES :
						       SL_IP6_BYTES;

	if (packet->head_bytes < SL_ETH_BYTES + bytes)
		return false;
	if (packet->flags & SL_META_IP4)
		sl_hop_ip4(header);
	else
		sl_hop_ip6(header);
	return true;
}

static bool packet_route(const struct sl_fwd_route *route,
			 struct sl_fwd_packet *packet)
{
	struct sl_meta meta;
	uint32_t out;

	if (!(packet->flags & SL_META_ROUTE))
		return false;
	memcpy(&meta, packet->data - sizeof(meta), sizeof(meta));
	out = find_out(route, meta.ifindex);
	if (out == route->n || !packet_lower(packet))
		return false;
	sl_hop_macs(packet->data, meta.mac_dst, meta.mac_src);
	sl_fwd_used_note(route->used, meta.ifindex, meta.mac_dst);
	packet->out = route->out[out];
	return true;
}

void sl_fwd_route_burst(const struct sl_fwd_route *route,
			struct sl_fwd_burst *burst)
{
	for (uint32_t i = 0; i < burst->n; i++)
		if (!packet_route(route, &burst->packet[i]))
			burst->packet[i].drop = SL_FWD_DROP_NO_ROUTE;
}
