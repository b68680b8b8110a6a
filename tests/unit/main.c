// SPDX-License-Identifier: GPL-2.0-only
/* unit [-l] [NAME...]: run all tests, or those whose names hold a NAME; -l lists. */
#include <setjmp.h>
#include "fault.h"
#include "test.h"

/* Of LeakSanitizer, which comes with ASan and not with TSan. */
int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

const char *test_golden_dir = "build/unit/golden";

static struct test *tests;
static pthread_t main_thread;
static jmp_buf leave;
static bool failed; /* the test that runs */
static bool lost;   /* memory, by a test that failed */

void test_register(struct test *test)
{
	struct test **at = &tests;

	while (*at && strcmp((*at)->name, test->name) < 0)
		at = &(*at)->next;
	test->next = *at;
	*at = test;
}

void test_fail(const char *file, int line, const char *fmt, ...)
{
	va_list args;

	flockfile(stderr);
	fprintf(stderr, "%s:%d: ", file, line);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	funlockfile(stderr);
	__atomic_store_n(&failed, true, __ATOMIC_RELAXED);
	if (pthread_equal(pthread_self(), main_thread))
		longjmp(leave, 1);
}

void test_refused(const char *file, int line, int ret, int code, const struct q2_err *err,
		  const char *names)
{
	size_t i, len = strnlen(err->text, sizeof(err->text));

	if (ret != -code)
		test_fail(file, line, "answer is %d, not -%d (\"%s\")", ret, code, err->text);
	if (!len || len >= sizeof(err->text) - 1)
		test_fail(file, line, "sentence of %zu bytes: \"%s\"", len, err->text);
	for (i = 0; i < len; i++) {
		if (err->text[i] < ' ' || err->text[i] > '~')
			test_fail(file, line, "byte 0x%02x in the sentence", err->text[i]);
	}
	if (!strstr(err->text, names))
		test_fail(file, line, "\"%s\" is not in \"%s\"", names, err->text);
}

u64 test_random(u64 *state)
{
	u64 z = *state += 0x9e3779b97f4a7c15ULL; /* splitmix64 */

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static bool wanted(const char *name, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++) {
		if (strstr(name, argv[i]))
			return true;
	}
	return argc < 2;
}

static bool run(const struct test *test)
{
	failed = false;
	if (!setjmp(leave))
		test->run();
	fault_clear();
	/* Memory that RCU still holds is not lost. */
	rcu_barrier();
	/* A test that was left in the middle leaves memory: from then on nothing is told apart. */
	lost |= failed;
	if (!lost && __lsan_do_recoverable_leak_check && __lsan_do_recoverable_leak_check()) {
		fprintf(stderr, "%s: memory leaked\n", test->name);
		failed = lost = true;
	}
	return !failed;
}

int main(int argc, char **argv)
{
	unsigned int good = 0, bad = 0;
	const struct test *test;

	main_thread = pthread_self();
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (getenv("Q2_GOLDEN"))
		test_golden_dir = getenv("Q2_GOLDEN");
	for (test = tests; test; test = test->next) {
		if (argc == 2 && !strcmp(argv[1], "-l")) {
			puts(test->name);
			continue;
		}
		if (!wanted(test->name, argc, argv))
			continue;
		if (run(test)) {
			good++;
			printf("ok   %s\n", test->name);
		} else {
			bad++;
			printf("FAIL %s\n", test->name);
		}
	}
	if (argc == 2 && !strcmp(argv[1], "-l"))
		return 0;
	printf("%u passed, %u failed\n", good, bad);
	return bad || !good;
}
