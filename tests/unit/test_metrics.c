// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* What sluice-exporter writes and takes: labels, forwarders, ports, Host and Accept, addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exporter/exposition.h"
#include "exporter/metrics.h"
#include "exporter/ports.h"
#include "exporter/request.h"
#include "lib/listen.h"

static char *printed;
static size_t printed_bytes;

static struct sl_exposition begin(bool open)
{
	struct sl_exposition e = { .open = open };

	e.out = open_memstream(&printed, &printed_bytes);
	assert_non_null(e.out);
	return e;
}

static void end(struct sl_exposition *e, const char *want)
{
	sl_exposition_end(e);
	fclose(e->out);
	assert_string_equal(printed, want);
	free(printed);
}

static void test_formats(void **state)
{
	struct sl_exposition e;

	(void)state;
	for (int open = 0; open < 2; open++) {
		e = begin(open);
		sl_exposition_family(&e, SL_COUNTER, "a_bytes", "bytes", "A.");
		sl_exposition_label(&e, "x", "1");
		sl_exposition_number_label(&e, "y", 2);
		sl_exposition_count(&e, UINT64_MAX);
		sl_exposition_family(&e, SL_INFO, "b", "", "B.");
		sl_exposition_real(&e, 0.25);
		end(&e,
		    open ? "# TYPE a_bytes counter\n"
			   "# UNIT a_bytes bytes\n"
			   "# HELP a_bytes A.\n"
			   "a_bytes_total{x=\"1\",y=\"2\"} 18446744073709551615\n"
			   "# TYPE b info\n# HELP b B.\n"
			   "b_info 0.25\n"
			   "# EOF\n" :
			   "# HELP a_bytes_total A.\n"
			   "# TYPE a_bytes_total counter\n"
			   "a_bytes_total{x=\"1\",y=\"2\"} 18446744073709551615\n"
			   "# HELP b_info B.\n# TYPE b_info gauge\n"
			   "b_info 0.25\n");
	}
}

static void test_escapes(void **state)
{
	static const char *const names[][2] = {
		{ "plain", "plain" },
		{ "", "" },
		{ "\"} 7 \\", "\\\"} 7 \\\\" },
		{ "line\nfeed", "line\\\\x0afeed" },
		{ "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f" },
		{ "\xff\xfe", "\\\\xff\\\\xfe" },
		{ "cut \xe2\x82", "cut \\\\xe2\\\\x82" },
	};
	char want[128];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct sl_exposition e = begin(false);

		e.name = "n";
		e.suffix = "";
		sl_exposition_label(&e, "l", names[i][0]);
		sl_exposition_count(&e, 1);
		snprintf(want, sizeof(want), "n{l=\"%s\"} 1\n", names[i][1]);
		end(&e, want);
	}
}

/* Two of one name, and one that lacks nearly all: no series twice, and none made up. */
static void test_forwarders(void **state)
{
	static const char text[] =
		"[{\"pid\":7,\"config\":\"a\",\"accounted\":true,"
		"\"ledger\":{\"unexplained\":-3,\"interfaces\":[{\"name\":\"e\","
		"\"seen\":null,\"lost\":9007199254740993}]}},"
		"{\"pid\":8,\"config\":\"a\",\"workers\":[{\"frames\":"
		"{\"total\":5,\"free\":5}}]},{}]";
	static const char *const wanted[] = {
		"sluice_forwarder_accounted{forwarder=\"a#7\"} 1\n",
		"sluice_unexplained_packets{forwarder=\"a#7\"} -3\n",
		"sluice_ledger_packets{forwarder=\"a#7\",interface=\"e\",entry=\"lost\"} 9007199254740993\n",
		"sluice_worker_frames{forwarder=\"a#8\",worker=\"0\",state=\"free\"} 5\n",
		"sluice_worker_capacity_frames{forwarder=\"a#8\",worker=\"0\"} 5\n",
	};
	json_t *list = json_loads(text, 0, NULL);
	struct sl_exposition e = begin(false);
	size_t samples = 0;

	(void)state;
	assert_non_null(list);
	sl_metrics_forwarders(&e, list);
	fclose(e.out);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		assert_non_null(strstr(printed, wanted[i]));
	for (const char *line = printed; line;
	     line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
		samples += *line && *line != '#';
	assert_int_equal(samples, sizeof(wanted) / sizeof(wanted[0]));
	free(printed);
	json_decref(list);
}

static void test_top(void **state)
{
	struct sl_counter(*counters)[65536] =
		calloc(SL_PORT_PROTOS, sizeof(*counters));
	struct sl_ports_wanted wanted = { .top = 100 };
	struct sl_top top;

	(void)state;
	assert_non_null(counters);
	/* Every count once, in no order: 40503 is odd. */
	for (uint32_t i = 0; i < 65536; i++)
		counters[SL_PORT_UDP][i].packets = (uint16_t)(i * 40503);
	counters[SL_PORT_TCP][80].packets = 65535;
	assert_int_equal(sl_ports_choose(&wanted, "tcp/443"), 0);
	assert_int_equal(sl_ports_choose(&wanted, "tcp/80"), 0);
	assert_int_equal(sl_top_take(&wanted, counters, &top), 0);
	assert_int_equal(top.n, 101); /* tcp/80 is one of the hundred */
	assert_int_equal(top.ports[0].proto, SL_PORT_TCP);
	assert_int_equal(top.ports[0].port, 80);
	for (uint32_t i = 1; i < 100; i++)
		assert_int_equal(top.ports[i].counter.packets, 65536 - i);
	assert_int_equal(top.ports[100].port, 443);
	assert_int_equal(top.ports[100].counter.packets, 0);
	free(top.ports);
	wanted = (struct sl_ports_wanted){ .top = 65536 };
	assert_int_equal(sl_top_take(&wanted, counters, &top), 0);
	assert_int_equal(top.n, 65536); /* port 0 has counted nothing */
	free(top.ports);
	wanted.top = 0;
	assert_int_equal(sl_top_take(&wanted, counters, &top), 0);
	assert_int_equal(top.n, 0);
	free(top.ports);
	free(counters);
}

static void test_choose(void **state)
{
	static const char *const wrong[] = {
		"",	     "443",
		"tcp/",	     "tcp/-1",
		"tcp/65536", "sctp/1",
		"tcp/1 ",    "udp/0x1",
		"tcp/ 1",    "tcp/99999999999999999999"
	};
	struct sl_ports_wanted wanted = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(sl_ports_choose(&wanted, wrong[i]), -EINVAL);
	for (int i = 0; i < SL_PORTS_CHOSEN; i++)
		assert_int_equal(sl_ports_choose(&wanted, "udp/65535"), 0);
	assert_int_equal(sl_ports_choose(&wanted, "udp/1"), -ENOSPC);
}

static void test_host(void **state)
{
	static const char *const local[] = { "localhost",   "LocalHost:9435",
					     "127.0.0.1",   "127.0.0.1:9435",
					     "[::1]",	    "[::1]:9435",
					     "192.0.2.1:80" };
	static const char *const other[] = {
		"",
		"example.org",
		"localhost.example.org",
		"localhost:",
		"localhost:1x",
		"127.0.0.1.example.org",
		"[::1]x",
		"[example]",
		"[::1",
		"127.0.0.1:1:2",
		"xlocalhost",
		"127.0.0.1@example.org",
	};

	(void)state;
	assert_true(sl_request_host_local(NULL));
	for (size_t i = 0; i < sizeof(local) / sizeof(local[0]); i++)
		assert_true(sl_request_host_local(local[i]));
	for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++)
		assert_false(sl_request_host_local(other[i]));
}

static void test_accept(void **state)
{
	(void)state;
	assert_int_equal(sl_request_text(NULL), SL_TEXT_OPEN);
	assert_int_equal(sl_request_text("*/*"), SL_TEXT_OPEN);
	assert_int_equal(sl_request_text("text/plain;version=0.0.4"),
			 SL_TEXT_OLD);
	/* As Prometheus asks. */
	assert_int_equal(
		sl_request_text(
			"application/openmetrics-text;version=1.0.0,text/plain;q=0.5"),
		SL_TEXT_OPEN);
}

static void test_listen(void **state)
{
	static const char *const wrong[] = {
		"",
		"9435",
		":9435",
		"127.0.0.1",
		"127.0.0.1:",
		"::1",
		"::1:9435",
		"[::1]",
		"localhost:1",
		"[::1:1",
		"127.0.0.1:65536",
		"1.2.3.4:-1",
		"1.2.3.4:+1",
		"1.2.3:1",
		"[127.0.0.1]:1",
		"metrics.sock",
	};
	char path[200];
	struct sl_listen listen;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(sl_listen_parse(wrong[i], &listen), -EINVAL);
	assert_int_equal(sl_listen_parse(SL_LISTEN_DEFAULT, &listen), 0);
	assert_true(sl_listen_local(&listen));
	assert_int_equal(sl_listen_parse("[::1]:0", &listen), 0);
	assert_true(sl_listen_local(&listen));
	assert_int_equal(sl_listen_parse("0.0.0.0:9435", &listen), 0);
	assert_false(sl_listen_local(&listen));
	assert_int_equal(sl_listen_parse("[2001:db8::1]:65535", &listen), 0);
	assert_false(sl_listen_local(&listen));
	assert_int_equal(sl_listen_parse("/run/metrics.sock", &listen), 0);
	assert_true(sl_listen_local(&listen));
	memset(path, 'a', sizeof(path) - 1);
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(sl_listen_parse(path, &listen), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_formats),
		cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_forwarders),
		cmocka_unit_test(test_top),
		cmocka_unit_test(test_choose),
		cmocka_unit_test(test_host),
		cmocka_unit_test(test_accept),
		cmocka_unit_test(test_listen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
