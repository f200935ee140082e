/* args.c - the command line read through the tables of cmd.h.
 *
 * `--name VALUE`, `--name=VALUE`, `-l VALUE`, `--` ends options. Options that collect (`multi`) may be repeated; `greedy`
 * ones also take the following words up to the next option (--model A B). An unknown option names the nearest known one;
 * a number is checked against its range here, so that commands see only legal values. Everything wrong is E_USAGE.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "harness/cmd.h"
#include "kernels/base/arena.h"

struct value_list {
	const struct opt *opt;
	const char **v;
	int n;
};

struct args {
	struct value_list *list;
	int nlist;
	const char **word;
	int nwords;
};

static const struct opt global_table[] = {
	{ "threads", 0, OPT_INT, "N", "Threads used; 0 or absent: every processor that the process may use. Changes no bit.", 0, 256, NULL, false, false },
	{ "device", 0, OPT_STRING, "NAME", "Where the model runs: cpu (default), cuda[:N], or auto. Changes no bit.", 0, 0, NULL, false, false },
	{ "numerics", 0, OPT_STRING, "ID", "The numerics that decide every bit: chain32/1, or fast on a GPU (assay list numerics).", 0, 0, NULL, false, false },
	{ "memory", 0, OPT_SIZE, "SIZE", "What the engine may hold besides the weights: 512M, 4G, ...", 0, 0, NULL, false, false },
	{ "cpu-mask", 0, OPT_STRING, "LEVEL", "Highest instruction set used: scalar, neon, avx2, avx512, avx512bf16. Changes no bit.", 0, 0, NULL, false, false },
	{ "date", 0, OPT_DATE, "DATE", "What templates see as now, YYYY-MM-DD[THH:MM:SS]: a recorded setting, never the clock.", 0, 0, NULL, false, false },
	{ "json", 0, OPT_FLAG, NULL, "Machine-readable output: JSON lines.", 0, 0, NULL, false, false },
	{ "quiet", 'q', OPT_FLAG, NULL, "No progress, no notes; warnings and errors only.", 0, 0, NULL, false, false },
	{ "help", 'h', OPT_FLAG, NULL, "Shows the help of the command.", 0, 0, NULL, false, false },
	{ NULL, 0, OPT_FLAG, NULL, NULL, 0, 0, NULL, false, false },
};

const struct opt *global_opts(void)
{
	return global_table;
}

static const struct opt *find(const struct cmd *c, const char *name, size_t n)
{
	const struct opt *tables[2] = { c->opts, global_table };
	for (int t = 0; t < 2; t++)
		for (const struct opt *o = tables[t]; o && o->name; o++)
			if (strlen(o->name) == n && !strncmp(o->name, name, n))
				return o;
	return NULL;
}

static const struct opt *find_letter(const struct cmd *c, char letter)
{
	const struct opt *tables[2] = { c->opts, global_table };
	for (int t = 0; t < 2; t++)
		for (const struct opt *o = tables[t]; o && o->name; o++)
			if (o->letter == letter)
				return o;
	return NULL;
}

static int unknown(const struct cmd *c, const char *word, size_t n, struct err *e)
{
	const char *names[128];
	int k = 0;
	const struct opt *tables[2] = { c->opts, global_table };
	for (int t = 0; t < 2; t++)
		for (const struct opt *o = tables[t]; o && o->name && k < 127; o++)
			names[k++] = o->name;
	names[k] = NULL;
	char name[128], hint[160];
	snprintf(name, sizeof name, "%.*s", (int)(n < 100 ? n : 100), word);
	const char *near = err_nearest(name, names);
	if (near)
		snprintf(hint, sizeof hint, ", did you mean '--%s'?", near);
	else
		snprintf(hint, sizeof hint, " (assay %s --help lists them)", c->name);
	return err_set(e, E_USAGE, "unknown option '--%s'%s", name, hint);
}

static int parse_size(const char *s, size_t *out)
{
	char *end;
	errno = 0;
	double v = strtod(s, &end);
	static const char units[] = "KMGT";
	const char *u = *end ? strchr(units, *end >= 'a' ? *end - 32 : *end) : NULL;
	if (end == s || errno || !(v >= 0) || v > 1e15)
		return -1;
	if (*end) {
		if (!u)
			return -1;
		for (long i = 0; i <= u - units; i++)
			v *= 1024;
		end++;
		if (*end == 'i')
			end++;
		if (*end == 'B' || *end == 'b')
			end++;
		if (*end)
			return -1;
	}
	if (v > 1e18)
		return -1;
	*out = (size_t)v;
	return 0;
}

static bool digits(const char *s, int n)
{
	for (int i = 0; i < n; i++)
		if (s[i] < '0' || s[i] > '9')
			return false;
	return true;
}

static bool is_date(const char *s)
{
	size_t n = strlen(s);
	if (n != 10 && n != 19)
		return false;
	if (!digits(s, 4) || s[4] != '-' || !digits(s + 5, 2) || s[7] != '-' || !digits(s + 8, 2))
		return false;
	int month = atoi(s + 5), day = atoi(s + 8), year = atoi(s);
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	if (year < 1 || month < 1 || month > 12)
		return false;
	int leap = month == 2 && (year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
	if (day < 1 || day > days[month - 1] + leap)
		return false;
	if (n == 10)
		return true;
	return s[10] == 'T' && digits(s + 11, 2) && s[13] == ':' && digits(s + 14, 2) && s[16] == ':' && digits(s + 17, 2) &&
	       atoi(s + 11) < 24 && atoi(s + 14) < 60 && atoi(s + 17) < 60;
}

static int check_value(const struct opt *o, const char *v, struct err *e)
{
	size_t size;
	char *end;
	switch (o->type) {
	case OPT_INT: {
		errno = 0;
		long x = strtol(v, &end, 10);
		if (!*v || *end || errno)
			return err_set(e, E_USAGE, "--%s wants a whole number, not '%s'", o->name, v);
		if (x < o->min || x > o->max)
			return err_set(e, E_USAGE, "--%s must lie between %ld and %ld, not %ld", o->name, o->min, o->max, x);
		return 0;
	}
	case OPT_SIZE:
		if (parse_size(v, &size))
			return err_set(e, E_USAGE, "--%s wants a size such as 512M or 4G, not '%s'", o->name, v);
		return 0;
	case OPT_DATE:
		if (!is_date(v))
			return err_set(e, E_USAGE, "--%s wants YYYY-MM-DD or YYYY-MM-DDTHH:MM:SS, not '%s'", o->name, v);
		return 0;
	case OPT_CHOICE: {
		const char *words[16];
		char copy[256];
		int k = 0;
		snprintf(copy, sizeof copy, "%s", o->choices);
		for (char *save = NULL, *w = strtok_r(copy, "|", &save); w && k < 15; w = strtok_r(NULL, "|", &save)) {
			if (!strcmp(w, v))
				return 0;
			words[k++] = w;
		}
		words[k] = NULL;
		char hint[160];
		return err_set(e, E_USAGE, "--%s wants one of %s, not '%s'%s", o->name, o->choices, v,
			       err_hint(hint, sizeof hint, v, words));
	}
	case OPT_FLAG:
	case OPT_STRING:
		return 0;
	}
	return 0;
}

static struct value_list *list_of(struct args *a, const struct opt *o)
{
	for (int i = 0; i < a->nlist; i++)
		if (a->list[i].opt == o)
			return &a->list[i];
	a->list = xrealloc(a->list, (size_t)(a->nlist + 1) * sizeof *a->list);
	a->list[a->nlist] = (struct value_list){ .opt = o };
	return &a->list[a->nlist++];
}

static int add(struct args *a, const struct opt *o, const char *v, struct err *e)
{
	if (v && check_value(o, v, e))
		return -1;
	struct value_list *l = list_of(a, o);
	if (l->n && !o->multi) {
		l->v[0] = v; /* the last one wins, as people expect of a repeated option */
		return 0;
	}
	l->v = xrealloc(l->v, (size_t)(l->n + 1) * sizeof *l->v);
	l->v[l->n++] = v;
	return 0;
}

static const struct value_list *get(const struct args *a, const char *name)
{
	for (int i = 0; i < a->nlist; i++)
		if (!strcmp(a->list[i].opt->name, name))
			return &a->list[i];
	return NULL;
}

const char *args_str(const struct args *a, const char *name, const char *def)
{
	const struct value_list *l = get(a, name);
	return l ? l->v[l->n - 1] : def;
}

long args_int(const struct args *a, const char *name, long def)
{
	const char *s = args_str(a, name, NULL);
	return s ? strtol(s, NULL, 10) : def;
}

bool args_flag(const struct args *a, const char *name)
{
	return get(a, name) != NULL;
}

const char *const *args_list(const struct args *a, const char *name, int *n)
{
	const struct value_list *l = get(a, name);
	*n = l ? l->n : 0;
	return l ? l->v : NULL;
}

const char *const *args_words(const struct args *a, int *n)
{
	*n = a->nwords;
	return a->word;
}

static int read_globals(const struct args *a, struct globals *g, struct err *e)
{
	g->threads = (int)args_int(a, "threads", 0);
	g->device = args_str(a, "device", "cpu");
	g->numerics = args_str(a, "numerics", NULL);
	g->date = args_str(a, "date", NULL);
	g->memory = 0;
	const char *memory = args_str(a, "memory", NULL);
	if (memory)
		parse_size(memory, &g->memory);
	g->cpu_mask = cpu_best();
	const char *mask = args_str(a, "cpu-mask", NULL);
	if (mask && cpu_level_parse(&g->cpu_mask, mask, e)) {
		e->code = E_USAGE;
		return err_wrap(e, "--cpu-mask");
	}
	g->json = args_flag(a, "json");
	g->quiet = args_flag(a, "quiet");
	return 0;
}

int args_parse(struct args **out, const struct cmd *c, int argc, char **argv, struct globals *g, struct err *e)
{
	struct args *a = xcalloc(1, sizeof *a);
	const struct opt *greedy = NULL;
	bool only_words = false;
	for (int i = 0; i < argc; i++) {
		const char *s = argv[i];
		if (only_words || s[0] != '-' || !s[1]) {
			if (greedy && !only_words) {
				if (add(a, greedy, s, e))
					goto fail;
				continue;
			}
			a->word = xrealloc(a->word, (size_t)(a->nwords + 1) * sizeof *a->word);
			a->word[a->nwords++] = s;
			continue;
		}
		greedy = NULL;
		if (!strcmp(s, "--")) {
			only_words = true;
			continue;
		}
		const struct opt *o;
		const char *value = NULL;
		if (s[1] == '-') {
			const char *eq = strchr(s, '=');
			size_t n = eq ? (size_t)(eq - s) - 2 : strlen(s) - 2;
			o = find(c, s + 2, n);
			if (!o) {
				unknown(c, s + 2, n, e);
				goto fail;
			}
			value = eq ? eq + 1 : NULL;
		} else {
			o = find_letter(c, s[1]);
			if (!o) {
				err_set(e, E_USAGE, "unknown option '%s' (assay %s --help lists them)", s, c->name);
				goto fail;
			}
			value = s[2] ? s + 2 : NULL;
		}
		if (o->type == OPT_FLAG) {
			if (value) {
				err_set(e, E_USAGE, "--%s takes no value", o->name);
				goto fail;
			}
			if (add(a, o, NULL, e))
				goto fail;
			continue;
		}
		if (!value) {
			if (i + 1 >= argc) {
				err_set(e, E_USAGE, "--%s wants a value: %s", o->name, o->arg);
				goto fail;
			}
			value = argv[++i];
		}
		if (add(a, o, value, e))
			goto fail;
		greedy = o->greedy ? o : NULL;
	}
	if (read_globals(a, g, e))
		goto fail;
	if (!args_flag(a, "help")) {
		if (a->nwords < c->min_words) {
			err_set(e, E_USAGE, "%s is missing (assay %s %s)", c->word, c->name, c->usage);
			goto fail;
		}
		if (c->max_words >= 0 && a->nwords > c->max_words) {
			err_set(e, E_USAGE, "'%s' is one word too many (assay %s %s)", a->word[c->max_words], c->name, c->usage);
			goto fail;
		}
	}
	*out = a;
	return 0;
fail:
	args_free(a);
	return -1;
}

int args_again(const struct args *a, struct arena *ar, int argc, char **argv, char ***out)
{
	int n = argc;
	for (int i = 0; i < a->nlist; i++)
		n += a->list[i].n;
	char **v = ARENA_ARRAY(ar, n + 1, char *);
	if (argc)
		memcpy(v, argv, (size_t)argc * sizeof *v);
	n = argc;
	for (int i = 0; i < a->nlist; i++)
		for (int j = 0; j < a->list[i].n; j++) {
			const char *name = a->list[i].opt->name, *value = a->list[i].v[j];
			v[n++] = (char *)(value ? arena_printf(ar, "--%s=%s", name, value) : arena_printf(ar, "--%s", name)).p;
		}
	*out = v;
	return n;
}

void args_free(struct args *a)
{
	if (!a)
		return;
	for (int i = 0; i < a->nlist; i++)
		free(a->list[i].v);
	free(a->list);
	free(a->word);
	free(a);
}
