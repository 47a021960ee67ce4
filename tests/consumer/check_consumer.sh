#!/usr/bin/env bash
# Installs Weft into an empty prefix and builds a stranger's C and C++ program against it: by the CMake package (static
# and shared), by pkg-config (static and shared), and as a subdirectory; runs each. The shared library shows weft_* only.
# ctest: timeout=300
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
here=$WEFT_SOURCE_DIR/tests/consumer
prefix=$work/prefix
cmake --install "$WEFT_BUILD_DIR" --prefix "$prefix" >"$work/log"
runs=0
run() {
  local out
  out=$("$@")
  echo "$(basename "$1"): $out"
  runs=$((runs + 1))
}

build_with_cmake() { # NAME cmake-arguments...
  local name=$1
  shift
  mkdir -p "$work/$name"
  cp "$here/main.c" "$here/main.cpp" "$work/$name/"
  cp "$here/package.cmake" "$work/$name/CMakeLists.txt"
  cmake -S "$work/$name" -B "$work/$name/build" -G Ninja -DCMAKE_BUILD_TYPE=Release "$@" >"$work/log" 2>&1 &&
    ninja -C "$work/$name/build" -j "${WEFT_JOBS:-2}" >>"$work/log" 2>&1 || {
    tail -30 "$work/log"
    exit 1
  }
  for program in "$work/$name"/build/c_* "$work/$name"/build/cpp_*; do run "$program"; done
}
build_with_cmake package -DCMAKE_PREFIX_PATH="$prefix"
build_with_cmake subdirectory -DWEFT_FROM_SOURCE="$WEFT_SOURCE_DIR" -DWEFT_ALLOC=libc

PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name weft.pc)")
export PKG_CONFIG_PATH
libdir=$(pkg-config --variable=libdir weft)
"$CC" -std=c11 "$here/main.c" -o "$work/pc_shared" $(pkg-config --cflags --libs weft) -Wl,-rpath,"$libdir"
run "$work/pc_shared"
"$CC" -std=c11 "$here/main.c" -o "$work/pc_static" $(pkg-config --cflags weft) "$libdir/libweft.a" \
  $(pkg-config --static --libs weft | sed 's/-lweft//')
run "$work/pc_static"

strangers=$(nm -D --defined-only "$libdir/libweft.so" | awk '{ print $NF }' | grep -vE '^weft_[a-z0-9]' || true)
[ -z "$strangers" ] || { echo "the shared library also exports: $strangers"; exit 1; }
grep -rlF "$WEFT_SOURCE_DIR" "$prefix" --include='*.cmake' --include='*.pc' && { echo "installed files name the source tree"; exit 1; }
[ "$runs" = 10 ] || { echo "$runs runs, 10 expected"; exit 1; }
echo "10 programs ran"
