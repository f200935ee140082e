/* test_families.c - every row of the table of families against transformers in float64.
 *
 * tests/golden/families holds, for tiny models of each family, config.json, each tensor as (shape, dtype, std, mean), token
 * ids and the exact log-probabilities. The weights are made here: NumPy's RandomState(crc32(model + tensor)) is the Mersenne
 * Twister with the polar method, so the checkpoint is the one that the reference read. The bound is NUMERICS.md's: the
 * larger of 1e-5 and twice PyTorch's own fp32 error, of max |logit|.
 */
#include <dirent.h>
#include <math.h>
#include <unistd.h>

#include "kernels/base/arena.h"
#include "kernels/base/dmath.h"
#include "kernels/base/half.h"
#include "runners/families.h"
#include "runners/text/json.h"
#include "tests/machine.h"
#include "tests/test.h"

/* ---- numpy.random.RandomState ---- */

struct mt {
	uint32_t v[624];
	int at, saved;
	double next;
};

static void mt_seed(struct mt *m, uint32_t seed)
{
	for (int i = 0; i < 624; i++) {
		m->v[i] = seed;
		seed = 1812433253u * (seed ^ seed >> 30) + (uint32_t)i + 1;
	}
	m->at = 624;
	m->saved = 0;
}

static uint32_t mt_next(struct mt *m)
{
	if (m->at == 624) {
		for (int i = 0; i < 624; i++) {
			uint32_t y = (m->v[i] & 0x80000000u) | (m->v[(i + 1) % 624] & 0x7fffffffu);
			m->v[i] = m->v[(i + 397) % 624] ^ y >> 1 ^ (y & 1 ? 0x9908b0dfu : 0);
		}
		m->at = 0;
	}
	uint32_t y = m->v[m->at++];
	y ^= y >> 11;
	y ^= y << 7 & 0x9d2c5680u;
	y ^= y << 15 & 0xefc60000u;
	return y ^ y >> 18;
}

static double mt_double(struct mt *m)
{
	double a = mt_next(m) >> 5, b = mt_next(m) >> 6;
	return (a * 67108864.0 + b) / 9007199254740992.0;
}

static double mt_normal(struct mt *m) /* polar Box-Muller; two at a time */
{
	double x, y, r;
	if (m->saved) {
		m->saved = 0;
		return m->next;
	}
	do {
		x = 2.0 * mt_double(m) - 1.0;
		y = 2.0 * mt_double(m) - 1.0;
		r = x * x + y * y;
	} while (r >= 1.0 || r == 0.0);
	double f = -2.0 * dm_log(r) / r, root = dm_pow(f, 0.5);
	root -= (root * root - f) / (2 * root); /* to the last bit or so */
	m->saved = 1;
	m->next = root * x;
	return root * y;
}

static uint32_t crc32_of(const char *a, struct str b)
{
	struct str part[2] = { str_of(a), b };
	uint32_t c = ~0u;
	for (int p = 0; p < 2; p++)
		for (size_t i = 0; i < part[p].n; i++) {
			c ^= (unsigned char)part[p].p[i];
			for (int k = 0; k < 8; k++)
				c = c >> 1 ^ (c & 1 ? 0xedb88320u : 0);
		}
	return ~c;
}

/* A double to fp16 with one rounding: through the nearest multiple of its quantum, which a float holds. */
static uint16_t double_to_f16(double d)
{
	uint64_t u;
	memcpy(&u, &d, 8);
	int e = (int)(u >> 52 & 2047) - 1023;
	u = (uint64_t)((e < -14 ? -14 : e) - 10 + 1023) << 52;
	double quantum;
	memcpy(&quantum, &u, 8);
	volatile double t = d / quantum + 6755399441055744.0;
	return f32_to_f16((float)((t - 6755399441055744.0) * quantum));
}

static double number(struct value v)
{
	return v.type == V_INT ? (double)v.i : v.f;
}

/* ---- a checkpoint from its description ---- */

static void write_file(const char *dir, const char *name, const struct buf *b)
{
	char path[4400];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	FILE *f = fopen(path, "wb");
	if (!f || fwrite(b->p, 1, b->n, f) != b->n || fclose(f) != 0) {
		perror(path);
		exit(99);
	}
}

static void add_tensor(struct buf *head, struct buf *data, const char *model, struct value t)
{
	static struct mt m;
	const struct value *f = t.list->v;
	size_t n = 1, from = data->n;
	char dims[200] = "";

	for (size_t i = 0; i < f[2].list->n; i++) {
		n *= (size_t)f[2].list->v[i].i;
		snprintf(dims + strlen(dims), sizeof dims - strlen(dims), "%s%lld", i ? "," : "", (long long)f[2].list->v[i].i);
	}
	size_t size = str_is(f[1].s, "F32") ? 4 : str_is(f[1].s, "BOOL") ? 1 : 2;
	mt_seed(&m, crc32_of(model, f[0].s));
	for (size_t i = 0; i < n; i++) {
		char raw[4] = { 0 };
		if (t.list->n == 5) { /* else a buffer that nobody reads */
			double v = mt_normal(&m) * number(f[3]) + number(f[4]);
			uint16_t h = size == 2 && str_is(f[1].s, "F16") ? double_to_f16(v) : f32_to_bf16((float)v);
			float x = (float)v;
			memcpy(raw, size == 2 ? (void *)&h : (void *)&x, size);
		}
		buf_add(data, raw, size);
	}
	buf_printf(head, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[%s],\"data_offsets\":[%zu,%zu]}", head->n > 1 ? "," : "", f[0].s.p, f[1].s.p,
		   dims, from, data->n);
}

static void write_checkpoint(const char *dir, struct value golden)
{
	struct buf config = { 0 }, head = { 0 }, data = { 0 }, all = { 0 };
	const struct value *tensors = v_getc(golden, "tensors");

	json_write(&config, *v_getc(golden, "config"), 0, -1);
	write_file(dir, "config.json", &config);
	buf_putc(&head, '{');
	for (size_t i = 0; i < tensors->list->n; i++)
		add_tensor(&head, &data, v_getc(golden, "name")->s.p, tensors->list->v[i]);
	buf_putc(&head, '}');
	for (int i = 0; i < 8; i++)
		buf_putc(&all, (char)(head.n >> (8 * i) & 255));
	buf_add(&all, head.p, head.n);
	buf_add(&all, data.p, data.n);
	write_file(dir, "model.safetensors", &all);
	buf_fini(&config);
	buf_fini(&head);
	buf_fini(&data);
	buf_fini(&all);
}

/* logits, and the log-probs of all positions against the golden ones; out is left for the comparison of bits */
static void compare(struct machine *k, struct value golden, struct lse *out)
{
	static int32_t ids[MAX_IDS];
	const struct value *vids = v_getc(golden, "ids"), *want = v_getc(golden, "logits"), *lp = v_getc(golden, "logprobs");
	const char *name = v_getc(golden, "name")->s.p;
	int n = (int)vids->list->n, vocab = model_info(k->m)->vocab, at = (int)v_getc(golden, "logits_at")->i;
	double worst = 0, top = 0, logprob_err = 0, fp32 = number(*v_getc(golden, "fp32_err")), bound = 2 * fp32 > 1e-5 ? 2 * fp32 : 1e-5;

	CHECK(n <= MAX_IDS && (int)want->list->n == vocab && at < n && lp->list->n + 1 == vids->list->n, "%s: sizes", name);
	for (int i = 0; i < n; i++)
		ids[i] = (int32_t)vids->list->v[i].i;
	float *logits = xcalloc((size_t)n * (size_t)vocab, sizeof *logits);
	CHECK(run(k, ids, n, 97, out, logits) == 0, "%s", name);
	for (int j = 0; j < vocab; j++) {
		double w = number(want->list->v[j]), d = fabs(logits[(size_t)at * (size_t)vocab + (size_t)j] - w);
		worst = d > worst || d != d ? d : worst;
		top = fabs(w) > top ? fabs(w) : top;
	}
	free(logits);
	for (int i = 0; i + 1 < n; i++) {
		double d = fabs(lse_logprob(&out[i]) - number(lp->list->v[i]));
		logprob_err = d > logprob_err || d != d ? d : logprob_err;
	}
	printf("\n    %-16s %-10s logits %.1e of max |logit| (PyTorch fp32: %.1e), log-probs %.1e ", name, model_info(k->m)->family, worst / top,
	       fp32, logprob_err);
	CHECK(worst / top <= bound, "%s: logits are off by %.3g of max |logit|", name, worst / top);
	CHECK(logprob_err <= 4 * bound * top, "%s: log-probs are off by %.3g", name, logprob_err); /* two logits and a sum */
}

/* The scalar definition, two threads and other calls: the same bits. */
static void compare_bits(const char *dir, struct value golden, const struct lse *want)
{
	static int32_t ids[MAX_IDS];
	static struct lse out[MAX_IDS];
	const struct value *vids = v_getc(golden, "ids");
	struct machine k;
	struct err e = { 0 };
	int n = (int)vids->list->n < 140 ? (int)vids->list->n : 140;

	CHECK(machine_open(&k, dir, 2, CPU_SCALAR, 1, &e) == 0, "%s", e.msg);
	for (int i = 0; i <= n && i < (int)vids->list->n; i++)
		ids[i] = (int32_t)vids->list->v[i].i;
	if (k.f && run(&k, ids, n, 31, out, NULL) == 0)
		for (int i = 0; i + 1 < n; i++)
			CHECK(memcmp(&out[i], &want[i], sizeof out[i]) == 0, "%s: position %d has other bits", v_getc(golden, "name")->s.p, i);
	machine_close(&k);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void test_all(void)
{
	char folder[4400], *name[256], *tmp = test_tmpdir();
	int n = 0;
	unsigned char *seen = xcalloc((size_t)nfamilies, 1);

	snprintf(folder, sizeof folder, "%s/tests/golden/families", test_srcdir());
	DIR *d = opendir(folder);
	CU_ASSERT_FATAL(d != NULL);
	for (struct dirent *ent; (ent = readdir(d)) && n < 256;)
		if (str_ends(str_of(ent->d_name), STR(".json")))
			name[n++] = xstrdup(ent->d_name);
	closedir(d);
	qsort(name, (size_t)n, sizeof *name, by_name);
	for (int i = 0; i < n; i++) {
		struct arena a;
		struct err e = { 0 };
		struct value golden;
		struct machine k;
		char path[5000];

		arena_init(&a);
		snprintf(path, sizeof path, "%s/%s", folder, name[i]);
		int rc = json_load(&a, path, 1 << 24, &golden, &e);
		CHECK(rc == 0, "%s", e.msg);
		if (rc == 0) {
			write_checkpoint(tmp, golden);
			rc = machine_open(&k, tmp, 1, cpu_best(), 1, &e);
			CHECK(rc == 0, "%s: %s", name[i], e.msg);
			if (rc == 0) {
				static struct lse out[MAX_IDS];
				compare(&k, golden, out);
				compare_bits(tmp, golden, out);
			}
			for (int f = 0; rc == 0 && f < nfamilies; f++)
				seen[f] |= !strcmp(families[f].name, model_info(k.m)->family);
			machine_close(&k);
		}
		arena_fini(&a);
		free(name[i]);
	}
	for (int f = 0; f < nfamilies; f++)
		CHECK(seen[f], "the family %s has no golden vector", families[f].name);
	free(seen);
	test_rmdir(tmp);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "logits and log-probs of every family", test_all },
		{ NULL, NULL },
	};
	return test_main("families", tests, argc, argv);
}
