// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "live.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "config.h"
#include "error.h"
#include "live_table.h"
#include "sluice/abi.h"

_Static_assert(SL_LIVE_NAME_BYTES == SL_NAME_BYTES, "a set's name is a name");

/*
 * Records beyond the capacity: so many deletions, at least, share one wait for a
 * grace period (8 ms: 2 us for each).
 */
#define RECORDS_SPARE 4096
#define BUSY_MS 500 /* waited for a change under way */

#define SHORT_BITS_MAX 16
#define SHORT_SLOTS_MAX 256 /* the masks that one short prefix spreads to */

/* How many prefixes the set may come to hold. */
static uint64_t room_of(const struct sl_set *set)
{
	uint64_t room = 2 * (uint64_t)set->n_prefixes;

	if (set->max)
		return set->max;
	return room > SL_LIVE_ROOM_MIN ? room : SL_LIVE_ROOM_MIN;
}

/* The capacity all sets share; 0 and no error: there is no live set. */
static int find_capacity(const struct sl_config *config, uint32_t *capacity,
			 struct sl_error *error)
{
	uint64_t need = 0, room = 0;
	unsigned n = 0;

	for (size_t i = 0; i < config->n_sets; i++) {
		const struct sl_set *set = config->sets[i];

		if (!set->live)
			continue;
		n++;
		need += set->max ? set->max : set->n_prefixes;
		room += room_of(set);
	}
	if (n > SL_LIVE_SETS_MAX)
		return sl_error_set(error, -EINVAL,
				    "live sets: there are %u, the most is %d",
				    n, SL_LIVE_SETS_MAX);
	if (need > SL_LIVE_PREFIXES_MAX)
		return sl_error_set(
			error, -EINVAL,
			"live sets: %" PRIu64
			" prefixes (of a set with max: its max), the most is %u",
			need, SL_LIVE_PREFIXES_MAX);
	*capacity = room > SL_LIVE_PREFIXES_MAX ? SL_LIVE_PREFIXES_MAX :
						  (uint32_t)room;
	return 0;
}

/* The least b between least and most with 1 << b >= n. */
static uint32_t bits_for(uint32_t n, uint32_t least, uint32_t most)
{
	while (least < most && 1u << least < n)
		least++;
	return least;
}

static uint32_t take(struct sl_live_shape *s, uint64_t bytes)
{
	uint32_t at = s->bytes;

	s->bytes += (uint32_t)((bytes + 63) & ~63ULL); /* cache lines */
	return at;
}

static void lay_out(uint32_t capacity, struct sl_live_shape *s)
{
	uint32_t buckets, words;

	*s = (struct sl_live_shape){ .bytes = SL_LIVE_SHORT_END };
	s->bucket_bits = bits_for(capacity / SL_LIVE_LOAD,
				  SL_LIVE_BUCKET_BITS_MIN,
				  SL_LIVE_BUCKET_BITS_MAX);
	s->length_bits = bits_for(capacity, SL_LIVE_LENGTH_BITS_MIN,
				  SL_LIVE_LENGTH_BITS_MAX);
	s->n_records = capacity + RECORDS_SPARE;
	buckets = 1u << s->bucket_bits;
	words = 1u << s->length_bits;
	s->filter = take(s, buckets * sizeof(uint32_t));
	for (int f = 0; f < 2; f++)
		s->lengths[f] = take(s, words * sizeof(uint32_t));
	s->buckets =
		take(s, (uint64_t)buckets * SL_LIVE_SLOTS * sizeof(uint64_t));
	s->records =
		take(s, (uint64_t)s->n_records * sizeof(struct sl_live_record));
	for (int f = 0; f < 2; f++)
		s->counts[f] = take(s, words * sizeof(uint32_t));
}

int sl_live_plan(const struct sl_config *config, struct sl_live_shape *shape,
		 struct sl_error *error)
{
	uint64_t most = config->limits.sets_bytes;
	struct sl_live_shape s = { 0 };
	uint32_t capacity;
	int err = find_capacity(config, &capacity, error);

	if (err)
		return err;
	if (capacity)
		lay_out(capacity, &s);
	if (most && s.bytes > most)
		return sl_error_set(
			error, -EINVAL,
			"live sets: room for %u prefixes takes %u bytes, over "
			"limits { sets } of %" PRIu64
			"; a set with `max N` takes room for N",
			capacity, s.bytes, most);
	*shape = s;
	return 0;
}

static int make_header(const struct sl_config *config,
		       const struct sl_live_shape *shape,
		       struct sl_live_header *h, struct sl_error *error)
{
	struct sl_live_keys *k = &h->keys;
	uint64_t keys[5];
	int err = find_capacity(config, &h->capacity, error);

	if (err)
		return err;
	if (getrandom(keys, sizeof(keys), 0) != sizeof(keys))
		return sl_error_set(error, -EIO, "live sets: getrandom: %s",
				    strerror(errno));
	h->shape = *shape;
	k->magic = SL_LIVE_MAGIC;
	k->version = SL_LIVE_VERSION;
	for (int i = 0; i < 2; i++)
		k->key4[i] = (keys[i] & SL_LIVE_MASK33) | 1;
	for (int i = 0; i < 3; i++)
		k->key6[i] = keys[2 + i] | 1;
	for (size_t i = 0; i < config->n_sets; i++) {
		const struct sl_set *set = config->sets[i];
		struct sl_live_set *s = &h->sets[h->n_sets];

		if (!set->live)
			continue;
		h->n_sets++;
		s->max = h->capacity;
		if (room_of(set) < s->max)
			s->max = (uint32_t)room_of(set);
		memcpy(s->name, set->name,
		       strnlen(set->name, sizeof(s->name) - 1));
	}
	return 0;
}

int sl_live_fill(const struct sl_config *config,
		 const struct sl_live_shape *shape, void *memory,
		 struct sl_error *error)
{
	struct sl_live live = { .base = memory, .bytes = shape->bytes };
	unsigned bit = 0;
	int err = make_header(config, shape, live.header, error);

	for (size_t i = 0; i < config->n_sets && err >= 0; i++) {
		const struct sl_set *set = config->sets[i];

		if (!set->live)
			continue;
		for (size_t j = 0; j < set->n_prefixes && err >= 0; j++)
			err = sl_live_add(&live, bit, &set->prefixes[j], error);
		bit++;
	}
	return err < 0 ? err : 0;
}

int sl_live_create(const struct sl_config *config,
		   const struct sl_live_shape *shape, struct sl_error *error)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	int err, fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, SL_LIVE_MAP,
				     sizeof(uint32_t), shape->bytes, 1, &opts);
	void *memory;

	if (fd < 0)
		return sl_error_set(error, -errno,
				    "live sets: create a map of %u bytes: %s",
				    shape->bytes, strerror(errno));
	memory = mmap(NULL, shape->bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
		      fd, 0);
	if (memory == MAP_FAILED) {
		err = sl_error_set(error, -errno, "live sets: map: %s",
				   strerror(errno));
		close(fd);
		return err;
	}
	err = sl_live_fill(config, shape, memory, error);
	munmap(memory, shape->bytes);
	if (!err)
		return fd;
	close(fd);
	return err;
}

/*
 * A change takes microseconds, with a grace period some milliseconds, and more where its
 * process must wait for a CPU: one that takes longer has ended on the way. A reader needs
 * no more than that: the writer's lock would have it wait for all changes of a command.
 */
static bool is_left_busy(const struct sl_live_header *h)
{
	const struct timespec nap = { .tv_nsec = 1000000 };

	for (int i = 0; i < BUSY_MS; i++) {
		if (!__atomic_load_n(&h->busy, __ATOMIC_ACQUIRE))
			return false;
		nanosleep(&nap, NULL);
	}
	return true;
}

int sl_live_open(int map_fd, struct sl_live *live, struct sl_error *error)
{
	struct bpf_map_info info = { 0 };
	uint32_t length = sizeof(info);
	struct sl_live l = { 0 };

	if (bpf_obj_get_info_by_fd(map_fd, &info, &length) < 0)
		return sl_error_set(error, -errno, "live sets: open: %s",
				    strerror(errno));
	l.bytes = info.value_size;
	l.base = mmap(NULL, l.bytes, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd,
		      0);
	if (l.base == MAP_FAILED)
		return sl_error_set(error, -errno, "live sets: map: %s",
				    strerror(errno));
	if (l.bytes < SL_LIVE_SHORT_END ||
	    l.header->keys.magic != SL_LIVE_MAGIC ||
	    l.header->keys.version != SL_LIVE_VERSION ||
	    l.header->shape.bytes != l.bytes) {
		sl_live_close(&l);
		return sl_error_set(error, -EPROTO,
				    "live sets: of another version of Sluice; "
				    "`sluice apply` makes them anew");
	}
	if (is_left_busy(l.header)) {
		sl_live_close(&l);
		return sl_error_set(error, -EIO,
				    "live sets: a process that changed them "
				    "was stopped or killed on the way; "
				    "`sluice apply` makes them anew");
	}
	*live = l;
	return 0;
}

void sl_live_close(struct sl_live *live)
{
	if (live->base)
		munmap(live->base, live->bytes);
	*live = (struct sl_live){ 0 };
}

int sl_live_find(const struct sl_live *live, const char *name)
{
	for (uint32_t i = 0; i < live->header->n_sets; i++)
		if (strcmp(live->header->sets[i].name, name) == 0)
			return (int)i;
	return -ENOENT;
}

static uint64_t load64(const uint8_t *p)
{
	uint64_t x = 0;

	for (int i = 0; i < 8; i++)
		x = x << 8 | p[i];
	return x;
}

static void store64(uint64_t x, uint8_t *p)
{
	for (int i = 7; i >= 0; i--, x >>= 8)
		p[i] = (uint8_t)x;
}

/* `key` cut to its first `length` bits. */
static struct sl_live_key cut(const struct sl_live_key *key, unsigned length)
{
	struct sl_live_key k = *key;

	k.length = length;
	if (length < 64)
		k.address[0] &= ~(UINT64_MAX >> length);
	if (length <= 64)
		k.address[1] = 0;
	else if (length < 128)
		k.address[1] &= ~(UINT64_MAX >> (length - 64));
	return k;
}

static struct sl_live_key key_of(const struct sl_prefix *p)
{
	struct sl_live_key key = { .ip6 = p->family == 6 };

	key.address[0] = load64(p->addr);
	if (key.ip6)
		key.address[1] = load64(p->addr + 8);
	return cut(&key, p->length);
}

static struct sl_prefix prefix_of(const struct sl_live_key *key)
{
	struct sl_prefix p = { .family = key->ip6 ? 6 : 4,
			       .length = (uint8_t)key->length };

	store64(key->address[0], p.addr);
	store64(key->address[1], p.addr + 8);
	return p;
}

/*
 * The masks below a short prefix, made again from the entries: those outside it,
 * and those inside it, each over what it covers.
 */
static void spread_short(struct sl_live *live, const struct sl_live_key *key)
{
	unsigned top = key->length <= 8 ? 8 : SHORT_BITS_MAX;
	unsigned n = 1u << (top - key->length);
	uint32_t base = top == 8 ? SL_LIVE_SHORT8(key->ip6) :
				   SL_LIVE_SHORT16(key->ip6);
	uint64_t first = key->address[0] >> (64 - top);
	uint32_t *to = (uint32_t *)(void *)(live->base + base) + first;
	uint32_t masks[SHORT_SLOTS_MAX] = { 0 };

	for (unsigned l = top == 8 ? 0 : 9; l <= top; l++) {
		unsigned span = l > key->length ? 1u << (top - l) : n;

		if (!live->header->lengths[key->ip6][l])
			continue;
		for (unsigned i = 0; i < n; i += span) {
			struct sl_live_key k = { .ip6 = key->ip6 };
			uint32_t mask;

			k.address[0] = (first + i) << (64 - top);
			k = cut(&k, l);
			mask = sl_live_table_get(live, &k);
			for (unsigned j = 0; j < span; j++)
				masks[i + j] |= mask;
		}
	}
	for (unsigned i = 0; i < n; i++)
		__atomic_store_n(&to[i], masks[i], __ATOMIC_RELEASE);
}

/* Sets the mask of one prefix, of which the bit of `set` changes. */
static int change(struct sl_live *live, const struct sl_live_key *key,
		  uint32_t mask, unsigned set)
{
	int err;

	__atomic_store_n(&live->header->busy, 1, __ATOMIC_SEQ_CST);
	err = sl_live_table_set(live, key, mask);
	if (!err && key->length <= SHORT_BITS_MAX)
		spread_short(live, key);
	if (!err)
		live->header->sets[set].count += (mask >> set & 1) ? 1 : -1u;
	__atomic_store_n(&live->header->busy, 0, __ATOMIC_SEQ_CST);
	return err;
}

int sl_live_add(struct sl_live *live, unsigned set,
		const struct sl_prefix *prefix, struct sl_error *error)
{
	struct sl_live_set *s = &live->header->sets[set];
	struct sl_live_key key = key_of(prefix);
	uint32_t mask = sl_live_table_get(live, &key);
	int err;

	if (mask & 1u << set)
		return 0;
	if (s->count >= s->max)
		return sl_error_set(
			error, -ENOSPC,
			"set \"%s\": it holds %u prefixes, its most; `max N` "
			"in the configuration sets another",
			s->name, s->count);
	err = change(live, &key, mask | 1u << set, set);
	if (err == -ENOSPC)
		return sl_error_set(
			error, err,
			"set \"%s\": all live sets together hold %u prefixes "
			"of at most %u: no room for another",
			s->name, live->header->entries, live->header->capacity);
	if (err)
		return sl_error_set(error, err, "set \"%s\": add: %s", s->name,
				    strerror(-err));
	return 1;
}

int sl_live_del(struct sl_live *live, unsigned set,
		const struct sl_prefix *prefix)
{
	struct sl_live_key key = key_of(prefix);
	uint32_t mask = sl_live_table_get(live, &key);
	int err;

	if (!(mask & 1u << set))
		return 0;
	err = change(live, &key, mask & ~(1u << set), set);
	return err ? err : 1;
}

bool sl_live_test(const struct sl_live *live, unsigned set,
		  const struct sl_prefix *prefix, struct sl_prefix *holder)
{
	const struct sl_live_key key = key_of(prefix);

	for (int l = (int)key.length; l >= 0; l--) {
		struct sl_live_key outer = cut(&key, (unsigned)l);

		if (!live->header->lengths[key.ip6][l] ||
		    !(sl_live_table_get(live, &outer) & 1u << set))
			continue;
		*holder = prefix_of(&outer);
		return true;
	}
	return false;
}

static int compare(const void *a, const void *b)
{
	const struct sl_prefix *x = a, *y = b;
	int order = (x->family > y->family) - (x->family < y->family);

	if (!order)
		order = memcmp(x->addr, y->addr, sizeof(x->addr));
	return order ? order :
		       (x->length > y->length) - (x->length < y->length);
}

int sl_live_list(const struct sl_live *live, unsigned set,
		 struct sl_prefix **prefixes, size_t *n)
{
	size_t count = live->header->sets[set].count, found = 0;
	struct sl_prefix *list = calloc(count + 1, sizeof(*list));
	struct sl_live_key key;
	uint32_t slot = 0, mask;

	if (!list)
		return -ENOMEM;
	while (found < count && sl_live_table_next(live, &slot, &key, &mask))
		if (mask & 1u << set)
			list[found++] = prefix_of(&key);
	qsort(list, found, sizeof(*list), compare);
	*prefixes = list;
	*n = found;
	return 0;
}
