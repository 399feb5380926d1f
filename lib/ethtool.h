/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * ethtool's ioctl (linux/ethtool.h), in the caller's network namespace: for what its
 * netlink has not in Linux 6.1, and for a question whose answer is a word.
 */
#ifndef SLUICE_ETHTOOL_H
#define SLUICE_ETHTOOL_H

struct ethtool_rxfh_indir;

/* `command` is one of linux/ethtool.h's, and takes the answer. 0 or -errno. */
int sl_ethtool(const char *name, void *command);

/* The same by a socket of the caller's, for several questions. */
int sl_ethtool_by(int fd, const char *name, void *command);

/*
 * The RSS indirection table, the caller's to free. -EOPNOTSUPP: there is none, or
 * one that cannot be; -ENOMEM or another -errno. *table is unchanged then.
 */
int sl_ethtool_rss(const char *name, struct ethtool_rxfh_indir **table);

#endif /* SLUICE_ETHTOOL_H */
