// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "doctor_host.h"

#include <cap-ng.h>
#include <ctype.h>
#include <dirent.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "genl.h"
#include "netdev_uapi.h"
#include "sysfs.h"

static int read_number(const char *path)
{
	char text[32];

	return sl_sysfs_line(path, text, sizeof(text)) ?
		       (int)strtol(text, NULL, 10) :
		       -1;
}

/* With hidepid others' processes are not there: then not even init is. */
static int find_process(const char *name)
{
	char path[64], comm[32];
	struct dirent *entry;
	int pid = 0;
	DIR *dir;

	if (access("/proc/1/comm", R_OK))
		return -1;
	dir = opendir("/proc");
	if (!dir)
		return -1;
	while (!pid && (entry = readdir(dir))) {
		if (!isdigit((unsigned char)*entry->d_name))
			continue;
		snprintf(path, sizeof(path), "/proc/%.16s/comm", entry->d_name);
		if (sl_sysfs_line(path, comm, sizeof(comm)) &&
		    strcmp(comm, name) == 0)
			pid = (int)strtol(entry->d_name, NULL, 10);
	}
	closedir(dir);
	return pid;
}

static uint64_t read_capabilities(void)
{
	uint64_t mask = 0;

	capng_get_caps_process();
	for (unsigned cap = 0; cap <= CAP_LAST_CAP; cap++)
		if (capng_have_capability(CAPNG_EFFECTIVE, cap))
			mask |= 1ull << cap;
	return mask;
}

static void read_netdev(struct sl_host *host)
{
	struct sl_genl genl;

	host->netdev.err = sl_genl_open(SL_NETDEV_FAMILY, &genl);
	if (host->netdev.err)
		return;
	host->netdev.features = genl.has[SL_NETDEV_DEV_GET];
	host->netdev.queues = genl.has[SL_NETDEV_QUEUE_GET];
	host->netdev.set = genl.has[SL_NETDEV_NAPI_SET];
	sl_genl_close(&genl);
}

void sl_host_read(struct sl_host *host)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct utsname name;

	*host = (struct sl_host){ .cpus = cpus > 0 ? (unsigned)cpus : 1 };
	if (!uname(&name))
		memcpy(host->release, name.release, sizeof(host->release));
	sl_probe_run(&host->probe);
	host->capabilities = read_capabilities();
	getrlimit(RLIMIT_MEMLOCK, &host->memlock);
	host->unprivileged_bpf =
		read_number("/proc/sys/kernel/unprivileged_bpf_disabled");
	/* Of the first network namespace only. */
	host->jit_harden = read_number("/proc/sys/net/core/bpf_jit_harden");
	host->irqbalance = find_process("irqbalance");
	sl_sysfs_line("/sys/devices/system/cpu/vulnerabilities/spectre_v2",
		      host->spectre_v2, sizeof(host->spectre_v2));
	read_netdev(host);
}
