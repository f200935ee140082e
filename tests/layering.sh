#!/bin/sh
# layering.sh - includes go downward only: harness -> runners/runner.h, runners/text, kernels/base, kernels/selfcheck.h;
# runners -> kernels/ops.h, kernels/base; runners/text -> kernels/base; kernels -> kernels. Prints every offence.
set -u
cd "${srcdir:-.}" || exit 99
bad=0

# rule FOLDER PATTERN: includes of our own in FOLDER's files that match none of PATTERN
rule() {
	found=$(grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]+"' $1 2>/dev/null | grep -vE "\"($2)\"|\"config\.h\"")
	if [ -n "$found" ]; then
		printf 'upward or sideways include (allowed here: %s):\n%s\n' "$2" "$found"
		bad=1
	fi
}

files() { find "$@" -name '*.[ch]' -o -name '*.cu' -o -name '*.cuh' | sort; }

rule "$(files kernels/base)" 'kernels/base/[a-z0-9_]+\.h'
rule "$(find kernels -maxdepth 1 -name '*.[ch]' | sort)" 'kernels/[a-z0-9_]+\.h|kernels/base/[a-z0-9_]+\.h|tests/simd_emu\.h|tests/cuda_emu\.h'
rule "$(files runners/text)" 'runners/text/[a-z0-9_]+\.h|kernels/base/[a-z0-9_]+\.h'
rule "$(find runners -maxdepth 1 -name '*.[ch]' | sort)" 'runners/[a-z0-9_]+\.h|runners/text/[a-z0-9_]+\.h|kernels/ops\.h|kernels/base/[a-z0-9_]+\.h'
rule "$(files harness)" 'harness/[a-z0-9_]+\.h|runners/runner\.h|runners/text/[a-z0-9_]+\.h|kernels/base/[a-z0-9_]+\.h|kernels/selfcheck\.h'

# the checker itself must be able to fail
tmp=$(mktemp -d)
printf '#include "harness/run.h"\n' >"$tmp/x.c"
if ! grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]+"' "$tmp/x.c" | grep -qvE '"(kernels/base/[a-z0-9_]+\.h)"'; then
	echo "the checker does not see an upward include"
	bad=1
fi
rm -rf "$tmp"

# no libm on result paths: nothing links it, and no source includes math.h but for the macros that are no functions
if grep -nE '\b(expf?|logf?|log2f?|log10f?|log1pf?|expm1f?|powf?|sinf?|cosf?|tanf?|tanhf?|erff?|lgammaf?|cbrtf?|hypotf?)[[:space:]]*\(' \
	$(files kernels runners harness) | grep -vE '^[^:]*:[0-9]+:[[:space:]]*(\*|/\*|//)|dm_|xm_|"' | grep -vE '/\*.*\b(exp|log|pow|sin|cos|tanh|erf)[a-z0-9]*[[:space:]]*\(' ; then
	echo "libm on a result path (see kernels/base/dmath.h)"
	bad=1
fi
# files that have grown too large to live in
for f in $(files kernels runners harness tests); do
	n=$(wc -l <"$f")
	if [ "$n" -gt 1500 ]; then
		echo "$f: $n lines; the limit is 1500"
		bad=1
	fi
done
exit $bad
