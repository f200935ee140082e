/* sampling.c - what generation_config.json says about drawing tokens, for runs that ask for it (--generation-config).
 *
 * Read as transformers' generate() reads it: nothing is drawn unless do_sample is true, repetition_penalty is for greedy text
 * too; a key that is missing or null has that library's default, which for top_k is 50. A key that would change the text and is
 * not known here (other penalties, beams, bans of tokens) is an error that names it, unless its value is the neutral one.
 * Lengths are the suite's, stop tokens are always the model's.
 */
#include <stdio.h>
#include <unistd.h>

#include "kernels/base/arena.h"
#include "runners/runner.h"
#include "runners/text/json.h"

#define MAX_BYTES ((size_t)1 << 20)
#define KNOWN "temperature, top_k, top_p, min_p, repetition_penalty"

/* Keys with the one value that changes nothing. */
static const struct {
	const char *key;
	double neutral;
} neutral[] = {
	{ "encoder_repetition_penalty", 1 }, { "presence_penalty", 0 }, { "frequency_penalty", 0 },
	{ "no_repeat_ngram_size", 0 }, { "encoder_no_repeat_ngram_size", 0 }, { "typical_p", 1 }, { "epsilon_cutoff", 0 }, { "eta_cutoff", 0 },
	{ "top_h", 0 }, { "num_beams", 1 }, { "num_beam_groups", 1 }, { "diversity_penalty", 0 }, { "penalty_alpha", 0 },
	{ "guidance_scale", 1 }, { "min_length", 0 }, { "min_new_tokens", 0 },
};

/* Keys that change something unless they hold an empty list or false. */
static const char *const never[] = { "bad_words_ids", "force_words_ids", "constraints", "forced_bos_token_id", "forced_eos_token_id", "sequence_bias",
				     "exponential_decay_length_penalty", "suppress_tokens", "begin_suppress_tokens", "watermarking_config",
				     "forced_decoder_ids", "stop_strings", "dola_layers", "token_healing", NULL };

static bool as_number(const struct value *v, double *out)
{
	*out = v->type == V_INT ? (double)v->i : v->type == V_FLOAT ? v->f : 0;
	return v->type == V_INT || v->type == V_FLOAT;
}

static const struct value *look(struct value g, const char *key)
{
	const struct value *v = v_getc(g, key);
	return v && v->type != V_NONE ? v : NULL;
}

static int read_number(double *out, const char *path, struct value g, const char *key, double lo, double hi, struct err *e)
{
	const struct value *v = look(g, key);
	if (!v)
		return 0;
	if (!as_number(v, out) || !(*out >= lo && *out <= hi))
		return err_set(e, E_RANGE, "%s: '%s' is no number from %g to %g", path, key, lo, hi);
	return 0;
}

static int check_rest(const char *path, struct value g, struct err *e)
{
	for (size_t i = 0; i < sizeof neutral / sizeof neutral[0]; i++) {
		const struct value *v = look(g, neutral[i].key);
		double d = 0;
		if (v && (!as_number(v, &d) || d != neutral[i].neutral))
			return err_set(e, E_UNSUPPORTED, "%s: '%s' is set, which --generation-config cannot apply (known: " KNOWN ")", path,
				       neutral[i].key);
	}
	for (int i = 0; never[i]; i++) {
		const struct value *v = look(g, never[i]);
		if (v && !(v->type == V_LIST && !v->list->n) && !(v->type == V_BOOL && !v->b))
			return err_set(e, E_UNSUPPORTED, "%s: '%s' is set, which --generation-config cannot apply (known: " KNOWN ")", path,
				       never[i]);
	}
	return 0;
}

static int read_sampling(struct sampling *s, const char *path, struct value g, struct err *e)
{
	double top_k = 50;

	if (g.type != V_DICT)
		return err_set(e, E_FORMAT, "%s: is no JSON object", path);
	const struct value *sample = look(g, "do_sample");
	if (sample && sample->type != V_BOOL)
		return err_set(e, E_FORMAT, "%s: 'do_sample' is neither true nor false", path);
	if (check_rest(path, g, e) != 0)
		return -1;
	*s = (struct sampling){ .set = true, .top_p = 1 };
	if (read_number(&s->repetition_penalty, path, g, "repetition_penalty", 0.01, 10, e) != 0)
		return -1;
	if (s->repetition_penalty == 1)
		s->repetition_penalty = 0;
	if (!sample || !sample->b)
		return 0;
	s->temperature = 1;
	if (read_number(&s->temperature, path, g, "temperature", 1e-6, 1e5, e) != 0 || read_number(&s->top_p, path, g, "top_p", 1e-9, 1, e) != 0 ||
	    read_number(&s->min_p, path, g, "min_p", 0, 1, e) != 0 || read_number(&top_k, path, g, "top_k", 0, 1e9, e) != 0)
		return -1;
	s->top_k = (int)top_k;
	return s->top_k == top_k ? 0 : err_set(e, E_RANGE, "%s: 'top_k' is no whole number", path);
}

int runner_sampling(struct sampling *out, const char *dir, struct err *e)
{
	struct arena a;
	struct value g;
	int rc = -1;

	*out = (struct sampling){ 0 };
	arena_init(&a);
	char *path = arena_cstr(&a, arena_printf(&a, "%s/generation_config.json", dir));
	if (access(path, F_OK) != 0)
		err_set(e, E_UNSUPPORTED, "%s: is not there, --generation-config has nothing to apply", path);
	else if (json_load(&a, path, MAX_BYTES, &g, e) == 0)
		rc = read_sampling(out, path, g, e);
	arena_fini(&a);
	return rc;
}
