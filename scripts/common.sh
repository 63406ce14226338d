# Sourced by the scripts beside it: where the repository is, and how much to do at once.
# Goes to the repository; relative paths that a user gave belong to M3_CALLER_DIR.

M3_CALLER_DIR="$PWD"
M3_ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$M3_ROOT"

die() {
  echo "$(basename "$0"): $*" >&2
  exit 1
}

# One job per core, but no more than one per GiB of memory: files that include gRPC need about that.
job_count() {
  local cores gib
  cores="$(nproc)"
  gib="$(awk '/^MemAvailable:/ {print int($2 / 1048576)}' /proc/meminfo)"
  ((gib >= 1)) || gib=1
  echo $((cores < gib ? cores : gib))
}

# Files of our own C++ code, one per line, sorted.
cxx_files() {
  local folders=() folder
  for folder in common engine retrieval server tools tests bench; do
    [[ ! -d $folder ]] || folders+=("$folder")
  done
  find "${folders[@]}" -name '*.cc' -o -name '*.h' -o -name '*.cu' -o -name '*.cuh' | sort
}
