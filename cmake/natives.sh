#!/usr/bin/env bash
# Runs natives.cmake: natives.sh OUT=folder [TESTS=ON] [BUILD=folder] [PANVEC_CACHE=folder] ...
# A missing tool is one plain line; what CMake itself says about our own stop is left out. Exit status 0 or 1.
set -u
set -o pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

remedy="apt-get install cmake on Debian and Ubuntu, brew install cmake on macOS"
if ! command -v cmake >/dev/null 2>&1; then
  echo "panvec: cmake is not on the path: $remedy" >&2
  exit 1
fi
version=$(cmake --version | sed -n 's/^cmake version \([0-9.]*\).*/\1/p')
major=${version%%.*}
minor=${version#*.}
minor=${minor%%.*}
if [ "$major" -lt 3 ] || { [ "$major" -eq 3 ] && [ "$minor" -lt 24 ]; }; then
  echo "panvec: cmake $version is too old, 3.24 is needed: $remedy, or pip install cmake" >&2
  exit 1
fi

options=(-Wno-dev)
for argument in "$@"; do
  options[${#options[@]}]="-D$argument"
done
for variable in PANVEC_HNSWLIB_SOURCE PANVEC_SQLITE_SOURCE PANVEC_SQLITEVEC_SOURCE PANVEC_FAISS_SOURCE \
  PANVEC_USEARCH_SOURCE PANVEC_OPENBLAS; do
  if [ -n "${!variable:-}" ]; then
    options[${#options[@]}]="-D$variable=${!variable}"
  fi
done

# CMake 3.29 could exit quietly; older ones only end a script with an error of theirs, which would follow our line.
without_our_stop() {
  local line held=
  while IFS= read -r line || [ -n "$line" ]; do
    if [ -n "$held" ] && [ "$line" = "  panvec stopped" ]; then
      cat > /dev/null
      return 0
    fi
    [ -z "$held" ] || printf '%s\n' "$held"
    held=
    case $line in
      "CMake Error at "*"(message):") held=$line ;;
      *) printf '%s\n' "$line" ;;
    esac
  done
  [ -z "$held" ] || printf '%s\n' "$held"
}

{
  cmake "${options[@]}" -P "$here/natives.cmake" 2>&1 1>&3 | without_our_stop >&2
} 3>&1
if [ $? -ne 0 ]; then
  exit 1
fi
