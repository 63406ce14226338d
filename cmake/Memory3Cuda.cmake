# CUDA targets exist only where a compiler is found; a CPU-only build never links a CUDA library.
set(M3_HAVE_CUDA OFF)
if(M3_CUDA)
  include(CheckLanguage)
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER)
    set(M3_HAVE_CUDA ON)
  endif()
endif()
if(M3_HAVE_CUDA)
  enable_language(CUDA)
  # CMake 3.25 does not know how nvcc is asked for C++20.
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
  find_package(CUDAToolkit REQUIRED)
  message(STATUS "CUDA compiler found: ${CMAKE_CUDA_COMPILER}; the CUDA targets are built")
else()
  message(STATUS "No CUDA compiler (or M3_CUDA=OFF): building for the CPU only")
endif()

# memory3_cuda_options(LIBRARY): how its .cu files are compiled. Machine code for A100 and H100, PTX for what comes later.
function(memory3_cuda_options library)
  target_compile_options(${library} PRIVATE $<$<COMPILE_LANGUAGE:CUDA>:--expt-relaxed-constexpr>)
  set_target_properties(${library} PROPERTIES CUDA_ARCHITECTURES "80-real;90")
endfunction()
