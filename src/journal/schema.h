// journal/schema.h: private to the room: the Parquet schema of a segment and how each column is encoded.
#pragma once
#include <parquet/properties.h>
#include <parquet/schema.h>

#include <memory>

#include "journal/columns.h"

namespace tanhui::journal {

constexpr int kPersonBytes = 16;

std::shared_ptr<parquet::schema::GroupNode> segment_schema();
std::shared_ptr<parquet::WriterProperties> segment_properties();
/// Columns whose pages are zstd; the others have nothing in them that it could find.
bool is_compressed(Column column);

}  // namespace tanhui::journal
