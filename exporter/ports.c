// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * A heap of the N best with the least of them on top: most ports are less than that and cost
 * one comparison, so no reading sorts 131,072 counters.
 */
#include "ports.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int sl_ports_choose(struct sl_ports_wanted *wanted, const char *text)
{
	unsigned long port;
	uint8_t proto = SL_PORT_PROTOS;
	char *end;

	if (strncmp(text, "tcp/", 4) == 0)
		proto = SL_PORT_TCP;
	else if (strncmp(text, "udp/", 4) == 0)
		proto = SL_PORT_UDP;
	if (proto == SL_PORT_PROTOS || text[4] < '0' || text[4] > '9')
		return -EINVAL;
	port = strtoul(text + 4, &end, 10);
	if (*end || port > UINT16_MAX)
		return -EINVAL;
	if (wanted->n_chosen == SL_PORTS_CHOSEN)
		return -ENOSPC;
	wanted->chosen[wanted->n_chosen].proto = proto;
	wanted->chosen[wanted->n_chosen++].port = (uint16_t)port;
	return 0;
}

/* Lets the top sink to its place. */
static void sink(struct sl_port_count *heap, size_t n)
{
	struct sl_port_count moved = heap[0];
	size_t i = 0;

	for (size_t child; (child = 2 * i + 1) < n; i = child) {
		if (child + 1 < n &&
		    sl_port_count_compare(&heap[child + 1], &heap[child]) > 0)
			child++;
		if (sl_port_count_compare(&heap[child], &moved) <= 0)
			break;
		heap[i] = heap[child];
	}
	heap[i] = moved;
}

static void rise(struct sl_port_count *heap, size_t i)
{
	struct sl_port_count moved = heap[i];

	for (; i && sl_port_count_compare(&moved, &heap[(i - 1) / 2]) > 0;
	     i = (i - 1) / 2)
		heap[i] = heap[(i - 1) / 2];
	heap[i] = moved;
}

static void offer(struct sl_top *top, uint32_t most,
		  const struct sl_port_count *count)
{
	if (top->n < most) {
		top->ports[top->n] = *count;
		rise(top->ports, top->n++);
	} else if (most && sl_port_count_compare(count, &top->ports[0]) < 0) {
		top->ports[0] = *count;
		sink(top->ports, most);
	}
}

static bool has(const struct sl_top *top, uint8_t proto, uint16_t port)
{
	for (size_t i = 0; i < top->n; i++)
		if (top->ports[i].proto == proto && top->ports[i].port == port)
			return true;
	return false;
}

int sl_top_take(const struct sl_ports_wanted *wanted,
		struct sl_counter counters[SL_PORT_PROTOS][65536],
		struct sl_top *top)
{
	struct sl_top took = { 0 };

	took.ports =
		calloc(wanted->top + wanted->n_chosen + 1, sizeof(*took.ports));
	if (!took.ports)
		return -ENOMEM;
	for (unsigned proto = 0; proto < SL_PORT_PROTOS; proto++)
		for (unsigned port = 0; port < 65536; port++) {
			struct sl_port_count count = { (uint8_t)proto,
						       (uint16_t)port,
						       counters[proto][port] };

			if (count.counter.packets)
				offer(&took, wanted->top, &count);
		}
	if (took.n)
		qsort(took.ports, took.n, sizeof(*took.ports),
		      sl_port_count_compare);
	for (size_t i = 0; i < wanted->n_chosen; i++) {
		uint8_t proto = wanted->chosen[i].proto;
		uint16_t port = wanted->chosen[i].port;

		if (!has(&took, proto, port))
			took.ports[took.n++] =
				(struct sl_port_count){ proto, port,
							counters[proto][port] };
	}
	*top = took;
	return 0;
}
