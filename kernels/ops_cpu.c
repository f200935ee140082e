/* ops_cpu.c - the processor as a device: memory, and every operation's rows dealt to threads.
 *
 * Operations run at once, in the caller's thread and the pool's. Rows go to threads in contiguous blocks of equal cost;
 * a call too small to be worth waking anybody runs on the caller alone. No result depends on the deal. Scratch (packed
 * activations, attention's running sums) belongs to the device and only grows, so a steady state allocates nothing.
 * What can fail in an operation is that growth: the operation is skipped and sync() reports it, as on any device.
 *
 * Memory carries a 64-byte header in front of what the caller sees. Large blocks come straight from the system, already
 * zero, with huge pages asked for: weights are read at the full width of the memory. More than 15/16 of the machine's memory
 * is refused with a sentence, since the system would promise it and end the program later.
 */
#include "kernels/ops.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernels/attend.h"
#include "kernels/base/pool.h"
#include "kernels/bench.h"
#include "kernels/device.h"
#include "kernels/isa.h"
#include "kernels/noise.h"
#include "kernels/recur.h"
#include "kernels/rowops.h"
#include "kernels/sample.h"

struct cpu_device {
	struct device base;
	struct pool *pool;
	const struct matmul_isa *matmul;
	struct rowops row;
	struct recurops recur;
	float *packed; /* activations of one linear call */
	size_t packed_floats;
	float *attend; /* [threads][attend_stride(d)] */
	size_t attend_floats;
	float *state; /* recurrent layers: [threads][scratch of a part] */
	size_t state_floats;
	size_t mapped, memory; /* bytes in large blocks now; of the machine, what they may be */
	struct err failed; /* the first failure since sync */
};

static struct cpu_device *cpu_of(struct device *d)
{
	return (struct cpu_device *)(void *)d;
}

/* --- memory ------------------------------------------------------------------------------------------------------ */

#define HEADER 64
#define MAP_FROM ((size_t)1 << 20)

struct header {
	size_t mapped; /* bytes of the mapping; 0: from the heap */
};

/* Of the machine, or what a container leaves of it, in bytes; 0: not known. */
static size_t physical_memory(void)
{
	static const char *const limits[] = { "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes" };
	long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
	size_t all = pages > 0 && size > 0 ? (size_t)pages * (size_t)size : 0;
	for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
		FILE *f = fopen(limits[i], "r");
		unsigned long long most;
		if (f && fscanf(f, "%llu", &most) == 1 && most && most < all)
			all = (size_t)most;
		if (f)
			fclose(f);
	}
	return all;
}

static void *cpu_alloc(struct device *dev, size_t bytes, struct err *e)
{
	struct cpu_device *c = cpu_of(dev);
	char *p = NULL;
	if (bytes > SIZE_MAX / 2) {
		err_set(e, E_MEMORY, "a block of %zu bytes is too large", bytes);
		return NULL;
	}
	size_t all = (bytes + HEADER + 63) & ~(size_t)63, mapped = 0;
	if (all >= MAP_FROM && (c->mapped > c->memory || all > c->memory - c->mapped)) {
		err_set(e, E_MEMORY, "no memory for a block of %zu bytes: %zu of this machine's %zu bytes are held", bytes, c->mapped, c->memory);
		return NULL;
	}
	if (all >= MAP_FROM) {
		p = mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED)
			p = NULL;
#ifdef MADV_HUGEPAGE
		else
			madvise(p, all, MADV_HUGEPAGE); /* a wish: refusal costs speed only */
#endif
		mapped = all;
	} else {
		p = aligned_alloc(64, all);
		if (p)
			memset(p, 0, all);
	}
	if (!p) {
		err_set(e, E_MEMORY, "no memory for a block of %zu bytes", bytes);
		return NULL;
	}
	c->mapped += mapped;
	*(struct header *)(void *)p = (struct header){ mapped };
	return p + HEADER;
}

static size_t cpu_left(struct device *dev, size_t reserved)
{
	const struct cpu_device *c = cpu_of(dev);
	return c->mapped >= c->memory || reserved > c->memory - c->mapped ? 0 : c->memory - c->mapped - reserved;
}

/* A quarter of the memory: other programs live here too, and files are mapped. */
static size_t cpu_room(struct device *dev, size_t reserved)
{
	size_t all = cpu_of(dev)->memory, left = cpu_left(dev, reserved);
	size_t share = (all == SIZE_MAX ? (size_t)1 << 30 : all) / 4;
	return share < left ? share : left;
}

static void cpu_release(struct device *dev, void *p)
{
	if (!p)
		return;
	struct header *h = (struct header *)(void *)((char *)p - HEADER);
	if (h->mapped) {
		cpu_of(dev)->mapped -= h->mapped;
		munmap(h, h->mapped);
	} else {
		free(h);
	}
}

static void cpu_put(struct device *dev, void *dst, const void *host, size_t bytes)
{
	(void)dev;
	if (bytes)
		memcpy(dst, host, bytes);
}

static void cpu_get(struct device *dev, void *host, const void *src, size_t bytes)
{
	(void)dev;
	if (bytes)
		memcpy(host, src, bytes);
}

static int cpu_sync(struct device *dev, struct err *e)
{
	struct cpu_device *c = cpu_of(dev);
	struct err first = c->failed;
	c->failed.code = E_NONE;
	return first.code ? err_set(e, first.code, "%s", first.msg) : 0;
}

/* Makes *p at least `floats` long; contents are lost when it grows. 0 when there is no memory. */
static int grow(struct cpu_device *c, float **p, size_t *have, size_t floats)
{
	struct err e = { 0 };
	if (floats <= *have)
		return 1;
	float *larger = floats <= SIZE_MAX / sizeof **p ? cpu_alloc(&c->base, floats * sizeof **p, &e) : NULL;
	if (!larger) {
		if (!c->failed.code)
			err_set(&c->failed, E_MEMORY, "no memory for %zu floats of scratch", floats);
		return 0;
	}
	cpu_release(&c->base, *p);
	*p = larger;
	*have = floats;
	return 1;
}

/* --- dealing rows ------------------------------------------------------------------------------------------------ */

#define PART_COST 16384 /* floats touched: some microseconds, about what a wake-up costs */

struct call { /* one operation's arguments, whatever it is; rows [0, n) */
	struct cpu_device *c;
	void (*rows)(const struct call *k, int first, int last);
	int n;
	struct mat y, x, z;
	const float *w, *b;
	float eps;
	int heads, d;
	const struct rope *rope;
	const struct table *table;
	const struct kv *kv;
	const struct batch *batch;
	const struct attend *attend;
	const int32_t *ids;
	void (*each)(float *x, float s, int d);
	const struct router *router;
	struct lse *lse;
	int32_t *drawn;
	const struct draw *draw;
	const uint32_t *seen;
	enum act act;
	long long total; /* attend: cost of one KV head */
};

static float *row_of(struct mat m, int i)
{
	return m.p + (size_t)i * m.ld;
}

static int parts_for(const struct cpu_device *c, int n, double cost)
{
	double parts = 1 + cost * n / PART_COST;
	int most = n < c->base.threads ? n : c->base.threads;
	return parts < most ? (int)parts : most;
}

static void deal_part(void *ctx, int part, int nparts)
{
	const struct call *k = ctx;
	k->rows(k, (int)((long long)k->n * part / nparts), (int)((long long)k->n * (part + 1) / nparts));
}

static void deal(struct call *k, double cost)
{
	if (k->n > 0)
		pool_run(k->c->pool, deal_part, k, parts_for(k->c, k->n, cost));
}

static void check_mat(struct mat m)
{
	assert(m.n >= 0 && m.d > 0 && (m.ld >= (size_t)m.d || m.n <= 1) && (m.p || !m.n));
	(void)m;
}

static void check_same(struct mat a, struct mat b)
{
	check_mat(a);
	check_mat(b);
	assert(a.n == b.n && a.d == b.d);
}

/* --- linear layers ----------------------------------------------------------------------------------------------- */

static void linear_free(struct device *dev, struct linear *w)
{
	cpu_release(dev, w->panels);
	cpu_release(dev, w->bias);
	*w = (struct linear){ 0 };
}

static int linear_init(struct device *dev, struct linear *w, enum dtype dt, int n, int k, int bias, struct err *e)
{
	*w = (struct linear){ .dt = dt, .held = dt, .n = n, .k = k };
	if (!(w->bytes = matmul_linear_size(dev, dt, n, k)))
		return err_set(e, E_RANGE, "a linear layer of %d outputs and %d inputs is not possible", n, k);
	w->panels = cpu_alloc(dev, w->bytes, e);
	if (w->panels && bias)
		w->bias = cpu_alloc(dev, (size_t)n * sizeof *w->bias, e);
	if (!w->panels || (bias && !w->bias)) {
		linear_free(dev, w);
		return -1;
	}
	return 0;
}

static void linear_rows(struct device *dev, struct linear *w, int n0, const void *src, size_t ld, int rows)
{
	assert(n0 >= 0 && rows >= 0 && rows <= w->n - n0 && (ld >= (size_t)w->k || rows <= 1));
	if (rows)
		matmul_pack_rows(cpu_of(dev)->pool, w->panels, w->dt, w->k, n0, src, ld, rows);
}

static void op_linear(struct device *dev, struct mat y, struct mat x, const struct linear *w)
{
	struct cpu_device *c = cpu_of(dev);
	check_mat(y);
	check_mat(x);
	assert(y.n == x.n && y.d == w->n && x.d == w->k && w->panels);
	if (!y.n || !grow(c, &c->packed, &c->packed_floats, matmul_scratch(c->matmul, x.n, x.d)))
		return;
	struct matmul_job j = { .y = y.p, .ldy = y.ld, .x = x.p, .ldx = x.ld, .bias = w->bias, .m = y.n, .n = w->n,
				.k = w->k, .dt = w->dt, .panels = w->panels };
	matmul(c->pool, c->matmul, &j, c->packed);
}

/* --- rows alone -------------------------------------------------------------------------------------------------- */

static void embed_rows(const struct call *k, int i, int last)
{
	size_t bytes = (size_t)k->table->d * dtype_size(k->table->dt);
	for (; i < last; i++) {
		assert(k->ids[i] >= 0 && k->ids[i] < k->table->v);
		const char *from = (const char *)k->table->rows + (size_t)k->ids[i] * bytes;
		k->c->row.widen(row_of(k->y, i), from, k->table->d, k->table->dt);
	}
}

static void op_embed(struct device *dev, struct mat y, const struct table *t, const int32_t *ids)
{
	check_mat(y);
	assert(y.d == t->d);
	deal(&(struct call){ .c = cpu_of(dev), .rows = embed_rows, .n = y.n, .y = y, .table = t, .ids = ids }, y.d);
}

static void gather_rows(const struct call *k, int i, int last)
{
	for (; i < last; i++) {
		assert(k->ids[i] >= 0 && k->ids[i] < k->x.n);
		memcpy(row_of(k->y, i), row_of(k->x, k->ids[i]), (size_t)k->y.d * sizeof(float));
	}
}

static void op_gather(struct device *dev, struct mat y, struct mat x, const int32_t *rows)
{
	check_mat(y);
	check_mat(x);
	assert(y.d == x.d && (y.p != x.p || !y.n));
	deal(&(struct call){ .c = cpu_of(dev), .rows = gather_rows, .n = y.n, .y = y, .x = x, .ids = rows }, y.d);
}

static void add_rows(const struct call *k, int i, int last)
{
	for (; i < last; i++)
		k->c->row.add(row_of(k->y, i), row_of(k->x, i), k->y.d);
}

static void op_add(struct device *dev, struct mat y, struct mat x)
{
	check_same(y, x);
	deal(&(struct call){ .c = cpu_of(dev), .rows = add_rows, .n = y.n, .y = y, .x = x }, y.d);
}

/* each(x, s, d) on every row of x, in place; where there are scales w, s is the row's, or that of its number in ids */
static void each_rows(const struct call *k, int i, int last)
{
	for (; i < last; i++)
		k->each(row_of(k->x, i), k->w ? k->w[k->ids ? k->ids[i] : i] : k->eps, k->x.d);
}

static void op_scale(struct device *dev, struct mat x, float s)
{
	struct cpu_device *c = cpu_of(dev);
	check_mat(x);
	deal(&(struct call){ .c = c, .rows = each_rows, .n = x.n, .x = x, .each = c->row.scale, .eps = s }, x.d);
}

static void op_scale_rows(struct device *dev, struct mat x, const float *t, const int32_t *at)
{
	struct cpu_device *c = cpu_of(dev);
	check_mat(x);
	assert(t || !x.n);
	deal(&(struct call){ .c = c, .rows = each_rows, .n = x.n, .x = x, .each = c->row.scale, .w = t, .ids = at }, x.d);
}

static void op_clip(struct device *dev, struct mat x, float limit)
{
	struct cpu_device *c = cpu_of(dev);
	check_mat(x);
	assert(limit >= 0);
	deal(&(struct call){ .c = c, .rows = each_rows, .n = x.n, .x = x, .each = c->row.clip, .eps = limit }, x.d);
}

static void op_softcap(struct device *dev, struct mat x, float cap)
{
	struct cpu_device *c = cpu_of(dev);
	check_mat(x);
	assert(cap > 0);
	deal(&(struct call){ .c = c, .rows = each_rows, .n = x.n, .x = x, .each = c->row.softcap, .eps = cap }, 4.0 * x.d);
}

/* rows of x, each times its weight in w or times eps, added to the rows of y that ids name, or to those of the same number */
static void scatter_rows(const struct call *k, int i, int last)
{
	for (; i < last; i++) {
		int to = k->ids ? k->ids[i] : i;
		assert(to >= 0 && to < k->y.n);
		k->c->row.axpy(row_of(k->y, to), row_of(k->x, i), k->w ? k->w[i] : k->eps, k->y.d);
	}
}

static void op_axpy(struct device *dev, struct mat y, struct mat x, float s)
{
	check_same(y, x);
	deal(&(struct call){ .c = cpu_of(dev), .rows = scatter_rows, .n = y.n, .y = y, .x = x, .eps = s }, y.d);
}

static void op_scatter(struct device *dev, struct mat y, struct mat x, const int32_t *rows, const float *w)
{
	check_mat(y);
	check_mat(x);
	assert(y.d == x.d && (rows || x.n <= y.n));
	deal(&(struct call){ .c = cpu_of(dev), .rows = scatter_rows, .n = x.n, .y = y, .x = x, .ids = rows, .w = w, .eps = 1.0f },
	     y.d);
}

static void route_rows(const struct call *k, int i, int last)
{
	for (; i < last; i++) {
		size_t at = (size_t)i * (size_t)k->router->k;
		route_row(k->drawn + at, k->y.p + at, row_of(k->x, i), k->router, &k->c->row);
	}
}

static void op_route(struct device *dev, int32_t *ids, float *weights, struct mat logits, const struct router *r)
{
	check_mat(logits);
	route_check(logits.d, r);
	deal(&(struct call){ .c = cpu_of(dev), .rows = route_rows, .n = logits.n, .y.p = weights, .x = logits, .drawn = ids, .router = r },
	     10.0 * logits.d);
}

static void rmsnorm_rows(const struct call *k, int i, int last)
{
	for (; i < last; i++)
		for (int h = 0; h < k->heads; h++)
			k->c->row.rmsnorm(row_of(k->y, i) + h * k->d, row_of(k->x, i) + h * k->d, k->w, k->d, k->eps);
}

static void op_rmsnorm(struct device *dev, struct mat y, struct mat x, int parts, const float *w, float eps)
{
	check_same(y, x);
	assert(parts > 0 && y.d % parts == 0);
	deal(&(struct call){ .c = cpu_of(dev), .rows = rmsnorm_rows, .n = y.n, .y = y, .x = x, .heads = parts, .d = y.d / parts,
			     .w = w, .eps = eps },
	     2.0 * y.d);
}

static void layernorm_rows(const struct call *k, int i, int last)
{
	for (; i < last; i++)
		for (int h = 0; h < k->heads; h++)
			k->c->row.layernorm(row_of(k->y, i) + h * k->d, row_of(k->x, i) + h * k->d, k->w, k->b, k->d, k->eps);
}

static void op_layernorm(struct device *dev, struct mat y, struct mat x, int parts, const float *w, const float *b, float eps)
{
	check_same(y, x);
	assert(parts > 0 && y.d % parts == 0);
	deal(&(struct call){ .c = cpu_of(dev), .rows = layernorm_rows, .n = y.n, .y = y, .x = x, .heads = parts, .d = y.d / parts,
			     .w = w, .b = b, .eps = eps },
	     3.0 * y.d);
}

static void rope_rows(const struct call *k, int i, int last)
{
	const struct rope *r = k->rope;
	for (; i < last; i++) {
		assert(k->ids[i] >= 0 && k->ids[i] < r->positions);
		size_t at = (size_t)k->ids[i] * (size_t)(r->dims / 2);
		k->c->row.rope(row_of(k->x, i), k->heads, k->d, r->cos + at, r->sin + at, r->dims, r->layout);
	}
}

static void op_rope(struct device *dev, struct mat x, int heads, const struct rope *r, const int32_t *pos)
{
	check_mat(x);
	assert(heads > 0 && x.d % heads == 0 && r->dims % 2 == 0 && r->dims > 0 && r->dims <= x.d / heads);
	deal(&(struct call){ .c = cpu_of(dev), .rows = rope_rows, .n = x.n, .x = x, .heads = heads, .d = x.d / heads,
			     .rope = r, .ids = pos },
	     x.d);
}

static void act_rows(const struct call *k, int i, int last)
{
	for (; i < last; i++)
		k->c->row.act(row_of(k->y, i), row_of(k->x, i), k->z.p ? row_of(k->z, i) : NULL, k->y.d, k->act, k->w);
}

static void op_act(struct device *dev, struct mat y, struct mat gate, struct mat up, enum act a, const float p[4])
{
	check_same(y, gate);
	if (up.p)
		check_same(y, up);
	assert((unsigned)a < ACT_COUNT && (p || a < ACT_XIELU) && (up.p || a != ACT_SWIGLU_CLAMPED || !y.n));
	deal(&(struct call){ .c = cpu_of(dev), .rows = act_rows, .n = y.n, .y = y, .x = gate, .z = up, .act = a, .w = p },
	     4.0 * y.d);
}

static void lse_rows(const struct call *k, int i, int last)
{
	for (; i < last; i++) {
		assert(k->ids[i] >= -1 && k->ids[i] < k->x.d);
		k->c->row.lse(&k->lse[i], row_of(k->x, i), k->x.d, k->ids[i]);
	}
}

static void op_lse(struct device *dev, struct lse *out, struct mat logits, const int32_t *target)
{
	check_mat(logits);
	deal(&(struct call){ .c = cpu_of(dev), .rows = lse_rows, .n = logits.n, .x = logits, .lse = out, .ids = target },
	     3.0 * logits.d);
}

static void sample_rows(const struct call *k, int i, int last)
{
	for (; i < last; i++)
		k->drawn[i] = sample_c(row_of(k->x, i), k->x.d, &k->draw[i]);
}

static void op_sample(struct device *dev, int32_t *out, struct mat logits, const struct draw *draw)
{
	check_mat(logits);
	deal(&(struct call){ .c = cpu_of(dev), .rows = sample_rows, .n = logits.n, .x = logits, .drawn = out, .draw = draw },
	     20.0 * logits.d);
}

static void penalise_rows(const struct call *k, int i, int last)
{
	for (; i < last; i++)
		penalise_c(row_of(k->x, i), k->x.d, k->seen + (size_t)i * seen_words(k->x.d), k->w[i]);
}

static void op_penalise(struct device *dev, struct mat logits, const uint32_t *seen, const float *penalty)
{
	check_mat(logits);
	deal(&(struct call){ .c = cpu_of(dev), .rows = penalise_rows, .n = logits.n, .x = logits, .seen = seen, .w = penalty }, logits.d);
}

/* --- keys, values, attention ------------------------------------------------------------------------------------- */

static int32_t page_of(const struct kv *c, const struct batch *b, int row)
{
	assert(b->pos[row] >= 0 && b->seq[row] >= 0 && b->pos[row] / KV_PAGE < b->ld_table);
	int32_t page = b->table[(size_t)b->seq[row] * (size_t)b->ld_table + (size_t)(b->pos[row] / KV_PAGE)];
	assert(page >= 0 && page < c->pages);
	return page;
}

/* By KV head, so that no two threads write the same cache line of keys. */
static void kv_heads(const struct call *k, int head, int last)
{
	const struct kv *c = k->kv;
	size_t d = (size_t)c->d, dv = (size_t)c->dv;
	for (; head < last; head++)
		for (int i = 0; i < k->x.n; i++) {
			size_t at = ((size_t)page_of(c, k->batch, i) * (size_t)c->hk + (size_t)head) * KV_PAGE;
			size_t slot = (size_t)(k->batch->pos[i] % KV_PAGE);
			const float *key = row_of(k->x, i) + (size_t)head * d;
			for (size_t j = 0; j < d; j++)
				c->k[at * d + j * KV_PAGE + slot] = key[j];
			memcpy(c->v + (at + slot) * dv, row_of(k->z, i) + (size_t)head * dv, dv * sizeof *c->v);
		}
}

static void op_kv_write(struct device *dev, const struct kv *c, struct mat k, struct mat v, const struct batch *b)
{
	check_mat(k);
	check_mat(v);
	assert(k.n == b->n && v.n == b->n && k.d == c->hk * c->d && v.d == c->hk * c->dv);
	if (b->n)
		deal(&(struct call){ .c = cpu_of(dev), .rows = kv_heads, .n = c->hk, .x = k, .z = v, .kv = c, .batch = b },
		     (double)k.n * (c->d + c->dv));
}

static void op_kv_copy(struct device *dev, const struct kv *c, int dst, int src, int slots)
{
	assert(dst >= 0 && dst < c->pages && src >= 0 && src < c->pages && dst != src && slots >= 0 && slots <= KV_PAGE);
	(void)dev;
	size_t d = (size_t)c->d, dv = (size_t)c->dv, n = (size_t)slots, heads = (size_t)c->hk, page = heads * KV_PAGE;
	const float *ks = c->k + (size_t)src * page * d, *vs = c->v + (size_t)src * page * dv;
	float *kd = c->k + (size_t)dst * page * d, *vd = c->v + (size_t)dst * page * dv;
	for (size_t i = 0; i < heads * d; i++)
		memcpy(kd + i * KV_PAGE, ks + i * KV_PAGE, n * sizeof *kd);
	for (size_t h = 0; h < heads; h++)
		memcpy(vd + h * dv * KV_PAGE, vs + h * dv * KV_PAGE, n * dv * sizeof *vd);
}

/* What one (row, head) costs: its visible keys, and a bit for the rest. */
static long long row_cost(const struct call *k, int i)
{
	int pos = k->batch->pos[i];
	return pos + 1 - attend_lo(pos, k->attend->window, k->attend->chunk) + 16;
}

static void attend_one(const struct call *k, int i, int head, float *scratch)
{
	const struct kv *c = k->kv;
	const struct attend *a = k->attend;
	size_t kv_head = (size_t)(head / (k->heads / c->hk)), size_k = (size_t)c->d * KV_PAGE, size_v = (size_t)c->dv * KV_PAGE;
	struct attend_head one = {
		.q = row_of(k->x, i) + (size_t)head * (size_t)c->d,
		.k = c->k + kv_head * size_k,
		.v = c->v + kv_head * size_v,
		.k_page = (size_t)c->hk * size_k,
		.v_page = (size_t)c->hk * size_v,
		.table = k->batch->table + (size_t)k->batch->seq[i] * (size_t)k->batch->ld_table,
		.pos = k->batch->pos[i],
		.d = c->d,
		.dv = c->dv,
		.scale = a->scale,
		.softcap = a->softcap,
		.slope = a->slopes ? a->slopes[head] : 0,
		.sink = a->sinks ? a->sinks[head] : 0,
		.has_slope = a->slopes != NULL,
		.has_sink = a->sinks != NULL,
		.window = a->window,
		.chunk = a->chunk,
		.rounded_bias = a->rounded_bias,
	};
	k->c->row.attend(row_of(k->y, i) + (size_t)head * (size_t)c->dv, &one, scratch);
}

/* Floats of scratch that one thread needs, in whole cache lines. */
static size_t attend_stride(const struct kv *c)
{
	return (ATTEND_SCRATCH(c->d, c->dv) + 15) & ~(size_t)15;
}

/* Units in the order (KV head, row, query head of the group): a KV head's pages stay in cache while its rows pass. Part p
 * owns the units that begin in its share of the whole cost. */
static void attend_part(void *ctx, int part, int nparts)
{
	const struct call *k = ctx;
	int group = k->heads / k->kv->hk;
	long long whole = k->total * k->kv->hk, lo = whole * part / nparts, hi = whole * (part + 1) / nparts;
	float *scratch = k->c->attend + (size_t)part * attend_stride(k->kv);
	for (int kv = (int)(lo / k->total); kv < k->kv->hk && kv * k->total < hi; kv++) {
		long long at = kv * k->total;
		for (int i = 0; i < k->n && at < hi; i++) {
			long long cost = row_cost(k, i);
			long long g = at < lo ? (lo - at + cost - 1) / cost : 0;
			for (; g < group && at + g * cost < hi; g++)
				attend_one(k, i, kv * group + (int)g, scratch);
			at += cost * group;
		}
	}
}

static void op_attend(struct device *dev, struct mat y, struct mat q, int h, const struct kv *c, const struct attend *a,
		      const struct batch *b)
{
	struct cpu_device *cpu = cpu_of(dev);
	struct call k = { .c = cpu, .n = y.n, .y = y, .x = q, .heads = h, .kv = c, .attend = a, .batch = b };
	check_mat(y);
	check_mat(q);
	assert(y.n == b->n && q.n == b->n && h > 0 && c->hk > 0 && h % c->hk == 0 && a->window >= 0 && a->chunk >= 0);
	assert(c->d > 0 && c->dv > 0 && q.d == h * c->d && y.d == h * c->dv);
	for (int i = 0; i < k.n; i++) {
		page_of(c, b, i);
		k.total += row_cost(&k, i) * (h / c->hk);
	}
	if (!k.n || !grow(cpu, &cpu->attend, &cpu->attend_floats, attend_stride(c) * (size_t)cpu->base.threads))
		return;
	double cost = (double)k.total * (c->d + c->dv) / k.n * c->hk;
	int units = k.n <= INT32_MAX / h ? k.n * h : INT32_MAX;
	pool_run(cpu->pool, attend_part, &k, parts_for(cpu, units, cost / h));
}

/* --- recurrent layers -------------------------------------------------------------------------------------------- */

static void recur(struct device *dev, struct recur_job *j)
{
	struct cpu_device *c = cpu_of(dev);
	j->isa = &c->recur;
	recur_plan(j);
	if (!j->batch->n || !grow(c, &c->state, &c->state_floats, j->scratch * (size_t)c->base.threads))
		return;
	int units = j->batch->runs <= INT32_MAX / j->units ? j->batch->runs * j->units : INT32_MAX;
	recur_run(c->pool, j, c->state, parts_for(c, units, j->cost * j->batch->n / j->batch->runs));
}

static void op_conv(struct device *dev, struct mat y, struct mat x, const struct conv *c, const struct states *s, const struct batch *b)
{
	recur(dev, &(struct recur_job){ .conv = c, .y = y, .x = x, .states = s, .batch = b });
}

static void op_ssm(struct device *dev, struct mat y, struct mat x, struct mat B, struct mat C, struct mat dt, const struct ssm *c,
		   const struct states *s, const struct batch *b)
{
	recur(dev, &(struct recur_job){ .ssm = c, .y = y, .x = x, .key = B, .query = C, .gate = dt, .states = s, .batch = b });
}

static void op_delta(struct device *dev, struct mat y, struct mat q, struct mat k, struct mat v, struct mat alpha, struct mat beta,
		     const struct delta *c, const struct states *s, const struct batch *b)
{
	recur(dev, &(struct recur_job){ .delta = c, .y = y, .x = v, .key = k, .query = q, .gate = alpha, .beta = beta, .states = s, .batch = b });
}

static void op_noise(struct device *dev, void *p, enum dtype dt, size_t n, uint64_t seed, float scale)
{
	noise_fill(cpu_of(dev)->pool, p, dt, n, seed, scale);
}

/* --- the device -------------------------------------------------------------------------------------------------- */

static const struct ops cpu_ops = {
	.name = "cpu",
	.host_rows = 1,
	.alloc = cpu_alloc,
	.left = cpu_left,
	.room = cpu_room,
	.linear_size = matmul_linear_size,
	.release = cpu_release,
	.put = cpu_put,
	.get = cpu_get,
	.sync = cpu_sync,
	.linear_init = linear_init,
	.linear_rows = linear_rows,
	.linear_free = linear_free,
	.linear = op_linear,
	.embed = op_embed,
	.gather = op_gather,
	.add = op_add,
	.axpy = op_axpy,
	.scale = op_scale,
	.scale_rows = op_scale_rows,
	.clip = op_clip,
	.softcap = op_softcap,
	.scatter = op_scatter,
	.route = op_route,
	.rmsnorm = op_rmsnorm,
	.layernorm = op_layernorm,
	.rope = op_rope,
	.kv_write = op_kv_write,
	.kv_copy = op_kv_copy,
	.attend = op_attend,
	.act = op_act,
	.conv = op_conv,
	.ssm = op_ssm,
	.delta = op_delta,
	.noise = op_noise,
	.lse = op_lse,
	.penalise = op_penalise,
	.sample = op_sample,
};

static double limit(struct device *dev, enum limit what, void *dst, const void *src, size_t work)
{
	return cpu_limit(cpu_of(dev)->pool, cpu_of(dev)->matmul, what, dst, src, work);
}

static void cpu_close(struct device *dev)
{
	struct cpu_device *c = cpu_of(dev);
	pool_close(c->pool);
	cpu_release(dev, c->packed);
	cpu_release(dev, c->attend);
	cpu_release(dev, c->state);
	free(c);
}

int cpu_device_open(struct device **out, const struct device_opts *o, struct err *e)
{
	struct cpu_device *c = calloc(1, sizeof *c);
	if (!c)
		return err_set(e, E_MEMORY, "no memory for a device");
	if (pool_open(&c->pool, o->threads, e) < 0) {
		free(c);
		return -1;
	}
	size_t all = physical_memory();
	c->memory = all ? all / 16 * 15 : SIZE_MAX;
	c->base.ops = &cpu_ops;
	c->base.close = cpu_close;
	c->base.limit = limit;
	c->base.threads = pool_threads(c->pool);
	c->matmul = matmul_isa(o->max_level);
	rowops_init(&c->row, o->max_level);
	recurops_init(&c->recur, o->max_level);
	snprintf(c->base.describe, sizeof c->base.describe, "cpu %s, %d thread%s, %s", cpu_level_name(c->matmul->level),
		 c->base.threads, c->base.threads == 1 ? "" : "s", cpu_brand());
	*out = &c->base;
	return 0;
}
