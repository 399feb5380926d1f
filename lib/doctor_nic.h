/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What the kernel says of one interface: plain facts, read without changing
 * any. Each group has an `err`: 0, or the -errno with which the kernel refused
 * to tell it (-EOPNOTSUPP: this kernel or driver does not have it).
 */
#ifndef SLUICE_DOCTOR_NIC_H
#define SLUICE_DOCTOR_NIC_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SL_NIC_UNKNOWN (-1)
#define SL_NIC_CPUS_BYTES 64

/* Settings of one NAPI instance, or of all of the interface. */
struct sl_nic_polling {
	int err;
	uint64_t defer_hard_irqs;
	uint64_t gro_flush_ns;
	int suspend_err; /* Linux 6.13 */
	uint64_t suspend_ns;
	int threaded_err;  /* per NAPI Linux 6.17 */
	unsigned threaded; /* 1 threads, 2 threads that poll busily */
};

struct sl_nic_queue {
	uint32_t id;
	bool tx;
	uint32_t napi;		       /* 0: the driver names none */
	int irq;		       /* or SL_NIC_UNKNOWN */
	struct sl_nic_polling polling; /* of its NAPI; err without one */
	bool socket;		       /* an AF_XDP socket is bound to it */
	bool zero_copy;		       /* and was granted zero-copy */
};

struct sl_nic_irq {
	int number;
	char name[32];			   /* as in /proc/interrupts */
	char allowed[SL_NIC_CPUS_BYTES];   /* a list of CPUs; "" unknown */
	char effective[SL_NIC_CPUS_BYTES]; /* likewise */
};

struct sl_nic {
	char name[IF_NAMESIZE];
	int ifindex;
	char driver[32], version[32], bus[32];
	bool loopback, up, running, promiscuous;
	uint32_t mtu;

	struct {
		int err;
		uint64_t features; /* SL_NETDEV_XDP_* */
		bool has_segments, has_metadata;
		uint32_t zc_segments; /* per packet; 1: no frags */
		uint64_t metadata;    /* SL_NETDEV_RX_* */
	} xdp;
	struct {
		int err;
		uint32_t native, generic, offload; /* program ids; 0: none */
		char name[16];			   /* "": not allowed to see */
		char how[64];			   /* who holds it */
	} attached;
	struct {
		int err;
		uint32_t rx, rx_max, tx, tx_max; /* entries */
	} rings;
	struct {
		int err;
		uint32_t rx, rx_max, tx, tx_max; /* queues, combined included */
	} channels;
	struct {
		int err;
		bool has_usecs, has_frames, has_adaptive;
		uint32_t rx_usecs, rx_frames;
		bool adaptive;
	} coalesce;
	struct {
		int err;
		bool gro, gro_hw, lro, tso, gso, tx_checksum, rx_vlan;
	} offload;
	struct {
		int err;
		uint32_t *table; /* a queue an entry; n entries */
		uint32_t n;
	} rss;
	struct {
		int err; /* netdev-genl's; the list is then by sysfs */
		struct sl_nic_queue *items;
		size_t n;
	} queues;
	int sockets_err;
	struct {
		bool visible; /* /sys is this network namespace's */
		struct sl_nic_polling polling;
		int numa_node; /* or SL_NIC_UNKNOWN */
		char local_cpus[SL_NIC_CPUS_BYTES];
	} sysfs;
	struct {
		struct sl_nic_irq *items;
		size_t n;
	} irqs;
};

/*
 * 0 and the caller's *nic, or -errno (-ENODEV: no such interface, -ENOMEM). What
 * holds the attached program is asked separately: that may change what /sys is.
 */
int sl_nic_read(const char *name, struct sl_nic *nic);
void sl_nic_read_holder(struct sl_nic *nic);

void sl_nic_fini(struct sl_nic *nic);

/* Parts of sl_nic_read(), a file each. */
void sl_nic_read_ethtool(struct sl_nic *nic);
int sl_nic_read_netdev(struct sl_nic *nic); /* 0 or -ENOMEM */
int sl_nic_read_sysfs(struct sl_nic *nic);  /* likewise */
int sl_nic_read_irqs(struct sl_nic *nic);   /* likewise */
void sl_nic_read_sockets(struct sl_nic *nic);

/* A queue to fill in; NULL: no memory. For the parts. */
struct sl_nic_queue *sl_nic_add_queue(struct sl_nic *nic, uint32_t id, bool tx);

/* Queues of one direction. */
size_t sl_nic_count_queues(const struct sl_nic *nic, bool tx);

#endif /* SLUICE_DOCTOR_NIC_H */
