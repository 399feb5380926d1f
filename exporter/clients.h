/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The connections there are, the one longest without an answered request first, so that those
 * who keep others waiting can be closed. An honest scrape takes milliseconds.
 */
#ifndef SLUICE_EXPORTER_CLIENTS_H
#define SLUICE_EXPORTER_CLIENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct MHD_Connection;
struct sl_text_copy;

struct sl_client {
	struct sl_client *next, *before;
	struct MHD_Connection *connection;
	int fd;		   /* libmicrohttpd's */
	uint64_t since_ns; /* it came, or its last request was answered */
	const struct sl_text_copy *holds; /* what it is being sent, or NULL */
	int waits;     /* for this text (enum sl_text); -1: for none */
	bool answered; /* what it waited for is there, or has failed */
};

struct sl_clients {
	struct sl_client *first, *last;
	size_t n;
	uint64_t evicted;
};

struct sl_client *sl_client_add(struct sl_clients *clients,
				struct MHD_Connection *connection, int fd);
void sl_client_remove(struct sl_clients *clients, struct sl_client *client);

/* It has been served, or waits for us: its time begins again. */
void sl_client_touch(struct sl_clients *clients, struct sl_client *client);

/*
 * Ends the connections of those who are without an answer for longer than `most_ns`, through no
 * wait of ours. libmicrohttpd sees the end and closes them.
 */
void sl_clients_evict(struct sl_clients *clients, uint64_t most_ns);

/* Ends those who are being sent this text. */
void sl_clients_evict_text(struct sl_clients *clients,
			   const struct sl_text_copy *text);

#endif /* SLUICE_EXPORTER_CLIENTS_H */
