#!/usr/bin/env bash
# Hunts crashes: unit tests, conformance suite and fuzzers over a build with sanitizers; ./panvec sanitize calls it. First it
# commits faults on purpose, each of which has to be reported: a run that sees nothing must not look like a good one.
#
#   PANVEC_SANITIZE_JAVA=java PANVEC_SANITIZE_CLASS_PATH=... run.sh [--short] [--minutes N] [--seed N] [--only PART]
#
# Parts: controls, tests, races, suite, fuzz.
set -u
set -o pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
target=$root/native-src/target
asan=$target/sanitize/address
tsan=$target/sanitize/thread
logs=$target/sanitize/logs
seed=1
minutes=30
short=no
only=all

refuse() {
  echo "panvec: $1" >&2
  echo "Usage: ./panvec sanitize [--short] [--minutes N] [--seed N] [--only PART]" >&2
  exit 2
}

while [ $# -gt 0 ]; do
  case $1 in
    --minutes | --seed | --only) [ $# -ge 2 ] || refuse "$1 needs a value" ;;
  esac
  case $1 in
    --short) short=yes ;;
    --minutes) minutes=$2 && shift ;;
    --seed) seed=$2 && shift ;;
    --only) only=$2 && shift ;;
    *) refuse "sanitize has no option $1" ;;
  esac
  shift
done
for number in "$minutes" "$seed"; do
  case $number in
    *[!0-9]* | "") refuse "--minutes and --seed are whole numbers, not \"$number\"" ;;
  esac
done
case $only in
  all | controls | tests | races | suite | fuzz) ;;
  *)
    refuse "the parts are controls, tests, races, suite and fuzz, not $only"
    ;;
esac
if [ "$(uname)" != Linux ]; then
  echo "panvec: the sanitizers run on Linux alone" >&2
  exit 2
fi

simd=
walk=false
failures=0
passed=0
began=$SECONDS

say() { echo "panvec: $*" >&2; }
runs() { [ "$only" = all ] || [ "$only" = "$1" ]; }

pass() {
  passed=$((passed + 1))
  printf '  %-42s %s\n' "$1" "$2"
}

# fail NAME TEXT LOG
fail() {
  failures=$((failures + 1))
  printf '  %-42s FAILED: %s\n' "$1" "$2"
  sed -n '1,60p' "$3"
  echo "  (the whole log is $3)"
}

build() {
  bash "$root/cmake/natives.sh" "SANITIZE=$1" "OUT=$target/sanitize/$1" "BUILD=$target/$2" \
    "PANVEC_CACHE=${PANVEC_CACHE:-$HOME/.cache/panvec}" || exit 1
}

# The report's headline in a log of ours.
report_in() {
  grep -m 1 -E '^(==[0-9]+==ERROR: (Address|Leak)Sanitizer|WARNING: ThreadSanitizer)|runtime error:' "$1"
}

# limited SECONDS COMMAND...: a program that hangs fails, and does not hold up the others.
limited() { timeout --kill-after=10 "$@"; }

# control NAME PATTERN COMMAND...: a fault on purpose; well when it is reported as PATTERN and the program neither survived it
# nor hung.
control() {
  local name=$1 pattern=$2 log=$logs/control-${1// /-}.log status
  shift 2
  "$@" > "$log" 2>&1
  status=$?
  if [ $status -ne 0 ] && [ $status -ne 124 ] && [ $status -ne 137 ] && grep -q -E "$pattern" "$log"; then
    pass "$name" "reported: $(grep -m 1 -E "$pattern" "$log" | cut -c 1-150)"
  else
    fail "$name" "a fault on purpose was not reported (exit status $status)" "$log"
  fi
}

# tests FOLDER WORDS EMPTY: the unit tests there, cases whose names hold one of the words (none: all). check.hpp marks each case
# that runs. Programs named in EMPTY may have none; numkong_test never has: it is one check, which always runs.
tests() {
  local name log status cases
  # Two at a time: most of them have one thread.
  for name in "$1"/programs/*_test*; do
    echo "$name"
  done | PANVEC_TEST_CASES=$2 prefix=$logs/$(basename "$1") xargs -P 2 -I '{}' bash -c \
    'log=$prefix-$(basename "{}"); timeout --kill-after=10 3600 "{}" > "$log.log" 2>&1; echo $? > "$log.status"'
  for name in "$1"/programs/*_test*; do
    name=$(basename "$name")
    log=$logs/$(basename "$1")-$name.log
    # Without one its shell did not come to the end either. Compared as text: nothing but a 0 is well.
    status=$(cat "${log%.log}.status" 2> /dev/null)
    cases=$(grep -c '^case: ' "$log")
    if [ "$status" != 0 ] || report_in "$log" > /dev/null; then
      fail "$name" "exit status ${status:-unknown}" "$log"
    elif [ "$cases" -gt 0 ]; then
      pass "$name" "$cases cases"
    else
      case " numkong_test $3 " in
        *" $name "*) pass "$name" "no cases" ;;
        *) fail "$name" "no case ran" "$log" ;;
      esac
    fi
  done
}

# Java as a process whose native libraries are the sanitizer's, for so many seconds. Segmentation faults stay the JVM's, which
# lives by them.
java_with_sanitizer() {
  local seconds=$1
  shift
  limited "$seconds" env LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libstdc++.so.6)" \
    ASAN_OPTIONS=handle_segv=0:handle_sigbus=0:handle_sigfpe=0:handle_sigill=0:detect_leaks=0:quarantine_size_mb=64 \
    UBSAN_OPTIONS=print_stacktrace=1 \
    "$PANVEC_SANITIZE_JAVA" --enable-native-access=ALL-UNNAMED -Xmx2g -XX:+UseSerialGC \
    "-XX:ErrorFile=$logs/hs_err_%p.log" "-Dpanvec.simd=$simd" "-Dpanvec.engine.alwaysWalk=$walk" "-Dpanvec.native.dir=$asan/META-INF/native" "-Dpanvec.seed=$seed" \
    -cp "$PANVEC_SANITIZE_CLASS_PATH" "$here/SanitizedSuite.java" "$@"
}

# suite NAME CLASS...
suite() {
  local name=$1 log=$logs/suite-${1// /-}.log status line
  shift
  java_with_sanitizer "$suite_seconds" suite "$@" > "$log" 2>&1
  status=$?
  line=$(grep -m 1 -E '^[0-9]+ tests passed' "$log")
  if [ $status -ne 0 ] || [ -z "$line" ] || report_in "$log" > /dev/null; then
    fail "$name" "exit status $status" "$log"
  else
    pass "$name" "$line"
  fi
}

# fuzz LIBRARY SECONDS LEVEL: inputs that once found something first, then others.
fuzz() {
  local name=$1_fuzz log=$logs/$1_fuzz-$3.log input=$logs/$1_fuzz-$3.input status found
  found=("$here/found/$1"/*)
  [ -f "${found[0]}" ] || found=()
  PANVEC_FUZZ_SIMD=$3 LSAN_OPTIONS="suppressions=$here/leak.supp:print_suppressions=0" limited $(($2 + 600)) "$asan/programs/$name" \
    "-seed=$seed" "-max_total_time=$2" "-current=$input" ${found[@]+"${found[@]}"} > "$log" 2>&1
  status=$?
  if [ $status -ne 0 ] || report_in "$log" > /dev/null; then
    fail "$name, $3" "exit status $status; the input is $input: PANVEC_FUZZ_SIMD=$3 $asan/programs/$name $input" "$log"
  else
    pass "$name, $3" "$(grep -m 1 " inputs, " "$log" | sed 's/^[^:]*: //')"
  fi
}

mkdir -p "$logs"
rm -f "$logs"/*
build address asan
if runs races || runs controls; then
  build thread tsan
fi
say "sanitizer builds ready after $((SECONDS - began)) s"

if runs controls; then
  echo "faults on purpose"
  heap='ERROR: AddressSanitizer: heap-buffer-overflow'
  control "heap overflow" "$heap" limited 120 "$asan/programs/sanitizer_control" overflow
  control "undefined behaviour" 'runtime error: signed integer overflow' limited 120 "$asan/programs/sanitizer_control" undefined
  control "leak" 'ERROR: LeakSanitizer: detected memory leaks' limited 120 "$asan/programs/sanitizer_control" leak
  control "race" 'WARNING: ThreadSanitizer: data race' limited 120 "$tsan/programs/sanitizer_control" race
  for library in hnswlib usearch faiss sqlitevec; do
    control "heap overflow from Java, $library" "$heap" java_with_sanitizer 300 overflow $library
  done
fi

if runs tests; then
  words=
  [ $short = no ] || words='refused|bad |hostile|thread|beside|equal|bad_|stop_ends'
  echo "unit tests, address and undefined behaviour"
  tests "$asan" "$words" ""
fi
if runs races; then
  words=
  empty=
  if [ $short = yes ]; then
    words='beside|another thread|_beside_|while'
    # They start no threads.
    empty='common_exact_scan_test common_kernels_test'
  fi
  export TSAN_OPTIONS="suppressions=$here/thread.supp:detect_deadlocks=0:history_size=7:print_suppressions=0"
  echo "unit tests, threads"
  tests "$tsan" "$words" "$empty"
fi

if runs suite; then
  echo "conformance suite in a JVM, every backend"
  # Plain kernels: what a masked load of AVX-512 reads is not seen. Small indexes are scanned; with alwaysWalk their graphs and
  # lists are walked.
  simd=baseline
  if [ $short = yes ]; then
    suite_seconds=1800
    suite "every other kind, plain kernels" kinds=even ModelTest FilterTest
    walk=true
    suite "the others, walking" kinds=odd ModelTest FilterTest
  else
    # Recall and bits of distances at every dimension are hours here, and walk the same code.
    suite_seconds=14400
    suite "suite, plain kernels" '!RecallTest' '!DistanceTest' '!FingerprintTest'
    simd=
    suite "suite" '!RecallTest' '!DistanceTest' '!FingerprintTest'
    simd=baseline
    walk=true
    suite "suite, walking" '!RecallTest' '!DistanceTest' '!FingerprintTest'
  fi
fi

if runs fuzz; then
  echo "fuzzers"
  seconds=6
  levels=baseline
  if [ $short = no ]; then
    levels="baseline auto"
    seconds=$(((minutes * 60 - (SECONDS - began)) / 8))
    [ $seconds -ge 30 ] || seconds=30
  fi
  for level in $levels; do
    for library in hnswlib usearch faiss sqlitevec; do
      fuzz $library $seconds $level
    done
  done
fi

[ $((passed + failures)) -gt 0 ] || failures=1
echo "sanitizers: $passed passed, $failures failed"
say "$((SECONDS - began)) s"
[ $failures -eq 0 ]
