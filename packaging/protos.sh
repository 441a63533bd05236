#!/usr/bin/env bash
# Generate the stubs of protos/skep/v1, beside their .proto files.
#   protos.sh            write them
#   protos.sh --check    exit 1 unless the committed ones are what would be written
set -euo pipefail
cd "$(dirname "$0")/.."

shopt -s nullglob
sources=(protos/skep/v1/*.proto)
target=.
if [ "${1:-}" = --check ]; then
    target=$(mktemp -d)
    trap 'rm -rf "$target"' EXIT
fi

if [ ${#sources[@]} -gt 0 ]; then
    .venv/bin/python -m grpc_tools.protoc -I. \
        --python_out="$target" --pyi_out="$target" --grpc_python_out="$target" "${sources[@]}"
fi
[ "$target" = . ] && exit 0

stale=0
for stub in protos/skep/v1/*_pb2*.py*; do # a stub whose source is gone
    [ -e "$target/$stub" ] || { echo "$stub has no .proto any more" >&2; stale=1; }
done
for stub in "$target"/protos/skep/v1/*_pb2*.py*; do
    committed=${stub#"$target"/}
    cmp -s "$stub" "$committed" || { echo "$committed is not fresh: run make protos" >&2; stale=1; }
done
exit $stale
