/* tok_sentencepiece.c - SentencePiece's tokenizer.model: a protobuf with pieces, scores and how text is prepared.
 *
 *   ModelProto { repeated Piece pieces = 1; TrainerSpec trainer_spec = 2; NormalizerSpec normalizer_spec = 3; ... }
 *   Piece { string piece = 1; float score = 2; Type type = 3; }
 *
 * (google/sentencepiece, sentencepiece_model.proto). BPE merges are not in the file: every way to cut a piece into two
 * pieces is one, in the order of the pieces (classes of transformers) or of their scores (the generic class). The
 * generic class follows the file's own settings, as transformers' build_tokenizer_from_spm_proto does; a named class
 * has its own components, and control and user-defined pieces become added tokens.
 *
 * Refuses: broken protobufs (every length is checked against what is left, wire types against the field), models of
 * type WORD and CHAR, blanks as suffixes, pieces that are empty, hold NUL or no UTF-8, scores that are no numbers, a
 * class that is made of another model type.
 */
#include <math.h>
#include <stdlib.h>

#include "runners/text/base64.h"
#include "runners/text/json.h"
#include "runners/text/utf8.h"
#include "runners/tok_files.h"

enum { NORMAL = 1, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE, NTYPES };
enum { UNIGRAM = 1, BPE, WORD, CHAR };
enum { MAX_PIECE = 2048 }; /* bytes: every cut of a piece is looked up */

struct piece_sp {
	struct str text;
	float score;
	int type;
};
struct spm {
	struct piece_sp *piece;
	uint32_t n, cap;
	int64_t model_type, unk_id, bos_id, eos_id;
	int64_t suffix, byte_fallback, dummy_prefix, remove_extra, escape;
	struct str unk, bos, eos, charsmap;
};

/* ---- protobuf ---- */

struct pb {
	const unsigned char *begin, *p, *end; /* begin: of the file, for messages */
	const char *name;
};
struct field {
	uint32_t number;
	int wire; /* 0 varint, 1 eight bytes, 2 bytes, 5 four bytes */
	uint64_t v;
	struct str bytes;
};

static int pb_fail(const struct pb *b, struct err *e, const char *what)
{
	return err_set(e, E_FORMAT, "%s: byte %zu: %s", b->name, (size_t)(b->p - b->begin), what);
}

static int varint(struct pb *b, uint64_t *out, struct err *e)
{
	*out = 0;
	for (int shift = 0; shift < 70; shift += 7) {
		if (b->p == b->end)
			return pb_fail(b, e, "the file ends inside a number");
		unsigned char c = *b->p++;
		if (shift == 63 && c > 1)
			return pb_fail(b, e, "a number beyond 64 bits");
		*out |= (uint64_t)(c & 127) << shift;
		if (!(c & 128))
			return 0;
	}
	return pb_fail(b, e, "a number beyond 64 bits");
}

static int fixed(struct pb *b, int n, uint64_t *out, struct err *e)
{
	if (b->end - b->p < n)
		return pb_fail(b, e, "the file ends inside a number");
	*out = 0;
	for (int i = 0; i < n; i++)
		*out |= (uint64_t)*b->p++ << (8 * i);
	return 0;
}

/* The next field: 1, 0 at the end. */
static int pb_next(struct pb *b, struct field *f, struct err *e)
{
	uint64_t tag, n;
	if (b->p == b->end)
		return 0;
	if (varint(b, &tag, e) < 0)
		return -1;
	*f = (struct field){ .number = (uint32_t)(tag >> 3), .wire = (int)(tag & 7) };
	if (!f->number || tag >> 3 > 0x1fffffff)
		return pb_fail(b, e, "no protobuf field has this number, so this is no SentencePiece model");
	int rc = f->wire == 0	? varint(b, &f->v, e)
		 : f->wire == 1 ? fixed(b, 8, &f->v, e)
		 : f->wire == 5 ? fixed(b, 4, &f->v, e)
		 : f->wire == 2 ? varint(b, &n, e)
				: pb_fail(b, e, "a protobuf wire type that SentencePiece models do not have, so this is none");
	if (rc < 0)
		return -1;
	if (f->wire == 2) {
		if (n > (uint64_t)(b->end - b->p))
			return pb_fail(b, e, "a length beyond the end of the file");
		f->bytes = (struct str){ (const char *)b->p, (size_t)n };
		b->p += n;
	}
	return 1;
}

static int want(const struct pb *b, const struct field *f, int wire, const char *what, struct err *e)
{
	if (f->wire == wire)
		return 0;
	return err_set(e, E_FORMAT, "%s: byte %zu: %s has wire type %d, %d is expected", b->name,
		       (size_t)(b->p - b->begin), what, f->wire, wire);
}

/* ---- the message ---- */

struct known {
	uint32_t number;
	const char *name;
	int64_t *number_at; /* one of the two */
	struct str *text_at;
};

/* A message of plain fields; others are skipped. */
static int read_spec(const struct pb *file, struct str bytes, const struct known *known, struct err *e)
{
	struct pb b = *file;
	struct field f;
	int more;
	b.p = (const unsigned char *)bytes.p;
	b.end = b.p + bytes.n;
	while ((more = pb_next(&b, &f, e)) > 0) {
		const struct known *k = known;
		while (k->number && k->number != f.number)
			k++;
		if (!k->number)
			continue;
		if (want(&b, &f, k->text_at ? 2 : 0, k->name, e) < 0)
			return -1;
		if (k->text_at)
			*k->text_at = f.bytes;
		else
			*k->number_at = (int64_t)f.v;
	}
	return more;
}

static int read_piece(const struct pb *file, struct str bytes, struct spm *s, struct err *e)
{
	struct pb b = *file;
	struct field f;
	int more;
	b.p = (const unsigned char *)bytes.p;
	b.end = b.p + bytes.n;
	struct piece_sp piece = { .type = NORMAL };
	while ((more = pb_next(&b, &f, e)) > 0) {
		static const int wires[] = { -1, 2, 5, 0 };
		static const char *const names[] = { "", "piece", "score", "type" };
		if (f.number > 3)
			continue;
		if (want(&b, &f, wires[f.number], names[f.number], e) < 0)
			return -1;
		uint32_t bits = (uint32_t)f.v;
		if (f.number == 1)
			piece.text = f.bytes;
		else if (f.number == 2)
			memcpy(&piece.score, &bits, sizeof bits);
		else
			piece.type = f.v > 0 && f.v < NTYPES ? (int)f.v : 0;
	}
	if (more < 0)
		return -1;
	const char *fault = !piece.text.n			    ? "is empty"
			    : piece.text.n > MAX_PIECE		    ? "is too long"
			    : memchr(piece.text.p, 0, piece.text.n) ? "holds NUL"
			    : !utf8_valid(piece.text)		    ? "is no UTF-8"
			    : !piece.type			    ? "has an unknown type"
			    : !isfinite(piece.score)		    ? "has a score that is no number"
			    : s->n == TOK_MAX_ID		    ? "is one too many"
								    : NULL;
	if (fault)
		return err_set(e, E_FORMAT, "%s: byte %zu: piece %u %s", b.name, (size_t)(b.p - b.begin), s->n, fault);
	if (s->n == s->cap) {
		s->cap = s->cap ? 2 * s->cap : 4096;
		s->piece = xrealloc(s->piece, s->cap * sizeof *s->piece);
	}
	s->piece[s->n++] = piece;
	return 0;
}

static int read_model(const char *name, struct str file, struct spm *s, struct err *e)
{
	const struct known trainer[] = {
		{ 3, "model_type", &s->model_type, NULL },
		{ 24, "treat_whitespace_as_suffix", &s->suffix, NULL },
		{ 35, "byte_fallback", &s->byte_fallback, NULL },
		{ 40, "unk_id", &s->unk_id, NULL },
		{ 41, "bos_id", &s->bos_id, NULL },
		{ 42, "eos_id", &s->eos_id, NULL },
		{ 45, "unk_piece", NULL, &s->unk },
		{ 46, "bos_piece", NULL, &s->bos },
		{ 47, "eos_piece", NULL, &s->eos },
		{ 0, NULL, NULL, NULL },
	};
	const struct known normalizer[] = {
		{ 2, "precompiled_charsmap", NULL, &s->charsmap },
		{ 3, "add_dummy_prefix", &s->dummy_prefix, NULL },
		{ 4, "remove_extra_whitespaces", &s->remove_extra, NULL },
		{ 5, "escape_whitespaces", &s->escape, NULL },
		{ 0, NULL, NULL, NULL },
	};
	struct pb b = { (const unsigned char *)file.p, (const unsigned char *)file.p,
			(const unsigned char *)file.p + file.n, name };
	struct field f;
	bool trainer_seen = false;
	int more;
	while ((more = pb_next(&b, &f, e)) > 0) {
		int rc = f.number > 3 ? 0
				      : want(&b, &f, 2,
					     f.number == 1   ? "pieces"
					     : f.number == 2 ? "trainer_spec"
							     : "normalizer_spec",
					     e);
		if (rc == 0 && f.number == 1)
			rc = read_piece(&b, f.bytes, s, e);
		else if (rc == 0 && (f.number == 2 || f.number == 3)) {
			rc = read_spec(&b, f.bytes, f.number == 2 ? trainer : normalizer, e);
			trainer_seen |= f.number == 2;
		}
		if (rc < 0)
			return -1;
	}
	if (more < 0)
		return -1;
	struct str named[] = { s->unk, s->bos, s->eos };
	for (int k = 0; k < 3; k++)
		if (!utf8_valid(named[k]) || memchr(named[k].p, 0, named[k].n))
			return err_set(e, E_FORMAT, "%s: the name of a special piece is no text", name);
	if (!s->n)
		return err_set(e, E_FORMAT, "%s: no pieces, so this is no SentencePiece model", name);
	if (!trainer_seen) /* every writer puts it behind the pieces: a cut between two pieces is not seen otherwise */
		return err_set(e, E_FORMAT, "%s: %u pieces and no trainer_spec behind them: the file is cut off", name, s->n);
	return 0;
}

static int check(const struct make *m, const struct spm *s, struct err *e)
{
	static const char *const types[] = { "Unigram", "BPE", "WORD", "CHAR" };
	if (s->model_type != UNIGRAM && s->model_type != BPE)
		return s->model_type == WORD || s->model_type == CHAR
			       ? err_set(e, E_UNSUPPORTED,
					 "%s: a SentencePiece model of type %s is not supported (Unigram and BPE are)",
					 m->t->name, types[s->model_type - 1])
			       : err_set(e, E_FORMAT, "%s: model_type %lld is unknown", m->t->name,
					 (long long)s->model_type);
	if (s->suffix)
		return err_set(e, E_UNSUPPORTED, "%s: treat_whitespace_as_suffix is not supported", m->t->name);
	if (!(m->cls->reads & (s->model_type == BPE ? READS_BPE : READS_UNIGRAM)))
		return err_set(e, E_UNSUPPORTED, "%s: a %s is not made from a SentencePiece model of type %s",
			       m->t->name, m->cls->name, types[s->model_type - 1]);
	if (s->model_type == UNIGRAM && (s->unk_id < 0 || s->unk_id >= s->n))
		return err_set(e, E_FORMAT, "%s: unk_id %lld is no piece", m->t->name, (long long)s->unk_id);
	return 0;
}

/* ---- merges ---- */

struct ranked {
	float score;
	uint32_t id;
};

static int by_score(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;
	if (x->score != y->score)
		return x->score < y->score ? 1 : -1;
	return (x->id > y->id) - (x->id < y->id);
}

static bool merges_with(const struct make *m, const struct spm *s, struct str half, bool generic)
{
	int32_t id = make_id(m, half);
	return id >= 0 && (!generic || s->piece[id].type == NORMAL);
}

/* Every cut of a piece into two pieces. Generic: only normal pieces, best score first; else all, by id. */
static void write_merges(struct make *m, const struct spm *s, bool generic)
{
	struct ranked *r = xmalloc(s->n * sizeof *r);
	uint32_t n = 0;
	for (uint32_t i = 0; i < s->n; i++)
		if (!generic || s->piece[i].type == NORMAL)
			r[n++] = (struct ranked){ s->piece[i].score, i };
	if (generic)
		qsort(r, n, sizeof *r, by_score);
	for (uint32_t k = 0; k < n; k++) {
		struct str t = m->tok[r[k].id];
		size_t i = 0;
		for (utf8_next(t, &i); i < t.n; utf8_next(t, &i)) {
			struct str left = { t.p, i }, right = { t.p + i, t.n - i };
			if (merges_with(m, s, left, generic) && merges_with(m, s, right, generic))
				make_merge(m, left, right);
		}
	}
	free(r);
}

/* ---- the generic class ---- */

/* added_tokens_decoder may rename pieces (placeholders), but not to a piece that keeps its name elsewhere. */
static void rename_pieces(struct make *m, const struct spm *s)
{
	const struct tokconf *c = m->conf;
	bool *listed = ARENA_ARRAY(&m->a, m->ntok, bool);
	for (size_t i = 0; i < c->nadded; i++)
		if ((uint32_t)c->added_id[i] < m->ntok)
			listed[c->added_id[i]] = true;
	for (size_t i = 0; i < c->nadded; i++) {
		int32_t id = c->added_id[i], other = make_id(m, c->added[i].content);
		bool keeps = other >= 0 && other != id && !listed[other];
		if (id < (int32_t)s->n && c->added[i].content.n && !keeps)
			m->tok[id] = c->added[i].content;
	}
}

static void write_charsmap(struct buf *out, struct str charsmap)
{
	buf_puts(out, "{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"");
	base64_write(out, charsmap);
	buf_puts(out, "\"}");
}

static void write_normalizer(struct make *m, const struct spm *s, bool legacy)
{
	struct buf *out = &m->normalizer;
	const char *comma = "";
	buf_puts(out, "{\"type\":\"Sequence\",\"normalizers\":[");
	if (s->charsmap.n) {
		write_charsmap(out, s->charsmap);
		comma = ",";
	}
	if (s->remove_extra) {
		buf_printf(out,
			   "%s{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"\\\\A +| +\\\\z\"},\"content\":\"\"},"
			   "{\"type\":\"Replace\",\"pattern\":{\"Regex\":\" {2,}\"},\"content\":\" \"}",
			   comma);
		comma = ",";
	}
	if (s->escape) {
		buf_printf(out, "%s{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"\xe2\x96\x81\"}",
			   comma);
		comma = ",";
	}
	if (s->dummy_prefix && legacy)
		buf_printf(out,
			   "%s{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"\\\\A\xe2\x96\x81\"},\"content\":"
			   "\"\xe2\x96\x81\xe2\x96\x81\"}",
			   comma);
	buf_puts(out, "]}");
}

struct user {
	struct str text;
	size_t chars;
	uint32_t id;
};

static int longest_first(const void *a, const void *b)
{
	const struct user *x = a, *y = b;
	if (x->chars != y->chars)
		return x->chars < y->chars ? 1 : -1;
	return (x->id > y->id) - (x->id < y->id);
}

/* User-defined pieces are emitted whole: a pattern of all of them, the longest first. */
static uint32_t write_users(struct make *m, const struct spm *s, struct buf *out)
{
	struct user *u = xmalloc((s->n + 1) * sizeof *u);
	uint32_t n = 0;
	for (uint32_t i = 0; i < s->n; i++)
		if (s->piece[i].type == USER_DEFINED)
			u[n++] = (struct user){ m->tok[i], utf8_len(m->tok[i]), i };
	qsort(u, n, sizeof *u, longest_first);
	struct buf regex = { 0 };
	for (uint32_t i = 0; i < n; i++) {
		if (i)
			buf_putc(&regex, '|');
		for (size_t k = 0; k < u[i].text.n; k++) {
			if (strchr("()[]{}?*+-|^$\\.&~# \t\n\r\v\f", u[i].text.p[k]))
				buf_putc(&regex, '\\');
			buf_putc(&regex, u[i].text.p[k]);
		}
	}
	if (n) {
		buf_puts(out, "{\"type\":\"Split\",\"pattern\":{\"Regex\":");
		json_write_str(out, (struct str){ regex.p, regex.n }, 0);
		buf_puts(out, "},\"behavior\":\"Isolated\",\"invert\":false}");
	}
	buf_fini(&regex);
	free(u);
	return n;
}

static int make_generic(struct make *m, const struct spm *s, struct err *e)
{
	bool legacy;
	if (tokconf_bool(m->conf, "legacy", true, false, &legacy, e) < 0)
		return -1;
	write_normalizer(m, s, legacy);
	struct buf users = { 0 };
	uint32_t nusers = write_users(m, s, &users);
	if (s->dummy_prefix || nusers) {
		buf_puts(&m->pre, "{\"type\":\"Sequence\",\"pretokenizers\":[");
		if (s->dummy_prefix)
			buf_printf(&m->pre,
				   "{\"type\":\"Metaspace\",\"replacement\":\"\xe2\x96\x81\",\"prepend_scheme\":\"%s\","
				   "\"split\":false}%s",
				   legacy ? "always" : "first", nusers ? "," : "");
		buf_str(&m->pre, (struct str){ users.p, users.n });
		buf_puts(&m->pre, "]}");
	}
	buf_fini(&users);
	buf_printf(&m->decoder,
		   "{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Replace\",\"pattern\":{\"String\":"
		   "\"\xe2\x96\x81\"},\"content\":\" \"}%s%s%s]}",
		   s->byte_fallback ? ",{\"type\":\"ByteFallback\"}" : "",
		   s->byte_fallback || s->dummy_prefix ? ",{\"type\":\"Fuse\"}" : "",
		   s->dummy_prefix ? ",{\"type\":\"Strip\",\"content\":\" \",\"start\":1,\"stop\":0}" : "");
	const char *fallback = s->byte_fallback ? "true" : "false";
	if (s->model_type == BPE) {
		buf_puts(&m->model, "\"unk_token\":");
		json_write_str(&m->model, s->unk, 0);
		buf_printf(&m->model, ",\"fuse_unk\":true,\"byte_fallback\":%s,\"ignore_merges\":%s", fallback,
			   nusers ? "true" : "false");
	} else {
		buf_printf(&m->model, "\"unk_id\":%lld,\"byte_fallback\":%s", (long long)s->unk_id, fallback);
	}
	m->raw = s->dummy_prefix;
	m->special[SP_BOS] = s->bos_id >= 0 ? s->bos.n ? s->bos : STR("<s>") : (struct str){ NULL, 0 };
	m->special[SP_EOS] = s->eos_id >= 0 ? s->eos.n ? s->eos : STR("</s>") : (struct str){ NULL, 0 };
	m->special[SP_UNK] = s->unk_id >= 0 ? s->unk.n ? s->unk : STR("<unk>") : (struct str){ NULL, 0 };
	return 0;
}

/* ---- all of it ---- */

/* Control pieces are special added tokens, user-defined ones plain added tokens; the generic class has the latter in
 * its pattern. */
static void add_pieces(struct make *m, const struct spm *s, bool generic)
{
	m->extra = ARENA_ARRAY(&m->a, m->ntok, struct addtok);
	for (uint32_t i = 0; i < s->n; i++)
		if (s->piece[i].type == CONTROL || (s->piece[i].type == USER_DEFINED && !generic))
			m->extra[m->nextra++] =
				(struct addtok){ .content = s->piece[i].text, .special = s->piece[i].type == CONTROL };
}

static int count_sentinels(const struct make *m, int *n, struct err *e)
{
	const struct value *v = v_getc(m->conf->config, "extra_ids");
	*n = 100;
	if (!v)
		return 0;
	if (v->type != V_INT || v->i < 0 || v->i > 10000)
		return err_set(e, E_FORMAT,
			       "%s/tokenizer_config.json: extra_ids must be a whole number from 0 to 10000",
			       m->conf->dir.p);
	*n = (int)v->i;
	return 0;
}

static int fill(struct make *m, const struct spm *s, struct err *e)
{
	bool generic = m->cls == &tok_generic;
	int sentinels = 0;
	if (m->cls->sentinels && count_sentinels(m, &sentinels, e) < 0)
		return -1;
	m->ntok = s->n + (uint32_t)sentinels;
	m->tok = ARENA_ARRAY(&m->a, m->ntok, struct str);
	for (uint32_t i = 0; i < s->n; i++)
		m->tok[i] = s->piece[i].text;
	for (int i = 0; i < sentinels; i++)
		m->tok[s->n + (uint32_t)i] = arena_printf(&m->a, "<extra_id_%d>", sentinels - 1 - i);
	if (make_index(m, e) < 0)
		return -1;
	if (generic && s->model_type == BPE && m->conf->nadded) {
		rename_pieces(m, s);
		if (make_index(m, e) < 0)
			return -1;
	}
	if (s->model_type == UNIGRAM) {
		m->score = ARENA_ARRAY(&m->a, m->ntok, double);
		for (uint32_t i = 0; i < s->n; i++)
			m->score[i] = (double)s->piece[i].score;
	} else {
		write_merges(m, s, generic);
	}
	add_pieces(m, s, generic);
	for (int i = 0; i < sentinels; i++)
		m->extra[m->nextra++] =
			(struct addtok){ .content = m->tok[m->ntok - 1 - (uint32_t)i], .special = true };
	if (generic)
		return make_generic(m, s, e);
	if (m->score) {
		buf_printf(&m->model, "\"unk_id\":%d,\"byte_fallback\":false", m->cls->unk_id);
		if (s->charsmap.n)
			write_charsmap(&m->normalizer, s->charsmap);
	}
	return 0;
}

int spm_make(struct make *m, struct str file, struct err *e)
{
	struct spm s = { .model_type = UNIGRAM,
			 .bos_id = 1,
			 .eos_id = 2,
			 .dummy_prefix = 1,
			 .remove_extra = 1,
			 .escape = 1,
			 .unk = STR("<unk>"),
			 .bos = STR("<s>"),
			 .eos = STR("</s>") };
	int rc = read_model(m->t->name, file, &s, e);
	if (rc == 0)
		rc = check(m, &s, e);
	if (rc == 0)
		rc = fill(m, &s, e);
	free(s.piece);
	return rc;
}
