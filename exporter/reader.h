/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The process that may look into the kernel, and never sees what a client sends: it takes
 * questions of three kinds (channel.h) and answers with a text.
 */
#ifndef SLUICE_EXPORTER_READER_H
#define SLUICE_EXPORTER_READER_H

#include <stdbool.h>
#include <stdint.h>

struct sl_snapshots;

/*
 * The kernel is read no more often than this, however many ask; texts printed in between are
 * of the same reading. A page that polls each second sees a new one each time.
 */
#define SL_READER_FRESH_NS 500000000ull

/*
 * Answers until the server is gone, or `signal_fd` (signalfd(2)) tells of a signal, and *wished
 * is true then: 0; or -errno.
 */
int sl_reader_run(struct sl_snapshots *snapshots, int channel, int signal_fd,
		  bool *wished);

#endif /* SLUICE_EXPORTER_READER_H */
