// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "findings.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "snapshot.h"
#include "lib/jsontext.h"

/* Half of a CPU's time, or of its rounds: see pressure.h. */
#define PRESSURE_HIGH 0.5

/* The same of another place is one finding: true if there was one. */
static bool add_place(json_t *list, const char *where, const char *text)
{
	json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		const char *said =
			json_string_value(json_object_get(item, "text"));
		const char *places =
			json_string_value(json_object_get(item, "where"));

		if (!said || !places || strcmp(said, text) != 0)
			continue;
		json_object_set_new(item, "where",
				    json_sprintf("%s, %s", places, where));
		return true;
	}
	return false;
}

static void add(json_t *list, const char *level, const char *where,
		const char *format, ...) __attribute__((format(printf, 4, 5)));

static void add(json_t *list, const char *level, const char *where,
		const char *format, ...)
{
	char text[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (add_place(list, where, text))
		return;
	json_array_append_new(list, json_pack("{s:s, s:o, s:o}", "level", level,
					      "where", sl_json_text(where),
					      "text", sl_json_text(text)));
}

static void of_interface(json_t *list, const struct sl_snapshot_interface *f)
{
	const struct sl_totals *totals = &f->stats.totals;

	if (!f->up)
		add(list, "bad", f->name,
		    "The interface is down: it receives nothing. `ip link set %s up`",
		    f->name);
	if (f->mode[0] == 'g')
		add(list, "note", f->name,
		    "Generic XDP: the filter runs after the kernel has made a packet of each frame, and is "
		    "several times slower than in the driver. `sluice doctor` says what the driver can do.");
	if (!f->generation)
		add(list, "note", f->name,
		    "No configuration is loaded: the filter counts and passes everything. `sluice apply FILE`");
	if (totals->log_lost.packets)
		add(list, "note", f->name,
		    "%llu samples of log rules were lost, because nobody read them in time: a larger "
		    "`sample N`, or `sluice log`.",
		    (unsigned long long)totals->log_lost.packets);
}

static long long number(const json_t *object, const char *key)
{
	return (long long)json_integer_value(json_object_get(object, key));
}

/* The words of docs/forwarder.md. */
static const char *copy_reason(const json_t *port)
{
	static const struct {
		const char *word, *text;
	} reasons[] = {
		{ "configuration",
		  "the configuration asks for it: `zero-copy off`." },
		{ "mtu",
		  "packets of this MTU take more buffers than the driver's zero-copy does. The forwarder's "
		  "log says for which MTU it is." },
		{ "driver",
		  "the driver grants no zero-copy here. `sluice doctor` says what it can." },
		{ "worker",
		  "another queue of the worker gets no zero-copy, and the queues of one share their frames. "
		  "The forwarder's log names it." },
	};
	const char *word =
		json_string_value(json_object_get(port, "copy_reason"));

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (word && strcmp(word, reasons[i].word) == 0)
			return reasons[i].text;
	return "zero-copy was not granted. `sluice doctor` says what the driver can.";
}

static void of_port(json_t *list, const json_t *worker, const json_t *port)
{
	const char *interface =
		json_string_value(json_object_get(port, "interface"));
	const char *mode = json_string_value(json_object_get(port, "mode"));
	const json_t *xdp = json_object_get(port, "xdp");
	long long lost =
		number(xdp, "rx_dropped") + number(xdp, "rx_ring_full");
	char where[64];

	snprintf(where, sizeof(where), "%.32s queue %lld",
		 interface ? interface : "?", number(port, "queue"));
	if (!json_is_true(json_object_get(port, "link")))
		add(list, "bad", where,
		    "No link: packets that should leave here are dropped (link_down).");
	if (lost)
		add(list, "note", where,
		    "Since its start the kernel has dropped %lld packets before the forwarder could take "
		    "them: the ring was full, or no frame was free. More workers, or a CPU of its own for this one.",
		    lost);
	if (mode && mode[0] == 'c')
		add(list, "note", where,
		    "Copy mode: the kernel copies each packet, because %s",
		    copy_reason(port));
	if (json_is_true(json_object_get(worker, "polling")) &&
	    !json_is_true(json_object_get(port, "busy_poll")))
		add(list, "note", where,
		    "Busy polling is not engaged: no poll of the worker was seen here, so it spins on its rings "
		    "while softirqs deliver. The driver has no NAPI id, or the kernel refused; `sluice doctor`.");
}

static void of_forwarder(json_t *list, const json_t *forwarder)
{
	const char *config =
		json_string_value(json_object_get(forwarder, "config"));
	const char *where = config ? config : "forwarder";
	const json_t *worker, *port, *stage;
	size_t w, p;

	if (json_is_false(json_object_get(forwarder, "accounted")))
		add(list, "bad", where,
		    "Frames are not accounted for: a bug, here or in a driver. Please report it with `sluice-fwd "
		    "--ctl stats`.");
	json_array_foreach(json_object_get(forwarder, "workers"), w, worker)
		json_array_foreach(json_object_get(worker, "ports"), p, port)
			of_port(list, worker, port);
	json_array_foreach(json_object_get(forwarder, "stages"), p,
			   stage) if (number(stage, "lost"))
		add(list, "note", where,
		    "A stage could not keep %lld copies: its file or interface is slower than the traffic. "
		    "A larger `sample N`.",
		    number(stage, "lost"));
}

static void of_cpus(json_t *list, const struct sl_pressure *pressure)
{
	for (uint32_t cpu = 0; cpu < sl_pressure_cpus(pressure); cpu++) {
		struct sl_pressure_figure f = sl_pressure_get(pressure, cpu);
		char where[32];

		if (f.pressure < PRESSURE_HIGH)
			continue;
		snprintf(where, sizeof(where), "CPU %u", cpu);
		add(list, "bad", where,
		    "Packets press hard (%.0f %%): softirqs do not get through their work in their turn. Spread "
		    "the queues over more CPUs, or poll; `sluice tune plan`.",
		    f.pressure * 100);
	}
}

json_t *sl_findings_json(const struct sl_snapshot *snapshot)
{
	json_t *list = json_array(), *item;
	size_t i;

	if (!list)
		return NULL;
	json_array_foreach(snapshot->failures, i, item)
		add(list, "bad", "exporter", "Not read: %s",
		    json_string_value(item));
	for (i = 0; i < snapshot->n_interfaces; i++)
		of_interface(list, &snapshot->interfaces[i]);
	json_array_foreach(snapshot->forwarders, i, item)
		of_forwarder(list, item);
	of_cpus(list, snapshot->pressure);
	return list;
}
