#!/usr/bin/env bash
# Runs fuzz targets one after the other: fuzz.sh PACKAGES [TARGET] [TIME]
set -euo pipefail
packages=${1:-./internal/...} target=${2:-} time=${3:-30s}
status=0
for dir in $(go list -f '{{.Dir}}' $packages); do
  for name in $(grep -hoE '^func Fuzz[A-Za-z0-9_]*' "$dir"/*_test.go 2>/dev/null | awk '{print $2}'); do
    [ -z "$target" ] || [ "$target" = "$name" ] || continue
    echo "== $name ($dir) for $time"
    (cd "$dir" && go test -run '^$' -fuzz "^$name\$" -fuzztime "$time" -fuzzminimizetime 10x .) || status=1
  done
done
exit $status
