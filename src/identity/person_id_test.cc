#include "identity/person_id.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace tanhui::identity {
namespace {

TEST(PersonId, OneWayToWrite) {
  const struct {
    const char* why;
    IdKind kind;
    std::string_view text, written;
  } rows[] = {
      {"as people write it", IdKind::phone, "13800138000", "tel:+8613800138000"},
      {"with the country", IdKind::phone, "+86 138-0013-8000", "tel:+8613800138000"},
      {"with the country, no plus", IdKind::phone, "8613800138000", "tel:+8613800138000"},
      {"as dialled from abroad", IdKind::phone, "0086 (138) 0013.8000", "tel:+8613800138000"},
      {"full-width, as in forms", IdKind::phone, "１３８００１３８０００", "tel:+8613800138000"},
      {"a line's end", IdKind::phone, " 13800138000\r\n", "tel:+8613800138000"},
      {"Hong Kong", IdKind::phone, "+852 9123 4567", "tel:+85291234567"},
      {"the United States", IdKind::phone, "001 212 555 0100", "tel:+12125550100"},
      {"the standard's first example", IdKind::resident_id, "11010519491231002X", "cn-id:11010519491231002X"},
      {"the standard's second example", IdKind::resident_id, "440524188001010014", "cn-id:440524188001010014"},
      {"a small x", IdKind::resident_id, "11010519491231002x", "cn-id:11010519491231002X"},
      {"of 15 digits", IdKind::resident_id, "110105491231002", "cn-id:11010519491231002X"},
      {"in groups", IdKind::resident_id, "110105 19491231 002X", "cn-id:11010519491231002X"},
      {"a partner's own", IdKind::other, " user-7 ", "other:user-7"},
      {"in Chinese", IdKind::other, "用户七", "other:用户七"},
  };
  for (const auto& [why, kind, text, written] : rows) {
    const auto normal = normalise_id(kind, text);
    ASSERT_TRUE(normal) << why << ": " << normal.error().message;
    EXPECT_EQ(*normal, written) << why;
  }
}

TEST(PersonId, RefusedWithoutEchoing) {
  const struct {
    const char* why;
    IdKind kind;
    std::string_view text, id;
  } rows[] = {
      {"nothing", IdKind::phone, "  ", "id.empty"},
      {"nothing, full-width", IdKind::phone, "　", "id.empty"},
      {"a digit short", IdKind::phone, "1380013800", "id.bad-phone"},
      {"no mobile number", IdKind::phone, "12800138000", "id.bad-phone"},
      {"a land line", IdKind::phone, "+86 27 8888 6666", "id.bad-phone"},
      {"a letter", IdKind::phone, "1380013800o", "id.bad-character"},
      {"a plus inside", IdKind::phone, "138+00138000", "id.bad-character"},
      {"too long for the world", IdKind::phone, "+1234567890123456", "id.bad-phone"},
      {"a country that starts with 0", IdKind::phone, "+0123456789", "id.bad-phone"},
      {"wrong check digit", IdKind::resident_id, "110105194912310021", "id.bad-resident-id"},
      {"two digits swapped", IdKind::resident_id, "11010519491213002X", "id.bad-resident-id"},
      {"no such day", IdKind::resident_id, "11010519490230002X", "id.bad-resident-id"},
      {"no such region", IdKind::resident_id, "01010519491231002X", "id.bad-resident-id"},
      {"a digit short", IdKind::resident_id, "1101051949123100X", "id.bad-resident-id"},
      {"X inside", IdKind::resident_id, "1101051949123X0021", "id.bad-resident-id"},
      {"X in an old one", IdKind::resident_id, "11010549123100X", "id.bad-resident-id"},
      {"a letter", IdKind::resident_id, "11010519491231002Y", "id.bad-character"},
      {"nothing", IdKind::other, "", "id.empty"},
      {"control characters", IdKind::other, "a\x01z", "id.bad-character"},
      {"no UTF-8", IdKind::other, "\xff\xfe", "id.bad-character"},
  };
  for (const auto& [why, kind, text, id] : rows) {
    const auto refused = normalise_id(kind, text);
    ASSERT_FALSE(refused) << why;
    EXPECT_EQ(refused.error().id, id) << why;
    EXPECT_TRUE(text.size() < 4 || (refused.error().message + refused.error().action).find(text) == std::string::npos) << why;
  }
  EXPECT_EQ(normalise_id(IdKind::other, std::string(kIdMax + 1, 'x')).error().id, "id.too-long");
}

RC_GTEST_PROP(PersonIdProperty, WhatIsWrittenStaysAsItIs, (const std::string& text)) {
  for (const auto& [kind, prefix] : {std::pair{IdKind::phone, 4u}, {IdKind::resident_id, 6u}, {IdKind::other, 6u}}) {
    const auto once = normalise_id(kind, text);
    if (once) RC_ASSERT(*normalise_id(kind, std::string_view(*once).substr(prefix)) == *once);
  }
}

}  // namespace
}  // namespace tanhui::identity
