// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * One thread and one loop around libmicrohttpd's epoll descriptor and the channel to the reader.
 * A client that has to wait for a text is suspended, so nothing here ever blocks: neither a slow
 * client nor a slow reading keeps the others.
 */
#include "server.h"

#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "channel.h"
#include "clients.h"
#include "headers.h"
#include "page.h"
#include "reader.h"
#include "request.h"
#include "seal.h"
#include "texts.h"
#include "lib/clock.h"

#define TURN_MS 1000	 /* how late a slow client may be noticed */
#define FULL_TURN_MS 100 /* the same while others wait to get in */
#define IDLE_S 20

struct server {
	struct MHD_Daemon *daemon;
	int channel;
	bool local;
	bool asked[SL_TEXT_COUNT]; /* the reader, and it has not answered */
	struct sl_clients clients;
	struct sl_texts texts;
	uint64_t requests;
};

static struct sl_client *client_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
		connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

static void connection_changed(void *context, struct MHD_Connection *connection,
			       void **of_socket,
			       enum MHD_ConnectionNotificationCode code)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
		connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct server *server = context;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		*of_socket = sl_client_add(&server->clients, connection,
					   info ? info->connect_fd : -1);
	} else if (*of_socket) {
		sl_client_remove(&server->clients, *of_socket);
		*of_socket = NULL;
	}
}

static void request_done(void *context, struct MHD_Connection *connection,
			 void **of_request,
			 enum MHD_RequestTerminationCode code)
{
	struct sl_client *client = client_of(connection);
	struct server *server = context;

	*of_request = NULL;
	if (!client)
		return;
	if (code == MHD_REQUEST_TERMINATED_COMPLETED_OK)
		server->requests++;
	client->holds = NULL;
	client->waits = -1;
	client->answered = false;
	sl_client_touch(&server->clients, client);
}

/* A short answer of our own; the connection ends with it, whatever the client still sends. */
static enum MHD_Result refuse(struct MHD_Connection *connection,
			      unsigned int status, const char *text)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(
		strlen(text), (void *)text, MHD_RESPMEM_PERSISTENT);
	enum MHD_Result result = MHD_NO;

	if (!response)
		return MHD_NO;
	if (sl_headers_add(response, "text/plain; charset=utf-8") == 0 &&
	    MHD_add_response_header(response, "Connection", "close") &&
	    (status != MHD_HTTP_METHOD_NOT_ALLOWED ||
	     MHD_add_response_header(response, "Allow", "GET, HEAD")))
		result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result send_asset(struct MHD_Connection *connection,
				  const struct sl_asset *asset)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(
		(size_t)(asset->end - asset->begin), (void *)asset->begin,
		MHD_RESPMEM_PERSISTENT);
	enum MHD_Result result = MHD_NO;

	if (!response)
		return MHD_NO;
	if (sl_headers_add(response, asset->type) == 0)
		result = MHD_queue_response(connection, MHD_HTTP_OK, response);
	MHD_destroy_response(response);
	return result;
}

static bool ask(struct server *server, enum sl_text text)
{
	const struct sl_question question = {
		.text = text,
		.served = { server->requests, server->clients.evicted,
			    server->clients.n }
	};

	if (!server->asked[text])
		server->asked[text] =
			sl_exporter_ask(server->channel, &question) == 0;
	return server->asked[text];
}

static enum MHD_Result send_text(struct server *server,
				 struct sl_client *client, enum sl_text text)
{
	const struct sl_text_copy *present = server->texts.present[text];
	bool fresh = present &&
		     (client->answered ||
		      sl_clock_ns() - present->made_ns < SL_READER_FRESH_NS);

	if (fresh) {
		client->holds = present;
		return MHD_queue_response(client->connection, MHD_HTTP_OK,
					  present->response);
	}
	if (client->answered || !ask(server, text))
		return refuse(
			client->connection, MHD_HTTP_SERVICE_UNAVAILABLE,
			"The counters could not be read; sluice-exporter's messages say why.\n");
	client->waits = (int)text;
	MHD_suspend_connection(client->connection);
	return MHD_YES;
}

/* Is there, or is announced, more than the request's lines? */
static bool has_body(struct MHD_Connection *connection)
{
	const char *length = MHD_lookup_connection_value(
		connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);

	return (length && strcmp(length, "0") != 0) ||
	       MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
					   MHD_HTTP_HEADER_TRANSFER_ENCODING);
}

/* What is wrong with a request, as its status; 0: nothing. */
static unsigned int check_request(const struct server *server,
				  struct MHD_Connection *connection,
				  const char *method)
{
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 &&
	    strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return MHD_HTTP_METHOD_NOT_ALLOWED;
	if (has_body(connection))
		return MHD_HTTP_BAD_REQUEST;
	if (server->local &&
	    !sl_request_host_local(MHD_lookup_connection_value(
		    connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST)))
		return MHD_HTTP_MISDIRECTED_REQUEST;
	return 0;
}

static enum MHD_Result handle(void *context, struct MHD_Connection *connection,
			      const char *url, const char *method,
			      const char *version, const char *upload,
			      size_t *upload_bytes, void **of_request)
{
	struct sl_client *client = client_of(connection);
	const struct sl_asset *asset = sl_page_find(url);
	struct server *server = context;
	unsigned int wrong;

	(void)version;
	(void)upload;
	if (!client)
		return MHD_NO;
	wrong = check_request(server, connection, method);
	if (wrong == MHD_HTTP_METHOD_NOT_ALLOWED)
		return refuse(
			connection, wrong,
			"Only GET and HEAD: nothing can be changed here.\n");
	if (wrong == MHD_HTTP_MISDIRECTED_REQUEST)
		return refuse(
			connection, wrong,
			"Ask for an address or \"localhost\", not for a name.\n");
	if (wrong)
		return refuse(connection, wrong,
			      "A request without a body is expected.\n");
	if (!*of_request) { /* the lines only: it is answered when it is whole */
		*of_request = server;
		return MHD_YES;
	}
	*upload_bytes = 0;
	if (asset)
		return send_asset(connection, asset);
	if (strcmp(url, "/state.json") == 0)
		return send_text(server, client, SL_TEXT_STATE);
	if (strcmp(url, "/metrics") == 0)
		return send_text(server, client,
				 sl_request_text(MHD_lookup_connection_value(
					 connection, MHD_HEADER_KIND,
					 MHD_HTTP_HEADER_ACCEPT)));
	return refuse(connection, MHD_HTTP_NOT_FOUND,
		      "There is /, /metrics and /state.json.\n");
}

static void resume(struct server *server, enum sl_text text)
{
	struct sl_client *client = server->clients.first, *next;
	size_t n = server->clients.n;

	for (; client && n--; client = next) {
		next = client->next;
		if (client->waits != (int)text)
			continue;
		client->waits = -1;
		client->answered = true;
		sl_client_touch(&server->clients, client);
		MHD_resume_connection(client->connection);
	}
}

/* Takes the answers that are there. 0; -EPIPE: the reader is gone. */
static int take_answers(struct server *server)
{
	struct sl_answer answer = { 0 };
	int fd = -1, err;

	while ((err = sl_exporter_answered(server->channel, &answer, &fd)) ==
	       0) {
		const struct sl_text_copy *old;

		if (answer.text >= SL_TEXT_COUNT || (!answer.err && fd < 0))
			err = -EPROTO;
		else if (answer.err || sl_texts_set(&server->texts, answer.text,
						    fd, answer.bytes))
			/* Old figures would pass for new ones. */
			sl_texts_forget(&server->texts, answer.text);
		if (fd >= 0)
			close(fd);
		if (err)
			return err;
		server->asked[answer.text] = false;
		resume(server, answer.text);
		old = sl_texts_surplus(&server->texts);
		if (old)
			sl_clients_evict_text(&server->clients, old);
	}
	return err == -EAGAIN ? 0 : err;
}

static int turn_ms(struct server *server)
{
	MHD_UNSIGNED_LONG_LONG theirs;
	int most = server->clients.n < SL_CLIENTS_MAX ? TURN_MS : FULL_TURN_MS;

	if (MHD_get_timeout(server->daemon, &theirs) == MHD_YES &&
	    theirs < (MHD_UNSIGNED_LONG_LONG)most)
		return (int)theirs;
	return server->clients.n ? most : -1;
}

/*
 * What kept libmicrohttpd from listening, as many as there may be, may have ended in this run. It
 * looks at the beginning of one: without another it would be deaf as long as nobody is left.
 */
static void run(struct server *server)
{
	size_t before = server->clients.n;

	MHD_run(server->daemon);
	if (server->clients.n < before)
		MHD_run(server->daemon);
}

static int serve(struct server *server, int epoll_fd)
{
	struct pollfd fds[] = { { .fd = epoll_fd, .events = POLLIN },
				{ .fd = server->channel, .events = POLLIN } };
	int err = 0;

	while (!err) {
		if (poll(fds, 2, turn_ms(server)) < 0 && errno != EINTR)
			return -errno;
		if (fds[1].revents)
			err = take_answers(server);
		run(server);
		sl_clients_evict(&server->clients,
				 server->clients.n < SL_CLIENTS_MAX ?
					 SL_CLIENT_MOST_NS :
					 SL_CLIENT_PATIENCE_NS);
	}
	return err == -EPIPE ? 0 : err;
}

int sl_server_run(int listen_fd, int channel, bool local)
{
	struct server server = { .channel = channel, .local = local };
	const union MHD_DaemonInfo *info;
	int err;

	server.daemon = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, handle,
		&server, MHD_OPTION_LISTEN_SOCKET, listen_fd,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned int)SL_CLIENTS_MAX,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)IDLE_S,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)SL_CLIENT_BYTES,
		MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_CONNECTION,
		connection_changed, &server, MHD_OPTION_NOTIFY_COMPLETED,
		request_done, &server, MHD_OPTION_END);
	if (!server.daemon)
		return -EIO;
	info = MHD_get_daemon_info(server.daemon, MHD_DAEMON_INFO_EPOLL_FD);
	err = info ? sl_seal() : -EIO;
	if (!err)
		err = serve(&server, info->epoll_fd);
	MHD_stop_daemon(server.daemon);
	for (int text = 0; text < SL_TEXT_COUNT; text++)
		sl_texts_forget(&server.texts, text);
	return err;
}
