/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef SLUICE_TEST_BPF_RULES_H
#define SLUICE_TEST_BPF_RULES_H

struct sl_code;

/*
 * What the kernel asks of a program's shape before it looks at values:
 * check_subprogs(), check_cfg(), check_btf_func() and check_btf_line() of
 * kernel/bpf/verifier.c in Linux 6.1. NULL, or what is wrong.
 */
const char *rules_broken(const struct sl_code *code);

#endif /* SLUICE_TEST_BPF_RULES_H */
