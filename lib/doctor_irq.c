// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The interrupts of an interface's device, and the CPUs they may go to: the
 * numbers by /sys (msi_irqs, or the one line of a device without MSI), the names
 * by /proc/interrupts, which lists only those that a driver has asked for.
 */
#include "doctor_nic.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int add_irq(struct sl_nic *nic, int number)
{
	struct sl_nic_irq *more =
		reallocarray(nic->irqs.items, nic->irqs.n + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	nic->irqs.items = more;
	more[nic->irqs.n++] = (struct sl_nic_irq){ .number = number };
	return 0;
}

/* 0, -ENOENT: no such directory, or -ENOMEM. */
static int list_msi(struct sl_nic *nic, const char *device)
{
	char path[PATH_MAX + sizeof("/msi_irqs")];
	struct dirent *entry;
	int err = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/msi_irqs", device);
	dir = opendir(path);
	if (!dir)
		return -ENOENT;
	while (!err && (entry = readdir(dir)))
		if (isdigit((unsigned char)*entry->d_name))
			err = add_irq(nic,
				      (int)strtol(entry->d_name, NULL, 10));
	closedir(dir);
	return err;
}

static int list_line(struct sl_nic *nic, const char *device)
{
	char path[PATH_MAX + sizeof("/msi_irqs")];
	char text[16] = "";
	long number;
	FILE *in;

	snprintf(path, sizeof(path), "%s/irq", device);
	in = fopen(path, "re");
	if (!in)
		return 0;
	if (!fgets(text, sizeof(text), in))
		*text = '\0';
	fclose(in);
	number = strtol(text, NULL, 10);
	return number > 0 ? add_irq(nic, (int)number) : 0;
}

static void read_list(int number, const char *file, char *text)
{
	char path[64];
	FILE *in;

	snprintf(path, sizeof(path), "/proc/irq/%d/%s", number, file);
	in = fopen(path, "re");
	if (!in)
		return;
	if (!fgets(text, SL_NIC_CPUS_BYTES, in))
		*text = '\0';
	fclose(in);
	text[strcspn(text, "\n")] = '\0';
}

/* A line: number, a count for each CPU, the chip, the line's kind, names. */
static void take_line(struct sl_nic *nic, char *line)
{
	char *end, *name;
	long number = strtol(line, &end, 10);

	if (*end != ':')
		return;
	line[strcspn(line, "\n")] = '\0';
	for (size_t i = 0; i < nic->irqs.n; i++) {
		struct sl_nic_irq *irq = &nic->irqs.items[i];

		name = strrchr(line, ' ');
		if (irq->number == number && name)
			snprintf(irq->name, sizeof(irq->name), "%s", name + 1);
	}
}

static void read_names(struct sl_nic *nic)
{
	FILE *in = fopen("/proc/interrupts", "re");
	char *line = NULL;
	size_t bytes = 0;

	if (!in)
		return;
	while (getline(&line, &bytes, in) > 0)
		take_line(nic, line);
	free(line);
	fclose(in);
}

static int compare(const void *a, const void *b)
{
	const struct sl_nic_irq *p = a, *q = b;

	return p->number - q->number;
}

/* Those that no driver has asked for cannot come. */
static void drop_unused(struct sl_nic *nic)
{
	size_t n = 0;

	for (size_t i = 0; i < nic->irqs.n; i++)
		if (*nic->irqs.items[i].name)
			nic->irqs.items[n++] = nic->irqs.items[i];
	nic->irqs.n = n;
	if (n)
		qsort(nic->irqs.items, n, sizeof(*nic->irqs.items), compare);
}

int sl_nic_read_irqs(struct sl_nic *nic)
{
	char device[PATH_MAX], link[64];
	char *name;
	int err;

	snprintf(link, sizeof(link), "/sys/class/net/%s/device", nic->name);
	if (!nic->sysfs.visible || !realpath(link, device))
		return 0;
	/* A virtio device's interrupts are those of the PCI device it is on. */
	name = strrchr(device, '/');
	if (name && strncmp(name, "/virtio", 7) == 0)
		*name = '\0';
	err = list_msi(nic, device);
	if (err == -ENOENT || (!err && !nic->irqs.n))
		err = list_line(nic, device);
	if (err)
		return err;
	read_names(nic);
	drop_unused(nic);
	for (size_t i = 0; i < nic->irqs.n; i++) {
		struct sl_nic_irq *irq = &nic->irqs.items[i];

		read_list(irq->number, "smp_affinity_list", irq->allowed);
		read_list(irq->number, "effective_affinity_list",
			  irq->effective);
	}
	return 0;
}
