/* schema_keys.h - THE table of suite keys; private to schema.c.
 *
 * One row per key: its path, what it may be, its default, one sentence, how its value is put and where. The parser, the
 * error messages, `assay help suite`, the manual and suites/README.md read nothing else. "rows[].map.value" is the key
 * `value` of the section `map` of an item of the list `rows`.
 */
#ifndef ASSAY_SCHEMA_KEYS_H
#define ASSAY_SCHEMA_KEYS_H

#define S(member) offsetof(struct suite, member)
#define R(member) offsetof(struct row_draft, member)
#define F(member) offsetof(struct filter_step, member)
#define M(member) offsetof(struct suite_metric, member)

/* X(key, type, default, text, put, at, count) */
#define KEYS \
	X("suite", "word", "", "Name of the suite: what --suite takes.", put_word, S(name), 0) \
	X("version", "int 0..1000000", "0", "Version of the definition; raised when scores change.", put_int, S(version), 0) \
	X("title", "string", "", "One line for lists.", put_string, S(title), 0) \
	X("language", "word", "", "Language of the questions (en, zh, ...).", put_word, S(language), 0) \
	X("licence", "string", "", "Licence of the data.", put_string, S(licence), 0) \
	X("source", "string", "", "Paper or page of the data.", put_string, S(source), 0) \
	X("chance", "number 0..1", "", "Score of a guesser.", put_number, S(chance), 0) \
	X("include", "string", "", "Another definition in the same folder or below; the keys given here are put over it, maps key by key.", put_ignored, 0, 0) \
	X("each", "list of maps", "", "One suite per item; {{NAME}} is replaced everywhere by the item's value of NAME.", put_ignored, 0, 0) \
	X("member_of", "word", "", "A group that this suite joins.", put_word, S(member_of), 0) \
	X("dataset", "section", "", "Where the rows come from.", put_section, 0, 0) \
	X("dataset.id", "string", "", "Name of the dataset, as on the hub: DATA/<id with / as __>/<config>/<split>.jsonl.", put_string, S(dataset), 0) \
	X("dataset.config", "string", "default", "Configuration of the dataset.", put_string, S(config), 0) \
	X("dataset.sha256", "map of split to SHA-256", "", "What the published files must be; local files (--files) are not checked.", put_digests, S(sha256), S(nsha256)) \
	X("splits", "section", "", "Which split is what.", put_section, 0, 0) \
	X("splits.test", "word", "", "Evaluated.", put_word, S(test_split), 0) \
	X("splits.validation", "word", "", "Evaluated when there is no test split.", put_word, S(validation_split), 0) \
	X("splits.train", "word", "", "Shots come from here unless splits.shots is given.", put_word, S(train_split), 0) \
	X("splits.shots", "word", "", "Shots come from here.", put_word, S(shot_split), 0) \
	X("rows", "list of operations", "", "What is done to every row before anything else, in order.", put_rows, S(rows), S(nrows)) \
	X("rows[].filter", "section", "", "Keeps the rows whose column has a value.", put_section, 0, 0) \
	X("rows[].filter.column", "string", "", "The column looked at.", put_string, R(op.column), 0) \
	X("rows[].filter.equals", "any value", "", "The value, or a list of values of which one must be there.", put_value, R(op.equals), 0) \
	X("rows[].filter.negate", "true or false", "false", "Keeps the other rows instead.", put_truth, R(op.negate), 0) \
	X("rows[].map", "section", "", "Sets a column.", put_section, 0, 0) \
	X("rows[].map.column", "string", "", "The column written; a new one comes last.", put_string, R(op.column), 0) \
	X("rows[].map.value", "template", "", "Another column's name (copied as it is), or a template.", put_field, R(op.map), 0) \
	X("rows[].map.type", "one of int|string|list", "", "What the value is turned into; a list is read from its Python spelling.", put_word, R(op.type), 0) \
	X("rows[].replace", "section", "", "Replaces text in string columns (in every string of a list).", put_section, 0, 0) \
	X("rows[].replace.column", "string or list of strings", "", "The columns changed.", put_strings, R(column), R(ncolumns)) \
	X("rows[].replace.pattern", "string", "", "Regular expression, as Python's re.sub.", put_string, R(op.pattern), 0) \
	X("rows[].replace.text", "string", "", "Plain text, in place of a pattern.", put_string, R(text), 0) \
	X("rows[].replace.with", "string", "", "What is put instead; for a pattern with \\1 and \\g<name>.", put_string, R(op.with), 0) \
	X("rows[].strip", "section", "", "Removes white space at both ends, as Python's strip.", put_section, 0, 0) \
	X("rows[].strip.column", "string or list of strings", "", "The columns changed.", put_strings, R(column), R(ncolumns)) \
	X("rows[].rename", "section", "", "Renames a column; it keeps its place.", put_section, 0, 0) \
	X("rows[].rename.column", "string", "", "The old name.", put_string, R(op.column), 0) \
	X("rows[].rename.into", "string", "", "The new name.", put_string, R(op.into), 0) \
	X("rows[].drop", "section", "", "Removes columns.", put_section, 0, 0) \
	X("rows[].drop.column", "string or list of strings", "", "The columns removed.", put_strings, R(column), R(ncolumns)) \
	X("rows[].split", "section", "", "Cuts a string column into a list.", put_section, 0, 0) \
	X("rows[].split.column", "string", "", "The column read.", put_string, R(op.column), 0) \
	X("rows[].split.pattern", "string", "", "Regular expression between the parts.", put_string, R(op.pattern), 0) \
	X("rows[].split.text", "string", "", "Plain text between the parts, in place of a pattern.", put_string, R(text), 0) \
	X("rows[].split.into", "string", "", "The column written (default: the one read).", put_string, R(op.into), 0) \
	X("kind", "one of multiple_choice|loglik|rolling|generate", "", "What is asked of the model.", put_kind, S(kind), 0) \
	X("description", "template", "", "Put before everything, rendered on the document; as the system message in a chat.", put_field, S(description), 0) \
	X("prompt", "template", "", "The question. A column's name alone is that column; an integer among choices: contexts are the choices.", put_field, S(prompt), 0) \
	X("target", "template, or list of strings", "", "The answer: text, the number of the right choice, or a list of answers.", put_field, S(target), 0) \
	X("choices", "template, or list of strings", "", "The choices; a template must give a Python list.", put_choices, S(choices), 0) \
	X("answer_prefix", "template", "", "Begins the answer: after the prompt, or open in the assistant's turn.", put_field, S(answer_prefix), 0) \
	X("target_delimiter", "string", "\" \"", "Between prompt and answer.", put_string, S(target_delimiter), 0) \
	X("shot_delimiter", "string", "\"\\n\\n\"", "After every shot.", put_string, S(shot_delimiter), 0) \
	X("shots", "int 0..1000", "0", "How many examples precede the question.", put_shots, S(shots), S(shots_given)) \
	X("shot_sampler", "one of random|first_n", "random", "How examples are taken.", put_word, S(shot_sampler), 0) \
	X("shot_examples", "list of maps", "", "Documents used as examples in place of a split's.", put_value, S(shot_examples), 0) \
	X("counted", "template", "", "rolling: the text whose words and bytes are counted (default: the target).", put_field, S(counted), 0) \
	X("generation", "section", "", "How text is generated.", put_section, 0, 0) \
	X("generation.until", "string or list of strings", "[shot_delimiter]", "Stop strings.", put_strings, S(until), S(nuntil)) \
	X("generation.max_tokens", "int 1..1000000", "256", "Longest answer.", put_int, S(max_tokens), 0) \
	X("generation.temperature", "number 0..100", "0", "0 takes the best token.", put_number, S(sampling.temperature), 0) \
	X("generation.top_p", "number 0..1", "1", "Nucleus; 1 is off.", put_number, S(sampling.top_p), 0) \
	X("generation.top_k", "int 0..1000000", "0", "Best k tokens only; 0 is off.", put_int, S(sampling.top_k), 0) \
	X("generation.min_p", "number 0..1", "0", "Drops tokens less likely than this share of the best one's probability; 0 is off.", put_number, S(sampling.min_p), 0) \
	X("generation.repetition_penalty", "number 0.01..10", "1", "Divides logits above 0 of ids seen, multiplies others; 1 is off.", put_number, S(sampling.repetition_penalty), 0) \
	X("repeats", "int 1..1024", "1", "Answers per document.", put_int, S(repeats), 0) \
	X("filters", "list of maps", "none: take_first", "Named pipelines from answers to what is scored.", put_filters, S(filter), S(nfilters)) \
	X("filters[].name", "word", "", "Name of the pipeline, a column of the leaderboard.", put_word, offsetof(struct filter, name), 0) \
	X("filters[].steps", "list of maps", "", "The steps, in order.", put_steps, offsetof(struct filter, step), offsetof(struct filter, nsteps)) \
	X("filters[].steps[].function", "name of a filter", "", "What the step does (assay list filters).", put_function, F(kind), 0) \
	X("filters[].steps[].regex_pattern", "string", "", "Regular expression, as Python's re.findall.", put_string, F(pattern), 0) \
	X("filters[].steps[].group_select", "int -1000..1000", "0", "Which match: 0 the first, -1 the last.", put_int, F(group_select), 0) \
	X("filters[].steps[].fallback", "string", "\"[invalid]\"", "Where nothing matches.", put_string, F(fallback), 0) \
	X("filters[].steps[].k", "int 1..1024", "1", "take_first_k: how many.", put_int, F(k), 0) \
	X("filters[].steps[].mapping_dict", "map", "", "map: from answer to what is scored.", put_value, F(mapping), 0) \
	X("filters[].steps[].default_value", "any value", "", "map: for answers that the mapping lacks.", put_value, F(default_value), 0) \
	X("filters[].steps[].ignore_case", "true or false", "false", "multi_choice_regex: case does not matter.", put_truth, F(ignore_case), 0) \
	X("filters[].steps[].ignore_punctuation", "true or false", "false", "multi_choice_regex: punctuation does not matter.", put_truth, F(ignore_punctuation), 0) \
	X("filters[].steps[].regexes_to_ignore", "list of strings", "", "multi_choice_regex: patterns deleted first, at most 8.", put_ignored, 0, 0) \
	X("metrics", "list of names or maps", "of the kind", "What is computed (assay list metrics).", put_metrics, S(metric), S(nmetrics)) \
	X("metrics[].metric", "name of a metric", "", "The metric.", put_word, M(name), 0) \
	X("metrics[].ignore_case", "true or false", "false", "exact_match: case does not matter.", put_truth, M(ignore_case), 0) \
	X("metrics[].ignore_punctuation", "true or false", "false", "exact_match: ASCII punctuation is deleted.", put_truth, M(ignore_punctuation), 0) \
	X("metrics[].ignore_numbers", "true or false", "false", "exact_match: digits are deleted.", put_truth, M(ignore_numbers), 0) \
	X("metrics[].regexes_to_ignore", "string or list of strings", "", "exact_match: patterns deleted from both sides first.", put_strings, M(ignore), M(nignore)) \
	X("group", "section", "", "Makes this a group: its score is the mean of its members'.", put_group, 0, 0) \
	X("group.members", "list of strings", "", "Suites or groups; those that name the group in member_of come after them.", put_ignored, 0, 0) \
	X("group.weight_by_size", "true or false", "true", "Every document counts the same; else every member.", put_truth, S(weight_by_size), 0)

#endif
