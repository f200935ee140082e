/* pool.h - threads with a static partition.
 *
 * pool_run calls fn(ctx, part, nparts) once for every part 0..nparts-1; parts are dealt to threads in order, part p to
 * thread p % threads, so who does what never depends on time. The caller's thread is thread 0 and takes part. Parts own
 * whole outputs: nothing floating is ever combined across parts, so results do not depend on the number of threads.
 * Every thread (the caller for the time of the call) runs with the default floating environment (MXCSR 0x1F80, FPCR 0):
 * a caller that set FTZ or DAZ gets the same bits.
 * Idle workers spin briefly, then sleep on a condition variable.
 */
#ifndef ASSAY_POOL_H
#define ASSAY_POOL_H

#include "kernels/base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

#define POOL_MAX 256

struct pool;
typedef void pool_fn(void *ctx, int part, int nparts);

int pool_open(struct pool **out, int threads, struct err *e); /* threads 0: as many as the process may use */
void pool_close(struct pool *p);
int pool_threads(const struct pool *p);
void pool_run(struct pool *p, pool_fn *fn, void *ctx, int nparts);

/* pool_cpus: processors that this process may use (affinity and cgroup quota), at least 1. */
int pool_cpus(void);

#ifdef __cplusplus
}
#endif

#endif
