/* test_expand.c - weights of 8 and 4 bits (bind_expand.c): each value against the definition of its format.
 *
 * A checkpoint of a few packed tensors is written, bound as a linear layer, and read back by multiplying unit vectors: output
 * n of unit vector k is W[n][k]. Values are compared with code x scale in doubles, made here from the definitions of e4m3 and
 * e2m1 (OCP 8-bit Floating Point, Microscaling Formats 1.0), rounded once to fp32. Then what must be refused, with its sentence.
 */
#include <math.h>
#include <stdlib.h>

#include "kernels/base/half.h"
#include "runners/bind.h"
#include "tests/test.h"

static struct device *dev;
static struct model m;
static struct config cfg;
static struct binder b;
static const char *dir;

/* ---- a checkpoint ---- */

static struct buf head, data;

static void put_tensor(const char *name, const char *dtype, const char *shape, const void *p, size_t bytes)
{
	buf_printf(&head, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%zu,%zu]}", head.n ? "," : "{", name, dtype, shape, data.n,
		   data.n + bytes);
	buf_add(&data, p, bytes);
}

/* Writes what was put and opens it. */
static void open_binder(enum quant method, int block_rows, int block_cols)
{
	struct err e = { 0 };
	struct buf all = { 0 };
	buf_putc(&head, '}');
	for (int i = 0; i < 8; i++)
		buf_putc(&all, (char)(head.n >> (8 * i) & 255));
	buf_add(&all, head.p, head.n);
	buf_add(&all, data.p, data.n);
	test_write(dir, "model.safetensors", all.p, all.n);
	buf_fini(&all);
	buf_fini(&head);
	buf_fini(&data);
	head = data = (struct buf){ 0 };
	m = (struct model){ .dev = dev, .ops = device_ops(dev) };
	arena_init(&m.arena);
	CU_ASSERT_FATAL(safetensors_open(&m.files, dir, &e) == 0);
	memset(&cfg, 0, sizeof cfg);
	snprintf(cfg.path, sizeof cfg.path, "config.json");
	cfg.quant = (struct quant_config){ method, block_rows, block_cols };
	b = (struct binder){ .m = &m, .c = &cfg, .begin = "", .active = 1, .used = xcalloc(safetensors_count(m.files) + 1, 1) };
}

static void close_binder(void)
{
	free(b.used);
	free(b.stage);
	free(m.linears);
	safetensors_close(m.files);
	arena_fini(&m.arena);
}

/* W[n][k] of a layer. */
static float *values(struct linear *w, int n, int k)
{
	float *x = xcalloc((size_t)k * (size_t)k, sizeof *x), *y = xcalloc((size_t)k * (size_t)n, sizeof *y),
	      *out = xcalloc((size_t)n * (size_t)k, sizeof *out);
	for (int i = 0; i < k; i++)
		x[i * k + i] = 1;
	m.ops->linear(dev, (struct mat){ y, k, n, (size_t)n }, (struct mat){ x, k, k, (size_t)k }, w);
	for (int i = 0; i < n; i++)
		for (int j = 0; j < k; j++)
			out[i * k + j] = y[j * n + i];
	free(x);
	free(y);
	return out;
}

/* ---- the formats, by their definitions ---- */

static double e4m3(unsigned c)
{
	unsigned exp = c >> 3 & 15, man = c & 7;
	double v = exp ? ldexp(1 + man / 8.0, (int)exp - 7) : ldexp(man / 8.0, -6);
	return c & 128 ? -v : v;
}

static double e2m1(unsigned c)
{
	unsigned exp = c >> 1 & 3, man = c & 1;
	double v = exp ? ldexp(1 + man / 2.0, (int)exp - 1) : man * 0.5;
	return c & 8 ? -v : v;
}

static unsigned long long seed = 1;
static unsigned rnd(unsigned n)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)(seed >> 33) % n;
}

static unsigned char f8_code(void)
{
	unsigned c = rnd(256);
	return (unsigned char)((c & 127) == 127 ? 0 : c);
}

static const struct {
	const char *what, *name, *shape, *dtype;
	int rows, cols; /* what one scale counts for */
	int block_rows, block_cols;
} scales[] = {
	{ "one scale", "w.weight_scale", "[]", "F32", 150, 200, 0, 0 },
	{ "one scale as a vector", "w.weight_scale", "[1]", "BF16", 150, 200, 0, 0 },
	{ "one scale as a matrix", "w.weight_scale", "[1,1]", "F32", 150, 200, 0, 0 },
	{ "a scale an output", "w.weight_scale", "[150]", "F32", 1, 200, 0, 0 },
	{ "a scale an output, as a column", "w.weight_scale", "[150,1]", "BF16", 1, 200, 128, 128 },
	{ "blocks", "w.weight_scale_inv", "[2,2]", "F32", 128, 128, 128, 128 },
	{ "blocks with scales in bf16", "w.weight_scale_inv", "[2,2]", "BF16", 128, 128, 128, 128 },
	{ "blocks with scales in f16", "w.weight_scale_inv", "[2,2]", "F16", 128, 128, 128, 128 },
	{ "blocks with scales in e8m0", "w.weight_scale_inv", "[2,2]", "F8_E8M0", 128, 128, 128, 128 },
	{ "small blocks", "w.weight_scale", "[3,7]", "F32", 64, 32, 64, 32 },
	{ "blocks of one output", "w.weight_scale", "[150,4]", "F32", 1, 64, 1, 64 },
	{ "no scale at all", NULL, NULL, NULL, 150, 200, 0, 0 },
};

static void put_scales(const char *name, const char *dtype, const char *shape, int n, float *as)
{
	unsigned char raw[4 * 1024];
	size_t size = !strcmp(dtype, "F32") ? 4 : !strcmp(dtype, "F8_E8M0") ? 1 : 2;
	for (int i = 0; i < n; i++) {
		float v = ldexpf(1.0f + (float)rnd(1 << 20) / (1 << 20), -(int)rnd(12));
		uint16_t half = size == 2 ? !strcmp(dtype, "F16") ? f32_to_f16(v) : f32_to_bf16(v) : 0;
		if (size == 1) {
			raw[i] = (unsigned char)(110 + rnd(30));
			as[i] = ldexpf(1, raw[i] - 127);
		} else if (size == 2) {
			memcpy(raw + 2 * i, &half, 2);
			as[i] = !strcmp(dtype, "F16") ? f16_to_f32(half) : bf16_to_f32(half);
		} else {
			memcpy(raw + 4 * i, &v, 4);
			as[i] = v;
		}
	}
	put_tensor(name, dtype, shape, raw, (size_t)n * size);
}

static void test_f8(void)
{
	enum { N = 150, K = 200 };
	static unsigned char code[N * K];
	static float s[1024];
	struct err e = { 0 };

	for (size_t t = 0; t < sizeof scales / sizeof scales[0]; t++) {
		int per = (K + scales[t].cols - 1) / scales[t].cols, count = per * ((N + scales[t].rows - 1) / scales[t].rows);
		for (int i = 0; i < N * K; i++)
			code[i] = f8_code();
		put_tensor("w.weight", "F8_E4M3", "[150,200]", code, sizeof code);
		if (scales[t].name)
			put_scales(scales[t].name, scales[t].dtype, scales[t].shape, count, s);
		else
			s[0] = 1;
		open_binder(scales[t].name ? QUANT_FP8 : QUANT_NONE, scales[t].block_rows, scales[t].block_cols);
		struct piece p = { .rows = N, .every = 1, .row_step = K, .col_step = 1 };
		struct linear w = { 0 };
		CHECK(bind_need_weight(&b, &p.w, "w", 0, ".weight", N, K, 0, "", &e) == 0 && bind_scale(&b, &p, &e) == 0 &&
		      bind_linear_of(&b, &w, N, K, &p, 1, &e) == 0, "%s: %s", scales[t].what, e.msg);
		if (w.panels) {
			float *v = values(&w, N, K);
			int wrong = 0;
			for (int i = 0; i < N * K; i++)
				wrong += v[i] != (float)(e4m3(code[i]) * (double)s[i / K / scales[t].rows * per + i % K / scales[t].cols]);
			CHECK(!wrong, "%s: %d values differ", scales[t].what, wrong);
			free(v);
			m.ops->linear_free(dev, &w);
		}
		CHECK(b.params == N * K && (!scales[t].name || (b.used[0] && b.used[1])), "%s: %g parameters", scales[t].what, b.params);
		/* transposed, and every second row of the tensor */
		struct piece q = p;
		q.rows = 100, q.row0 = 3, q.row_step = 1, q.col_step = 2 * K, q.base = K, q.every = 1;
		w = (struct linear){ 0 };
		CHECK(bind_linear_of(&b, &w, 100, N / 2, &q, 1, &e) == 0, "%s: %s", scales[t].what, e.msg);
		if (w.panels) {
			float *v = values(&w, 100, N / 2);
			int wrong = 0;
			for (int i = 0; i < 100; i++)
				for (int j = 0; j < N / 2; j++) {
					int row = 2 * j + 1, col = 3 + i;
					float sc = s[row / scales[t].rows * per + col / scales[t].cols];
					wrong += v[i * (N / 2) + j] != (float)(e4m3(code[row * K + col]) * (double)sc);
				}
			CHECK(!wrong, "%s, transposed: %d values differ", scales[t].what, wrong);
			free(v);
			m.ops->linear_free(dev, &w);
		}
		close_binder();
	}
}

/* Stacked weights with stacked blocks: experts 0 and 2 become one layer. */
static void test_stacked_f8(void)
{
	enum { E = 3, N = 40, K = 70 };
	static unsigned char code[E * N * K];
	static float s[1024];
	struct err e = { 0 };
	struct piece p[2] = { { .rows = N, .every = 1, .row_step = K, .col_step = 1 } };
	struct linear w = { 0 };

	for (int i = 0; i < E * N * K; i++)
		code[i] = f8_code();
	put_tensor("experts.up", "F8_E4M3", "[3,40,70]", code, sizeof code);
	put_scales("experts.up_scale_inv", "F32", "[3,2,3]", 18, s);
	open_binder(QUANT_FP8, 32, 32);
	CHECK(bind_need_weight(&b, &p[0].w, "experts.up", 0, "", E, N, K, "", &e) == 0 && bind_scale(&b, &p[0], &e) == 0, "%s", e.msg);
	p[1] = p[0];
	p[1].base = 2 * N * K;
	p[1].n0 = N;
	CHECK(bind_linear_of(&b, &w, 2 * N, K, p, 2, &e) == 0, "%s", e.msg);
	float *v = values(&w, 2 * N, K);
	int wrong = 0;
	for (int i = 0; i < 2 * N * K; i++) {
		int x = i / (N * K) * 2, r = i / K % N, c = i % K;
		wrong += v[i] != (float)(e4m3(code[(x * N + r) * K + c]) * (double)s[x * 6 + r / 32 * 3 + c / 32]);
	}
	CU_ASSERT_EQUAL(wrong, 0);
	free(v);
	m.ops->linear_free(dev, &w);
	close_binder();
}

static void test_mxfp4(void)
{
	enum { E = 3, N = 50, K = 96 };
	static unsigned char code[E * N * K / 2], exponent[E * N * K / 32];
	struct err e = { 0 };

	for (size_t i = 0; i < sizeof code; i++)
		code[i] = (unsigned char)rnd(256);
	for (size_t i = 0; i < sizeof exponent; i++)
		exponent[i] = (unsigned char)(90 + rnd(80));
	put_tensor("layers.7.up_blocks", "U8", "[3,50,3,16]", code, sizeof code);
	put_tensor("layers.7.up_scales", "U8", "[3,50,3]", exponent, sizeof exponent);
	open_binder(QUANT_MXFP4, 0, 0);
	CU_ASSERT(bind_has_blocks(&b, "layers.{}.up", 7) && !bind_has_blocks(&b, "layers.{}.up", 6));
	for (b.expert = 0; b.expert < E; b.expert++) {
		struct piece p;
		struct linear w = { 0 };
		CHECK(bind_blocks(&b, &p, "layers.{}.up", 7, E, N, K, "", &e) == 0, "%s", e.msg);
		p.row0 = 1; /* the odd rows, as of a layer whose gate and up rows alternate */
		p.every = 2;
		p.rows = N / 2;
		CHECK(bind_linear_of(&b, &w, N / 2, K, &p, 1, &e) == 0, "%s", e.msg);
		CU_ASSERT_FATAL(w.panels != NULL);
		CU_ASSERT_EQUAL(w.dt, DT_BF16);
		float *v = values(&w, N / 2, K);
		int wrong = 0;
		for (int i = 0; i < N / 2 * K; i++) {
			int at = (b.expert * N + 2 * (i / K) + 1) * K + i % K;
			double want = ldexp(e2m1(code[at / 2] >> (at % 2 * 4) & 15), exponent[at / 32] - 127);
			wrong += v[i] != (float)want;
		}
		CHECK(!wrong, "expert %d: %d values differ", b.expert, wrong);
		free(v);
		m.ops->linear_free(dev, &w);
	}
	CU_ASSERT(b.params == E * N * K);
	close_binder();
}

/* ---- refusals ---- */

static const struct refusal {
	const char *what;
	enum quant method;
	const char *scale, *dtype, *shape; /* of [4, 3] codes; a NULL name: none */
	float value;                       /* of the scale's last */
	int code;                          /* of weight 5 */
	const char *message;
} refusals[] = {
	{ "a code that is NaN", QUANT_FP8, "w.weight_scale", "F32", "[1]", 1, 0x7f, "tensor 'w.weight': value 5 is NaN" },
	{ "another", QUANT_NONE, NULL, "F32", "[1]", 1, 0xff, "tensor 'w.weight': value 5 is NaN" },
	{ "a scale that is NaN", QUANT_FP8, "w.weight_scale", "F32", "[4]", NAN, 1, "tensor 'w.weight_scale': value 3 is NaN" },
	{ "a scale that is infinite", QUANT_FP8, "w.weight_scale_inv", "F32", "[4,1]", INFINITY, 1, "tensor 'w.weight_scale_inv': value 3 is infinite" },
	{ "a scale of 2^128", QUANT_FP8, "w.weight_scale_inv", "F8_E8M0", "[4,1]", 255, 1, "tensor 'w.weight_scale_inv': value 3 is NaN" },
	{ "a product that is infinite", QUANT_FP8, "w.weight_scale", "F32", "[]", 3e38f, 0x7e, "tensor 'w.weight': value 5, 448, is infinite with its scale 3e+38" },
	{ "no scale", QUANT_FP8, NULL, "F32", "[1]", 1, 1, "but neither 'w.weight_scale_inv' nor 'w.weight_scale' is there" },
	{ "a scale that nobody announced", QUANT_NONE, "w.weight_scale", "F32", "[1]", 1, 1, "'w.weight_scale' scales weights, but 'quantization_config'" },
	{ "a scale of another type", QUANT_FP8, "w.weight_scale", "I32", "[1]", 1, 1, "tensor 'w.weight_scale' has dtype 'I32'" },
	{ "a scale too many", QUANT_FP8, "w.weight_scale", "F32", "[5]", 1, 1, "'w.weight_scale' has shape [5], which fits [4, 3]" },
	{ "scales of inputs", QUANT_FP8, "w.weight_scale", "F32", "[1,3]", 1, 1, "'w.weight_scale' has shape [1, 3], which fits [4, 3]" },
	{ "blocks of another size", QUANT_FP8, "w.weight_scale", "F32", "[2,2]", 1, 1, "one per block of 3 x 3 ('weight_block_size')" },
	{ "no scales", QUANT_FP8, "w.weight_scale", "F32", "[0]", 1, 1, "'w.weight_scale' has shape [0], which fits [4, 3]" },
};

static void test_refusals(void)
{
	for (size_t t = 0; t < sizeof refusals / sizeof refusals[0]; t++) {
		const struct refusal *r = &refusals[t];
		unsigned char code[12] = { 1, 2, 3 };
		float s[8];
		int n = 1;
		struct err e = { 0 };
		code[5] = (unsigned char)r->code;
		for (const char *c = r->shape; *c; c++)
			n *= *c >= '0' && *c <= '9' ? *c - '0' : 1;
		for (int i = 0; i < n; i++)
			s[i] = i == n - 1 ? r->value : 1;
		put_tensor("w.weight", "F8_E4M3", "[4,3]", code, sizeof code);
		if (r->scale && !strcmp(r->dtype, "F8_E8M0"))
			put_tensor(r->scale, r->dtype, r->shape, "\177\177\177\377", (size_t)n);
		else if (r->scale)
			put_tensor(r->scale, r->dtype, r->shape, s, (size_t)n * 4);
		open_binder(r->method, 3, 3);
		struct piece p = { .rows = 4, .every = 1, .row_step = 3, .col_step = 1 };
		struct linear w = { 0 };
		int rc = bind_need_weight(&b, &p.w, "w", 0, ".weight", 4, 3, 0, "", &e) != 0 || bind_scale(&b, &p, &e) != 0 ||
			 bind_linear_of(&b, &w, 4, 3, &p, 1, &e) != 0;
		CHECK(rc && strstr(e.msg, r->message), "%s: message is: %s", r->what, e.msg);
		if (w.panels)
			m.ops->linear_free(dev, &w);
		close_binder();
	}
}

static const struct {
	const char *what;
	enum quant method;
	const char *blocks, *dtype;
	int rows, k;
	int scale; /* of the first block */
	const char *message;
} mx_refusals[] = {
	{ "as it should be", QUANT_MXFP4, "[2,2,1,16]", "U8", 2, 32, 127, NULL },
	{ "a scale that is NaN", QUANT_MXFP4, "[2,2,1,16]", "U8", 2, 32, 255, "tensor 'w_scales': value 0 is NaN" },
	{ "values that are infinite", QUANT_MXFP4, "[2,2,1,16]", "U8", 2, 32, 254, "tensor 'w_blocks': value 1, 6, is infinite with its scale 1.70141e+38" },
	{ "the smallest scale", QUANT_MXFP4, "[2,2,1,16]", "U8", 2, 32, 0, NULL },
	{ "inputs that are no whole blocks", QUANT_MXFP4, "[2,2,1,16]", "U8", 2, 33, 127, "33 inputs of a layer in MXFP4 are no multiple of 32" },
	{ "another shape", QUANT_MXFP4, "[2,1,2,16]", "U8", 2, 32, 127, "'w_blocks' has shape [2, 1, 2, 16], but config.json wants [2, 2, 1, 16]" },
	{ "another type", QUANT_MXFP4, "[2,2,1,16]", "I8", 2, 32, 127, "'w_blocks' has dtype 'I8'" },
	{ "without an announcement", QUANT_NONE, "[2,2,1,16]", "U8", 2, 32, 127, "'w_blocks' is in MXFP4, but 'quantization_config'" },
};

static void test_mx_refusals(void)
{
	for (size_t t = 0; t < sizeof mx_refusals / sizeof mx_refusals[0]; t++) {
		unsigned char code[64] = { 0x70 }, s[4] = { (unsigned char)mx_refusals[t].scale, 127, 127, 127 };
		struct piece p;
		struct linear w = { 0 };
		struct err e = { 0 };
		put_tensor("w_blocks", mx_refusals[t].dtype, mx_refusals[t].blocks, code, sizeof code);
		put_tensor("w_scales", "U8", "[2,2,1]", s, sizeof s);
		open_binder(mx_refusals[t].method, 0, 0);
		int rc = bind_blocks(&b, &p, "w", 0, 2, mx_refusals[t].rows, mx_refusals[t].k, "", &e) != 0 ||
			 bind_linear_of(&b, &w, 2, 32, &p, 1, &e) != 0;
		if (mx_refusals[t].message)
			CHECK(rc && strstr(e.msg, mx_refusals[t].message), "%s: message is: %s", mx_refusals[t].what, e.msg);
		else
			CHECK(!rc, "%s: %s", mx_refusals[t].what, e.msg);
		if (w.panels)
			m.ops->linear_free(dev, &w);
		close_binder();
	}
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "F8_E4M3 under every shape of scales", test_f8 },
		{ "stacked F8_E4M3", test_stacked_f8 },
		{ "MXFP4", test_mxfp4 },
		{ "F8_E4M3: refusals", test_refusals },
		{ "MXFP4: refusals", test_mx_refusals },
		{ NULL, NULL },
	};
	struct device_opts o = { "cpu", 1, CPU_SCALAR };
	struct err e = { 0 };
	if (device_open(&dev, &o, &e) != 0)
		return 99;
	dir = test_tmpdir();
	int rc = test_main("expand", tests, argc, argv);
	test_rmdir(dir);
	device_close(dev);
	return rc;
}
