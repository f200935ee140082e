/* base64.c - see base64.h. */
#include <openssl/evp.h>

#include "runners/text/base64.h"

int base64_decode(struct arena *a, struct str s, struct str *out)
{
	size_t pad = s.n && s.p[s.n - 1] == '=' ? s.n > 1 && s.p[s.n - 2] == '=' ? 2 : 1 : 0, n = s.n / 4 * 3;
	if (s.n % 4 || s.n > (size_t)1 << 30)
		return -1;
	unsigned char *p = arena_bytes(a, n + 1);
	if (s.n && (EVP_DecodeBlock(p, (const unsigned char *)s.p, (int)s.n) != (int)n || memchr(s.p, '=', s.n - pad)))
		return -1;
	for (size_t k = 0; k < pad; k++) /* libcrypto reads '=' as zero bits */
		if (p[n - 1 - k])
			return -1;
	p[n - pad] = 0;
	*out = (struct str){ (const char *)p, n - pad };
	return 0;
}

void base64_write(struct buf *out, struct str s)
{
	enum { STEP = 3 * 1024 };
	unsigned char text[STEP / 3 * 4 + 1];
	for (size_t i = 0; i < s.n; i += STEP) {
		int n = EVP_EncodeBlock(text, (const unsigned char *)s.p + i, (int)(s.n - i < STEP ? s.n - i : STEP));
		buf_add(out, text, (size_t)n);
	}
}
