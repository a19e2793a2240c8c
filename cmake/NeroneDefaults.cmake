# Compiler settings shared by every target of the project.
set(CMAKE_CXX_STANDARD 17)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()

find_program(NERONE_CCACHE ccache)
if(NERONE_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${NERONE_CCACHE}")
endif()

# Fused multiply-add would make float kernels differ between x86-64 and AArch64.
add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Werror -ffp-contract=off)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  # Without SSE4.1 std::floor is a library call in every scalar kernel.
  add_compile_options(-msse4.2)
endif()

if(NERONE_SANITIZE)
  add_compile_options(-fsanitize=${NERONE_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${NERONE_SANITIZE})
endif()

if(NERONE_BUILD_FUZZERS AND NERONE_SANITIZE)
  add_compile_options(-fno-sanitize-recover=all)  # a finding ends the process, and so counts
endif()
if(NERONE_BUILD_FUZZERS AND CMAKE_CXX_COMPILER_ID MATCHES Clang)
  # Coverage, for libFuzzer; the sources are kept clean of gcc's warnings, not of clang's.
  add_compile_options(-fsanitize=fuzzer-no-link -Wno-error)
endif()

# What a library lacks that is opened at run time shall show when it is linked; the sanitizers' come later.
if(NOT NERONE_SANITIZE)
  set(NERONE_NO_UNDEFINED -Wl,-z,defs)
endif()
