#!/usr/bin/env bash
# usage: check_headers.sh [INCLUDE_DIR]
# Each public header alone, and the programs of this folder, as strict C11 and as C++17 with every compiler at hand; what
# must not compile; what is declared (declarations.py). ctest: timeout=300
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
include=${1:-$here/../../include}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
warn=(-Wall -Wextra -Wconversion -Wshadow -Werror "-I$include")
compilations=0 failures=0
fail() {
  echo "FAILED: $*"
  failures=$((failures + 1))
}
compiles() { # what, command…
  local what=$1
  shift
  compilations=$((compilations + 1))
  if ! "$@" >"$work/out" 2>&1; then
    fail "$what: $*"
    head -20 "$work/out"
  fi
}

c_compilers=() cpp_compilers=() seen=
for pair in "${CC:-cc} ${CXX:-c++}" "gcc g++" "clang clang++"; do
  read -r c cpp <<<"$pair"
  # cc is usually one of the other two
  for kind in c cpp; do
    declare -n list=${kind}_compilers compiler=$kind
    command -v "$compiler" >/dev/null || continue
    path=$(readlink -f "$(command -v "$compiler")")
    [[ "$seen " == *" $kind:$path "* ]] || list+=("$compiler")
    seen+=" $kind:$path"
  done
done
[ ${#c_compilers[@]} -gt 0 ] && [ ${#cpp_compilers[@]} -gt 0 ] || fail "no compiler"

headers=("$include"/weft.h "$include"/weft/*.h)
c11=(-std=c11 -pedantic-errors "${warn[@]}")
cpp17=(-x c++ -std=c++17 -pedantic-errors "${warn[@]}")
for header in "${headers[@]}"; do
  name=${header#"$include"/}
  # twice, so that its guard is tried too
  printf '#include <%s>\n#include <%s>\nint weft_header_test;\n' "$name" "$name" >"$work/alone.c"
  for cc in "${c_compilers[@]}"; do compiles "$name alone" "$cc" "${c11[@]}" -fsyntax-only "$work/alone.c"; done
  for cc in "${cpp_compilers[@]}"; do compiles "$name alone" "$cc" "${cpp17[@]}" -fsyntax-only "$work/alone.c"; done
done

# with optimisation, because some warnings come from there only
for source in "$here"/*.c; do
  name=${source##*/}
  for cc in "${c_compilers[@]}"; do
    compiles "$name" "$cc" "${c11[@]}" -O2 -c "$source" -o "$work/c_${cc##*/}.o"
  done
  for cc in "${cpp_compilers[@]}"; do
    compiles "$name" "$cc" "${cpp17[@]}" -O2 -c "$source" -o "$work/cpp_${cc##*/}.o"
  done
done
for cc in "${c_compilers[@]}"; do
  compiles calls.c "$cc" "${c11[@]}" -O2 "$here/calls.c" -o "$work/calls"
  compiles "calls.c of $cc, run" "$work/calls"
done
for cc in "${cpp_compilers[@]}"; do
  compiles calls.c "$cc" "${cpp17[@]}" -O2 "$here/calls.c" -o "$work/calls"
  compiles "calls.c of $cc, run" "$work/calls"
done

# what must not compile, and with -DRIGHT does; the first line has a word of the diagnostic
for source in "$here"/must_fail/*.c; do
  name=must_fail/${source##*/}
  word=$(sed -n '1s,^/\* must not compile: \(.*\) \*/$,\1,p' "$source")
  [ -n "$word" ] || fail "$name: its first line does not say which diagnostic"
  for cc in "${c_compilers[@]}"; do
    compiles "$name, put right" "$cc" "${c11[@]}" -DRIGHT -c "$source" -o "$work/right.o"
    compilations=$((compilations + 1))
    if LC_ALL=C "$cc" "${c11[@]}" -c "$source" -o "$work/wrong.o" >"$work/out" 2>&1; then
      fail "$name compiles with $cc"
    elif ! grep -qF -- "$word" "$work/out"; then
      fail "$name with $cc: not '$word' but"
      head -5 "$work/out"
    fi
  done
done

python3 "$here/declarations.py" "$include" || fail "declarations"
# the checker itself: a function without WEFT_API, one without a comment, one without its twin
mkdir -p "$work/bad/weft"
echo '#include <weft/bad.h>' >"$work/bad/weft.h"
cat >"$work/bad/weft/bad.h" <<'H'
/* weft/bad.h: three mistakes. */
/* weft_a: hidden. */
int weft_a(void);
WEFT_API int weft_b(void);
/* weft_c [S]: no twin. */
WEFT_API WEFT_NODISCARD int weft_c(int n);
H
found=$(python3 "$here/declarations.py" "$work/bad" | grep -c '^error: ')
[ "$found" = 3 ] || fail "declarations.py finds $found of 3 mistakes"

echo "${#headers[@]} headers, ${#c_compilers[@]} C and ${#cpp_compilers[@]} C++ compilers, $compilations compilations: $failures failures"
[ "$failures" = 0 ]
