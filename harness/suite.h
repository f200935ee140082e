/* suite.h - one suite definition, read from YAML through the table in schema_keys.h.
 *
 * That table is the only list of keys: parser, `assay help suite`, the man page and suites/README.md read it. Every error
 * says file:line: and the nearest known key. Strings that hold {{ }} or {% %} are templates, compiled at load.
 */
#ifndef ASSAY_SUITE_H
#define ASSAY_SUITE_H

#include <stdbool.h>

#include "kernels/base/arena.h"
#include "kernels/base/digest.h"
#include "kernels/base/err.h"
#include "runners/runner.h"
#include "runners/text/jinja.h"
#include "runners/text/value.h"

enum suite_kind { KIND_CHOICE, KIND_LOGLIK, KIND_ROLLING, KIND_GENERATE, KIND_GROUP };
const char *suite_kind_name(enum suite_kind k); /* "multiple_choice" "loglik" "rolling" "generate" "group" */

/* A field of a document: the raw column when the text equals a column's name, else the template (SCORING.md 2.1.5). */
struct field {
	bool set;
	struct str text;
	struct jinja *template; /* compiled from text; NULL when it is plain text */
	bool is_list;           /* the YAML value was a list: `items` */
	struct field *items;
	int nitems;
	bool is_int;            /* the YAML value was an integer */
	int64_t i;
	const char *file;       /* the YAML file (perhaps an included one) and the line in it */
	int line;
};

enum row_op_kind { ROW_FILTER, ROW_MAP, ROW_REPLACE, ROW_STRIP, ROW_RENAME, ROW_DROP, ROW_SPLIT };
struct row_op {
	enum row_op_kind kind;
	struct str column;           /* the column read or written; string operations take every string of a list column */
	struct value equals;         /* filter: column == value; a list: any of them */
	bool negate;                 /* filter: keep the others */
	struct field map;            /* map: column = value of a field */
	struct str type;             /* map: "" as it is, "int", "string" or "list" */
	struct str pattern, with;    /* replace, split: regular expression (Python's re.sub), replacement */
	bool literal;                /* replace, split: `pattern` is plain text */
	struct str into;             /* rename, split */
	void *regex;                 /* struct regex, compiled by suite_find */
	const char *file;
	int line;
};

enum filter_kind { FILTER_TAKE_FIRST, FILTER_TAKE_FIRST_K, FILTER_REGEX, FILTER_MAJORITY, FILTER_LOWERCASE, FILTER_STRIP,
		   FILTER_MAP, FILTER_MULTI_CHOICE_REGEX, FILTER_REMOVE_WHITESPACE, FILTER_UPPERCASE, FILTER_KINDS };
struct filter_step {
	enum filter_kind kind;
	struct str pattern, fallback; /* regex */
	int group_select;
	int k;
	struct value mapping, default_value;
	bool ignore_case, ignore_punctuation;
	struct str regexes_to_ignore[8];
	int nignore;
	void *regex;                  /* compiled by suite_find through filter_compile */
	const char *file;
	int line;
};
struct filter {
	struct str name; /* "none", "strict-match", ... */
	struct filter_step *step;
	int nsteps;
};

struct suite_metric {
	struct str name;        /* a row of metric.c's table: "acc", "exact_match", ... */
	bool ignore_case, ignore_punctuation, ignore_numbers;
	struct str *ignore;     /* regexes_to_ignore */
	void **ignore_regex;    /* compiled by suite_find through metric_compile */
	int nignore;
	const char *file;
	int line;
};

struct suite {
	struct str name, title, language, licence, source;
	struct str file;        /* path of the YAML file */
	int version;
	double chance;          /* score of a guesser, -1: not given */
	enum suite_kind kind;

	/* data */
	struct str dataset, config;     /* "allenai/ai2_arc", "ARC-Easy" */
	struct split_digest {
		struct str split;
		unsigned char digest[DIGEST_BYTES];
	} *sha256;                      /* dataset.sha256: what the published files must be */
	int nsha256;
	struct str test_split, validation_split, train_split, shot_split; /* n == 0: none */
	struct row_op *rows;
	int nrows;

	/* prompts */
	struct field description, prompt, target, choices, answer_prefix;
	struct field counted;           /* rolling: the text whose words and bytes are counted; not set: the target */
	struct str target_delimiter, shot_delimiter;
	int shots;                      /* default */
	bool shots_given;               /* the definition says how many; 0 given is not overridden in lm-eval profiles */
	struct str shot_sampler;        /* "random" (default) or "first_n" */
	struct value shot_examples;     /* a list of documents used as the pool; V_UNDEFINED: the split */

	/* generation */
	struct str *until;
	int nuntil;                     /* 0: [shot_delimiter] */
	int max_tokens;                 /* default 256 */
	struct sampling sampling;
	int repeats;

	/* scoring */
	struct filter *filter;
	int nfilters;                   /* at least one: ("none", [take_first]) */
	struct suite_metric *metric;
	int nmetrics;

	/* groups */
	struct suite **member;          /* KIND_GROUP: suites or groups */
	int nmembers;
	bool weight_by_size;            /* micro mean (default) or macro */
	struct str member_of;           /* the group that this suite joins without being listed there */

	unsigned char digest[DIGEST_BYTES]; /* over the resolved definition (canonical JSON): not over comments, file name, title,
					       licence and source. A group: over its members' digests too */
	struct value definition;        /* that canonical definition */
};

/* A collection of suites loaded in one run arena. dirs: where names are looked up (NULL-ended), first match wins. */
struct suites;
int suites_open(struct suites **out, const char *const *dirs, struct err *e);
void suites_close(struct suites *s);
/* name: a suite's or group's name, or a path to a .yaml */
int suite_find(struct suites *s, const char *name, struct suite **out, struct err *e);
/* every suite that the directories define, sorted by name; for `assay list suites` */
int suites_all(struct suites *s, struct suite ***out, int *n, struct err *e);
/* the leaves of a group in order (a leaf suite: itself) */
int suite_leaves(struct suites *s, struct suite *g, struct suite ***out, int *n);
bool suite_generates(const struct suite *s); /* a group: one of its leaves does */

/* One row of the schema, for help, manual and README. */
struct schema_key {
	const char *key;     /* "dataset.id" */
	const char *type;    /* "string", "template", "int 0..64", "list of strings", ... */
	const char *def;     /* default as written, "" when required or none */
	const char *text;    /* one sentence */
};
const struct schema_key *schema_keys(void); /* ends with key NULL */

#endif
