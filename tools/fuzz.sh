#!/usr/bin/env bash
# Runs fuzz targets, two side by side with one worker each: fuzz.sh PACKAGES [TARGET] [TIME] [TOTAL SECONDS]
# With TOTAL the time of each is cut so that all of them together take about that long.
#
# A finding fails the run. What it said is printed whole behind all else, where nobody who keeps only the end of a log loses
# it, with the input, which go test has put under testdata/fuzz, where it stays a test.
# When time is up Go's fuzzing engine now and then takes its own deadline for a failure ("context deadline exceeded",
# golang/go#75804) and has no input to show for it: that is told and let go. Anything else that fails without an input fails.
set -euo pipefail
packages=${1:-./...} target=${2:-} time=${3:-30s} total=${4:-}
side=2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Every target with its folder, and a test binary for each folder, built once.
for dir in $(go list -f '{{.Dir}}' $packages); do
  names=$(grep -hoE '^func Fuzz[A-Za-z0-9_]*' "$dir"/*_test.go 2>/dev/null | awk '{print $2}' | sort || true)
  for name in $names; do
    [ -z "$target" ] || [ "$target" = "$name" ] || continue
    echo "$dir $name" >>"$work/targets"
  done
done
[ -s "$work/targets" ] || { echo "no fuzz target ${target:-at all} in $packages" >&2; exit 1; }
count=$(wc -l <"$work/targets")
if [ -n "$total" ]; then
  each=$((total * side / count)) most=${time%s}
  time=$((each < most ? (each > 1 ? each : 1) : most))s
fi
echo "== $count fuzz targets for $time each, $side at a time"
key() { local k=${1#"$PWD"/}; echo "${k//\//_}"; } # a folder as a file's name
for dir in $(cut -d' ' -f1 "$work/targets" | uniq); do
  out="$work/$(key "$dir").test"
  (cd "$dir" && go test -c -fuzz=. -o "$out" .)
done

run() { # FOLDER TARGET
  local log binary cache rc=0
  log="$work/$(key "$1").$2.log" binary="$work/$(key "$1").test" cache="$(go env GOCACHE)/fuzz/$(cd "$1" && go list .)"
  (cd "$1" && "$binary" -test.run='^$' -test.fuzz="^$2\$" -test.fuzztime="$time" -test.fuzzminimizetime=10x -test.parallel=1 \
    -test.fuzzcachedir="$cache" >"$log" 2>&1) || rc=$?
  local input
  input=$(grep -oE 'testdata/fuzz/[A-Za-z0-9_]+/[0-9a-f]+' "$log" | tail -1 || true)
  if [ $rc -eq 0 ]; then
    echo "ok    $2  $(grep -oE 'execs: [0-9]+' "$log" | tail -1)"
  elif [ -z "$input" ] && grep -q 'context deadline exceeded' "$log" && ! grep -qE 'panic:|fatal error:|_test\.go:[0-9]+:' "$log"; then
    echo "ok    $2  (the engine ran over its own deadline)"
  else
    echo "FAIL  $2  (see below)"
    {
      echo "FAIL  $2  ($1)"
      sed 's/^/      /' "$log"
      if [ -n "$input" ]; then
        echo "      the input, $input:"
        sed 's/^/      /' "$1/$input"
        echo "      again: go test -run '$2/$(basename "$input")' ./${1#"$PWD"/}"
      fi
    } >"$log.failed"
    return 1
  fi
}

status=0
pids=()
while read -r dir name; do
  if [ "${#pids[@]}" -ge $side ]; then
    wait "${pids[0]}" || status=1
    pids=("${pids[@]:1}")
  fi
  run "$dir" "$name" &
  pids+=($!)
done <"$work/targets"
for pid in "${pids[@]}"; do wait "$pid" || status=1; done
if [ $status -ne 0 ]; then
  echo "== what failed"
  cat "$work"/*.failed
fi
exit $status
