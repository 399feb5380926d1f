// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "ledger.h"

#include <inttypes.h>

#include "forwarder.h"
#include "lib/fwdledger.h"
#include "lib/jsontext.h"

/* Packets whose last descriptor is on the RX ring; the worker may take some meanwhile. */
static uint64_t waiting(const struct sl_fwd_port *port)
{
	const struct xsk_ring_cons *rx = &port->xsk.rx;
	uint32_t from, to;
	uint64_t n = 0;

	if (!rx->ring)
		return 0;
	to = __atomic_load_n(rx->producer, __ATOMIC_ACQUIRE);
	from = __atomic_load_n(rx->consumer, __ATOMIC_RELAXED);
	/* More than a ring: it was overtaken between the two. */
	for (; from != to && n < SL_XSK_RING; from++)
		n += !(xsk_ring_cons__rx_desc(rx, from)->options &
		       XDP_PKT_CONTD);
	return n;
}

void sl_fwd_ledger_side(const struct sl_fwd *fwd, uint32_t iface,
			struct sl_fwd_side *side)
{
	const struct sl_fwd_tally *tally = &fwd->ifaces[iface].tally;

	*side = (struct sl_fwd_side){ .tally = tally };
	for (uint32_t e = 0; e < fwd->plan.n_ends; e++) {
		const struct sl_fwd_port *port = fwd->end_port[e];

		if (port->iface != iface)
			continue;
		side->received += sl_count_read(&port->count.rx_packets);
		side->sent += sl_count_read(&port->count.tx_packets);
		side->lost +=
			port->kernel.rx_dropped + port->kernel.rx_ring_full;
		side->waiting += waiting(port);
	}
	if (tally->counted)
		side->unexplained =
			(int64_t)(tally->forwarded - side->received -
				  side->lost - side->waiting);
}

void sl_fwd_ledger_balance(const struct sl_fwd *fwd,
			   struct sl_fwd_balance *balance)
{
	struct sl_fwd_balance new = { 0 };

	for (uint32_t e = 0; e < fwd->plan.n_ends; e++) {
		const struct sl_fwd_counters *count = &fwd->end_port[e]->count;

		new.received += sl_count_read(&count->rx_packets);
		new.sent += sl_count_read(&count->tx_packets);
		for (int d = SL_FWD_KEEP + 1; d < SL_FWD_DROP_COUNT; d++)
			new.dropped += sl_count_read(&count->drops[d]);
	}
	new.unexplained =
		imaxabs((int64_t)(new.received - new.sent - new.dropped));
	for (uint32_t i = 0; i < fwd->n_ifaces; i++) {
		struct sl_fwd_side side;

		sl_fwd_ledger_side(fwd, i, &side);
		/* What one side lacks shall not make up for what another has too much. */
		new.unexplained += imaxabs(side.unexplained);
	}
	*balance = new;
}

/* null: not known */
static json_t *number_json(bool known, uint64_t number)
{
	return known ? json_integer((json_int_t)number) : json_null();
}

static json_t *nic_json(const struct sl_fwd_nic *nic)
{
	json_t *object = json_object();

#define X(name) \
	json_object_set_new(object, #name, number_json(true, nic->name));
	SL_FWD_NIC_COUNTERS(X)
#undef X
	return object;
}

static json_t *side_json(const struct sl_fwd *fwd, uint32_t iface)
{
	const struct sl_fwd_tally *tally;
	struct sl_fwd_side side;

	sl_fwd_ledger_side(fwd, iface, &side);
	tally = side.tally;
	return json_pack(
		"{s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:I}", "name",
		sl_json_text(fwd->ifaces[iface].name), "nic",
		tally->nic_known ? nic_json(&tally->nic) : json_null(), "seen",
		number_json(tally->counted, tally->seen), "unseen",
		number_json(tally->unseen_known, (uint64_t)tally->unseen),
		"forwarded", number_json(tally->counted, tally->forwarded),
		"received", (json_int_t)side.received, "lost",
		(json_int_t)side.lost, "waiting", (json_int_t)side.waiting,
		"unexplained", (json_int_t)side.unexplained, "sent",
		(json_int_t)side.sent);
}

json_t *sl_fwd_ledger_json(const struct sl_fwd *fwd)
{
	struct sl_fwd_balance balance;
	json_t *sides = json_array();

	sl_fwd_ledger_balance(fwd, &balance);
	for (uint32_t i = 0; i < fwd->n_ifaces; i++)
		json_array_append_new(sides, side_json(fwd, i));
	return json_pack("{s:o, s:I, s:I, s:I, s:I}", "interfaces", sides,
			 "received", (json_int_t)balance.received, "sent",
			 (json_int_t)balance.sent, "dropped",
			 (json_int_t)balance.dropped, "unexplained",
			 (json_int_t)balance.unexplained);
}

void sl_fwd_ledger_text(const struct sl_fwd *fwd, FILE *out)
{
	json_t *ledger = sl_fwd_ledger_json(fwd);

	sl_fwdledger_print(ledger, "", out);
	json_decref(ledger);
}
