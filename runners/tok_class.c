/* tok_class.c - classes of characters that only one component asks for: BertNormalizer's accents, UnicodeScripts' scripts,
 * grapheme clusters of Precompiled.
 *
 * tokenizers has old tables of its own for them; tok_tables.h has what it answers. Properties that more ask for: uniprop.h.
 */
#include "runners/tok_int.h"
#include "runners/tok_tables.h"

/* The last row whose first character is at most c; -1: none. */
static int row_of(const uint32_t (*rows)[2], int n, uint32_t c)
{
	int lo = 0, hi = n;
	while (lo < hi) {
		int mid = (lo + hi) / 2;
		if (rows[mid][0] <= c)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo - 1;
}

#define ROWS(t) (t), (int)(sizeof(t) / sizeof *(t))

static bool in(const uint32_t (*rows)[2], int n, uint32_t c)
{
	int k = row_of(rows, n, c);
	return k >= 0 && c <= rows[k][1];
}

bool class_nonspacing(uint32_t c)
{
	return c >= 0x300 && in(ROWS(tok_nonspacing), c);
}

int class_script(uint32_t c)
{
	int k = row_of(ROWS(tok_script), c);
	return k < 0 ? 0 : (int)tok_script[k][1];
}

unsigned class_join(uint32_t c)
{
	int k = row_of(ROWS(tok_join), c);
	return k < 0 ? 0 : tok_join[k][1];
}
