#!/bin/sh
# golden_case.sh MEMORY3_PARITY SHARED_DIR CASE DTYPE [FLAG...]: one case of the reference through
# memory3-parity. Exit status 77 (skipped) where the shared folder is absent.
set -u
parity=$1 shared=$2 case=$3 dtype=$4
shift 4
if [ ! -d "$shared/reference/golden" ]; then
  echo "skipped: $shared/reference/golden is absent"
  exit 77
fi
case $case in
  *tinystories656k*) model=TinyStories-656K-hf ;;
  *) model=stories260K-hf ;;
esac
exec "$parity" --model_dir="$shared/data/models/$model" \
  --case="$shared/reference/golden/$case.json" --dtype="$dtype" "$@"
