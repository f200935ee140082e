/* fake_cublaslt.cc - the library of fake_cublaslt.h. It checks what it is given: types, sizes, leading dimensions, attributes. */
#include "tests/fake_cublaslt.h"

#include <stdlib.h>
#include <string.h>

#include <vector>

#include "kernels/base/half.h"
#include "kernels/cublaslt.h"
#include "tests/cuda_emu.h"

struct fake fake;

void fake_reset(void)
{
	static const int all[] = { FAKE_WORKSPACE, FAKE_HALF, FAKE_VARIES, FAKE_SPLITS, FAKE_PLACED, FAKE_GOOD };
	int opened = fake.opened, closed = fake.closed, handles = fake.handles, objects = fake.objects;
	memset(&fake, 0, sizeof fake);
	fake.opened = opened;
	fake.closed = closed;
	fake.handles = handles;
	fake.objects = objects;
	memcpy(fake.offered, all, sizeof all);
	fake.noffered = sizeof all / sizeof *all;
	fake.version = 130100;
}

static struct start {
	start() { fake_reset(); }
} start;

struct layout {
	int type;
	uint64_t rows, cols;
	int64_t ld;
};
struct op {
	int transposed;
};
struct pref {
	int workspace, reduction;
};

/* The blob: 0 the number, 1 the tile, 2 the stages, 3 a mark. */
#define MARK 0x6c746c74u
static int number(const struct lt_algo *a)
{
	return a->data[3] == MARK ? (int)a->data[0] : -1;
}

static int create(void **h)
{
	if (fake.create_status)
		return fake.create_status;
	*h = &fake;
	fake.handles++;
	return LT_OK;
}

static int destroy(void *h)
{
	fake.handles--;
	return h == &fake ? LT_OK : LT_INVALID_VALUE;
}

static int layout_create(void **out, int type, uint64_t rows, uint64_t cols, int64_t ld)
{
	*out = new layout{ type, rows, cols, ld };
	fake.objects++;
	return LT_OK;
}

static int layout_destroy(void *l)
{
	delete (layout *)l;
	fake.objects--;
	return LT_OK;
}

static int op_create(void **out, int compute, int scale)
{
	if (compute != LT_COMPUTE_32F || scale != LT_R32F)
		return LT_NOT_SUPPORTED;
	*out = new op{};
	fake.objects++;
	return LT_OK;
}

static int op_destroy(void *o)
{
	delete (op *)o;
	fake.objects--;
	return LT_OK;
}

static int op_set(void *o, int attribute, const void *value, size_t bytes)
{
	if (attribute != LT_DESC_TRANSA || bytes != 4)
		return LT_INVALID_VALUE;
	((op *)o)->transposed = *(const int32_t *)value == LT_OP_T;
	return LT_OK;
}

static int pref_create(void **out)
{
	*out = new pref{ 1, 1 };
	fake.objects++;
	return LT_OK;
}

static int pref_destroy(void *p)
{
	delete (pref *)p;
	fake.objects--;
	return LT_OK;
}

static int pref_set(void *p, int attribute, const void *value, size_t bytes)
{
	if (attribute == LT_PREF_WORKSPACE && bytes == 8)
		((pref *)p)->workspace = *(const uint64_t *)value != 0;
	else if (attribute == LT_PREF_REDUCTION && bytes == 4)
		((pref *)p)->reduction = *(const uint32_t *)value != 0;
	else
		return LT_INVALID_VALUE;
	return LT_OK;
}

/* W[n x k] transposed, x[k x m], y[n x m], all aligned as tensor cores want them. */
static int legal(void *o, void *la, void *lb, void *lc, void *ld)
{
	const layout *a = (layout *)la, *b = (layout *)lb, *c = (layout *)lc;
	return ((op *)o)->transposed && lc == ld && a->type == LT_R16BF && b->type == LT_R16BF && c->type == LT_R32F && a->rows == b->rows &&
	       a->cols == c->rows && b->cols == c->cols && a->ld == (int64_t)a->rows && b->ld == (int64_t)b->rows &&
	       c->ld == (int64_t)c->rows && a->rows % 8 == 0 && c->rows % 8 == 0;
}

static int suggest(void *, void *o, void *la, void *lb, void *lc, void *ld, void *p, int most, struct lt_result *out, int *n)
{
	const pref *f = (pref *)p;
	fake.suggestions++;
	if (!legal(o, la, lb, lc, ld) || f->workspace || f->reduction)
		return LT_INVALID_VALUE;
	for (*n = 0; !fake.no_suggestions && *n < most && *n < fake.noffered; ++*n) {
		out[*n] = {};
		out[*n].algo = { { (uint64_t)fake.offered[*n], 20, 0, MARK } };
		out[*n].workspace = 0;
	}
	return LT_OK;
}

static int ids(void *, int compute, int scale, int a, int b, int c, int d, int most, int *out, int *n)
{
	if (compute != LT_COMPUTE_32F || scale != LT_R32F || a != LT_R16BF || b != LT_R16BF || c != LT_R32F || d != LT_R32F)
		return LT_NOT_SUPPORTED;
	for (*n = 0; *n < most && *n < fake.noffered; ++*n)
		out[*n] = fake.offered[*n];
	return LT_OK;
}

static int init(void *, int, int, int, int, int, int, int id, struct lt_algo *out)
{
	*out = { { (uint64_t)id, 0, 0, MARK } };
	return LT_OK;
}

static int check(void *, void *o, void *la, void *lb, void *lc, void *ld, const struct lt_algo *a, struct lt_result *out)
{
	fake.checks++;
	*out = {};
	out->algo = *a;
	out->workspace = number(a) == FAKE_WORKSPACE ? 1 << 20 : 0;
	for (int i = 0; i < fake.noffered; i++)
		if (fake.offered[i] == number(a) && (a->data[1] == 20 || a->data[1] == 15) && legal(o, la, lb, lc, ld))
			return LT_OK;
	return LT_NOT_SUPPORTED;
}

static int cap(const struct lt_algo *a, int attribute, void *value, size_t bytes, size_t *written)
{
	static const uint32_t tiles[] = { 15, 20, 99 };
	const uint64_t impl = number(a) == FAKE_HALF ? 0x020102 : LT_IMPL_WANTED;
	const void *from = attribute == LT_CAP_TILES ? (const void *)tiles : &impl;
	size_t n = attribute == LT_CAP_TILES ? sizeof tiles : sizeof impl;
	if (attribute != LT_CAP_TILES && attribute != LT_CAP_IMPL)
		return LT_INVALID_VALUE;
	*written = n;
	if (bytes >= n)
		memcpy(value, from, n);
	return bytes && bytes < n ? LT_INVALID_VALUE : LT_OK;
}

static int config_set(struct lt_algo *a, int attribute, const void *value, size_t bytes)
{
	if (bytes != (attribute >= LT_CONFIG_INNER ? 2u : 4u))
		return LT_INVALID_VALUE;
	if (attribute == LT_CONFIG_TILE)
		memcpy(&a->data[1], value, 4);
	else if (attribute == LT_CONFIG_STAGES)
		memcpy(&a->data[2], value, 4);
	return LT_OK;
}

static int config_get(const struct lt_algo *a, int attribute, void *value, size_t bytes, size_t *written)
{
	uint32_t v = attribute == LT_CONFIG_ID	     ? (uint32_t)number(a) :
		     attribute == LT_CONFIG_TILE     ? (uint32_t)a->data[1] :
		     attribute == LT_CONFIG_STAGES   ? (uint32_t)a->data[2] :
		     attribute == LT_CONFIG_SPLITK   ? 1 :
						       0;
	if (bytes != (attribute >= LT_CONFIG_INNER ? 2u : 4u))
		return LT_INVALID_VALUE;
	memcpy(value, &v, bytes);
	*written = bytes;
	return LT_OK;
}

/* --- products --- */

enum order { ASCENDING, DESCENDING, HALVES };

static enum order order_of(const struct lt_algo *a, uint64_t rows, uint64_t row)
{
	switch (number(a)) {
	case FAKE_VARIES: return rows >= 64 ? DESCENDING : ASCENDING;
	case FAKE_SPLITS: return rows < 64 ? HALVES : ASCENDING;
	case FAKE_PLACED: return row % 2 ? DESCENDING : ASCENDING;
	case FAKE_MIXED: return rows >= 512 && a->data[1] == 20 ? DESCENDING : ASCENDING;
	default: return ASCENDING;
	}
}

/* One row of x against all of W: wt is W with k outermost, so that the compiler takes many outputs at once. */
static void row_product(float *y, const uint16_t *x, const float *wt, size_t n, size_t k, enum order o)
{
	std::vector<float> sum(2 * n);
	for (size_t i = 0; i < k; i++) {
		size_t at = o == DESCENDING ? k - 1 - i : i;
		float v = bf16_to_f32(x[at]), *s = o == HALVES && at >= k / 2 ? &sum[n] : &sum[0];
		for (size_t j = 0; j < n; j++)
			s[j] += v * wt[at * n + j];
	}
	for (size_t j = 0; j < n; j++)
		y[j] = o == HALVES ? sum[j] + sum[n + j] : sum[j];
}

static int matmul(void *h, void *o, const void *alpha, const void *a, void *la, const void *b, void *lb, const void *beta, const void *c,
		  void *lc, void *d, void *ld, const struct lt_algo *algo, void *workspace, size_t bytes, struct CUstream_st *)
{
	struct lt_result r;
	const layout *y = (layout *)lc;
	const size_t n = (size_t)y->rows, m = (size_t)y->cols, k = (size_t)((layout *)la)->rows;
	const uint16_t *w = (const uint16_t *)a, *x = (const uint16_t *)b;
	fake.matmuls++;
	if (fake.matmul_status)
		return fake.matmul_status;
	if (h != &fake || c != d || workspace || bytes || *(const float *)alpha != 1.0f || *(const float *)beta != 0.0f ||
	    (uintptr_t)a % 16 || (uintptr_t)b % 16 || (uintptr_t)d % 16 || check(h, o, la, lb, lc, ld, algo, &r) != LT_OK || r.workspace)
		return LT_INVALID_VALUE;
	fake.taken |= 1u << number(algo);
	std::vector<float> wt(n * k);
	for (size_t j = 0; j < n; j++)
		for (size_t i = 0; i < k; i++)
			wt[i * n + j] = bf16_to_f32(w[j * k + i]);
	for (size_t i = 0; i < m; i++)
		row_product((float *)d + i * n, x + i * k, wt.data(), n, k, order_of(algo, m, i));
	return LT_OK;
}

/* --- the library --- */

static const char *status_name(int status)
{
	return status == LT_NOT_INITIALIZED ? "CUBLAS_STATUS_NOT_INITIALIZED" : status == LT_ALLOC_FAILED ? "CUBLAS_STATUS_ALLOC_FAILED" :
	       status == 13 ? "CUBLAS_STATUS_EXECUTION_FAILED" : "CUBLAS_STATUS_OTHER";
}

static size_t get_version(void)
{
	return fake.version;
}

void *fake_dlopen(const char *name, int)
{
	if (fake.absent || (fake.only && strcmp(name, fake.only)))
		return nullptr;
	fake.opened++;
	return &fake;
}

void *fake_dlsym(void *, const char *symbol)
{
	static const struct {
		const char *name;
		void *p;
	} all[] = {
#define X(field, symbol, args) { "cublasLt" #symbol, (void *)(field) },
		LT_CALLS(X)
#undef X
		{ "cublasLtGetStatusName", (void *)status_name },
		{ "cublasLtGetVersion", (void *)get_version },
	};
	for (const auto &s : all)
		if (!strcmp(s.name, symbol) && (!fake.missing || strcmp(fake.missing, symbol)))
			return s.p;
	return nullptr;
}

int fake_dlclose(void *)
{
	fake.closed++;
	return 0;
}
