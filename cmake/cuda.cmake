# The CUDA part of esr_kernels._C.
set(CMAKE_CUDA_ARCHITECTURES OFF)  # the targets stand in the options below
enable_language(CUDA)
set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)  # CMake 3.25 does not know it yet
set(CMAKE_CUDA_VISIBILITY_PRESET hidden)
if(CMAKE_CUDA_COMPILER_VERSION VERSION_LESS 12.0)
  message(FATAL_ERROR "nvcc ${CMAKE_CUDA_COMPILER_VERSION} does not know C++20; 12.0 is the least")
endif()

# Machine code for these compute capabilities as far as the toolkit knows them, and PTX of the
# newest, which later GPUs translate, and of the oldest, for what lies between. 8.6 and 8.9 run the
# code of 8.0: theirs would take half as long again to compile.
set(capabilities $ENV{ESR_KERNELS_CUDA_TARGETS})
separate_arguments(capabilities)
set(ESR_KERNELS_CUDA_TARGETS "${capabilities}" CACHE STRING "Compute capabilities; empty: all")
set(capabilities ${ESR_KERNELS_CUDA_TARGETS})
if(NOT capabilities)
  set(capabilities 80 90 100 120)
endif()
execute_process(COMMAND ${CMAKE_CUDA_COMPILER} --list-gpu-code OUTPUT_VARIABLE known
  COMMAND_ERROR_IS_FATAL ANY)
set(targets "")
set(options "")
foreach(capability ${capabilities})
  if(known MATCHES "sm_${capability}\n")
    list(APPEND targets sm_${capability})
    list(APPEND options "--generate-code=arch=compute_${capability},code=sm_${capability}")
    set(newest ${capability})
  endif()
endforeach()
if(NOT targets)
  message(FATAL_ERROR "${CMAKE_CUDA_COMPILER} knows none of the targets ${capabilities}")
endif()
list(GET targets 0 oldest)
string(REPLACE sm_ "" oldest ${oldest})
set(ptx ${oldest} ${newest})
list(REMOVE_DUPLICATES ptx)
foreach(capability ${ptx})
  list(APPEND targets compute_${capability})
  list(APPEND options "--generate-code=arch=compute_${capability},code=compute_${capability}")
endforeach()

# Not with --split-compile: what it makes of a kernel depends on how many are under way.
file(GLOB sources CONFIGURE_DEPENDS csrc/cuda/*.cu csrc/cuda/*.cpp
  csrc/cuda/steps/*.cpp)
add_library(esr_cuda STATIC ${sources})
set_target_properties(esr_cuda PROPERTIES CUDA_RUNTIME_LIBRARY Static)
target_compile_options(esr_cuda PRIVATE
  $<$<COMPILE_LANGUAGE:CUDA>:--threads=0 --expt-relaxed-constexpr ${options}>
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wno-missing-field-initializers>)

list(JOIN targets " " targets)
target_sources(_C PRIVATE python/cuda_bindings.cpp)
target_compile_definitions(_C PRIVATE "ESR_CUDA_TARGETS=\"${targets}\"")
set_target_properties(_C PROPERTIES CUDA_RUNTIME_LIBRARY Static)
target_link_libraries(_C PRIVATE esr_cuda)
# None of the runtime's own symbols may meet those of torch's.
target_link_options(_C PRIVATE -Wl,--exclude-libs,ALL)
