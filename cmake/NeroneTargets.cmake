# nerone_library(NAME SOURCES ... PUBLIC ... PRIVATE ...): one static library per folder of cpp/src.
# Headers are included by their path below cpp/src or cpp/include: "xmodel/handle.hpp", <nerone/error.hpp>.
function(nerone_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(nerone_${name} STATIC ${ARG_SOURCES})
  target_include_directories(nerone_${name} PUBLIC
    "${PROJECT_SOURCE_DIR}/cpp/include" "${PROJECT_SOURCE_DIR}/cpp/src")
  target_link_libraries(nerone_${name} PUBLIC ${ARG_PUBLIC} PRIVATE ${ARG_PRIVATE})
endfunction()

# nerone_test(NAME SOURCES ... LIBRARIES ...): one GoogleTest program, its cases known to ctest.
# The repository's root is given to the tests as NERONE_SOURCE_DIR.
function(nerone_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBRARIES" ${ARGN})
  add_executable(test_${name} ${ARG_SOURCES})
  target_compile_definitions(test_${name} PRIVATE NERONE_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  target_link_libraries(test_${name} PRIVATE ${ARG_LIBRARIES} GTest::gtest GTest::gtest_main)
  add_dependencies(test_${name} nerone_vart2 nerone_vart3)  # opened where a test loads a model
  # Under qemu on a busy machine a program takes seconds to list its tests. A parameter's value would be its bytes,
  # addresses among them, which change from run to run; its number is the name.
  gtest_discover_tests(test_${name} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 120 NO_PRETTY_VALUES PROPERTIES TIMEOUT 600)
endfunction()
