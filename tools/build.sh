# Sourced by the tools: where builds live, how one is configured and built.
#   WEFT_BUILD_ROOT   folder of the build trees (default: build/ in the source tree)
#   WEFT_JOBS         parallel jobs (default: the processors this process may use)
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build_root=${WEFT_BUILD_ROOT:-$root/build}
jobs=${WEFT_JOBS:-$(nproc)}

say() { printf '%s\n' "$*"; }
die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

build_dir() { printf '%s/%s' "$build_root" "$1"; }

# weft_build PRESET [target...]: configures once, builds, prints the log only where something failed.
weft_build() {
  local preset=$1 dir log
  shift
  dir=$(build_dir "$preset")
  mkdir -p "$dir"
  log=$dir/tools.log
  if [ ! -f "$dir/build.ninja" ] || [ "$root/CMakePresets.json" -nt "$dir/CMakeCache.txt" ]; then
    (cd "$root" && cmake --preset "$preset" -B "$dir") >"$log" 2>&1 </dev/null || {
      tail -40 "$log" >&2
      die "cmake could not configure the preset $preset"
    }
  fi
  ninja -C "$dir" -j "$jobs" "$@" >"$log" 2>&1 </dev/null || {
    grep -E -A6 '(error|warning):|undefined reference|multiple definition|^ninja: error' "$log" | head -60 >&2 || tail -40 "$log" >&2
    die "the build of preset $preset failed (whole log: $log)"
  }
}
