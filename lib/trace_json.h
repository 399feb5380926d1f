/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * An observation as a JSON object (docs/trace.md names its keys), and files of them:
 * {"sluice_trace":1,"runs":[OBSERVATION, ...]}.
 */
#ifndef SLUICE_TRACE_JSON_H
#define SLUICE_TRACE_JSON_H

struct json_t;
struct sl_error;
struct sl_trace;
struct sl_trace_spread;

/* The caller's references; NULL: no memory. */
struct json_t *sl_trace_json(const struct sl_trace *trace);
struct json_t *sl_trace_spread_json(const struct sl_trace_spread *spread);

/*
 * Adds a run to a file, or begins it. The file is replaced by rename: after a failure
 * it is as it was. 0, or -errno with a message (-EINVAL: the file is something else).
 */
int sl_trace_save(const char *path, struct json_t *run, struct sl_error *error);

/*
 * Reads such a file whole. 0 and the caller's reference to the array of runs, which
 * each have "metrics" and "intervals" that are of the kind they must be; or -errno
 * with a message.
 */
int sl_trace_load(const char *path, struct json_t **runs,
		  struct sl_error *error);

#endif /* SLUICE_TRACE_JSON_H */
