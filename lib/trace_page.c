// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "trace_page.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <time.h>

#include "trace.h"
#include "trace_compare.h"
#include "trace_histogram.h"
#include "trace_names.h"
#include "trace_svg.h"

#define IRQS 30 /* lines; JSON has them all */

/*
 * The four colours of contexts keep their order of lightness, so they can be told
 * apart in print without colour, too. A dark screen is the reader's setting.
 */
static const char head[] =
	"<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
	"<meta name=\"viewport\" content=\"width=device-width,"
	"initial-scale=1\"><title>sluice trace</title>\n<style>\n"
	":root{color-scheme:light dark;--paper:#fff;--ink:#1c2024;--soft:#5b636b;"
	"--rule:#d5d9dd;--bar:#2b6cb0;--c0:#1f4e79;--c1:#b45309;--c2:#4d8f5b;"
	"--c3:#c77fb5}\n"
	"@media screen and (prefers-color-scheme:dark){:root{--paper:#14181c;"
	"--ink:#e6e9ec;--soft:#9aa4ae;--rule:#343b43;--bar:#63a4e6;--c0:#5b9bd5;"
	"--c1:#e0933f;--c2:#7fbf8c;--c3:#e3b3d6}}\n"
	"body{margin:0 auto;max-width:68rem;padding:1.5rem;background:var(--paper);"
	"color:var(--ink);font:15px/1.45 system-ui,sans-serif}\n"
	"h1{font-size:1.5rem;margin:0 0 .3rem}h2{font-size:1.1rem;margin:2rem 0 .5rem}"
	"h3{font:600 .9rem/1.3 ui-monospace,monospace;margin:0}\n"
	"p{margin:.3rem 0}.soft,.axis{color:var(--soft);fill:var(--soft)}"
	".axis{font-size:11px}\n"
	".wide{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:"
	"tabular-nums}\n"
	"th,td{padding:.2rem .7rem .2rem 0;text-align:left;border-bottom:1px solid "
	"var(--rule);vertical-align:middle;white-space:nowrap}th{font-weight:600}"
	"td.n,th.n{text-align:right}td.what{color:var(--soft);white-space:normal;min-width:15rem}\n"
	".grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(19rem,1fr));"
	"gap:1.2rem 1.5rem}figure{margin:0;break-inside:avoid}svg{width:100%;"
	"height:auto;display:block}svg.small{width:120px;height:18px}\n"
	".bar,.dot{fill:var(--bar)}.ground{fill:var(--rule)}.rule{stroke:var(--rule)}"
	".c0{fill:var(--c0)}.c1{fill:var(--c1)}.c2{fill:var(--c2)}.c3{fill:var(--c3)}"
	".s0{stroke:var(--c0);stroke-width:2}.s1{stroke:var(--c1);stroke-width:2}\n"
	".key svg{display:inline-block;width:12px;height:12px;margin:0 .3rem 0 1rem;"
	"vertical-align:-1px}.bare svg:first-child{margin-left:0}tr.other{color:var(--soft)}.changed{font-weight:600}\n"
	"@media print{body{max-width:none;padding:0;font-size:10pt}h2{break-after:"
	"avoid}tr{break-inside:avoid}td.what{min-width:0}.wide{overflow:visible}"
	"*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}\n"
	"</style></head><body>\n";

static void count_cell(FILE *out, uint64_t count)
{
	fprintf(out, "<td class=\"n\">%llu</td>", (unsigned long long)count);
}

static void value_cell(FILE *out, double value, const char *unit)
{
	fputs("<td class=\"n\">", out);
	sl_svg_value(out, value, unit);
	fputs("</td>", out);
}

static void text_cell(FILE *out, const char *text)
{
	fputs("<td>", out);
	sl_svg_text(out, text);
	fputs("</td>", out);
}

static void page_head(const struct sl_trace *t, FILE *out)
{
	struct utsname kernel = { .release = "" };
	time_t began = (time_t)t->began_s;
	struct tm utc = { 0 };
	char when[32];

	fputs(head, out);
	fputs("<h1>", out);
	for (size_t i = 0; i < t->scope.n_items; i++) {
		fputs(i ? ", " : "", out);
		sl_svg_text(out, t->scope.items[i].name);
	}
	strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S UTC",
		 gmtime_r(&began, &utc));
	uname(&kernel);
	fprintf(out, "</h1>\n<p>%.1f s, %llu packets by ",
		(double)t->sum.time_ns / 1e9,
		(unsigned long long)t->sum.packets);
	sl_svg_text(out, t->packets_from); /* an interface's name is in it */
	fprintf(out,
		". Seen by %s. "
		"<span class=\"soft\">sluice trace%s, Linux %s, %s</span></p>\n",
		t->tracer ? "BPF" : "/proc alone, without polls and times",
		t->deep ? " --deep" : "", kernel.release, when);
	if (!t->tracer) {
		fputs("<p>", out);
		sl_svg_text(out, t->why.text);
		fputs("</p>\n", out);
	}
	for (size_t i = 0; t->tracer && sl_tracer_missing(t->tracer, i); i++)
		fprintf(out, "<p>This kernel has no tracepoint \"%s\".</p>\n",
			sl_tracer_missing(t->tracer, i));
}

static void metrics(const struct sl_trace *t, FILE *out)
{
	double *values = calloc(t->n_intervals + 1, sizeof(*values));

	fputs("<h2>Figures</h2><div class=\"wide\"><table><tr><th>figure</th>"
	      "<th class=\"n\">median</th><th></th><th class=\"n\">25 %</th>"
	      "<th class=\"n\">75 %</th><th>by interval, own scale</th><th></th></tr>\n",
	      out);
	for (int m = 0; values && m < SL_METRIC_COUNT; m++) {
		struct sl_trace_spread s = sl_trace_spread(t, m, true);
		const char *unit = sl_trace_metric_unit(m);
		size_t n = 0;

		if (!s.n)
			continue;
		for (size_t i = 0; i < t->n_intervals; i++)
			if (t->intervals[i].traced)
				values[n++] = t->intervals[i].metrics[m];
		fputs("<tr>", out);
		text_cell(out, sl_trace_metric_name(m));
		value_cell(out, s.median, unit);
		/* A time carries its unit. */
		text_cell(out, unit[0] == 'n' ? "" : unit);
		value_cell(out, s.low, unit);
		value_cell(out, s.high, unit);
		fputs("<td>", out);
		sl_svg_line(out, values, n);
		fputs("</td><td class=\"what\">", out);
		sl_svg_text(out, sl_trace_metric_help(m));
		fputs("</td></tr>\n", out);
	}
	fputs("</table></div>\n", out);
	free(values);
}

static void cpus(const struct sl_trace *t, FILE *out)
{
	fputs("<h2>CPUs</h2><div class=\"wide\"><table><tr><th>CPU</th>"
	      "<th>pressure</th><th></th><th class=\"n\">deferred</th>"
	      "<th class=\"n\">exhausted</th><th class=\"n\">device interrupts"
	      "</th><th class=\"n\">NET_RX</th><th class=\"n\">squeezed</th>"
	      "</tr>\n",
	      out);
	for (uint32_t cpu = 0; cpu < t->sum.n_cpus; cpu++) {
		struct sl_pressure_figure f =
			sl_trace_sample_pressure(&t->sum, cpu, t->budget_ns);
		const struct sl_proc_cpu *p = &t->sum.proc.cpus[cpu];

		if (!t->sum.pressure[cpu].online)
			continue;
		fprintf(out, "<tr><td>%u</td><td class=\"n\">%.3f</td><td>",
			cpu, f.pressure);
		sl_svg_share(out, f.pressure);
		fprintf(out, "</td><td class=\"n\">");
		if (f.has_deferred)
			fprintf(out, "%.3f", f.deferred);
		else
			fputs("unseen", out);
		fprintf(out, "</td><td class=\"n\">%.3f</td>", f.exhausted);
		count_cell(out, p->device_irqs);
		count_cell(out, p->softirqs[SL_SOFTIRQ_NET_RX]);
		count_cell(out, t->sum.pressure[cpu].squeezed);
		fputs("</tr>\n", out);
	}
	fputs("</table></div>\n", out);
}

static void key(FILE *out)
{
	fputs("<p class=\"key\">Polled by", out);
	for (int c = 0; c < SL_POLL_NETPOLL; c++)
		fprintf(out,
			"<svg viewBox=\"0 0 12 12\"><rect class=\"c%d\" "
			"width=\"12\" height=\"12\"/></svg>%s",
			c, sl_trace_contexts[c]);
	fputs("</p>\n", out);
}

static void napi_row(const struct sl_tracer_napi *napi, bool ours, FILE *out)
{
	const struct sl_trace_napi *n = &napi->counts;
	uint64_t polls = 0, work = 0, full = 0;

	for (int c = 0; c < SL_POLL_NETPOLL; c++) {
		polls += n->polls[c];
		work += n->work[c];
		full += n->full[c];
	}
	if (!polls)
		return;
	fputs(ours ? "<tr>" : "<tr class=\"other\">", out);
	text_cell(out, *n->interface ? n->interface : "(backlog)");
	fprintf(out, "<td class=\"n\">%u</td>", napi->key.napi_id);
	count_cell(out, polls);
	value_cell(out, (double)work / (double)polls, "packets");
	value_cell(out, 100 * (double)full / (double)polls, "%");
	fputs("<td>", out);
	sl_svg_parts(out, n->polls, SL_POLL_NETPOLL);
	fputs("</td></tr>\n", out);
}

static void napis(const struct sl_trace *t, FILE *out)
{
	if (!t->sum.bpf)
		return;
	fputs("<h2>NAPI instances</h2>\n", out);
	key(out);
	fputs("<div class=\"wide\"><table><tr><th>interface</th>"
	      "<th class=\"n\">NAPI</th><th class=\"n\">polls</th>"
	      "<th class=\"n\">packets a poll</th><th class=\"n\">full budget, %"
	      "</th><th>polled by</th></tr>\n",
	      out);
	for (int ours = 1; ours >= 0; ours--)
		for (size_t i = 0; i < t->sum.n_napis; i++)
			if (sl_trace_scope_has(&t->scope, &t->sum.napis[i]) ==
			    (ours == 1))
				napi_row(&t->sum.napis[i], ours, out);
	fputs("</table></div>\n", out);
}

static void interrupts(const struct sl_trace *t, FILE *out)
{
	size_t rows = 0;

	fputs("<h2>Interrupts</h2><div class=\"wide\"><table><tr><th>line</th>"
	      "<th class=\"n\">count</th><th class=\"n\">a packet</th>"
	      "<th>what</th></tr>\n",
	      out);
	for (size_t i = 0; i < t->sum.proc.n_irqs && rows < IRQS; i++) {
		const struct sl_proc_irq *irq = &t->sum.proc.irqs[i];

		if (!irq->count)
			continue;
		rows++;
		fputs("<tr>", out);
		text_cell(out, irq->name);
		count_cell(out, irq->count);
		value_cell(out,
			   t->sum.packets ?
				   (double)irq->count / (double)t->sum.packets :
				   0,
			   "");
		text_cell(out, irq->what);
		fputs("</tr>\n", out);
	}
	fputs("</table></div>\n", out);
}

static void histograms(const struct sl_trace *t, FILE *out)
{
	struct sl_trace_named *named =
		calloc(SL_TRACE_NAMED_MAX, sizeof(*named));
	size_t n = named ? sl_trace_histograms(&t->sum, named) : 0;

	if (n)
		fputs("<h2>Histograms</h2><p class=\"soft\">Each column is twice "
		      "as wide as the one before it, and its label is where it "
		      "begins.</p><div class=\"grid\">\n",
		      out);
	for (size_t i = 0; i < n; i++) {
		fprintf(out, "<figure><h3>%s</h3><p class=\"soft\">%llu, mean ",
			named[i].name, (unsigned long long)named[i].count);
		sl_svg_value(out,
			     (double)named[i].sum.sum / (double)named[i].count,
			     named[i].unit);
		fputs("</p>", out);
		sl_svg_histogram(out, &named[i]);
		fputs("</figure>\n", out);
	}
	if (n)
		fputs("</div>\n", out);
	free(named);
}

static void cost(const struct sl_trace *t, FILE *out)
{
	const struct sl_tracer_cost *c = &t->cost;
	struct sl_trace_spread with, without;

	if (!t->tracer || !t->deep)
		return;
	with = sl_trace_spread(t, SL_METRIC_PACKETS, true);
	without = sl_trace_spread(t, SL_METRIC_PACKETS, false);
	fprintf(out,
		"<h2>What watching cost</h2><p>The programs ran %llu times, on "
		"average ",
		(unsigned long long)c->runs);
	sl_svg_value(out,
		     c->runs ? (double)c->run_ns / (double)c->runs :
			       (double)NAN,
		     "ns");
	fprintf(out, "; %llu runs were left out. Packets a second with them ",
		(unsigned long long)c->missed);
	sl_svg_value(out, with.median, "/s");
	fputs(", without them ", out);
	sl_svg_value(out, without.median, "/s");
	fprintf(out, ": %s.</p>\n",
		sl_trace_verdict_text(sl_trace_judge(&without, &with)));
}

static int finish(FILE *out)
{
	fputs("</body></html>\n", out);
	return fflush(out) || ferror(out) ? -EIO : 0;
}

int sl_trace_page(const struct sl_trace *t, FILE *out)
{
	page_head(t, out);
	metrics(t, out);
	cpus(t, out);
	napis(t, out);
	interrupts(t, out);
	histograms(t, out);
	cost(t, out);
	return finish(out);
}

static void compared_row(const struct sl_trace_compared *c, int m, FILE *out)
{
	const char *unit = sl_trace_metric_unit(m);
	char change[SL_TRACE_CHANGE_BYTES];

	fputs("<tr>", out);
	text_cell(out, sl_trace_metric_name(m));
	text_cell(out, unit[0] == 'n' ? "" : unit);
	value_cell(out, c->a.median, unit);
	value_cell(out, c->a.high - c->a.low, unit);
	value_cell(out, c->b.median, unit);
	value_cell(out, c->b.high - c->b.low, unit);
	fputs("<td>", out);
	sl_svg_pair(out, &c->a, &c->b);
	fprintf(out, "</td><td class=\"%s\">",
		sl_trace_verdict_text(c->verdict));
	fputs(sl_trace_change_text(c, change), out);
	fputs("</td><td class=\"what\">", out);
	sl_svg_text(out, sl_trace_metric_help(m));
	fputs("</td></tr>\n", out);
}

int sl_trace_comparison_page(const struct sl_trace_comparison *c, const char *a,
			     const char *b, FILE *out)
{
	fputs(head, out);
	fputs("<h1>A against B</h1>\n<p class=\"key bare\">", out);
	for (int side = 0; side < 2; side++) {
		fprintf(out,
			"<svg viewBox=\"0 0 12 12\"><rect class=\"c%d\" "
			"width=\"12\" height=\"12\"/></svg>%c: ",
			side, "AB"[side]);
		sl_svg_text(out, side ? b : a);
		fprintf(out, ", runs: %zu", side ? c->b_runs : c->a_runs);
	}
	fputs("</p>\n", out);
	if (c->unlike)
		fprintf(out, "<p>Not alike: %s.</p>\n", c->unlike);
	if (!c->interleaved)
		fputs("<p>The runs do not take turns (A B A B): what drifts with "
		      "time looks like a change.</p>\n",
		      out);
	fputs("<div class=\"wide\"><table><tr><th>figure</th><th></th>"
	      "<th class=\"n\">A</th><th class=\"n\">spread</th>"
	      "<th class=\"n\">B</th><th class=\"n\">spread</th><th></th>"
	      "<th>verdict</th><th></th></tr>\n",
	      out);
	for (int m = 0; m < SL_METRIC_COUNT; m++)
		if (c->metrics[m].a.n || c->metrics[m].b.n)
			compared_row(&c->metrics[m], m, out);
	fputs("</table></div>\n", out);
	return finish(out);
}
