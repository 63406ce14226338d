# Third-party packages, all from Debian. Protobuf must be found in module mode before gRPC's config.
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
find_package(Protobuf REQUIRED)
find_package(gRPC CONFIG REQUIRED)
find_package(absl CONFIG REQUIRED)
find_package(prometheus-cpp CONFIG REQUIRED)
find_package(nlohmann_json CONFIG REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(SENTENCEPIECE REQUIRED IMPORTED_TARGET sentencepiece)
# The HTTP server behind prometheus-cpp's exposer; it ships no configuration of its own.
find_library(CIVETWEB_LIBRARY civetweb REQUIRED)
pkg_check_modules(UTF8PROC REQUIRED IMPORTED_TARGET libutf8proc)
pkg_check_modules(LIBURING REQUIRED IMPORTED_TARGET liburing)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
# Header only, and its headers define functions: include them in one translation unit.
find_path(HNSWLIB_INCLUDE_DIR hnswlib/hnswlib.h REQUIRED)
if(M3_BUILD_TESTS)
  find_package(GTest CONFIG REQUIRED)
  # Fibers: the threads of kernels that run without a device (engine/cuda/host).
  find_package(Boost REQUIRED COMPONENTS context)
  # The PTX in objects of nvcc (engine/cuda/emulator).
  pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
endif()
if(M3_BUILD_BENCH)
  find_package(benchmark CONFIG REQUIRED)
endif()
