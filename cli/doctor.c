// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * What this machine and its interfaces can do. First all facts are read, then
 * who holds the attached programs is asked: that looks at Sluice's bpffs, and
 * may so move the process to another mount namespace with another /sys.
 */
#include <errno.h>
#include <getopt.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "cli.h"
#include "options.h"
#include "lib/doctor.h"
#include "lib/doctor_host.h"
#include "lib/doctor_nic.h"
#include "lib/finding.h"
#include "lib/jsontext.h"

struct nics {
	struct sl_nic *items;
	size_t n;
};

/* What is being said: into `root`, or printed and counted by severity. */
struct report {
	json_t *root; /* NULL: text */
	size_t count[SL_SEVERITY_BAD + 1];
	bool lost; /* memory ran out */
};

static void nics_fini(struct nics *nics)
{
	for (size_t i = 0; i < nics->n; i++)
		sl_nic_fini(&nics->items[i]);
	free(nics->items);
}

static int add_nic(struct nics *nics, const char *name)
{
	struct sl_nic *more =
		reallocarray(nics->items, nics->n + 1, sizeof(*more));
	int err;

	if (!more)
		return -ENOMEM;
	nics->items = more;
	err = sl_nic_read(name, &more[nics->n]);
	if (!err)
		nics->n++;
	return err;
}

static int read_named(struct nics *nics, char **names, int n)
{
	for (int i = 0; i < n; i++) {
		int err = add_nic(nics, names[i]);

		if (!err)
			continue;
		if (err == -ENODEV)
			fprintf(stderr,
				"sluice: %s: no such interface in this network "
				"namespace; `ip link` lists those there are\n",
				names[i]);
		else
			fprintf(stderr, "sluice: %s: read its settings: %s\n",
				names[i], strerror(-err));
		return CLI_SYSTEM;
	}
	return CLI_OK;
}

/* One that goes while it is read is left out. */
static int read_all(struct nics *nics)
{
	struct if_nameindex *list = if_nameindex();
	int err = list ? 0 : -errno;

	for (size_t i = 0; list && list[i].if_index && err != -ENOMEM; i++) {
		err = add_nic(nics, list[i].if_name);
		if (!err && nics->items[nics->n - 1].loopback)
			sl_nic_fini(&nics->items[--nics->n]);
	}
	if (list)
		if_freenameindex(list);
	if (!list || err == -ENOMEM)
		return cli_fail(err, "list the interfaces: out of memory");
	return CLI_OK;
}

static void print_finding(const struct sl_finding *f)
{
	printf("  %-4s  %-20s %s%s\n", sl_severity_text(f->severity), f->name,
	       f->known ? "" : "not seen: ", f->value ? f->value : "");
	if (f->severity == SL_SEVERITY_OK)
		return;
	if (f->consequence)
		printf("        %s\n", f->consequence);
	if (f->remedy)
		printf("        -> %s\n", f->remedy);
}

/* What is wrong stands first. */
static void print_findings(const struct sl_findings *findings, size_t *count)
{
	for (int s = SL_SEVERITY_BAD; s >= SL_SEVERITY_OK; s--)
		for (size_t i = 0; i < findings->n_items; i++) {
			if ((int)findings->items[i].severity != s)
				continue;
			print_finding(&findings->items[i]);
			count[s]++;
		}
}

/* What a tired reader looks for last; also that nothing was changed. */
static void print_sum(const size_t *count)
{
	printf("%zu bad, %zu warn, %zu note; nothing was changed\n",
	       count[SL_SEVERITY_BAD], count[SL_SEVERITY_WARN],
	       count[SL_SEVERITY_NOTE]);
}

static void print_queues(const struct sl_nic *nic)
{
	for (size_t i = 0; i < nic->queues.n; i++) {
		const struct sl_nic_queue *q = &nic->queues.items[i];

		if (!q->napi && !q->socket)
			continue;
		printf("  queue %s-%u:", q->tx ? "tx" : "rx", q->id);
		if (q->napi)
			printf(" NAPI %u", q->napi);
		if (q->irq >= 0)
			printf(" IRQ %d", q->irq);
		if (q->socket)
			printf(" AF_XDP%s", q->zero_copy ? " zero-copy" : "");
		putchar('\n');
	}
	for (size_t i = 0; i < nic->irqs.n; i++) {
		const struct sl_nic_irq *irq = &nic->irqs.items[i];

		printf("  IRQ %d %s: on CPU %s, may go to %s\n", irq->number,
		       irq->name, *irq->effective ? irq->effective : "?",
		       *irq->allowed ? irq->allowed : "?");
	}
}

static json_t *text_or_null(const char *text)
{
	return text ? sl_json_text(text) : json_null();
}

static json_t *findings_json(const struct sl_findings *findings)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < findings->n_items; i++) {
		const struct sl_finding *f = &findings->items[i];

		json_array_append_new(
			list,
			json_pack("{s:s, s:s, s:b, s:o, s:o, s:o}", "name",
				  f->name, "severity",
				  sl_severity_text(f->severity), "known",
				  f->known, "value", text_or_null(f->value),
				  "consequence", text_or_null(f->consequence),
				  "remedy", text_or_null(f->remedy)));
	}
	return list;
}

/* A number of the kernel's, or null where it did not tell it. */
static json_t *number_or_null(bool known, uint64_t number)
{
	return known ? json_integer((json_int_t)number) : json_null();
}

static json_t *queues_json(const struct sl_nic *nic)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < nic->queues.n; i++) {
		const struct sl_nic_queue *q = &nic->queues.items[i];
		const struct sl_nic_polling *p = &q->polling;

		json_array_append_new(
			list,
			json_pack("{s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:o, "
				  "s:b, s:b}",
				  "direction", q->tx ? "tx" : "rx", "id",
				  (json_int_t)q->id, "napi",
				  number_or_null(q->napi, q->napi), "irq",
				  number_or_null(q->irq >= 0, (uint64_t)q->irq),
				  "defer_hard_irqs",
				  number_or_null(!p->err, p->defer_hard_irqs),
				  "gro_flush_timeout_ns",
				  number_or_null(!p->err, p->gro_flush_ns),
				  "irq_suspend_timeout_ns",
				  number_or_null(!p->suspend_err,
						 p->suspend_ns),
				  "threaded",
				  number_or_null(!p->threaded_err, p->threaded),
				  "socket", q->socket, "zero_copy",
				  q->zero_copy));
	}
	return list;
}

static json_t *irqs_json(const struct sl_nic *nic)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < nic->irqs.n; i++) {
		const struct sl_nic_irq *irq = &nic->irqs.items[i];

		json_array_append_new(
			list,
			json_pack("{s:i, s:o, s:s, s:s}", "irq", irq->number,
				  "name", sl_json_text(irq->name), "allowed",
				  irq->allowed, "effective", irq->effective));
	}
	return list;
}

static void tell_host(const struct sl_host *host, struct report *report)
{
	struct sl_findings findings = { 0 };

	sl_doctor_judge_host(host, &findings);
	if (report->root) {
		json_object_set_new(report->root, "host",
				    json_pack("{s:s, s:o}", "kernel",
					      host->release, "findings",
					      findings_json(&findings)));
	} else {
		puts("this machine");
		print_findings(&findings, report->count);
	}
	report->lost |= findings.lost;
	sl_findings_fini(&findings);
}

static void tell_nic(const struct sl_nic *nic, const struct sl_host *host,
		     struct report *report)
{
	struct sl_findings findings = { 0 };

	sl_doctor_judge_nic(nic, host, &findings);
	if (report->root) {
		json_array_append_new(
			json_object_get(report->root, "interfaces"),
			json_pack("{s:o, s:s, s:o, s:o, s:o}", "name",
				  sl_json_text(nic->name), "driver",
				  nic->driver, "findings",
				  findings_json(&findings), "queues",
				  queues_json(nic), "irqs", irqs_json(nic)));
	} else {
		printf("%s\n", nic->name);
		print_findings(&findings, report->count);
		print_queues(nic);
	}
	report->lost |= findings.lost;
	sl_findings_fini(&findings);
}

static int tell(const struct nics *nics, const struct sl_host *host, bool json)
{
	struct report report = { 0 };

	if (json) {
		report.root = json_pack("{s:[]}", "interfaces");
		if (!report.root)
			return cli_fail(-ENOMEM, "out of memory");
	}
	tell_host(host, &report);
	for (size_t i = 0; i < nics->n; i++)
		tell_nic(&nics->items[i], host, &report);
	if (report.lost) {
		json_decref(report.root);
		return cli_fail(-ENOMEM, "out of memory");
	}
	if (json)
		return cli_print_json(report.root);
	print_sum(report.count);
	return CLI_OK;
}

int cli_doctor(const struct cli_command *command, int argc, char **argv)
{
	struct nics nics = { 0 };
	struct sl_host host;
	bool json;
	int status;

	if (cli_json_option(command, argc, argv, &json) != CLI_OK)
		return CLI_USAGE;
	status = argc > optind ?
			 read_named(&nics, argv + optind, argc - optind) :
			 read_all(&nics);
	if (status == CLI_OK) {
		sl_host_read(&host);
		for (size_t i = 0; i < nics.n; i++)
			sl_nic_read_holder(&nics.items[i]);
		status = tell(&nics, &host, json);
	}
	nics_fini(&nics);
	return status;
}
