#include "core/json_tree.h"

#include <gtest/gtest.h>

namespace tanhui::core {
namespace {

TEST(JsonTree, NumbersKeepTheirText) {
  const auto tree = parse_json_tree(R"({"a": [0.10, 1e400, 123456789012345678901234567890, -0, true, null, "x\u00e9\n"]})");
  ASSERT_TRUE(tree) << tree.error().message;
  const JsonTree& list = *tree->find("a");
  ASSERT_EQ(list.items.size(), 7u);
  EXPECT_EQ(list.items[0].text, "0.10");
  EXPECT_EQ(list.items[1].text, "1e400");
  EXPECT_EQ(list.items[2].text, "123456789012345678901234567890");
  EXPECT_EQ(list.items[3].text, "-0");
  EXPECT_TRUE(list.items[4].is(JsonTree::Kind::boolean) && list.items[4].truth);
  EXPECT_TRUE(list.items[5].is(JsonTree::Kind::null));
  EXPECT_EQ(list.items[6].text, "x\u00e9\n");
  EXPECT_EQ(tree->find("b"), nullptr);
}

TEST(JsonTree, OneWayToWrite) {
  const auto tree = parse_json_tree(R"( { "b" : [ 1.50 , {} , [] ] , "a" : "\u4e2d\"" , "c" : false } )");
  ASSERT_TRUE(tree);
  EXPECT_EQ(canonical_json(*tree), "{\"a\":\"\u4e2d\\\"\",\"b\":[1.50,{},[]],\"c\":false}");
  EXPECT_EQ(canonical_json(*parse_json_tree(canonical_json(*tree))), canonical_json(*tree));
}

TEST(JsonTree, WhatIsNoDocument) {
  const struct {
    std::string text;
    const char* id;
  } rows[] = {
      {"", "json.broken"},
      {"{} {}", "json.broken"},
      {"{\"a\":1,}", "json.broken"},
      {"[01]", "json.broken"},
      {"[\"\xff\"]", "json.broken"},
      {"[1", "json.broken"},
      {"{\"a\":1,\"b\":2,\"a\":3}", "json.repeated-name"},
      {std::string(17, '[') + std::string(17, ']'), "json.broken"},
  };
  for (const auto& [text, id] : rows) {
    const auto tree = parse_json_tree(text);
    ASSERT_FALSE(tree) << text;
    EXPECT_EQ(tree.error().id, id) << text;
  }
  EXPECT_TRUE(parse_json_tree(std::string(16, '[') + std::string(16, ']')));
  EXPECT_EQ(parse_json_tree("[1,2,3]", {.values_max = 3}).error().id, "json.too-many-values");
  EXPECT_TRUE(parse_json_tree("[1,2]", {.values_max = 3}));
}

}  // namespace
}  // namespace tanhui::core
