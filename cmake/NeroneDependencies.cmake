# The order matters: xir's and vart's package files expect the earlier ones to be found.
find_package(Threads REQUIRED)
find_package(unilog REQUIRED)
find_package(xir REQUIRED)
find_package(vart REQUIRED COMPONENTS util runner)
# oneDNN is an engine of its own, built where it is found. Its package file asks for OpenCL, which nothing here needs, so
# the header and the library are looked up directly.
find_path(NERONE_DNNL_INCLUDE dnnl.hpp)
find_library(NERONE_DNNL_LIBRARY dnnl)
mark_as_advanced(NERONE_DNNL_INCLUDE NERONE_DNNL_LIBRARY)
find_package(hwy REQUIRED)
if(NERONE_BUILD_TESTS)
  find_package(GTest REQUIRED)
endif()
if(NERONE_BUILD_BENCHMARKS)
  find_package(benchmark REQUIRED)
endif()
