// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "actor.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ancestor.h"

/* A large environment; what lies behind is not looked at. */
#define ENVIRON_BYTES ((size_t)256 * 1024)

static size_t read_file(const char *path, char *to, size_t bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t used = 0;
	ssize_t n = fd < 0 ? 0 : 1;

	while (n > 0 && used < bytes - 1) {
		n = read(fd, to + used, bytes - 1 - used);
		used += n > 0 ? (size_t)n : 0;
	}
	if (fd >= 0)
		close(fd);
	to[used] = '\0';
	return used;
}

/* One line, whatever the user has put into it. */
static void copy_plain(char *to, size_t bytes, const char *from)
{
	snprintf(to, bytes, "%s", from ? from : "");
	for (; *to; to++)
		if ((unsigned char)*to < ' ' || *to == 0x7f)
			*to = '?';
}

static void read_command(struct sl_actor *actor)
{
	char text[sizeof(actor->command)];
	size_t n = read_file("/proc/self/cmdline", text, sizeof(text));

	for (size_t i = 0; i + 1 < n; i++)
		if (!text[i])
			text[i] = ' ';
	copy_plain(actor->command, sizeof(actor->command), text);
	if (n == sizeof(text) - 1)
		strcpy(actor->command + n - 3, "...");
}

static void read_tty(struct sl_actor *actor)
{
	for (int fd = 0; fd < 3 && !actor->tty[0]; fd++)
		if (ttyname_r(fd, actor->tty, sizeof(actor->tty)))
			actor->tty[0] = '\0';
}

/* False: it has none, or may not be looked into. */
static bool read_ssh_of(pid_t pid, char *environ, struct sl_actor *actor)
{
	static const char key[] = "SSH_CONNECTION=";
	char path[64];
	size_t n;

	snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
	n = read_file(path, environ, ENVIRON_BYTES);
	for (size_t i = 0; i < n; i += strlen(environ + i) + 1) {
		if (strncmp(environ + i, key, sizeof(key) - 1) != 0)
			continue;
		copy_plain(actor->ssh, sizeof(actor->ssh),
			   environ + i + sizeof(key) - 1);
		return true;
	}
	return false;
}

static void read_ssh(struct sl_actor *actor)
{
	const char *own = getenv("SSH_CONNECTION");
	pid_t line[SL_ANCESTORS_MAX];
	char *environ;
	int n;

	if (own) {
		copy_plain(actor->ssh, sizeof(actor->ssh), own);
		return;
	}
	environ = malloc(ENVIRON_BYTES);
	n = environ ? sl_ancestors(line) : 0;
	for (int i = 0; i < n; i++)
		if (read_ssh_of(line[i], environ, actor))
			break;
	free(environ);
}

void sl_actor_read(struct sl_actor *actor)
{
	const char *name = getenv("SUDO_USER");
	char login[16];

	*actor = (struct sl_actor){ .uid = getuid(), .login_uid = UINT32_MAX };
	copy_plain(actor->sudo_user, sizeof(actor->sudo_user), name);
	if (!name)
		name = getenv("LOGNAME");
	copy_plain(actor->user, sizeof(actor->user), name);
	if (!actor->user[0])
		strcpy(actor->user, actor->uid ? "somebody" : "root");
	if (read_file("/proc/self/loginuid", login, sizeof(login)))
		actor->login_uid = (uint32_t)strtoul(login, NULL, 10);
	read_command(actor);
	read_tty(actor);
	read_ssh(actor);
}

void sl_actor_print(const struct sl_actor *actor, char *text, size_t bytes)
{
	int client = (int)strcspn(actor->ssh, " ");

	snprintf(text, bytes, "%s (uid %u)%s%s%s%.*s", actor->user, actor->uid,
		 actor->tty[0] ? " on " : "", actor->tty,
		 client ? " from " : "", client, actor->ssh);
}
