/* manual.h - the man page and the shell completion, written from the tables of commands, options, schema and columns. */
#ifndef ASSAY_MANUAL_H
#define ASSAY_MANUAL_H

#include <stdio.h>

void manual_man(FILE *f);        /* assay.1, mdoc */
void manual_completion(FILE *f); /* bash */

/* Short texts that help and the man page share. */
struct manual_topic {
	const char *name, *title, *text;
};
const struct manual_topic *manual_topics(void); /* ends with name NULL */

#endif
