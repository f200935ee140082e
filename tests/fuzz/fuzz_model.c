/* fuzz_model.c - CONFIG.JSON 0xff MODEL.SAFETENSORS: the file alone, then a model over both. */
#include "runners/config.h"
#include "runners/model.h"
#include "runners/safetensors.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct device *dev;
	static struct config config;
	struct safetensors *s = NULL;
	struct model *m = NULL;
	struct err e = { 0 };
	const uint8_t *c;
	char path[128];
	size_t n = fuzz_part(&data, &size, &c);
	if (!dev && device_open(&dev, &(struct device_opts){ .name = "cpu", .threads = 1, .max_level = CPU_AVX2 }, &e))
		abort();
	fuzz_put("config.json", c, n);
	fuzz_put("model.safetensors", data, size);
	snprintf(path, sizeof path, "%s/model.safetensors", fuzz_dir());
	if (safetensors_open_file(&s, path, &e) == 0) {
		unsigned sum = 0;
		for (size_t i = 0; i < safetensors_count(s); i++) {
			const struct tensor *t = safetensors_at(s, i);
			for (size_t b = 0; b < t->bytes; b++)
				sum += t->data[b];
			if (safetensors_find(s, t->name) != t)
				abort();
		}
		safetensors_close(s);
		if (sum == 1)
			return 0;
	} else if (s || !e.msg[0]) {
		abort();
	}
	if (config_load(&config, fuzz_dir(), &e) == 0 && model_open(&m, fuzz_dir(), dev, &e) == 0)
		model_close(m);
	return 0;
}
