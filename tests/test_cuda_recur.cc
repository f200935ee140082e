/* test_cuda_recur - recurrent layers of the CUDA device against the scalar CPU device, bit for bit, on the emulator of
 * tests/cuda_emu.h or on a GPU: random calls of every kind, and states wider than a block's shared memory.
 */
#include "kernels/cuda.h"

#include "tests/gpu.h"
#include "tests/gpu_pair.h"
#include "tests/recur_case.h"

static void compare(struct recur_case *c, int k)
{
	struct recur_case a = case_twin(c), b = case_twin(c);
	pair_order(k);
	case_run(cpu, &a);
	case_run(gpu, &b);
	CHECK(case_equal(&a, &b), "case %d: %s: other bits than scalar", k, case_name(c));
	case_twin_free(&a);
	case_twin_free(&b);
}

static void test_random(void)
{
	case_seed = test_seed();
	int all = gpu_cases(210, 12);
	for (int k = 0; k < all; k++) {
		int wild = k / 3 % 3, runs = 1 + case_rand(k % 4 ? 3 : 12), longest = k % 5 ? 6 : 30;
		struct recur_case c = case_make((enum recur_kind)(k % CASE_KINDS), runs, longest, wild);
		compare(&c, k);
		case_free(&c);
	}
}

/* States of which a block holds 32, 16, ... 1 channels, and as many tokens as there is room for. */
static void test_wide(void)
{
	static const int widths[] = { 130, 256, 301, 302, 500, 600, 1100, 1800, 3413 };
	case_seed = test_seed();
	for (int k = 0; k < (int)(sizeof widths / sizeof *widths); k++) {
		struct recur_case c;
		memset(&c, 0, sizeof c);
		int n = widths[k], d = 5 + 30 * (n < 400), rows = 11;
		c.kind = k % 2 ? CASE_DELTA : CASE_SSM;
		c.n = rows;
		c.runs = 1;
		c.slots = 1;
		c.run = case_ints(1), c.from = case_ints(rows), c.to = case_ints(rows);
		c.run[0] = 0, c.run[1] = rows;
		for (int i = 0; i < rows; i++)
			c.from[i] = i ? STATE_CHAIN : 0, c.to[i] = i == rows - 1 ? 0 : -1;
		for (int p = 0; p < 3; p++)
			c.param[p] = case_floats(1, 0), c.params[p] = 1;
		c.param[0][0] = -0.1f;
		c.ssm.heads = c.ssm.groups = 1, c.ssm.d = d, c.ssm.n = n, c.ssm.dt_max = 1.0f;
		c.delta.hk = c.delta.hv = 1, c.delta.dk = n, c.delta.dv = d;
		c.size = (size_t)n * (size_t)d;
		c.in[0] = case_mat(rows, d, 0x7fc00001u, 0);
		c.in[1] = case_mat(rows, n, 0x7fc00001u, 0);
		c.in[2] = case_mat(rows, n, 0x7fc00001u, 0);
		c.in[3] = case_mat(rows, 1, 0x7fc00001u, 0);
		c.in[4] = case_mat(rows, 1, 0x7fc00001u, 0);
		c.y = case_mat(rows, d, CASE_CANARY, 0);
		c.state = case_floats(c.size, 0);
		compare(&c, k);
		case_free(&c);
	}
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "conv, ssm and delta give the bits of scalar", test_random },
		{ "wide states", test_wide },
		{ NULL, NULL },
	};
	return pair_main("cuda_recur", tests, test_seed(), argc, argv);
}
