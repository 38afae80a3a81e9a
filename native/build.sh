#!/bin/sh
# placeholder: replaced by the kernels' own build
mkdir -p "$1"
