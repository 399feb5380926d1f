/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Deferred interrupts on the interfaces of a forwarder, as `poll` asks: napi_defer_hard_irqs and
 * gro_flush_timeout, of each queue's NAPI where the kernel has them by netlink (6.13), else of
 * the interface. Both are settings of the system, held through the journal of `sluice tune`, which
 * knows what was before. Agent, with capabilities raised.
 */
#ifndef SLUICE_FWD_DEFERRAL_H
#define SLUICE_FWD_DEFERRAL_H

struct sl_fwd;

/*
 * Sets what is not set yet, or what an interface that came up again has lost; gives back what a
 * forwarder that was killed has left, and what the configuration before a reload wanted and this
 * one does not. sl_fwd_iface.deferred tells what was read back. What fails is said once; packets
 * pass without it. While another sluice tunes it is left for the next call.
 */
void sl_fwd_deferral_hold(struct sl_fwd *fwd);

/* Gives back what this process holds. */
void sl_fwd_deferral_release(struct sl_fwd *fwd);

#endif /* SLUICE_FWD_DEFERRAL_H */
