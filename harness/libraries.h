/* libraries.h - the libraries that the program runs with, and their versions: for doctor and the environment of a run. */
#ifndef ASSAY_LIBRARIES_H
#define ASSAY_LIBRARIES_H

struct library {
	const char *name;
	char version[64];
};
int libraries_used(struct library *out, int max); /* how many were filled */

#endif
