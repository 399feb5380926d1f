/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What `sluice trace` makes of counts: sums of differences, figures, spreads, verdicts,
 * tables of /proc, pages. What it sees of a kernel is in tests/netns and vm.
 */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/trace.h"
#include "lib/trace_compare.h"
#include "lib/trace_histogram.h"
#include "lib/trace_page.h"

#define CPUS 2
#define US 1000ull

static void near(double got, double want)
{
	assert_true(fabs(got - want) <= 1e-9 * fmax(1, fabs(want)));
}

static FILE *text_file(const char *text)
{
	FILE *file = tmpfile();

	assert_non_null(file);
	fputs(text, file);
	rewind(file);
	return file;
}

/* ---- tables of /proc ------------------------------------------------------ */

static void interrupts_of_proc(void **state)
{
	/* CPU 1 is offline, CPU 5 is beyond what there may be. */
	static const char text[] =
		"           CPU0       CPU2       CPU5\n"
		" 24:          7          3          1  IO-APIC   5-edge      ACPI:Ged\n"
		"136:  4294967295         1          0 PCI-MSIX-0000:00:02.0   1-edge      eth0-rx-0\n"
		"LOC:        100        200        300   Local timer interrupts\n"
		"ERR:          9\n"
		"MIS:          0\n";
	struct sl_proc_cpu cpus[3] = { { 0 } };
	struct sl_proc proc = { .cpus = cpus, .n_cpus = 3 };
	FILE *in = text_file(text);

	(void)state;
	assert_int_equal(sl_proc_take_interrupts(in, &proc), 0);
	fclose(in);
	assert_int_equal(proc.n_irqs, 5);
	assert_string_equal(proc.irqs[0].name, "24");
	assert_string_equal(proc.irqs[0].what, "ACPI:Ged");
	assert_true(proc.irqs[0].device);
	assert_int_equal(proc.irqs[0].count, 11);
	assert_string_equal(proc.irqs[1].what, "eth0-rx-0");
	assert_int_equal(proc.irqs[1].count, 4294967296);
	assert_string_equal(proc.irqs[2].what, "Local timer interrupts");
	assert_false(proc.irqs[2].device);
	assert_int_equal(proc.irqs[2].count, 600);
	assert_int_equal(proc.irqs[3].count, 9);
	assert_int_equal(cpus[0].device_irqs, 4294967302);
	assert_int_equal(cpus[1].device_irqs, 0);
	assert_int_equal(cpus[2].device_irqs, 4);
	free(proc.irqs);
}

static void softirqs_of_proc(void **state)
{
	static const char text[] = "                    CPU0       CPU2\n"
				   "      NET_TX:          1          2\n"
				   "      NET_RX:         11         22\n"
				   "      FUTURE:         99         99\n"
				   "         RCU:          3          4\n";
	struct sl_proc_cpu cpus[3] = { { 0 } };
	struct sl_proc proc = { .cpus = cpus, .n_cpus = 3 };
	FILE *in = text_file(text);

	(void)state;
	assert_int_equal(sl_proc_take_softirqs(in, &proc), 0);
	fclose(in);
	assert_int_equal(cpus[0].softirqs[SL_SOFTIRQ_NET_RX], 11);
	assert_int_equal(cpus[2].softirqs[SL_SOFTIRQ_NET_RX], 22);
	assert_int_equal(cpus[2].softirqs[SL_SOFTIRQ_RCU], 4);
	assert_int_equal(cpus[1].softirqs[SL_SOFTIRQ_NET_RX], 0);
	/* Nothing, and a heading without CPUs. */
	in = text_file("");
	assert_int_equal(sl_proc_take_softirqs(in, &proc), -EPROTO);
	fclose(in);
	in = text_file("no heading\n");
	assert_int_equal(sl_proc_take_softirqs(in, &proc), -EPROTO);
	fclose(in);
}

/* ---- sums and figures ----------------------------------------------------- */

static struct sl_tracer_napi napi(uint32_t id, uint32_t ifindex, uint32_t netns)
{
	struct sl_tracer_napi n = {
		.key = { .napi_id = id, .ifindex = ifindex, .netns = netns },
		.counts.interface = "eth9"
	};

	return n;
}

static void begin(struct sl_trace_sample *s, uint64_t time_ns)
{
	assert_int_equal(sl_trace_sample_init(CPUS, s), 0);
	s->time_ns = time_ns;
	for (int cpu = 0; cpu < CPUS; cpu++)
		s->pressure[cpu].online = s->pressure[cpu].deferred = true;
}

static void give_napis(struct sl_trace_sample *s,
		       const struct sl_tracer_napi *napis, size_t n)
{
	s->bpf = true;
	s->napis = calloc(n, sizeof(*napis));
	assert_non_null(s->napis);
	memcpy(s->napis, napis, n * sizeof(*napis));
	s->n_napis = n;
}

static void give_irq(struct sl_trace_sample *s, const char *name,
		     uint64_t count)
{
	struct sl_proc_irq *irq = reallocarray(s->proc.irqs, s->proc.n_irqs + 1,
					       sizeof(*s->proc.irqs));

	assert_non_null(irq);
	s->proc.irqs = irq;
	irq = &irq[s->proc.n_irqs++];
	*irq = (struct sl_proc_irq){ .device = true, .count = count };
	snprintf(irq->name, sizeof(irq->name), "%s", name);
}

/* One second, 1,000 packets. */
static void make_second(struct sl_trace_sample *before,
			struct sl_trace_sample *after)
{
	struct sl_tracer_napi was = napi(5, 9, 77), is = was,
			      other = napi(6, 3, 77), away = napi(7, 9, 78);

	begin(before, 5000000000ull);
	begin(after, 6000000000ull);
	before->packets = 500;
	after->packets = 1500;
	was.counts.polls[SL_POLL_SOFTIRQ] = 40;
	is.counts.polls[SL_POLL_SOFTIRQ] = 90;
	is.counts.work[SL_POLL_SOFTIRQ] = 900;
	is.counts.full[SL_POLL_SOFTIRQ] = 15;
	is.counts.polls[SL_POLL_USER] = 50;
	is.counts.work[SL_POLL_USER] = 100;
	is.counts.polls[SL_POLL_NETPOLL] = 1000;
	other.counts.polls[SL_POLL_SOFTIRQ] = 12345;
	away.counts.polls[SL_POLL_SOFTIRQ] = 54321;
	give_napis(before, &was, 1);
	give_napis(after, (struct sl_tracer_napi[]){ other, is, away }, 3);
	give_irq(before, "24", 100);
	give_irq(after, "24", 104);
	give_irq(after, "25", 6); /* asked for in between */
	after->proc.cpus[0].device_irqs = 4;
	after->proc.cpus[1].device_irqs = 6;
	after->proc.cpus[1].softirqs[SL_SOFTIRQ_NET_RX] = 200;
	after->proc.switches = 3000;
	after->pressure[1].run_ns = 250000000;
	after->pressure[1].squeezed = 7;
	after->cpus[0].hard_irq.sum = 10 * US;
	after->cpus[0].hard_irq.slot[10] = 4;
	after->cpus[1].hard_irq.sum = 2 * US;
	after->cpus[1].hard_irq.slot[11] = 2;
	after->cpus[1].event[SL_EVENT_SYSCALL] = 2500;
	after->cpus[1].event[SL_EVENT_TASKLET] = 5;
	before->events = after->events = 1u << SL_EVENT_SYSCALL;
}

static void figures_of_a_second(void **state)
{
	int irqs[] = { 25 };
	struct sl_trace_interface eth9 = {
		.ifindex = 9, .irqs = irqs, .n_irqs = 1, .totals_fd = -1
	};
	struct sl_trace_scope scope = { &eth9, 1, 77 };
	struct sl_trace_sample before, after, sum;
	double v[SL_METRIC_COUNT];

	(void)state;
	make_second(&before, &after);
	assert_int_equal(sl_trace_sample_init(CPUS, &sum), 0);
	assert_int_equal(sl_trace_sample_add(&sum, &before, &after), 0);
	sl_trace_metrics(&sum, &scope, 8000000, v);
	near(v[SL_METRIC_PACKETS], 1000);
	near(v[SL_METRIC_IRQS], 0.01);
	near(v[SL_METRIC_OWN_IRQS], 0.006);
	near(v[SL_METRIC_NET_RX], 0.2);
	/* netpoll's, another interface's and another namespace's do not count. */
	near(v[SL_METRIC_POLLS], 0.1);
	near(v[SL_METRIC_POLLS_SOFTIRQ], 0.05);
	near(v[SL_METRIC_POLLS_USER], 0.05);
	near(v[SL_METRIC_POLLS_THREAD], 0);
	near(v[SL_METRIC_WORK], 10);
	near(v[SL_METRIC_FULL], 0.15);
	near(v[SL_METRIC_SQUEEZED], 7);
	near(v[SL_METRIC_IRQ_NS], 2000);
	assert_true(isnan(v[SL_METRIC_POLL_NS]));
	near(v[SL_METRIC_KSOFTIRQD], 0.25);
	near(v[SL_METRIC_PRESSURE], 0.25);
	near(v[SL_METRIC_SWITCHES], 3000);
	near(v[SL_METRIC_SYSCALL], 2.5);
	assert_true(isnan(v[SL_METRIC_THREADS]));
	/* Its tracepoint is not there: what stands in the map says nothing. */
	assert_true(isnan(v[SL_METRIC_TASKLET]));
	/* With sched_switch ksoftirqd's time is its. */
	sum.events |= 1u << SL_EVENT_SWITCH;
	sum.cpus[0].ksoftirqd_ns = 100000000;
	sum.cpus[1].napi_thread_ns = 300000000;
	sl_trace_metrics(&sum, &scope, 8000000, v);
	near(v[SL_METRIC_KSOFTIRQD], 0.1);
	near(v[SL_METRIC_THREADS], 0.3);
	/* Twice the same second: the same figures but for sums. */
	assert_int_equal(sl_trace_sample_add(&sum, &before, &after), 0);
	assert_int_equal(sum.packets, 2000);
	assert_int_equal(sum.time_ns, 2000000000);
	sl_trace_metrics(&sum, &scope, 8000000, v);
	near(v[SL_METRIC_POLLS], 0.1);
	near(v[SL_METRIC_OWN_IRQS], 0.006);
	sl_trace_sample_fini(&sum);
	sl_trace_sample_fini(&before);
	sl_trace_sample_fini(&after);
}

static void figures_without(void **state)
{
	struct sl_trace_scope scope = { NULL, 0, 77 };
	struct sl_trace_sample before, after, sum;
	double v[SL_METRIC_COUNT];

	(void)state;
	make_second(&before, &after);
	before.bpf = false; /* /proc alone */
	after.packets = before.packets;
	assert_int_equal(sl_trace_sample_init(CPUS, &sum), 0);
	assert_int_equal(sl_trace_sample_add(&sum, &before, &after), 0);
	sl_trace_metrics(&sum, &scope, 8000000, v);
	near(v[SL_METRIC_PACKETS], 0);
	assert_true(isnan(v[SL_METRIC_IRQS]));
	assert_true(isnan(v[SL_METRIC_OWN_IRQS]));
	assert_true(isnan(v[SL_METRIC_POLLS]));
	assert_true(isnan(v[SL_METRIC_IRQ_NS]));
	assert_true(isnan(v[SL_METRIC_SYSCALL]));
	near(v[SL_METRIC_SQUEEZED], 7);
	sl_trace_sample_fini(&sum);
	sl_trace_sample_fini(&before);
	sl_trace_sample_fini(&after);
}

static void histograms(void **state)
{
	struct sl_trace_sample sum;
	struct sl_trace_named *n = calloc(SL_TRACE_NAMED_MAX, sizeof(*n));
	uint64_t low, high, next = 0;

	(void)state;
	assert_non_null(n);
	for (size_t k = 0; k < SL_TRACE_SLOTS; k++) {
		sl_trace_slot(k, &low, &high);
		assert_int_equal(low, next);
		next = high + 1;
	}
	assert_int_equal(next, 0); /* up to the last number */
	begin(&sum, 0);
	assert_int_equal(sl_trace_histograms(&sum, n), 0);
	sum.cpus[0].softirq_wait[SL_SOFTIRQ_NET_RX].slot[8] = 98;
	sum.cpus[1].softirq_wait[SL_SOFTIRQ_NET_RX].slot[12] = 2;
	sum.cpus[1].poll_work[SL_POLL_USER].slot[0] = 1;
	assert_int_equal(sl_trace_histograms(&sum, n), 2);
	assert_string_equal(n[0].name, "net_rx_wait");
	assert_int_equal(n[0].count, 100);
	assert_int_equal(sl_trace_quantile(&n[0], 0.5), 255);
	assert_int_equal(sl_trace_quantile(&n[0], 0.98), 255);
	assert_int_equal(sl_trace_quantile(&n[0], 0.99), 4095);
	assert_string_equal(n[1].name, "packets_of_poll_user");
	assert_string_equal(n[1].unit, "packets");
	assert_int_equal(sl_trace_quantile(&n[1], 0.99), 0);
	free(n);
	sl_trace_sample_fini(&sum);
}

/* ---- spread and verdict --------------------------------------------------- */

static struct sl_trace_spread spread(double a, double b, double c, double d,
				     double e)
{
	double values[] = { a, b, c, d, e };

	return sl_trace_spread_of(values, 5);
}

static enum sl_trace_verdict judge(struct sl_trace_spread a,
				   struct sl_trace_spread b)
{
	return sl_trace_judge(&a, &b);
}

static void spreads(void **state)
{
	struct sl_trace_spread s = spread(5, 1, 4, 2, 3);
	double two[] = { NAN, 8, NAN, 4 }, none[] = { NAN };

	(void)state;
	near(s.median, 3);
	near(s.low, 2);
	near(s.high, 4);
	assert_int_equal(s.n, 5);
	s = sl_trace_spread_of(two, 4);
	near(s.median, 6);
	near(s.low, 5);
	assert_int_equal(s.n, 2);
	s = sl_trace_spread_of(none, 1);
	assert_true(isnan(s.median));
	assert_int_equal(s.n, 0);
}

static void verdicts(void **state)
{
	struct sl_trace_spread base =
		spread(98, 99, 100, 101, 102); /* 2 wide */

	(void)state;
	assert_int_equal(judge(base, spread(100, 101, 102, 103, 104)),
			 SL_TRACE_NOISE);
	assert_int_equal(judge(base, spread(100.1, 101.1, 102.1, 103.1, 104.1)),
			 SL_TRACE_CHANGED);
	assert_int_equal(judge(spread(100.1, 101.1, 102.1, 103.1, 104.1), base),
			 SL_TRACE_CHANGED);
	/* The wider of the two decides. */
	assert_int_equal(judge(base, spread(80, 95, 105, 115, 130)),
			 SL_TRACE_NOISE);
	/* Steady, but of no use. */
	assert_int_equal(judge(spread(100, 100, 100, 100, 100),
			       spread(100.9, 100.9, 100.9, 100.9, 100.9)),
			 SL_TRACE_NOISE);
	assert_int_equal(judge(spread(0, 0, 0, 0, 0), spread(0, 0, 0, 0, 0)),
			 SL_TRACE_NOISE);
	assert_int_equal(judge(spread(0, 0, 0, 0, 0), spread(1, 1, 1, 1, 1)),
			 SL_TRACE_CHANGED);
	assert_int_equal(judge(base, spread(9, 9, NAN, NAN, NAN)),
			 SL_TRACE_UNKNOWN);
}

/* ---- pages -------------------------------------------------------------- */

/* Names come from whoever makes interfaces, and go into a page. */
static void pages(void **state)
{
	struct sl_trace_comparison c = { .a_runs = 1, .b_runs = 1 };
	struct sl_trace_interface i = { .name = "<b>&\"x",
					.ifindex = 9,
					.totals_fd = -1 };
	struct sl_trace t = { .scope = { &i, 1, 77 },
			      .packets_from = "rx_packets of <b>&\"x" };
	struct sl_trace_sample before, after;
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);

	(void)state;
	assert_non_null(out);
	make_second(&before, &after);
	memcpy(after.napis[1].counts.interface, "<script>", 9);
	assert_int_equal(sl_trace_sample_init(CPUS, &t.sum), 0);
	assert_int_equal(sl_trace_sample_add(&t.sum, &before, &after), 0);
	assert_int_equal(sl_trace_page(&t, out), 0);
	assert_int_equal(sl_trace_comparison_page(&c, "a<", "b>", out), 0);
	fclose(out);
	assert_null(strstr(text, "<b>"));
	assert_null(strstr(text, "<script"));
	assert_non_null(strstr(text, "&lt;b&gt;&amp;&quot;x"));
	assert_non_null(strstr(text, "&lt;script&gt;"));
	assert_null(strstr(text, "http"));
	assert_null(strstr(text, "nan"));
	assert_null(strstr(text, "inf"));
	free(text);
	out = fopen("/dev/full", "w");
	assert_non_null(out);
	assert_int_equal(sl_trace_page(&t, out), -EIO);
	fclose(out);
	sl_trace_sample_fini(&t.sum);
	sl_trace_sample_fini(&before);
	sl_trace_sample_fini(&after);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(interrupts_of_proc),
		cmocka_unit_test(softirqs_of_proc),
		cmocka_unit_test(figures_of_a_second),
		cmocka_unit_test(figures_without),
		cmocka_unit_test(histograms),
		cmocka_unit_test(spreads),
		cmocka_unit_test(verdicts),
		cmocka_unit_test(pages),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("trace", tests, NULL, NULL);
}
