/* fast_cuda.cu - linear layers in bf16 on tensor cores: rounding of weights and activations, buckets, the bias, and the id that says
 * what decided the bits (fast.h).
 *
 * Weights are sent as the checkpoint has them and rounded on the device by integer arithmetic (half.h), rows padded with zeros. A call's rows are
 * rounded into scratch, padded with zero rows to the bucket, multiplied, and taken to y by a kernel of ours that adds the bias (one
 * addition) and makes a NaN canonical: results lie in padded scratch first, so the library sees aligned addresses and the same
 * few problems whatever the model's shapes. More rows than the largest bucket are cut. Scratch grows when a layer is made, never in
 * a pass.
 *
 * The id's last part is a digest of FAST_RULES, of all that the library offers here (fastlt_cuda.cu) and of the two properties of the
 * device on which its choice may depend.
 */
#include "kernels/fast.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/half.h"
#include "kernels/cuda.h"
#include "kernels/device.h"

#define STAGE_BYTES ((size_t)8 << 20) /* of rows of weights on their way */
#define STAGE_ROWS 32768
#define THREADS 256

struct fast {
	struct device *dev;
	struct CUstream_st *stream;
	struct fast_lt lt;
	struct fast_cache cache;
	struct fast_shape *shape;
	int nshapes, cap;
	uint16_t *x; /* device: rounded rows */
	float *y;    /* device: results, padded */
	char *stage; /* device: rows of weights as they came */
	size_t x_bytes, y_bytes, stage_bytes;
	char id[96];
};

/* --- kernels ---------------------------------------------------------------------------------------------------------- */

static __device__ uint32_t rounded(const void *src, enum dtype dt, size_t i)
{
	if (dt == DT_BF16)
		return ((const uint16_t *)src)[i];
	return f32_to_bf16(dt == DT_F32 ? ((const float *)src)[i] : f16_to_f32(((const uint16_t *)src)[i]));
}

/* Row blockIdx.y of src as bf16, two values a thread; zeros behind k, and in rows from `rows` on. */
static __global__ void fast_round(uint32_t *dst, const void *src, enum dtype dt, size_t ld, int k, int pairs, int rows)
{
	size_t row = blockIdx.y;
	int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
	if (i >= pairs)
		return;
	uint32_t low = 0, high = 0;
	if (row < (size_t)rows && 2 * i < k)
		low = rounded(src, dt, row * ld + 2 * (size_t)i);
	if (row < (size_t)rows && 2 * i + 1 < k)
		high = rounded(src, dt, row * ld + 2 * (size_t)i + 1);
	dst[row * (size_t)pairs + (size_t)i] = high << 16 | low;
}

/* Row blockIdx.y of the padded results to y, with the bias. */
static __global__ void fast_finish(float *y, size_t ld, int n, const float *from, int padded, const float *bias)
{
	size_t row = blockIdx.y;
	int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
	if (i >= n)
		return;
	float v = from[row * (size_t)padded + (size_t)i];
	if (bias)
		v = __fadd_rn(v, bias[i]);
	y[row * ld + (size_t)i] = v == v ? v : f32_of_bits(0x7fc00000u);
}

/* Blocks over `rows` rows of `width`, and the threads of each: whole warps, 256 at most. */
static dim3 grid(int width, int rows)
{
	return dim3(((unsigned)width + THREADS - 1) / THREADS, (unsigned)rows);
}

static unsigned threads(int width)
{
	return width < THREADS ? ((unsigned)width + 31) / 32 * 32 : THREADS;
}

static void round_rows(struct fast *f, void *dst, const void *src, enum dtype dt, size_t ld, int k, int padded, int rows, int all)
{
	CU_LAUNCH(fast_round, grid(padded / 2, all), threads(padded / 2), 0, f->stream, (uint32_t *)dst, src, dt, ld, k, padded / 2, rows);
}

/* --- shapes ------------------------------------------------------------------------------------------------------------ */

static int padded(int n)
{
	return (n + FAST_PAD - 1) / FAST_PAD * FAST_PAD;
}

static struct fast_shape *find(const struct fast *f, int n, int k)
{
	for (int i = 0; i < f->nshapes; i++)
		if (f->shape[i].n == n && f->shape[i].k == k)
			return &f->shape[i];
	return nullptr;
}

static int grow(struct fast *f, void **p, size_t *has, size_t bytes, struct err *e)
{
	if (bytes <= *has)
		return 0;
	f->dev->ops->release(f->dev, *p);
	*has = 0;
	*p = f->dev->ops->alloc(f->dev, bytes, e);
	if (!*p)
		return err_wrap(e, "scratch of numerics fast");
	*has = bytes;
	return 0;
}

/* The kept choice, if the library still takes all of it. */
static int recall(struct fast *f, struct fast_shape *s)
{
	const struct fast_choice *a = fast_cache_find(&f->cache, s->n, s->k);
	if (!a)
		return 0;
	int good = a->buckets == s->buckets;
	for (int b = 0; good && b < s->buckets; b++)
		good = fast_fits(&f->lt, s, b, &a->algo[b]);
	if (good)
		memcpy(s->algo, a->algo, sizeof s->algo);
	else
		fast_cache_drop(&f->cache, s->n, s->k);
	return good;
}

/* Scratch for the largest bucket, and algorithms; w is overwritten by the test. */
static int settle(struct fast *f, struct fast_shape *s, void *w, struct err *e)
{
	size_t rows = (size_t)FAST_ROWS(s->buckets - 1);
	if (grow(f, (void **)&f->x, &f->x_bytes, rows * (size_t)s->k * 2, e) || grow(f, (void **)&f->y, &f->y_bytes, rows * (size_t)s->n * 4, e))
		return -1;
	if (recall(f, s))
		return 0;
	if (fast_pick(&f->lt, s, f->dev, w, f->x, f->y, e) < 0)
		return -1;
	struct fast_choice a = {};
	a.n = s->n;
	a.k = s->k;
	a.buckets = s->buckets;
	memcpy(a.algo, s->algo, sizeof a.algo);
	if (fast_cache_add(&f->cache, &a) < 0)
		return err_set(e, E_MEMORY, "no memory for a linear layer");
	cudaError_t r = cudaMemsetAsync(w, 0, (size_t)s->n * (size_t)s->k * 2, f->stream);
	return r == cudaSuccess ? 0 : err_set(e, E_DEVICE, "a linear layer: %s", cudaGetErrorString(r));
}

static int add_shape(struct fast *f, int n, int k, void *w, struct err *e)
{
	struct fast_shape s;
	if (f->nshapes == f->cap) {
		int cap = f->cap ? 2 * f->cap : 16;
		struct fast_shape *p = (struct fast_shape *)realloc(f->shape, (size_t)cap * sizeof *p);
		if (!p)
			return err_set(e, E_MEMORY, "no memory for a linear layer");
		f->shape = p;
		f->cap = cap;
	}
	if (fast_shape_open(&f->lt, &s, n, k, e) < 0)
		return -1;
	if (settle(f, &s, w, e) < 0) {
		fast_shape_close(&f->lt, &s);
		return -1;
	}
	f->shape[f->nshapes++] = s;
	return 0;
}

/* --- the layer ---------------------------------------------------------------------------------------------------------- */

size_t fast_linear_size(int n, int k)
{
	if (n < 1 || k < 1 || n > 1 << 29 || k > 1 << 24 || (size_t)padded(n) > SIZE_MAX / 8 / (size_t)padded(k))
		return 0;
	return (size_t)padded(n) * (size_t)padded(k) * 2;
}

int fast_linear_init(struct fast *f, struct linear *w, enum dtype dt, int n, int k, int bias, struct err *e)
{
	struct device *dev = f->dev;
	memset(w, 0, sizeof *w);
	size_t bytes = fast_linear_size(n, k);
	if (!bytes)
		return err_set(e, E_RANGE, "a linear layer of %d outputs and %d inputs is not possible", n, k);
	w->dt = dt;
	w->held = DT_BF16;
	w->n = n;
	w->k = k;
	w->bytes = bytes;
	w->panels = dev->ops->alloc(dev, w->bytes, e);
	if (w->panels && bias)
		w->bias = (float *)dev->ops->alloc(dev, (size_t)n * sizeof *w->bias, e);
	if (w->panels && (w->bias || !bias) && (find(f, padded(n), padded(k)) || add_shape(f, padded(n), padded(k), w->panels, e) == 0))
		return 0;
	dev->ops->linear_free(dev, w);
	return -1;
}

int fast_linear_rows(struct fast *f, struct linear *w, int n0, const void *src, size_t ld, int rows, struct err *e)
{
	size_t value = dtype_size(w->dt), row = (size_t)w->k * value;
	size_t fit = STAGE_BYTES / row;
	int most = fit < 1 ? 1 : fit > STAGE_ROWS ? STAGE_ROWS : (int)fit;
	assert(n0 >= 0 && rows >= 0 && rows <= w->n - n0 && (ld >= (size_t)w->k || rows <= 1));
	if (grow(f, (void **)&f->stage, &f->stage_bytes, (size_t)most * row, e) < 0)
		return -1;
	for (int i = 0; i < rows; i += most) {
		int n = rows - i < most ? rows - i : most;
		const char *from = (const char *)src + (size_t)i * ld * value;
		if (ld == (size_t)w->k)
			f->dev->ops->put(f->dev, f->stage, from, (size_t)n * row);
		else
			for (int j = 0; j < n; j++)
				f->dev->ops->put(f->dev, f->stage + (size_t)j * row, from + (size_t)j * ld * value, row);
		round_rows(f, (uint16_t *)w->panels + (size_t)(n0 + i) * (size_t)padded(w->k), f->stage, w->dt, (size_t)w->k, w->k, padded(w->k), n, n);
	}
	return 0;
}

int fast_linear(struct fast *f, struct mat y, struct mat x, const struct linear *w, struct err *e)
{
	const struct fast_shape *s = find(f, padded(w->n), padded(w->k));
	assert(s && y.n == x.n && y.d == w->n && x.d == w->k && w->panels);
	int most = FAST_ROWS(s->buckets - 1);
	for (int i = 0; i < y.n; i += most) {
		int rows = y.n - i < most ? y.n - i : most, b = 0;
		while (FAST_ROWS(b) < rows)
			b++;
		round_rows(f, f->x, x.p + (size_t)i * x.ld, DT_F32, x.ld, w->k, s->k, rows, FAST_ROWS(b));
		int status = fast_product(&f->lt, s, b, &s->algo[b], f->y, f->x, w->panels);
		if (status != LT_OK)
			return err_set(e, status == LT_ALLOC_FAILED ? E_MEMORY : E_DEVICE, "cublasLtMatmul: %s (%d rows, %d outputs, %d inputs)",
				       f->lt.lt.status_name(status), FAST_ROWS(b), s->n, s->k);
		CU_LAUNCH(fast_finish, grid(w->n, rows), threads(w->n), 0, f->stream, y.p + (size_t)i * y.ld, y.ld, w->n, f->y, s->n, w->bias);
	}
	return 0;
}

/* --- opening -------------------------------------------------------------------------------------------------------------- */

void fast_close(struct fast *f)
{
	if (!f)
		return;
	for (int i = 0; i < f->nshapes; i++)
		fast_shape_close(&f->lt, &f->shape[i]);
	f->dev->ops->release(f->dev, f->x);
	f->dev->ops->release(f->dev, f->y);
	f->dev->ops->release(f->dev, f->stage);
	free(f->shape);
	fast_cache_close(&f->cache);
	fast_lt_close(&f->lt);
	free(f);
}

static void make_id(struct fast *f, const struct fast_machine *m)
{
	char text[128];
	size_t v = f->lt.lt.version;
	int n = snprintf(text, sizeof text, "%016llx %d %zu", (unsigned long long)f->lt.digest, m->sms, m->shared);
	uint64_t h = fast_hash(fast_hash(FAST_HASH0, FAST_RULES, sizeof FAST_RULES), text, (size_t)n);
	snprintf(f->id, sizeof f->id, "fast/sm_%d/%zu.%zu.%zu/%08llx", m->arch, v / 10000, v / 100 % 100, v % 100,
		 (unsigned long long)(fast_hash_end(h) >> 32));
}

int fast_open(struct fast **out, struct device *dev, struct CUstream_st *stream, const struct fast_machine *m, const char *asked,
	      struct err *e)
{
	char key[256];
	*out = nullptr;
	struct fast *f = (struct fast *)calloc(1, sizeof *f);
	if (!f)
		return err_set(e, E_MEMORY, "no memory for a device");
	f->dev = dev;
	f->stream = stream;
	if (fast_lt_open(&f->lt, stream, e) < 0) {
		free(f);
		return -1;
	}
	make_id(f, m);
	if (strcmp(asked, "fast") != 0 && strcmp(asked, f->id) != 0) {
		err_set(e, E_UNSUPPORTED, "numerics '%.100s' were asked for, this machine's %.64s gives '%s'", asked, m->device, f->id);
		fast_close(f);
		return -1;
	}
	snprintf(key, sizeof key, "%s | %.64s | driver %d", f->id, m->device, m->driver);
	fast_cache_open(&f->cache, key);
	*out = f;
	return 0;
}

const char *fast_id(const struct fast *f)
{
	return f->id;
}
