// What every C entry point of a Panvec library shares: failures as exceptions inside, as a status and a text outside.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <initializer_list>
#include <new>
#include <string>
#include <utility>

#include "panvec_status.h"

namespace panvec {

// A failure with its status; the text is complete as it stands, for the user to read.
class StatusError : public std::exception {
 public:
  StatusError(std::int32_t status, std::string message) : status_(status), message_(std::move(message)) {}
  std::int32_t status() const noexcept { return status_; }
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  std::int32_t status_;
  std::string message_;
};

[[noreturn]] inline void fail(std::int32_t status, std::string message) {
  throw StatusError(status, std::move(message));
}

// A pointer that a caller gave, by its name in the header.
struct Argument {
  const void* pointer;
  const char* name;
};

// Refuses NULL for any of them, naming it: a caller's mistake is not to end the process.
inline void require_pointers(std::initializer_list<Argument> arguments) {
  for (const Argument& argument : arguments) {
    if (argument.pointer == nullptr) fail(PANVEC_INVALID_ARGUMENT, std::string(argument.name) + " is NULL");
  }
}

// The same for an array of so many elements: of none it may be NULL.
inline void require_array(std::int64_t count, Argument array) {
  if (count > 0) require_pointers({array});
}

// Writes a text into the caller's buffer, cut to fit without splitting a UTF-8 character.
inline void write_text(const char* text, char* buffer, std::int64_t capacity) noexcept {
  if (buffer == nullptr || capacity <= 0) return;
  std::size_t length = std::strlen(text);
  if (length >= static_cast<std::size_t>(capacity)) {
    length = static_cast<std::size_t>(capacity) - 1;
    while (length > 0 && (static_cast<unsigned char>(text[length]) & 0xC0) == 0x80) --length;
  }
  std::memcpy(buffer, text, length);
  buffer[length] = '\0';
}

// Runs the body of an entry point; whatever it throws becomes a status and a text.
template <typename Body>
std::int32_t guarded(char* error, std::int32_t error_capacity, Body&& body) noexcept {
  try {
    std::forward<Body>(body)();
    return PANVEC_OK;
  } catch (const StatusError& failure) {
    write_text(failure.what(), error, error_capacity);
    return failure.status();
  } catch (const std::bad_alloc&) {
    write_text("out of native memory", error, error_capacity);
    return PANVEC_OUT_OF_MEMORY;
  } catch (const std::exception& failure) {
    write_text(failure.what(), error, error_capacity);
    return PANVEC_NATIVE;
  } catch (...) {
    write_text("unknown native exception", error, error_capacity);
    return PANVEC_NATIVE;
  }
}

}  // namespace panvec
