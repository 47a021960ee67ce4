# The models (tests/model/README.md): tests/model/model_<stem>.c becomes the test model.<stem>, label model.
# The machine below them switches stacks itself and takes the calls that -fsanitize=thread puts before plain accesses, so
# a model can neither be built with a sanitizer nor gain from one, nor from Valgrind, nor from coverage: those builds have
# no models, and every other build has all of them.
if(WEFT_SANITIZE OR WEFT_TEST_LAUNCHER OR WEFT_COVERAGE)
  message(STATUS "weft: the models are not part of this build (sanitizer, Valgrind or coverage)")
  return()
endif()

file(GLOB weft_machine CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/model/*.c)
set(weft_models ${weft_machine})
list(FILTER weft_models INCLUDE REGEX "/model_[^/]*\\.c$")
list(FILTER weft_machine EXCLUDE REGEX "/model_[^/]*\\.c$")
list(APPEND weft_machine ${PROJECT_SOURCE_DIR}/runtime/fiber/context_ucontext.c)
weft_pick_variants(weft_machine)

function(weft_model_target target)
  weft_compile(${target})
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:C>:-O2 -fno-pie>)
  target_compile_definitions(${target} PRIVATE WEFT_MODEL WEFT_DEBUG_CHECKS)
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/runtime ${PROJECT_SOURCE_DIR}/include
    ${PROJECT_SOURCE_DIR}/tests)
  set_target_properties(${target} PROPERTIES INTERPROCEDURAL_OPTIMIZATION OFF)
endfunction()

add_library(weft_model_machine OBJECT ${weft_machine})
weft_model_target(weft_model_machine)
foreach(source ${weft_models})
  get_filename_component(stem ${source} NAME_WE)
  string(REGEX REPLACE "^model_" "" stem ${stem})
  add_executable(model_${stem} ${source} $<TARGET_OBJECTS:weft_model_machine>)
  weft_model_target(model_${stem})
  # Plain accesses are seen; the sanitizer itself is neither linked nor believed to be there.
  target_compile_options(model_${stem} PRIVATE -fsanitize=thread -U__SANITIZE_THREAD__ -Wno-unused-value -Wno-shadow
    $<$<C_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  target_link_options(model_${stem} PRIVATE -no-pie)
  set_target_properties(model_${stem} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
  add_test(NAME model.${stem} COMMAND $<TARGET_FILE:model_${stem}>)
  weft_test_attributes(model.${stem} ${source} model)
endforeach()
