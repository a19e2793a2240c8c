# Cross build for boards with glibc 2.31 and libstdc++ 9.3 or newer: Debian 12's compiler with the C and C++ libraries of
# Debian 11, from the sysroot that scripts/arm64_sysroot.sh makes. That compiler looks in its own folders first, so all
# of Debian 11's are named.
set(NERONE_SYSROOT "${CMAKE_CURRENT_LIST_DIR}/../build/arm64-sysroot-2.31")
include("${CMAKE_CURRENT_LIST_DIR}/aarch64-toolchain.cmake")

# ccache may write paths relative to its base folder: CMake would not know the folders below again as the compiler's own.
set(ENV{CCACHE_DISABLE} 1)
execute_process(COMMAND ${CMAKE_CXX_COMPILER} -print-file-name=include
  OUTPUT_VARIABLE intrinsics OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
set(usr "${CMAKE_SYSROOT}/usr")
# Of Debian 11's std::function Debian 12's compiler says that it reads what was never set.
string(APPEND CMAKE_CXX_FLAGS_INIT " -nostdinc -Wno-uninitialized -Wno-maybe-uninitialized")
foreach(folder "${usr}/include/c++/10" "${usr}/include/aarch64-linux-gnu/c++/10" "${intrinsics}"
        "${usr}/include/aarch64-linux-gnu" "${usr}/include")
  string(APPEND CMAKE_CXX_FLAGS_INIT " -isystem ${folder}")
endforeach()
set(libraries "-B${usr}/lib/aarch64-linux-gnu")
foreach(folder "${usr}/lib/gcc/aarch64-linux-gnu/10" "${usr}/lib/aarch64-linux-gnu" "${CMAKE_SYSROOT}/lib/aarch64-linux-gnu")
  string(APPEND libraries " -L${folder}")
endforeach()
foreach(kind EXE SHARED MODULE)
  string(APPEND CMAKE_${kind}_LINKER_FLAGS_INIT " ${libraries}")
endforeach()
