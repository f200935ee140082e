/* fastlt_cuda.cu - what cublasLt offers for bf16 products on this device, in an order that depends on nothing measured; layouts and
 * products of one shape.
 *
 * Which algorithm is fastest is the library's knowledge, so it is asked once, for a fixed list of problems (FAST_PROBES numbers of outputs
 * times all buckets, k = 4096), what it would take. The order of families is that of these answers, then all other numbers from the
 * highest (the newest kernels) down; the order of algorithms in a family is that of the answers for the nearest problem, then all its
 * tiles and stages by the tables below. Everything that was answered goes into l->digest and so into the numerics id: a library,
 * or a device, that would choose otherwise has another id.
 *
 * The product in the library's column-major words: D[n x m] = op(A)^T B with A = W[k x n], B = x[k x m], both row-major for us.
 */
#include "kernels/fast.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/cuda.h"

static const int probe_n[FAST_PROBES] = { 1024, 4096, 16384 };
#define PROBE_K 4096

static int failed(const struct fast_lt *l, const char *call, int status, struct err *e)
{
	return err_set(e, status == LT_ALLOC_FAILED ? E_MEMORY : E_DEVICE, "cublasLt %zu.%zu.%zu: %s: %s", l->lt.version / 10000,
		       l->lt.version / 100 % 100, l->lt.version % 100, call, l->lt.status_name(status));
}

/* --- configurations ------------------------------------------------------------------------------------------------ */

/* INNER and CLUSTER are 16 bits wide, the others 32. What a version does not know reads as 0. */
static size_t width(int attribute)
{
	return attribute >= LT_CONFIG_INNER ? 2 : 4;
}

static uint32_t config(const struct fast_lt *l, const struct lt_algo *a, int attribute)
{
	uint32_t v = 0;
	uint16_t narrow = 0;
	size_t written;
	if (width(attribute) == 2)
		return l->lt.config_get(a, attribute, &narrow, 2, &written) == LT_OK ? narrow : 0;
	return l->lt.config_get(a, attribute, &v, 4, &written) == LT_OK ? v : 0;
}

static int set_config(const struct fast_lt *l, struct lt_algo *a, int attribute, uint32_t v)
{
	uint16_t narrow = (uint16_t)v;
	return l->lt.config_set(a, attribute, width(attribute) == 2 ? (const void *)&narrow : &v, width(attribute));
}

static struct fast_family family_of(const struct fast_lt *l, const struct lt_algo *a)
{
	return { (int)config(l, a, LT_CONFIG_ID), (int)config(l, a, LT_CONFIG_CUSTOM), (int)config(l, a, LT_CONFIG_INNER) };
}

static int same_family(const struct fast_family *a, const struct fast_family *b)
{
	return a->id == b->id && a->custom == b->custom && a->inner == b->inner;
}

/* Tensor cores, fp32 accumulators and bf16 operands, where the algorithm tells. */
static int right_kind(const struct fast_lt *l, const struct lt_algo *a)
{
	uint64_t impl = 0;
	size_t written;
	return l->lt.cap(a, LT_CAP_IMPL, &impl, sizeof impl, &written) != LT_OK || (impl & (LT_IMPL_WANTED | LT_IMPL_NARROW)) == LT_IMPL_WANTED;
}

/* --- what is offered ------------------------------------------------------------------------------------------------ */

static void note(struct fast_lt *l, uint64_t v)
{
	unsigned char b[8];
	for (int i = 0; i < 8; i++)
		b[i] = (unsigned char)(v >> 8 * i);
	l->digest = fast_hash(l->digest, b, sizeof b);
}

/* What the library itself would take for n outputs in this bucket: without workspace, split or swizzle. */
static int ask(struct fast_lt *l, void *pref, int probe, int bucket, struct err *e)
{
	struct lt_result got[FAST_BEST];
	struct fast_shape s;
	int n = 0;
	if (fast_shape_open(l, &s, probe_n[probe], PROBE_K, e) < 0)
		return -1;
	memset(got, 0, sizeof got);
	if (bucket >= s.buckets ||
	    l->lt.suggest(l->handle, l->op, s.w, s.x[bucket], s.y[bucket], s.y[bucket], pref, FAST_BEST, got, &n) != LT_OK)
		n = 0; /* no suggestion is an answer too */
	for (int i = 0; i < n && i < FAST_BEST; i++) {
		struct lt_algo *a = &got[i].algo;
		if (got[i].state != LT_OK || got[i].workspace || config(l, a, LT_CONFIG_SPLITK) > 1 || config(l, a, LT_CONFIG_REDUCTION) ||
		    !right_kind(l, a))
			continue;
		if (config(l, a, LT_CONFIG_SWIZZLE) && set_config(l, a, LT_CONFIG_SWIZZLE, 0) != LT_OK)
			continue;
		for (int c = 0; c < LT_CONFIGS; c++)
			note(l, config(l, a, c));
		l->best[probe][bucket][l->nbest[probe][bucket]++] = *a;
	}
	note(l, (uint64_t)l->nbest[probe][bucket]);
	fast_shape_close(l, &s);
	return 0;
}

static int ask_all(struct fast_lt *l, struct err *e)
{
	void *pref = nullptr;
	uint64_t workspace = 0;
	uint32_t reduction = 0;
	int status = l->lt.pref_create(&pref), rc = 0;
	if (status == LT_OK)
		status = l->lt.pref_set(pref, LT_PREF_WORKSPACE, &workspace, sizeof workspace);
	if (status == LT_OK)
		status = l->lt.pref_set(pref, LT_PREF_REDUCTION, &reduction, sizeof reduction);
	for (int p = 0; p < FAST_PROBES && status == LT_OK && rc == 0; p++)
		for (int b = 0; b < FAST_BUCKETS && rc == 0; b++)
			rc = ask(l, pref, p, b, e);
	if (pref)
		l->lt.pref_destroy(pref);
	return status == LT_OK ? rc : failed(l, "preferences", status, e);
}

/* Tiles (outputs x rows) and stages by number (cublasLtMatmulTile_t, cublasLtMatmulStages_t): those named here first, the
 * others as they are numbered. Large tiles for many rows; few columns for few rows. */
static const uint32_t many_rows[] = { 23, 24, 20, 32, 31, 21, 19, 18, 17, 15, 16, 13, 12, 11, 0 };
static const uint32_t few_rows[] = { 16, 35, 13, 10, 18, 15, 9, 6, 11, 12, 21, 17, 20, 0 };
static const uint32_t deep_first[] = { 36, 35, 34, 16, 15, 14, 22, 21, 10, 9, 0 };

static int rank(const uint32_t *order, uint32_t v)
{
	int i = 0;
	while (order[i] && order[i] != v)
		i++;
	return i;
}

static void sort_by(const uint32_t *order, uint32_t *v, int n)
{
	for (int i = 1; i < n; i++)
		for (int j = i; j > 0; j--) {
			int a = rank(order, v[j - 1]), b = rank(order, v[j]);
			if (a < b || (a == b && v[j - 1] <= v[j]))
				break;
			uint32_t t = v[j];
			v[j] = v[j - 1];
			v[j - 1] = t;
		}
}

/* A list among the capabilities; {0} ("undefined") when there is none. */
static int list(const struct fast_lt *l, const struct lt_algo *a, int cap, uint32_t *out, int most)
{
	size_t bytes = 0, written = 0;
	if (l->lt.cap(a, cap, nullptr, 0, &bytes) == LT_OK && bytes >= 4 && bytes <= (size_t)most * 4 &&
	    l->lt.cap(a, cap, out, bytes, &written) == LT_OK && written >= 4 && written <= bytes)
		return (int)(written / 4);
	out[0] = 0;
	return 1;
}

static int take_stock(struct fast_lt *l, struct err *e)
{
	int ids[FAST_IDS], n = 0;
	int status = l->lt.ids(l->handle, LT_COMPUTE_32F, LT_R32F, LT_R16BF, LT_R16BF, LT_R32F, LT_R32F, FAST_IDS, ids, &n);
	if (status != LT_OK)
		return failed(l, "cublasLtMatmulAlgoGetIds", status, e);
	n = n < FAST_IDS ? n : FAST_IDS;
	l->offer = (struct fast_offer *)calloc((size_t)n + 1, sizeof *l->offer);
	if (!l->offer)
		return err_set(e, E_MEMORY, "no memory for what cublasLt offers");
	for (int i = 1; i < n; i++) /* the highest number first */
		for (int j = i; j > 0 && ids[j] > ids[j - 1]; j--) {
			int t = ids[j];
			ids[j] = ids[j - 1];
			ids[j - 1] = t;
		}
	for (int i = 0; i < n; i++) {
		struct fast_offer *o = &l->offer[l->noffers];
		struct lt_algo a;
		memset(&a, 0, sizeof a);
		if (l->lt.init(l->handle, LT_COMPUTE_32F, LT_R32F, LT_R16BF, LT_R16BF, LT_R32F, LT_R32F, ids[i], &a) != LT_OK || !right_kind(l, &a))
			continue;
		o->id = ids[i];
		o->ntiles = list(l, &a, LT_CAP_TILES, o->tiles[0], FAST_TILES);
		o->nstages = list(l, &a, LT_CAP_STAGES, o->stages, FAST_STAGES);
		memcpy(o->tiles[1], o->tiles[0], sizeof o->tiles[1]);
		sort_by(many_rows, o->tiles[0], o->ntiles);
		sort_by(few_rows, o->tiles[1], o->ntiles);
		sort_by(deep_first, o->stages, o->nstages);
		note(l, (uint64_t)o->id << 32 | (uint32_t)o->ntiles);
		for (int j = 0; j < o->ntiles; j++)
			note(l, (uint64_t)o->tiles[0][j] << 32 | o->tiles[1][j]);
		for (int j = 0; j < o->nstages; j++)
			note(l, o->stages[j]);
		l->noffers++;
	}
	return 0;
}

static void add_family(struct fast_lt *l, struct fast_family f)
{
	for (int i = 0; i < l->nfamilies; i++)
		if (same_family(&l->family[i], &f))
			return;
	l->family[l->nfamilies++] = f;
}

/* The largest buckets' suggestions first: most of a run's time is there. */
static int order_families(struct fast_lt *l, struct err *e)
{
	l->family = (struct fast_family *)calloc(FAST_PROBES * FAST_BUCKETS * FAST_BEST + FAST_IDS, sizeof *l->family);
	if (!l->family)
		return err_set(e, E_MEMORY, "no memory for what cublasLt offers");
	for (int b = FAST_BUCKETS - 1; b >= 0; b--)
		for (int p = 0; p < FAST_PROBES; p++)
			for (int i = 0; i < l->nbest[p][b]; i++)
				add_family(l, family_of(l, &l->best[p][b][i]));
	for (int i = 0; i < l->noffers; i++)
		add_family(l, { l->offer[i].id, 0, 0 });
	return 0;
}

/* --- candidates ------------------------------------------------------------------------------------------------------ */

static int nearest_probe(int n)
{
	return n < 2048 ? 0 : n < 8192 ? 1 : 2;
}

/* The i-th combination of tile and stages of the family's number: 1, 0 behind the last, -1 when the library refuses it. */
static int combination(const struct fast_lt *l, const struct fast_family *f, int bucket, int i, struct lt_algo *a)
{
	const struct fast_offer *o = l->offer;
	while (o < l->offer + l->noffers && o->id != f->id)
		o++;
	if (o == l->offer + l->noffers || i >= o->ntiles * o->nstages)
		return 0;
	memset(a, 0, sizeof *a);
	int status = l->lt.init(l->handle, LT_COMPUTE_32F, LT_R32F, LT_R16BF, LT_R16BF, LT_R32F, LT_R32F, f->id, a);
	uint32_t tile = o->tiles[FAST_ROWS(bucket) < 128][i / o->nstages], stages = o->stages[i % o->nstages];
	if (status == LT_OK && tile)
		status = set_config(l, a, LT_CONFIG_TILE, tile);
	if (status == LT_OK && stages)
		status = set_config(l, a, LT_CONFIG_STAGES, stages);
	if (status == LT_OK && f->custom)
		status = set_config(l, a, LT_CONFIG_CUSTOM, (uint32_t)f->custom);
	if (status == LT_OK && f->inner)
		status = set_config(l, a, LT_CONFIG_INNER, (uint32_t)f->inner);
	return status == LT_OK ? 1 : -1;
}

int fast_candidate(const struct fast_lt *l, const struct fast_family *f, int n, int bucket, int i, struct lt_algo *out)
{
	for (int turn = 0; turn < FAST_PROBES; turn++) {
		int p = (nearest_probe(n) + turn) % FAST_PROBES;
		for (int j = 0; j < l->nbest[p][bucket]; j++) {
			struct fast_family g = family_of(l, &l->best[p][bucket][j]);
			if (same_family(&g, f) && i-- == 0) {
				*out = l->best[p][bucket][j];
				return 1;
			}
		}
	}
	return combination(l, f, bucket, i, out);
}

int fast_fits(const struct fast_lt *l, const struct fast_shape *s, int bucket, const struct lt_algo *a)
{
	struct lt_result r;
	memset(&r, 0, sizeof r);
	return config(l, a, LT_CONFIG_SPLITK) <= 1 && !config(l, a, LT_CONFIG_REDUCTION) && !config(l, a, LT_CONFIG_SWIZZLE) &&
	       l->lt.check(l->handle, l->op, s->w, s->x[bucket], s->y[bucket], s->y[bucket], a, &r) == LT_OK && r.state == LT_OK &&
	       r.workspace == 0;
}

/* --- shapes ----------------------------------------------------------------------------------------------------------- */

void fast_shape_close(struct fast_lt *l, struct fast_shape *s)
{
	if (s->w)
		l->lt.layout_destroy(s->w);
	for (int b = 0; b < FAST_BUCKETS; b++) {
		if (s->x[b])
			l->lt.layout_destroy(s->x[b]);
		if (s->y[b])
			l->lt.layout_destroy(s->y[b]);
	}
	memset(s, 0, sizeof *s);
}

int fast_shape_open(struct fast_lt *l, struct fast_shape *s, int n, int k, struct err *e)
{
	memset(s, 0, sizeof *s);
	s->n = n;
	s->k = k;
	int status = l->lt.layout_create(&s->w, LT_R16BF, (uint64_t)k, (uint64_t)n, k);
	for (int b = 0; b < FAST_BUCKETS && status == LT_OK; b++) {
		size_t m = (size_t)FAST_ROWS(b);
		if (b > 0 && (m * (size_t)k * 2 > FAST_SCRATCH_BYTES || m * (size_t)n * 4 > FAST_SCRATCH_BYTES))
			break;
		status = l->lt.layout_create(&s->x[b], LT_R16BF, (uint64_t)k, m, k);
		if (status == LT_OK)
			status = l->lt.layout_create(&s->y[b], LT_R32F, (uint64_t)n, m, n);
		s->buckets = b + 1;
	}
	if (status == LT_OK)
		return 0;
	fast_shape_close(l, s);
	return failed(l, "layouts", status, e);
}

int fast_product(const struct fast_lt *l, const struct fast_shape *s, int bucket, const struct lt_algo *a, void *y, const void *x,
		 const void *w)
{
	const float one = 1.0f, zero = 0.0f;
	return l->lt.matmul(l->handle, l->op, &one, w, s->w, x, s->x[bucket], &zero, y, s->y[bucket], y, s->y[bucket], a, nullptr, 0,
			    l->stream);
}

/* --- opening ---------------------------------------------------------------------------------------------------------- */

void fast_lt_close(struct fast_lt *l)
{
	if (l->op)
		l->lt.op_destroy(l->op);
	if (l->handle)
		l->lt.destroy(l->handle);
	free(l->offer);
	free(l->family);
	cublaslt_close(&l->lt);
	memset(l, 0, sizeof *l);
}

static int open_parts(struct fast_lt *l, struct err *e)
{
	int32_t transposed = LT_OP_T;
	int status = l->lt.create(&l->handle);
	if (status != LT_OK) {
		l->handle = nullptr;
		return failed(l, "cublasLtCreate", status, e);
	}
	status = l->lt.op_create(&l->op, LT_COMPUTE_32F, LT_R32F);
	if (status == LT_OK)
		status = l->lt.op_set(l->op, LT_DESC_TRANSA, &transposed, sizeof transposed);
	if (status != LT_OK)
		return failed(l, "cublasLtMatmulDescCreate", status, e);
	l->digest = FAST_HASH0;
	return ask_all(l, e) || take_stock(l, e) || order_families(l, e) ? -1 : 0;
}

int fast_lt_open(struct fast_lt *l, struct CUstream_st *stream, struct err *e)
{
	memset(l, 0, sizeof *l);
	if (cublaslt_open(&l->lt, e) < 0)
		return -1;
	l->stream = stream;
	if (open_parts(l, e) == 0)
		return 0;
	fast_lt_close(l);
	return -1;
}
