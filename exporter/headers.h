/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef SLUICE_EXPORTER_HEADERS_H
#define SLUICE_EXPORTER_HEADERS_H

struct MHD_Response;

/*
 * What every response says: its type, and that a browser takes nothing but what comes from here,
 * shows it in no frame, sends it nowhere and keeps none of it. 0 or -ENOMEM.
 */
int sl_headers_add(struct MHD_Response *response, const char *type);

#endif /* SLUICE_EXPORTER_HEADERS_H */
