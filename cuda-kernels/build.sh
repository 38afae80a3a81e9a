#!/bin/sh
# Compiles every family (FOLDER/*.cu) whose sources are not those that its PTX in the tree was made from, and notes in kernels.tsv
# what each kernel takes on each target, and of which text and by which ptxas, and in arguments.tsv where the fields of the structures
# of arguments lie. Does nothing where there is no nvcc. After a change of compiler: build.sh --all.
#
# A kernel takes one structure, NAME(const SomeArguments arguments): of pointers, int, long long and float, a line each. By value and
# not __grid_constant__, which nvcc reads through an address in a register.
#
# Files include each other by name alone, whatever folder they lie in: no two have the same name.
#
# NAME.cu is for compute capability 8.0 and later and becomes NAME.80.ptx; NAME.90.cu is for 9.0 and later and becomes NAME.90.ptx;
# NAME.90a.cu is for exactly 9.0, whose own instructions no later one has, and becomes NAME.90a.ptx.
set -eu

cd -- "$(dirname -- "$0")"
folders="attention common kv matmul norm sampling"
all=${1:-}
kept=src/main/resources/org/gatun/cuda/kernels
index=$kept/kernels.tsv
layout=$kept/arguments.tsv
targets="80 86 89 90 100 120"
versions="7.4 7.8 8.0 8.4 8.5 9.0"

if ! command -v nvcc >/dev/null || ! command -v ptxas >/dev/null; then
    echo "cuda-kernels: no nvcc found, so the PTX in the tree is used as it is"
    exit 0
fi
compiler=$(nvcc --version | sed -n 's/.* V\([0-9.]*\)$/\1/p')
assembler=$(ptxas --version | sed -n 's/.* V\([0-9.]*\)$/\1/p')
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Our own files that the file of a name includes, and that these include.
included() {
    for name in $(sed -n 's/^#include "\(.*\)"$/\1/p' */"$1"); do
        echo "$name"
        included "$name"
    done
}

# The text of the files of some names, one after the other.
text_of() {
    for name in "$@"; do
        echo */"$name"
    done | xargs cat
}

# The targets that run PTX of an architecture.
targets_of() {
    for target in $targets; do
        case $1 in
        *a) [ "$target" != "${1%a}" ] || echo "$target" ;;
        *) [ "$target" -lt "$1" ] || echo "$target" ;;
        esac
    done
}

# Assembles a PTX of architecture $2 for every target that runs it; what ptxas says is left in $work/<target>.log. Fails at a spill
# or local memory.
assemble() {
    rm -f "$work"/*.log
    for target in $(targets_of "$2"); do
        case $2 in
        *a) arch=sm_$2 ;;
        *) arch=sm_$target ;;
        esac
        ptxas -arch="$arch" -O3 -v -warn-spills -warn-lmem-usage -Werror -o "$work/cubin" "$1" >"$work/$target.log" 2>&1 ||
            return 1
    done
}

# What was assembled by what: the beginning of the SHA-256 of a text, followed by the release of ptxas, such as 13.0.88.
assembled() {
    { cat "$1" && printf '%s' "$assembler"; } | sha256sum | cut -c1-16
}

# The kernels of a file and the structures that they take, from what is left of it when it is preprocessed.
structures() {
    # shellcheck disable=SC2046
    nvcc -E -std=c++17 $(printf -- '-I%s ' $folders) "$1" |
        sed -n '/((global))/,/{/p' | tr '\n' ' ' | grep -o '[a-z0-9_]*(const [A-Za-z0-9]*Arguments arguments)' |
        sed 's/\(.*\)(const \(.*\) arguments)/structure \1 \2/'
}

# Lines of the index, from what ptxas said: a kernel, the structure it takes, its shared memory, its registers on each target, - where it
# does not run, and $2, which says of what text.
kernels() {
    {
        cat "$work/structures"
        for target in $targets; do
            echo "target $target"
            [ ! -f "$work/$target.log" ] || cat "$work/$target.log"
        done
    } | awk -v file="$1" -v assembled="$2" '
        /^structure / { structure[$2] = $3 }
        /^target / { target = ++targets }
        /Compiling entry function/ { split($0, quoted, "\047"); kernel = quoted[2] }
        /: Used [0-9]+ registers/ {
            match($0, /[0-9]+ registers/); registers[kernel, target] = substr($0, RSTART, RLENGTH) + 0
            shared[kernel] = match($0, /[0-9]+ bytes smem/) ? substr($0, RSTART, RLENGTH) + 0 : 0
        }
        END {
            for (kernel in shared) {
                line = file "\t" kernel "\t" structure[kernel] "\t" shared[kernel]
                for (i = 1; i <= targets; i++) {
                    line = line "\t" ((kernel, i) in registers ? registers[kernel, i] : "-")
                }
                print line "\t" assembled
            }
        }'
}

# Lines of the layout: of each structure its size, and of each field its name, its type and where it lies, as the compiler has them.
layout() {
    {
        echo '#include <cstddef>'
        echo '#include <cstdio>'
        echo 'const char* type_of(void*) { return "ADDRESS"; }'
        echo 'const char* type_of(int) { return "BITS_32"; }'
        echo 'const char* type_of(long long) { return "BITS_64"; }'
        echo 'const char* type_of(float) { return "FLOAT"; }'
        cat ./*/*.cu ./*/*.cuh | sed -n '/^struct [A-Za-z0-9]*Arguments {$/,/^};$/p' | sed 's|//.*||; s/[^ ].*\* *\([a-z]\)/void* \1/' \
            >"$work/structs"
        cat "$work/structs"
        echo 'int main() {'
        awk '/^struct / { structure = $2; next }
            /;/ && !/^}/ {
                field = $NF
                sub(/;$/, "", field)
                printf "std::printf(\"%s\\t%%zu\\t%s\\t%%s\\t%%zu\\n\", sizeof(%s), type_of(%s{}.%s), offsetof(%s, %s));\n",
                        structure, field, structure, structure, field, structure, field
            }' "$work/structs"
        echo '}'
    } >"$work/layout.cpp"
    nvcc -cudart none -o "$work/layout" "$work/layout.cpp"
    printf '# structure\tbytes\tfield\ttype\toffset\n'
    "$work/layout" | LC_ALL=C sort -s -t"$(printf '\t')" -k1,1
}

mkdir -p "$kept"
[ -f "$index" ] || : >"$index" # where nothing changed, nothing in the tree is touched
for path in */*.cu; do
    source=${path##*/}
    family=${source%.cu}
    case $family in
    *.*) architecture=${family##*.} ptx=$family.ptx ;;
    *) architecture=80 ptx=$family.80.ptx ;;
    esac
    # shellcheck disable=SC2046
    set -- "$source" $(included "$source" | sort -u)
    printf '// Compiled by build.sh from %s\n// sha256 %s\n// compiler %s\n' "$*" "$(text_of "$@" | sha256sum | cut -d' ' -f1)" \
        "$compiler" >"$work/header"
    if [ "$all" != --all ] && [ -f "$kept/$ptx" ] && [ "$(sed 2q "$kept/$ptx")" = "$(sed 2q "$work/header")" ]; then
        continue
    fi
    # shellcheck disable=SC2086
    nvcc -ptx -arch="compute_$architecture" -O3 -std=c++17 -lineinfo -Werror all-warnings $(printf -- '-I%s ' $folders) \
        -o "$work/compiled" "$path"
    awk -v source="$source" -f normalize.awk "$work/compiled" "$work/compiled" >"$work/normalized"
    for version in $versions; do
        sed "s/^\.version .*/.version $version/" "$work/normalized" | cat "$work/header" - >"$work/$ptx"
        if assemble "$work/$ptx" "$architecture"; then
            break
        fi
        if [ "$version" = "${versions##* }" ] || grep -q "spilled" "$work"/*.log; then
            cat "$work"/*.log >&2
            exit 1
        fi
    done
    structures "$path" >"$work/structures"
    {
        printf '# PTX\tkernel\targuments\tshared bytes%s\tassembled\n' "$(printf '\tregisters sm_%s' $targets)"
        { awk -F'\t' -v file="$ptx" '!/^#/ && $1 != file' "$index"; kernels "$ptx" "$(assembled "$work/$ptx")"; } | LC_ALL=C sort
    } >"$work/index"
    mv "$work/index" "$index"
    mv "$work/$ptx" "$kept/$ptx"
    layout >"$work/arguments"
    mv "$work/arguments" "$layout"
    echo "cuda-kernels: compiled $path to $ptx, PTX $version"
done
