// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "port_pcap.h"

#include <errno.h>
/* Its struct bpf_insn is the kernel's of <linux/bpf.h> by another name. */
#define PCAP_DONT_INCLUDE_PCAP_BPF_H
#include <pcap/dlt.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>

#include "port_copy.h"

struct sl_fwd_pcap {
	pcap_t *in, *out; /* NULL: none */
	pcap_dumper_t *dumper;
	/* A packet that was read and found no room. */
	struct pcap_pkthdr *head;
	const u_char *bytes;
	bool waits, ended;
	u_char gather[SL_BURST * SL_FRAME_BYTES]; /* a packet in one piece */
};

/* Reads on unless a packet waits; false: there is none. */
static bool packet_next(struct sl_fwd_pcap *pcap)
{
	if (pcap->waits)
		return true;
	if (pcap->ended || !pcap->in)
		return false;
	/* -1 is a damaged file, -2 its end: either way nothing follows. */
	pcap->ended = pcap_next_ex(pcap->in, &pcap->head, &pcap->bytes) != 1;
	return !pcap->ended;
}

static bool pcap_ready(const struct sl_fwd_port *port)
{
	return port->pcap->in && !port->pcap->ended;
}

static void pcap_rx_burst(struct sl_fwd_port *port, struct sl_fwd_burst *burst)
{
	struct sl_fwd_pcap *pcap = port->pcap;

	port->rx_idle = true;
	while (packet_next(pcap)) {
		uint32_t len = pcap->head->caplen;

		/* Cut by whoever captured it, or of more frames than a burst has. */
		if (!len || len < pcap->head->len ||
		    len > SL_BURST_PACKET_MAX) {
			sl_fwd_port_copy_drop(port, SL_FWD_DROP_TOO_LONG);
		} else if (!sl_fwd_burst_put(burst, pcap->bytes, len)) {
			pcap->waits = true;
			break;
		}
		pcap->waits = false;
		port->rx_idle = false;
	}
	sl_fwd_port_copy_received(port, burst);
}

static bool packet_write(struct sl_fwd_pcap *pcap, const struct sl_umem *umem,
			 const struct sl_fwd_burst *burst,
			 const struct sl_fwd_packet *packet, uint64_t now_ns)
{
	struct pcap_pkthdr head = {
		.ts = { .tv_sec = (time_t)(now_ns / 1000000000u),
			.tv_usec = (suseconds_t)(now_ns / 1000u % 1000000u) },
		.caplen = packet->len,
		.len = packet->len
	};
	struct iovec vec[SL_BURST];
	size_t at = 0;

	sl_fwd_burst_vector(burst, packet, umem, vec);
	for (uint32_t b = 0; b < packet->n_bufs; b++) {
		memcpy(pcap->gather + at, vec[b].iov_base, vec[b].iov_len);
		at += vec[b].iov_len;
	}
	pcap_dump((u_char *)pcap->dumper, &head, pcap->gather);
	return !ferror(pcap_dump_file(pcap->dumper));
}

static void pcap_tx_burst(struct sl_fwd_port *port, struct sl_fwd_burst *burst,
			  uint32_t from, uint32_t end, uint64_t now_ns)
{
	struct sl_fwd_pcap *pcap = port->pcap;

	for (uint32_t i = from; i < end; i++) {
		struct sl_fwd_packet *packet = &burst->packet[i];

		if (packet->drop != SL_FWD_KEEP)
			continue;
		if (!pcap->dumper)
			packet->drop = SL_FWD_DROP_LINK_DOWN;
		else if (packet_write(pcap, port->umem, burst, packet, now_ns))
			sl_fwd_port_copy_sent(port, burst, packet);
		else
			packet->drop = SL_FWD_DROP_TX_FULL;
	}
}

static int pcap_fd(const struct sl_fwd_port *port)
{
	(void)port;
	return -1;
}

static void pcap_free(struct sl_fwd_pcap *pcap)
{
	if (pcap->dumper)
		pcap_dump_close(pcap->dumper);
	if (pcap->out)
		pcap_close(pcap->out);
	if (pcap->in)
		pcap_close(pcap->in);
	free(pcap);
}

static void pcap_port_close(struct sl_fwd_port *port)
{
	if (port->pcap)
		pcap_free(port->pcap);
	port->pcap = NULL;
}

static const struct sl_fwd_port_ops pcap_ops = {
	.name = "pcap",
	.ready = pcap_ready,
	.rx_burst = pcap_rx_burst,
	.tx_burst = pcap_tx_burst,
	.reap = sl_fwd_port_copy_none,
	.refill = sl_fwd_port_copy_none,
	.pending = sl_fwd_port_copy_pending,
	.kick = sl_fwd_port_copy_kick,
	.rx_wake = sl_fwd_port_copy_rx_wake,
	.fd = pcap_fd,
	.stats = sl_fwd_port_copy_none,
	.reclaim = sl_fwd_port_copy_none,
	.close = pcap_port_close,
};

static int in_open(struct sl_fwd_pcap *pcap, const char *path)
{
	char text[PCAP_ERRBUF_SIZE];

	errno = 0;
	pcap->in = pcap_open_offline(path, text);
	if (!pcap->in)
		return errno ? -errno : -EINVAL;
	return pcap_datalink(pcap->in) == DLT_EN10MB ? 0 : -EPROTONOSUPPORT;
}

static int out_open(struct sl_fwd_pcap *pcap, const char *path)
{
	pcap->out = pcap_open_dead(DLT_EN10MB, sizeof(pcap->gather));
	if (!pcap->out)
		return -ENOMEM;
	errno = 0;
	pcap->dumper = pcap_dump_open(pcap->out, path);
	if (!pcap->dumper)
		return errno ? -errno : -EIO;
	return 0;
}

int sl_fwd_port_pcap_open(struct sl_fwd_port *port, const char *in,
			  const char *out)
{
	struct sl_fwd_pcap *new = calloc(1, sizeof(*new));
	int err = new ? 0 : -ENOMEM;

	if (!err && in)
		err = in_open(new, in);
	if (!err && out)
		err = out_open(new, out);
	if (err) {
		if (new)
			pcap_free(new);
		return err;
	}
	port->pcap = new;
	port->ops = &pcap_ops;
	return 0;
}

bool sl_fwd_port_pcap_ended(const struct sl_fwd_port *port)
{
	return port->pcap->ended || !port->pcap->in;
}
