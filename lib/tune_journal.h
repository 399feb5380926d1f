/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What was changed, and what stood there before: written before anything is
 * changed, so that whoever dies in between leaves behind what undoes it.
 *
 * One file for each network namespace, /run/sluice/tune/INODE.json. It is
 * written whole, to a file beside it, which is flushed and then renamed over it,
 * and then the directory is flushed. So a reader, and who comes after a crash,
 * finds the journal before a step or after it, never a part: if the data could
 * come after the name, a crash would leave an empty journal and changes that
 * nobody can undo. An entry goes in (rename) before its setting is written, and
 * goes out after the old value is back: at any moment, what is changed has its
 * entry.
 *
 * The interface is named by name, index and identity, the queue by its number
 * (lib/tune_setting.h), the namespace by its inode and its cookie: an inode is
 * given again when a namespace is gone, a cookie is not. The boot is named, too:
 * /run may lie on a disk, and no value outlives a boot.
 *
 * Who reads and writes it holds the lock (sl_tune_lock()).
 */
#ifndef SLUICE_TUNE_JOURNAL_H
#define SLUICE_TUNE_JOURNAL_H

#include "tune_device.h"

struct sl_error;
struct sl_lock;

#define SL_TUNE_DIRECTORY "/run/sluice/tune"
#define SL_TUNE_OWNER 32
#define SL_TUNE_OWNER_SELF "tune"
#define SL_TUNE_OWNER_FORWARDER "forwarder "

enum sl_tune_state {
	/* Being written: `before` stands there, or `ours`, or what the driver
	 * made of it. */
	SL_TUNE_WRITING,
	SL_TUNE_SET, /* `ours` was read back */
	/* Not changed by us: `old` stood there when the driver was about to
	 * close its rings, which may lose it; `ours` (NULL: not seen) after. */
	SL_TUNE_KEPT,
};

struct sl_tune_entry {
	char device[IF_NAMESIZE];
	int ifindex;
	char identity[SL_TUNE_IDENTITY];
	struct sl_tune_key key;
	char owner[SL_TUNE_OWNER]; /* the first, or the second and a PID */
	enum sl_tune_state state;
	char *old;    /* what undo brings back */
	char *before; /* what stood there when `ours` was written */
	char *ours;
	bool unconfirmed; /* of an apply that is going on, died, or waits */
};

struct sl_tune_journal {
	char path[64];
	struct sl_tune_entry *entries; /* in the order of the changes */
	size_t n;
	/* `--confirm`: when the unconfirmed are undone, CLOCK_BOOTTIME; or 0 */
	uint64_t confirm_ns;
	int guard;  /* the process that will */
	bool stale; /* one of another boot or namespace was there: not used */
};

/*
 * Takes the lock on tuning; waits `wait_ms` for it. 0 and the caller releases it
 * (lib/lock.h); -EBUSY with a message that names the holder; or another -errno
 * with a message.
 */
int sl_tune_lock(unsigned wait_ms, struct sl_lock *lock,
		 struct sl_error *error);

/*
 * The journal of this network namespace; an empty one where there is none. 0 and
 * the caller frees the contents, or -errno with a message: -EINVAL for a file
 * that is no journal.
 */
int sl_tune_journal_load(struct sl_tune_journal *journal,
			 struct sl_error *error);

/* 0, or -errno with a message and the file as it was. None without entries. */
int sl_tune_journal_save(const struct sl_tune_journal *journal,
			 struct sl_error *error);

/* Nothing waits to be confirmed any more; saved. As above. */
int sl_tune_journal_confirm(struct sl_tune_journal *journal,
			    struct sl_error *error);

void sl_tune_journal_fini(struct sl_tune_journal *journal);

/* Is the owner a forwarder, and does its process run? */
bool sl_tune_owner_runs(const char *owner);

/* NULL: none. */
struct sl_tune_entry *
sl_tune_journal_find(const struct sl_tune_journal *journal,
		     const struct sl_tune_device *device,
		     const struct sl_tune_key *key);

/*
 * An entry for a setting whose value is `old`, at the end, or, of state
 * SL_TUNE_KEPT, at the beginning, where undo comes last. NULL: no memory. It is
 * the journal's, until the next one is added or removed.
 */
struct sl_tune_entry *sl_tune_journal_add(struct sl_tune_journal *journal,
					  const struct sl_tune_device *device,
					  const struct sl_tune_key *key,
					  enum sl_tune_state state,
					  const char *old);

void sl_tune_journal_remove(struct sl_tune_journal *journal,
			    struct sl_tune_entry *entry);

#endif /* SLUICE_TUNE_JOURNAL_H */
