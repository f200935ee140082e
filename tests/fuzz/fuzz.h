/* fuzz.h - what the fuzz targets share: a folder in memory, files written from the input, inputs of several parts.
 *
 * A target is a file fuzz_x.c with LLVMFuzzerTestOneInput(); `make fuzz` builds each with libFuzzer, AddressSanitizer and
 * UndefinedBehaviorSanitizer and runs it for FUZZ_SECONDS. Errors are what hostile input must give; crashes, leaks, hangs and
 * sanitizer reports are findings.
 */
#ifndef ASSAY_FUZZ_H
#define ASSAY_FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A folder of this process, made once. */
static inline const char *fuzz_dir(void)
{
	static char path[64];
	if (!path[0]) {
		snprintf(path, sizeof path, "%s/assay-fuzz-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
		if (!mkdtemp(path))
			abort();
	}
	return path;
}

static inline void fuzz_put(const char *name, const uint8_t *p, size_t n)
{
	char path[128];
	snprintf(path, sizeof path, "%s/%s", fuzz_dir(), name);
	FILE *f = fopen(path, "wb");
	if (!f || (n && fwrite(p, 1, n, f) != n) || fclose(f))
		abort();
}

/* Cuts a part off the input at the next 0xff byte (which no text of any kind holds); the last part is what is left. */
static inline size_t fuzz_part(const uint8_t **data, size_t *size, const uint8_t **part)
{
	const uint8_t *end = *size ? memchr(*data, 0xff, *size) : NULL;
	size_t n = end ? (size_t)(end - *data) : *size;
	*part = *data;
	*data += end ? n + 1 : n;
	*size -= end ? n + 1 : n;
	return n;
}

#endif
