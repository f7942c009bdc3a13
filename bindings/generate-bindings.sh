#!/bin/sh
# Generates the Java bindings of one library with jextract: of our shim from the headers in native-src, and, where upstream
# has a C API of its own, of that from upstream's headers into a second class. The result is committed.
#
#   bindings/generate-bindings.sh FOLDER LIBRARY CLASS [UPSTREAM_CLASS]   generate, and record what was compiled
#   bindings/generate-bindings.sh --check FOLDER                          fail when an input differs from what was recorded
#
# FOLDER is a folder of bindings/ and, for UPSTREAM_CLASS, the name in cmake/upstream.json; LIBRARY is the loader's name of
# the library, CLASS and UPSTREAM_CLASS are generated, from headers/LIBRARY.h with includes.txt and from headers/upstream.h
# with includes-upstream.txt.
#
# Upstream's headers are those of the pin, from the cache or fetched (cmake/Acquire.cmake). What is recorded of them, and
# checked by every build, is the pin itself, so that a check needs neither them nor a network.
#
# Needs jextract at its commit 0614097 (11 December 2024): later ones emit calls that need Java 23. Taken from $JEXTRACT,
# else from the path. Clang's own headers (stddef.h and so on) come from $PANVEC_CLANG_INCLUDE, clang, llvm-config or
# Debian's folder.
set -eu
LC_ALL=C
export LC_ALL

root=$(cd "$(dirname "$0")/.." && pwd)

fail() {
  echo "generate-bindings: $*" >&2
  exit 1
}

sha256() {
  if command -v sha256sum >/dev/null 2>&1; then
    sha256sum "$@"
  else
    shasum -a 256 "$@"
  fi
}

# The inputs that decide the generated sources, relative to the root of the repository.
inputs() {
  echo "native-src/common/panvec_status.h"
  (cd "$root" && ls native-src/"$1"/panvec_*.h bindings/"$1"/headers/*.h)
  echo "bindings/$1/includes.txt"
  if [ -f "$root/bindings/$1/includes-upstream.txt" ]; then
    echo "bindings/$1/includes-upstream.txt"
  fi
}

# The hash of the pinned tree of the upstream $1.
pin() {
  tree=$(awk -v begin="    \"$1\": {" '
    $0 == begin { inside = 1 }
    $0 == "    }" || $0 == "    }," { inside = 0 }
    inside && $1 == "\"tree\":" { gsub(/[",]/, "", $2); print $2 }
  ' "$root/cmake/upstream.json")
  case $tree in
    "" | *[!0-9a-f]*) fail "cmake/upstream.json has no tree hash for \"$1\"" ;;
  esac
  echo "$tree"
}

record() {
  # shellcheck disable=SC2046 # our own file names have no spaces
  (cd "$root" && sha256 $(inputs "$1"))
  if [ -f "$root/bindings/$1/includes-upstream.txt" ]; then
    tree=$(pin "$1")
    echo "$tree  $1 in cmake/upstream.json"
  fi
}

if [ "${1:-}" = "--check" ]; then
  [ $# -eq 2 ] || fail "usage: generate-bindings.sh --check FOLDER"
  recorded="$root/bindings/$2/headers.sha256"
  [ -f "$recorded" ] || fail "bindings/$2/headers.sha256 is missing: run bindings/$2/generate.sh"
  if ! difference=$(record "$2" | diff "$recorded" -); then
    fail "the bindings in bindings/$2 were generated from other headers. Run bindings/$2/generate.sh and commit the
result.
$difference"
  fi
  exit 0
fi

[ $# -eq 3 ] || [ $# -eq 4 ] || fail "usage: generate-bindings.sh FOLDER LIBRARY CLASS [UPSTREAM_CLASS]"
folder=$1
library=$2
class=$3
upstream_class=${4:-}

jextract=${JEXTRACT:-$(command -v jextract || true)}
[ -n "$jextract" ] || fail "no jextract: put it on the path, or set JEXTRACT to its program"

clang_include() {
  if [ -n "${PANVEC_CLANG_INCLUDE:-}" ]; then
    echo "$PANVEC_CLANG_INCLUDE"
    return
  fi
  for clang in clang clang-16; do
    if command -v "$clang" >/dev/null 2>&1; then
      echo "$("$clang" -print-resource-dir)/include"
      return
    fi
  done
  for config in llvm-config-16 llvm-config; do
    if command -v "$config" >/dev/null 2>&1; then
      version=$("$config" --version)
      for resources in "$("$config" --libdir)/clang/${version%%.*}" "$("$config" --libdir)/clang/$version"; do
        if [ -d "$resources/include" ]; then
          echo "$resources/include"
          return
        fi
      done
    fi
  done
  echo /usr/lib/llvm-16/lib/clang/16/include
}
clang=$(clang_include)
[ -f "$clang/stddef.h" ] || fail "no clang headers in $clang: install libclang-common-16-dev, or set \
PANVEC_CLANG_INCLUDE to the folder of stddef.h"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# jextract reads its compiler's options from this file. C23's meaning of f(), no arguments, is what upstream's headers mean
# by it; in C17 it means any arguments.
echo "-std=c2x" >"$work/compile_flags.txt"

generated=$work/out/io/github/panvec/bindings/$library

# generate CLASS HEADER INCLUDES INCLUDE_FOLDER...
generate() {
  generated_class=$1
  header=$root/bindings/$folder/headers/$2
  includes=$root/bindings/$folder/$3
  shift 3
  for include; do
    shift
    set -- "$@" -I "$include"
  done
  (cd "$work" && "$jextract" "$@" -I "$clang" \
    --target-package "io.github.panvec.bindings.$library" --header-class-name "$generated_class" \
    "@$includes" --output "$work/out" "$header") >"$work/said" 2>&1 || {
    cat "$work/said" >&2
    fail "jextract failed"
  }
  # It mentions every type that Java has no layout for, those of pointers to which nothing is known above all; only what was
  # asked for matters.
  grep -v ": warning: Skipping" "$work/said" >&2 || true
  [ -f "$generated/$generated_class.java" ] || fail "jextract wrote no $generated_class.java"
  sed -n 's/^--include-function //p' "$includes" >"$work/functions"
  while read -r function; do
    grep -q "MemorySegment $function\$address()" "$generated/$generated_class.java" ||
      fail "jextract left out $function, which ${includes#"$root"/} asks for"
  done <"$work/functions"
}

generate "$class" "$library.h" includes.txt "$root/native-src/common" "$root/native-src/$folder"
if [ -n "$upstream_class" ]; then
  upstream=$(cmake -DNAME="$folder" -P "$root/bindings/upstream-folder.cmake") || fail "no headers of $folder"
  generate "$upstream_class" upstream.h includes-upstream.txt "$upstream"
fi

# Two changes. Symbols come from our loader instead of the class loader's libraries: one line. And what a call throws is
# passed on as it is (IllegalStateException for a closed arena, WrongThreadException for one of another thread): jextract
# would make an AssertionError of it.
for file in "$generated"/*.java; do
  awk -v library="$library" '
    /^    static final SymbolLookup SYMBOL_LOOKUP = / {
      lookup = "io.github.panvec.loader.NativeLibrary.lookup(\"" library "\")"
      print "    static final SymbolLookup SYMBOL_LOOKUP = " lookup ";"
      replaced++
      skipping = 1
    }
    skipping { if (/;[[:space:]]*$/) skipping = 0; next }
    /^ +} catch \(Throwable ex\$\) \{$/ {
      indent = $0
      sub(/}.*/, "", indent)
      print indent "} catch (RuntimeException | Error ex$) {"
      print indent "   throw ex$;"
      caught++
    }
    /"should not reach here"/ { unreachable++ }
    { print }
    END { print replaced + 0, caught + 0, unreachable + 0 > "/dev/stderr" }
  ' "$file" >"$work/patched" 2>"$work/counts"
  read -r replaced caught unreachable <"$work/counts"
  [ "$caught" = "$unreachable" ] ||
    fail "let the exceptions of $caught calls through of $unreachable in $file: is this another jextract?"
  name=$(basename "$file")
  case $name in
    "$class.java" | "$upstream_class.java")
      [ "$replaced" = 1 ] || fail "found $replaced definitions of SYMBOL_LOOKUP in $name, not 1: is this another jextract?"
      [ "$caught" -gt 0 ] || fail "found no call in $name: is this another jextract?"
      ;;
  esac
  cp "$work/patched" "$file"
done

sources=$root/bindings/$folder/src/main/java/io/github/panvec/bindings/$library
mkdir -p "$sources"
find "$sources" -name "*.java" ! -name package-info.java -exec rm {} +
cp "$generated"/*.java "$sources"/
record "$folder" >"$root/bindings/$folder/headers.sha256"
echo "generated $(ls "$generated" | wc -l | tr -d ' ') file(s) in bindings/$folder"
