/* recur_case.h - random calls of conv, ssm and delta as plain host arrays, and one of them carried out on a device: for test_recur.c and
 * test_cuda_recur.cc (so it is C and C++).
 *
 * Every run has two slots of its own to write, and may start from the first of them, from a slot that all may read, or from nothing.
 * What lies between the rows of inputs is NaN, between those of y a canary. A shallow copy with other rows is a case too.
 */
#ifndef ASSAY_RECUR_CASE_H
#define ASSAY_RECUR_CASE_H

#include <stdlib.h>
#include <string.h>

#include "kernels/base/half.h"
#include "kernels/ops.h"
#include "tests/test.h"

#define CASE_CANARY 0xdeadbeefu
#define CASE_READABLE 2 /* slots for all, the last ones */

enum recur_kind { CASE_CONV, CASE_SSM, CASE_DELTA, CASE_KINDS };

struct recur_case {
	enum recur_kind kind;
	struct conv conv; /* pointers of all three: host */
	struct ssm ssm;
	struct delta delta;
	int n, runs, slots;
	int32_t *run, *from, *to;
	struct mat y, in[5]; /* host: x or v, B or k, C or q, dt or alpha, beta */
	float *param[3];     /* conv: w, b; else a, dt_bias, skip */
	size_t params[3];
	float *state;
	size_t size;
};

static unsigned long long case_seed;

static inline int case_rand(int n) /* 0..n-1 */
{
	return (int)((test_rand(&case_seed) >> 33) % (unsigned)n);
}

static inline float case_value(int wild)
{
	static const uint32_t odd[] = { 0x80000000u, 0u, 1u, 0x80000001u, 0x007fffffu, 0x7f7fffffu, 0xff800000u, 0x7f800000u, 0xffabcdefu };
	float s = 0.0f;
	for (int i = 0; i < 4; i++)
		s += (float)case_rand(1 << 22) * 0x1p-21f - 1.0f;
	if (wild > 1 && !case_rand(4))
		return f32_of_bits((uint32_t)test_rand(&case_seed));
	return wild && !case_rand(60) ? f32_of_bits(odd[case_rand((int)(sizeof odd / sizeof *odd))]) : s;
}

static inline float *case_floats(size_t n, int wild)
{
	float *p = (float *)malloc((n + 1) * sizeof *p);
	if (!p)
		abort();
	for (size_t i = 0; i < n; i++)
		p[i] = case_value(wild);
	return p;
}

static inline int32_t *case_ints(int n)
{
	int32_t *p = (int32_t *)malloc(((size_t)n + 1) * sizeof *p);
	if (!p)
		abort();
	return p;
}

static inline struct mat case_mat(int n, int d, uint32_t gap, int wild)
{
	size_t ld = (size_t)(d + case_rand(7));
	float *p = case_floats((size_t)n * ld, wild);
	for (int i = 0; i < n; i++)
		for (size_t j = (size_t)d; j < ld; j++)
			p[(size_t)i * ld + j] = f32_of_bits(gap);
	struct mat m = { p, n, d, ld };
	return m;
}

static inline void case_runs(struct recur_case *c)
{
	c->slots = 2 * c->runs + CASE_READABLE;
	for (int r = 0; r < c->runs; r++) {
		int kind = case_rand(3);
		for (int i = c->run[r]; i < c->run[r + 1]; i++) {
			c->from[i] = STATE_CHAIN;
			c->to[i] = case_rand(8) ? -1 : 2 * r + case_rand(2);
		}
		c->from[c->run[r]] = kind == 0 ? STATE_ZERO : kind == 1 ? 2 * r : c->slots - 1 - case_rand(CASE_READABLE);
		if (case_rand(6))
			c->to[c->run[r + 1] - 1] = 2 * r;
	}
}

/* Decays and steps as models have them, unless wild. */
static inline void case_params(struct recur_case *c, int heads, int wild)
{
	for (int k = 0; k < 3; k++) {
		c->params[k] = (size_t)heads;
		c->param[k] = case_floats((size_t)heads, wild);
	}
	for (int h = 0; h < heads && !wild; h++)
		c->param[0][h] = -0.01f - 0.01f * (float)case_rand(300);
}

static inline struct recur_case case_make(enum recur_kind kind, int runs, int longest, int wild)
{
	static const int widths[] = { 1, 2, 3, 5, 8, 15, 16, 17, 31, 33, 64, 65, 100, 128, 130 }, states[] = { 1, 2, 3, 7, 16, 33, 64 };
	struct recur_case c;
	memset(&c, 0, sizeof c);
	int d = widths[case_rand(15)], n = states[case_rand(7)], groups = 1 + case_rand(2), heads = groups * (1 + case_rand(3)), all = heads * d;
	c.kind = kind;
	c.runs = runs;
	c.run = case_ints(runs);
	for (int r = 0; r < runs; r++) {
		c.run[r] = c.n;
		c.n += 1 + case_rand(longest);
	}
	c.run[runs] = c.n;
	c.from = case_ints(c.n);
	c.to = case_ints(c.n);
	case_runs(&c);
	if (kind == CASE_CONV) {
		int width = 2 + case_rand(7);
		all = case_rand(3) ? d : 200 + case_rand(400);
		c.params[0] = (size_t)width * (size_t)all;
		c.params[1] = case_rand(2) ? (size_t)all : 0;
		c.param[0] = case_floats(c.params[0], wild);
		c.param[1] = c.params[1] ? case_floats(c.params[1], wild) : NULL;
		c.conv.d = all;
		c.conv.width = width;
		c.conv.silu = case_rand(2);
		c.size = conv_state(&c.conv);
	} else {
		case_params(&c, heads, wild);
		c.in[1] = case_mat(c.n, groups * n, 0x7fc00001u, wild);
		c.in[2] = case_mat(c.n, groups * n, 0x7fc00001u, wild);
		c.in[3] = case_mat(c.n, heads, 0x7fc00001u, wild);
	}
	if (kind == CASE_SSM) {
		static const float limits[3][2] = { { 0.0f, 1e30f }, { 0.001f, 0.1f }, { 0.2f, 0.9f } };
		int limit = case_rand(3);
		c.ssm.heads = heads, c.ssm.d = d, c.ssm.n = n, c.ssm.groups = groups;
		c.ssm.dt_min = limits[limit][0], c.ssm.dt_max = limit ? limits[limit][1] : f32_of_bits(0x7f800000u);
		c.size = ssm_state(&c.ssm);
		if (case_rand(2)) { /* no skip */
			free(c.param[2]);
			c.param[2] = NULL, c.params[2] = 0;
		}
		if (!case_rand(4)) { /* decays as they are */
			free(c.in[3].p);
			memset(&c.in[3], 0, sizeof c.in[3]);
			for (int h = 0; h < heads && !wild; h++)
				c.param[0][h] = 0.5f + 0.001f * (float)case_rand(500);
		}
	} else if (kind == CASE_DELTA) {
		c.delta.hk = groups, c.delta.hv = heads, c.delta.dk = n, c.delta.dv = d;
		c.size = delta_state(&c.delta);
		c.in[4] = case_mat(c.n, heads, 0x7fc00001u, wild);
	}
	c.in[0] = case_mat(c.n, all, 0x7fc00001u, wild);
	c.y = case_mat(c.n, all, CASE_CANARY, 0);
	c.state = case_floats((size_t)c.slots * c.size, wild);
	if (kind == CASE_DELTA && !wild) /* keys as they come: of length 1, so that states stay bounded */
		for (size_t i = 0; i < (size_t)c.n * c.in[1].ld; i++)
			c.in[1].p[i] *= n > 16 ? 0.1f : 0.2f;
	return c;
}

static inline void case_free(struct recur_case *c)
{
	for (int k = 0; k < 5; k++)
		free(c->in[k].p);
	for (int k = 0; k < 3; k++)
		free(c->param[k]);
	free(c->run), free(c->from), free(c->to), free(c->y.p), free(c->state);
}

static inline void *case_up(struct device *dev, const void *host, size_t bytes)
{
	const struct ops *o = device_ops(dev);
	struct err e;
	memset(&e, 0, sizeof e);
	void *p = host ? o->alloc(dev, bytes, &e) : NULL;
	if (host && !p) {
		printf("%s\n", e.msg);
		exit(99);
	}
	if (host)
		o->put(dev, p, host, bytes);
	return p;
}

static inline size_t case_bytes(struct mat m)
{
	return m.n ? ((size_t)(m.n - 1) * m.ld + (size_t)m.d) * sizeof(float) : 0;
}

/* Carries the case out: y and the states it leaves go to the host arrays of the case. -1 when the device says no. */
static inline int case_run(struct device *dev, struct recur_case *c)
{
	const struct ops *o = device_ops(dev);
	struct mat in[5], y = c->y;
	float *param[3];
	struct err e;
	memset(&e, 0, sizeof e);
	for (int k = 0; k < 5; k++) {
		in[k] = c->in[k];
		in[k].n = in[k].p ? c->n : 0;
		in[k].p = (float *)case_up(dev, in[k].p, case_bytes(in[k]));
	}
	for (int k = 0; k < 3; k++)
		param[k] = (float *)case_up(dev, c->param[k], c->params[k] * sizeof(float));
	y.n = c->n;
	y.p = (float *)case_up(dev, y.p, case_bytes(y));
	struct states s = { (float *)case_up(dev, c->state, (size_t)c->slots * c->size * sizeof(float)), c->size, c->slots };
	int32_t *run = (int32_t *)case_up(dev, c->run, ((size_t)c->runs + 1) * sizeof(int32_t));
	int32_t *from = (int32_t *)case_up(dev, c->from, (size_t)c->n * sizeof(int32_t)), *to = (int32_t *)case_up(dev, c->to, (size_t)c->n * sizeof(int32_t));
	struct batch b;
	memset(&b, 0, sizeof b);
	b.n = c->n, b.run = run, b.from = from, b.to = to, b.runs = c->runs;
	struct conv conv = c->conv;
	struct ssm ssm = c->ssm;
	struct delta delta = c->delta;
	conv.w = param[0], conv.b = param[1];
	ssm.a = delta.a = param[0];
	ssm.dt_bias = delta.dt_bias = param[1];
	ssm.skip = param[2];
	if (c->kind == CASE_CONV)
		o->conv(dev, y, in[0], &conv, &s, &b);
	else if (c->kind == CASE_SSM)
		o->ssm(dev, y, in[0], in[1], in[2], in[3], &ssm, &s, &b);
	else
		o->delta(dev, y, in[2], in[1], in[0], in[3], in[4], &delta, &s, &b);
	o->get(dev, c->y.p, y.p, case_bytes(y));
	o->get(dev, c->state, s.p, (size_t)c->slots * c->size * sizeof(float));
	int rc = o->sync(dev, &e);
	CHECK(rc == 0, "%s", e.msg);
	for (int k = 0; k < 5; k++)
		o->release(dev, in[k].p);
	for (int k = 0; k < 3; k++)
		o->release(dev, param[k]);
	o->release(dev, y.p), o->release(dev, s.p), o->release(dev, run), o->release(dev, from), o->release(dev, to);
	return rc;
}

/* The same case with y and states of its own. */
static inline struct recur_case case_twin(const struct recur_case *c)
{
	struct recur_case t = *c;
	size_t states = (size_t)c->slots * c->size * sizeof(float);
	t.y.p = (float *)malloc((size_t)c->n * c->y.ld * sizeof(float) + 4);
	t.state = (float *)malloc(states + 4);
	if (!t.y.p || !t.state)
		abort();
	memcpy(t.y.p, c->y.p, (size_t)c->n * c->y.ld * sizeof(float));
	memcpy(t.state, c->state, states);
	return t;
}

static inline void case_twin_free(struct recur_case *t)
{
	free(t->y.p), free(t->state);
}

static inline int case_equal(const struct recur_case *a, const struct recur_case *b)
{
	return !memcmp(a->y.p, b->y.p, (size_t)a->n * a->y.ld * sizeof(float)) && !memcmp(a->state, b->state, (size_t)a->slots * a->size * sizeof(float));
}

static inline const char *case_name(const struct recur_case *c)
{
	static char text[200];
	snprintf(text, sizeof text, "%s of %d rows in %d runs, width %d, %d x %d, state %d", c->kind == CASE_CONV ? "conv" : c->kind == CASE_SSM ? "ssm" : "delta",
		 c->n, c->runs, c->conv.width, c->ssm.heads + c->delta.hv, c->conv.d + c->ssm.d + c->delta.dv, c->ssm.n + c->delta.dk);
	return text;
}

#endif
