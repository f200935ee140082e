#!/bin/sh
# kit.sh - packs gpu-kit/ for `make gpu-kit`: what a GPU machine needs that has a driver but none of our libraries and no network.
#
#     CC=... OBJECTS=... RUN_OBJECTS=... ARCHIVES=... kit.sh SOURCE TESTS OUT
#
# The program and the tests of the engine are linked again with the libraries' static archives; glibc stays dynamic, since the CUDA
# runtime opens the driver by name. SOURCE: the sources; TESTS: the folder that kernels/bare.mk built; OUT: made anew.
# What is missing is named with its Debian package. Refused: a kit of more than 60 MiB, or one that needs any other library.
set -u
source=$1
tests=$2
kit=$3
libs=
missing=
# archive and Debian package, those that use others first; xml2 is not among them: libarchive asks for it in a format we do not read
for l in archive:libarchive-dev nettle:nettle-dev acl:libacl1-dev bz2:libbz2-dev lzma:liblzma-dev zstd:libzstd-dev lz4:liblz4-dev \
	crypto:libssl-dev sqlite3:libsqlite3-dev jansson:libjansson-dev yaml:libyaml-dev pcre2-8:libpcre2-dev csv:libcsv-dev \
	utf8proc:libutf8proc-dev z:zlib1g-dev; do
	file=$($CC -print-file-name="lib${l%%:*}.a")
	if [ -f "$file" ]; then
		libs="$libs $file"
	else
		missing="$missing ${l##*:}"
	fi
done
if [ -n "$missing" ]; then
	echo "gpu-kit: static libraries are missing. On Debian: apt-get install$missing" >&2
	exit 1
fi
rm -rf "$kit"
mkdir -p "$kit/tests/gpu" "$kit/tests/golden" || exit 1

# link OUT OBJECTS...
link() {
	to=$1
	shift
	$CC -static-libgcc -o "$to" "$@" $ARCHIVES -Wl,--start-group $libs -Wl,--end-group -lm -lpthread -ldl -lrt || exit 1
}
link "$kit/assay" $OBJECTS
[ -z "${RUN_OBJECTS:-}" ] || link "$kit/tests/gpu/test_cuda_run" $RUN_OBJECTS
for t in "$tests"/test_* "$tests"/gpu/test_cuda_*; do
	case $t in *.log | *_simd_emu_* | *_run) continue ;; esac
	cp "$t" "$kit/tests${t#"$tests"}" || exit 1
done
cp -R "$source/suites" "$kit/suites" && cp "$source"/tests/golden/*.[hjtv]* "$kit/tests/golden" && cp -R "$source/tests/golden/families" "$kit/tests/golden" || exit 1
cp "$source/tests/gpu/run.sh" "$source/tests/gpu/bench.sh" "$source/COPYING" "$source/NOTICE" "$kit" || exit 1
(cd "$source" && git log -1 --format='commit %H' 2>/dev/null) >"$kit/VERSION"

programs=$(find "$kit" -type f -perm -100 ! -name '*.sh')
for f in $programs; do
	strip "$f"
	other=$(objdump -p "$f" | sed -n 's/^ *NEEDED *//p' | grep -vE '^(lib(c|m|dl|rt|pthread)\.so\.[0-9]+|ld-linux.*)$')
	[ -z "$other" ] || { echo "gpu-kit: $f needs $other" >&2; exit 1; }
done
glibc=$(for f in $programs; do objdump -T "$f"; done | sed -n 's/.*(\{0,1\}GLIBC_\([0-9.]*\).*/\1/p' | sort -Vu | tail -n 1)
size=$(du -sm "$kit" | cut -f1)
echo "needs glibc $glibc" >>"$kit/VERSION"
[ "$size" -le 60 ] || { echo "gpu-kit: $size MiB are more than 60" >&2; exit 1; }
echo "gpu-kit: $kit, $size MiB, needs glibc $glibc and nothing else but the driver; there: ./run.sh OUTDIR"
