# PANVEC_SANITIZE: nothing for the libraries as they are shipped; address or thread for a build that hunts crashes
# (docs/adr/0018-sanitizers.md). Everything is compiled with the sanitizer of that name, upstream too. The undefined-behaviour
# sanitizer goes with address, over our own files alone: upstream's undefined behaviour is not ours to stop at.
include_guard(GLOBAL)
set(PANVEC_SANITIZE "" CACHE STRING "Empty, address or thread")
set_property(CACHE PANVEC_SANITIZE PROPERTY STRINGS "" address thread)

if(PANVEC_SANITIZE)
  if(NOT PANVEC_SANITIZE MATCHES "^(address|thread)$")
    message(FATAL_ERROR "PANVEC_SANITIZE is address or thread, not ${PANVEC_SANITIZE}")
  endif()
  # -O1 halves the time to compile FAISS and keeps frames readable; line tables are all that a report needs.
  set(CMAKE_C_FLAGS_RELEASE "-O1 -g1 -DNDEBUG")
  set(CMAKE_CXX_FLAGS_RELEASE "-O1 -g1 -DNDEBUG")
  add_compile_options(-fsanitize=${PANVEC_SANITIZE} -fno-omit-frame-pointer -fno-optimize-sibling-calls)
  add_link_options(-fsanitize=${PANVEC_SANITIZE})
  if(PANVEC_SANITIZE STREQUAL "address")
    add_link_options(-fsanitize=undefined)
  endif()
endif()

# For targets that hold our own code.
function(panvec_undefined_behaviour target)
  if(PANVEC_SANITIZE STREQUAL "address")
    target_compile_options(${target} PRIVATE -fsanitize=undefined,float-cast-overflow -fno-sanitize-recover=all)
  endif()
endfunction()
