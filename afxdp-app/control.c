// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "control.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "lib/fwdctl.h"
#include "lib/jsontext.h"

/* From its connection to the last byte of its answer; what it asks for is done in between. */
#define CLIENT_MS 5000u

static uint64_t clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

/* Connecting to what a killed forwarder left takes it away. */
static void sweep(void)
{
	struct sl_fwdctl *found;
	size_t n;

	if (sl_fwdctl_connect(0, &found, &n) == 0)
		sl_fwdctl_close(found, n);
}

/* Ours alone from its first moment: nobody else may search the directory, either. */
static int listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int err;

	if (fd < 0)
		return -errno;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)))
		goto err_close;
	if (chmod(path, 0600) || listen(fd, SL_CONTROL_CLIENTS)) {
		err = -errno;
		unlink(path);
		close(fd);
		return err;
	}
	return fd;

err_close:
	err = -errno;
	close(fd);
	return err;
}

int sl_control_open(struct sl_control *control, sl_control_handler handle,
		    void *context)
{
	struct sl_control new = { .handle = handle, .context = context };
	char path[SL_FWDCTL_PATH];
	int err;

	for (uint32_t i = 0; i < SL_CONTROL_CLIENTS; i++)
		new.clients[i].fd = -1;
	new.fd = -1;
	*control = new;
	if ((mkdir("/run/sluice", 0700) && errno != EEXIST) ||
	    (mkdir(SL_FWDCTL_DIRECTORY, 0700) && errno != EEXIST))
		return -errno;
	sweep();
	err = sl_fwdctl_path(getpid(), path);
	if (err)
		return err;
	if (strlen(path) >= sizeof(control->path))
		return -ENAMETOOLONG;
	control->fd = listen_at(path);
	if (control->fd < 0) {
		err = control->fd;
		control->fd = -1;
		return err;
	}
	strcpy(control->path, path);
	return 0;
}

static void client_close(struct sl_control_client *client)
{
	if (client->fd >= 0)
		close(client->fd);
	free(client->request);
	free(client->answer);
	*client = (struct sl_control_client){ .fd = -1 };
}

void sl_control_close(struct sl_control *control)
{
	for (uint32_t i = 0; i < SL_CONTROL_CLIENTS; i++)
		client_close(&control->clients[i]);
	if (control->fd < 0)
		return;
	unlink(control->path);
	close(control->fd);
	control->fd = -1;
}

void sl_control_polls(const struct sl_control *control, struct pollfd *polls)
{
	/* poll() passes over a descriptor of -1. */
	polls[0] = (struct pollfd){ .fd = control->fd, .events = POLLIN };
	for (uint32_t i = 0; i < SL_CONTROL_CLIENTS; i++) {
		const struct sl_control_client *client = &control->clients[i];

		polls[1 + i] = (struct pollfd){ .fd = client->fd,
						.events = client->answer ?
								  POLLOUT :
								  POLLIN };
	}
}

static bool peer_allowed(int fd)
{
	struct ucred peer;
	socklen_t length = sizeof(peer);

	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) &&
	       (peer.uid == 0 || peer.uid == geteuid());
}

static bool client_init(struct sl_control_client *client, int fd)
{
	char *request = peer_allowed(fd) ? malloc(SL_CONTROL_REQUEST) : NULL;

	if (!request)
		return false;
	*client = (struct sl_control_client){
		.fd = fd,
		.request = request,
		.until_ms = clock_ms() + CLIENT_MS,
	};
	return true;
}

static void client_accept(struct sl_control *control)
{
	int fd = accept4(control->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	uint32_t i = 0;

	if (fd < 0)
		return;
	while (i < SL_CONTROL_CLIENTS && control->clients[i].fd >= 0)
		i++;
	/* All places are taken for at most CLIENT_MS: it may try again. */
	if (i == SL_CONTROL_CLIENTS || !client_init(&control->clients[i], fd))
		close(fd);
}

static int answer_error(const char *why, char **answer, size_t *bytes)
{
	json_t *object = json_pack("{s:o}", "error", sl_json_text(why));
	char *line = object ? json_dumps(object, JSON_COMPACT) : NULL;
	int n = line ? asprintf(answer, "%s\n", line) : -1;

	free(line);
	json_decref(object);
	if (n < 0)
		return -ENOMEM;
	*bytes = (size_t)n;
	return 0;
}

/* The line is whole. Whether the client is still to be served. */
static bool client_answer(struct sl_control *control,
			  struct sl_control_client *client, size_t length)
{
	json_t *request = json_loadb(client->request, length, 0, NULL);
	const char *why = NULL;
	int err;

	if (!json_is_string(json_object_get(request, "request"))) {
		why = "a request is a line like {\"request\":\"stats\"}";
		err = -EINVAL;
	} else {
		err = control->handle(control->context, request, client->fd,
				      &client->answer, &client->answer_bytes,
				      &why);
	}
	json_decref(request);
	if (err < 0)
		err = answer_error(why ? why : strerror(-err), &client->answer,
				   &client->answer_bytes);
	client->until_ms = clock_ms() + CLIENT_MS;
	return !err;
}

static bool client_read(struct sl_control *control,
			struct sl_control_client *client)
{
	const char *end;
	ssize_t n;

	n = recv(client->fd, client->request + client->requested,
		 SL_CONTROL_REQUEST - client->requested, 0);
	if (n <= 0)
		return n < 0 && errno == EAGAIN;
	client->requested += (size_t)n;
	end = memchr(client->request, '\n', client->requested);
	if (end)
		return client_answer(control, client,
				     (size_t)(end - client->request));
	return client->requested < SL_CONTROL_REQUEST;
}

static bool client_write(struct sl_control_client *client)
{
	ssize_t n = send(client->fd, client->answer + client->answered,
			 client->answer_bytes - client->answered, MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN;
	client->answered += (size_t)n;
	return client->answered < client->answer_bytes;
}

void sl_control_serve(struct sl_control *control, const struct pollfd *polls)
{
	uint64_t now_ms = clock_ms();

	for (uint32_t i = 0; i < SL_CONTROL_CLIENTS; i++) {
		struct sl_control_client *client = &control->clients[i];
		bool stays = client->fd >= 0 && now_ms < client->until_ms;

		if (stays && polls[1 + i].revents)
			stays = client->answer ? client_write(client) :
						 client_read(control, client);
		if (!stays)
			client_close(client);
	}
	if (polls[0].revents)
		client_accept(control);
}
