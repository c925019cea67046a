#!/usr/bin/env bash
# Where a microsecond of an operation goes: runs a case of the bench against Cleat, records the server with perf while it is measured,
# and prints the shares (bench/profile): profile.sh CASE, for example message/100B/100, push/one or connect/http.
#
# It needs perf, and to be root or kernel.perf_event_paranoid at 1 or less: else the kernel's frames are missing.
set -euo pipefail
cd "$(dirname "$0")/.."
name=${1:?a case of the bench: go run ./bench/peers -h lists them}
dir=$PWD/.tools/profile
mkdir -p "$dir"
go build -o "$dir/peers" ./bench/peers
# The folder is this run's own, and so the server can be told from others.
"$dir/peers" -dir "$dir" -only "$name" -servers cleat -rounds 1 -measure 5s >"$dir/out" 2>&1 &
bench=$!
trap 'kill "$bench" 2>/dev/null || true' EXIT
server=
while [ -z "$server" ]; do
  kill -0 "$bench" 2>/dev/null || { cat "$dir/out" >&2; exit 1; }
  server=$(pgrep -f "^$dir/cleat serve" | head -1 || true)
  sleep 0.1
done
sleep 1.5 # until the API is there and the clients are
perf record -q -F 1999 -e cpu-clock -g -o "$dir/data" -p "$server" -- sleep 2.5
wait "$bench" || { cat "$dir/out" >&2; exit 1; }
cpu=$(awk '$2 ~ /capacity$/ { for (i = 3; i < NF; i++) if ($i == "cpu") { print $(i + 1); exit } }' "$dir/out")
echo "$name: ${cpu:?} us of processor time each"
perf script -i "$dir/data" 2>/dev/null | go run ./bench/profile -cpu "$cpu"
