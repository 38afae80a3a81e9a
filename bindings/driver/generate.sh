#!/bin/sh
# Writes org.gatun.cuda.bindings anew: sh generate.sh CUDA_H
# CUDA_H is the cuda.h of a CUDA toolkit; jextract must be on the PATH. What is generated is committed and never edited.
#
# No library is named (-l), so that nothing is looked for when a class is initialised: the driver's library is loaded, or found
# missing, before. The macro keeps calls by their first name where the newest one is unknown to drivers in use
# (cuEventElapsedTime).
set -eu
header=${1:?usage: sh generate.sh CUDA_H}
cd "$(dirname "$0")"
package=src/main/java/org/gatun/cuda/bindings
rm -rf "$package"
jextract --output src/main/java --target-package org.gatun.cuda.bindings --header-class-name Cuda \
        --define-macro __CUDA_API_VERSION_INTERNAL @cuda.includes "$header"
# jextract says little when it fails, and leaves nothing.
test -f "$package/Cuda.java"
