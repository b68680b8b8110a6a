/* SPDX-License-Identifier: GPL-2.0-only */
/* Single accesses, barriers, atomics and reference counts. Each is a point; see sync.h. */
#ifndef Q2_EXPLORE_ATOMIC_H
#define Q2_EXPLORE_ATOMIC_H

#include "point.h"

/* The address first, then the point, then the access. */
#define explore_read_(op, x)                           \
	({                                             \
		__typeof__(&(x)) p_ = &(x);            \
		explore_point(op, #x, p_);             \
		*(const volatile __typeof__(*p_) *)p_; \
	})
#define explore_write_(op, name, p, v)                \
	({                                            \
		__typeof__(p) p_ = (p);               \
		__typeof__(*p_) v_ = (v);             \
		explore_point(op, name, p_);          \
		*(volatile __typeof__(*p_) *)p_ = v_; \
	})

/* linux/compiler.h, asm/barrier.h */
#define READ_ONCE(x) explore_read_("read", x)
#define WRITE_ONCE(x, v) explore_write_("write", #x, &(x), v)
#define smp_load_acquire(p) explore_read_("acquire", *(p))
#define smp_store_release(p, v) explore_write_("release", #p, p, v)
#define smp_mb() explore_point("barrier", "", NULL)
#define smp_rmb() explore_point("barrier", "", NULL)
#define smp_wmb() explore_point("barrier", "", NULL)
#define smp_mb__before_atomic() ((void)0)
#define smp_mb__after_atomic() ((void)0)
#define smp_mb__after_spinlock() ((void)0)
#define data_race(x) (x)

#define xchg(p, v)                              \
	({                                      \
		__typeof__(p) p_ = (p);         \
		__typeof__(*p_) v_ = (v), old_; \
		explore_point("xchg", #p, p_);  \
		old_ = *p_;                     \
		*p_ = v_;                       \
		old_;                           \
	})
#define cmpxchg(p, o, v)                                  \
	({                                                \
		__typeof__(p) p_ = (p);                   \
		__typeof__(*p_) o_ = (o), v_ = (v), old_; \
		explore_point("cmpxchg", #p, p_);         \
		old_ = *p_;                               \
		if (old_ == o_)                           \
			*p_ = v_;                         \
		old_;                                     \
	})
#define try_cmpxchg(p, op, v)                       \
	({                                          \
		__typeof__(op) expected_ = (op);    \
		__typeof__(*(p)) was_ = *expected_; \
		*expected_ = cmpxchg(p, was_, v);   \
		*expected_ == was_;                 \
	})

/* linux/bitops.h */
#define explore_bit_(op, nr, p, change)                  \
	({                                               \
		volatile unsigned long *w_ = (p);        \
		unsigned long b_, old_;                  \
		w_ += (nr) / (8 * sizeof(long));         \
		b_ = 1UL << ((nr) % (8 * sizeof(long))); \
		explore_point(op, #p, w_);               \
		old_ = *w_;                              \
		*w_ = change;                            \
		(old_ & b_) != 0;                        \
	})
#define set_bit(nr, p) ((void)explore_bit_("set", nr, p, old_ | b_))
#define clear_bit(nr, p) ((void)explore_bit_("clear", nr, p, old_ & ~b_))
#define test_bit(nr, p) explore_bit_("test", nr, p, old_)
#define test_and_set_bit(nr, p) explore_bit_("set", nr, p, old_ | b_)
#define test_and_clear_bit(nr, p) explore_bit_("clear", nr, p, old_ & ~b_)

/* linux/atomic.h */
typedef struct {
	int v;
} atomic_t;

typedef struct {
	s64 v;
} atomic64_t;

#define ATOMIC_INIT(n)   \
	{                \
		.v = (n) \
	}
#define ATOMIC64_INIT(n) \
	{                \
		.v = (n) \
	}

/* The value afterwards. */
#define explore_add_(op, name, n, a)         \
	({                                   \
		__typeof__(a) a_ = (a);      \
		__typeof__(a_->v) n_ = (n);  \
		explore_point(op, name, a_); \
		a_->v += n_;                 \
	})

#define atomic_set(a, n) ((void)explore_write_("set", #a, &(a)->v, n))
#define atomic_read(a) explore_read_("read", (a)->v)
#define atomic_add(n, a) ((void)explore_add_("add", #a, n, a))
#define atomic_sub(n, a) ((void)explore_add_("sub", #a, -(n), a))
#define atomic_inc(a) ((void)explore_add_("inc", #a, 1, a))
#define atomic_dec(a) ((void)explore_add_("dec", #a, -1, a))
#define atomic_add_return(n, a) explore_add_("add", #a, n, a)
#define atomic_sub_return(n, a) explore_add_("sub", #a, -(n), a)
#define atomic_inc_return(a) explore_add_("inc", #a, 1, a)
#define atomic_dec_return(a) explore_add_("dec", #a, -1, a)
#define atomic_dec_and_test(a) (explore_add_("dec", #a, -1, a) == 0)
#define atomic_inc_and_test(a) (explore_add_("inc", #a, 1, a) == 0)
#define atomic_xchg(a, n) xchg(&(a)->v, n)
#define atomic_cmpxchg(a, o, n) cmpxchg(&(a)->v, o, n)
#define atomic_try_cmpxchg(a, o, n) try_cmpxchg(&(a)->v, o, n)
#define atomic_add_unless(a, n, u)            \
	({                                    \
		__typeof__(a) u_ = (a);       \
		bool added_;                  \
		explore_point("add", #a, u_); \
		added_ = u_->v != (u);        \
		if (added_)                   \
			u_->v += (n);         \
		added_;                       \
	})
#define atomic_inc_not_zero(a) atomic_add_unless(a, 1, 0)
#define atomic64_set(a, n) atomic_set(a, n)
#define atomic64_read(a) atomic_read(a)
#define atomic64_add(n, a) atomic_add(n, a)
#define atomic64_sub(n, a) atomic_sub(n, a)
#define atomic64_inc(a) atomic_inc(a)
#define atomic64_dec(a) atomic_dec(a)
#define atomic64_add_return(n, a) atomic_add_return(n, a)
#define atomic64_inc_return(a) atomic_inc_return(a)
#define atomic64_dec_and_test(a) atomic_dec_and_test(a)

/* linux/refcount.h: what the kernel warns of is a failure. */
typedef struct {
	atomic_t refs;
} refcount_t;

#define REFCOUNT_INIT(n)               \
	{                              \
		.refs = ATOMIC_INIT(n) \
	}
#define refcount_set(r, n) atomic_set(&(r)->refs, n)
#define refcount_read(r) ((unsigned int)atomic_read(&(r)->refs))

static inline void explore_refcount_inc(refcount_t *r, const char *name)
{
	explore_point("inc", name, r);
	if (r->refs.v++ <= 0)
		explore_fail("%s: a reference to what has none is taken", name);
}

static inline bool explore_refcount_inc_not_zero(refcount_t *r, const char *name)
{
	explore_point("inc", name, r);
	if (!r->refs.v)
		return false;
	r->refs.v++;
	return true;
}

static inline bool explore_refcount_dec(refcount_t *r, const char *name)
{
	explore_point("dec", name, r);
	if (r->refs.v-- <= 0)
		explore_fail("%s: a reference is given back that nobody had", name);
	return !r->refs.v;
}

#define refcount_inc(r) explore_refcount_inc(r, #r)
#define refcount_inc_not_zero(r) explore_refcount_inc_not_zero(r, #r)
#define refcount_dec_and_test(r) explore_refcount_dec(r, #r)
#define refcount_dec(r) ((void)explore_refcount_dec(r, #r))

#endif
