/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The runner of the unit tests: TEST() defines one, CHECK*() end it.
 *
 * A check that fails in the main thread leaves the test at once, in another
 * thread it is noted and the thread goes on.
 */
#ifndef Q2_TEST_H
#define Q2_TEST_H

#include "format/err.h"

struct test {
	const char *name;
	void (*run)(void);
	struct test *next;
};

void test_register(struct test *test);
void test_fail(const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#define TEST(id)                                                     \
	static void id(void);                                        \
	static struct test test_##id = {#id, id, NULL};              \
	__attribute__((constructor)) static void register_##id(void) \
	{                                                            \
		test_register(&test_##id);                           \
	}                                                            \
	static void id(void)

#define CHECK(condition)                                                 \
	do {                                                             \
		if (!(condition))                                        \
			test_fail(__FILE__, __LINE__, "%s", #condition); \
	} while (0)

#define CHECK_EQ(got, want)                                                                        \
	do {                                                                                       \
		long long got_ = (long long)(got), want_ = (long long)(want);                      \
		if (got_ != want_)                                                                 \
			test_fail(__FILE__, __LINE__,                                              \
				  "%s is %lld (0x%llx), not %s = %lld (0x%llx)", #got, got_, got_, \
				  #want, want_, want_);                                            \
	} while (0)

/* The answer is -@code and the sentence one clean line that holds @names. */
#define CHECK_REFUSED(ret, code, err, names) test_refused(__FILE__, __LINE__, ret, code, err, names)
void test_refused(const char *file, int line, int ret, int code, const struct q2_err *err,
		  const char *names);

/* Pseudo-random numbers, the same in every run. */
u64 test_random(u64 *state);

/* Where `make unit` put the images of tests/unit/golden. */
extern const char *test_golden_dir;

#endif
