/* fake_cublaslt.h - a cublasLt of the tests' own, behind the emulator: it computes bf16 products in fp32 honestly, and offers
 * algorithms of which some must not be taken. What it is asked to be is in `fake`; what it was asked to do is counted there. */
#ifndef ASSAY_FAKE_CUBLASLT_H
#define ASSAY_FAKE_CUBLASLT_H

#include <stddef.h>

/* The algorithms, by number. Tiles 20 and 15 each; 20 is suggested first. */
enum fake_algo {
	FAKE_GOOD = 6,      /* k ascending, always */
	FAKE_MIXED = 7,     /* with tile 20, from 512 rows on, another order; with tile 15 like GOOD */
	FAKE_VARIES = 21,   /* another order from 64 rows on */
	FAKE_SPLITS = 23,   /* few rows: k in two halves, which are added */
	FAKE_PLACED = 24,   /* another order in every second row */
	FAKE_WORKSPACE = 31, /* like GOOD, but wants workspace */
	FAKE_HALF = 32,     /* like GOOD, but says that it accumulates in 16 bits */
};

struct fake {
	int offered[8], noffered;    /* numbers, in the order in which they are suggested */
	int absent;                  /* no library of any name */
	const char *only;            /* the one name under which it is found, or NULL */
	const char *missing;         /* a symbol that it lacks */
	size_t version;
	int create_status, matmul_status;
	int no_suggestions;        /* suggests nothing */
	/* counted */
	int opened, closed, handles, objects; /* handles, layouts and the like that live */
	int matmuls, checks, suggestions;
	unsigned taken;              /* 1u << number of each algorithm that a product was made with */
};
extern struct fake fake;
void fake_reset(void); /* version 13.1.0 with all algorithms, the bad ones suggested first */

void *fake_dlopen(const char *name, int mode);
void *fake_dlsym(void *lib, const char *symbol);
int fake_dlclose(void *lib);

#endif
