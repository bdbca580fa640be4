# Writes C++ that holds the files of the dashboard's page: cmake -DFOLDER=page -DOUTPUT=page_files.cpp -P embed.cmake
# index.html is at "/", every other file at "/dashboard/<name>".
file(GLOB names RELATIVE ${FOLDER} ${FOLDER}/*)
set(type_html "text/html; charset=utf-8")
set(type_css "text/css; charset=utf-8")
set(type_js "text/javascript; charset=utf-8")
set(type_svg "image/svg+xml")
set(number 0)
foreach(name ${names})
  cmake_path(GET name EXTENSION LAST_ONLY extension)
  string(SUBSTRING "${extension}" 1 -1 extension)
  if(NOT DEFINED type_${extension})
    message(FATAL_ERROR "${name}: a page has html, css, js and svg files only")
  endif()
  set(path "/dashboard/${name}")
  if(name STREQUAL "index.html")
    set(path "/")
  endif()
  file(READ ${FOLDER}/${name} bytes HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${bytes}")
  string(APPEND arrays "constexpr char file_${number}[] = {${bytes}};\n")
  string(APPEND table "  {\"${path}\", \"${type_${extension}}\", {file_${number}, sizeof file_${number}}},\n")
  math(EXPR number "${number} + 1")
endforeach()
file(WRITE ${OUTPUT} "// Made by embed.cmake.
#include \"apps/service/dashboard/page.hpp\"

namespace troupe::service {
namespace {

${arrays}
constexpr page_file files[] = {
${table}};

} // namespace

std::span<const page_file> page_files() { return files; }

} // namespace troupe::service
")
