"""A folder of reference models, for models_oracle.py, models_spec.py, models_variants.py and tests/golden/make_families.py.

It has specs/NAME.json (config, and every tensor as a function of a seed), expected/NAME.json.gz (token ids, and what the
reference gives for them) and make_models.py, which writes checkpoints from specs. Standard library only.
"""

import gzip
import importlib.util
import json
import os
import sys

# The reference ran transformers' eager attention, which counts falcon's ALiBi twice (in its mask and in its scores); the model and
# transformers' default attention have it once, and so has assay, unless config.json says that the model is to be run eagerly.
ALSO = {"falcon-rw": {"_attn_implementation": "eager"}}


def names(oracle):
    try:
        return sorted(f[:-5] for f in os.listdir(os.path.join(oracle, "specs")) if f.endswith(".json"))
    except OSError as e:
        sys.exit("%s: no folder of reference models: %s" % (os.path.basename(sys.argv[0]), e))


def spec(oracle, name):
    with open(os.path.join(oracle, "specs", name + ".json"), encoding="utf-8") as f:
        return json.load(f)


def expected(oracle, name):
    with gzip.open(os.path.join(oracle, "expected", name + ".json.gz")) as f:
        return json.load(f)


def maker(oracle):
    """The folder's make_models.py, as a module."""
    found = importlib.util.spec_from_file_location("make_models", os.path.join(oracle, "make_models.py"))
    module = importlib.util.module_from_spec(found)
    try:
        found.loader.exec_module(module)
    except OSError as e:
        sys.exit("%s: no folder of reference models: %s" % (os.path.basename(sys.argv[0]), e))
    return module
