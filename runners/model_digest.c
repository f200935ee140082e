/* model_digest.c - the digest of a model: SHA-256 over that of its configuration and those of its files, whole, in order of names.
 *
 * Where the device has threads to spare it is computed by one of its own while weights are packed, so that both go over a file while its
 * pages are there: a file larger than memory is read from the disk about once, and neither waits for the other. A load that
 * fails stops it.
 */
#include "runners/model_digest.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "kernels/base/arena.h"

struct model_digest {
	const struct safetensors *files;
	unsigned char (*sum)[DIGEST_BYTES]; /* [files] */
	atomic_bool stop;
	bool threaded;
	pthread_t thread;
};

static void *compute(void *arg)
{
	struct model_digest *d = arg;
	for (int i = 0; i < safetensors_files(d->files); i++)
		if (!safetensors_digest(d->files, i, d->sum[i], &d->stop))
			break;
	return NULL;
}

struct model_digest *model_digest_start(const struct safetensors *files, bool thread)
{
	struct model_digest *d = xcalloc(1, sizeof *d);
	d->files = files;
	d->sum = xcalloc((size_t)safetensors_files(files) + 1, sizeof *d->sum);
	d->threaded = thread && pthread_create(&d->thread, NULL, compute, d) == 0;
	return d;
}

void model_digest_end(struct model_digest *d, const unsigned char config[DIGEST_BYTES], unsigned char out[DIGEST_BYTES])
{
	if (!out)
		atomic_store(&d->stop, true);
	if (d->threaded)
		pthread_join(d->thread, NULL);
	else if (out)
		compute(d);
	if (out) {
		struct digest *all = digest_new();
		digest_add(all, config, DIGEST_BYTES);
		for (int i = 0; i < safetensors_files(d->files); i++)
			digest_add(all, d->sum[i], DIGEST_BYTES);
		digest_end(all, out);
	}
	free(d->sum);
	free(d);
}
