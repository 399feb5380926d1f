// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "trace_proc.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "trace_names.h"

/* The columns of a table are the CPUs that are online: which, says its heading. */
#define COLUMNS_MAX 8192 /* NR_CPUS of the largest configuration */

struct columns {
	uint32_t *cpus;
	size_t n;
};

static int take_heading(const char *line, struct columns *columns)
{
	size_t room = strlen(line) / strlen("CPU") + 1;
	char *end;

	columns->cpus = calloc(room, sizeof(*columns->cpus));
	if (!columns->cpus)
		return -ENOMEM;
	while ((line = strstr(line, "CPU")) && columns->n < COLUMNS_MAX) {
		columns->cpus[columns->n++] =
			(uint32_t)strtoul(line + strlen("CPU"), &end, 10);
		line = end;
	}
	return columns->n ? 0 : -EPROTO;
}

/* The next number of a line; false: what follows is none. */
static bool take_count(const char **text, uint64_t *count)
{
	const char *at = *text + strspn(*text, " ");
	char *end;

	if (!isdigit((unsigned char)*at))
		return false;
	*count = strtoull(at, &end, 10);
	/* "0000:00:01.0" or "5-edge" is the beginning of the line's words. */
	if (*end && *end != ' ' && *end != '\n')
		return false;
	*text = end;
	return true;
}

/* The last words, from where the columns end: "PCI-MSIX-0000:00:02.0 1-edge
 * virtio1-req.0", or "Local timer interrupts", which is all of it. */
static void take_what(const char *rest, bool device, struct sl_proc_irq *irq)
{
	size_t length;

	rest += strspn(rest, " ");
	length = strcspn(rest, "\n");
	if (device)
		for (size_t i = length; i > 0; i--)
			if (rest[i - 1] == ' ') {
				rest += i;
				length -= i;
				break;
			}
	snprintf(irq->what, sizeof(irq->what), "%.*s", (int)length, rest);
}

static int take_irq(const char *line, const struct columns *columns,
		    struct sl_proc *proc)
{
	const char *name = line + strspn(line, " ");
	size_t length = strcspn(name, ":");
	struct sl_proc_irq irq = { 0 }, *more;
	const char *rest = name + length;
	uint64_t count;

	if (*rest != ':')
		return 0;
	rest++;
	irq.device = isdigit((unsigned char)*name);
	snprintf(irq.name, sizeof(irq.name), "%.*s", (int)length, name);
	for (size_t i = 0; i < columns->n && take_count(&rest, &count); i++) {
		irq.count += count;
		if (irq.device && columns->cpus[i] < proc->n_cpus)
			proc->cpus[columns->cpus[i]].device_irqs += count;
	}
	take_what(rest, irq.device, &irq);
	more = reallocarray(proc->irqs, proc->n_irqs + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	proc->irqs = more;
	more[proc->n_irqs++] = irq;
	return 0;
}

static int take_softirq(const char *line, const struct columns *columns,
			struct sl_proc *proc)
{
	const char *name = line + strspn(line, " ");
	size_t length = strcspn(name, ":");
	const char *rest = name + length + 1;
	uint64_t count;

	if (name[length] != ':')
		return 0;
	for (int v = 0; v < SL_SOFTIRQ_COUNT; v++) {
		if (strlen(sl_trace_softirqs[v]) != length ||
		    strncmp(sl_trace_softirqs[v], name, length) != 0)
			continue;
		for (size_t i = 0; i < columns->n && take_count(&rest, &count);
		     i++)
			if (columns->cpus[i] < proc->n_cpus)
				proc->cpus[columns->cpus[i]].softirqs[v] =
					count;
	}
	return 0;
}

static int take_table(FILE *in, struct sl_proc *proc,
		      int (*take)(const char *, const struct columns *,
				  struct sl_proc *))
{
	struct columns columns = { 0 };
	char *line = NULL;
	size_t bytes = 0;
	int err = -EPROTO;

	if (getline(&line, &bytes, in) > 0)
		err = take_heading(line, &columns);
	while (!err && getline(&line, &bytes, in) > 0)
		err = take(line, &columns, proc);
	free(columns.cpus);
	free(line);
	return err;
}

int sl_proc_take_interrupts(FILE *in, struct sl_proc *proc)
{
	return take_table(in, proc, take_irq);
}

int sl_proc_take_softirqs(FILE *in, struct sl_proc *proc)
{
	return take_table(in, proc, take_softirq);
}

/* /proc/stat: "ctxt N" is a line of it. */
static int take_switches(FILE *in, struct sl_proc *proc)
{
	static const char name[] = "ctxt ";
	char *line = NULL;
	size_t bytes = 0;

	while (getline(&line, &bytes, in) > 0)
		if (strncmp(line, name, strlen(name)) == 0)
			proc->switches =
				strtoull(line + strlen(name), NULL, 10);
	free(line);
	return 0;
}

static int read_with(const char *path, struct sl_proc *proc,
		     int (*take)(FILE *, struct sl_proc *))
{
	FILE *in = fopen(path, "re");
	int err;

	if (!in)
		return -errno;
	err = take(in, proc);
	fclose(in);
	return err;
}

int sl_proc_read(uint32_t n_cpus, struct sl_proc *proc)
{
	struct sl_proc fresh = { .n_cpus = n_cpus };
	int err;

	fresh.cpus = calloc(n_cpus, sizeof(*fresh.cpus));
	if (!fresh.cpus)
		return -ENOMEM;
	err = read_with("/proc/interrupts", &fresh, sl_proc_take_interrupts);
	if (!err)
		err = read_with("/proc/softirqs", &fresh,
				sl_proc_take_softirqs);
	if (!err)
		err = read_with("/proc/stat", &fresh, take_switches);
	if (err)
		sl_proc_fini(&fresh);
	else
		*proc = fresh;
	return err;
}

void sl_proc_fini(struct sl_proc *proc)
{
	free(proc->irqs);
	free(proc->cpus);
	*proc = (struct sl_proc){ 0 };
}

/* Of /proc/net/dev: "  NAME: bytes packets ...". A name may hold any of these
 * but '/' and blanks, so the last colon ends it. */
bool sl_proc_received(const char *name, uint64_t *packets)
{
	FILE *in = fopen("/proc/net/dev", "re");
	bool found = false;
	char *line = NULL;
	size_t bytes = 0;

	*packets = 0;
	while (in && getline(&line, &bytes, in) > 0) {
		char *colon = strrchr(line, ':');
		char *start = line + strspn(line, " "), *end;

		if (!colon)
			continue;
		*colon = '\0';
		if (name ? strcmp(start, name) != 0 : strcmp(start, "lo") == 0)
			continue;
		strtoull(colon + 1, &end, 10); /* bytes */
		*packets += strtoull(end, NULL, 10);
		found = true;
	}
	free(line);
	if (in)
		fclose(in);
	return found;
}
