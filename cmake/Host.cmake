# What this machine has for the native build.
#
#   panvec_host_simd(<variable>)  sets <variable> to the best SIMD level above the plain one, avx2 (x86-64-v3) or avx512
#                                 (x86-64-v4), that this machine runs, or to nothing
#   panvec_openblas(<variable>)   sets <variable> to a static OpenBLAS without threads; stops when there is none. macOS needs
#                                 none. PANVEC_OPENBLAS names another file
include_guard(GLOBAL)

# The psABI's names of the features, as Linux and as macOS spell them. Those of a level below are needed as well.
set(PANVEC_FEATURES_avx2_linux avx2 bmi1 bmi2 f16c fma abm movbe popcnt)
set(PANVEC_FEATURES_avx512_linux avx512f avx512bw avx512cd avx512dq avx512vl)
set(PANVEC_FEATURES_avx2_macos AVX2 BMI1 BMI2 F16C FMA LZCNT MOVBE POPCNT)
set(PANVEC_FEATURES_avx512_macos AVX512F AVX512BW AVX512CD AVX512DQ AVX512VL)

function(panvec_host_simd variable)
  set(best "")
  set(features "")
  if(CMAKE_HOST_APPLE)
    set(os macos)
    execute_process(COMMAND sysctl -n machdep.cpu.features machdep.cpu.leaf7_features machdep.cpu.extfeatures
                    OUTPUT_VARIABLE features ERROR_QUIET)
  elseif(EXISTS /proc/cpuinfo)
    set(os linux)
    # Not file(STRINGS), to which files of /proc are empty.
    file(READ /proc/cpuinfo text LIMIT 16384)
    if(text MATCHES "\nflags[ \t]*:([^\n]*)")
      set(features "${CMAKE_MATCH_1}")
    endif()
  endif()
  string(REGEX MATCHALL "[^ \t\n]+" features "${features}")
  foreach(level IN ITEMS avx2 avx512)
    foreach(feature IN LISTS PANVEC_FEATURES_${level}_${os})
      if(NOT feature IN_LIST features)
        set(${variable} "${best}" PARENT_SCOPE)
        return()
      endif()
    endforeach()
    set(best ${level})
  endforeach()
  set(${variable} "${best}" PARENT_SCOPE)
endfunction()

function(panvec_openblas variable)
  if(PANVEC_OPENBLAS)
    get_filename_component(file "${PANVEC_OPENBLAS}" ABSOLUTE)
    if(NOT EXISTS "${file}")
      panvec_stop("PANVEC_OPENBLAS=${PANVEC_OPENBLAS} does not exist")
    endif()
  else()
    cmake_host_system_information(RESULT machine QUERY OS_PLATFORM)
    file(GLOB file "/usr/lib/${machine}-linux-gnu/openblas-serial/libopenblas.a")
    if(NOT file)
      string(CONCAT text "FAISS needs a static OpenBLAS without threads: apt-get install libopenblas-serial-dev on Debian "
             "and Ubuntu; elsewhere name a position-independent libopenblas.a by PANVEC_OPENBLAS=FILE")
      panvec_stop("${text}")
    endif()
  endif()
  set(${variable} "${file}" PARENT_SCOPE)
endfunction()
