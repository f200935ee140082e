# runners/local.mk - how a model answers: text (no tensors) and the engine.
noinst_LIBRARIES += %D%/text/libtext.a %D%/librunners.a
%C%_text_libtext_a_SOURCES = \
	%D%/text/uniprop.c %D%/text/uniprop.h %D%/text/uni_tables.h %D%/text/uni_case.h %D%/text/utf8.c %D%/text/utf8.h %D%/text/utf8_tables.h %D%/text/base64.c %D%/text/base64.h %D%/text/value.c %D%/text/value.h %D%/text/pyrepr.c %D%/text/json.c %D%/text/json_read.c %D%/text/json.h \
	%D%/text/jinja.h %D%/text/jinja_int.h %D%/text/jinja.c %D%/text/jinja_lex.c %D%/text/jinja_parse.c %D%/text/jinja_expr.c \
	%D%/text/jinja_scope.c %D%/text/jinja_run.c %D%/text/jinja_eval.c %D%/text/jinja_macro.c %D%/text/jinja_op.c %D%/text/jinja_object.c %D%/text/jinja_range.c \
	%D%/text/jinja_builtin.c %D%/text/jinja_filter.c %D%/text/jinja_seq.c %D%/text/jinja_html.c %D%/text/jinja_str.c \
	%D%/text/jinja_method.c %D%/text/jinja_format.c %D%/text/jinja_time.c %D%/text/jinja_regex.c
%C%_librunners_a_SOURCES = \
	%D%/runner.h %D%/runner.c %D%/runner_engine.c %D%/budget.c %D%/budget.h %D%/runner_replay.c %D%/encode.c %D%/encode.h %D%/plan.c %D%/plan.h \
	%D%/session.c %D%/session_pages.c %D%/session.h %D%/session_int.h %D%/generate.c %D%/generate.h %D%/chat.c %D%/chat.h %D%/kinds.h \
	%D%/bench.c %D%/bench.h %D%/shapes.c %D%/shapes.h \
	%D%/safetensors.c %D%/safetensors.h %D%/ropetable.c %D%/ropetable.h \
	%D%/tokenizer.h %D%/tokenizer.c %D%/tok_int.h %D%/tok_json.c %D%/tok_model.c %D%/tok_vocab.c %D%/tok_load.c %D%/tok_bpe.c %D%/tok_chars.c %D%/tok_pieces.c %D%/tok_unigram.c %D%/tok_word.c %D%/tok_charsmap.c %D%/tok_bert.c %D%/tok_class.c %D%/tok_tables.h %D%/tok_regex.c %D%/tok_set.c %D%/tok_set.h %D%/tok_norm.c \
	%D%/tok_pre.c %D%/tok_post.c %D%/tok_decode.c %D%/tok_added.c
%C%_librunners_a_SOURCES += %D%/tok_files.h %D%/tok_config.c %D%/tok_family.c %D%/tok_make.c %D%/tok_sentencepiece.c %D%/tok_tiktoken.c %D%/tok_vocabjson.c
%C%_librunners_a_SOURCES += %D%/tok_scan.c %D%/tok_cache.h
%C%_librunners_a_SOURCES += %D%/model.h %D%/model_int.h %D%/model.c %D%/model_digest.h %D%/model_digest.c
%C%_librunners_a_SOURCES += %D%/bind.h %D%/bind_values.h %D%/bind.c %D%/bind_pack.c %D%/bind_expand.c %D%/bind_plan.c
%C%_librunners_a_SOURCES += %D%/bind_attention.c
%C%_librunners_a_SOURCES += %D%/bind_mlp.c
%C%_librunners_a_SOURCES += %D%/forward.c %D%/forward_open.c %D%/forward_int.h
%C%_librunners_a_SOURCES += %D%/block_attention.c
%C%_librunners_a_SOURCES += %D%/block_mlp.c
%C%_librunners_a_SOURCES += %D%/config.h %D%/config_int.h %D%/config.c %D%/config_rope.c %D%/config_quant.c
%C%_librunners_a_SOURCES += %D%/config_layers.c
%C%_librunners_a_SOURCES += %D%/families.h %D%/families_int.h %D%/families.c
%C%_librunners_a_SOURCES += %D%/families_llama.c
%C%_librunners_a_SOURCES += %D%/families_gpt.c
%C%_librunners_a_SOURCES += %D%/config_moe.c %D%/bind_moe.c %D%/block_moe.c %D%/families_moe.c
%C%_librunners_a_SOURCES += %D%/cache.c
%C%_librunners_a_SOURCES += %D%/bind_recurrent.c %D%/block_recurrent.c
%C%_librunners_a_SOURCES += %D%/config_recurrent.c %D%/families_recurrent.c
%C%_librunners_a_SOURCES += %D%/bind_layer_input.c %D%/block_layer_input.c
%C%_librunners_a_SOURCES += %D%/bind_beside.c %D%/block_beside.c
%C%_librunners_a_SOURCES += %D%/families_gemma.c
%C%_librunners_a_SOURCES += %D%/families_vision.c
%C%_librunners_a_SOURCES += %D%/config_mla.c %D%/bind_mla.c %D%/block_mla.c %D%/families_mla.c
%C%_librunners_a_SOURCES += %D%/sampling.c
