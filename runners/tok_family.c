/* tok_family.c - which tokenizer class a checkpoint means, and what each is made of, as transformers 5.24 has them.
 *
 * The class comes from tokenizer_config.json, else from config.json; for some model types transformers holds the name in the
 * checkpoint to be wrong and takes its own, and for some it takes the generic class whatever the checkpoint says (facts of
 * its tokenization_auto.py). A class that transformers does not know is the generic one, which follows the settings inside
 * the SentencePiece file.
 *
 * Refuses (tokclass_find gives NULL): classes with rules of their own that are not in the table.
 */
#include "runners/tok_files.h"

#define LOW "\xe2\x96\x81" /* U+2581, SentencePiece's blank */
#define SPLIT(regex) \
	"{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":\"" regex \
	"\"},\"behavior\":\"Isolated\",\"invert\":false}," \
	"{\"type\":\"ByteLevel\",\"add_prefix_space\":\2,\"trim_offsets\":true,\"use_regex\":false}]}"
#define BYTES "{\"type\":\"ByteLevel\",\"add_prefix_space\":\2,\"trim_offsets\":true,\"use_regex\":true}"
#define FROM_BYTES "{\"type\":\"ByteLevel\",\"add_prefix_space\":true,\"trim_offsets\":true,\"use_regex\":true}"
#define REPLACE "{\"type\":\"Replace\",\"pattern\":{\"String\":\"" LOW "\"},\"content\":\" \"},{\"type\":\"ByteFallback\"},{\"type\":\"Fuse\"}"
#define BARE "{\"type\":\"Sequence\",\"decoders\":[" REPLACE "]}"
#define STRIPPED "{\"type\":\"Sequence\",\"decoders\":[" REPLACE ",{\"type\":\"Strip\",\"content\":\" \",\"start\":1,\"stop\":0}]}"
#define METASPACE "{\"type\":\"Metaspace\",\"replacement\":\"" LOW "\",\"prepend_scheme\":\"\1\",\"split\":"
#define NFC "{\"type\":\"NFC\"}"
#define TEMPLATE(single) \
	"{\"type\":\"TemplateProcessing\",\"single\":[" single "],\"pair\":[],\"special_tokens\":{\"\3\":{\"id\":\"\3\",\"ids\":[\4],\"tokens\":[\"\3\"]}}}"
#define TEXT "{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}"
#define EOS "{\"SpecialToken\":{\"id\":\"\3\",\"type_id\":0}}"
#define BYTE_BPE "\"fuse_unk\":false,\"byte_fallback\":false,\"ignore_merges\":false"
#define SPM_BPE "\"fuse_unk\":true,\"byte_fallback\":true,\"ignore_merges\":false"
#define QWEN2_REGEX \
	"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|\\\\p{N}| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|" \
	"\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+"
#define QWEN3_5_REGEX \
	"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?[\\\\p{L}\\\\p{M}]+|\\\\p{N}| ?[^\\\\s\\\\p{L}\\\\p{M}\\\\p{N}]+[\\\\r\\\\n]*|" \
	"\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+"
#define END "<|endoftext|>"

const struct tokclass tok_generic = { .name = "TokenizersBackend", .reads = READS_BPE | READS_UNIGRAM };

static const struct tokclass classes[] = {
	{ .name = "LlamaTokenizer", .reads = READS_BPE, .special = { "<s>", "</s>", "<unk>" }, .pre = METASPACE "false}",
	  .decoder = STRIPPED, .bare = BARE, .model = SPM_BPE, .prefix = true },
	{ .name = "GemmaTokenizer", .reads = READS_BPE,
	  .special = { "<bos>", "<eos>", "<unk>", NULL, "<pad>", NULL, "<mask>" },
	  .normalizer = "{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"" LOW "\"}",
	  .pre = "{\"type\":\"Split\",\"pattern\":{\"String\":\" \"},\"behavior\":\"MergedWithPrevious\",\"invert\":false}",
	  .decoder = BARE, .model = SPM_BPE, .unk = true },
	{ .name = "T5Tokenizer", .reads = READS_UNIGRAM, .special = { NULL, "</s>", "<unk>", NULL, "<pad>" },
	  .pre = "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"WhitespaceSplit\"}," METASPACE "true}]}",
	  .decoder = METASPACE "true}", .post = TEMPLATE(TEXT "," EOS), .unk_id = 2, .sentinels = true, .prefix = true },
	{ .name = "GPT2Tokenizer", .reads = READS_VOCAB, .special = { END, END, END }, .pre = BYTES, .decoder = FROM_BYTES,
	  .model = BYTE_BPE },
	{ .name = "CodeGenTokenizer", .reads = READS_VOCAB, .special = { END, END, END }, .pre = BYTES,
	  .decoder = FROM_BYTES, .model = BYTE_BPE },
	{ .name = "GPTNeoXTokenizer", .reads = READS_VOCAB, .special = { END, END, END, NULL, "<|padding|>" }, .normalizer = NFC,
	  .pre = BYTES, .decoder = FROM_BYTES, .model = BYTE_BPE },
	{ .name = "Qwen2Tokenizer", .reads = READS_VOCAB, .special = { NULL, END, END, NULL, END }, .normalizer = NFC,
	  .pre = SPLIT(QWEN2_REGEX), .decoder = FROM_BYTES, .model = BYTE_BPE },
	{ .name = "Qwen3_5Tokenizer", .reads = READS_VOCAB, .special = { NULL, END, END, NULL, END }, .normalizer = NFC,
	  .pre = SPLIT(QWEN3_5_REGEX), .decoder = FROM_BYTES, .model = BYTE_BPE },
	{ .name = "CohereTokenizer", .reads = READS_VOCAB,
	  .special = { "<BOS_TOKEN>", "<|END_OF_TURN_TOKEN|>", "<UNK>", "<SEP>", "<PAD>", "<CLS>", "<MASK_TOKEN>" },
	  .normalizer = NFC,
	  .pre = "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Digits\",\"individual_digits\":true}," BYTES "]}",
	  .decoder = FROM_BYTES, .model = BYTE_BPE },
};

/* Classes that transformers has rules of its own for, which are not here. */
static const char refused[] =
	" AlbertTokenizer BarthezTokenizer BartphoTokenizer BartTokenizer BertGenerationTokenizer BertTokenizer BigBirdTokenizer"
	" BlenderbotTokenizer CamembertTokenizer CLIPTokenizer CodeLlamaTokenizer CpmTokenizer DebertaTokenizer DebertaV2Tokenizer FNetTokenizer"
	" FunnelTokenizer GPTSw3Tokenizer HerbertTokenizer LasrTokenizer LayoutXLMTokenizer LEDTokenizer LongformerTokenizer"
	" M2M100Tokenizer MarianTokenizer MBart50Tokenizer MBartTokenizer MLukeTokenizer MvpTokenizer NllbTokenizer"
	" NougatTokenizer ParakeetTokenizer PegasusTokenizer PLBartTokenizer ReformerTokenizer RemBertTokenizer"
	" RobertaTokenizer SeamlessM4TTokenizer Siglip2Tokenizer SiglipTokenizer Speech2TextTokenizer SpeechT5Tokenizer"
	" UdopTokenizer VideoPrismTokenizer WhisperTokenizer XGLMTokenizer XLMRobertaTokenizer XLMTokenizer XLNetTokenizer ";

/* The class that transformers has for a model type, of those that have one of ours or the generic one. */
static const struct {
	const char *class, *types;
} models[] = {
	{ "TokenizersBackend",
	  " EvollaModel aria beam bigbird_pegasus canary flex_olmo glm glm4 glm4_moe glm4_moe_lite glm4v glm4v_moe glm_image"
	  " glmasr got_ocr2 gpt_bigcode gradium_phonon_tts granite granitemoe granitemoehybrid granitemoeshared kimi_k25"
	  " kimi_linear kosmos-2 mimo_v2_flash minicpm_ocr minicpmv4_6 minicpmv4_7 ministral ministral3 mistral mistral3"
	  " mistral_large4 mixtral nemo_speechlm nystromformer olmo2 olmo3 olmo_hybrid omniasr pegasus_x persimmon pix2struct"
	  " pixtral pocket_tts stablelm umt5 voxtral voxtral_realtime xlm-roberta-xl ernie4_5 opencua hyperclovax h2ovl_chat"
	  " hyperclovax_vlm arctic jamba nemotron minicpm3 internlm2 smolvlm camembertv2-base phimoe minicpmv llava_next nvfp4"
	  " minimax_m2 modernbert-decoder modernbert llava ernie4_5_moe chatlm paddleocr_vl molmo molmo2 step3_vl iquestcoder"
	  " vipllava fuyu cohere_asr phi3_v phi3 openvla internlm3 " },
	{ "Qwen2Tokenizer",
	  " audioflamingo3 colqwen2 cosmos3_omni dots3_note fun_asr_nano hunyuan_vl internvl moss_transcribe_diarize ovis2"
	  " qianfan_ocr qwen2 qwen2_5_omni qwen2_5_vl qwen2_audio qwen2_moe qwen2_vl qwen3 qwen3_asr qwen3_moe qwen3_next"
	  " qwen3_omni_moe qwen3_vl qwen3_vl_moe lighton_ocr vibevoice " },
	{ "Qwen3_5Tokenizer", " qwen3_5 qwen3_5_moe qwen3_5_moe_text qwen3_5_text qwen4_exp " },
	{ "GPT2Tokenizer",
	  " blip-2 codegen dbrx emu3 gpt2 gpt_neo gptj hyperclovax_vision_v2 instructblip instructblipvideo jais2 opt phi"
	  " starcoder2 " },
	{ "GPTNeoXTokenizer", " falcon_mamba gpt_neox mamba mamba2 mpt olmo olmoe rwkv xlstm " },
	{ "CohereTokenizer", " aya_vision cohere cohere2 " },
	{ "GemmaTokenizer",
	  " diffusion_gemma gemma gemma2 gemma3 gemma3_text gemma3n gemma3n_text recurrent_gemma shieldgemma2 t5gemma zaya " },
	{ "CodeLlamaTokenizer", " code_llama " },
	{ "LlamaTokenizer", " idefics idefics2 " },
	{ "T5Tokenizer", " mt5 musicgen musicgen_melody switch_transformers t5 " },
	{ "XGLMTokenizer", " xglm " },
};

/* Model types whose checkpoints name a wrong class: transformers takes its own. */
static const char wrong[] = " qwen2 qwen3_5 qwen3_5_moe qwen3_5_moe_text qwen4_exp hyperclovax_vision_v2 ";

bool tok_listed(const char *words, struct str w)
{
	for (size_t n = 0; *words; words += n) {
		words += strspn(words, " ");
		n = strcspn(words, " ");
		if (n && str_eq(w, (struct str){ words, n }))
			return true;
	}
	return false;
}

static struct str without_fast(struct str s)
{
	if (str_ends(s, STR("Fast")) && !str_is(s, "PreTrainedTokenizerFast"))
		s.n -= 4;
	return s;
}

static const struct tokclass *by_name(struct str name)
{
	if (str_is(name, "Phi3Tokenizer"))
		name = STR("LlamaTokenizer");
	for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
		if (str_is(name, classes[i].name))
			return &classes[i];
	return NULL;
}

const struct tokclass *tokclass_find(const struct tokconf *c)
{
	struct str own = { NULL, 0 };
	struct str hub = without_fast(c->class.n ? c->class : c->model_class);
	for (size_t i = 0; i < sizeof models / sizeof models[0] && !own.n; i++)
		if (tok_listed(models[i].types, c->model_type))
			own = str_of(models[i].class);
	if (own.n && hub.n && !str_eq(own, hub))
		hub = str_is(own, tok_generic.name) || tok_listed(wrong, c->model_type) ? own : hub;
	else if (!hub.n)
		hub = own;
	if (tok_listed(refused, hub))
		return NULL;
	const struct tokclass *k = by_name(hub);
	return k ? k : &tok_generic;
}
