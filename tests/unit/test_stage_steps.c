// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The steps of workers through their stages: police, captures, and the chain itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
/* Its struct bpf_insn is linux/bpf.h's. */
#define PCAP_DONT_INCLUDE_PCAP_BPF_H
#include <pcap/pcap.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "afxdp-app/forwarder.h"
#include "lib/config.h"

#define WORKERS 2
#define MS 1000000ull
#define S 1000000000ull

/* Two workers without sockets, and one burst to send through them. */
struct bench {
	struct sl_forwarder config;
	struct sl_stage stages[3];
	struct sl_fwd_iface ifaces[2];
	struct sl_fwd_worker workers[WORKERS];
	struct sl_umem umem;
	struct sl_fwd_port ports[2];
	struct sl_fwd_burst burst;
	struct sl_fwd fwd;
	char folder[64], config_path[128];
};

static struct bench *bench;

static int setup(void **state)
{
	bench = calloc(1, sizeof(*bench));
	if (!bench || sl_umem_init(&bench->umem, 256))
		return -1;
	strcpy(bench->folder, "/tmp/sluice-test-XXXXXX");
	if (!mkdtemp(bench->folder))
		return -1;
	snprintf(bench->config_path, sizeof(bench->config_path), "%s/x.conf",
		 bench->folder);
	strcpy(bench->ifaces[0].name, "left0");
	strcpy(bench->ifaces[1].name, "right0");
	for (uint32_t i = 0; i < 2; i++) {
		bench->ports[i].umem = &bench->umem;
		bench->ports[i].iface = i;
		bench->ports[i].queue = 10 + i;
		bench->ports[i].peer = &bench->ports[!i];
	}
	sl_fwd_burst_init(&bench->burst, &bench->ports[0]);
	bench->config.stages = bench->stages;
	bench->fwd = (struct sl_fwd){ .config = &bench->config,
				      .config_path = bench->config_path,
				      .ifaces = bench->ifaces,
				      .n_ifaces = 2,
				      .workers = bench->workers,
				      .n_workers = WORKERS };
	*state = bench;
	return 0;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	sl_umem_fini(&bench->umem);
	snprintf(command, sizeof(command), "rm -r %s", bench->folder);
	/* The folder is one of mkdtemp(). NOLINTNEXTLINE(cert-env33-c) */
	if (system(command))
		return -1;
	free(bench);
	return 0;
}

static void add_police(uint64_t value, bool bits)
{
	bench->stages[bench->config.n_stages++] =
		(struct sl_stage){ .kind = SL_STAGE_POLICE,
				   .rate = { value, bits } };
}

static void add_capture(char *path, uint64_t sample)
{
	bench->stages[bench->config.n_stages++] = (struct sl_stage){
		.kind = SL_STAGE_CAPTURE, .target = path, .sample = sample
	};
}

/* Puts a packet into the burst, its bytes all `fill`. */
static void packet_put(uint32_t len, int fill)
{
	static uint8_t bytes[9000];

	memset(bytes, fill, len);
	assert_true(sl_fwd_burst_put(&bench->burst, bytes, len));
	bench->burst.packet[bench->burst.n - 1].out = &bench->ports[1];
}

static uint32_t kept(void)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < bench->burst.n; i++)
		n += bench->burst.packet[i].drop == SL_FWD_KEEP;
	return n;
}

/* Frees the burst's frames, as a worker does that could send none of it. */
static void burst_end(void)
{
	sl_fwd_burst_stage(&bench->burst, &bench->umem);
	for (uint32_t i = 0; i < bench->burst.n; i++)
		if (bench->burst.packet[i].drop == SL_FWD_KEEP)
			bench->burst.packet[i].drop = SL_FWD_DROP_TX_FULL;
	sl_fwd_burst_drop(&bench->burst, &bench->umem);
	assert_true(sl_umem_audit(&bench->umem));
	assert_int_equal(bench->umem.count[SL_FRAME_FREE], 256);
	sl_fwd_burst_init(&bench->burst, &bench->ports[0]);
}

static void run(uint32_t worker, uint64_t now_ns)
{
	sl_fwd_steps_run(bench->workers[worker].steps,
			 bench->workers[worker].n_steps, &bench->burst, now_ns);
}

/* So many packets through a worker; how many are kept. */
static uint32_t offer(uint32_t worker, uint32_t n, uint32_t len,
		      uint64_t now_ns)
{
	uint32_t sum = 0;

	for (uint32_t part; n; n -= part) {
		part = n < SL_BURST ? n : SL_BURST;
		for (uint32_t i = 0; i < part; i++)
			packet_put(len, 0);
		run(worker, now_ns);
		sum += kept();
		burst_end();
	}
	return sum;
}

static struct sl_fwd_stage_counts counts(uint32_t stage)
{
	struct sl_fwd_stage_counts counted;

	sl_fwd_stage_count(&bench->fwd.stages, stage, &counted);
	return counted;
}

static void polices_packets(void **state)
{
	(void)state;
	add_police(1000, false);
	assert_int_equal(sl_fwd_stages_open(&bench->fwd), 0);
	/* The burst is 100 ms of the rate, for both workers together. */
	assert_int_equal(offer(0, 60, 60, 5 * S), 60);
	assert_int_equal(offer(1, 60, 60, 5 * S), 40);
	assert_int_equal(offer(0, 60, 60, 5 * S), 0);
	assert_int_equal(offer(0, 60, 60, 5 * S + 7 * MS), 7);
	assert_int_equal(offer(1, 60, 60, 5 * S + 7 * MS), 0);
	/* A worker that is a little behind takes nothing away, and adds nothing. */
	assert_int_equal(offer(1, 60, 60, 5 * S + 6 * MS), 0);
	assert_int_equal(offer(1, 60, 60, 5 * S + 17 * MS), 10);
	/* Unused, it fills up to the burst and no further. */
	assert_int_equal(offer(1, 200, 60, 3600 * S), 100);
	assert_int_equal(counts(0).packets, 620);
	assert_int_equal(counts(0).dropped, 620 - 217);
	assert_int_equal(bench->ports[1].count.drops[SL_FWD_DROP_POLICED],
			 620 - 217);
	sl_fwd_stages_close(&bench->fwd.stages);
}

static void polices_bits(void **state)
{
	(void)state;
	add_police(8000000, true);
	assert_int_equal(sl_fwd_stages_open(&bench->fwd), 0);
	/* 1 MB a second: the burst is 100 KB, then a KB a millisecond. */
	assert_int_equal(offer(0, 120, 1000, 5 * S), 100);
	assert_int_equal(offer(1, 10, 1000, 5 * S + 3 * MS), 3);
	/* What is too long for the rest does not keep shorter ones back. */
	packet_put(1000, 0);
	packet_put(3000, 0);
	packet_put(900, 0);
	packet_put(200, 0);
	packet_put(100, 0);
	run(0, 5 * S + 5 * MS);
	assert_int_equal(bench->burst.packet[0].drop, SL_FWD_KEEP);
	assert_int_equal(bench->burst.packet[1].drop, SL_FWD_DROP_POLICED);
	assert_int_equal(bench->burst.packet[2].drop, SL_FWD_KEEP);
	assert_int_equal(bench->burst.packet[3].drop, SL_FWD_DROP_POLICED);
	assert_int_equal(bench->burst.packet[4].drop, SL_FWD_KEEP);
	burst_end();
	sl_fwd_stages_close(&bench->fwd.stages);
}

static void refuses_a_rate(void **state)
{
	(void)state;
	add_police(0, false);
	assert_int_equal(sl_fwd_stages_open(&bench->fwd), -EDOM);
	sl_fwd_stages_close(&bench->fwd.stages);
}

/* Two workers at once: what passes is what one would have let pass. */
#define ROUNDS 20000u

static void *police_many(void *context)
{
	struct sl_fwd_step *step = context;
	struct sl_fwd_burst burst;
	uint64_t passed = 0;

	for (uint32_t round = 0; round < ROUNDS; round++) {
		sl_fwd_burst_init(&burst, NULL);
		burst.n = 16;
		for (uint32_t i = 0; i < burst.n; i++)
			burst.packet[i] = (struct sl_fwd_packet){ .len = 60 };
		/* A millisecond in 20 rounds: to the end, one second. */
		sl_fwd_steps_run(step, 1, &burst, 5 * S + round / 20 * MS);
		for (uint32_t i = 0; i < burst.n; i++)
			passed += burst.packet[i].drop == SL_FWD_KEEP;
	}
	return (void *)(uintptr_t)passed;
}

static void polices_two_threads(void **state)
{
	pthread_t threads[WORKERS];
	uint64_t sum = 0;

	(void)state;
	add_police(100000, false);
	assert_int_equal(sl_fwd_stages_open(&bench->fwd), 0);
	for (uint32_t w = 0; w < WORKERS; w++)
		assert_int_equal(pthread_create(&threads[w], NULL, police_many,
						bench->workers[w].steps),
				 0);
	for (uint32_t w = 0; w < WORKERS; w++) {
		void *passed;

		pthread_join(threads[w], &passed);
		sum += (uintptr_t)passed;
	}
	/* 10,000 of burst, 100 a millisecond for 999; offered are three times as many. */
	assert_true(sum <= 10000 + 99900);
	assert_true(sum >= 10000 + 99900 - 16);
	assert_int_equal(counts(0).packets, WORKERS * ROUNDS * 16);
	assert_int_equal(counts(0).packets - counts(0).dropped, sum);
	sl_fwd_stages_close(&bench->fwd.stages);
}

static void ends_the_chain_at_a_drop(void **state)
{
	(void)state;
	add_police(1000, false);
	add_police(500, false);
	add_police(1000000, false);
	assert_int_equal(sl_fwd_stages_open(&bench->fwd), 0);
	for (uint32_t i = 0; i < SL_BURST; i++)
		packet_put(60, 0);
	/* Dropped before the first stage: none of them sees it. */
	bench->burst.packet[3].drop = SL_FWD_DROP_LINK_DOWN;
	run(0, 5 * S);
	assert_int_equal(bench->burst.packet[3].drop, SL_FWD_DROP_LINK_DOWN);
	burst_end();
	assert_int_equal(counts(0).packets, 63);
	assert_int_equal(counts(1).packets, 63);
	assert_int_equal(counts(1).dropped, 13);
	assert_int_equal(counts(2).packets, 50);
	offer(1, SL_BURST, 60, 5 * S);
	assert_int_equal(counts(0).packets, 127);
	assert_int_equal(counts(0).dropped, 27);
	assert_int_equal(counts(1).packets, 100);
	assert_int_equal(counts(1).dropped, 50);
	assert_int_equal(counts(2).packets, 50);
	assert_int_equal(bench->ports[1].count.drops[SL_FWD_DROP_POLICED],
			 13 + 27 + 37);
	sl_fwd_stages_close(&bench->fwd.stages);
}

static const char *beside(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", bench->folder, name);
	return path;
}

/* What libpcap reads: packets, and the sum of their lengths; -1: it does not end well. */
static int capture_read(const char *name, uint64_t *bytes)
{
	char why[PCAP_ERRBUF_SIZE];
	pcap_t *pcap = pcap_open_offline(beside(name), why);
	struct pcap_pkthdr *header;
	const uint8_t *data;
	int n = 0, last;

	assert_non_null(pcap);
	*bytes = 0;
	while ((last = pcap_next_ex(pcap, &header, &data)) == 1) {
		assert_int_equal(header->caplen, header->len);
		for (uint32_t i = 1; i < header->caplen; i++)
			assert_int_equal(data[i], data[0]);
		*bytes += header->len;
		n++;
	}
	pcap_close(pcap);
	return last == PCAP_ERROR_BREAK ? n : -1;
}

/* A start that fails on the way must not cost what another forwarder has captured there. */
static void empties_no_file_before_it_starts(void **state)
{
	const char text[4096] = "captured by another";
	FILE *file = fopen(beside("all.pcapng"), "w");
	struct stat status;
	uint64_t bytes;

	(void)state;
	assert_non_null(file);
	assert_int_equal(fwrite(text, sizeof(text), 1, file), 1);
	assert_int_equal(fclose(file), 0);
	add_capture("all.pcapng", 0);
	assert_int_equal(sl_fwd_stages_open(&bench->fwd), 0);
	sl_fwd_stages_close(&bench->fwd.stages);
	assert_int_equal(stat(beside("all.pcapng"), &status), 0);
	assert_int_equal(status.st_size, sizeof(text));
	assert_int_equal(sl_fwd_stages_open(&bench->fwd), 0);
	assert_int_equal(sl_fwd_stages_start(&bench->fwd.stages), 0);
	sl_fwd_stages_close(&bench->fwd.stages);
	assert_int_equal(capture_read("all.pcapng", &bytes), 0);
}

static void captures_whole_packets(void **state)
{
	uint64_t bytes;

	(void)state;
	add_capture("all.pcapng", 0);
	add_capture("some.pcapng", 3);
	assert_int_equal(sl_fwd_stages_open(&bench->fwd), 0);
	assert_int_equal(sl_fwd_stages_start(&bench->fwd.stages), 0);
	for (uint32_t w = 0; w < WORKERS; w++) {
		packet_put(60, 1);
		packet_put(9000, 2); /* in three buffers */
		packet_put(1, 3);
		packet_put(4000, 4);
		run(w, 5 * S);
		assert_int_equal(kept(), 4);
		burst_end();
	}
	sl_fwd_stages_stop(&bench->fwd.stages);
	assert_int_equal(counts(0).copied, 8);
	assert_int_equal(counts(0).lost, 0);
	assert_int_equal(counts(1).packets, 8);
	assert_int_equal(counts(1).copied, 4); /* two of each worker's four */
	sl_fwd_stages_close(&bench->fwd.stages);
	assert_int_equal(capture_read("all.pcapng", &bytes), 8);
	assert_int_equal(bytes, 2 * (60 + 9000 + 1 + 4000));
	assert_int_equal(capture_read("some.pcapng", &bytes), 4);
	assert_int_equal(bytes, 2 * (60 + 4000));
}

/* Files may grow to so many bytes: a disk of that size. */
static void disk(rlim_t bytes)
{
	const struct rlimit limit = { bytes, RLIM_INFINITY };

	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* One packet, and how its copy ends. */
static void capture_one(uint32_t worker, uint32_t copied, uint32_t lost)
{
	packet_put(1500, (int)(copied + lost));
	run(worker, 5 * S);
	assert_int_equal(kept(), 1);
	burst_end();
	while (counts(0).copied + counts(0).lost != copied + lost)
		usleep(1000);
	assert_int_equal(counts(0).copied, copied);
}

static void survives_a_full_disk(void **state)
{
	uint64_t bytes;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	add_capture("full.pcapng", 0);
	assert_int_equal(sl_fwd_stages_open(&bench->fwd), 0);
	assert_int_equal(sl_fwd_stages_start(&bench->fwd.stages), 0);
	disk(4000);
	capture_one(0, 1, 0);
	capture_one(0, 2, 0);
	capture_one(0, 2, 1);
	disk(6000);
	capture_one(1, 3, 1);
	/* What was begun of this one is not left behind. */
	capture_one(1, 3, 2);
	disk(RLIM_INFINITY);
	sl_fwd_stages_stop(&bench->fwd.stages);
	assert_int_equal(bench->fwd.stages.stages[0].told, -EFBIG);
	sl_fwd_stages_close(&bench->fwd.stages);
	assert_int_equal(capture_read("full.pcapng", &bytes), 3);
	assert_int_equal(bytes, 4500);
}

static void opens_only_files_of_its_own(void **state)
{
	char target[128];

	(void)state;
	strcpy(target, beside("target"));
	assert_int_equal(close(open(target, O_CREAT | O_WRONLY, 0600)), 0);
	assert_int_equal(symlink(target, beside("symlink")), 0);
	assert_int_equal(mkfifo(beside("fifo"), 0600), 0);
	for (uint32_t i = 0; i < 4; i++) {
		char *const names[] = { "symlink", "fifo", "no/such/place",
					"/dev/null" };
		const int errs[] = { -ELOOP, -ENXIO, -ENOENT, -EPERM };

		bench->config.n_stages = 0;
		add_capture(names[i], 0);
		assert_int_equal(sl_fwd_stages_open(&bench->fwd), errs[i]);
		sl_fwd_stages_close(&bench->fwd.stages);
	}
	assert_int_equal(link(target, beside("second")), 0);
	bench->config.n_stages = 0;
	add_capture("target", 0);
	assert_int_equal(sl_fwd_stages_open(&bench->fwd), -EPERM);
	sl_fwd_stages_close(&bench->fwd.stages);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(polices_packets),
		TEST(polices_bits),
		TEST(refuses_a_rate),
		TEST(polices_two_threads),
		TEST(ends_the_chain_at_a_drop),
		TEST(empties_no_file_before_it_starts),
		TEST(captures_whole_packets),
		TEST(survives_a_full_disk),
		TEST(opens_only_files_of_its_own),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
