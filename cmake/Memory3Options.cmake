# Language level, warnings, sanitizers and output folders for every target of the project.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
# Programs find the modules they load at run time beside them, wherever both are moved.
set(CMAKE_BUILD_RPATH "\$ORIGIN/../lib")
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
endif()

# Our own code compiles under these; generated and third-party code does not.
# -Wrestrict is off: g++ 12 reports it falsely for std::string operator+ (GCC bug 105651).
# No -march here: kernels choose their instruction set at run time (engine/cpu).
add_library(memory3_warnings INTERFACE)
target_compile_options(memory3_warnings INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Werror -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wno-unused-parameter -Wno-missing-field-initializers -Wno-restrict>)
if(M3_SANITIZE MATCHES "thread")
  # g++ warns that atomic_thread_fence is not instrumented; library headers use it.
  target_compile_options(memory3_warnings INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wno-tsan>)
endif()

if(M3_SANITIZE)
  # Instrumented code confuses g++ 12's analysis: it calls members of std::variant uninitialized that are not.
  target_compile_options(memory3_warnings INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wno-maybe-uninitialized>)
  # Line numbers are all that a report needs; with -O1 of the presets they nearly halve the time to compile.
  add_compile_options(-fsanitize=${M3_SANITIZE} -fno-omit-frame-pointer -g1)
  # The sanitizers' dlopen stands between a program and the loader, which then looks at the program's RPATH but not at
  # its RUNPATH.
  add_link_options(-fsanitize=${M3_SANITIZE} -Wl,--disable-new-dtags)
endif()
