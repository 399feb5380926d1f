// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "clients.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "lib/clock.h"

static void append(struct sl_clients *clients, struct sl_client *client)
{
	client->since_ns = sl_clock_ns();
	client->next = NULL;
	client->before = clients->last;
	if (clients->last)
		clients->last->next = client;
	else
		clients->first = client;
	clients->last = client;
}

static void take_out(struct sl_clients *clients, struct sl_client *client)
{
	if (client->before)
		client->before->next = client->next;
	else
		clients->first = client->next;
	if (client->next)
		client->next->before = client->before;
	else
		clients->last = client->before;
}

struct sl_client *sl_client_add(struct sl_clients *clients,
				struct MHD_Connection *connection, int fd)
{
	struct sl_client *client = calloc(1, sizeof(*client));

	if (!client)
		return NULL;
	client->connection = connection;
	client->fd = fd;
	client->waits = -1;
	append(clients, client);
	clients->n++;
	return client;
}

void sl_client_remove(struct sl_clients *clients, struct sl_client *client)
{
	take_out(clients, client);
	clients->n--;
	free(client);
}

void sl_client_touch(struct sl_clients *clients, struct sl_client *client)
{
	take_out(clients, client);
	append(clients, client);
}

static void evict(struct sl_clients *clients, struct sl_client *client)
{
	shutdown(client->fd, SHUT_RDWR);
	clients->evicted++;
	/* Behind the others: libmicrohttpd closes it in its own time. */
	sl_client_touch(clients, client);
}

void sl_clients_evict(struct sl_clients *clients, uint64_t most_ns)
{
	struct sl_client *client = clients->first, *next;
	uint64_t now = sl_clock_ns();

	for (; client && client->since_ns + most_ns < now; client = next) {
		next = client->next;
		if (client->waits < 0)
			evict(clients, client);
	}
}

void sl_clients_evict_text(struct sl_clients *clients,
			   const struct sl_text_copy *text)
{
	struct sl_client *client = clients->first, *next, *end = clients->last;

	for (; client; client = next) {
		next = client == end ? NULL : client->next;
		if (client->holds == text)
			evict(clients, client);
	}
}
