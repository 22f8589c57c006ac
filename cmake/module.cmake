# A room of the house: src/<name> becomes the static library tanhui_<name>. ARROWS are the rooms it may include from; the test
# `arrows` holds the #include lines against them. LIBS are libraries from outside. Every *_test.cc beside the code becomes one
# test program <name>_test; every <part>_fuzz.cc one fuzz target <room>_<part>_fuzz of the fuzz preset.

add_library(tanhui_flags INTERFACE)
target_compile_options(tanhui_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Werror
                                              $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>  # lets ccache look inside
                                              $<$<CONFIG:Release>:-O3 -fno-plt>)
target_compile_definitions(tanhui_flags INTERFACE $<$<NOT:$<CONFIG:Release>>:_GLIBCXX_ASSERTIONS>)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # g++ 12 sees overlaps and overflows in "text" + std::to_string(n) that are not there (GCC bugs 105329, 105651).
  target_compile_options(tanhui_flags INTERFACE -Wno-restrict -Wno-stringop-overflow -Wno-array-bounds)
  if(TANHUI_ASAN)  # with the checks between, it no longer sees that a variant's other side is not read
    target_compile_options(tanhui_flags INTERFACE -Wno-maybe-uninitialized)
  endif()
endif()
target_include_directories(tanhui_flags INTERFACE ${CMAKE_SOURCE_DIR}/src)
if(TANHUI_ASAN)
  target_compile_options(tanhui_flags INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(tanhui_flags INTERFACE -fsanitize=address,undefined)
endif()
if(TANHUI_TSAN)
  target_compile_options(tanhui_flags INTERFACE -fsanitize=thread)
  target_link_options(tanhui_flags INTERFACE -fsanitize=thread)
endif()
if(TANHUI_COVERAGE)  # threads count together; several programs that end at once merge their counts under a lock
  target_compile_options(tanhui_flags INTERFACE --coverage -fprofile-update=atomic -O1)
  target_link_options(tanhui_flags INTERFACE --coverage)
endif()

if(TANHUI_FUZZ)  # the warnings are g++'s business; clang has others
  target_compile_options(tanhui_flags INTERFACE -fsanitize=fuzzer-no-link -Wno-error -Wno-unknown-warning-option)
endif()
add_custom_target(fuzzers)  # every *_fuzz.cc of every room; scripts/fuzz runs them

function(tanhui_module name)
  cmake_parse_arguments(M "STORES" "" "ARROWS;LIBS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS *.cc *.h)
  list(FILTER sources EXCLUDE REGEX "_(test|fuzz)\\.cc$")
  add_library(tanhui_${name} STATIC ${sources})
  set_target_properties(tanhui_${name} PROPERTIES LINKER_LANGUAGE CXX)
  target_link_libraries(tanhui_${name} PUBLIC tanhui_flags fmt::fmt ${M_LIBS})
  foreach(arrow ${M_ARROWS})
    target_link_libraries(tanhui_${name} PUBLIC tanhui_${arrow})
  endforeach()
  target_precompile_headers(tanhui_${name} PRIVATE ${CMAKE_SOURCE_DIR}/cmake/precompiled.h)

  if(TANHUI_FUZZ)
    file(GLOB fuzzers CONFIGURE_DEPENDS *_fuzz.cc)
    foreach(file ${fuzzers})
      get_filename_component(fuzzer ${file} NAME_WE)
      add_executable(${name}_${fuzzer} ${file})
      target_link_libraries(${name}_${fuzzer} PRIVATE tanhui_${name} GTest::gtest)  # some share what tests build
      target_link_options(${name}_${fuzzer} PRIVATE -fsanitize=fuzzer)
      add_dependencies(fuzzers ${name}_${fuzzer})
    endforeach()
  endif()

  file(GLOB tests CONFIGURE_DEPENDS *_test.cc)
  if(tests)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE tanhui_${name} GTest::gtest_main rapidcheck)
    target_compile_definitions(${name}_test PRIVATE TANHUI_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
    target_precompile_headers(${name}_test PRIVATE ${CMAKE_SOURCE_DIR}/cmake/precompiled.h)
    add_test(NAME ${name} COMMAND ${name}_test)
    set_tests_properties(${name} PROPERTIES TIMEOUT 900)
    if(M_STORES)
      add_test(NAME ${name}_postgresql COMMAND sh -c "[ -n \"\$TANHUI_TEST_POSTGRES\" ] || { echo 'no PostgreSQL server'; exit 77; }
        GTEST_OUTPUT=\${TANHUI_RESULTS:+json:\$TANHUI_RESULTS/${name}_postgresql.json} TANHUI_TEST_STORE=postgresql exec $<TARGET_FILE:${name}_test>")
      set_tests_properties(${name}_postgresql PROPERTIES TIMEOUT 900 SKIP_RETURN_CODE 77)
    endif()
  endif()
endfunction()
