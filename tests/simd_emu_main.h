/* simd_emu_main.h - the body of test_simd_emu_*.c: a variant of every kernel, compiled over tests/simd_emu.h in the
 * including file as matmul_emu, rowops_emu and recurops_emu, against the scalar definitions, bit for bit.
 */
#include "kernels/isa.h"
#include "tests/check_recur.h"
#include "tests/check_rowops.h"

static void test_rowops_emu(void)
{
	struct rowops c, v;
	rowops_c(&c);
	rowops_c(&v);
	rowops_emu(&v);
	check_rowops(&c, &v, EMU_NAME " emulated", 800);
}

static void test_recur_emu(void)
{
	struct recurops c, v;
	recurops_c(&c);
	recurops_emu(&v);
	check_recur(&c, &v, EMU_NAME " emulated");
}

static void emu_job(struct pool *pool, int m, int n, int k, enum dtype dt, enum fill f, int bias)
{
	size_t ldx = (size_t)k + 2, ldy = (size_t)n + 3, ldw = (size_t)k, size = dtype_size(dt);
	struct guarded x = check_alloc((size_t)m * ldx), a = check_alloc((size_t)m * ldy), b = check_alloc((size_t)m * ldy);
	struct guarded bv = check_alloc((size_t)n);
	struct guarded s = check_alloc(matmul_scratch(&matmul_emu, m, k) + matmul_scratch(&matmul_c, m, k));
	unsigned char *w = malloc((size_t)n * ldw * size);
	void *panels = aligned_alloc(64, (matmul_panel_bytes(dt, n, k) + 63) / 64 * 64);
	if (!w || !panels)
		abort();
	memset(panels, 0, matmul_panel_bytes(dt, n, k));
	check_fill(x.p, x.n, f);
	check_fill(bv.p, bv.n, FILL_PLAIN);
	for (size_t i = 0; i < (size_t)n * ldw; i++) {
		float t = check_value(f);
		uint16_t h = dt == DT_F16 ? f32_to_f16(t) : f32_to_bf16(t);
		memcpy(w + i * size, dt == DT_F32 ? (const void *)&t : (const void *)&h, size);
	}
	matmul_pack_rows(pool, panels, dt, k, 0, w, ldw, n);
	struct matmul_job j = { .y = a.p, .ldy = ldy, .x = x.p, .ldx = ldx, .bias = bias ? bv.p : NULL, .m = m, .n = n, .k = k, .dt = dt,
				.panels = panels };
	matmul(pool, &matmul_c, &j, s.p);
	j.y = b.p;
	matmul(pool, &matmul_emu, &j, s.p);
	CHECK_SAME(a, b, EMU_NAME " emulated matmul %s m=%d n=%d k=%d fill=%d", dtype_name(dt), m, n, k, f);
	CHECK(check_guard(&s), "matmul m=%d k=%d: wrote behind its scratch", m, k);
	free(x.base), free(a.base), free(b.base), free(bv.base), free(s.base), free(w), free(panels);
}

static void test_matmul_emu(void)
{
	static const int ms[] = { 1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 18, 25 }, ns[] = { 1, 7, 15, 16, 17, 31, 32, 33, 65 };
	static const int ks[] = { 1, 2, 3, 64, 255, 256, 257, 600 };
	struct pool *pool = NULL;
	struct err e = { 0 };
	CU_ASSERT_EQUAL_FATAL(pool_open(&pool, 2, &e), 0);
	check_state = test_seed();
	for (int m = 0; m < COUNT(ms); m++)
		for (int n = 0; n < COUNT(ns); n++)
			for (enum dtype dt = 0; dt < DT_COUNT; dt++) {
				enum fill f = check_rand(2) ? FILL_PLAIN : (enum fill)check_rand(FILLS);
				emu_job(pool, ms[m], ns[n], ks[check_rand(COUNT(ks))], dt, f, (int)check_rand(2));
			}
	pool_close(pool);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		{ "row operations give the bits of scalar", test_rowops_emu },
		{ "recurrent layers give the bits of scalar", test_recur_emu },
		{ "linear layers give the bits of scalar", test_matmul_emu },
		{ NULL, NULL },
	};
	return test_main("simd_emu_" EMU_NAME, tests, argc, argv);
}
