/* safetensors.c - maps the weight files of a checkpoint and checks every number that they state.
 *
 * A weight file comes from strangers: nothing in it is believed. The header's length is held against the file and the
 * format's own limit of 100 MB, each entry must have exactly one name, dtype, shape and offset pair of the right JSON
 * type, shape x dtype must give the bytes between the offsets (products checked for overflow), and all tensors together
 * must cover the data once. An index may only name plain files beside itself. After that a tensor's pointer and size can
 * be used without another look.
 *
 * What it refuses: pickles (*.bin, *.pth: they run code when read), files that lie, dtypes that nobody defined (when used).
 * Data are not aligned in general: whoever reads values copies them first.
 *
 * Format: https://github.com/huggingface/safetensors (README, "Format").
 */
#include "runners/safetensors.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernels/base/arena.h"
#include "runners/text/json.h"

#define HEADER_MAX 100000000u /* the format's own limit, bytes */
#define INDEX_MAX (256u << 20)
#define DIGEST_STEP ((size_t)16 << 20) /* of a file, between two releases of its pages */
#define FILES_MAX 4096

static const struct {
	const char *name;
	enum st_dtype dtype;
	int bits;
} dtypes[] = {
	{ "F32", ST_F32, 32 },
	{ "F16", ST_F16, 16 },
	{ "BF16", ST_BF16, 16 },
	{ "F64", ST_F64, 64 },
	{ "F8_E4M3", ST_F8_E4M3, 8 },
	{ "F8_E5M2", ST_F8_E5M2, 8 },
	{ "F8_E8M0", ST_F8_E8M0, 8 },
	{ "F8_E4M3FNUZ", ST_F8_E4M3FNUZ, 8 },
	{ "F8_E5M2FNUZ", ST_F8_E5M2FNUZ, 8 },
	{ "F6_E2M3", ST_F6_E2M3, 6 },
	{ "F6_E3M2", ST_F6_E3M2, 6 },
	{ "F4", ST_F4, 4 },
	{ "C64", ST_C64, 64 },
	{ "I64", ST_I64, 64 },
	{ "I32", ST_I32, 32 },
	{ "I16", ST_I16, 16 },
	{ "I8", ST_I8, 8 },
	{ "U64", ST_U64, 64 },
	{ "U32", ST_U32, 32 },
	{ "U16", ST_U16, 16 },
	{ "U8", ST_U8, 8 },
	{ "BOOL", ST_BOOL, 8 },
};
#define NDTYPES (sizeof dtypes / sizeof dtypes[0])

struct file {
	char *path;
	struct str name; /* within the folder */
	const unsigned char *map;
	size_t size;
};

struct safetensors {
	struct arena arena; /* names */
	struct file *file;
	int nfiles;
	struct tensor *tensor; /* sorted by name */
	size_t n, cap;
};

int st_dtype_bits(enum st_dtype t)
{
	for (size_t i = 0; i < NDTYPES; i++)
		if (dtypes[i].dtype == t)
			return dtypes[i].bits;
	return 0;
}

const char *tensor_shape_text(const struct tensor *t, char *buf, size_t size)
{
	size_t n = (size_t)snprintf(buf, size, "[");
	for (int i = 0; i < t->rank && n < size; i++)
		n += (size_t)snprintf(buf + n, size - n, "%s%lld", i ? ", " : "", (long long)t->shape[i]);
	if (n < size)
		snprintf(buf + n, size - n, "]");
	return buf;
}

/* Names come from a file: what a message shows of one is short and printable. */
struct shown {
	char s[200];
};
static struct shown show(struct str s)
{
	struct shown r;
	size_t n = 0;
	for (size_t i = 0; i < s.n && n < sizeof r.s - 4; i++)
		r.s[n++] = (unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f ? '?' : s.p[i];
	if (n < s.n && n >= sizeof r.s - 4)
		while (n < sizeof r.s - 1)
			r.s[n++] = '.';
	r.s[n] = 0;
	return r;
}

static int str_cmp(struct str a, struct str b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c = n ? memcmp(a.p, b.p, n) : 0;
	return c ? c : (a.n > b.n) - (a.n < b.n);
}

/* ---- one file ---- */

static int map_file(struct file *f, struct err *e)
{
	struct stat st;
	int fd = open(f->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(e, E_IO, "%s", f->path);
	if (fstat(fd, &st) != 0) {
		err_errno(e, E_IO, "%s", f->path);
		close(fd);
		return -1;
	}
	if (!S_ISREG(st.st_mode)) {
		close(fd);
		return err_set(e, E_IO, "%s: is no regular file", f->path);
	}
	if (st.st_size < 8) {
		close(fd);
		return err_set(e, E_FORMAT, "%s: %lld bytes are too few for a safetensors file", f->path, (long long)st.st_size);
	}
	void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	int saved = errno;
	close(fd);
	errno = saved;
	if (p == MAP_FAILED)
		return err_errno(e, E_IO, "%s: cannot be mapped", f->path);
	f->map = p;
	f->size = (size_t)st.st_size;
	madvise(p, f->size, MADV_SEQUENTIAL);
	return 0;
}

/* The JSON reader keeps the last of two equal keys, as Python does; here two equal keys are a lie. Walks text that is
 * known to be valid JSON: outer keys are remembered by name, keys of the objects directly inside are counted. */
static int check_duplicates(const char *path, struct str text, struct value head, struct err *e)
{
	struct arena a;
	const struct value *entry = NULL; /* of the last outer key */
	size_t inner = 0;                 /* keys seen in it */
	int depth = 0, rc = 0;

	arena_init(&a);
	struct value seen = v_dict(&a);
	struct str last = STR("");
	for (size_t i = 0; i < text.n && !rc; i++) {
		char c = text.p[i];
		if (c == '{' || c == '[') {
			depth++;
			continue;
		}
		if (c == '}' || c == ']') {
			if (depth-- == 2 && entry && entry->type == V_DICT && entry->dict->n != inner)
				rc = err_set(e, E_FORMAT, "%s: tensor '%s': a key is given twice", path, show(last).s);
			continue;
		}
		if (c != '"')
			continue;
		size_t from = i++;
		while (i < text.n && text.p[i] != '"')
			i += text.p[i] == '\\' ? 2 : 1;
		size_t k = i + 1;
		while (k < text.n && strchr(" \t\r\n", text.p[k]) && text.p[k])
			k++;
		if (k >= text.n || text.p[k] != ':')
			continue;
		inner += depth == 2;
		if (depth != 1)
			continue;
		struct value key;
		rc = json_parse(&a, (struct str){ text.p + from, i + 1 - from }, path, &key, e);
		if (rc)
			break;
		last = key.s;
		entry = v_get(head, last);
		inner = 0;
		if (v_get(seen, last))
			rc = err_set(e, E_FORMAT, "%s: tensor '%s' is given twice", path, show(last).s);
		v_set(&a, seen, last, VNONE);
	}
	arena_fini(&a);
	return rc;
}

static int get_offsets(struct value v, uint64_t *begin, uint64_t *end)
{
	if (v.type != V_LIST || v.list->n != 2)
		return -1;
	for (int i = 0; i < 2; i++)
		if (v.list->v[i].type != V_INT || v.list->v[i].i < 0)
			return -1;
	*begin = (uint64_t)v.list->v[0].i;
	*end = (uint64_t)v.list->v[1].i;
	return 0;
}

/* shape and count of one tensor; at = "file: tensor 'name'" for messages */
static int get_shape(struct tensor *t, struct value v, const char *at, struct err *e)
{
	if (v.type != V_LIST)
		return err_set(e, E_FORMAT, "%s: 'shape' is no list", at);
	if (v.list->n > ST_MAX_RANK)
		return err_set(e, E_FORMAT, "%s: %zu dimensions, at most %d are allowed", at, v.list->n, ST_MAX_RANK);
	t->rank = (int)v.list->n;
	t->count = 1;
	for (int i = 0; i < t->rank; i++) {
		struct value d = v.list->v[i];
		if (d.type != V_INT)
			return err_set(e, E_FORMAT, "%s: 'shape' holds something that is no integer", at);
		if (d.i < 0)
			return err_set(e, E_FORMAT, "%s: 'shape' holds %lld", at, (long long)d.i);
		t->shape[i] = d.i;
		if (__builtin_mul_overflow(t->count, d.i, &t->count))
			return err_set(e, E_FORMAT, "%s: the product of 'shape' overflows", at);
	}
	return 0;
}

/* One entry of the header; begin and end are relative to data, which has `room` bytes. */
static int get_tensor(struct tensor *t, const struct pair *p, const char *path, const unsigned char *data, uint64_t room,
		      struct err *e)
{
	static const char *const keys[] = { "dtype", "shape", "data_offsets", NULL };
	char at[4600], hint[200];
	uint64_t begin, end;

	snprintf(at, sizeof at, "%s: tensor '%s'", path, show(p->key.s).s);
	if (!p->key.s.n)
		return err_set(e, E_FORMAT, "%s: a tensor without a name", path);
	if (memchr(p->key.s.p, 0, p->key.s.n))
		return err_set(e, E_FORMAT, "%s: a NUL byte in the name", at);
	if (p->val.type != V_DICT)
		return err_set(e, E_FORMAT, "%s: its entry is no object", at);
	for (size_t i = 0; i < p->val.dict->n; i++) {
		struct str k = p->val.dict->v[i].key.s;
		if (!str_is(k, keys[0]) && !str_is(k, keys[1]) && !str_is(k, keys[2]))
			return err_set(e, E_FORMAT, "%s: unknown key '%s'%s", at, show(k).s,
				       err_hint(hint, sizeof hint, show(k).s, keys));
	}
	const struct value *dtype = v_getc(p->val, "dtype"), *shape = v_getc(p->val, "shape");
	const struct value *offsets = v_getc(p->val, "data_offsets");
	if (!dtype || !shape || !offsets)
		return err_set(e, E_FORMAT, "%s: '%s' is missing", at, !dtype ? keys[0] : !shape ? keys[1] : keys[2]);
	if (dtype->type != V_STR)
		return err_set(e, E_FORMAT, "%s: 'dtype' is no string", at);
	if (get_shape(t, *shape, at, e) != 0)
		return -1;
	if (get_offsets(*offsets, &begin, &end) != 0)
		return err_set(e, E_FORMAT, "%s: 'data_offsets' is no pair of integers from 0 up", at);
	if (begin > end)
		return err_set(e, E_FORMAT, "%s: data_offsets [%llu, %llu] descend", at, (unsigned long long)begin,
			       (unsigned long long)end);
	if (end > room)
		return err_set(e, E_FORMAT, "%s: data_offsets [%llu, %llu] reach beyond the data (%llu bytes)", at,
			       (unsigned long long)begin, (unsigned long long)end, (unsigned long long)room);

	t->dtype = ST_OTHER;
	int bits = 0;
	for (size_t i = 0; i < NDTYPES; i++)
		if (str_is(dtype->s, dtypes[i].name)) {
			t->dtype = dtypes[i].dtype;
			bits = dtypes[i].bits;
		}
	if (bits) {
		int64_t need;
		if (__builtin_mul_overflow(t->count, (int64_t)bits, &need))
			return err_set(e, E_FORMAT, "%s: the product of 'shape' overflows", at);
		if (need % 8)
			return err_set(e, E_FORMAT, "%s: %lld values of %s do not fill whole bytes", at, (long long)t->count,
				       show(dtype->s).s);
		if ((uint64_t)need / 8 != end - begin) {
			char shape_text[200];
			return err_set(e, E_FORMAT, "%s: shape %s of %s needs %lld bytes, data_offsets [%llu, %llu] hold %llu", at,
				       tensor_shape_text(t, shape_text, sizeof shape_text), show(dtype->s).s,
				       (long long)(need / 8), (unsigned long long)begin, (unsigned long long)end,
				       (unsigned long long)(end - begin));
		}
	}
	t->name = p->key.s;
	t->dtype_name = dtype->s;
	t->data = data + begin;
	t->bytes = (size_t)(end - begin);
	return 0;
}

static int by_place(const void *a, const void *b)
{
	const struct tensor *x = a, *y = b;
	if (x->data != y->data)
		return x->data < y->data ? -1 : 1;
	return (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

static int by_name(const void *a, const void *b)
{
	const struct tensor *x = a, *y = b;
	int c = str_cmp(x->name, y->name);
	return c ? c : x->file - y->file;
}

/* The tensors of one file, sorted by place, must cover its data once. */
static int check_cover(const struct tensor *t, size_t n, const struct file *f, const unsigned char *data, struct err *e)
{
	const unsigned char *at = data, *end = f->map + f->size;
	for (size_t i = 0; i < n; i++) {
		if (t[i].data < at)
			return err_set(e, E_FORMAT, "%s: tensors '%s' and '%s' overlap", f->path, show(t[i - 1].name).s,
				       show(t[i].name).s);
		if (t[i].data > at)
			return err_set(e, E_FORMAT, "%s: %zu bytes before tensor '%s' belong to no tensor", f->path,
				       (size_t)(t[i].data - at), show(t[i].name).s);
		at = t[i].data + t[i].bytes;
	}
	if (at != end)
		return err_set(e, E_FORMAT, "%s: the last %zu bytes belong to no tensor", f->path, (size_t)(end - at));
	return 0;
}

static int read_header(struct safetensors *s, int file, struct arena *scratch, struct err *e)
{
	struct file *f = &s->file[file];
	struct value head;
	uint64_t n = 0;

	static const char lfs[] = "version https://git-lfs";
	for (int i = 7; i >= 0; i--)
		n = n << 8 | f->map[i];
	if (f->size >= sizeof lfs && !memcmp(f->map, lfs, sizeof lfs - 1))
		return err_set(e, E_FORMAT, "%s: is a Git LFS pointer and not the weights; fetch them with `git lfs pull`", f->path);
	if (n > HEADER_MAX)
		return err_set(e, E_FORMAT, "%s: the header claims %llu bytes, a safetensors header has at most %u", f->path,
			       (unsigned long long)n, HEADER_MAX);
	if (n > f->size - 8)
		return err_set(e, E_FORMAT, "%s: the header claims %llu bytes, the file has only %zu behind its length", f->path,
			       (unsigned long long)n, f->size - 8);
	struct str text = { (const char *)f->map + 8, (size_t)n };
	if (!n || text.p[0] != '{')
		return err_set(e, E_FORMAT, "%s: the header does not begin with '{'", f->path);
	if (json_parse(scratch, text, f->path, &head, e) != 0)
		return -1;
	if (head.type != V_DICT)
		return err_set(e, E_FORMAT, "%s: the header is no JSON object", f->path);
	if (check_duplicates(f->path, text, head, e) != 0)
		return -1;

	const unsigned char *data = f->map + 8 + n;
	size_t first = s->n;
	for (size_t i = 0; i < head.dict->n; i++) {
		const struct pair *p = &head.dict->v[i];
		if (str_is(p->key.s, "__metadata__")) {
			if (p->val.type != V_DICT)
				return err_set(e, E_FORMAT, "%s: '__metadata__' is no object", f->path);
			continue;
		}
		if (s->n == s->cap) {
			s->cap = s->cap ? 2 * s->cap : 256;
			s->tensor = xrealloc(s->tensor, s->cap * sizeof *s->tensor);
		}
		struct tensor *t = &s->tensor[s->n];
		memset(t, 0, sizeof *t);
		if (get_tensor(t, p, f->path, data, f->size - 8 - n, e) != 0)
			return -1;
		t->name = arena_str(&s->arena, t->name.p, t->name.n);
		t->dtype_name = arena_str(&s->arena, t->dtype_name.p, t->dtype_name.n);
		t->file = file;
		s->n++;
	}
	if (s->n > first)
		qsort(s->tensor + first, s->n - first, sizeof *s->tensor, by_place);
	return check_cover(s->tensor + first, s->n - first, f, data, e);
}

static int add_file(struct safetensors *s, const char *dir, struct str name, struct err *e)
{
	struct arena scratch;
	int i = s->nfiles;

	s->file = xrealloc(s->file, (size_t)(i + 1) * sizeof *s->file);
	struct file *f = &s->file[i];
	*f = (struct file){ .name = name };
	struct buf b = { 0 };
	if (dir)
		buf_printf(&b, "%s/", dir);
	buf_str(&b, name);
	f->path = b.p;
	s->nfiles++;
	if (map_file(f, e) != 0)
		return -1;
	arena_init(&scratch);
	int rc = read_header(s, i, &scratch, e);
	arena_fini(&scratch);
	return rc;
}

/* ---- several files ---- */

static int by_str(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* Shards lie beside the index: a name with a slash, or one that starts with a dot, could reach any file. */
static bool plain_name(struct str s)
{
	return s.n && s.n < 256 && s.p[0] != '.' && !memchr(s.p, '/', s.n) && !memchr(s.p, 0, s.n);
}

/* Drops what the index places in another file; then no name may be left twice, and each name of the index must be there. */
static int match_index(struct safetensors *s, const char *path, struct value map, struct err *e)
{
	size_t n = 0;
	for (size_t i = 0; i < s->n; i++) {
		const struct value *v = v_get(map, s->tensor[i].name);
		if (!v || str_eq(v->s, s->file[s->tensor[i].file].name))
			s->tensor[n++] = s->tensor[i];
	}
	s->n = n;
	if (n)
		qsort(s->tensor, n, sizeof *s->tensor, by_name);
	for (size_t i = 1; i < n; i++)
		if (str_eq(s->tensor[i - 1].name, s->tensor[i].name))
			return err_set(e, E_FORMAT, "%s: does not say which '%s' counts, the one in %s or that in %s", path,
				       show(s->tensor[i].name).s, show(s->file[s->tensor[i - 1].file].name).s,
				       show(s->file[s->tensor[i].file].name).s);
	for (size_t i = 0; i < map.dict->n; i++)
		if (!safetensors_find(s, map.dict->v[i].key.s))
			return err_set(e, E_FORMAT, "%s: tensor '%s' is not in %s, where the index places it", path,
				       show(map.dict->v[i].key.s).s, show(map.dict->v[i].val.s).s);
	return 0;
}

static int open_index(struct safetensors *s, const char *dir, const char *path, struct arena *a, struct err *e)
{
	struct value index;

	if (json_load(a, path, INDEX_MAX, &index, e) != 0)
		return -1;
	const struct value *map = index.type == V_DICT ? v_getc(index, "weight_map") : NULL;
	if (!map || map->type != V_DICT || !map->dict->n)
		return err_set(e, E_FORMAT, "%s: 'weight_map' is missing or no object with entries", path);
	struct str *name = ARENA_ARRAY(a, map->dict->n, struct str);
	size_t n = 0;
	for (size_t i = 0; i < map->dict->n; i++) {
		const struct pair *p = &map->dict->v[i];
		if (p->val.type != V_STR)
			return err_set(e, E_FORMAT, "%s: tensor '%s': its file name is no string", path, show(p->key.s).s);
		if (!plain_name(p->val.s) || !str_ends(p->val.s, STR(".safetensors")))
			return err_set(e, E_FORMAT, "%s: tensor '%s': '%s' is no name of a safetensors file beside the index", path,
				       show(p->key.s).s, show(p->val.s).s);
		name[n++] = p->val.s;
	}
	qsort(name, n, sizeof *name, by_str);
	for (size_t i = 0; i < n; i++) {
		if (i && str_eq(name[i], name[i - 1]))
			continue;
		if (s->nfiles == FILES_MAX)
			return err_set(e, E_LIMIT, "%s: more than %d files", path, FILES_MAX);
		if (add_file(s, dir, arena_str(&s->arena, name[i].p, name[i].n), e) != 0)
			return err_wrap(e, "%s", path);
	}
	return match_index(s, path, *map, e);
}

/* No safetensors in the folder: say what is there instead. */
#define PICKLE "a pickle, which can run code when it is read; "
static const struct {
	const char *prefix, *suffix, *what; /* the first row that matches a file counts */
} others[] = {
	{ "adapter_model", "", "an adapter of another model; merge it into that one (peft: merge_and_unload) and name the result" },
	{ "consolidated", ".safetensors", "in the publisher's own layout, whose tensors have other names and orders; take the files of the same "
					  "model in Hugging Face layout (model*.safetensors and config.json)" },
	{ "pytorch_model", ".bin", PICKLE "take a revision of the model with safetensors, or convert it with `python -c \"from transformers import "
				   "AutoModelForCausalLM as A; A.from_pretrained('DIR').save_pretrained('OUT')\"`" },
	{ "consolidated", ".pth", PICKLE "and in the publisher's own layout; take the files of the same model in Hugging Face layout" },
	{ "", ".gguf", "a GGUF file, whose weights are mostly rounded; take the safetensors that it was made from" },
	{ "", ".bin", PICKLE "take the safetensors revision of the model or convert it" },
	{ "", ".pth", PICKLE "take the safetensors revision of the model or convert it" },
	{ "", ".pt", PICKLE "take the safetensors revision of the model or convert it" },
	{ "", ".h5", "of TensorFlow; take the safetensors revision of the model" },
	{ "", ".msgpack", "of Flax; take the safetensors revision of the model" },
	{ "", ".safetensors", "not named as the hub names weights (model.safetensors, or shards and model.safetensors.index.json)" },
};

static int explain_missing(const char *dir, const char *one, struct err *e)
{
	const size_t nothers = sizeof others / sizeof others[0];
	size_t best = nothers;
	char found[300] = "";
	struct stat st;
	if (lstat(one, &st) == 0)
		return err_set(e, E_IO, "%s: is a link to nothing", one);
	DIR *d = opendir(dir);
	if (!d)
		return err_errno(e, E_IO, "%s", dir);
	for (struct dirent *ent; (ent = readdir(d));) {
		struct str name = str_of(ent->d_name);
		size_t i = 0;
		while (i < nothers && (!str_starts(name, str_of(others[i].prefix)) || !str_ends(name, str_of(others[i].suffix))))
			i++;
		if (i < best || (i == best && i < nothers && strcmp(ent->d_name, found) < 0)) {
			best = i;
			snprintf(found, sizeof found, "%s", ent->d_name);
		}
	}
	closedir(d);
	if (best < nothers)
		return err_set(e, E_UNSUPPORTED, "%s: no model.safetensors; '%s' is %s", dir, show(str_of(found)).s,
			       others[best].what);
	return err_set(e, E_IO, "%s: neither model.safetensors nor model.safetensors.index.json is there", dir);
}

static struct safetensors *new_safetensors(void)
{
	struct safetensors *s = xcalloc(1, sizeof *s);
	arena_init(&s->arena);
	return s;
}

int safetensors_open(struct safetensors **out, const char *dir, struct err *e)
{
	struct safetensors *s = new_safetensors();
	struct arena a;
	int rc;

	*out = NULL;
	arena_init(&a);
	char *one = arena_cstr(&a, arena_printf(&a, "%s/model.safetensors", dir));
	char *index = arena_cstr(&a, arena_printf(&a, "%s/model.safetensors.index.json", dir));
	if (access(one, F_OK) == 0) {
		rc = add_file(s, dir, STR("model.safetensors"), e);
		if (!rc && s->n)
			qsort(s->tensor, s->n, sizeof *s->tensor, by_name);
	} else if (access(index, F_OK) == 0) {
		rc = open_index(s, dir, index, &a, e);
	} else {
		rc = explain_missing(dir, one, e);
	}
	arena_fini(&a);
	if (rc != 0) {
		safetensors_close(s);
		return -1;
	}
	*out = s;
	return 0;
}

int safetensors_open_file(struct safetensors **out, const char *path, struct err *e)
{
	struct safetensors *s = new_safetensors();

	*out = NULL;
	if (add_file(s, NULL, arena_str(&s->arena, path, strlen(path)), e) != 0) {
		safetensors_close(s);
		return -1;
	}
	if (s->n)
		qsort(s->tensor, s->n, sizeof *s->tensor, by_name);
	*out = s;
	return 0;
}

void safetensors_close(struct safetensors *s)
{
	if (!s)
		return;
	for (int i = 0; i < s->nfiles; i++) {
		if (s->file[i].map)
			munmap((void *)(uintptr_t)s->file[i].map, s->file[i].size);
		free(s->file[i].path);
	}
	free(s->file);
	free(s->tensor);
	arena_fini(&s->arena);
	free(s);
}

size_t safetensors_count(const struct safetensors *s)
{
	return s->n;
}

const struct tensor *safetensors_at(const struct safetensors *s, size_t i)
{
	return &s->tensor[i];
}

const struct tensor *safetensors_find(const struct safetensors *s, struct str name)
{
	size_t lo = 0, hi = s->n;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = str_cmp(s->tensor[mid].name, name);
		if (!c)
			return &s->tensor[mid];
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

int safetensors_files(const struct safetensors *s)
{
	return s->nfiles;
}

const char *safetensors_path(const struct safetensors *s, int file)
{
	return s->file[file].path;
}

size_t safetensors_bytes(const struct safetensors *s)
{
	size_t n = 0;
	for (int i = 0; i < s->nfiles; i++)
		n += s->file[i].size;
	return n;
}

void safetensors_release(const unsigned char *p, size_t n)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from = ((uintptr_t)p + page - 1) / page * page, to = ((uintptr_t)p + n) / page * page;
	if (from < to)
		madvise((void *)from, to - from, MADV_DONTNEED);
}

bool safetensors_digest(const struct safetensors *s, int file, unsigned char out[DIGEST_BYTES], const atomic_bool *stop)
{
	const struct file *f = &s->file[file];
	struct digest *d = digest_new();
	bool stopped = false;
	for (size_t at = 0; at < f->size && !stopped; at += DIGEST_STEP) {
		size_t n = f->size - at < DIGEST_STEP ? f->size - at : DIGEST_STEP;
		digest_add(d, f->map + at, n);
		safetensors_release(f->map + at, n);
		stopped = stop && atomic_load(stop);
	}
	digest_end(d, out);
	return !stopped;
}

void safetensors_drop(const struct safetensors *s)
{
	for (int i = 0; i < s->nfiles; i++) {
		madvise((void *)(uintptr_t)s->file[i].map, s->file[i].size, MADV_DONTNEED);
		madvise((void *)(uintptr_t)s->file[i].map, s->file[i].size, MADV_RANDOM);
	}
}
