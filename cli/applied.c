// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "applied.h"

#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include "lib/apply.h"

static double ms(uint64_t ns)
{
	return (double)ns / 1e6;
}

static void print_one(const struct sl_applied *a, bool dry_run)
{
	if (a->note[0])
		fprintf(stderr, "sluice: %s: warning: %s\n", a->interface,
			a->note);
	if (dry_run) {
		printf("%s: would run %zu rules, %zu bytes of tables; compile "
		       "%.1f ms, load %.1f ms\n",
		       a->interface, a->n_rules, a->table_bytes,
		       ms(a->compile_ns), ms(a->load_ns));
		return;
	}
	printf("%s: %s%s, generation %llu, %zu rules, %zu bytes of tables, "
	       "program id %u; compile %.1f ms, load %.1f ms, swap %.2f ms\n",
	       a->interface, a->generic ? "generic" : "native",
	       a->shared ? " (shared)" : "", (unsigned long long)a->generation,
	       a->n_rules, a->table_bytes, a->prog_id, ms(a->compile_ns),
	       ms(a->load_ns), ms(a->swap_ns));
}

void cli_applied_print(const struct sl_applied *applied, size_t n, bool dry_run)
{
	for (size_t i = 0; i < n; i++)
		print_one(&applied[i], dry_run);
}

static json_t *one_json(const struct sl_applied *a)
{
	return json_pack("{s:s, s:s, s:b, s:I, s:I, s:I, s:I, s:f, s:f, s:f, "
			 "s:s?}",
			 "name", a->interface, "mode",
			 a->generic ? "generic" : "native", "shared", a->shared,
			 "program_id", (json_int_t)a->prog_id, "generation",
			 (json_int_t)a->generation, "rules",
			 (json_int_t)a->n_rules, "table_bytes",
			 (json_int_t)a->table_bytes, "compile_ms",
			 ms(a->compile_ns), "load_ms", ms(a->load_ns),
			 "swap_ms", ms(a->swap_ns), "note",
			 a->note[0] ? a->note : NULL);
}

json_t *cli_applied_json(const struct sl_applied *applied, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, one_json(&applied[i]));
	return list;
}
