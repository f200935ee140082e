/* assay_emu.cc - the whole program over the emulated device (tests/cuda_emu.h), for tests/cuda_run.sh; never installed.
 *
 * Linked with --wrap=main: what the emulated device is like, and where it fails, is read here from the environment before the
 * program's own main() begins. The program itself knows none of these variables:
 *   ASSAY_EMU_DEVICES  number of devices; 0: none; -1: the driver is too old; -2: there is no driver
 *   ASSAY_EMU_MEMORY   bytes of memory of the device
 *   ASSAY_EMU_LOSE     LAUNCHES:ERROR - that many kernels run, then the device is lost with this error number
 *   ASSAY_EMU_FAIL     CALL:N:ERROR - the N-th next call of CALL gives this error number
 *   ASSAY_EMU_LOG      a file that gets "LAUNCHES SECONDS", of kernels, at the end
 */
#define ASSAY_CUDA_EMU 1
#include "kernels/cuda.h"

#include <stdlib.h>
#include <string.h>

extern "C" int __real_main(int argc, char **argv);
extern "C" int __wrap_main(int argc, char **argv);

static void bad(const char *name)
{
	fprintf(stderr, "assay_emu: %s is not as it should be\n", name);
	exit(99);
}

static void pretend(void)
{
	const char *s;
	char call[40];
	unsigned long launches;
	int n, error;
	if ((s = getenv("ASSAY_EMU_DEVICES")))
		emu_devices(atoi(s));
	if ((s = getenv("ASSAY_EMU_MEMORY")))
		emu_memory(strtoull(s, NULL, 10));
	if ((s = getenv("ASSAY_EMU_LOSE"))) {
		if (sscanf(s, "%lu:%d", &launches, &error) != 2)
			bad("ASSAY_EMU_LOSE");
		emu_lose(launches, error);
	}
	if ((s = getenv("ASSAY_EMU_FAIL"))) {
		static char kept[sizeof call]; /* the emulator keeps the pointer */
		if (sscanf(s, "%39[^:]:%d:%d", call, &n, &error) != 3)
			bad("ASSAY_EMU_FAIL");
		strcpy(kept, call);
		emu_fail(kept, n, error);
	}
}

static void write_log(void)
{
	const char *path = getenv("ASSAY_EMU_LOG");
	FILE *f = path ? fopen(path, "w") : NULL;
	if (!f)
		return;
	fprintf(f, "%lu %.3f\n", emu_launches(), emu_seconds());
	fclose(f);
}

int __wrap_main(int argc, char **argv)
{
	pretend();
	int status = __real_main(argc, argv);
	write_log();
	return status;
}
