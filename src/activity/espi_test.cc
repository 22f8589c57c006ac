#include "activity/espi.h"

#include <gtest/gtest.h>

namespace tanhui::activity {
namespace {

constexpr std::int64_t kMidnight = 1'766'880'000;  // 2025-12-28T00:00:00Z

struct Feed {
  std::string type =
      "<accumulationBehaviour>4</accumulationBehaviour><commodity>1</commodity><flowDirection>1</flowDirection>"
      "<intervalLength>3600</intervalLength><kind>12</kind><powerOfTenMultiplier>0</powerOfTenMultiplier><uom>72</uom>";
  std::string readings, service = "0", prefix = "", block_up = "RetailCustomer/9b6c/UsagePoint/01/MeterReading/01/IntervalBlock";

  Feed& reading(std::int64_t start, std::int64_t duration, std::string_view value, std::string_view more = "") {
    readings += fmt::format(
        "<IntervalReading>{}<timePeriod><duration>{}</duration><start>{}</start></timePeriod><value>{}</value></IntervalReading>", more,
        duration, start, value);
    return *this;
  }
  std::string text() const {
    const auto entry = [](std::string_view id, std::string_view links, std::string_view content) {
      return fmt::format("<entry><id>{}</id>{}<content>{}</content></entry>\n", id, links, content);
    };
    const auto link = [](std::string_view rel, std::string_view href) { return fmt::format("<link rel=\"{}\" href=\"{}\"/>", rel, href); };
    const std::string base = "RetailCustomer/9b6c/UsagePoint";
    const std::string ns = " xmlns=\"http://naesb.org/espi\"";
    return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<feed xmlns=\"http://www.w3.org/2005/Atom\"><title>Green Button</title>\n" +
           entry("urn:uuid:7BC41774-7190-4864-841C-861AC76D46C2",
                 link("self", "https://utility.example/espi/1_1/resource/" + base + "/01") + link("up", base) +
                     link("related", base + "/01/MeterReading"),
                 "<UsagePoint" + ns + "><ServiceCategory><kind>" + service + "</kind></ServiceCategory></UsagePoint>") +
           entry("urn:uuid:8",
                 link("self", base + "/01/MeterReading/01") + link("up", base + "/01/MeterReading") +
                     link("related", base + "/01/MeterReading/01/IntervalBlock") + link("related", "ReadingType/07"),
                 "<MeterReading" + ns + "/>") +
           entry("urn:uuid:9", link("self", "ReadingType/07") + link("up", "ReadingType"),
                 "<ReadingType" + ns + ">" + type + "</ReadingType>") +
           entry("urn:uuid:10", link("self", block_up + "/0173") + link("up", block_up),
                 "<IntervalBlock" + ns + "><interval><duration>86400</duration><start>1766880000</start></interval>" + readings +
                     "</IntervalBlock>") +
           "</feed>";
  }
};

const EspiRequest kRequest{.custodian = "utility", .claims = [](std::string_view) { return std::optional(core::PersonKey{1, 2}); }};

std::vector<ForeignRecord> read(const Feed& feed, const EspiRequest& request = kRequest) {
  const auto records = read_espi(feed.text(), request);
  EXPECT_TRUE(records) << (records ? "" : records.error().message);
  return records ? *records : std::vector<ForeignRecord>{};
}

TEST(Espi, AnHourOfAMeter) {
  Feed feed;
  const auto records = read(feed.reading(kMidnight, 3600, "974", "<ReadingQuality><quality>17</quality></ReadingQuality>"));
  ASSERT_EQ(records.size(), 1u);
  const ForeignRecord& record = records[0];
  EXPECT_EQ(record.reason, Reason::none) << (record.why ? record.why->message : "");
  EXPECT_EQ(record.activity, "meter-reading");
  EXPECT_EQ(record.quantity, 974);
  EXPECT_EQ(record.start_ms, kMidnight * 1000);
  EXPECT_EQ(record.end_ms, (kMidnight + 3600) * 1000);
  EXPECT_EQ(record.object, "espi:utility/7bc41774-7190-4864-841c-861ac76d46c2");
  EXPECT_EQ(record.event, record.object + "/1766880000/3600");
  EXPECT_EQ(record.person, (core::PersonKey{1, 2}));
  EXPECT_EQ(record.evidence, Evidence::metered);
}

TEST(Espi, UnitsAndPowersOfTen) {
  const struct {
    const char *power, *uom, *value;
    std::int64_t wh;
  } rows[] = {{"0", "72", "974", 974}, {"3", "72", "2", 2'000}, {"-3", "72", "1999", 1},   {"-12", "72", "140737488355327", 140},
              {"0", "31", "3600", 1},  {"0", "31", "3599", 0},  {"6", "31", "36", 10'000}, {"12", "72", "1", 1'000'000'000'000},
              {"", "72", "5", 5}};
  for (const auto& [power, uom, value, wh] : rows) {
    Feed feed;
    feed.type = fmt::format("<powerOfTenMultiplier>{}</powerOfTenMultiplier><uom>{}</uom>", power, uom);
    const auto records = read(feed.reading(kMidnight, 3600, value));
    ASSERT_EQ(records.size(), 1u);
    EXPECT_EQ(records[0].reason, Reason::none) << power << " " << uom;
    EXPECT_EQ(records[0].quantity, wh) << value << "e" << power << " in " << uom;
  }
}

TEST(Espi, Qualities) {
  const struct {
    const char* quality;
    std::optional<Evidence> evidence;
  } rows[] = {{"0", Evidence::metered},   {"17", Evidence::metered},  {"18", Evidence::metered}, {"19", Evidence::metered},
              {"7", Evidence::inferred},  {"8", Evidence::inferred},  {"9", Evidence::inferred}, {"11", Evidence::inferred},
              {"13", Evidence::inferred}, {"14", Evidence::inferred}, {"10", std::nullopt},      {"12", std::nullopt},
              {"15", std::nullopt},       {"?", Evidence::inferred}};
  for (const auto& [quality, evidence] : rows) {
    const std::string element = fmt::format("<ReadingQuality><quality>{}</quality></ReadingQuality>", quality);
    const auto records = read(Feed().reading(kMidnight, 3600, "1", element));
    ASSERT_EQ(records.size(), 1u);
    EXPECT_EQ(records[0].reason == Reason::none, evidence.has_value()) << quality;
    if (evidence) {
      EXPECT_EQ(records[0].evidence, *evidence) << quality;
    }
  }
  Feed by_default;
  by_default.type += "<defaultQuality>8</defaultQuality>";
  EXPECT_EQ(read(by_default.reading(kMidnight, 3600, "1"))[0].evidence, Evidence::inferred);
  EXPECT_EQ(
      read(Feed().reading(kMidnight, 3600, "1",
                          "<ReadingQuality><quality>17</quality></ReadingQuality><ReadingQuality><quality>8</quality></ReadingQuality>"))[0]
          .evidence,
      Evidence::inferred)
      << "the worst of several";
}

TEST(Espi, WhatIsNotTaken) {
  const struct {
    const char *why, *from, *to;
    Reason reason;
  } rows[] = {{"gas", "<commodity>1<", "<commodity>7<", Reason::unknown_activity},
              {"export", "<flowDirection>1<", "<flowDirection>19<", Reason::unknown_activity},
              {"net", "<flowDirection>1<", "<flowDirection>4<", Reason::unknown_activity},
              {"demand", "<kind>12<", "<kind>8<", Reason::unknown_activity},
              {"cubic metres", "<uom>72<", "<uom>42<", Reason::other_unit},
              {"no unit", "<uom>72</uom>", "", Reason::other_unit},
              {"13 powers", "<powerOfTenMultiplier>0<", "<powerOfTenMultiplier>13<", Reason::other_unit},
              {"an instant's value", "<accumulationBehaviour>4<", "<accumulationBehaviour>12<", Reason::unknown_activity},
              {"a word for a code", "<kind>12<", "<kind>energy<", Reason::bad_row}};
  for (const auto& [why, from, to, reason] : rows) {
    Feed feed;
    const std::size_t at = feed.type.find(from);
    ASSERT_NE(at, std::string::npos) << why;
    feed.type.replace(at, std::string_view(from).size(), to);
    const auto records = read(feed.reading(kMidnight, 3600, "1"));
    ASSERT_EQ(records.size(), 1u) << why;
    EXPECT_EQ(records[0].reason, reason) << why;
    ASSERT_TRUE(records[0].why) << why;
    EXPECT_NE(records[0].why->message.find("reading 1: ReadingType."), std::string::npos) << records[0].why->message;
  }
  Feed gas_service;
  gas_service.service = "1";
  EXPECT_EQ(read(gas_service.reading(kMidnight, 3600, "1"))[0].reason, Reason::missing_event);
  Feed lost;
  lost.block_up = "RetailCustomer/9b6c/UsagePoint/02/MeterReading/09/IntervalBlock";
  EXPECT_EQ(read(lost.reading(kMidnight, 3600, "1"))[0].reason, Reason::missing_event);
  for (const char* value : {"", "1.5", "x", "140737488355328", "99999999999999999999"}) {
    const Reason reason = read(Feed().reading(kMidnight, 3600, value))[0].reason;
    EXPECT_EQ(reason, *value == '\0' ? Reason::missing_quantity : Reason::bad_number) << value;
  }
  EXPECT_EQ(read(Feed().reading(kMidnight, 3600, "-1"))[0].reason, Reason::quantity_too_small);
  EXPECT_EQ(read(Feed().reading(kMidnight, 0, "1"))[0].reason, Reason::bad_time);
}

TEST(Espi, WhoseMeterItIs) {
  const auto unclaimed = read(Feed().reading(kMidnight, 3600, "1"), {.custodian = "utility"});
  EXPECT_EQ(unclaimed[0].reason, Reason::missing_person);
  const auto claimed =
      read(Feed().reading(kMidnight, 3600, "1"), {.custodian = "utility", .claims = [](std::string_view subject) {
                                                    EXPECT_EQ(subject, "espi:utility/7bc41774-7190-4864-841c-861ac76d46c2");
                                                    return std::optional(core::PersonKey{3, 4});
                                                  }});
  EXPECT_EQ(claimed[0].reason, Reason::none);
  EXPECT_EQ(claimed[0].person, (core::PersonKey{3, 4}));
}

TEST(Espi, ABlockWithoutTimesIsDividedEvenly) {
  Feed feed;
  for (int hour = 0; hour < 24; ++hour) feed.readings += fmt::format("<IntervalReading><value>{}</value></IntervalReading>", hour);
  const auto records = read(feed);
  ASSERT_EQ(records.size(), 24u);
  EXPECT_EQ(records[23].start_ms, (kMidnight + 23 * 3600) * 1000);
  EXPECT_EQ(records[23].reason, Reason::none);
  Feed short_block;
  short_block.readings = "<IntervalReading><value>1</value></IntervalReading>";
  EXPECT_EQ(read(short_block)[0].reason, Reason::bad_time) << "one hour is not the block's day";
}

TEST(Espi, ARegisterIsSubtracted) {
  Feed feed;
  feed.type.replace(feed.type.find(">4<"), 3, ">3<");
  // Out of order, and replaced by a new meter at the end.
  feed.reading(kMidnight + 7200, 0, "1300")
      .reading(kMidnight, 0, "1000")
      .reading(kMidnight + 3600, 0, "1100")
      .reading(kMidnight + 10800, 0, "5");
  const auto records = read(feed);
  ASSERT_EQ(records.size(), 4u);
  EXPECT_EQ(records[0].quantity, 200);
  EXPECT_EQ(records[0].start_ms, (kMidnight + 3600) * 1000);
  EXPECT_EQ(records[0].end_ms, (kMidnight + 7200) * 1000);
  EXPECT_EQ(records[1].reason, Reason::missing_quantity);
  EXPECT_EQ(records[2].quantity, 100);
  EXPECT_EQ(records[2].event, records[2].object + "/1766880000/3600");
  EXPECT_EQ(records[3].reason, Reason::quantity_too_small);
}

TEST(Espi, AnIntervalCountsOnce) {
  const auto records = read(Feed()
                                .reading(kMidnight, 3600, "1")
                                .reading(kMidnight + 3600, 3600, "2")
                                .reading(kMidnight, 86400, "24")
                                .reading(kMidnight + 7200, 3600, "3")
                                .reading(kMidnight, 3600, "1"));
  ASSERT_EQ(records.size(), 5u);
  EXPECT_EQ(records[0].reason, Reason::none);
  EXPECT_EQ(records[1].reason, Reason::none);
  EXPECT_EQ(records[2].reason, Reason::overlap);
  EXPECT_EQ(records[3].reason, Reason::none);
  EXPECT_EQ(records[4].reason, Reason::none) << "the same event again: the engine answers same-event";
}

TEST(Espi, PrefixesAreOnlyNames) {
  std::string text = Feed().reading(kMidnight, 3600, "974").text();
  for (const char* name : {"IntervalBlock", "IntervalReading", "interval", "timePeriod", "value", "start", "duration"}) {
    for (const std::string& tag : {fmt::format("<{}", name), fmt::format("</{}", name)}) {
      std::string prefixed = tag;
      prefixed.insert(tag[1] == '/' ? 2 : 1, "e:");
      for (std::size_t at = 0; (at = text.find(tag, at)) != std::string::npos; at += prefixed.size()) {
        if (const char next = text[at + tag.size()]; next == '>' || next == ' ') text.replace(at, tag.size(), prefixed);
      }
    }
  }
  text.replace(text.find("<e:IntervalBlock xmlns="), 23, "<e:IntervalBlock xmlns:e=");
  const auto records = read_espi(text, kRequest);
  ASSERT_TRUE(records) << records.error().message << text;
  EXPECT_EQ(records->at(0).quantity, 974);
}

TEST(Espi, DocumentsThatAreNone) {
  const std::string good = Feed().reading(kMidnight, 3600, "1").text();
  EXPECT_EQ(read_espi("", kRequest).error().id, "espi.broken");
  EXPECT_EQ(read_espi(good.substr(0, good.size() - 10), kRequest).error().id, "espi.broken");
  EXPECT_EQ(read_espi("<html/>", kRequest).error().id, "espi.not-a-feed");
  EXPECT_EQ(read_espi(Feed().text(), kRequest).error().id, "espi.no-readings");
  const std::string attack = "<!DOCTYPE feed [<!ENTITY x SYSTEM \"file:///etc/passwd\"><!ENTITY y \"&x;&x;\">]>";
  EXPECT_EQ(read_espi(attack + good.substr(good.find("<feed")), kRequest).error().id, "espi.doctype");
  Feed entity;
  entity.reading(kMidnight, 3600, "&x;1");
  EXPECT_EQ(read(entity)[0].reason, Reason::bad_number) << "an unknown entity is text, and no number";
  EXPECT_EQ(read_espi(std::string(kEspiTagsMax + 1, '<'), kRequest).error().id, "espi.too-large");
  std::string foreign = good;
  for (std::size_t at; (at = foreign.find("naesb.org/espi\"")) != std::string::npos;) foreign.replace(at, 9, "elsewhere");
  EXPECT_EQ(read_espi(foreign, kRequest).error().id, "espi.no-readings") << "other namespaces are other formats";
}

}  // namespace
}  // namespace tanhui::activity
