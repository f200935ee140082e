# harness/local.mk - what is asked, how it is scored, what is kept; and the command line.
noinst_LIBRARIES += %D%/libharness.a
%C%_libharness_a_SOURCES = \
	%D%/settings.h %D%/profile.c %D%/suite.h %D%/suite.c %D%/schema.c %D%/schema.h %D%/schema_keys.h %D%/yaml.c %D%/yaml.h \
	%D%/dataset.h %D%/dataset.c %D%/reader.c %D%/reader.h %D%/rows.c %D%/rows.h %D%/turns.c %D%/turns.h %D%/task.h %D%/task.c %D%/fewshot.c %D%/fewshot.h \
	%D%/pyrandom.h %D%/pyrandom.c %D%/field.c %D%/field.h \
	%D%/resp.h %D%/resp.c %D%/filter.h %D%/filter.c %D%/regex.c %D%/regex_int.h %D%/regex_python.c %D%/metric.h %D%/metric.c %D%/metric_int.h %D%/metric_text.c %D%/stats.c %D%/stats.h \
	%D%/journal.h %D%/journal.c %D%/manifest.h %D%/manifest.c %D%/samples.c %D%/samples.h \
	%D%/results.h %D%/results_int.h %D%/results.c %D%/board.c %D%/atomic.c %D%/registry.c %D%/run.h %D%/run_int.h %D%/run.c %D%/run_ask.c %D%/run_score.c

bin_PROGRAMS += assay
assay_SOURCES = \
	%D%/main.c %D%/cmd.h %D%/cmd.c %D%/args.c %D%/common.c %D%/common.h %D%/planfile.c %D%/planfile.h %D%/libraries.c %D%/libraries.h %D%/paths.c %D%/progress.c %D%/progress.h \
	%D%/cmd_run.c %D%/cmd_board.c %D%/cmd_score.c %D%/cmd_tokens.c %D%/cmd_render.c %D%/cmd_explain.c \
	%D%/cmd_list.c %D%/cmd_doctor.c %D%/cmd_help.c %D%/manual.c %D%/manual.h %D%/cmd_bench.c %D%/bench_tokens.c %D%/bench_tokens.h %D%/jsonlines.c %D%/jsonlines.h
assay_LDADD = $(ASSAY_LIBS)

# The man page and the shell completion come from the program's own tables.
MANPAGES = %D%/assay.1
man1_MANS = $(MANPAGES)
%D%/assay.1: assay$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) %D% && ./assay help --man >$@.tmp && mv $@.tmp $@
bashcompletiondir = $(datadir)/bash-completion/completions
bashcompletion_DATA = %D%/completion/assay
%D%/completion/assay: assay$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) %D%/completion && ./assay help --completion >$@.tmp && mv $@.tmp $@
CLEANFILES += %D%/assay.1 %D%/completion/assay
