// activity/json_reader.h: JSON for the input reader: one object a line (NDJSON), or a list of any length whose elements are taken one after
// the other, so that memory does not depend on the file's size. simdjson reads the elements.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "activity/intake_input.h"
#include "activity/intake_plan.h"
#include "activity/intake_table.h"

namespace tanhui::activity {

/// The plan's columns as a tree of keys, so that one walk through an element finds them all. "a.0.b" goes through element 0 of list a.
/// "$row" is the whole element's text.
struct JsonNode {
  std::string key;
  int slot = kNoSlot;
  std::vector<JsonNode> children;
};

struct JsonLayout : FileLayout {
  explicit JsonLayout(std::shared_ptr<const Plan> plan);
  std::shared_ptr<const Plan> plan;
  JsonNode root;
  int row_slot = kNoSlot;
};

class NdjsonCutter : public Cutter {
 public:
  explicit NdjsonCutter(std::shared_ptr<const JsonLayout> layout) : layout_(std::move(layout)) {}
  core::Result<Start> begin(std::string_view head, bool all) override;
  core::Result<Cut> cut(std::string_view text, bool last, Piece& piece) override;
  Skip skip(std::string_view text, bool first) override;
  std::shared_ptr<const FileLayout> layout() const override { return layout_; }

 private:
  std::shared_ptr<const JsonLayout> layout_;
};

/// Finds the end of one JSON value in text that comes in parts.
class JsonValueEnd {
 public:
  /// Bytes of `text` that belong to the value; `done` tells whether it ends there. The value begins at the first byte of the first part.
  std::size_t feed(std::string_view text);
  bool done = false;

 private:
  std::size_t depth_ = 0;
  bool begun_ = false, in_string_ = false, escaped_ = false, plain_ = false;
};

/// A list of records, at the top or at the path `records`; or objects one after the other.
class JsonListCutter : public Cutter {
 public:
  JsonListCutter(std::shared_ptr<const JsonLayout> layout, std::string file, std::string records)
      : layout_(std::move(layout)), file_(std::move(file)), records_(std::move(records)) {}
  core::Result<Start> begin(std::string_view head, bool all) override;
  core::Result<Cut> cut(std::string_view text, bool last, Piece& piece) override;
  Skip skip(std::string_view text, bool first) override;
  std::shared_ptr<const FileLayout> layout() const override { return layout_; }

 private:
  std::shared_ptr<const JsonLayout> layout_;
  std::string file_, records_;
  bool in_list_ = false, after_element_ = false, ended_ = false;
  std::uint64_t elements_ = 0;
  JsonValueEnd skipped_;
};

/// Reads pieces of NDJSON or of elements into tables. One for each thread.
class JsonRows {
 public:
  JsonRows();
  ~JsonRows();
  JsonRows(const JsonRows&) = delete;
  JsonRows& operator=(const JsonRows&) = delete;
  void read(const Piece& piece, Table& table);

 private:
  struct Parser;
  void read_element(const Piece& piece, std::size_t begin, std::size_t size, std::uint32_t line, Table& table);
  std::unique_ptr<Parser> parser_;
};

}  // namespace tanhui::activity
