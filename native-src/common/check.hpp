// The little that the C++ unit tests need: checks that NDEBUG cannot switch off, and named cases.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string>

namespace panvec::check {

[[noreturn]] inline void failed(const char* file, int line, const std::string& what) {
  std::fprintf(stderr, "%s:%d: %s\n", file, line, what.c_str());
  std::exit(1);
}

inline void that(bool condition, const char* text, const char* file, int line) {
  if (!condition) failed(file, line, std::string("check failed: ") + text);
}

template <typename Expected, typename Actual>
void equal(const Expected& expected, const Actual& actual, const char* text, const char* file, int line) {
  if (expected == actual) return;
  std::ostringstream message;
  message.precision(17);
  message << text << ": expected " << expected << ", got " << actual;
  failed(file, line, message.str());
}

// PANVEC_TEST_CASES="beside|thread" runs only cases whose names hold one of these words.
inline bool is_chosen(const std::string& name) {
  const char* words = std::getenv("PANVEC_TEST_CASES");
  if (words == nullptr || *words == '\0') return true;
  std::istringstream stream(words);
  for (std::string word; std::getline(stream, word, '|');) {
    if (name.find(word) != std::string::npos) return true;
  }
  return false;
}

// The mark tells cases from what else a program prints: sanitizers/run.sh counts them.
template <typename Case>
void run(const char* name, Case&& test_case) {
  if (!is_chosen(name)) return;
  std::printf("case: %s\n", name);
  std::fflush(stdout);
  test_case();
}

}  // namespace panvec::check

// Macros, because only they know the line and the text of the check.
#define CHECK(condition) panvec::check::that(static_cast<bool>(condition), #condition, __FILE__, __LINE__)
#define CHECK_EQUAL(expected, actual) \
  panvec::check::equal((expected), (actual), #actual, __FILE__, __LINE__)
