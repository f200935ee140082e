/* tok_tiktoken.c - tiktoken's files: a token in base64, a blank and its rank a line.
 *
 * The rank is the id and the order of merging; the pattern that cuts text and the special tokens are not in the file. They
 * belong to the family, which is known by tokenizer_class, by model_type or by the file's own name; the patterns are those of
 * the families' own code. Every way to cut a token into two tokens becomes a merge, the pair of lowest ranks first, and a
 * word that is a token is taken whole, as transformers' TikTokenConverter has it. Ids behind the ranks that
 * added_tokens_decoder does not name are reserved tokens.
 *
 * Refuses: a family it does not know (a guessed pattern would shift every score), bad base64, ranks and tokens that stand twice,
 * lines of another form, each with its line.
 */
#include <stdio.h>
#include <stdlib.h>

#include "runners/text/base64.h"
#include "runners/text/json.h"
#include "runners/text/utf8.h"
#include "runners/tok_files.h"

enum { MAX_BYTES = 2048, MAX_SPECIAL = 1 << 16 };

#define CUT "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define TAIL "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define LLAMA3 CUT "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}" TAIL
#define QWEN CUT "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}" TAIL
#define UP "\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}"
#define DOWN "\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}"
#define O200K \
	"[^\\r\\n\\p{L}\\p{N}]?[" UP "]*[" DOWN "]+" CUT "?|[^\\r\\n\\p{L}\\p{N}]?[" UP "]+[" DOWN "]*" CUT "?|\\p{N}{1,3}" \
	"| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
/* the original takes Han out of the classes with &&[^\p{Han}] */
#define NO_HAN(set) "(?:(?!\\p{Han})[" set "])"
#define KIMI \
	"[\\p{Han}]+|[^\\r\\n\\p{L}\\p{N}]?" NO_HAN(UP) "*" NO_HAN(DOWN) "+" CUT "?|[^\\r\\n\\p{L}\\p{N}]?" NO_HAN(UP) "+" NO_HAN(DOWN) \
	"*" CUT "?|\\p{N}{1,3}" TAIL
#define GPT2 "'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"

static const struct family {
	const char *name;
	const char *classes, *models, *files; /* words between blanks */
	const char *regex;
	bool nfc;
	int reserved;                  /* so many special tokens behind the ranks */
	const char *special;           /* words; a %d in one: numbered, filling up `reserved` */
	const char *prefix[2];         /* tokens in front of every text */
	const char *eos;
	struct {
		const char *token;
		uint32_t id;
	} fixed[6];                    /* tokens with ids of their own */
} families[] = {
	{ "Qwen", " QWenTokenizer ", " qwen ", " qwen.tiktoken ", QWEN, true, 208, "<|endoftext|> <|im_start|> <|im_end|> <|extra_%d|>",
	  { NULL, NULL }, "<|endoftext|>", { { NULL, 0 } } },
	{ "Kimi", " TikTokenTokenizer TikTokenV3 ", " kimi_k2 kimi_k25 kimi_linear kimi_vl ", "", KIMI, false, 256, "", { NULL, NULL }, NULL,
	  { { NULL, 0 } } },
	{ "GLM-4", " ChatGLM4Tokenizer ", " chatglm glm4 glm ", "", LLAMA3, false, 0, "", { "[gMASK]", "<sop>" }, NULL, { { NULL, 0 } } },
	{ "Llama 3", "", " llama mllama ", "", LLAMA3, false, 0, "", { NULL, NULL }, NULL, { { NULL, 0 } } },
	{ "cl100k_base", "", "", " cl100k_base.tiktoken ", LLAMA3, false, 0, "", { NULL, NULL }, "<|endoftext|>",
	  { { "<|endoftext|>", 100257 }, { "<|fim_prefix|>", 100258 }, { "<|fim_middle|>", 100259 }, { "<|fim_suffix|>", 100260 },
	    { "<|endofprompt|>", 100276 } } },
	{ "o200k_base", "", "", " o200k_base.tiktoken ", O200K, false, 0, "", { NULL, NULL }, "<|endoftext|>",
	  { { "<|endoftext|>", 199999 }, { "<|endofprompt|>", 200018 } } },
	{ "gpt2", "", "", " gpt2.tiktoken r50k_base.tiktoken p50k_base.tiktoken ", GPT2, false, 0, "", { NULL, NULL }, "<|endoftext|>",
	  { { "<|endoftext|>", 50256 } } },
};

static const struct family *find_family(const struct tokconf *c, const char *path)
{
	const char *slash = strrchr(path, '/');
	struct str name = str_of(slash ? slash + 1 : path);
	for (int by = 0; by < 3; by++)
		for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
			if (tok_listed(by == 0 ? families[i].classes : by == 1 ? families[i].models : families[i].files,
				 by == 0 ? c->class : by == 1 ? c->model_type : name))
				return &families[i];
	return NULL;
}

/* ---- lines ---- */

/* "base64 rank": 0 and the parts, -1: something else. */
static int split_line(struct str s, struct str *b64, uint32_t *rank)
{
	const char *blank = memchr(s.p, ' ', s.n);
	uint32_t v = 0;
	size_t i;
	if (!blank || blank == s.p)
		return -1;
	*b64 = (struct str){ s.p, (size_t)(blank - s.p) };
	for (i = b64->n + 1; i < s.n && s.p[i] >= '0' && s.p[i] <= '9' && v < TOK_MAX_ID; i++)
		v = 10 * v + (uint32_t)(s.p[i] - '0');
	*rank = v;
	return i == s.n && i > b64->n + 1 && v < TOK_MAX_ID ? 0 : -1;
}

bool tiktoken_is(struct str file)
{
	size_t i = 0;
	struct str b64, line;
	uint32_t rank;
	if (!file.n)
		return false;
	line = make_line(file, &i);
	return split_line(line, &b64, &rank) == 0;
}

static int read_line(struct make *m, struct str line, long number, struct err *e)
{
	struct str b64;
	uint32_t rank;
	if (split_line(line, &b64, &rank) < 0)
		return err_set(e, E_FORMAT, "%s:%ld: a line must be a token in base64, a blank and its rank below %d", m->t->name, number,
			       TOK_MAX_ID);
	if (b64.n / 4 * 3 > MAX_BYTES)
		return err_set(e, E_LIMIT, "%s:%ld: a token of more than %d bytes", m->t->name, number, MAX_BYTES);
	if (!ids_fit(rank, (size_t)number))
		return err_set(e, E_FORMAT, "%s:%ld: rank %u is far beyond the number of tokens", m->t->name, number, rank);
	struct str bytes;
	if (base64_decode(&m->a, b64, &bytes) < 0)
		return err_set(e, E_FORMAT, "%s:%ld: '%.*s' is not base64", m->t->name, number, str_shown(b64), b64.p);
	if (make_room(m, rank)->p)
		return err_set(e, E_FORMAT, "%s:%ld: rank %u stands twice", m->t->name, number, rank);
	m->tok[rank] = bytes;
	return 0;
}

/* ---- merges ---- */

struct cut {
	int32_t l, r;
};

static int lower_ranks(const void *a, const void *b)
{
	const struct cut *x = a, *y = b;
	return x->l != y->l ? (x->l > y->l) - (x->l < y->l) : (x->r > y->r) - (x->r < y->r);
}

static void write_merges(struct make *m, const struct str *text)
{
	struct cut cuts[MAX_BYTES];
	for (uint32_t id = 0; id < m->ntok; id++) {
		struct str s = m->tok[id];
		size_t n = 0;
		for (size_t i = 1; s.p && i < s.n; i++) {
			int32_t l = make_id(m, (struct str){ s.p, i });
			int32_t r = l < 0 ? -1 : make_id(m, (struct str){ s.p + i, s.n - i });
			if (r >= 0)
				cuts[n++] = (struct cut){ l, r };
		}
		qsort(cuts, n, sizeof *cuts, lower_ranks);
		for (size_t i = 0; i < n; i++)
			make_merge(m, text[cuts[i].l], text[cuts[i].r]);
	}
}

/* Bytes as GPT-2's printable stand-ins. */
static struct str stand_in(struct make *m, struct str s)
{
	char *p = arena_alloc(&m->a, 2 * s.n + 1);
	size_t n = 0;
	for (size_t i = 0; i < s.n; i++)
		n += utf8_put(tok_byte_char[(unsigned char)s.p[i]], p + n);
	return (struct str){ p, n };
}

/* ---- special tokens ---- */

static struct addtok special_token(struct str s)
{
	return (struct addtok){ .content = s, .special = true };
}

/* Those behind the ranks: named by added_tokens_decoder or the family, else reserved. */
static int add_specials(struct make *m, const struct family *f, struct err *e)
{
	const struct tokconf *c = m->conf;
	uint32_t end = m->count + (uint32_t)f->reserved, from = m->count;
	for (size_t i = 0; i < c->nadded; i++)
		if ((uint32_t)c->added_id[i] >= end)
			end = (uint32_t)c->added_id[i] + 1;
	if (m->count != m->ntok && end > from)
		return err_set(e, E_FORMAT, "%s: rank %u is missing", m->t->name, m->count);
	if (end - from > MAX_SPECIAL)
		return err_set(e, E_LIMIT, "%s/tokenizer_config.json: added_tokens_decoder has id %u, but the ranks end at %u: at most %d special tokens stand behind them",
			       c->dir.p, end - 1, from, MAX_SPECIAL);
	m->first = ARENA_ARRAY(&m->a, end - from + 1, struct addtok);
	const char *w = f->special;
	int numbered = 0;
	size_t k = 0;
	for (uint32_t id = from; id < end; id++) {
		struct str s = { NULL, 0 };
		for (; k < c->nadded && (uint32_t)c->added_id[k] <= id; k++)
			if ((uint32_t)c->added_id[k] == id)
				s = c->added[k].content;
		size_t n = strcspn(w, " ");
		bool pattern = memchr(w, '%', n) != NULL;
		if (!s.p && n) {
			const char *mark = pattern ? memchr(w, '%', n) : w + n;
			s = pattern ? arena_printf(&m->a, "%.*s%d%.*s", (int)(mark - w), w, numbered++, (int)(w + n - mark - 2), mark + 2)
				    : arena_str(&m->a, w, n);
		}
		if (n && !pattern)
			w += n + (w[n] == ' ');
		if (!s.p)
			s = arena_printf(&m->a, "<|reserved_token_%u|>", id);
		m->first[m->nfirst++] = special_token(s);
	}
	return 0;
}

/* Tokens with ids of their own become part of the vocabulary. */
static int add_fixed(struct make *m, const struct family *f, struct err *e)
{
	uint32_t top = m->ntok;
	size_t n = 0;
	for (n = 0; f->fixed[n].token; n++)
		top = f->fixed[n].id >= top ? f->fixed[n].id + 1 : top;
	if (!n)
		return 0;
	struct str *tok = ARENA_ARRAY(&m->a, top, struct str);
	memcpy(tok, m->tok, m->ntok * sizeof *tok);
	m->first = ARENA_ARRAY(&m->a, n, struct addtok);
	for (size_t i = 0; i < n; i++) {
		if (tok[f->fixed[i].id].p)
			return err_set(e, E_FORMAT, "%s: rank %u is that of %s", m->t->name, f->fixed[i].id, f->fixed[i].token);
		tok[f->fixed[i].id] = str_of(f->fixed[i].token);
		m->first[m->nfirst++] = special_token(str_of(f->fixed[i].token));
	}
	m->tok = tok;
	m->ntok = top;
	return make_index(m, e);
}

static void write_prefix(struct make *m, const struct family *f)
{
	struct buf *o = &m->post;
	for (int k = 0; k < 2; k++) {
		bool there = false;
		for (size_t i = 0; f->prefix[k] && i < m->nfirst; i++)
			there |= str_is(m->first[i].content, f->prefix[k]);
		if (!there)
			return;
	}
	buf_puts(o, "{\"type\":\"TemplateProcessing\",\"single\":[");
	for (int k = 0; k < 2; k++)
		buf_printf(o, "{\"SpecialToken\":{\"id\":\"%s\",\"type_id\":0}},", f->prefix[k]);
	buf_puts(o, "{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}],\"pair\":[],\"special_tokens\":{");
	for (int k = 0; k < 2; k++) {
		uint32_t id = m->count;
		for (size_t i = 0; i < m->nfirst; i++)
			if (str_is(m->first[i].content, f->prefix[k]))
				id = m->count + (uint32_t)i;
		buf_printf(o, "%s\"%s\":{\"id\":\"%s\",\"ids\":[%u],\"tokens\":[\"%s\"]}", k ? "," : "", f->prefix[k], f->prefix[k], id, f->prefix[k]);
	}
	buf_puts(o, "}}");
}

static void write_parts(struct make *m, const struct family *f)
{
	if (f->nfc)
		buf_puts(&m->normalizer, "{\"type\":\"NFC\"}");
	buf_puts(&m->pre, "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":");
	json_write_str(&m->pre, str_of(f->regex), 0);
	buf_puts(&m->pre, "},\"behavior\":\"Isolated\",\"invert\":false},"
			  "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true,\"use_regex\":false}]}");
	buf_puts(&m->decoder, "{\"type\":\"ByteLevel\",\"add_prefix_space\":true,\"trim_offsets\":true,\"use_regex\":true}");
	buf_puts(&m->model, "\"unk_token\":null,\"fuse_unk\":false,\"byte_fallback\":false,\"ignore_merges\":true");
	if (f->prefix[0])
		write_prefix(m, f);
	if (!m->post.n)
		buf_puts(&m->post, "{\"type\":\"ByteLevel\",\"add_prefix_space\":true,\"trim_offsets\":false,\"use_regex\":true}");
	if (f->eos)
		m->special[SP_EOS] = str_of(f->eos);
}

int tiktoken_make(struct make *m, struct str file, struct err *e)
{
	const struct family *f = find_family(m->conf, m->t->name);
	long line = 0;
	if (!f) {
		char known[300] = "";
		for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
			snprintf(known + strlen(known), sizeof known - strlen(known), "%s%s", i ? ", " : "", families[i].name);
		return err_set(e, E_UNSUPPORTED,
			       "%s: a tiktoken file does not say how text is cut, and neither tokenizer_class '%.*s' nor model_type '%.*s' is of a known "
			       "family (%s): convert it to a tokenizer.json",
			       m->t->name, str_shown(m->conf->class), m->conf->class.n ? m->conf->class.p : "",
			       str_shown(m->conf->model_type), m->conf->model_type.n ? m->conf->model_type.p : "", known);
	}
	for (size_t i = 0; i < file.n;) {
		struct str s = make_line(file, &i);
		line++;
		if (s.n && read_line(m, s, line, e) < 0)
			return -1;
	}
	m->cls = &tok_generic;
	if (make_index(m, e) < 0)
		return -1;
	struct str *text = ARENA_ARRAY(&m->a, m->ntok, struct str);
	for (uint32_t i = 0; i < m->ntok; i++)
		text[i] = m->tok[i].p ? stand_in(m, m->tok[i]) : (struct str){ NULL, 0 };
	write_merges(m, text);
	m->tok = text;
	if (make_index(m, e) < 0 || add_fixed(m, f, e) < 0 || (!f->fixed[0].token && add_specials(m, f, e) < 0))
		return -1;
	write_parts(m, f);
	return 0;
}
