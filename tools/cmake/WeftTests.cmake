# The tests: every program found by glob is a ctest test of its own, with a time limit and its folder as label.
#   tests/unit/<floor>/test_<stem>.c   unit.<floor>.<stem>, labels unit and unit.<floor>   (cmocka, sees the internals)
#   tests/{stress,regress,demo,gdb,fuzz}/*.c   <suite>.<stem>
#   tests/model/model_*.c   model.<stem> (WeftModels.cmake)
#   tests/misuse/abort_*.c   must end by SIGABRT and say why (tests/misuse/run.py): misuse.abort_<stem>
#   tests/<suite>/{test,check}_*.{sh,py}   <suite>.<stem>
# A file may say in its first lines how it wants to be run: "ctest: timeout=120 serial" (seconds on a quiet machine; alone).
# Each test finds in its environment WEFT_SOURCE_DIR, WEFT_BUILD_DIR, WEFT_DEMO, WEFT_TEST_LAUNCHER; WEFT_TEST_SCALE is
# passed through (a factor on sizes, 1 when absent).
pkg_check_modules(WEFT_CMOCKA REQUIRED IMPORTED_TARGET cmocka)
find_program(WEFT_PYTHON python3 REQUIRED)

# The attributes of one test, from "ctest: …" in its source.
function(weft_test_attributes name source labels)
  set(timeout 120)
  set(alone OFF)
  file(STRINGS ${source} line REGEX "ctest: " LIMIT_INPUT 4096 LIMIT_COUNT 1)
  if(line MATCHES "timeout=([0-9]+)")
    set(timeout ${CMAKE_MATCH_1})
  endif()
  if(line MATCHES "serial")
    set(alone ON)
  endif()
  math(EXPR timeout "${timeout} * ${WEFT_TEST_TIMEOUT_SCALE}")
  string(REPLACE ";" " " launcher "${WEFT_TEST_LAUNCHER}")
  set_tests_properties(${name} PROPERTIES TIMEOUT ${timeout} RUN_SERIAL ${alone} LABELS "${labels}"
    ENVIRONMENT "WEFT_SOURCE_DIR=${PROJECT_SOURCE_DIR};WEFT_BUILD_DIR=${PROJECT_BINARY_DIR};\
WEFT_DEMO=${PROJECT_BINARY_DIR}/bin/weft_demo;WEFT_TEST_LAUNCHER=${launcher};CC=${CMAKE_C_COMPILER};CXX=${CMAKE_CXX_COMPILER}")
endfunction()

# A program that sees the runtime's insides. Further arguments are further sources.
function(weft_test_program target source)
  add_executable(${target} ${source} ${ARGN})
  weft_compile(${target})
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/runtime ${PROJECT_SOURCE_DIR}/tests)
  target_include_directories(${target} SYSTEM PRIVATE ${WEFT_CK_INCLUDE})
  target_link_libraries(${target} PRIVATE weft_static PkgConfig::WEFT_CMOCKA PkgConfig::WEFT_LIBUV m)
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
endfunction()

function(weft_test name source labels)
  string(REPLACE "." "_" target test_${name})
  weft_test_program(${target} ${source} ${ARGN})
  add_test(NAME ${name} COMMAND ${WEFT_TEST_LAUNCHER} $<TARGET_FILE:${target}>)
  weft_test_attributes(${name} ${source} "${labels}")
endfunction()

function(weft_test_script name source labels)
  if(source MATCHES "\\.py$")
    add_test(NAME ${name} COMMAND ${WEFT_PYTHON} ${source} WORKING_DIRECTORY ${PROJECT_BINARY_DIR})
  else()
    add_test(NAME ${name} COMMAND bash ${source} WORKING_DIRECTORY ${PROJECT_BINARY_DIR})
  endif()
  weft_test_attributes(${name} ${source} "${labels}")
endfunction()

# unit: one folder per floor
file(GLOB weft_unit_tests CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/unit/*/test_*.c)
if(NOT WEFT_REACTOR STREQUAL "epoll")
  list(FILTER weft_unit_tests EXCLUDE REGEX "/test_reactor_epoll\\.c$") # of what is not built then
endif()
foreach(source ${weft_unit_tests})
  string(REGEX REPLACE ".*/([^/]+)/test_([^/]+)\\.c$" "\\1.\\2" stem ${source})
  string(REGEX REPLACE "\\..*" "" floor ${stem})
  weft_test(unit.${stem} ${source} "unit;unit.${floor}")
endforeach()

# flat suites: programs and scripts
set(weft_suites stress regress demo gdb fuzz misuse readme)
if(NOT WEFT_SANITIZE AND NOT WEFT_TEST_LAUNCHER)
  list(APPEND weft_suites headers tools) # nothing of the library runs there
  if(WEFT_SHARED AND NOT WEFT_COVERAGE)
    list(APPEND weft_suites consumer) # strangers' programs, built with their own flags
  endif()
endif()
foreach(suite ${weft_suites})
  file(GLOB programs CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/${suite}/*.c)
  foreach(source ${programs})
    get_filename_component(stem ${source} NAME_WE)
    if(suite STREQUAL "misuse" AND stem MATCHES "^abort_")
      weft_test_program(misuse_${stem} ${source})
      add_test(NAME misuse.${stem} COMMAND ${WEFT_PYTHON} ${PROJECT_SOURCE_DIR}/tests/misuse/run.py ${source}
        $<TARGET_FILE:misuse_${stem}>)
      weft_test_attributes(misuse.${stem} ${source} misuse)
    elseif(suite STREQUAL "gdb" OR suite STREQUAL "consumer" OR suite STREQUAL "headers")
      # debugged or compiled by the suite's scripts
      if(suite STREQUAL "gdb")
        weft_test_program(gdb_${stem} ${source})
      endif()
    else()
      string(REGEX REPLACE "^(test|${suite})_" "" name ${stem})
      weft_test(${suite}.${name} ${source} ${suite})
    endif()
  endforeach()
  file(GLOB scripts CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/${suite}/*.sh ${PROJECT_SOURCE_DIR}/tests/${suite}/*.py)
  foreach(source ${scripts})
    get_filename_component(stem ${source} NAME_WE)
    if(stem MATCHES "^(test|check)_")
      string(REGEX REPLACE "^(test|check)_" "" name ${stem})
      weft_test_script(${suite}.${name} ${source} ${suite})
    endif()
  endforeach()
endforeach()

include(WeftModels)

# asyncio's behaviour, case by case
add_subdirectory(${PROJECT_SOURCE_DIR}/tests/asyncio)
