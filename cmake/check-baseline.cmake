# Fails when an instruction of these files is beyond the baseline of x86-64: a 256-bit or 512-bit register, the encoding of AVX,
# counting and shifting of later levels. (tzcnt is left out: on old CPUs it runs as bsf, and compilers know.)
#   cmake -DARCHIVE=file.a -DOBJECTS=a.o;b.o -DOBJDUMP=objdump -P check-baseline.cmake
execute_process(COMMAND "${OBJDUMP}" -d --no-show-raw-insn "${ARCHIVE}" ${OBJECTS}
                COMMAND grep -E -m 3
                        "%[yz]mm[0-9]|[[:space:]](v[a-z0-9]+ .*%xmm|popcnt|lzcnt|sarx|shlx|shrx|mulx|andn )"
                RESULTS_VARIABLE status OUTPUT_VARIABLE found ERROR_VARIABLE problem)
list(GET status 1 grep)
if(grep EQUAL 0)
  message(FATAL_ERROR "${ARCHIVE} or ${OBJECTS} is not for every CPU:\n${found}")
elseif(NOT grep EQUAL 1 OR NOT status STREQUAL "0;1")
  message(FATAL_ERROR "${OBJDUMP} failed: ${status} ${problem}")
endif()
