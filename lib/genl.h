/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Asking a generic netlink family (netdev, ethtool) over libmnl. A request is
 * begun, given its attributes, and asked; the answers come to a callback.
 * Not thread-safe.
 */
#ifndef SLUICE_GENL_H
#define SLUICE_GENL_H

#include <stdbool.h>
#include <stdint.h>

#include <libmnl/libmnl.h>

#define SL_GENL_COMMANDS 256

struct sl_genl {
	struct mnl_socket *socket;
	uint32_t sequence;
	uint16_t family;
	bool has[SL_GENL_COMMANDS]; /* the commands that this kernel knows */
	char said[160]; /* the kernel's own words (extack) on the last; or "" */
	/* A request; attributes are appended to it by libmnl. */
	char request[1024] __attribute__((aligned(8)));
};

/*
 * 0 and the caller closes *genl; -ENOENT: this kernel has no such family; or
 * another -errno.
 */
int sl_genl_open(const char *family, struct sl_genl *genl);

void sl_genl_close(struct sl_genl *genl);

/* Begins a request in genl->request; `dump`: asks for all objects. */
struct nlmsghdr *sl_genl_begin(struct sl_genl *genl, uint8_t command,
			       bool dump);

/*
 * Sends it; `answer` (MNL_CB_OK to go on) gets each answer, whose attributes
 * begin at sl_genl_attributes(). 0, or -errno as the kernel refused:
 * -EOPNOTSUPP also for a command it does not know.
 */
int sl_genl_ask(struct sl_genl *genl, mnl_cb_t answer, void *data);

/*
 * The attributes of an answer or of a nest, by type, in table[0 .. most]; the
 * others are NULL. What lies above `most` is newer than we are and left out.
 */
void sl_genl_attributes(const struct nlmsghdr *message,
			const struct nlattr **table, uint16_t most);
void sl_genl_nested(const struct nlattr *nest, const struct nlattr **table,
		    uint16_t most);

/* Its value: 1, 2, 4 or 8 bytes (the kernel's `uint` is 4 or 8); 0 for NULL. */
uint64_t sl_genl_number(const struct nlattr *attribute);

#endif /* SLUICE_GENL_H */
