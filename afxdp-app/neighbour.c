// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "neighbour.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>

/* The kernel answers at once; nobody else is on this socket. */
#define ANSWER_US 500000
/* Stale entries asked for in one round; the rest in the next one, a second later. */
#define STALE_MAX 256u

struct stale {
	uint32_t ifindex;
	uint8_t family, bytes;
	uint8_t address[16];
};

struct refresh {
	struct mnl_socket *socket;
	const uint64_t *keys; /* as in sl_fwd_used */
	uint32_t n_keys;
	struct stale *stale; /* STALE_MAX */
	uint32_t n_stale;
};

struct sl_fwd_used *sl_fwd_used_new(uint32_t n)
{
	struct sl_fwd_used *used = mmap(NULL, n * sizeof(*used),
					PROT_READ | PROT_WRITE,
					MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return used == MAP_FAILED ? NULL : used;
}

void sl_fwd_used_free(struct sl_fwd_used *used, uint32_t n)
{
	if (used)
		munmap(used, n * sizeof(*used));
}

/* Takes what was noted out of the tables. Its number; *keys is the caller's to free. */
static int used_take(struct sl_fwd_used *used, uint32_t n, uint64_t **keys)
{
	uint64_t *all = calloc((size_t)n * SL_FWD_USED, sizeof(*all));
	uint32_t taken = 0;

	if (!all)
		return -ENOMEM;
	for (uint32_t i = 0; i < n * SL_FWD_USED; i++) {
		uint64_t *entry = &used[i / SL_FWD_USED].entry[i % SL_FWD_USED];

		if (!__atomic_load_n(entry, __ATOMIC_RELAXED))
			continue;
		all[taken++] = __atomic_exchange_n(entry, 0, __ATOMIC_RELAXED);
	}
	*keys = all;
	return (int)taken;
}

static bool is_used(const struct refresh *r, uint32_t ifindex,
		    const uint8_t *mac)
{
	uint64_t key = ifindex;

	for (int i = 0; i < 6; i++)
		key = key << 8 | mac[i];
	for (uint32_t k = 0; k < r->n_keys; k++)
		if (r->keys[k] == key)
			return true;
	return false;
}

/* Of the attributes of an entry, its two addresses. */
static int attribute(const struct nlattr *attr, void *context)
{
	const struct nlattr **found = context;
	uint16_t type = mnl_attr_get_type(attr);

	if (type == NDA_DST)
		found[0] = attr;
	else if (type == NDA_LLADDR)
		found[1] = attr;
	return MNL_CB_OK;
}

/* One entry of the kernel's tables. */
static int entry(const struct nlmsghdr *message, void *context)
{
	const struct ndmsg *head = mnl_nlmsg_get_payload(message);
	const struct nlattr *found[2] = { NULL, NULL };
	struct refresh *r = context;
	struct stale *stale;

	/* Not permanent ones: NTF_USE would take that from them (__neigh_update()). */
	if (head->ndm_state != NUD_STALE || r->n_stale == STALE_MAX)
		return MNL_CB_OK;
	mnl_attr_parse(message, sizeof(*head), attribute, found);
	if (!found[0] || !found[1] || mnl_attr_get_payload_len(found[1]) != 6 ||
	    mnl_attr_get_payload_len(found[0]) > sizeof(stale->address) ||
	    !is_used(r, (uint32_t)head->ndm_ifindex,
		     mnl_attr_get_payload(found[1])))
		return MNL_CB_OK;
	stale = &r->stale[r->n_stale++];
	stale->ifindex = (uint32_t)head->ndm_ifindex;
	stale->family = head->ndm_family;
	stale->bytes = (uint8_t)mnl_attr_get_payload_len(found[0]);
	memcpy(stale->address, mnl_attr_get_payload(found[0]), stale->bytes);
	return MNL_CB_OK;
}

/* Sends a request and reads its answer to the end. */
static int ask(struct refresh *r, struct nlmsghdr *request, mnl_cb_t callback)
{
	char buffer[16384]; /* at least a page: NLMSG_GOODSIZE */
	unsigned int port = mnl_socket_get_portid(r->socket);
	int more = MNL_CB_OK;
	ssize_t n;

	if (mnl_socket_sendto(r->socket, request, request->nlmsg_len) < 0)
		return -errno;
	while (more == MNL_CB_OK) {
		n = mnl_socket_recvfrom(r->socket, buffer, sizeof(buffer));
		if (n < 0)
			return -errno;
		more = mnl_cb_run(buffer, (size_t)n, request->nlmsg_seq, port,
				  callback, r);
	}
	return more < 0 ? -errno : 0;
}

static int find_stale(struct refresh *r)
{
	char buffer[256];
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct ndmsg *head;

	request->nlmsg_type = RTM_GETNEIGH;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	request->nlmsg_seq = 1;
	head = mnl_nlmsg_put_extra_header(request, sizeof(*head));
	head->ndm_family = AF_UNSPEC;
	return ask(r, request, entry);
}

static int use(struct refresh *r, const struct stale *stale, uint32_t sequence)
{
	char buffer[256];
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct ndmsg *head;
	int err;

	request->nlmsg_type = RTM_NEWNEIGH;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	request->nlmsg_seq = sequence;
	head = mnl_nlmsg_put_extra_header(request, sizeof(*head));
	head->ndm_family = stale->family;
	head->ndm_ifindex = (int)stale->ifindex;
	head->ndm_flags = NTF_USE;
	mnl_attr_put(request, NDA_DST, stale->bytes, stale->address);
	err = ask(r, request, NULL);
	return err == -ENOENT ? 0 : err; /* it went meanwhile */
}

static int refresh(struct refresh *r)
{
	const struct timeval patience = { .tv_usec = ANSWER_US };
	int err;

	r->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!r->socket)
		return -errno;
	err = mnl_socket_bind(r->socket, 0, MNL_SOCKET_AUTOPID) ? -errno : 0;
	if (!err && setsockopt(mnl_socket_get_fd(r->socket), SOL_SOCKET,
			       SO_RCVTIMEO, &patience, sizeof(patience)))
		err = -errno;
	if (!err)
		err = find_stale(r);
	for (uint32_t i = 0; i < r->n_stale && !err; i++)
		err = use(r, &r->stale[i], i + 2);
	mnl_socket_close(r->socket);
	return err;
}

int sl_fwd_neighbours_refresh(struct sl_fwd_used *used, uint32_t n)
{
	uint64_t *keys = NULL;
	int taken = used_take(used, n, &keys), err = 0;
	struct refresh r = { .keys = keys };

	if (taken <= 0)
		err = taken;
	else
		r.stale = calloc(STALE_MAX, sizeof(*r.stale));
	if (taken > 0) {
		r.n_keys = (uint32_t)taken;
		err = r.stale ? refresh(&r) : -ENOMEM;
	}
	free(r.stale);
	free(keys);
	return err;
}
