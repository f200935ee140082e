/* device_cuda.cu - one NVIDIA GPU as a device: memory, transfers, errors, and the operations of cuda_ops.h on one stream.
 *
 * Everything is queued on one stream in the order of the calls. The runtime is linked statically and opens the driver
 * itself when it is first called, so a machine without one answers with an error and not with a missing library; what is too
 * old, absent or lost is one sentence.
 *
 * Memory is zeroed on the stream. put() copies through two halves of pinned memory, so that the caller's bytes may be
 * reused at once and transfers run beside the packing of what comes next. Weights are packed on the host by the CPU's own
 * code (matmul.c), in whole panels: a panel that a call fills in part is read back first.
 *
 * An operation returns nothing; its failure is kept, the first one only, and sync() brings it back with the operation's name.
 * What fails while it runs shows at some later call: the message then names the operation at which it showed (with
 * CUDA_LAUNCH_BLOCKING=1 in the environment the very one). A lost device fails every call: the run ends there.
 */
#include "kernels/cuda.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/pool.h"
#include "kernels/bench.h"
#include "kernels/cuda_ops.h"
#include "kernels/device.h"
#include "kernels/fast.h"
#include "kernels/isa.h"

#define HALF_BYTES ((size_t)4 << 20)
#define PACK_BYTES ((size_t)1 << 20) /* panels are packed and sent in groups of about this size */
#define CAPABILITY 8                 /* major number that this build has kernels for, and later ones */

struct half {
	char *p; /* pinned */
	cudaEvent_t done;
};

struct cuda_device {
	struct device base;
	struct ops ops;
	int index;
	cudaStream_t stream;
	struct pool *pool; /* packs weights */
	struct half half[2];
	int now;     /* the half in use, and how much of it */
	size_t used;
	char *panels; /* host: a group of panels while it is packed */
	size_t panels_bytes;
	void *scratch; /* device: partial sums of one call */
	size_t scratch_bytes;
	struct fast *fast; /* numerics fast: the linear layers; NULL: exact */
	const char *last; /* the operation queued last */
	struct err failed; /* the first failure since sync */
};

/* The device behind dev, made current in this thread. */
static struct cuda_device *on(struct device *dev)
{
	struct cuda_device *c = (struct cuda_device *)(void *)dev;
	cudaSetDevice(c->index);
	return c;
}

/* --- errors ------------------------------------------------------------------------------------------------------ */

/* What went wrong in `op` as a sentence. A device that still fails when the error has been taken is lost: every later call
 * fails, and what failed first may be any operation that was queued before. */
static int told(const struct cuda_device *c, const char *op, cudaError_t r, struct err *e)
{
	cudaGetLastError(); /* forgets what can be forgotten */
	cudaError_t now = c->stream ? cudaStreamQuery(c->stream) : cudaSuccess;
	if (now == cudaSuccess || now == cudaErrorNotReady)
		return err_set(e, E_DEVICE, "cuda:%d: %s: %s (%s)", c->index, op, cudaGetErrorString(r), cudaGetErrorName(r));
	return err_set(e, E_DEVICE, "cuda:%d is lost: %s (%s); it showed at %s and lies there or before", c->index, cudaGetErrorString(now),
		       cudaGetErrorName(now), op);
}

/* Keeps what went wrong in `op` unless something did before. Returns 1 when something went wrong. */
static int noted(struct cuda_device *c, const char *op, cudaError_t r)
{
	if (r != cudaSuccess && !c->failed.code)
		told(c, op, r, &c->failed);
	else if (r != cudaSuccess)
		cudaGetLastError();
	return r != cudaSuccess;
}

/* The same for a failure that has its sentence. */
static void keep(struct cuda_device *c, const struct err *e)
{
	if (!c->failed.code)
		c->failed = *e;
}

static void queued(struct cuda_device *c, const char *op)
{
	c->last = op;
	noted(c, op, cudaGetLastError());
}

static int cuda_sync(struct device *dev, struct err *e)
{
	struct cuda_device *c = on(dev);
	cudaError_t r = cudaStreamSynchronize(c->stream);
	if (r != cudaSuccess) {
		char what[80];
		snprintf(what, sizeof what, "the operations up to '%s'", c->last ? c->last : "open");
		noted(c, what, r);
	}
	struct err first = c->failed;
	c->failed.code = E_NONE;
	return first.code ? err_set(e, first.code, "%s", first.msg) : 0;
}

/* --- memory ------------------------------------------------------------------------------------------------------ */

static void *cuda_alloc(struct device *dev, size_t bytes, struct err *e)
{
	struct cuda_device *c = on(dev);
	void *p = nullptr;
	size_t left = 0, total = 0;
	if (bytes > SIZE_MAX / 2) {
		err_set(e, E_MEMORY, "a block of %zu bytes is too large", bytes);
		return nullptr;
	}
	size_t all = bytes ? bytes : 1; /* the address is that of a block of 256 bytes at least */
	cudaError_t r = cudaMalloc(&p, all);
	if (r == cudaSuccess) {
		r = cudaMemsetAsync(p, 0, all, c->stream);
		if (r == cudaSuccess)
			return p;
		cudaFree(p);
	}
	cudaGetLastError();
	if (r != cudaErrorMemoryAllocation)
		told(c, "a block of memory", r, e);
	else if (cudaMemGetInfo(&left, &total) == cudaSuccess)
		err_set(e, E_MEMORY, "cuda:%d: no memory for a block of %zu bytes: %zu of its %zu bytes are free", c->index, bytes, left,
			total);
	else
		err_set(e, E_MEMORY, "cuda:%d: no memory for a block of %zu bytes", c->index, bytes);
	return nullptr;
}

static size_t cuda_left(struct device *dev, size_t reserved)
{
	size_t left = 0, total = 0;
	on(dev);
	if (cudaMemGetInfo(&left, &total) != cudaSuccess) {
		cudaGetLastError();
		return 0;
	}
	return left > reserved ? left - reserved : 0;
}

/* Nearly all that is free: the rest is for scratch that grows and for the driver. */
static size_t cuda_room(struct device *dev, size_t reserved)
{
	return cuda_left(dev, reserved) / 8 * 7;
}

static void cuda_release(struct device *dev, void *p)
{
	if (p)
		noted(on(dev), "release", cudaFree(p)); /* waits for what is queued */
}

/* Makes the pinned half in use the other one, once the device has read what that held. */
static void turn(struct cuda_device *c)
{
	noted(c, "put", cudaEventRecord(c->half[c->now].done, c->stream));
	c->now ^= 1;
	c->used = 0;
	noted(c, "put", cudaEventSynchronize(c->half[c->now].done));
}

static void cuda_put(struct device *dev, void *dst, const void *host, size_t bytes)
{
	struct cuda_device *c = on(dev);
	for (size_t at = 0; at < bytes;) {
		if (c->used >= HALF_BYTES)
			turn(c);
		size_t n = bytes - at < HALF_BYTES - c->used ? bytes - at : HALF_BYTES - c->used;
		char *stage = c->half[c->now].p + c->used;
		memcpy(stage, (const char *)host + at, n);
		if (noted(c, "put", cudaMemcpyAsync((char *)dst + at, stage, n, cudaMemcpyHostToDevice, c->stream)))
			return;
		c->used += (n + 63) & ~(size_t)63;
		at += n;
	}
	c->last = "put";
}

static void cuda_get(struct device *dev, void *host, const void *src, size_t bytes)
{
	struct cuda_device *c = on(dev);
	if (bytes)
		noted(c, "get", cudaMemcpyAsync(host, src, bytes, cudaMemcpyDeviceToHost, c->stream));
}

/* --- linear layers ----------------------------------------------------------------------------------------------- */

static void linear_free(struct device *dev, struct linear *w)
{
	cuda_release(dev, w->panels);
	cuda_release(dev, w->bias);
	memset(w, 0, sizeof *w);
}

static size_t fast_size(struct device *dev, enum dtype dt, int n, int k)
{
	(void)dev, (void)dt;
	return fast_linear_size(n, k);
}

static int linear_init(struct device *dev, struct linear *w, enum dtype dt, int n, int k, int bias, struct err *e)
{
	memset(w, 0, sizeof *w);
	size_t bytes = matmul_linear_size(dev, dt, n, k);
	if (!bytes)
		return err_set(e, E_RANGE, "a linear layer of %d outputs and %d inputs is not possible", n, k);
	w->dt = w->held = dt;
	w->n = n;
	w->k = k;
	w->bytes = bytes;
	w->panels = cuda_alloc(dev, w->bytes, e);
	if (w->panels && bias)
		w->bias = (float *)cuda_alloc(dev, (size_t)n * sizeof *w->bias, e);
	if (!w->panels || (bias && !w->bias)) {
		linear_free(dev, w);
		return -1;
	}
	return 0;
}

/* The host's room for `bytes` of panels, or NULL. */
static char *pack_room(struct cuda_device *c, size_t bytes)
{
	if (bytes > c->panels_bytes) {
		char *p = (char *)realloc(c->panels, bytes);
		if (!p) {
			if (!c->failed.code)
				err_set(&c->failed, E_MEMORY, "no memory to pack %zu bytes of weights", bytes);
			return nullptr;
		}
		c->panels = p;
		c->panels_bytes = bytes;
	}
	return c->panels;
}

static void linear_rows(struct device *dev, struct linear *w, int n0, const void *src, size_t ld, int rows)
{
	struct cuda_device *c = on(dev);
	size_t one = matmul_panel_bytes(w->dt, MATMUL_PANEL, w->k), row = ld * dtype_size(w->dt);
	int end = n0 + rows, group = one < PACK_BYTES ? (int)(PACK_BYTES / one) : 1;
	assert(n0 >= 0 && rows >= 0 && rows <= w->n - n0 && (ld >= (size_t)w->k || rows <= 1));
	for (int panel = n0 / MATMUL_PANEL; rows && panel * MATMUL_PANEL < end; panel += group) {
		int left = (end - 1) / MATMUL_PANEL + 1 - panel, n = left < group ? left : group;
		int zero = panel * MATMUL_PANEL, from = n0 > zero ? n0 : zero;
		int to = (long long)zero + (long long)n * MATMUL_PANEL < end ? zero + n * MATMUL_PANEL : end;
		char *dst = (char *)w->panels + (size_t)panel * one, *room = pack_room(c, (size_t)n * one);
		if (!room)
			return;
		if (from > zero || to < zero + n * MATMUL_PANEL) { /* the first or last is filled in part */
			noted(c, "linear_rows", cudaMemcpyAsync(room, dst, (size_t)n * one, cudaMemcpyDeviceToHost, c->stream));
			if (noted(c, "linear_rows", cudaStreamSynchronize(c->stream)))
				return;
		}
		matmul_pack_rows(c->pool, room, w->dt, w->k, from - zero, (const char *)src + (size_t)(from - n0) * row, ld, to - from);
		cuda_put(dev, dst, room, (size_t)n * one);
	}
}

/* Makes room for `bytes` of partial sums. Returns 0 when there is none. */
static int scratch_room(struct cuda_device *c, size_t bytes)
{
	struct err e = {};
	if (bytes <= c->scratch_bytes)
		return 1;
	void *larger = cuda_alloc(&c->base, bytes, &e);
	if (!larger) {
		keep(c, &e);
		return 0;
	}
	cuda_release(&c->base, c->scratch);
	c->scratch = larger;
	c->scratch_bytes = bytes;
	return 1;
}

static void op_linear(struct device *dev, struct mat y, struct mat x, const struct linear *w)
{
	struct cuda_device *c = on(dev);
	assert(y.n == x.n && y.d == w->n && x.d == w->k && w->panels);
	if (!scratch_room(c, y.n ? cuda_linear_scratch(y.n, w) : 0))
		return;
	if (y.n)
		cuda_linear(c->stream, y, x, w, c->scratch);
	queued(c, "linear");
}

static void op_attend(struct device *dev, struct mat y, struct mat q, int h, const struct kv *kv, const struct attend *a,
		      const struct batch *b)
{
	struct cuda_device *c = on(dev);
	if (!scratch_room(c, cuda_attend_scratch(h, kv, b)))
		return;
	cuda_attend(c->stream, y, q, h, kv, a, b, c->scratch);
	queued(c, "attend");
}

/* The three with which numerics fast replace those above (fast_cuda.cu). */
static int init_fast(struct device *dev, struct linear *w, enum dtype dt, int n, int k, int bias, struct err *e)
{
	return fast_linear_init(on(dev)->fast, w, dt, n, k, bias, e);
}

static void rows_fast(struct device *dev, struct linear *w, int n0, const void *src, size_t ld, int rows)
{
	struct cuda_device *c = on(dev);
	struct err e = {};
	if (fast_linear_rows(c->fast, w, n0, src, ld, rows, &e) < 0)
		keep(c, &e);
	queued(c, "linear_rows");
}

static void op_fast(struct device *dev, struct mat y, struct mat x, const struct linear *w)
{
	struct cuda_device *c = on(dev);
	struct err e = {};
	if (fast_linear(c->fast, y, x, w, &e) < 0)
		keep(c, &e);
	queued(c, "linear");
}

/* --- the other operations ---------------------------------------------------------------------------------------- */

#define LIST(...) __VA_ARGS__
#define OP(name, takes, passes) \
	static void op_##name(struct device *dev, LIST takes) \
	{ \
		struct cuda_device *c = on(dev); \
		cuda_##name(c->stream, LIST passes); \
		queued(c, #name); \
	}

OP(embed, (struct mat y, const struct table *t, const int32_t *ids), (y, t, ids))
OP(gather, (struct mat y, struct mat x, const int32_t *rows), (y, x, rows))
OP(add, (struct mat y, struct mat x), (y, x))
OP(axpy, (struct mat y, struct mat x, float by), (y, x, by))
OP(scale, (struct mat x, float by), (x, by))
OP(scale_rows, (struct mat x, const float *t, const int32_t *at), (x, t, at))
OP(clip, (struct mat x, float limit), (x, limit))
OP(softcap, (struct mat x, float cap), (x, cap))
OP(scatter, (struct mat y, struct mat x, const int32_t *rows, const float *w), (y, x, rows, w))
OP(route, (int32_t *ids, float *weights, struct mat logits, const struct router *r), (ids, weights, logits, r))
OP(rmsnorm, (struct mat y, struct mat x, int parts, const float *w, float eps), (y, x, parts, w, eps))
OP(layernorm, (struct mat y, struct mat x, int parts, const float *w, const float *b, float eps), (y, x, parts, w, b, eps))
OP(rope, (struct mat x, int heads, const struct rope *r, const int32_t *pos), (x, heads, r, pos))
OP(kv_write, (const struct kv *kv, struct mat k, struct mat v, const struct batch *b), (kv, k, v, b))
OP(kv_copy, (const struct kv *kv, int dst, int src, int slots), (kv, dst, src, slots))
OP(act, (struct mat y, struct mat gate, struct mat up, enum act a, const float p[4]), (y, gate, up, a, p))
OP(conv, (struct mat y, struct mat x, const struct conv *p, const struct states *s, const struct batch *b), (y, x, p, s, b))
OP(ssm, (struct mat y, struct mat x, struct mat B, struct mat C, struct mat dt, const struct ssm *p, const struct states *s, const struct batch *b),
   (y, x, B, C, dt, p, s, b))
OP(delta,
   (struct mat y, struct mat q, struct mat k, struct mat v, struct mat alpha, struct mat beta, const struct delta *p, const struct states *s,
    const struct batch *b),
   (y, q, k, v, alpha, beta, p, s, b))
OP(noise, (void *p, enum dtype dt, size_t n, uint64_t seed, float scale), (p, dt, n, seed, scale))
OP(lse, (struct lse *out, struct mat logits, const int32_t *target), (out, logits, target))
OP(penalise, (struct mat logits, const uint32_t *seen, const float *penalty), (logits, seen, penalty))
OP(sample, (int32_t *out, struct mat logits, const struct draw *draw), (out, logits, draw))

static void fill_ops(struct ops *o)
{
	o->name = "cuda";
	o->host_rows = 0;
	o->alloc = cuda_alloc;
	o->left = cuda_left;
	o->room = cuda_room;
	o->linear_size = matmul_linear_size;
	o->release = cuda_release;
	o->put = cuda_put;
	o->get = cuda_get;
	o->sync = cuda_sync;
	o->linear_init = linear_init;
	o->linear_rows = linear_rows;
	o->linear_free = linear_free;
	o->linear = op_linear;
	o->embed = op_embed;
	o->gather = op_gather;
	o->add = op_add;
	o->axpy = op_axpy;
	o->scale = op_scale;
	o->scale_rows = op_scale_rows;
	o->clip = op_clip;
	o->softcap = op_softcap;
	o->scatter = op_scatter;
	o->route = op_route;
	o->rmsnorm = op_rmsnorm;
	o->layernorm = op_layernorm;
	o->rope = op_rope;
	o->kv_write = op_kv_write;
	o->kv_copy = op_kv_copy;
	o->attend = op_attend;
	o->act = op_act;
	o->conv = op_conv;
	o->ssm = op_ssm;
	o->delta = op_delta;
	o->noise = op_noise;
	o->lse = op_lse;
	o->penalise = op_penalise;
	o->sample = op_sample;
}

/* --- opening ----------------------------------------------------------------------------------------------------- */

static double limit(struct device *dev, enum limit what, void *dst, const void *src, size_t work)
{
	struct cuda_device *c = on(dev);
	double done = cuda_limit(c->stream, what, dst, src, work);
	queued(c, "limit");
	return done;
}

static void cuda_close(struct device *dev)
{
	struct cuda_device *c = on(dev);
	if (c->stream)
		cudaStreamSynchronize(c->stream);
	fast_close(c->fast);
	for (int i = 0; i < 2; i++) {
		if (c->half[i].p)
			cudaFreeHost(c->half[i].p);
		if (c->half[i].done)
			cudaEventDestroy(c->half[i].done);
	}
	if (c->scratch)
		cudaFree(c->scratch);
	if (c->stream)
		cudaStreamDestroy(c->stream);
	cudaGetLastError();
	pool_close(c->pool);
	free(c->panels);
	free(c);
}

static int unusable(int index, cudaError_t r, struct err *e)
{
	cudaGetLastError();
	return err_set(e, r == cudaErrorMemoryAllocation ? E_MEMORY : E_DEVICE, "cuda:%d cannot be used: %s (%s)", index,
		       cudaGetErrorString(r), cudaGetErrorName(r));
}

/* Is there a driver, new enough, with a device of this number that this build has kernels for? How many devices there are. */
static int check_driver(int index, struct cudaDeviceProp *p, struct err *e)
{
	int n = 0, driver = 0, runtime = 0;
	cudaError_t r = cudaGetDeviceCount(&n);
	cudaGetLastError();
	if (r == cudaErrorInsufficientDriver) {
		cudaDriverGetVersion(&driver);
		cudaRuntimeGetVersion(&runtime);
		if (!driver)
			return err_set(e, E_DEVICE, "there is no NVIDIA driver on this machine (libcuda.so.1)");
		return err_set(e, E_DEVICE, "the NVIDIA driver is too old: it serves CUDA %d.%d, this program needs %d.%d", driver / 1000,
			       driver % 1000 / 10, runtime / 1000, runtime % 1000 / 10);
	}
	if (r == cudaErrorNoDevice || (r == cudaSuccess && n == 0))
		return err_set(e, E_DEVICE, "there is no CUDA device on this machine");
	if (r != cudaSuccess)
		return err_set(e, E_DEVICE, "CUDA does not start: %s (%s)", cudaGetErrorString(r), cudaGetErrorName(r));
	if (index < 0 || index >= n)
		return err_set(e, E_DEVICE, "there is no device cuda:%d, this machine has %d (the last is cuda:%d)", index, n, n - 1);
	r = cudaGetDeviceProperties(p, index);
	if (r == cudaSuccess && p->major < CAPABILITY)
		return err_set(e, E_DEVICE, "cuda:%d (%.64s) has compute capability %d.%d, this program needs %d.0", index, p->name, p->major,
			       p->minor, CAPABILITY);
	if (r == cudaSuccess)
		return n;
	return unusable(index, r, e);
}

static void describe(char *text, size_t size, int index, const struct cudaDeviceProp *p)
{
	int driver = 0;
	cudaDriverGetVersion(&driver);
	snprintf(text, size, "cuda:%d %.64s, %zu MiB, compute capability %d.%d, CUDA %d.%d", index, p->name, p->totalGlobalMem >> 20, p->major,
		 p->minor, driver / 1000, driver % 1000 / 10);
}

int cuda_device_about(int index, char *text, size_t size, struct err *e)
{
	struct cudaDeviceProp p;
	memset(&p, 0, sizeof p);
	int n = check_driver(index, &p, e);
	if (n > 0)
		describe(text, size, index, &p);
	return n;
}

static cudaError_t open_stream(struct cuda_device *c)
{
	cudaError_t r = cudaStreamCreateWithFlags(&c->stream, cudaStreamNonBlocking);
	for (int i = 0; i < 2 && r == cudaSuccess; i++) {
		r = cudaMallocHost((void **)&c->half[i].p, HALF_BYTES);
		if (r == cudaSuccess)
			r = cudaEventCreateWithFlags(&c->half[i].done, cudaEventDisableTiming);
	}
	return r;
}

int cuda_device_open(struct device **dev, int index, int threads, struct err *e)
{
	struct cudaDeviceProp p;
	memset(&p, 0, sizeof p);
	*dev = nullptr;
	if (check_driver(index, &p, e) < 0)
		return -1;
	struct cuda_device *c = (struct cuda_device *)calloc(1, sizeof *c);
	if (!c)
		return err_set(e, E_MEMORY, "no memory for a device");
	if (pool_open(&c->pool, threads, e) < 0) {
		free(c);
		return -1;
	}
	fill_ops(&c->ops);
	c->base.ops = &c->ops;
	c->base.close = cuda_close;
	c->base.limit = limit;
	c->base.threads = pool_threads(c->pool);
	c->index = index;
	cudaError_t r = cudaSetDevice(index);
	if (r == cudaSuccess)
		r = open_stream(c);
	if (r != cudaSuccess) {
		cuda_close(&c->base);
		return unusable(index, r, e);
	}
	describe(c->base.describe, sizeof c->base.describe, index, &p);
	*dev = &c->base;
	return 0;
}

int cuda_device_fast(struct device *dev, const char *asked, struct err *e)
{
	struct cuda_device *c = on(dev);
	struct cudaDeviceProp p;
	struct fast_machine m = {};
	memset(&p, 0, sizeof p);
	cudaError_t r = cudaGetDeviceProperties(&p, c->index);
	if (r == cudaSuccess)
		r = cudaDriverGetVersion(&m.driver);
	if (r != cudaSuccess)
		return unusable(c->index, r, e);
	m.device = p.name;
	m.arch = 10 * p.major + p.minor;
	m.sms = p.multiProcessorCount;
	m.shared = p.sharedMemPerBlockOptin;
	if (fast_open(&c->fast, dev, c->stream, &m, asked, e) < 0)
		return -1;
	snprintf(dev->numerics, sizeof dev->numerics, "%s", fast_id(c->fast));
	c->ops.linear_init = init_fast;
	c->ops.linear_size = fast_size;
	c->ops.linear_rows = rows_fast;
	c->ops.linear = op_fast;
	return 0;
}
