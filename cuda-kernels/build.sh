#!/bin/sh
# Compiles every family (*.cu) whose sources are not those that its PTX in the tree was made from, and notes in kernels.tsv what
# each kernel takes on each target. Does nothing where there is no nvcc. After a change of compiler: build.sh --all.
set -eu

folder=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
cd "$folder"
all=${1:-}
kept=src/main/resources/org/gatun/cuda/kernels
index=$kept/kernels.tsv
targets="80 86 89 90 100 120"
versions="7.4 7.8 8.0 8.4 8.5 9.0"

if ! command -v nvcc >/dev/null || ! command -v ptxas >/dev/null; then
    echo "cuda-kernels: no nvcc found, so the PTX in the tree is used as it is"
    exit 0
fi
compiler=$(nvcc --version | sed -n 's/.* V\([0-9.]*\)$/\1/p')
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Our own files that a file includes, and that these include.
included() {
    for name in $(sed -n 's/^#include "\(.*\)"$/\1/p' "$1"); do
        echo "$name"
        included "$name"
    done
}

# Assembles a PTX for every target; what ptxas says is left in $work/<target>.log. Fails at a spill or local memory.
assemble() {
    for target in $targets; do
        ptxas -arch="sm_$target" -O3 -v -warn-spills -warn-lmem-usage -Werror -o "$work/cubin" "$1" >"$work/$target.log" 2>&1 ||
            return 1
    done
}

# Lines of the index, from what ptxas said: a kernel, its shared memory, its registers on each target.
kernels() {
    for target in $targets; do
        cat "$work/$target.log"
    done | awk -v file="$1" '
        /Compiling entry function/ { split($0, quoted, "\047"); kernel = quoted[2] }
        /: Used [0-9]+ registers/ {
            match($0, /[0-9]+ registers/); registers[kernel] = registers[kernel] "\t" substr($0, RSTART, RLENGTH) + 0
            shared[kernel] = match($0, /[0-9]+ bytes smem/) ? substr($0, RSTART, RLENGTH) + 0 : 0
        }
        END { for (kernel in registers) print file "\t" kernel "\t" shared[kernel] registers[kernel] }'
}

mkdir -p "$kept"
touch "$index"
for source in *.cu; do
    family=${source%.cu}
    ptx=$family.80.ptx
    # shellcheck disable=SC2046
    set -- "$source" $(included "$source" | sort -u)
    printf '// Compiled by build.sh from %s\n// sha256 %s\n// compiler %s\n' "$*" "$(cat "$@" | sha256sum | cut -d' ' -f1)" \
        "$compiler" >"$work/header"
    if [ "$all" != --all ] && [ -f "$kept/$ptx" ] && [ "$(sed 2q "$kept/$ptx")" = "$(sed 2q "$work/header")" ]; then
        continue
    fi
    nvcc -ptx -arch=compute_80 -O3 -std=c++17 -lineinfo -Werror all-warnings -o "$work/compiled" "$source"
    awk -v source="$source" -f normalize.awk "$work/compiled" "$work/compiled" >"$work/normalized"
    for version in $versions; do
        sed "s/^\.version .*/.version $version/" "$work/normalized" | cat "$work/header" - >"$work/$ptx"
        if assemble "$work/$ptx"; then
            break
        fi
        if [ "$version" = "${versions##* }" ] || grep -q "spilled" "$work"/*.log; then
            cat "$work"/*.log >&2
            exit 1
        fi
    done
    {
        printf '# PTX\tkernel\tshared bytes%s\n' "$(printf '\tregisters sm_%s' $targets)"
        { awk -F'\t' -v file="$ptx" '!/^#/ && $1 != file' "$index"; kernels "$ptx"; } | LC_ALL=C sort
    } >"$work/index"
    mv "$work/index" "$index"
    mv "$work/$ptx" "$kept/$ptx"
    echo "cuda-kernels: compiled $source to $ptx, PTX $version"
done
