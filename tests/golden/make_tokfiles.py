#!/usr/bin/env python3
"""Vectors of tokenizers without a tokenizer.json: tokfiles/*.model, *.tiktoken, vocab.json, merges.txt and tokfiles/cases.json.

    make_tokfiles.py [--train TEXTFILE]          (transformers 5.24, tokenizers 0.23, sentencepiece, tiktoken)

--train makes the small models anew from a text; otherwise those that are here are used. Each folder of cases.json is a set of files;
what it must give comes from transformers' AutoTokenizer on such a folder, or, for tiktoken families that transformers has no
pattern for, from tiktoken itself with the family's pattern. `raw` counts the texts on which sentencepiece itself gives
the same ids (where transformers differs, transformers is followed).
"""
import base64, json, os, shutil, sys, tempfile, unicodedata

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tokfiles")
TEXTS = ["", " ", "  ", "Hello world", " Hello  world ", "Hello\n\nworld\t!", "  two  blanks\u3000wide ", "don't DON'T we'll 12345 1,234.5",
         "\u2581a \u2581\u2581b", "\u2581", "日本語 テキスト。漢字かな", "Ünïcödé e\u0301 ﬁ ① ㎏ Ａ", "<s>a</s> <unk> <pad> b", "<sep>a <sep> b<cls><mask>", "🙂👩‍👩‍👧 é\u200d", "x<0x0A>y",
         "the of and to in a the the", "for (int i = 0; i < 10; i++) { return; }\r\n", "<|endoftext|>a<|im_start|>b <|im_end|>", "a\u0000b", "\ufeffbom \u00a0nbsp",
         "<user>and<user2> x <user>", "extra <extra_id_0> <extra_id_99>z", " lead", "trail ", "mixed漢字with kana カナ 한국어 и русский", "\u0958 \u1e9b\u0323", "ab " * 30,
         "[gMASK]<sop>", "it's\u2019s 'S 'RE x'llama"]

def train(path):
    import sentencepiece as spm
    from tokenizers import Tokenizer, models, trainers, pre_tokenizers
    text = open(path, encoding="utf-8", errors="replace").read().replace("\0", "\n")
    lines = [l[:1000] for l in text.split("\n") if l.strip()]
    common = dict(sentence_iterator=None, vocab_size=1000, character_coverage=0.98, max_sentence_length=20000, hard_vocab_limit=False, num_threads=1, minloglevel=2)
    rule = os.path.join(tempfile.mkdtemp(), "rule.tsv")
    with open(rule, "w", encoding="utf-8") as f:
        for a, b in (("Ａ", "A"), ("①", "1"), ("ﬁ", "fi"), ("\u3000", " "), ("\t", " "), ("\u00a0", " "), ("\u200d", ""), ("e\u0301", "é"), ("㎏", "kg")):
            f.write(" ".join("%X" % ord(c) for c in a) + "\t" + " ".join("%X" % ord(c) for c in b) + "\n")
    rows = {
        "bpe": dict(model_type="bpe", normalization_rule_name="identity"),
        "bpe_bytes": dict(model_type="bpe", normalization_rule_name="identity", byte_fallback=True, vocab_size=1300, split_digits=True,
                          remove_extra_whitespaces=False, allow_whitespace_only_pieces=True),
        "bpe_user": dict(model_type="bpe", normalization_rule_name="identity", byte_fallback=True, vocab_size=1300, pad_id=3,
                         user_defined_symbols=["<user>", "<user2>", "<sep>", "12", "and", "▁of"], control_symbols=["<cls>", "<mask>"]),
        "bpe_plain": dict(model_type="bpe", normalization_rule_name="identity", add_dummy_prefix=False, remove_extra_whitespaces=False, bos_id=-1, eos_id=1),
        "bpe_rule": dict(model_type="bpe", normalization_rule_tsv=rule),
        "uni": dict(model_type="unigram", normalization_rule_name="identity"),
        "uni_bytes": dict(model_type="unigram", normalization_rule_name="identity", byte_fallback=True, vocab_size=1300, add_dummy_prefix=False,
                          remove_extra_whitespaces=False, split_digits=True),
        "uni_user": dict(model_type="unigram", normalization_rule_tsv=rule, pad_id=0, eos_id=1, unk_id=2, bos_id=-1, user_defined_symbols=["<user>", "<user2>", "<sep>", "12"],
                         control_symbols=["<cls>", "<mask>"]),
    }
    for name, row in rows.items():
        o = dict(common, **row); o["sentence_iterator"] = iter(lines)
        with open(f"{HERE}/{name}.model", "wb") as f:
            spm.SentencePieceTrainer.train(model_writer=f, **o)
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.train_from_iterator(lines, trainers.BpeTrainer(vocab_size=700, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    m = json.loads(t.to_str())["model"]
    vocab = dict(m["vocab"]); vocab["<|endoftext|>"] = len(vocab)
    json.dump(vocab, open(f"{HERE}/vocab.json", "w", encoding="utf-8"), ensure_ascii=False)
    open(f"{HERE}/merges.txt", "w", encoding="utf-8").write("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in m["merges"]))
    bs = [b for b in range(256) if 33 <= b <= 126 or 161 <= b <= 172 or 174 <= b <= 255]
    byte = {chr(b): b for b in bs}; n = 0
    for b in range(256):
        if b not in bs: byte[chr(256 + n)] = b; n += 1
    with open(f"{HERE}/ranks.tiktoken", "w") as f:
        for tok, r in sorted(m["vocab"].items(), key=lambda x: x[1]):
            f.write(base64.b64encode(bytes(byte[c] for c in tok)).decode() + f" {r}\n")

def at(content, **f):
    return dict({"content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}, **f)

T = "tokenizer.model"
def folders():
    n = sum(1 for _ in open(f"{HERE}/ranks.tiktoken"))
    legacy = {"__type": "AddedToken", "content": "<s>", "lstrip": False, "normalized": True, "rstrip": False, "single_word": False}
    F = []
    def add(name, files, config=None, model=None, **extra):
        files = dict(files)
        if config is not None: files["tokenizer_config.json"] = config
        if model is not None: files["config.json"] = model
        F.append(dict(name=name, files=files, **extra))
    for m in ("bpe", "bpe_bytes", "bpe_user", "bpe_plain", "bpe_rule", "uni", "uni_bytes", "uni_user"):
        add(m, {T: m + ".model"})
        add(m + " bos eos", {T: m + ".model"}, {"add_bos_token": True, "add_eos_token": True, "tokenizer_class": "NoSuchTokenizer"}, {"model_type": "mistral"})
        add(m + " legacy off", {T: m + ".model"}, {"legacy": False, "add_bos_token": True}, {"model_type": "internlm2"})
    llama = {"tokenizer_class": "LlamaTokenizer", "add_bos_token": True, "add_eos_token": False}
    for m in ("bpe_bytes", "bpe_user"):
        add("llama " + m, {T: m + ".model"}, llama, {"model_type": "llama"})
        add("llama legacy " + m, {T: m + ".model"}, dict(llama, legacy=True, bos_token=legacy), {"model_type": "llama"})
        add("llama no prefix " + m, {T: m + ".model"}, dict(llama, add_prefix_space=False, legacy=False, add_eos_token=True))
        add("llama null " + m, {T: m + ".model"}, dict(llama, add_prefix_space=None, legacy=None, unk_token=None, pad_token="<pad>", additional_special_tokens=["<sep>", "<new>"]))
    add("llama decoder", {T: "bpe_bytes.model"}, dict(llama, added_tokens_decoder={"0": at("<unk>"), "1": at("<s>", normalized=True), "2": at("</s>", rstrip=True),
        "1300": at("<sep>", lstrip=True, special=False, normalized=True), "1301": at("<|im_end|>")}, eos_token="<|im_end|>"), None)
    add("llama old files", {T: "bpe_bytes.model", "special_tokens_map.json": {"bos_token": dict(content="<s>", lstrip=False, normalized=False, rstrip=False, single_word=False),
        "eos_token": "</s>", "additional_special_tokens": ["<sep>"]}, "added_tokens.json": {"<sep>": 1300, "<cls>": 1301}}, llama, {"model_type": "llama"})
    add("fast name", {T: "bpe_bytes.model"}, dict(llama, tokenizer_class="LlamaTokenizerFast"))
    add("gemma", {T: "bpe_bytes.model"}, {"tokenizer_class": "GemmaTokenizer", "add_bos_token": True, "bos_token": "<s>", "eos_token": "</s>"}, {"model_type": "gemma"})
    add("gemma by model", {T: "bpe_user.model"}, None, {"model_type": "gemma2"})
    add("renamed pieces", {T: "bpe_user.model"}, {"tokenizer_class": "InternLM2Tokenizer", "added_tokens_decoder": {"9": at("<|im_start|>"), "10": at("<|im_end|>", special=False), "2": at("</s>")}})
    add("model class", {T: "bpe_bytes.model"}, {"add_bos_token": True}, {"model_type": "llama", "tokenizer_class": "LlamaTokenizer"})
    add("t5", {"spiece.model": "uni_user.model"}, {"tokenizer_class": "T5Tokenizer", "clean_up_tokenization_spaces": True}, {"model_type": "t5"})
    add("t5 ten", {"spiece.model": "uni_user.model"}, {"tokenizer_class": "T5Tokenizer", "extra_ids": 10, "additional_special_tokens": [f"<extra_id_{i}>" for i in range(10)]}, {"model_type": "t5"})
    add("t5 other extra", {"spiece.model": "uni.model"}, {"tokenizer_class": "T5Tokenizer", "extra_ids": 3, "unk_token": "<s>", "pad_token": "<pad>"}, {"model_type": "mt5"})
    V = {"vocab.json": "vocab.json", "merges.txt": "merges.txt"}
    add("gpt2", V, {"tokenizer_class": "GPT2Tokenizer", "clean_up_tokenization_spaces": True}, {"model_type": "gpt2"})
    add("gpt2 by model", V, None, {"model_type": "gpt2"})
    add("gpt2 prefix", V, {"tokenizer_class": "GPT2Tokenizer", "add_prefix_space": True, "add_bos_token": True, "pad_token": "<pad>"})
    add("qwen2", V, {"tokenizer_class": "Qwen2Tokenizer", "added_tokens_decoder": {"700": at("<|endoftext|>"), "701": at("<|im_start|>"), "702": at("<|im_end|>")},
        "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "bos_token": None, "unk_token": None, "additional_special_tokens": ["<|im_start|>", "<|im_end|>"]}, {"model_type": "qwen2"})
    add("qwen3.5", V, {"tokenizer_class": "Qwen2Tokenizer"}, {"model_type": "qwen3_5"}, by_class="Qwen3_5Tokenizer")
    add("neox", V, {"tokenizer_class": "GPTNeoXTokenizer", "add_bos_token": True}, {"model_type": "gpt_neox"})
    add("codegen", V, {"tokenizer_class": "CodeGenTokenizer"}, {"model_type": "codegen"})
    add("cohere", V, {"tokenizer_class": "CohereTokenizer", "add_bos_token": True, "bos_token": "<s>", "eos_token": "</s>"}, {"model_type": "cohere"})
    llama3 = {str(n + i): at(t) for i, t in ((0, "<|begin_of_text|>"), (1, "<|im_end|>"), (4, "<sep>"))}
    add("llama3", {T: "ranks.tiktoken"}, {"tokenizer_class": "PreTrainedTokenizerFast", "added_tokens_decoder": llama3, "bos_token": "<|begin_of_text|>", "eos_token": "<|im_end|>"}, {"model_type": "llama"})
    add("llama3 bos", {"tiktoken.model": "ranks.tiktoken"}, {"tokenizer_class": "PreTrainedTokenizerFast", "added_tokens_decoder": llama3, "bos_token": "<|begin_of_text|>", "eos_token": "<|im_end|>",
        "add_bos_token": True}, {"model_type": "llama"})
    C = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"; TAIL = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    UP, DOWN = r"\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}", r"\p{Ll}\p{Lm}\p{Lo}\p{M}"; H = r"&&[^\p{Han}]"
    qwen = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"] + [f"<|extra_{i}|>" for i in range(205)]
    add("qwen1", {"qwen.tiktoken": "ranks.tiktoken"}, {"tokenizer_class": "QWenTokenizer"}, {"model_type": "qwen"}, nfc=True, eos="<|endoftext|>",
        pattern=C + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}" + TAIL, special={t: n + i for i, t in enumerate(qwen)})
    kimi = {n: "[BOS]", n + 1: "[EOS]", n + 2: "<|im_end|>"}
    add("kimi", {"tiktoken.model": "ranks.tiktoken"}, {"tokenizer_class": "TikTokenTokenizer", "added_tokens_decoder": {str(k): at(v) for k, v in kimi.items()}, "bos_token": "[BOS]", "eos_token": "[EOS]"},
        {"model_type": "kimi_k2"}, special={kimi.get(i, f"<|reserved_token_{i}|>"): i for i in range(n, n + 256)}, eos="[EOS]", bos="[BOS]",
        pattern=rf"[\p{{Han}}]+|[^\r\n\p{{L}}\p{{N}}]?[{UP}{H}]*[{DOWN}{H}]+{C}?|[^\r\n\p{{L}}\p{{N}}]?[{UP}{H}]+[{DOWN}{H}]*{C}?|\p{{N}}{{1,3}}" + TAIL)
    glm = {n: "<|endoftext|>", n + 1: "[MASK]", n + 2: "[gMASK]", n + 3: "<sop>"}
    add("glm4", {T: "ranks.tiktoken"}, {"tokenizer_class": "ChatGLM4Tokenizer", "added_tokens_decoder": {str(k): at(v) for k, v in glm.items()}, "eos_token": "<|endoftext|>"}, {"model_type": "chatglm"},
        special={v: k for k, v in glm.items()}, prefix=[n + 2, n + 3], eos="<|endoftext|>", pattern=C + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}" + TAIL)
    add("gpt2 ranks", {"r50k_base.tiktoken": "ranks.tiktoken"}, special={"<|endoftext|>": 50256}, eos="<|endoftext|>",
        pattern=r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s")
    add("cl100k ranks", {"cl100k_base.tiktoken": "ranks.tiktoken"}, eos="<|endoftext|>",
        special={"<|endoftext|>": 100257, "<|fim_prefix|>": 100258, "<|fim_middle|>": 100259, "<|fim_suffix|>": 100260, "<|endofprompt|>": 100276},
        pattern=r"""'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s""")
    add("o200k ranks", {"o200k_base.tiktoken": "ranks.tiktoken"}, special={"<|endoftext|>": 199999, "<|endofprompt|>": 200018}, eos="<|endoftext|>",
        pattern=rf"[^\r\n\p{{L}}\p{{N}}]?[{UP}]*[{DOWN}]+{C}?|[^\r\n\p{{L}}\p{{N}}]?[{UP}]+[{DOWN}]*{C}?|\p{{N}}{{1,3}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
    return F

def write(f, d):
    shutil.rmtree(d, ignore_errors=True); os.makedirs(d)
    for k, v in f["files"].items():
        if isinstance(v, str): shutil.copy(os.path.join(HERE, v), os.path.join(d, k))
        else: json.dump(v, open(os.path.join(d, k), "w", encoding="utf-8"), ensure_ascii=False)

def by_tiktoken(f, texts):
    import tiktoken
    ranks = {}
    for line in open(os.path.join(HERE, "ranks.tiktoken")):
        t, r = line.split(); ranks[base64.b64decode(t)] = int(r)
    enc = tiktoken.Encoding("x", pat_str=f["pattern"], mergeable_ranks=ranks, special_tokens=f["special"])
    back = {v: k for k, v in f["special"].items()}
    cases = []
    for t in texts:
        ids = enc.encode(unicodedata.normalize("NFC", t) if f.get("nfc") else t, allowed_special="all")
        sp = f.get("prefix", []) + ids
        cases.append({"ids": ids, "ids_special": sp, "dec": enc.decode(ids), "dec_skip": enc.decode([i for i in ids if i not in back])})
    return {"cases": cases, "bos": f["special"].get(f.get("bos"), -1), "eos": f["special"].get(f.get("eos"), -1)}

def by_transformers(f, d, texts):
    from transformers import AutoTokenizer
    import transformers
    if "by_class" in f: # AutoTokenizer does not look for vocab.json here
        t = getattr(transformers, f["by_class"])(vocab=d + "/vocab.json", merges=d + "/merges.txt")
    else:
        t = AutoTokenizer.from_pretrained(d)
    cases = []
    for x in texts:
        e = t.backend_tokenizer.encode(x, add_special_tokens=False); s = t(x).input_ids
        cases.append({"ids": e.ids, "ids_special": s, "off": [v for o in e.offsets for v in o], "dec": t.decode(e.ids), "dec_skip": t.decode(s, skip_special_tokens=True)})
    none = lambda i: -1 if i is None else i
    out = {"cases": cases, "bos": none(t.bos_token_id), "eos": none(t.eos_token_id)}
    model = next((v for v in f["files"].values() if isinstance(v, str) and v.endswith(".model")), None)
    if model:
        import sentencepiece
        sp = sentencepiece.SentencePieceProcessor(model_file=os.path.join(HERE, model))
        out["raw"] = sum(sp.encode(x) == c["ids"] for x, c in zip(texts, cases))
    return out

def main():
    if "--train" in sys.argv: train(sys.argv[sys.argv.index("--train") + 1])
    out, tmp = [], tempfile.mkdtemp()
    for f in folders():
        d = os.path.join(tmp, "x"); write(f, d)
        try:
            r = by_tiktoken(f, TEXTS) if "pattern" in f else by_transformers(f, d, TEXTS)
        except Exception as e:
            print(f["name"], "FAILED", type(e).__name__, str(e)[:300]); continue
        print(f["name"], "bos", r["bos"], "eos", r["eos"], f"raw {r['raw']}/{len(TEXTS)}" if "raw" in r else "")
        out.append({"name": f["name"], "files": f["files"], **r})
    head = json.dumps(TEXTS, ensure_ascii=False)
    with open(f"{HERE}/cases.json", "w", encoding="utf-8") as f:
        f.write('{"texts":' + head + ',"folders":[\n' + ",\n".join(json.dumps(o, ensure_ascii=False, separators=(",", ":")) for o in out) + "\n]}\n")
    shutil.rmtree(tmp)

if __name__ == "__main__":
    main()
