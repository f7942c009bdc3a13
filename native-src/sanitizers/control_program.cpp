// sanitizer_control overflow|undefined|leak|race: commits one fault. A sanitizer that sees it ends the program with a report;
// one that does not lets it exit with 0.
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <limits>

#include "control.hpp"

int main(int count, char** arguments) {
  const char* fault = count > 1 ? arguments[1] : "";
  std::int32_t result = 0;
  if (std::strcmp(fault, "overflow") == 0) {
    result = panvec_control_overflow(16);
  } else if (std::strcmp(fault, "undefined") == 0) {
    result = panvec_control_undefined(std::numeric_limits<std::int32_t>::max());
  } else if (std::strcmp(fault, "leak") == 0) {
    result = panvec_control_leak(1000);
  } else if (std::strcmp(fault, "race") == 0) {
    result = panvec_control_race(1000);
  } else {
    std::fprintf(stderr, "sanitizer_control overflow|undefined|leak|race\n");
    return 2;
  }
  std::printf("%s: nobody saw it (%d)\n", fault, static_cast<int>(result));
  return 0;
}
