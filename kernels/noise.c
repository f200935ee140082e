/* noise.c - random weights on the processor: noise.h's values, dealt to threads. */
#include "kernels/noise.h"

struct fill {
	void *p;
	enum dtype dt;
	size_t n;
	uint64_t seed;
	float step;
};

static void fill_part(void *ctx, int part, int nparts)
{
	const struct fill *f = ctx;
	size_t each = f->n / (size_t)nparts, first = each * (size_t)part, last = part == nparts - 1 ? f->n : first + each;
	for (size_t i = first; i < last; i++)
		noise_put(f->p, f->dt, i, f->seed, f->step);
}

void noise_fill(struct pool *pool, void *p, enum dtype dt, size_t n, uint64_t seed, float scale)
{
	struct fill f = { p, dt, n, seed, scale * 0x1p-7f };
	pool_run(pool, fill_part, &f, n < 65536 ? 1 : pool_threads(pool));
}
