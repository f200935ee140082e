# suites/files.mk - every file under suites/ that is installed and distributed.
SUITE_FILES = \
	suites/README.md \
	suites/_mmlu.yaml \
	suites/arc_challenge.yaml \
	suites/arc_easy.yaml \
	suites/boolq.yaml \
	suites/gsm8k.yaml \
	suites/gsm8k_excerpt.yaml \
	suites/hellaswag.yaml \
	suites/lambada_openai.yaml \
	suites/mgsm_direct_zh.yaml \
	suites/mmlu.yaml \
	suites/mmlu_excerpt.yaml \
	suites/openbookqa.yaml \
	suites/piqa.yaml \
	suites/registry.csv \
	suites/tiny-cloze.yaml \
	suites/wikitext.yaml \
	suites/data/assay__gsm8k_excerpt/default/test.jsonl \
	suites/data/assay__gsm8k_excerpt/default/train.jsonl \
	suites/data/assay__mmlu_excerpt/default/dev.jsonl \
	suites/data/assay__mmlu_excerpt/default/test.jsonl \
	suites/data/assay__tiny-cloze/default/test.jsonl \
	suites/models/babyllama105/config.json \
	suites/models/babyllama105/generation_config.json \
	suites/models/babyllama105/model.safetensors \
	suites/models/babyllama105/tokenizer.json \
	suites/models/babyllama105/tokenizer_config.json \
	suites/models/stories260k/config.json \
	suites/models/stories260k/generation_config.json \
	suites/models/stories260k/model.safetensors \
	suites/models/stories260k/tokenizer.json \
	suites/models/stories260k/tokenizer_config.json
