#!/bin/sh
# docs.sh - the documents and the program say the same: every command and option is in the man page, every suite key in the
# man page and in suites/README.md, every suite loads, --help works everywhere, the man page is well formed.
set -u
assay=${builddir:-.}/assay
cd "${srcdir:-.}" || exit 99
bad=0
fail() { echo "$*"; bad=1; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

"$assay" help --man >"$tmp/man" || fail "assay help --man failed"
"$assay" help --completion >"$tmp/completion" || fail "assay help --completion failed"
sh -n "$tmp/completion" 2>/dev/null || bash -n "$tmp/completion" || fail "the completion is no shell script"
if command -v mandoc >/dev/null 2>&1; then
	mandoc -T lint -W error "$tmp/man" || fail "the man page has errors"
fi
commands=$("$assay" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
[ -n "$commands" ] || fail "no commands in --help"
for c in $commands; do
	grep -q "^.Ss $c\$" "$tmp/man" || fail "command $c is not in the man page"
	"$assay" "$c" --help >"$tmp/help" || fail "assay $c --help failed"
	grep -q "^usage: assay $c" "$tmp/help" || fail "assay $c --help shows no usage"
	sed -n 's/^  \(-[a-z], \)\{0,1\}--\([a-z-]*\).*/\2/p' "$tmp/help" | while read -r o; do
		grep -q "Fl .-$o\b" "$tmp/man" || echo "option --$o of $c is not in the man page"
	done >"$tmp/missing"
	[ -s "$tmp/missing" ] && { cat "$tmp/missing"; bad=1; }
done
keys=$("$assay" help suite | sed -n 's/^  \([a-z_.]*[a-z_]\) .*/\1/p' | sort -u)
[ -n "$keys" ] || fail "no keys in 'assay help suite'"
for k in $keys; do
	grep -q "^.It Cm $k " "$tmp/man" || fail "suite key $k is not in the man page"
	grep -q "\`$k\`" suites/README.md || fail "suite key $k is not in suites/README.md"
done
for t in suites models metrics filters families numerics profiles devices tokenizers shapes; do
	"$assay" list "$t" >"$tmp/list" || fail "assay list $t failed"
	[ -s "$tmp/list" ] || fail "assay list $t shows nothing"
	"$assay" list "$t" --json | sed -n 1p | grep -q '^{"name":' || fail "assay list $t --json shows no objects"
done
# the readers' documents name only commands that exist
for f in README.md suites/README.md CONTRIBUTING.md; do
	grep -oE '(^|[ `(])assay [a-z]+' "$f" | sed 's/.*assay //' | sort -u | while read -r c; do
		echo "$commands" | grep -qx "$c" || case $c in is|a|the|and|does|runs|in|to|has|writes|itself|as|weighs|of|office) ;; *) echo "$f: 'assay $c' is no command" ;; esac
	done >"$tmp/missing"
	[ -s "$tmp/missing" ] && { cat "$tmp/missing"; bad=1; }
done
# and only files that are there (x stands for a name of the reader's, NAME for any)
for f in *.md suites/README.md; do
	grep -oE '`(kernels|runners|harness|tests|suites)/[A-Za-z0-9_./*-]+`' "$f" | tr -d '`' | grep -vE 'NAME|[_/]x[._]' | sort -u | while read -r p; do
		ls -d $p >/dev/null 2>&1 || [ -f "$p.c" ] || echo "$f: there is no $p"
	done >"$tmp/missing"
	[ -s "$tmp/missing" ] && { cat "$tmp/missing"; bad=1; }
done
exit $bad
