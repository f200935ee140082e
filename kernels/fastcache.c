/* fastcache.c - the algorithms that fast layers are pinned to, kept in a file of the user's cache so that a start need not test again.
 *
 * $XDG_CACHE_HOME/assay/fast-HASH.txt, or ~/.cache/assay/...: a line with the format, a line with the key (numerics id, device, driver),
 * a line "shape N K BUCKETS HEX..." each, and a digest of all that. A file that is not whole, or another's, is as good as none: the choice is
 * made again, and comes out the same (fastpick_cuda.cu). Written beside itself and renamed; where nothing can be written nothing is
 * kept, and that is no error.
 */
#include "kernels/fast.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FORMAT "assay fast choices 1\n"
#define MOST_SHAPES 4096
#define MOST_BYTES ((size_t)16 << 20)
#define WORDS (sizeof(struct lt_algo) / 8)

static int keep(struct fast_cache *c, const struct fast_choice *a)
{
	if (c->n == MOST_SHAPES)
		return 0;
	if (c->n == c->cap) {
		int cap = c->cap ? 2 * c->cap : 16;
		struct fast_choice *p = realloc(c->choice, (size_t)cap * sizeof *p);
		if (!p)
			return -1;
		c->choice = p;
		c->cap = cap;
	}
	c->choice[c->n++] = *a;
	return 0;
}

/* --- reading */

/* A decimal number of at most 9 digits and the blank behind it. */
static int number(const char **p, int *out)
{
	int n = 0, digits = 0;
	for (; **p >= '0' && **p <= '9' && digits < 9; (*p)++, digits++)
		n = 10 * n + (**p - '0');
	if (!digits || **p != ' ')
		return -1;
	(*p)++;
	*out = n;
	return 0;
}

static int word(const char **p, uint64_t *out)
{
	uint64_t v = 0;
	for (int i = 0; i < 16; i++, (*p)++) {
		char c = **p;
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return -1;
		v = v << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
	}
	*out = v;
	return 0;
}

static int shape(struct fast_cache *c, const char **p)
{
	struct fast_choice a = { 0 };
	if (strncmp(*p, "shape ", 6) != 0)
		return -1;
	*p += 6;
	if (number(p, &a.n) || number(p, &a.k) || number(p, &a.buckets) || a.n < 1 || a.k < 1 || a.buckets < 1 || a.buckets > FAST_BUCKETS)
		return -1;
	for (int b = 0; b < a.buckets; b++)
		for (size_t i = 0; i < WORDS; i++)
			if (word(p, &a.algo[b].data[i]))
				return -1;
	if (*(*p)++ != '\n' || fast_cache_find(c, a.n, a.k))
		return -1;
	return keep(c, &a);
}

/* The whole file in memory, a NUL behind; NULL when there is none. */
static char *load(const char *path, size_t *n)
{
	FILE *f = fopen(path, "r");
	char *text = NULL;
	size_t got = 0;
	struct stat st;
	if (f && fstat(fileno(f), &st) == 0 && S_ISREG(st.st_mode) && (size_t)st.st_size < MOST_BYTES)
		text = malloc((size_t)st.st_size + 1);
	if (text) {
		got = fread(text, 1, (size_t)st.st_size, f);
		text[got] = 0;
	}
	if (f)
		fclose(f);
	*n = got;
	return text;
}

static int parse(struct fast_cache *c, const char *text, size_t n)
{
	static const char last[] = "digest 0123456789abcdef\n";
	const size_t tail = sizeof last - 1;
	uint64_t is;
	const char *p = text, *end = text + n - tail, *hex;
	if (n < tail || strlen(text) != n || strncmp(end, "digest ", 7) != 0 || (end > text && end[-1] != '\n'))
		return -1;
	hex = end + 7;
	if (word(&hex, &is) || *hex != '\n' || is != fast_hash_end(fast_hash(FAST_HASH0, text, (size_t)(end - text))))
		return -1;
	size_t key = strlen(c->key);
	if (strncmp(p, FORMAT, sizeof FORMAT - 1) != 0 || strncmp(p += sizeof FORMAT - 1, c->key, key) != 0 || p[key] != '\n')
		return -1;
	for (p += key + 1; p < end;)
		if (shape(c, &p))
			return -1;
	return 0;
}

/* --- where */

/* DIR/assay, made when it is missing, and the file's name in it. */
static void place(struct fast_cache *c)
{
	const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	uint64_t h = fast_hash_end(fast_hash(FAST_HASH0, c->key, strlen(c->key)));
	int n = -1;
	if (xdg && xdg[0] == '/')
		n = snprintf(c->path, sizeof c->path, "%s", xdg);
	else if (home && home[0] == '/')
		n = snprintf(c->path, sizeof c->path, "%s/.cache", home);
	if (n < 0 || (size_t)n > sizeof c->path - 64) {
		c->path[0] = 0;
		return;
	}
	mkdir(c->path, 0700);
	n += snprintf(c->path + n, sizeof c->path - (size_t)n, "/assay");
	if (mkdir(c->path, 0700) != 0 && errno != EEXIST) {
		c->path[0] = 0;
		return;
	}
	snprintf(c->path + n, sizeof c->path - (size_t)n, "/fast-%016" PRIx64 ".txt", h);
}

void fast_cache_open(struct fast_cache *c, const char *key)
{
	size_t n;
	memset(c, 0, sizeof *c);
	snprintf(c->key, sizeof c->key, "%s", key);
	for (char *p = c->key; *p; p++)
		if ((unsigned char)*p < ' ')
			*p = '?';
	place(c);
	char *text = c->path[0] ? load(c->path, &n) : NULL;
	if (text && parse(c, text, n) != 0)
		c->n = 0;
	free(text);
}

void fast_cache_close(struct fast_cache *c)
{
	free(c->choice);
	memset(c, 0, sizeof *c);
}

const struct fast_choice *fast_cache_find(const struct fast_cache *c, int n, int k)
{
	for (int i = 0; i < c->n; i++)
		if (c->choice[i].n == n && c->choice[i].k == k)
			return &c->choice[i];
	return NULL;
}

void fast_cache_drop(struct fast_cache *c, int n, int k)
{
	for (int i = 0; i < c->n; i++)
		if (c->choice[i].n == n && c->choice[i].k == k) {
			c->choice[i] = c->choice[--c->n];
			return;
		}
}

/* --- writing */

static void put(FILE *f, uint64_t *h, const char *text)
{
	*h = fast_hash(*h, text, strlen(text));
	fputs(text, f);
}

static void put_all(FILE *f, const struct fast_cache *c)
{
	uint64_t h = FAST_HASH0;
	char line[64];
	put(f, &h, FORMAT);
	put(f, &h, c->key);
	put(f, &h, "\n");
	for (int i = 0; i < c->n; i++) {
		const struct fast_choice *a = &c->choice[i];
		snprintf(line, sizeof line, "shape %d %d %d ", a->n, a->k, a->buckets);
		put(f, &h, line);
		for (int b = 0; b < a->buckets; b++)
			for (size_t j = 0; j < WORDS; j++) {
				snprintf(line, sizeof line, "%016" PRIx64, a->algo[b].data[j]);
				put(f, &h, line);
			}
		put(f, &h, "\n");
	}
	fprintf(f, "digest %016" PRIx64 "\n", fast_hash_end(h));
}

static void save(const struct fast_cache *c)
{
	char beside[sizeof c->path + 16];
	snprintf(beside, sizeof beside, "%s.XXXXXX", c->path);
	int fd = c->path[0] ? mkstemp(beside) : -1;
	FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (!f) {
		if (fd >= 0) {
			close(fd);
			unlink(beside);
		}
		return;
	}
	put_all(f, c);
	int bad = fflush(f) != 0 || ferror(f) || fsync(fileno(f)) != 0;
	bad |= fclose(f) != 0;
	if (bad || rename(beside, c->path) != 0)
		unlink(beside);
}

int fast_cache_add(struct fast_cache *c, const struct fast_choice *a)
{
	if (keep(c, a) != 0)
		return -1;
	save(c);
	return 0;
}
