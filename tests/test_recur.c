/* test_recur - recurrent layers: against straightforward references in double, the same bits for any number of threads, any
 * instruction set and any way of cutting a sequence into calls, slots, and the edges that ops.h fixes.
 */
#include "tests/recur_case.h"

#include "kernels/base/dmath.h"
#include "kernels/exactmath.h"
#include "tests/check_recur.h"

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

static const struct {
	enum cpu_level level;
	void (*fill)(struct recurops *);
} levels[] = {
#ifdef HAVE_NEON
	{ CPU_NEON, recurops_neon },
#endif
#ifdef HAVE_AVX2
	{ CPU_AVX2, recurops_avx2 },
#endif
#ifdef HAVE_AVX512
	{ CPU_AVX512, recurops_avx512 },
#endif
	{ CPU_SCALAR, recurops_c },
};

static void test_levels(void)
{
	for (int i = 0; i < COUNT(levels); i++) {
		struct recurops c, v;
		recurops_c(&c);
		if (!cpu_has(levels[i].level)) {
			SKIP("%s: not offered by this machine", cpu_level_name(levels[i].level));
			continue;
		}
		levels[i].fill(&v);
		check_recur(&c, &v, cpu_level_name(levels[i].level));
	}
}

static struct device *open_with(int threads, enum cpu_level level)
{
	struct device *d = NULL;
	struct err e = { 0 };
	int rc = device_open(&d, &(struct device_opts){ .name = "cpu", .threads = threads, .max_level = level }, &e);
	CHECK(rc == 0, "%s", e.msg);
	CU_ASSERT_PTR_NOT_NULL_FATAL(d);
	return d;
}

/* --- references in double ---------------------------------------------------------------------------------------- */

static double sigmoid(double x)
{
	return 1.0 / (1.0 + dm_exp(-x));
}

static double softplus(double x)
{
	return x > 20.0 ? x : dm_log1p(dm_exp(x));
}

static double at(struct mat m, int row, int i)
{
	return m.p[(size_t)row * m.ld + (size_t)i];
}

/* y of run r in double, [rows][y.d], and the state after its last row, from the states at `state`. */
static void conv_ref(const struct recur_case *c, int r, const float *state, double *y, double *left)
{
	int first = c->run[r], rows = c->run[r + 1] - first, back = c->conv.width - 1, d = c->conv.d;
	for (int i = 0; i < d; i++) {
		double *x = malloc((size_t)(rows + back) * sizeof *x);
		for (int t = 0; t < rows + back; t++)
			x[t] = t >= back ? at(c->in[0], first + t - back, i) : c->from[first] < 0 ? 0 : state[(size_t)c->from[first] * c->size + (size_t)(t * d + i)];
		for (int t = 0; t < rows; t++) {
			double s = c->param[1] ? c->param[1][i] : 0;
			for (int j = 0; j <= back; j++)
				s += x[t + j] * (double)c->param[0][j * d + i];
			y[(size_t)t * (size_t)d + (size_t)i] = c->conv.silu ? s * sigmoid(s) : s;
		}
		for (int t = 0; t < back; t++)
			left[t * d + i] = x[rows + t];
		free(x);
	}
}

static void head_ref(const struct recur_case *c, int r, const float *state, double *y, double *S)
{
	int ssm = c->kind == CASE_SSM, first = c->run[r], last = c->run[r + 1];
	int heads = ssm ? c->ssm.heads : c->delta.hv, groups = ssm ? c->ssm.groups : c->delta.hk;
	int d = ssm ? c->ssm.d : c->delta.dv, n = ssm ? c->ssm.n : c->delta.dk;
	for (size_t i = 0; i < c->size; i++)
		S[i] = c->from[first] < 0 ? 0 : state[(size_t)c->from[first] * c->size + i];
	for (int t = first; t < last; t++)
		for (int h = 0; h < heads; h++, y += d) {
			double *s = S + (size_t)h * (size_t)n * (size_t)d, a = c->param[0][h], g = a, b = 1;
			int k0 = h / (heads / groups) * n;
			if (c->in[3].p) {
				double step = softplus(at(c->in[3], t, h) + (double)c->param[1][h]);
				if (ssm)
					b = step = step < c->ssm.dt_min ? c->ssm.dt_min : step > c->ssm.dt_max ? c->ssm.dt_max : step;
				g = dm_exp(a * step);
			}
			for (int i = 0; i < d; i++) {
				double v = at(c->in[0], t, h * d + i), m = 0, sum = ssm && c->param[2] ? c->param[2][h] * v : 0;
				for (int j = 0; j < n; j++) {
					s[j * d + i] *= g;
					m += s[j * d + i] * at(c->in[1], t, k0 + j);
				}
				double u = ssm ? b * v : sigmoid(at(c->in[4], t, h)) * (v - m);
				for (int j = 0; j < n; j++) {
					s[j * d + i] += u * at(c->in[1], t, k0 + j);
					sum += s[j * d + i] * at(c->in[2], t, k0 + j);
				}
				y[i] = sum;
			}
		}
}

static double largest_error(const double *want, const float *got, size_t n, double *top)
{
	double worst = 0;
	for (size_t i = 0; i < n; i++) {
		double e = (double)got[i] - want[i], w = want[i] < 0 ? -want[i] : want[i];
		e = e < 0 ? -e : e;
		worst = e > worst || e != e ? e : worst;
		*top = w > *top ? w : *top;
	}
	return worst;
}

static void test_reference(void)
{
	struct device *dev = open_with(2, cpu_best());
	double worst = 0;
	case_seed = test_seed();
	for (int k = 0; k < 240; k++) {
		struct recur_case c = case_make((enum recur_kind)(k % CASE_KINDS), 1 + case_rand(3), k % 9 ? 9 : 120, 0), t = case_twin(&c);
		size_t d = (size_t)c.y.d;
		case_run(dev, &t);
		for (int r = 0; r < c.runs; r++) {
			int rows = c.run[r + 1] - c.run[r];
			double *y = calloc((size_t)rows * d, sizeof *y), *s = calloc(c.size + 1, sizeof *s), top = 1e-3, error = 0, stop = 1e-3;
			(c.kind == CASE_CONV ? conv_ref : head_ref)(&c, r, c.state, y, s);
			for (int i = 0; i < rows; i++) {
				double e = largest_error(y + (size_t)i * d, t.y.p + (size_t)(c.run[r] + i) * t.y.ld, d, &top);
				error = e > error ? e : error;
			}
			CHECK(error <= 4e-6 * top, "%s: y is off by %g, the largest is %g", case_name(&c), error, top);
			worst = error / top > worst ? error / top : worst;
			int slot = c.to[c.run[r + 1] - 1];
			if (slot >= 0) {
				error = largest_error(s, t.state + (size_t)slot * c.size, c.size, &stop);
				CHECK(error <= 4e-6 * stop, "%s: the state is off by %g, the largest is %g", case_name(&c), error, stop);
			}
			free(y), free(s);
		}
		case_twin_free(&t);
		case_free(&c);
	}
	printf("[largest error %.2g of the largest value] ", worst);
	device_close(dev);
}

/* --- the same bits ----------------------------------------------------------------------------------------------- */

static void test_deal(void)
{
	struct device *one = open_with(1, CPU_SCALAR), *other[4] = { open_with(2, cpu_best()), open_with(3, cpu_best()), open_with(1, cpu_best()), open_with(2, CPU_SCALAR) };
	case_seed = test_seed();
	for (int k = 0; k < 180; k++) {
		int wild = k / 3 % 3, longest = k % 5 ? 7 : 90;
		struct recur_case c = case_make((enum recur_kind)(k % CASE_KINDS), 1 + case_rand(k % 4 ? 3 : 40), longest, wild), t = case_twin(&c);
		case_run(one, &t);
		for (int i = 0; i < c.n; i++)
			CHECK(check_canonical(t.y.p + (size_t)i * t.y.ld, (size_t)t.y.d), "%s: NaN not canonical", case_name(&c));
		for (int j = 0; j < 4; j++) {
			struct recur_case u = case_twin(&c);
			case_run(other[j], &u);
			CHECK(case_equal(&t, &u), "%s: other bits on %s", case_name(&c), device_describe(other[j]));
			case_twin_free(&u);
		}
		case_twin_free(&t);
		case_free(&c);
	}
	device_close(one);
	for (int j = 0; j < 4; j++)
		device_close(other[j]);
}

/* Rows [first, first + rows) of c as a call of their own: one run from slot `from` to slot `to`. */
static void piece(struct device *dev, const struct recur_case *c, int first, int rows, int from, int to)
{
	struct recur_case p = *c;
	int32_t run[2] = { 0, rows }, *f = case_ints(rows), *t = case_ints(rows);
	for (int i = 0; i < rows; i++) {
		f[i] = STATE_CHAIN;
		t[i] = -1;
	}
	f[0] = from;
	t[rows - 1] = to;
	p.n = rows;
	p.runs = 1;
	p.run = run, p.from = f, p.to = t;
	p.y.p += (size_t)first * p.y.ld;
	for (int k = 0; k < 5; k++)
		if (p.in[k].p)
			p.in[k].p += (size_t)first * p.in[k].ld;
	case_run(dev, &p);
	free(f), free(t);
}

/* One sequence whole, in two calls cut at every place, and token by token; and as runs side by side in one call. */
static void test_cuts(void)
{
	struct device *dev = open_with(2, cpu_best());
	case_seed = test_seed();
	for (int k = 0; k < 30; k++) {
		struct recur_case c = case_make((enum recur_kind)(k % CASE_KINDS), 1, 24, k / 3 % 3);
		struct recur_case whole = case_twin(&c), t = case_twin(&c);
		piece(dev, &whole, 0, c.n, STATE_ZERO, 0);
		for (int cut = 1; cut < c.n; cut++) {
			piece(dev, &t, 0, cut, STATE_ZERO, 1);
			piece(dev, &t, cut, c.n - cut, 1, 0);
			memcpy(t.state + c.size, whole.state + c.size, c.size * sizeof(float));
			CHECK(case_equal(&whole, &t), "%s: cut at %d gives other bits", case_name(&c), cut);
		}
		for (int i = 0; i < c.n; i++)
			piece(dev, &t, i, 1, i ? 0 : STATE_ZERO, 0);
		CHECK(case_equal(&whole, &t), "%s: token by token gives other bits", case_name(&c));
		/* its rows from the middle on as runs of one call, each from the state before it: states are kept by the way */
		struct recur_case s = case_twin(&c);
		for (int i = 0; i < c.n; i++) {
			s.from[i] = i ? STATE_CHAIN : STATE_ZERO;
			s.to[i] = i % 2; /* the last one written stays */
		}
		case_run(dev, &s);
		CHECK(!memcmp(s.y.p, whole.y.p, (size_t)c.n * c.y.ld * sizeof(float)), "%s: slots by the way change y", case_name(&c));
		CHECK(!memcmp(s.state + (size_t)((c.n - 1) % 2) * c.size, whole.state, c.size * sizeof(float)), "%s: the last slot", case_name(&c));
		case_twin_free(&s);
		case_twin_free(&whole);
		case_twin_free(&t);
		case_free(&c);
	}
	device_close(dev);
}

/* Several runs in one call and each alone; slots that nobody writes stay. */
static void test_runs(void)
{
	struct device *dev = open_with(2, cpu_best());
	case_seed = test_seed();
	for (int k = 0; k < 60; k++) {
		struct recur_case c = case_make((enum recur_kind)(k % CASE_KINDS), 2 + case_rand(6), 9, k / 3 % 3), t = case_twin(&c), u = case_twin(&c);
		for (int i = 0; i < c.n; i++)
			c.to[i] = -1;
		for (int r = 0; r < c.runs; r++)
			c.to[c.run[r + 1] - 1] = 2 * r;
		case_run(dev, &t);
		for (int r = c.runs; r-- > 0; )
			piece(dev, &u, c.run[r], c.run[r + 1] - c.run[r], c.from[c.run[r]], 2 * r);
		CHECK(case_equal(&t, &u), "%s: runs side by side and alone differ", case_name(&c));
		for (int s = 0; s < c.slots; s++)
			if (s % 2 || s >= 2 * c.runs)
				CHECK(!memcmp(t.state + (size_t)s * c.size, c.state + (size_t)s * c.size, c.size * sizeof(float)), "%s: slot %d changed", case_name(&c), s);
		case_twin_free(&t), case_twin_free(&u);
		case_free(&c);
	}
	device_close(dev);
}

/* --- edges ------------------------------------------------------------------------------------------------------- */

/* One head, one channel, a state of one: every operation can be followed by hand. */
static void test_edges(void)
{
	struct device *dev = open_with(1, cpu_best());
	const struct ops *o = device_ops(dev);
	/* softplus(30) = 30; softplus = 0, clamped to dt_min: nothing decays; a NaN stays one, canonical */
	float x[3] = { 1, 2, 0 }, dt[3] = { 30, -200, f32_of_bits(0xffc12345u) };
	float one[3] = { 1, 1, 1 }, y[3], state[1] = { 8 }, a = -0.5f, zero = 0, skip = 3;
	int32_t run[2] = { 0, 3 }, from[3] = { 0, STATE_CHAIN, STATE_CHAIN }, to[3] = { -1, -1, 0 };
	struct ssm c = { .heads = 1, .d = 1, .n = 1, .groups = 1, .a = &a, .dt_bias = &zero, .skip = &skip, .dt_min = 0.0f, .dt_max = 100.0f };
	struct states s = { state, 1, 1 };
	struct batch b = { .n = 3, .run = run, .from = from, .to = to, .runs = 1 };
	struct mat mx = { x, 3, 1, 1 }, mt = { dt, 3, 1, 1 }, mo = { one, 3, 1, 1 }, my = { y, 3, 1, 1 };
	o->ssm(dev, my, mx, mo, mo, mt, &c, &s, &b);
	float g = xm_exp(-15.0f), first = xfmaf(g, 8.0f, 30.0f);
	CHECK(y[0] == xfmaf(3.0f, 1.0f, first), "y %a", (double)y[0]);
	CHECK(y[1] == xfmaf(3.0f, 2.0f, first), "without a step the state stays: %a", (double)y[1]);
	CHECK(f32_bits(y[2]) == 0x7fc00000u && f32_bits(state[0]) == 0x7fc00000u, "NaN");
	/* no dt: a is the decay itself, x what is added; skip is not asked for */
	c.skip = NULL;
	a = 0.25f;
	state[0] = 8;
	x[2] = 4;
	o->ssm(dev, my, mx, mo, mo, (struct mat){ 0 }, &c, &s, &b);
	CHECK(y[0] == 3.0f && y[1] == 2.75f && y[2] == 4.6875f && state[0] == 4.6875f, "lightning: %g %g %g", (double)y[0], (double)y[1], (double)y[2]);
	/* nothing to do */
	o->ssm(dev, (struct mat){ NULL, 0, 1, 1 }, (struct mat){ NULL, 0, 1, 1 }, (struct mat){ 0 }, (struct mat){ 0 }, (struct mat){ 0 }, &c, &s, &(struct batch){ 0 });
	/* delta: g = 1 (a = 0), beta 0: half of the error is learnt */
	float k = 1, q = 2, v = 6, alpha = 5, beta = 0;
	a = 0;
	state[0] = 2;
	b.n = run[1] = 1;
	to[0] = 0;
	struct delta dl = { 1, 1, 1, 1, &a, &zero };
	o->delta(dev, (struct mat){ y, 1, 1, 1 }, (struct mat){ &q, 1, 1, 1 }, (struct mat){ &k, 1, 1, 1 }, (struct mat){ &v, 1, 1, 1 },
		 (struct mat){ &alpha, 1, 1, 1 }, (struct mat){ &beta, 1, 1, 1 }, &dl, &s, &b);
	CHECK(y[0] == 8.0f && state[0] == 4.0f, "delta: %g, state %g", (double)y[0], (double)state[0]);
	/* conv of width 2 from nothing: w[0] meets a zero, which an infinite weight turns into NaN */
	float w[2] = { f32_of_bits(0x7f800000u), 2.0f };
	struct conv cv = { 1, 2, w, NULL, 0 };
	from[0] = STATE_ZERO;
	o->conv(dev, (struct mat){ y, 1, 1, 1 }, mx, &cv, &s, &(struct batch){ .n = 0 });
	o->conv(dev, (struct mat){ y, 1, 1, 1 }, (struct mat){ x, 1, 1, 1 }, &cv, &s, &b);
	CHECK(f32_bits(y[0]) == 0x7fc00000u && state[0] == 1.0f, "conv: %g, state %g", (double)y[0], (double)state[0]);
	w[0] = -1;
	from[0] = 0;
	x[0] = 5;
	o->conv(dev, (struct mat){ y, 1, 1, 1 }, (struct mat){ x, 1, 1, 1 }, &cv, &s, &b);
	CHECK(y[0] == 9.0f && state[0] == 5.0f, "conv: %g, state %g", (double)y[0], (double)state[0]);
	struct err e = { 0 };
	CU_ASSERT_EQUAL(o->sync(dev, &e), 0);
	device_close(dev);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "every instruction set gives the bits of scalar", test_levels },
		{ "against references in double", test_reference },
		{ "threads and instruction sets change no bit", test_deal },
		{ "a sequence cut anywhere gives the same bits", test_cuts },
		{ "runs side by side and alone", test_runs },
		{ "edges", test_edges },
		{ NULL, NULL },
	};
	return test_main("recur", tests, argc, argv);
}
