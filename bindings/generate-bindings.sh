#!/bin/sh
# Generates the Java bindings of one library with jextract, from the headers in native-src. The result is committed.
#
#   bindings/generate-bindings.sh FOLDER LIBRARY CLASS          generate, and record what was compiled
#   bindings/generate-bindings.sh --check FOLDER                fail when an input differs from what was recorded
#
# FOLDER is a folder of bindings/, LIBRARY the loader's name of the library, CLASS the generated class.
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
}

record() {
  # shellcheck disable=SC2046 # our own file names have no spaces
  (cd "$root" && sha256 $(inputs "$1"))
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

[ $# -eq 3 ] || fail "usage: generate-bindings.sh FOLDER LIBRARY CLASS"
folder=$1
library=$2
class=$3

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

"$jextract" \
  -I "$root/native-src/common" -I "$root/native-src/$folder" -I "$clang" \
  --target-package "io.github.panvec.bindings.$library" --header-class-name "$class" \
  "@$root/bindings/$folder/includes.txt" \
  --output "$work/out" "$root/bindings/$folder/headers/$library.h"

generated=$work/out/io/github/panvec/bindings/$library
[ -f "$generated/$class.java" ] || fail "jextract wrote no $class.java"

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
    /^        } catch \(Throwable ex\$\) \{$/ {
      print "        } catch (RuntimeException | Error ex$) {"
      print "           throw ex$;"
      caught++
    }
    /"should not reach here"/ { unreachable++ }
    { print }
    END { print replaced + 0, caught + 0, unreachable + 0 > "/dev/stderr" }
  ' "$file" >"$work/patched" 2>"$work/counts"
  read -r replaced caught unreachable <"$work/counts"
  [ "$caught" = "$unreachable" ] ||
    fail "let the exceptions of $caught calls through of $unreachable in $file: is this another jextract?"
  if [ "$(basename "$file")" = "$class.java" ]; then
    [ "$replaced" = 1 ] ||
      fail "found $replaced definitions of SYMBOL_LOOKUP in $class.java, not 1: is this another jextract?"
    [ "$caught" -gt 0 ] || fail "found no call in $class.java: is this another jextract?"
  fi
  cp "$work/patched" "$file"
done

sources=$root/bindings/$folder/src/main/java/io/github/panvec/bindings/$library
mkdir -p "$sources"
find "$sources" -name "*.java" ! -name package-info.java -exec rm {} +
cp "$generated"/*.java "$sources"/
record "$folder" >"$root/bindings/$folder/headers.sha256"
echo "generated $(ls "$generated" | wc -l | tr -d ' ') file(s) in bindings/$folder"
