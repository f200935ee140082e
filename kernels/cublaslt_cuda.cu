/* cublaslt_cuda.cu - opens cublasLt: the names it goes by, the oldest version that will do, and every symbol or a sentence that names
 * the one that is missing. */
#include "kernels/cublaslt.h"

#include <dlfcn.h>
#include <string.h>

#include "kernels/cuda.h"

/* dlsym gives an object pointer; POSIX promises that it may be taken as one to a function. */
template <class T> static void *find(void *lib, const char *symbol, T *out)
{
	void *p = dlsym(lib, symbol);
	static_assert(sizeof p == sizeof *out, "");
	memcpy(out, &p, sizeof p);
	return p;
}

static int find_all(struct cublaslt *lt, const char **missing)
{
#define X(field, symbol, args) \
	if (!find(lt->lib, *missing = "cublasLt" #symbol, &lt->field)) \
		return -1;
	LT_CALLS(X)
#undef X
	return find(lt->lib, *missing = "cublasLtGetStatusName", &lt->status_name) ? 0 : -1;
}

int cublaslt_open(struct cublaslt *lt, struct err *e)
{
	static const char *const names[] = { "libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so" };
	const char *missing = "cublasLtGetVersion";
	memset(lt, 0, sizeof *lt);
	for (size_t i = 0; !lt->lib && i < sizeof names / sizeof *names; i++)
		lt->lib = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
	if (!lt->lib)
		return err_set(e, E_UNSUPPORTED, "numerics fast needs NVIDIA's cublasLt, which is not on this machine (%s, %s or %s in the "
			       "library path)", names[0], names[1], names[2]);
	if (find(lt->lib, missing, &lt->get_version)) {
		lt->version = lt->get_version();
		if (lt->version < LT_OLDEST) {
			size_t v = lt->version;
			cublaslt_close(lt);
			return err_set(e, E_UNSUPPORTED, "numerics fast needs cublasLt %d.0 or later, this machine has %zu.%zu.%zu", LT_OLDEST / 10000,
				       v / 10000, v / 100 % 100, v % 100);
		}
		if (find_all(lt, &missing) == 0)
			return 0;
	}
	cublaslt_close(lt);
	return err_set(e, E_UNSUPPORTED, "numerics fast: this machine's cublasLt has no %s", missing);
}

void cublaslt_close(struct cublaslt *lt)
{
	if (lt->lib)
		dlclose(lt->lib);
	memset(lt, 0, sizeof *lt);
}
