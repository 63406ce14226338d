# One line per target in the folders' CMakeLists, so that dependencies are all they have to say.

# memory3_library(NAME SRCS ... DEPS ...): static library; headers are found from the repository root.
function(memory3_library name)
  cmake_parse_arguments(ARG "" "" "SRCS;DEPS" ${ARGN})
  add_library(${name} STATIC ${ARG_SRCS})
  target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} PUBLIC ${ARG_DEPS} PRIVATE memory3_warnings)
endfunction()

# memory3_program(NAME SRCS ... DEPS ...): executable in build/<preset>/bin.
function(memory3_program name)
  cmake_parse_arguments(ARG "" "" "SRCS;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SRCS})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} memory3_warnings)
endfunction()

# memory3_test(NAME SRCS ... DEPS ... [LABELS ...] [TIMEOUT s]): GoogleTest program, one ctest entry.
# Label "long" keeps a test out of the default run.
function(memory3_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SRCS;DEPS;LABELS" ${ARGN})
  memory3_program(${name} SRCS ${ARG_SRCS} DEPS ${ARG_DEPS} GTest::gtest GTest::gmock GTest::gtest_main)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  target_compile_definitions(${name} PRIVATE M3_SOURCE_DIR="${PROJECT_SOURCE_DIR}" M3_BINARY_DIR="${CMAKE_BINARY_DIR}")
  add_test(NAME ${name} COMMAND ${name})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}")
  memory3_timeout(${ARG_TIMEOUT} ${name})
endfunction()

# memory3_timeout(SECONDS TEST...): instrumented programs, which take several times as long, get four times that.
function(memory3_timeout seconds)
  if(M3_SANITIZE)
    math(EXPR seconds "${seconds} * 4")
  endif()
  set_tests_properties(${ARGN} PROPERTIES TIMEOUT ${seconds})
endfunction()
