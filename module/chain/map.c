// SPDX-License-Identifier: GPL-2.0-only
/*
 * The flattened map of one device.
 *
 * A word is 64 bits, so that a reader sees an old or a new one and never a mix:
 *
 *	bits  0..2	enum q2_map_kind
 *	bit   3		may be written in place (DATA)
 *	bits  4..15	layer
 *	bits 16..63	host offset in sectors (DATA)
 *
 * 48 bits of sectors are 2^57 bytes; a qcow2 offset has at most 56 bits, and
 * q2_map_word() says MIXED for a raw layer beyond.
 *
 * Lock order: map->fill[] (held over I/O) -> map->lock (leaf lock). Readers take
 * none. A leaf of one word does not change once it is in the table, the words of
 * another one do, each as a whole.
 */
#include "env.h"
#include "chain/map.h"

#define WORD_KIND 0x7ULL
#define WORD_IN_PLACE BIT_ULL(3)
#define WORD_LAYER_SHIFT 4
#define WORD_LAYER_MASK ((u64)Q2_MAX_LAYERS - 1)
#define WORD_SECTOR_SHIFT 16
#define WORD_MAX_HOST (1ULL << (64 - WORD_SECTOR_SHIFT + Q2_SECTOR_BITS))

#define FILL_LOCKS 32
#define MIN_HASH_BITS 6
#define MAX_HASH_BITS 14

struct leaf {
	struct hlist_node node; /* changed under map->lock, read under RCU */
	struct list_head clock; /* protected by map->lock */
	struct rcu_head rcu;
	u64 index;
	u64 word; /* words == NULL: of the first granule, the others follow from it */
	u64 *words;
	bool referenced; /* a hint to the clock: plain accesses may race */
};

struct q2_map {
	struct q2_chain *chain;
	unsigned int leaf_shift; /* guest bytes of a leaf */
	unsigned int hash_bits;
	u64 limit;
	struct hlist_head *buckets;
	struct mutex fill[FILL_LOCKS]; /* one filler of a leaf at a time */
	spinlock_t lock;
	u64 changes[FILL_LOCKS]; /* of leaves, by others than fillers; protected by lock */
	struct list_head clock;	 /* protected by lock; the hand is at the front */
	u64 bytes;		 /* protected by lock */
	u64 leaves;		 /* protected by lock */
	atomic64_t fills;
	atomic64_t evictions;
};

static_assert(Q2_MAP_BAD <= WORD_KIND);
static_assert(WORD_LAYER_SHIFT + 12 == WORD_SECTOR_SHIFT && Q2_MAX_LAYERS == 1 << 12);

static u64 make_word(enum q2_map_kind kind, unsigned int layer, u64 host)
{
	if (kind == Q2_MAP_DATA && host >= WORD_MAX_HOST)
		return Q2_MAP_MIXED;
	return kind | (u64)layer << WORD_LAYER_SHIFT | host >> Q2_SECTOR_BITS << WORD_SECTOR_SHIFT;
}

static enum q2_map_kind word_kind(u64 word)
{
	return word & WORD_KIND;
}

/* The word of the granule that follows by @granules in a contiguous run. */
static u64 word_after(const struct q2_map *map, u64 word, u64 granules)
{
	u64 bytes = granules << map->chain->granule_bits;

	if (word_kind(word) != Q2_MAP_DATA)
		return word;
	return word + (bytes >> Q2_SECTOR_BITS << WORD_SECTOR_SHIFT);
}

static u64 leaf_bytes(const struct leaf *leaf)
{
	return sizeof(*leaf) + (leaf->words ? Q2_MAP_LEAF_GRANULES * sizeof(u64) : 0);
}

static void leaf_free(struct leaf *leaf)
{
	kvfree(leaf->words);
	kfree(leaf);
}

static void leaf_free_rcu(struct rcu_head *rcu)
{
	leaf_free(container_of(rcu, struct leaf, rcu));
}

static struct hlist_head *bucket(const struct q2_map *map, u64 index)
{
	return &map->buckets[hash_64(index, map->hash_bits)];
}

/* The caller is in an RCU read section or holds map->lock. */
static struct leaf *find(const struct q2_map *map, u64 index)
{
	struct leaf *leaf;

	hlist_for_each_entry_rcu(leaf, bucket(map, index), node) {
		if (leaf->index == index)
			return leaf;
	}
	return NULL;
}

static u64 leaf_word(const struct q2_map *map, const struct leaf *leaf, unsigned int granule)
{
	return leaf->words ? READ_ONCE(leaf->words[granule]) : word_after(map, leaf->word, granule);
}

struct q2_map *q2_map_create(struct q2_chain *chain, u64 limit)
{
	struct q2_map *map = kvzalloc(sizeof(*map), GFP_KERNEL);
	u64 leaves;
	unsigned int i;

	if (!map)
		return ERR_PTR(-ENOMEM);
	map->chain = chain;
	map->leaf_shift = chain->granule_bits + Q2_MAP_LEAF_BITS;
	map->limit = clamp(limit, (u64)Q2_MAP_MIN, (u64)Q2_MAP_MAX);
	/* A bucket for every leaf the disk can have, within reason. */
	leaves = (chain->size >> map->leaf_shift) + 1;
	map->hash_bits = clamp((unsigned int)ilog2(leaves) + 1, (unsigned int)MIN_HASH_BITS,
			       (unsigned int)MAX_HASH_BITS);
	map->buckets = kvcalloc(1U << map->hash_bits, sizeof(*map->buckets), GFP_KERNEL);
	if (!map->buckets) {
		kvfree(map);
		return ERR_PTR(-ENOMEM);
	}
	for (i = 0; i < 1U << map->hash_bits; i++)
		INIT_HLIST_HEAD(&map->buckets[i]);
	for (i = 0; i < FILL_LOCKS; i++)
		mutex_init(&map->fill[i]);
	spin_lock_init(&map->lock);
	INIT_LIST_HEAD(&map->clock);
	atomic64_set(&map->fills, 0);
	atomic64_set(&map->evictions, 0);
	return map;
}

/* Take @leaf out of the table; readers may hold it until a grace period ends. */
static void leaf_remove(struct q2_map *map, struct leaf *leaf)
{
	lockdep_assert_held(&map->lock);
	hlist_del_rcu(&leaf->node);
	list_del(&leaf->clock);
	map->bytes -= leaf_bytes(leaf);
	map->leaves--;
	call_rcu(&leaf->rcu, leaf_free_rcu);
}

/*
 * Drop up to @nr leaves while more than @bytes are held. Second chance: a leaf
 * that was looked up since the hand passed goes to the back once.
 */
static unsigned long evict(struct q2_map *map, unsigned long nr, u64 bytes)
{
	u64 chances = map->leaves;
	unsigned long done = 0;
	struct leaf *leaf;

	lockdep_assert_held(&map->lock);
	while (done < nr && map->bytes > bytes && !list_empty(&map->clock)) {
		leaf = list_first_entry(&map->clock, struct leaf, clock);
		if (READ_ONCE(leaf->referenced) && chances) {
			chances--;
			WRITE_ONCE(leaf->referenced, false);
			list_move_tail(&leaf->clock, &map->clock);
			continue;
		}
		leaf_remove(map, leaf);
		done++;
	}
	atomic64_add(done, &map->evictions);
	return done;
}

void q2_map_destroy(struct q2_map *map)
{
	unsigned int i;

	spin_lock(&map->lock);
	while (!list_empty(&map->clock))
		leaf_remove(map, list_first_entry(&map->clock, struct leaf, clock));
	spin_unlock(&map->lock);
	/* Leaves are freed by callbacks of this module's text. */
	rcu_barrier();
	for (i = 0; i < FILL_LOCKS; i++)
		mutex_destroy(&map->fill[i]);
	kvfree(map->buckets);
	kvfree(map);
}

/* Length of the run that starts with @word at @granule, in granules, inside one leaf. */
static unsigned int run_in_leaf(const struct q2_map *map, const struct leaf *leaf,
				unsigned int granule, unsigned int end, u64 word)
{
	unsigned int n = 1;

	if (!leaf->words)
		return end - granule;
	while (granule + n < end && READ_ONCE(leaf->words[granule + n]) == word_after(map, word, n))
		n++;
	return n;
}

void q2_map_lookup(struct q2_map *map, u64 guest, u64 len, struct q2_run *run)
{
	unsigned int bits = map->chain->granule_bits;
	u64 granule = guest >> bits;
	u64 last = (guest + len - 1) >> bits; /* the last granule wanted */
	u64 leaf_end, n, want;
	struct leaf *leaf;
	u64 word;

	leaf_end = granule | (Q2_MAP_LEAF_GRANULES - 1);
	rcu_read_lock();
	leaf = find(map, granule >> Q2_MAP_LEAF_BITS);
	if (!leaf) {
		rcu_read_unlock();
		run->kind = Q2_MAP_MISS;
		run->len = min(len, ((leaf_end + 1) << bits) - guest);
		return;
	}
	if (!READ_ONCE(leaf->referenced))
		WRITE_ONCE(leaf->referenced, true);
	word = leaf_word(map, leaf, granule & (Q2_MAP_LEAF_GRANULES - 1));
	run->kind = word_kind(word);
	run->layer = word >> WORD_LAYER_SHIFT & WORD_LAYER_MASK;
	/* TOKEN-FIRST: words of a layer that was the top once still say so, and lookups do not. */
	run->in_place = (word & WORD_IN_PLACE) && (run->layer == READ_ONCE(map->chain->top) ||
						   run->layer == READ_ONCE(map->chain->dest));
	n = 1;
	if (run->kind != Q2_MAP_MIXED && run->kind != Q2_MAP_BAD) {
		run->host = (word >> WORD_SECTOR_SHIFT << Q2_SECTOR_BITS) +
			    (guest & ((1ULL << bits) - 1));
		want = min(last, leaf_end) - granule + 1;
		n = run_in_leaf(map, leaf, granule & (Q2_MAP_LEAF_GRANULES - 1),
				(granule & (Q2_MAP_LEAF_GRANULES - 1)) + want, word);
		/* On into the next leaves, while they go on where this one ends. */
		while (n == want && granule + n <= last) {
			u64 next = granule + n;
			u64 part = min(last - next + 1, (u64)Q2_MAP_LEAF_GRANULES);

			leaf = find(map, next >> Q2_MAP_LEAF_BITS);
			if (!leaf || leaf_word(map, leaf, 0) != word_after(map, word, n))
				break;
			want += part;
			n += run_in_leaf(map, leaf, 0, part, leaf_word(map, leaf, 0));
		}
	}
	rcu_read_unlock();
	run->len = min(len, ((granule + n) << bits) - guest);
}

/* What the chain's answer is in a word. */
static u64 word_of(const struct q2_map *map, int ret, unsigned int layer,
		   const struct q2_extent *ext, u64 granule_guest)
{
	u64 word;

	if (ret)
		return make_word(Q2_MAP_BAD, layer, 0);
	switch (ext->kind) {
	case Q2_DATA:
		word = make_word(Q2_MAP_DATA, layer, ext->host + (granule_guest - ext->guest));
		if (word_kind(word) == Q2_MAP_DATA && q2_chain_in_place(map->chain, layer, ext))
			word |= WORD_IN_PLACE;
		return word;
	case Q2_COMPRESSED:
		return make_word(Q2_MAP_COMPRESSED, layer, 0);
	default:
		return make_word(Q2_MAP_ZERO, layer, 0);
	}
}

/* Ask the chain for every granule of a leaf. */
static int ask_chain(struct q2_map *map, u64 index, u64 *words, unsigned int *nr)
{
	unsigned int bits = map->chain->granule_bits;
	u64 start = index << map->leaf_shift;
	u64 end = min(start + (1ULL << map->leaf_shift), map->chain->size);
	u64 pos = start;

	while (pos < end) {
		struct q2_extent ext;
		unsigned int layer;
		u64 g;
		int ret;

		ret = q2_chain_lookup(map->chain, pos, end - pos, &layer, &ext);
		if (ret == -ENOMEM)
			return ret;
		if (!ret)
			q2_chain_cut_to_owner(map->chain, layer, &ext);
		for (g = pos >> bits; g << bits < pos + ext.len; g++) {
			u64 first = g << bits;
			u64 past = min(first + (1ULL << bits), end);
			bool whole = pos <= first && pos + ext.len >= past;

			words[g - (start >> bits)] =
				whole ? word_of(map, ret, layer, &ext, first) : Q2_MAP_MIXED;
		}
		pos += ext.len;
		cond_resched();
	}
	*nr = ((end - start - 1) >> bits) + 1;
	return 0;
}

/* Are @nr words one contiguous run, so that the first tells the others? */
static bool one_run(const struct q2_map *map, const u64 *words, unsigned int nr)
{
	unsigned int i;

	for (i = 1; i < nr; i++) {
		if (words[i] != word_after(map, words[0], i))
			return false;
	}
	return true;
}

static struct leaf *build_leaf(struct q2_map *map, u64 index)
{
	struct leaf *leaf = kzalloc(sizeof(*leaf), Q2_GFP_TRY);
	u64 *words = kvcalloc(Q2_MAP_LEAF_GRANULES, sizeof(*words), Q2_GFP_TRY);
	unsigned int nr;
	int ret = -ENOMEM;

	if (leaf && words)
		ret = ask_chain(map, index, words, &nr);
	if (ret) {
		kvfree(words);
		kfree(leaf);
		return ERR_PTR(ret);
	}
	leaf->index = index;
	leaf->referenced = true;
	if (one_run(map, words, nr)) {
		leaf->word = words[0];
		kvfree(words);
	} else {
		leaf->words = words;
	}
	return leaf;
}

/* Put a leaf into the table, unless what it says may be old. */
static bool install(struct q2_map *map, struct leaf *leaf, u64 changes)
{
	bool current_answer;

	spin_lock(&map->lock);
	/* MAP-FOLLOWS: pairs with count_change(): whoever changes the image counts afterwards. */
	current_answer = map->changes[leaf->index % FILL_LOCKS] == changes;
	if (current_answer) {
		evict(map, ULONG_MAX, map->limit - leaf_bytes(leaf));
		hlist_add_head_rcu(&leaf->node, bucket(map, leaf->index));
		list_add_tail(&leaf->clock, &map->clock);
		map->bytes += leaf_bytes(leaf);
		map->leaves++;
	}
	spin_unlock(&map->lock);
	return current_answer;
}

int q2_map_fill(struct q2_map *map, u64 guest)
{
	u64 index = guest >> map->leaf_shift;
	struct mutex *fill = &map->fill[index % FILL_LOCKS];
	struct leaf *leaf;
	u64 changes;
	bool known;

	mutex_lock(fill);
	rcu_read_lock();
	known = find(map, index);
	rcu_read_unlock();
	if (known) {
		mutex_unlock(fill);
		return 0;
	}
	spin_lock(&map->lock);
	changes = map->changes[index % FILL_LOCKS];
	spin_unlock(&map->lock);
	leaf = build_leaf(map, index);
	if (!IS_ERR(leaf)) {
		/* If not, the caller asks the chain, and the next one to miss fills. */
		if (install(map, leaf, changes))
			atomic64_inc(&map->fills);
		else
			leaf_free(leaf);
	}
	mutex_unlock(fill);
	return IS_ERR(leaf) ? PTR_ERR(leaf) : 0;
}

static void count_change(struct q2_map *map, u64 index)
{
	lockdep_assert_held(&map->lock);
	map->changes[index % FILL_LOCKS]++;
}

/* Set granules @from up to @to of a leaf, if the table has it with a word for each. */
static void set_in_leaf(struct q2_map *map, u64 index, unsigned int from, unsigned int to, u64 word)
{
	struct leaf *leaf;
	unsigned int i;

	spin_lock(&map->lock);
	count_change(map, index);
	rcu_read_lock();
	leaf = find(map, index);
	rcu_read_unlock();
	if (leaf && leaf->words) {
		for (i = from; i < to; i++)
			WRITE_ONCE(leaf->words[i], word_after(map, word, i - from));
	} else if (leaf && leaf_word(map, leaf, from) != word) {
		/* One word told all of it; the next miss finds out what is true now. */
		leaf_remove(map, leaf);
	}
	spin_unlock(&map->lock);
}

void q2_map_set_data(struct q2_map *map, u64 guest, u64 len, unsigned int layer, u64 host)
{
	unsigned int bits = map->chain->granule_bits;
	u64 first = guest >> bits, past = DIV_ROUND_UP_ULL(guest + len, 1ULL << bits);
	u64 word = make_word(Q2_MAP_DATA, layer, host), g, stop;

	if (word_kind(word) == Q2_MAP_DATA)
		word |= WORD_IN_PLACE;
	for (g = first; g < past; g = stop) {
		u64 index = g >> Q2_MAP_LEAF_BITS;

		stop = min(past, (index + 1) << Q2_MAP_LEAF_BITS);
		set_in_leaf(map, index, g & (Q2_MAP_LEAF_GRANULES - 1),
			    ((stop - 1) & (Q2_MAP_LEAF_GRANULES - 1)) + 1,
			    word_after(map, word, g - first));
	}
}

static void forget_leaf(struct q2_map *map, u64 index)
{
	struct leaf *leaf;

	spin_lock(&map->lock);
	count_change(map, index);
	rcu_read_lock();
	leaf = find(map, index);
	rcu_read_unlock();
	if (leaf)
		leaf_remove(map, leaf);
	spin_unlock(&map->lock);
}

/*
 * The same for many: by what there is, not by what there could be. A disk may have millions
 * of leaves that nobody has looked at.
 */
static void forget_leaves(struct q2_map *map, u64 first, u64 last)
{
	struct hlist_node *next;
	struct leaf *leaf;
	unsigned int i;

	/* MAP-FOLLOWS: first this: what a filler puts into the table from now on is not old. */
	spin_lock(&map->lock);
	for (i = 0; i < FILL_LOCKS; i++)
		count_change(map, i);
	spin_unlock(&map->lock);
	for (i = 0; i < 1U << map->hash_bits; i++) {
		spin_lock(&map->lock);
		hlist_for_each_entry_safe(leaf, next, &map->buckets[i], node) {
			if (leaf->index >= first && leaf->index <= last)
				leaf_remove(map, leaf);
		}
		spin_unlock(&map->lock);
		cond_resched();
	}
}

void q2_map_forget(struct q2_map *map, u64 guest, u64 len)
{
	u64 index = guest >> map->leaf_shift, last = (guest + len - 1) >> map->leaf_shift;

	if (last - index >= 1U << map->hash_bits) {
		forget_leaves(map, index, last);
		return;
	}
	for (; index <= last; index++) {
		forget_leaf(map, index);
		cond_resched();
	}
}

void q2_map_forget_all(struct q2_map *map)
{
	forget_leaves(map, 0, U64_MAX);
}

bool q2_map_rebind(struct q2_map *map, struct q2_chain *chain)
{
	u64 old_size = map->chain->size;

	if (map->leaf_shift != chain->granule_bits + Q2_MAP_LEAF_BITS || old_size > chain->size)
		return false;
	map->chain = chain;
	/* The last leaf knows nothing beyond the old end, or the wrong thing. */
	if (old_size != chain->size)
		q2_map_forget(map, old_size - 1, 1);
	return true;
}

void q2_map_stats(struct q2_map *map, struct q2_map_stats *stats)
{
	stats->bytes = READ_ONCE(map->bytes);
	stats->limit = map->limit;
	stats->leaves = READ_ONCE(map->leaves);
	stats->fills = atomic64_read(&map->fills);
	stats->evictions = atomic64_read(&map->evictions);
}

unsigned long q2_map_shrink(struct q2_map *map, unsigned long nr)
{
	unsigned long done;

	spin_lock(&map->lock);
	done = evict(map, nr, 0);
	spin_unlock(&map->lock);
	return done;
}

unsigned long q2_map_shrinkable(struct q2_map *map)
{
	return READ_ONCE(map->leaves);
}
