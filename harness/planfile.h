/* planfile.h - PLAN.yaml: the options of `assay run` in a file, for jobs that run again and again. */
#ifndef ASSAY_PLANFILE_H
#define ASSAY_PLANFILE_H

#include "harness/cmd.h"

/* The plan as words of a command line. Its keys are the names of the command's options ("model", "suite", "limit", ...); a list
 * repeats the option, true sets a flag, false leaves it out; `files` is a map suite -> split -> path. Errors say file:line. */
int plan_words(const char *path, const struct cmd *c, struct arena *a, int *argc, char ***argv, struct err *e);

#endif
