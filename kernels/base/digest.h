/* digest.h - SHA-256 (libcrypto's EVP), hex, and digests of files. */
#ifndef ASSAY_DIGEST_H
#define ASSAY_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/base/err.h"
#include "kernels/base/str.h"

#define DIGEST_BYTES 32
#define DIGEST_HEX 65 /* with the NUL */

struct digest; /* a running SHA-256 */
struct digest *digest_new(void);
void digest_add(struct digest *d, const void *p, size_t n);
/* Length-prefixed fields, so that ("ab","c") and ("a","bc") differ: 8 bytes little-endian length, then the bytes. */
void digest_field(struct digest *d, const void *p, size_t n);
void digest_u64(struct digest *d, uint64_t v); /* 8 bytes little-endian */
void digest_end(struct digest *d, unsigned char out[DIGEST_BYTES]); /* frees d */

void digest_of(const void *p, size_t n, unsigned char out[DIGEST_BYTES]);
void digest_hex(const unsigned char d[DIGEST_BYTES], char hex[DIGEST_HEX]);
int digest_unhex(const char *hex, unsigned char d[DIGEST_BYTES]); /* -1 when it is not 64 hex digits */
int digest_file(const char *path, unsigned char out[DIGEST_BYTES], struct err *e);

#endif
