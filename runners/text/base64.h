/* base64.h - base64 (RFC 4648, section 4) on libcrypto, for everything that reads or writes it.
 *
 * Strict: the padding must stand, and bits behind the last byte must be zero; libcrypto alone also takes blanks around the
 * text, '=' anywhere and any such bits.
 */
#ifndef ASSAY_BASE64_H
#define ASSAY_BASE64_H

#include "kernels/base/arena.h"

/* The bytes that s spells, into *out, allocated in a; -1: it spells none. */
int base64_decode(struct arena *a, struct str s, struct str *out);
void base64_write(struct buf *out, struct str s);

#endif
