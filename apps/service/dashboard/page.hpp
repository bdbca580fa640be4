#pragma once
// The page of the dashboard: a few files of ours (page/), which the build puts into the program.
#include "apps/service/http/exchange.hpp"
#include <span>
#include <string>
#include <string_view>

namespace troupe::service {

struct page_file {
  std::string_view path; // "/", "/dashboard/style.css"
  std::string_view content_type, body;
};

std::span<const page_file> page_files(); // Made by embed.cmake.

/// Null: there is none at this path.
const page_file* find_page_file(std::string_view path);

/// With headers by which a browser loads nothing from elsewhere, runs no script but ours, and shows it in no other page's frame.
http::response page_response(const page_file& file);

} // namespace troupe::service
