# Cross build for the boards' Cortex-A53 (ARMv8.0-A). The sysroot is made by scripts/arm64_sysroot.sh.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)

get_filename_component(nerone_root "${CMAKE_CURRENT_LIST_DIR}/.." ABSOLUTE)
if(NOT NERONE_SYSROOT)
  set(NERONE_SYSROOT "${nerone_root}/build/arm64-sysroot")
endif()
get_filename_component(CMAKE_SYSROOT "${NERONE_SYSROOT}" ABSOLUTE)
set(CMAKE_FIND_ROOT_PATH "${CMAKE_SYSROOT}")
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)

set(CMAKE_CXX_FLAGS_INIT "-mcpu=cortex-a53 -include ${nerone_root}/cmake/symbol_versions.hpp")
set(rpath_link "-Wl,-rpath-link,${CMAKE_SYSROOT}/usr/lib/aarch64-linux-gnu -Wl,-rpath-link,${CMAKE_SYSROOT}/lib/aarch64-linux-gnu")
set(CMAKE_EXE_LINKER_FLAGS_INIT "${rpath_link}")
set(CMAKE_SHARED_LINKER_FLAGS_INIT "${rpath_link}")
set(CMAKE_MODULE_LINKER_FLAGS_INIT "${rpath_link}")

# The board's core has no dot-product instructions: under this CPU model one dies with SIGILL, which is the gate.
set(CMAKE_CROSSCOMPILING_EMULATOR "qemu-aarch64-static;-cpu;cortex-a53;-L;${CMAKE_SYSROOT}")
