# Installation: headers, libraries, a CMake package (weft::weft, weft::static, weft::shared) and a pkg-config file.
set(weft_pc_requires libuv)
set(WEFT_PACKAGE_JEMALLOC 0)
if(WEFT_ALLOC STREQUAL "jemalloc")
  list(APPEND weft_pc_requires jemalloc)
  set(WEFT_PACKAGE_JEMALLOC 1)
endif()
list(JOIN weft_pc_requires " " WEFT_PC_REQUIRES)
# From the .pc file's folder up to the prefix, so that an installed tree can be moved.
file(RELATIVE_PATH WEFT_PC_UP /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)

install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(TARGETS ${weft_installed} EXPORT weft
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT weft NAMESPACE weft:: FILE weftTargets.cmake DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/weft)
configure_package_config_file(${PROJECT_SOURCE_DIR}/tools/cmake/weftConfig.cmake.in
  ${PROJECT_BINARY_DIR}/package/weftConfig.cmake INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/weft)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/package/weftConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/package/weftConfig.cmake ${PROJECT_BINARY_DIR}/package/weftConfigVersion.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/weft)
configure_file(${PROJECT_SOURCE_DIR}/tools/cmake/weft.pc.in ${PROJECT_BINARY_DIR}/package/weft.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/package/weft.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
