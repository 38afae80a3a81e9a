#!/bin/sh
# Builds the CPU kernels into OUTDIR/META-INF/gatun/<os>-<arch>/, once for each instruction set, if sources are newer.
# Usage: build.sh OUTDIR
set -eu

source=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
case $(uname -s) in
    Darwin) os=macos library=libgatun.dylib ;;
    *) os=linux library=libgatun.so ;;
esac
case $(uname -m) in
    x86_64 | amd64) arch=x86_64 sets="portable avx2 avx512" ;;
    aarch64 | arm64) arch=aarch64 sets="portable neon" ;;
    *) arch=$(uname -m) sets="portable" ;;
esac
folder=$1/META-INF/gatun/$os-$arch
target=$folder/$library

compiler=
for candidate in "${CC:-}" cc gcc clang; do
    if [ -n "$candidate" ] && command -v "$candidate" >/dev/null; then
        compiler=$candidate
        break
    fi
done
if [ -z "$compiler" ]; then
    echo "native: no C compiler found, so Gatun will run on its slow reference backend; install gcc or clang and build again"
    exit 0
fi
if [ -f "$target" ] && [ -z "$(find "$source" -maxdepth 1 \( -name '*.[ch]' -o -name build.sh \) -newer "$target" -print -quit)" ]; then
    exit 0
fi

# gcc puts additions off until their sum is needed, and fetches operands early: both have it run out of registers.
in_order="-fno-tree-ter -fno-schedule-insns"
# shellcheck disable=SC2086
"$compiler" -Werror $in_order -x c -fsyntax-only /dev/null 2>/dev/null || in_order=

flags_of() {
    case $1 in
        portable) echo "$in_order" ;;
        avx2) echo "-mavx2 -mfma -mf16c $in_order" ;;
        avx512) echo "-mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni -mfma -mf16c -mprefer-vector-width=512" ;;
        neon) echo "-march=armv8.2-a+dotprod+fp16 $in_order" ;;
    esac
}

mkdir -p "$folder"
objects=$(mktemp -d)
trap 'rm -rf "$objects"' EXIT
flags="-std=c11 -O3 -fPIC -fvisibility=hidden -fno-math-errno -ffp-contract=fast -Wall -Wextra -Werror -Wno-psabi"
jobs=
for set in $sets; do
    # shellcheck disable=SC2046,SC2086
    "$compiler" $flags $(flags_of "$set") -DGATUN_ISA="$set" -c "$source/kernels.c" -o "$objects/kernels-$set.o" &
    jobs="$jobs $!"
done
for file in decode program; do
    # shellcheck disable=SC2086
    "$compiler" $flags -c "$source/$file.c" -o "$objects/$file.o"
done
for job in $jobs; do
    wait "$job"
done
"$compiler" -shared -o "$target.new" "$objects"/*.o -lpthread -lm
mv "$target.new" "$target"
