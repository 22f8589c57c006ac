#include "identity/blinding.h"

#include <gtest/gtest.h>

#include <sstream>

#include "db/test_database.h"

namespace tanhui::identity {
namespace {

/// The platform's side, on a database of its own.
class Blinding : public testing::Test {
 protected:
  ~Blinding() override { std::filesystem::remove_all(folder); }
  static std::filesystem::path make_folder() {
    const auto made = std::filesystem::temp_directory_path() / fmt::format("tanhui_blinding_{}", ::getpid());
    std::filesystem::create_directories(made);
    return made;
  }
  BlindOptions options(bool skip_bad = false) { return {IdKind::phone, 1, pseudonym_keys(database)[0].public_key, skip_bad}; }
  std::string evaluated(const std::string& requests) {
    std::istringstream in(requests);
    std::ostringstream out;
    const auto count = evaluate_lines(in, out, keys, system_randomness());
    EXPECT_TRUE(count) << count.error().message;
    return out.str();
  }
  core::Result<BatchReport> finished(const std::string& ids, const std::string& responses, const BlindState& state, std::string& out) {
    std::istringstream in(ids), answers(responses);
    std::ostringstream written;
    auto report = finish_lines(in, answers, written, state);
    out = written.str();
    return report;
  }
  const std::filesystem::path folder = make_folder();
  db::Database database = db::test::fresh_database();
  LocalVault vault = *LocalVault::open_or_create(folder / "master.key", Suite::standard, system_randomness());
  Safe safe{vault, system_randomness()};
  PseudonymKeys keys = *database.transact([&](db::Transaction& tx) { return PseudonymKeys::load_or_make(tx, safe, 1); });
};

std::string phones(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += fmt::format("138{:08}\n", i);
  return text;
}

TEST_F(Blinding, LineForLineAcrossBatches) {
  const std::string ids = phones(2'001);
  std::istringstream in(ids);
  std::ostringstream requests;
  BatchReport report;
  const auto blinded = blind_lines(in, requests, options(), system_randomness(), report);
  ASSERT_TRUE(blinded);
  EXPECT_EQ(report.good, 2'001);
  const std::string sent = requests.str();
  EXPECT_EQ(std::count(sent.begin(), sent.end(), '\n'), 3);  // 1,000, 1,000 and 1
  EXPECT_EQ(sent.find("13800000"), std::string::npos);
  std::string out;
  const auto state = parse_blind_state(blinded->state.text());
  ASSERT_TRUE(state);
  ASSERT_TRUE(finished(ids, evaluated(sent), *state, out));
  std::istringstream lines(out);
  std::string line;
  for (int i = 0; i < 2'001; ++i) {
    ASSERT_TRUE(std::getline(lines, line));
    if (i % 500 == 0) {
      EXPECT_EQ(line, (*keys.pseudonyms_of(fmt::format("tel:+86138{:08}", i)))[0].text()) << i;
    }
  }
  EXPECT_FALSE(std::getline(lines, line));
}

TEST_F(Blinding, BadLinesAreNamedAndNeverShown) {
  const std::string ids = "13800138000\n1380013800\n\n+85291234567\nsecret-name\n";
  std::istringstream in(ids);
  std::ostringstream requests;
  BatchReport report;
  const auto refused = blind_lines(in, requests, options(), system_randomness(), report);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().id, "blind.bad-lines");
  ASSERT_EQ(report.problems.size(), 3u);
  EXPECT_EQ(report.problems[0].line, 2);
  EXPECT_EQ(report.problems[1].line, 3);
  EXPECT_EQ(report.problems[2].line, 5);
  for (const auto& problem : report.problems) EXPECT_EQ(problem.error.message.find("secret"), std::string::npos);

  std::istringstream again(ids);
  const auto blinded = blind_lines(again, requests, options(true), system_randomness(), report);
  ASSERT_TRUE(blinded);
  EXPECT_EQ(report.bad(), 3);
  std::string out;
  ASSERT_TRUE(finished(ids, evaluated(requests.str()), blinded->state, out));
  const std::string first = (*keys.pseudonyms_of("tel:+8613800138000"))[0].text(),
                    fourth = (*keys.pseudonyms_of("tel:+85291234567"))[0].text();
  EXPECT_EQ(out, first + "\n\n\n" + fourth + "\n\n");
}

TEST_F(Blinding, WhatDoesNotFitIsRefused) {
  const std::string ids = phones(3);
  std::istringstream in(ids);
  std::ostringstream requests;
  BatchReport report;
  const BlindState state = blind_lines(in, requests, options(), system_randomness(), report)->state;
  const std::string responses = evaluated(requests.str());
  BlindState of_other_key = parse_blind_state(state.text()) ? *parse_blind_state(state.text()) : BlindState{};
  of_other_key.options.public_key = oprf::random_key_pair(system_randomness()).public_key;
  std::string changed = responses;
  const std::size_t proof = changed.find("\"proof\":\"") + 9;
  changed[proof] = changed[proof] == 'A' ? 'B' : 'A';
  const struct {
    const char* why;
    std::string ids, responses;
    const BlindState& state;
    std::string_view id;
  } rows[] = {
      {"as it was", ids, responses, state, ""},
      {"an id less", phones(2), responses, state, "blind.bad-response"},
      {"an id more", phones(4), responses, state, "blind.other-ids"},
      {"another order", "13800000001\n13800000000\n13800000002\n", responses, state, "oprf.bad-proof"},
      {"a bad line now", "13800000000\nx\n13800000002\n", responses, state, "blind.other-ids"},
      {"no response", ids, "", state, "blind.bad-response"},
      {"two responses", ids, responses + responses, state, "blind.bad-response"},
      {"no JSON", ids, "hello\n", state, "blind.bad-response"},
      {"another key than was published", ids, responses, of_other_key, "blind.other-key"},
      {"another proof", ids, changed, state, "oprf.bad-proof"},
  };
  for (const auto& row : rows) {
    std::string out;
    const auto done = finished(row.ids, row.responses, row.state, out);
    EXPECT_EQ(done ? "" : done.error().id, row.id) << row.why;
    EXPECT_TRUE(done || row.why == std::string_view("two responses") || out.empty()) << row.why;
  }
  for (const char* wrong : {"", "hello", "{}", "{\"version\":1,\"elements\":[]}", "{\"version\":1,\"elements\":[\"AA\"]}",
                            "{\"version\":0,\"elements\":[]}", "{\"version\":1,\"elements\":[1]}"}) {
    std::istringstream bad(std::string(wrong) + "\n");
    std::ostringstream nowhere;
    EXPECT_EQ(evaluate_lines(bad, nowhere, keys, system_randomness()).error().id, "blind.bad-request") << wrong;
  }
  std::string text = state.text();
  EXPECT_TRUE(parse_blind_state(text));
  EXPECT_FALSE(parse_blind_state(text + "x"));
  EXPECT_FALSE(parse_blind_state(text.substr(1)));
  EXPECT_FALSE(parse_blind_state(text.substr(0, text.size() - 1)));
}

TEST_F(Blinding, TheWeakerWay) {
  const DataKey partner = DataKey::random(system_randomness()), rekey = DataKey::random(system_randomness());
  std::istringstream in("13800138000\n\n+86 138-0013-8000\n");
  std::ostringstream hashes;
  BatchReport report;
  ASSERT_TRUE(hash_lines(in, hashes, IdKind::phone, true, partner, report));
  EXPECT_EQ(report.bad(), 1);
  std::istringstream sent(hashes.str()), wrong("abc\n");
  std::ostringstream out, nowhere;
  EXPECT_EQ(*rekey_lines(sent, out, rekey, "metro"), 2);
  const std::string expected = rekeyed_pseudonym(rekey, "metro", partner_hash(partner, "tel:+8613800138000")).text();
  EXPECT_EQ(out.str(), expected + "\n\n" + expected + "\n");
  EXPECT_EQ(rekey_lines(wrong, nowhere, rekey, "metro").error().id, "blind.bad-hash");
}

}  // namespace
}  // namespace tanhui::identity
