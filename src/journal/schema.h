// journal/schema.h: private to the room: the Parquet schema of a segment and how each column is encoded.
#pragma once
#include <parquet/properties.h>
#include <parquet/schema.h>

#include <filesystem>
#include <memory>

#include "journal/columns.h"

namespace tanhui::journal {

constexpr int kPersonBytes = 16;

std::shared_ptr<parquet::schema::GroupNode> segment_schema();
std::shared_ptr<parquet::WriterProperties> segment_properties();

/// fsync of a folder: makes the names in it durable.
void sync_folder(const std::filesystem::path& folder);

}  // namespace tanhui::journal
