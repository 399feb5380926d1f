/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What libbpf and libxdp print. They know things that no return value carries
 * (the verifier's log, the kernel's extack text), so their warnings are kept
 * in a buffer until the code that knows the context asks for them. The one
 * module with mutable globals; main thread only.
 */
#ifndef SLUICE_LOG_H
#define SLUICE_LOG_H

/* From now on libbpf and libxdp print into the buffer, not on stderr. */
void sl_log_init(void);

/* Forgets what was kept. */
void sl_log_clear(void);

/* What was kept since; "" if nothing. The module's, until the next call of it. */
const char *sl_log_text(void);

/* The kernel's extack text out of it, or NULL. The module's, as above. */
const char *sl_log_extack(void);

/* The end of it, where the cause stands: what an error has room for. As above. */
const char *sl_log_tail(void);

#endif /* SLUICE_LOG_H */
