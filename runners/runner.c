/* runner.c - the table of kinds behind runner.h, a tokenizer by itself, and the tables for `assay list`.
 */
#include "runners/runner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/ops.h"
#include "runners/families.h"
#include "runners/kinds.h"
#include "runners/tokenizer.h"

static const struct runner_kind *const kinds[] = { &runner_engine, &runner_replay };
enum { KINDS = sizeof kinds / sizeof *kinds };

const char *stop_name(enum stop s)
{
	static const char *const names[] = { [STOP_NONE] = "none", [STOP_EOS] = "eos", [STOP_UNTIL] = "until", [STOP_LENGTH] = "length" };
	return names[s];
}

int runner_open(struct runner **out, const struct runner_opts *o, struct err *e)
{
	const char *name = o->kind ? o->kind : runner_engine.name, *names[KINDS + 1] = { NULL };
	for (int i = 0; i < KINDS; i++) {
		names[i] = kinds[i]->name;
		if (strcmp(name, names[i]) == 0)
			return kinds[i]->open(out, o, e);
	}
	char hint[128];
	return err_set(e, E_USAGE, "unknown runner '%s'%s (known: engine, replay)", name, err_hint(hint, sizeof hint, name, names));
}

void runner_close(struct runner *r)
{
	if (r)
		r->kind->close(r);
}

const struct runner_info *runner_info(const struct runner *r)
{
	return &r->info;
}

int runner_encode(struct runner *r, const struct request *q, struct arena *a, struct encoded *out, struct err *e)
{
	return r->kind->encode(r, q, a, out, e);
}

int runner_render(struct runner *r, const struct request *q, struct arena *a, struct str *out, struct err *e)
{
	return r->kind->render(r, q, a, out, e);
}

int runner_key(struct runner *r, const struct request *q, struct keyed *out, struct err *e)
{
	return r->kind->key(r, q, out, e);
}

int runner_run(struct runner *r, const struct request *q, size_t n, answer_fn *done, progress_fn *progress, void *ctx, struct err *e)
{
	return r->kind->run(r, q, n, done, progress, ctx, e);
}

int runner_decode(struct runner *r, const int32_t *ids, int n, bool skip_special, struct arena *a, struct str *out, struct err *e)
{
	return r->kind->decode(r, ids, n, skip_special, a, out, e);
}

int runner_plan(const struct runner_opts *o, struct plan_row *rows, int max, struct err *e)
{
	return engine_plan(o, rows, max, e);
}

/* -- a tokenizer by itself -- */

struct tokens {
	struct tokenizer *tok;
};

int tokens_open(struct tokens **out, const char *path, struct err *e)
{
	struct tokenizer *t;
	if (tokenizer_open(&t, path, e))
		return -1;
	*out = xcalloc(1, sizeof **out);
	(*out)->tok = t;
	return 0;
}

void tokens_close(struct tokens *t)
{
	if (!t)
		return;
	tokenizer_close(t->tok);
	free(t);
}

int tokens_encode(struct tokens *t, struct str text, bool special, struct arena *a, int32_t **ids, int32_t **offsets, int *n, struct err *e)
{
	struct ids got;
	if (tokenizer_encode(t->tok, text, (special ? TOK_SPECIAL : 0) | (offsets ? TOK_OFFSETS : 0), a, &got, e))
		return -1;
	*ids = got.id;
	*n = got.n;
	if (offsets)
		*offsets = got.n ? &got.offset[0][0] : NULL;
	return 0;
}

int tokens_decode(struct tokens *t, const int32_t *ids, int n, bool skip_special, struct arena *a, struct str *out, struct err *e)
{
	return tokenizer_decode(t->tok, ids, n, skip_special, a, out, e);
}

/* -- tables for `assay list`: filled from the tables they describe, the same at every call -- */

const struct list_row *runner_families(void)
{
	static struct list_row rows[256];
	int n = 0;
	for (int i = 0; family_at(i) && n < 255; i++)
		rows[n++] = (struct list_row){ .name = family_at(i)->name, .text = family_at(i)->text, .architectures = family_at(i)->architectures };
	for (int i = 0; family_wrapper_at(i) && n < 255; i++)
		rows[n++] = (struct list_row){ .name = family_wrapper_at(i)->name, .text = family_wrapper_at(i)->text,
					       .architectures = family_wrapper_at(i)->architectures };
	return rows;
}

const struct list_row *runner_numerics(void)
{
	static const struct list_row rows[] = {
		{ .name = "chain32/1", .text = "fp32 activations times exact weight values, one fused multiply-add chain per output; the same bits on every machine" },
		{ .name = "fast", .text = "tensor cores for the linear layers, bf16 in and fp32 sums, all else exact (CUDA); short for this machine's "
					  "fast/<arch>/<cublasLt version>/<digest>: the same bits for any batch on what has that id" },
		{ .name = NULL },
	};
	return rows;
}

const struct list_row *runner_devices(void)
{
	static struct device_row found[32];
	static struct list_row rows[33];
	int n = device_list(found, 32);
	for (int i = 0; i < n; i++)
		rows[i] = (struct list_row){ .name = found[i].name, .text = found[i].text, .absent = !found[i].there };
	rows[n] = (struct list_row){ .name = NULL };
	return rows;
}

const struct list_row *runner_tokenizers(void)
{
	static struct list_row rows[128];
	const char *const *c = tokenizer_components();
	for (int i = 0; c[i] && i < 127; i++)
		rows[i] = (struct list_row){ .name = c[i], .text = "" };
	return rows;
}
