find_package(Threads REQUIRED)
# Of VART, XIR and UniLog only the headers are built with; the libraries are those of the machine that it runs on. glog's
# are asked for by UniLog's.
foreach(header xir/graph/graph.hpp vart/runner_ext.hpp UniLog/UniLog.hpp glog/logging.h)
  string(MAKE_C_IDENTIFIER "${header}" name)
  find_path(NERONE_INCLUDE_${name} ${header} REQUIRED)
  mark_as_advanced(NERONE_INCLUDE_${name})
  list(APPEND NERONE_FOREIGN_INCLUDES "${NERONE_INCLUDE_${name}}")
endforeach()
list(REMOVE_DUPLICATES NERONE_FOREIGN_INCLUDES)
add_library(nerone_foreign_headers INTERFACE)
target_include_directories(nerone_foreign_headers SYSTEM INTERFACE ${NERONE_FOREIGN_INCLUDES})
# oneDNN is an engine of its own, built where it is found. Its package file asks for OpenCL, which nothing here needs, so
# the header and the library are looked up directly.
find_path(NERONE_DNNL_INCLUDE dnnl.hpp)
find_library(NERONE_DNNL_LIBRARY dnnl)
mark_as_advanced(NERONE_DNNL_INCLUDE NERONE_DNNL_LIBRARY)
find_package(hwy REQUIRED)
if(NERONE_BUILD_CPP)
  find_package(nlohmann_json REQUIRED)
  find_package(PNG REQUIRED)
endif()
if(NERONE_BUILD_TESTS)
  find_package(GTest REQUIRED)
  # Tests of what works on VART's objects are linked with this machine's. The order matters: xir's and vart's package
  # files expect the earlier ones to be found.
  find_package(unilog REQUIRED)
  find_package(xir REQUIRED)
  find_package(vart REQUIRED COMPONENTS util runner)
endif()
if(NERONE_BUILD_BENCHMARKS)
  find_package(benchmark REQUIRED)
endif()
