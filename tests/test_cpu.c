/* test_cpu - names and parsing of levels, and detection against what the kernel says in /proc/cpuinfo. */
#include "tests/test.h"

#include "kernels/base/cpu.h"
#include "kernels/isa.h"
#include "kernels/selfcheck.h"

static void test_names(void)
{
	static const struct {
		const char *word;
		int level; /* -1: refused */
		const char *hint;
	} t[] = {
		{ "scalar", CPU_SCALAR, NULL },	  { "neon", CPU_NEON, NULL },	{ "avx2", CPU_AVX2, NULL },
		{ "avx512", CPU_AVX512, NULL },	  { "avx512bf16", CPU_AVX512BF16, NULL },
		{ "avx521", -1, "avx512" },	  { "AVX2", -1, NULL },		{ "", -1, NULL },
		{ "skalar", -1, "scalar" },	  { "quantum", -1, NULL },
	};
	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		enum cpu_level l = CPU_LEVELS;
		struct err e = { 0 };
		int rc = cpu_level_parse(&l, t[i].word, &e);
		CHECK(rc == (t[i].level < 0 ? -1 : 0), "parse '%s' gave %d", t[i].word, rc);
		if (t[i].level >= 0) {
			CU_ASSERT_EQUAL((int)l, t[i].level);
			CU_ASSERT_STRING_EQUAL(cpu_level_name(l), t[i].word);
		} else {
			CU_ASSERT_EQUAL(e.code, E_USAGE);
			CHECK(!t[i].hint || strstr(e.msg, t[i].hint), "no '%s' in: %s", t[i].hint, e.msg);
		}
	}
}

static int flag(const char *flags, const char *word)
{
	size_t n = strlen(word);
	for (const char *p = flags; (p = strstr(p, word)); p += n)
		if (p > flags && p[-1] == ' ' && (p[n] == ' ' || p[n] == '\n'))
			return 1;
	return 0;
}

static void test_detection(void)
{
	CU_ASSERT(cpu_has(CPU_SCALAR));
	CU_ASSERT(!cpu_has(CPU_LEVELS));
	CU_ASSERT(cpu_has(cpu_best()));
	CU_ASSERT(strlen(cpu_brand()) > 2);
	printf("%s: %s ", cpu_brand(), cpu_level_name(cpu_best()));
#if defined(__x86_64__)
	static char line[16384];
	FILE *f = fopen("/proc/cpuinfo", "r");
	int found = 0;
	while (f && !found && fgets(line, sizeof line, f))
		found = !strncmp(line, "flags", 5);
	if (f)
		fclose(f);
	if (!found) {
		SKIP("no flags in /proc/cpuinfo");
		return;
	}
	int avx2 = flag(line, "avx2") && flag(line, "fma") && flag(line, "f16c");
	int avx512 = avx2 && flag(line, "avx512f") && flag(line, "avx512bw") && flag(line, "avx512dq") && flag(line, "avx512vl");
	CU_ASSERT_EQUAL(cpu_has(CPU_AVX2), avx2);
	CU_ASSERT_EQUAL(cpu_has(CPU_AVX512), avx512);
	CU_ASSERT_EQUAL(cpu_has(CPU_AVX512BF16), avx512 && flag(line, "avx512_bf16"));
	CU_ASSERT(!cpu_has(CPU_NEON));
#elif defined(__aarch64__)
	CU_ASSERT(cpu_has(CPU_NEON));
	CU_ASSERT(!cpu_has(CPU_AVX2));
#endif
}

/* The mask is obeyed: no variant above it, none that the machine lacks. */
static void test_mask(void)
{
	for (int l = 0; l < CPU_LEVELS; l++) {
		const struct matmul_isa *isa = matmul_isa((enum cpu_level)l);
		CU_ASSERT(isa->level <= (enum cpu_level)l);
		CU_ASSERT(cpu_has(isa->level));
	}
	CU_ASSERT_EQUAL(matmul_isa(CPU_SCALAR)->level, CPU_SCALAR);
}

/* What doctor runs: nothing differs, and the levels of the machine were all tried. */
static void test_selfcheck(void)
{
	struct selfcheck rows[200];
	int n = selfcheck_run(rows, 200), ran[CPU_LEVELS] = { 0 };
	CU_ASSERT(n > 30 && n < 200);
	for (int i = 0; i < n; i++) {
		CHECK(rows[i].ok != 0, "%s at %s differs from scalar", rows[i].name, cpu_level_name(rows[i].level));
		ran[rows[i].level] += rows[i].ok == 1;
	}
	for (int l = CPU_NEON; l <= CPU_AVX512; l++)
		CU_ASSERT((ran[l] > 0) == (matmul_isa((enum cpu_level)l)->level == (enum cpu_level)l));
	CU_ASSERT_EQUAL(selfcheck_run(rows, 3), 3);
	CU_ASSERT_EQUAL(selfcheck_run(rows, 0), 0);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "names", test_names },
		{ "detection", test_detection },
		{ "mask", test_mask },
		{ "self-check", test_selfcheck },
		{ NULL, NULL },
	};
	return test_main("cpu", tests, argc, argv);
}
