#!/usr/bin/env bash
# scripts/fuzz_cpp.sh SECONDS [TARGET ...]: the C++ fuzz targets under AddressSanitizer and UndefinedBehaviorSanitizer,
# so many seconds each. With clang libFuzzer keeps what reaches new code for the next run (build/fuzz/corpus), and the
# plain driver mutates that too; otherwise the driver mutates the seeds alone.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=$1
shift
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(xmodel isa bundle images)
compiler=()
if command -v clang++ >/dev/null; then compiler=(-DCMAKE_CXX_COMPILER=clang++); fi
cmake --preset fuzz "${compiler[@]}" >/dev/null
programs=build/fuzz/tests/cpp/fuzz
names=("${targets[@]/#/fuzz_}")
if grep -q "NERONE_HAS_LIBFUZZER:INTERNAL=1" build/fuzz/CMakeCache.txt; then names+=("${targets[@]/#/libfuzzer_}"); fi
cmake --build --preset fuzz --parallel "$(nproc)" --target "${names[@]}"
found=0
for target in "${targets[@]}"; do
  corpus=build/fuzz/corpus/$target
  mkdir -p "$corpus" build/fuzz/findings
  "$programs/fuzz_$target" --mutants 0 --write-seeds "$corpus"
  if [ -x "$programs/libfuzzer_$target" ]; then
    echo "libfuzzer_$target:"
    "$programs/libfuzzer_$target" -max_total_time=$((seconds / 2)) -timeout=60 -rss_limit_mb=4096 -print_final_stats=1 \
      -artifact_prefix=build/fuzz/findings/ -close_fd_mask=0 "$corpus" 2>&1 | grep -E "^stat::|ERROR|SUMMARY|Test unit|differ" || true
    seconds_left=$((seconds / 2))
  else
    seconds_left=$seconds
  fi
  echo "fuzz_$target:"
  (cd build/fuzz/findings && "../../../$programs/fuzz_$target" --seconds "$seconds_left" --mutants 100000000 \
    --seed "${SEED:-1}" ../corpus/"$target"/*) || found=1
done
[ -z "$(find build/fuzz/findings -name 'crash-*' -o -name 'timeout-*' -o -name 'oom-*' | head -1)" ] || found=1
exit $found
