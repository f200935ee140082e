/* safetensors.h - the weights of a checkpoint: one or more safetensors files, mapped, every claim of theirs checked.
 *
 * A file is   [8 bytes: header length N, little-endian][N bytes JSON][data]
 *             {"name": {"dtype": "BF16", "shape": [32, 64], "data_offsets": [begin, end]}, ..., "__metadata__": {...}}
 * with offsets relative to the data, which the tensors must cover from the first byte to the last without hole or overlap.
 */
#ifndef ASSAY_SAFETENSORS_H
#define ASSAY_SAFETENSORS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "kernels/base/digest.h"
#include "kernels/base/err.h"
#include "kernels/base/str.h"

/* Every dtype that the format knows; ST_OTHER is a name that it does not (an error only where such a tensor is used). */
enum st_dtype {
	ST_F32, ST_F16, ST_BF16, ST_F64, ST_F8_E4M3, ST_F8_E5M2, ST_F8_E8M0, ST_F8_E4M3FNUZ, ST_F8_E5M2FNUZ, ST_F6_E2M3, ST_F6_E3M2,
	ST_F4, ST_C64, ST_I64, ST_I32, ST_I16, ST_I8, ST_U64, ST_U32, ST_U16, ST_U8, ST_BOOL, ST_OTHER
};

#define ST_MAX_RANK 8
struct tensor {
	struct str name;
	struct str dtype_name;      /* as the file writes it */
	enum st_dtype dtype;
	int rank;
	int64_t shape[ST_MAX_RANK]; /* each >= 0; the product fits int64_t */
	int64_t count;              /* values: product of shape */
	const unsigned char *data;  /* in the mapping, any alignment */
	size_t bytes;
	int file;                   /* index of the file that holds it */
};

struct safetensors;
/* dir: holds model.safetensors, or model.safetensors.index.json and the shards that it names. */
int safetensors_open(struct safetensors **out, const char *dir, struct err *e);
/* One file by its path; for tests and tools. */
int safetensors_open_file(struct safetensors **out, const char *path, struct err *e);
void safetensors_close(struct safetensors *s);

size_t safetensors_count(const struct safetensors *s);
const struct tensor *safetensors_at(const struct safetensors *s, size_t i);           /* in order of names */
const struct tensor *safetensors_find(const struct safetensors *s, struct str name);  /* NULL: none */

int safetensors_files(const struct safetensors *s);
const char *safetensors_path(const struct safetensors *s, int file);                  /* in order of file names */
size_t safetensors_bytes(const struct safetensors *s);                                /* of all files */
/* SHA-256 of a whole file, read through the mapping. False: `stop` (or NULL) became true before the end. */
bool safetensors_digest(const struct safetensors *s, int file, unsigned char out[DIGEST_BYTES], const atomic_bool *stop);

/* Bytes of a mapping that will not be needed soon: their pages may go; reading brings them back. */
void safetensors_release(const unsigned char *p, size_t n);
/* The pages of all mappings may go, and are read in no order from now on; reading brings them back. */
void safetensors_drop(const struct safetensors *s);

/* "[32, 64]" */
const char *tensor_shape_text(const struct tensor *t, char *buf, size_t size);
/* Bits of a value; 0 for ST_OTHER. */
int st_dtype_bits(enum st_dtype t);

#endif
