#!/usr/bin/env bash
# Installs what the end-to-end tests drive: npm packages from the lock files, and, where they are missing and apt-get can
# be used, Debian's awscli, chromium and python3-boto3. Running it again is quick.
set -euo pipefail
cd "$(dirname "$0")"

say() { printf 'e2e setup: %s\n' "$*"; }
fail() { printf 'e2e setup: %s\n' "$*" >&2; exit 1; }

for tool in go node npm; do
  command -v "$tool" >/dev/null || fail "$tool is missing: install Go and Node 20 or newer first"
done

# A folder is up to date when its packages were installed from the lock file as it is now.
install_packages() {
  local stamp="$1/node_modules/.cleat-lock"
  cmp -s "$1/package-lock.json" "$stamp" && return
  say "npm ci in $1"
  (cd "$1" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
  cp "$1/package-lock.json" "$stamp"
}
install_packages .
install_packages ../../examples/echo
install_packages ../../examples/chat
install_packages ../../examples/cdk-chat

has_boto3() {
  local python
  for python in python3 /usr/bin/python3; do
    if command -v "$python" >/dev/null && "$python" -c 'import boto3' 2>/dev/null; then return 0; fi
  done
  return 1
}

missing=()
command -v aws >/dev/null || missing+=(awscli)
command -v chromium >/dev/null || missing+=(chromium)
has_boto3 || missing+=(python3-boto3)
if [ ${#missing[@]} -gt 0 ]; then
  command -v apt-get >/dev/null || fail "install these first (there is no apt-get here): ${missing[*]}"
  as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    sudo -n true 2>/dev/null || fail "install these first (apt-get needs root): ${missing[*]}"
    as_root=(sudo -n)
  fi
  say "apt-get install ${missing[*]}"
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
say "ready"
