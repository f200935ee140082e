# tests/fuzz.mk - `make fuzz` [FUZZ_SECONDS=60] [FUZZERS="json template"]: libFuzzer over everything that reads files of others.
# The vector kernels are left out: they read no files, and take this compiler minutes.
# Built only when asked, by clang with its sanitizers, in a folder of its own; corpora and what was found stay there.
FUZZERS = json regex template render suite tokenizer sentencepiece model
FUZZ_SECONDS = 60
# pointer-overflow off: clang counts an empty string, NULL + 0, among them; AddressSanitizer sees what matters.
FUZZ_CFLAGS = -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-sanitize=pointer-overflow
EXTRA_DIST += tests/fuzz.mk tests/fuzz

.PHONY: fuzz fuzz-here
fuzz:
	$(MKDIR_P) check-fuzz.build
	cd check-fuzz.build && { test -f Makefile || $(abs_top_srcdir)/configure --without-cuda assay_cv_isa_avx2=no assay_cv_isa_avx512=no CC=clang CFLAGS="$(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link" >configure.out 2>&1 || { cat configure.out; exit 1; }; }
	cd check-fuzz.build && $(MAKE) fuzz-here FUZZ_SECONDS=$(FUZZ_SECONDS) FUZZERS="$(FUZZERS)"

fuzz-here: $(ASSAY_LIBS)
	@set -e; for f in $(FUZZERS); do \
	  $(CC) $(DEFS) $(AM_CPPFLAGS) $(AM_CFLAGS) $(FUZZ_CFLAGS) -fsanitize=fuzzer -o fuzz_$$f $(srcdir)/tests/fuzz/fuzz_$$f.c $(ASSAY_LIBS) $(LIBS); \
	  sh $(srcdir)/tests/fuzz/seeds.sh $$f $(srcdir) corpus_$$f; \
	  ./fuzz_$$f -max_total_time=$(FUZZ_SECONDS) -timeout=20 -max_len=90000 -rss_limit_mb=4096 -artifact_prefix=found_$${f}_ \
	    -print_final_stats=1 corpus_$$f 2>fuzz_$$f.log || { tail -40 fuzz_$$f.log; echo "fuzz $$f: see `pwd`/fuzz_$$f.log"; exit 1; }; \
	  echo "fuzz $$f: nothing found in `sed -n 's/stat::number_of_executed_units: *//p' fuzz_$$f.log` inputs"; \
	done
