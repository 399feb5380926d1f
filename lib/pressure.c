// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "pressure.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "clock.h"
#include "sysfs.h"

#define PF_KTHREAD 0x00200000u /* include/linux/sched.h */
#define BUDGET_NS 8000000u     /* two ticks of 4 ms, the kernel's default */
#define COLUMN_BYTES 11	       /* a CPU in a line of /proc/softirqs */
#define LINE_BYTES 160	       /* a CPU in /proc/net/softnet_stat */
#define SOFTIRQ_LINES 12
#define MORE_BYTES 4096
#define SQUEEZE_COLUMN 2 /* of softnet_stat: time_squeeze */
#define CPU_COLUMN 12

struct sl_pressure {
	uint32_t n_cpus;
	int softnet_fd, softirqs_fd;
	int *ksoftirqd_fds; /* of each CPU; -1: not seen */
	uint64_t budget_ns;
	uint64_t at_ns; /* of the last reading */
	struct sl_pressure_count *counts, *fresh;
	struct sl_pressure_figure *figures;
	char *text;
	size_t text_bytes;
};

static double share(uint64_t part, uint64_t whole)
{
	if (!whole)
		return 0;
	return part < whole ? (double)part / (double)whole : 1;
}

static uint64_t since(uint64_t before, uint64_t after)
{
	return after > before ? after - before : 0;
}

struct sl_pressure_figure
sl_pressure_between(const struct sl_pressure_count *before,
		    const struct sl_pressure_count *after, uint64_t time_ns,
		    uint64_t budget_ns)
{
	struct sl_pressure_figure figure = { 0 };
	uint64_t rounds = since(before->rounds, after->rounds);
	uint64_t least = budget_ns ? time_ns / budget_ns : 0;

	if (!before->online || !after->online || !time_ns)
		return figure;
	figure.time_ns = time_ns;
	figure.has_deferred = before->deferred && after->deferred;
	if (figure.has_deferred)
		figure.deferred =
			share(since(before->run_ns, after->run_ns) +
				      since(before->wait_ns, after->wait_ns),
			      time_ns);
	figure.exhausted = share(since(before->squeezed, after->squeezed),
				 rounds > least ? rounds : least);
	figure.pressure = figure.deferred > figure.exhausted ? figure.deferred :
							       figure.exhausted;
	return figure;
}

/* The first n numbers of a line; false: it has fewer. A -1 is the greatest. */
static bool take_numbers(const char *text, int base, uint64_t *numbers,
			 size_t n)
{
	char *end;

	for (size_t i = 0; i < n; i++) {
		numbers[i] = strtoull(text, &end, base);
		if (end == text)
			return false;
		text = end;
	}
	return true;
}

/*
 * The whole file, with a NUL. A seq_file gives a page at a time. Room was made for
 * the possible CPUs; a file that is longer is -ENOBUFS.
 */
static int read_file(struct sl_pressure *p, int fd)
{
	size_t used = 0;
	ssize_t n;

	do {
		n = pread(fd, p->text + used, p->text_bytes - 1 - used,
			  (off_t)used);
		if (n < 0)
			return -errno;
		used += (size_t)n;
		if (used == p->text_bytes - 1)
			return -ENOBUFS;
	} while (n);
	p->text[used] = '\0';
	return 0;
}

/* In hexadecimal; the CPU since Linux 5.10. */
static void take_softnet_line(struct sl_pressure *p, const char *line)
{
	uint64_t columns[CPU_COLUMN + 1];
	uint64_t cpu;

	if (!take_numbers(line, 16, columns, CPU_COLUMN + 1))
		return;
	cpu = columns[CPU_COLUMN];
	if (cpu >= p->n_cpus)
		return;
	p->fresh[cpu].squeezed = columns[SQUEEZE_COLUMN];
	p->fresh[cpu].online = true;
}

static int read_softnet(struct sl_pressure *p)
{
	int err = read_file(p, p->softnet_fd);
	const char *line;

	for (line = err ? NULL : p->text; line && *line;
	     line = strchr(line, '\n')) {
		line += *line == '\n';
		take_softnet_line(p, line);
	}
	return err;
}

/* A heading, CPU0 CPU1 ..., then a line for each softirq: its name, counts. */
static int read_softirqs(struct sl_pressure *p)
{
	int err = read_file(p, p->softirqs_fd);
	const char *heading, *counts;
	char *end;

	if (err)
		return err;
	heading = p->text;
	counts = strstr(heading, "NET_RX:");
	if (!counts)
		return -EPROTO;
	counts += strlen("NET_RX:");
	while ((heading = strstr(heading, "CPU")) && heading < counts) {
		unsigned long cpu = strtoul(heading + 3, &end, 10);
		uint64_t count;

		heading = end;
		count = strtoull(counts, &end, 10);
		if (end == counts)
			return -EPROTO;
		counts = end;
		if (cpu < p->n_cpus)
			p->fresh[cpu].rounds = count;
	}
	return 0;
}

static void read_ksoftirqd(struct sl_pressure *p, uint32_t cpu)
{
	struct sl_pressure_count *count = &p->fresh[cpu];
	uint64_t times[2]; /* run, wait */

	count->deferred = p->ksoftirqd_fds[cpu] >= 0 &&
			  read_file(p, p->ksoftirqd_fds[cpu]) == 0 &&
			  take_numbers(p->text, 10, times, 2);
	if (!count->deferred)
		return;
	count->run_ns = times[0];
	count->wait_ns = times[1];
}

int sl_pressure_read(struct sl_pressure *p)
{
	uint64_t now = sl_clock_ns();
	struct sl_pressure_count *old;
	int err;

	memset(p->fresh, 0, p->n_cpus * sizeof(*p->fresh));
	err = read_softnet(p);
	if (!err)
		err = read_softirqs(p);
	if (err)
		return err;
	for (uint32_t cpu = 0; cpu < p->n_cpus; cpu++) {
		read_ksoftirqd(p, cpu);
		p->figures[cpu] =
			sl_pressure_between(&p->counts[cpu], &p->fresh[cpu],
					    now - p->at_ns, p->budget_ns);
	}
	old = p->counts;
	p->counts = p->fresh;
	p->fresh = old;
	p->at_ns = now;
	return 0;
}

/*
 * The CPU whose ksoftirqd this is, or -1. Anybody may take such a name, but not the
 * flag of a kernel thread: PID (NAME) STATE PPID PGRP SESSION TTY TPGID FLAGS.
 */
static int ksoftirqd_cpu(const char *pid)
{
	static const char name[] = "(ksoftirqd/";
	uint64_t fields[6]; /* PPID to FLAGS */
	char path[64], text[256], *rest, *begin;

	snprintf(path, sizeof(path), "/proc/%.16s/stat", pid);
	if (!sl_sysfs_line(path, text, sizeof(text)))
		return -1;
	begin = strchr(text, '(');
	rest = strrchr(text, ')');
	if (!begin || strncmp(begin, name, strlen(name)) != 0 || !rest ||
	    strlen(rest) < strlen(") S ") ||
	    !take_numbers(rest + strlen(") S "), 10, fields, 6) ||
	    !(fields[5] & PF_KTHREAD))
		return -1;
	return (int)strtol(begin + strlen(name), NULL, 10);
}

static int open_ksoftirqds(struct sl_pressure *p)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;

	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		char path[64];
		int cpu;

		if (!isdigit((unsigned char)*entry->d_name))
			continue;
		cpu = ksoftirqd_cpu(entry->d_name);
		if (cpu < 0 || (uint32_t)cpu >= p->n_cpus ||
		    p->ksoftirqd_fds[cpu] >= 0)
			continue;
		snprintf(path, sizeof(path), "/proc/%.16s/schedstat",
			 entry->d_name);
		/* Absent without CONFIG_SCHED_INFO: the figure says so. */
		p->ksoftirqd_fds[cpu] = open(path, O_RDONLY | O_CLOEXEC);
	}
	closedir(dir);
	return 0;
}

static int allocate(struct sl_pressure *p)
{
	size_t n = p->n_cpus;
	size_t softirqs = (n + 1) * COLUMN_BYTES * SOFTIRQ_LINES;

	p->text_bytes = MORE_BYTES + n * LINE_BYTES + softirqs;
	p->text = malloc(p->text_bytes);
	p->counts = calloc(n, sizeof(*p->counts));
	p->fresh = calloc(n, sizeof(*p->fresh));
	p->figures = calloc(n, sizeof(*p->figures));
	p->ksoftirqd_fds = calloc(n, sizeof(*p->ksoftirqd_fds));
	if (!p->text || !p->counts || !p->fresh || !p->figures ||
	    !p->ksoftirqd_fds)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		p->ksoftirqd_fds[i] = -1;
	return 0;
}

/* The setting is the initial network namespace's: elsewhere it is not told. */
static uint64_t read_budget(void)
{
	unsigned long long microseconds = 0;
	char text[32];

	if (sl_sysfs_line("/proc/sys/net/core/netdev_budget_usecs", text,
			  sizeof(text)))
		microseconds = strtoull(text, NULL, 10);
	return microseconds ? microseconds * 1000 : BUDGET_NS;
}

static int open_file(const char *path, int *fd)
{
	*fd = open(path, O_RDONLY | O_CLOEXEC);
	return *fd < 0 ? -errno : 0;
}

int sl_pressure_open(struct sl_pressure **pressure)
{
	int err, n_cpus = libbpf_num_possible_cpus();
	struct sl_pressure *p;

	if (n_cpus < 0)
		return n_cpus;
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->n_cpus = (uint32_t)n_cpus;
	p->softnet_fd = p->softirqs_fd = -1;
	p->budget_ns = read_budget();
	err = allocate(p);
	if (!err)
		err = open_file("/proc/net/softnet_stat", &p->softnet_fd);
	if (!err)
		err = open_file("/proc/softirqs", &p->softirqs_fd);
	if (!err)
		err = open_ksoftirqds(p);
	if (!err)
		err = sl_pressure_read(p);
	if (err) {
		sl_pressure_close(p);
		return err;
	}
	*pressure = p;
	return 0;
}

void sl_pressure_close(struct sl_pressure *p)
{
	if (!p)
		return;
	for (uint32_t cpu = 0; p->ksoftirqd_fds && cpu < p->n_cpus; cpu++)
		if (p->ksoftirqd_fds[cpu] >= 0)
			close(p->ksoftirqd_fds[cpu]);
	if (p->softnet_fd >= 0)
		close(p->softnet_fd);
	if (p->softirqs_fd >= 0)
		close(p->softirqs_fd);
	free(p->ksoftirqd_fds);
	free(p->figures);
	free(p->fresh);
	free(p->counts);
	free(p->text);
	free(p);
}

uint64_t sl_pressure_budget_ns(const struct sl_pressure *p)
{
	return p->budget_ns;
}

uint32_t sl_pressure_cpus(const struct sl_pressure *p)
{
	return p->n_cpus;
}

struct sl_pressure_figure sl_pressure_get(const struct sl_pressure *p,
					  uint32_t cpu)
{
	return cpu < p->n_cpus ? p->figures[cpu] :
				 (struct sl_pressure_figure){ 0 };
}

struct sl_pressure_count sl_pressure_counted(const struct sl_pressure *p,
					     uint32_t cpu)
{
	return cpu < p->n_cpus ? p->counts[cpu] :
				 (struct sl_pressure_count){ 0 };
}
