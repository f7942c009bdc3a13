# Prints the folder that holds the pinned files of an upstream, after fetching them if the cache has none:
#
#   cmake -DNAME=faiss -P bindings/upstream-folder.cmake
#
# Bindings are made of the pinned files alone, so no PANVEC_<NAME>_SOURCE is heeded.
cmake_minimum_required(VERSION 3.24)
include("${CMAKE_CURRENT_LIST_DIR}/../cmake/Acquire.cmake")
panvec_acquire("${NAME}" folder)
execute_process(COMMAND "${CMAKE_COMMAND}" -E echo "${folder}")
