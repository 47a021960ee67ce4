#!/usr/bin/env bash
# Each public header compiles alone, and twice, as strict C11 and as C++17, with every compiler that is here; weft.h
# includes them all. Private headers of runtime/ compile alone too.
# ctest: timeout=240
set -euo pipefail
source_dir=${WEFT_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
warnings="-Wall -Wextra -Wconversion -Wundef -Wpedantic -Werror -fsyntax-only"
checked=0 failed=0

# try LANGUAGE HEADER COMMAND...: compiles a file that includes HEADER twice
try() {
  local extension=$1 header=$2
  shift 2
  local file=$work/${header//\//_}.$extension
  printf '#include "%s"\n#include "%s"\nint weft_header_test_(void);\nint weft_header_test_(void) { return 0; }\n' "$header" "$header" >"$file"
  checked=$((checked + 1))
  if ! "$@" "$file" 2>"$work/log"; then
    echo "FAILED $header: $*" >&2
    head -20 "$work/log" >&2
    failed=$((failed + 1))
  fi
}

compilers=()
for pair in "${CC:-gcc} ${CXX:-g++}" "gcc g++" "clang clang++"; do
  read -r c cxx <<<"$pair"
  command -v "$c" >/dev/null && command -v "$cxx" >/dev/null || continue
  [[ " ${compilers[*]-} " == *" $(basename "$c"):"* ]] || compilers+=("$(basename "$c"):$c:$cxx")
done

cd "$source_dir/include"
mapfile -t public < <(find . -name '*.h' | sed 's|^\./||' | sort)
for entry in "${compilers[@]}"; do
  IFS=: read -r _ c cxx <<<"$entry"
  for header in "${public[@]}"; do
    try c "$header" "$c" -std=c11 -pedantic-errors -Wshadow $warnings -I.
    try cpp "$header" "$cxx" -std=c++17 -pedantic-errors $warnings -I.
  done
done
for header in "${public[@]}"; do
  [ "$header" = weft.h ] || grep -q "#include <$header>" weft.h || {
    echo "FAILED weft.h does not include <$header>" >&2
    failed=$((failed + 1))
  }
done

cd "$source_dir/runtime"
while IFS= read -r header; do
  try c "$header" "${CC:-gcc}" -std=gnu11 -Wall -Wextra -Werror -fsyntax-only -D_GNU_SOURCE -I. -I../include
done < <(find . -name '*.h' | sed 's|^\./||' | sort)

echo "${#public[@]} public headers, ${#compilers[@]} compilers, $checked compilations, $failed failed"
[ "$checked" -gt "${#public[@]}" ] && [ "$failed" = 0 ]
