/* digest.c - SHA-256 through libcrypto's EVP interface. */
#include "kernels/base/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "kernels/base/arena.h"

struct digest {
	EVP_MD_CTX *ctx;
};

/* libcrypto fails only when memory runs out or SHA-256 is missing from the build: both end the program. */
static void must(int ok)
{
	if (!ok) {
		fprintf(stderr, "assay: libcrypto has no SHA-256\n");
		exit(1);
	}
}

struct digest *digest_new(void)
{
	struct digest *d = xmalloc(sizeof *d);
	d->ctx = EVP_MD_CTX_new();
	must(d->ctx != NULL && EVP_DigestInit_ex(d->ctx, EVP_sha256(), NULL) == 1);
	return d;
}

void digest_add(struct digest *d, const void *p, size_t n)
{
	if (n)
		must(EVP_DigestUpdate(d->ctx, p, n) == 1);
}

void digest_u64(struct digest *d, uint64_t v)
{
	unsigned char b[8];
	for (int i = 0; i < 8; i++)
		b[i] = (unsigned char)(v >> (8 * i));
	digest_add(d, b, sizeof b);
}

void digest_field(struct digest *d, const void *p, size_t n)
{
	digest_u64(d, n);
	digest_add(d, p, n);
}

void digest_end(struct digest *d, unsigned char out[DIGEST_BYTES])
{
	unsigned n = DIGEST_BYTES;
	must(EVP_DigestFinal_ex(d->ctx, out, &n) == 1);
	EVP_MD_CTX_free(d->ctx);
	free(d);
}

void digest_of(const void *p, size_t n, unsigned char out[DIGEST_BYTES])
{
	struct digest *d = digest_new();
	digest_add(d, p, n);
	digest_end(d, out);
}

void digest_hex(const unsigned char d[DIGEST_BYTES], char hex[DIGEST_HEX])
{
	static const char digits[] = "0123456789abcdef";
	for (int i = 0; i < DIGEST_BYTES; i++) {
		hex[2 * i] = digits[d[i] >> 4];
		hex[2 * i + 1] = digits[d[i] & 15];
	}
	hex[2 * DIGEST_BYTES] = 0;
}

int digest_unhex(const char *hex, unsigned char d[DIGEST_BYTES])
{
	for (int i = 0; i < 2 * DIGEST_BYTES; i++) {
		char c = hex[i];
		int v = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
		if (v < 0)
			return -1;
		d[i / 2] = (unsigned char)(i % 2 ? d[i / 2] | v : v << 4);
	}
	return hex[2 * DIGEST_BYTES] ? -1 : 0;
}

int digest_file(const char *path, unsigned char out[DIGEST_BYTES], struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(e, E_IO, "%s", path);
	size_t size = (size_t)1 << 20;
	char *block = xmalloc(size);
	struct digest *d = digest_new();
	ssize_t n;
	while ((n = read(fd, block, size)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break;
		digest_add(d, block, (size_t)n);
	}
	int saved = errno;
	free(block);
	close(fd);
	digest_end(d, out);
	if (n < 0) {
		errno = saved;
		return err_errno(e, E_IO, "%s", path);
	}
	return 0;
}
