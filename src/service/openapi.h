// service/openapi.h: api/openapi.yaml, read once at the start and served as JSON.
#pragma once
#include <boost/json/value.hpp>

#include <filesystem>
#include <string_view>

#include "core/result.h"

namespace tanhui::service {

/// The document as JSON. Plain scalars are read as YAML 1.2's core schema does: null, true, false, whole numbers and decimals; what is
/// quoted is text. Errors: openapi.not-found, openapi.bad-yaml, with line and column.
core::Result<boost::json::value> read_openapi(const std::filesystem::path& file);
core::Result<boost::json::value> json_of_yaml(std::string_view text, std::string_view name);

}  // namespace tanhui::service
