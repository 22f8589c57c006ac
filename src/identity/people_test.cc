#include "identity/people.h"

#include <gtest/gtest.h>

#include "core/files.h"
#include "db/test_database.h"
#include "identity/consent.h"
#include "identity/otp.h"
#include "identity/person_id.h"

namespace tanhui::identity {
namespace {

const core::KeySecret kSecret([] {
  static std::array<std::uint8_t, core::KeySecret::kBytes> bytes{1, 2, 3};
  return std::span<const std::uint8_t, core::KeySecret::kBytes>(bytes);
}());

/// A database, a vault in a folder of its own, and what stands on both.
class PeopleTest : public testing::Test {
 protected:
  PeopleTest() : people(safe, kSecret) {}
  ~PeopleTest() override { std::filesystem::remove_all(folder); }
  static std::filesystem::path make_folder() {
    const auto folder = std::filesystem::temp_directory_path() / fmt::format("tanhui_people_{}", ::getpid());
    std::filesystem::create_directories(folder);
    return folder;
  }
  Contact phone(std::string_view value = "13800138000") const { return *normalise_contact(ContactKind::phone, value); }
  Contact mail(std::string_view value = "wang@example.org") const { return *normalise_contact(ContactKind::mail, value); }
  PersonId joined(const Contact& contact, core::Millis now_ms = 1'000) {
    return database.transact([&](db::Transaction& tx) { return people.register_by(tx, contact, now_ms); })->id;
  }
  template <class Work>
  std::string outcome(Work work) {
    const auto result = database.transact(work);
    return result ? "" : result.error().id;
  }

  const std::filesystem::path folder = make_folder();
  db::test::Place place;
  db::Database database = place.open();
  LocalVault vault = *LocalVault::open_or_create(folder / "master.key", Suite::standard, system_randomness());
  Safe safe{vault, system_randomness()};
  People people;
};

TEST_F(PeopleTest, AContactFindsItsPerson) {
  const PersonId wang = joined(phone());
  EXPECT_EQ(joined(phone("+86 138 0013 8000")), wang);
  EXPECT_NE(joined(phone("13900139000")), wang);
  ASSERT_EQ(outcome([&](db::Transaction& tx) { return people.set_contact(tx, wang, mail("Wang@Example.ORG"), 2'000); }), "");
  EXPECT_EQ(people.find_by_contact(database, mail("Wang@example.org")), wang);
  EXPECT_FALSE(people.find_by_contact(database, mail("nobody@example.org")));
  const auto contacts = *people.contacts(database, wang);
  ASSERT_EQ(contacts.size(), 2u);
  EXPECT_EQ(contacts[0].value, "Wang@example.org");
  EXPECT_EQ(contacts[1].value, "+8613800138000");
  EXPECT_EQ(count_people(database).here, 2);
  EXPECT_EQ(people_after(database, std::nullopt, 1).size(), 1u);
  EXPECT_EQ(people_after(database, people_after(database, std::nullopt, 1)[0].id, 10).size(), 1u);
}

TEST_F(PeopleTest, APhoneFindsWhatPartnersSend) {
  // The partner's way: blind, have evaluated, finish. The registered person's key is the one that intake makes of that text.
  const auto keys = *database.transact([&](db::Transaction& tx) { return PseudonymKeys::load_or_make(tx, safe, 1); });
  const std::string input = *normalise_id(IdKind::phone, "13800138000");
  const auto blind = oprf::random_scalar(system_randomness());
  const oprf::Element sent[] = {*oprf::blind(oprf::Mode::voprf, input, blind)};
  const auto evaluation = *keys.evaluate(1, sent, system_randomness());
  const auto info = pseudonym_keys(database);
  ASSERT_EQ(info.size(), 1u);
  EXPECT_TRUE(oprf::verify(info[0].public_key, sent, evaluation.elements, evaluation.proof));
  const std::string text = blinded_pseudonym(1, *oprf::finalize(input, blind, evaluation.elements[0])).text();
  EXPECT_EQ(text.size(), 46u);

  const PersonId wang = joined(phone());
  EXPECT_EQ(person_of(database, kSecret.person(text)), wang);
  EXPECT_EQ(find_person(database, wang)->links.size(), 1u);
}

TEST_F(PeopleTest, PseudonymsLinkOnce) {
  const PersonId wang = joined(phone()), li = joined(mail());
  const auto rekey = *database.transact([&](db::Transaction& tx) { return service_key(tx, safe, "rekey", 1); });
  const DataKey partner = DataKey::random(system_randomness());
  const std::string hashed = rekeyed_pseudonym(rekey, "metro", partner_hash(partner, "tel:+8613800138000")).text();
  EXPECT_NE(hashed, rekeyed_pseudonym(rekey, "bus", partner_hash(partner, "tel:+8613800138000")).text());
  EXPECT_EQ(hashed.substr(0, 3), "h1.");
  const auto link = [&](const PersonId& id, const std::string& text) {
    return outcome([&](db::Transaction& tx) { return people.link(tx, id, text, 5); });
  };
  EXPECT_EQ(link(wang, hashed), "");
  EXPECT_EQ(link(wang, hashed), "");  // again: as it was
  EXPECT_EQ(link(li, hashed), "pseudonym.taken");
  EXPECT_EQ(link(li, "13800138000"), "pseudonym.bad-text");
  EXPECT_EQ(link(PersonId{}, hashed), "person.not-found");
  EXPECT_EQ(find_person(database, wang)->links.size(), 2u);
  for (const char* wrong : {"", "o", "o1", "o1.", "o0.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                            "o01.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "x1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                            "o1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB", "o4294967296.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"})
    EXPECT_FALSE(parse_pseudonym(wrong)) << wrong;
  EXPECT_EQ(parse_pseudonym(hashed)->text(), hashed);
}

TEST_F(PeopleTest, TwoVersionsLiveAndNoMore) {
  const PersonId wang = joined(phone());
  const auto day = [](int month) { return core::day_of(2026, unsigned(month), 1); };
  const auto rotate = [&](core::Day from) {
    return outcome([&](db::Transaction& tx) { return PseudonymKeys::rotate(tx, safe, from, 9); });
  };
  const auto retire = [&](std::uint32_t version) {
    return outcome([&](db::Transaction& tx) { return PseudonymKeys::retire(tx, version, 9); });
  };
  EXPECT_EQ(retire(1), "pseudonym.last-version");
  EXPECT_EQ(rotate(day(3)), "");
  EXPECT_EQ(rotate(day(4)), "pseudonym.two-live");
  EXPECT_EQ(joined(phone()), wang);  // coming back links the new version too
  EXPECT_EQ(find_person(database, wang)->links.size(), 2u);
  EXPECT_EQ(retire(1), "");
  EXPECT_EQ(retire(1), "pseudonym.unknown-version");
  EXPECT_EQ(rotate(day(3)), "pseudonym.bad-day");
  EXPECT_EQ(rotate(day(5)), "");
  const auto keys = PseudonymKeys::load(database, vault);
  ASSERT_EQ(keys->live().size(), 2u);
  EXPECT_EQ(keys->live()[0].version, 2u);
  const std::vector<oprf::Element> one(1);
  EXPECT_EQ(keys->evaluate(1, one, system_randomness()).error().id, "pseudonym.unknown-version");
}

TEST_F(PeopleTest, ContactsAreOneEach) {
  const PersonId wang = joined(phone()), li = joined(mail());
  const auto set = [&](const PersonId& id, const Contact& contact) {
    return outcome([&](db::Transaction& tx) { return people.set_contact(tx, id, contact, 5); });
  };
  const auto remove = [&](const PersonId& id, ContactKind kind) {
    return outcome([&](db::Transaction& tx) { return people.remove_contact(tx, id, kind); });
  };
  EXPECT_EQ(set(wang, mail()), "contact.taken");
  EXPECT_EQ(remove(li, ContactKind::mail), "contact.last");
  EXPECT_EQ(remove(li, ContactKind::phone), "contact.none");
  EXPECT_EQ(set(wang, mail("w@example.org")), "");
  EXPECT_EQ(remove(wang, ContactKind::phone), "");
  EXPECT_EQ(find_person(database, wang)->links.size(), 1u);  // what was done under the number stays theirs
  EXPECT_EQ(set(wang, phone("13700137000")), "");
  EXPECT_EQ(find_person(database, wang)->links.size(), 2u);
}

TEST_F(PeopleTest, ContactsHaveOneWayToWrite) {
  const struct {
    ContactKind kind;
    std::string_view text, written;  // empty: refused
  } rows[] = {
      {ContactKind::mail, " Wang.Li+x@Example.Org ", "Wang.Li+x@example.org"},
      {ContactKind::mail, "a@b", ""},
      {ContactKind::mail, "a.example.org", ""},
      {ContactKind::mail, "a@@example.org", ""},
      {ContactKind::mail, ".a@example.org", ""},
      {ContactKind::mail, "a@example..org", ""},
      {ContactKind::mail, "a b@example.org", ""},
      {ContactKind::mail, "a@example.org\r\nRCPT TO:<b@example.org>", ""},
      {ContactKind::mail, "<a@example.org>", ""},
      {ContactKind::mail, "", ""},
      {ContactKind::phone, "138 0013 8000", "+8613800138000"},
      {ContactKind::phone, "12", ""},
      {ContactKind::wechat, "oGZUI0egBJY1zhBYw2KhdUfwVJJE", "oGZUI0egBJY1zhBYw2KhdUfwVJJE"},
      {ContactKind::wechat, "", ""},
  };
  for (const auto& [kind, text, written] : rows) {
    const auto contact = normalise_contact(kind, text);
    EXPECT_EQ(contact ? contact->value : "", written) << text;
    EXPECT_TRUE(contact || text.size() < 4 || contact.error().message.find(text) == std::string::npos);
  }
}

TEST_F(PeopleTest, WhoLooksIsSeen) {
  const PersonId wang = joined(phone());
  const auto look = [&](const PersonId& id, std::string_view actor, AccessPurpose purpose) {
    return outcome([&](db::Transaction& tx) { return look_at(tx, id, actor, purpose, "contacts,records", 77); });
  };
  EXPECT_EQ(look(wang, "st-1", AccessPurpose::support), "");
  EXPECT_EQ(look(wang, "console", AccessPurpose::legal_request), "");
  EXPECT_EQ(look(PersonId{}, "st-1", AccessPurpose::support), "person.not-found");
  const auto seen = accesses(database, wang, 10);
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0].actor, "console");
  EXPECT_EQ(seen[0].purpose, AccessPurpose::legal_request);
  EXPECT_EQ(seen[1].fields, "contacts,records");
  EXPECT_EQ(parse_access_purpose("curiosity").error().id, "access.unknown-purpose");
}

TEST_F(PeopleTest, AnErasedPersonIsGone) {
  const PersonId wang = joined(phone()), li = joined(mail());
  const core::PersonKey key = find_person(database, wang)->links[0].key;
  ASSERT_EQ(outcome([&](db::Transaction& tx) -> core::Status {
              record_consent(tx, "city", key, "*", 5);
              return look_at(tx, wang, "st-1", AccessPurpose::support, "contacts", 6);
            }),
            "");
  EXPECT_EQ(*database.transact([&](db::Transaction& tx) { return people.erase(tx, wang, 1'000); }), 1);
  EXPECT_EQ(outcome([&](db::Transaction& tx) { return people.erase(tx, wang, 2'000); }), "person.not-found");
  EXPECT_EQ(people.contacts(database, wang).error().id, "person.not-found");
  EXPECT_FALSE(people.find_by_contact(database, phone()));
  EXPECT_FALSE(person_of(database, key));
  EXPECT_TRUE(is_erased(database, key));
  EXPECT_FALSE(has_consent(database, "city", key, "gate", Purpose::crediting, true));
  const auto gone = find_person(database, wang);
  EXPECT_EQ(gone->erased_ms, 1'000);
  EXPECT_TRUE(gone->links.empty());
  EXPECT_EQ(count_people(database).erased, 1);
  EXPECT_EQ(people.contacts(database, li)->size(), 1u);
  // Coming back is another person, who starts without what was erased.
  const PersonId again = joined(phone());
  EXPECT_NE(again, wang);
  EXPECT_TRUE(find_person(database, again)->links.empty());
  const auto keys = *PseudonymKeys::load(database, vault);
  EXPECT_EQ(outcome([&](db::Transaction& tx) { return people.link(tx, again, (*keys.pseudonyms_of("tel:+8613800138000"))[0].text(), 5); }),
            "pseudonym.erased");
}

TEST_F(PeopleTest, EverythingIsWrappedAnew) {
  const PersonId wang = joined(phone());
  const auto run = [&](std::int64_t limit) { return *database.transact([&](db::Transaction& tx) { return rewrap(tx, safe, limit); }); };
  EXPECT_EQ(run(10).people, 0);
  joined(mail());
  ASSERT_TRUE(vault.rotate(Suite::national, system_randomness()));
  const auto first = run(1), second = run(1), third = run(1);
  EXPECT_EQ(first.service_keys, 2);  // contact, pseudonym
  EXPECT_EQ(first.people + second.people, 2);
  EXPECT_EQ(third.people + third.service_keys, 0);
  ASSERT_TRUE(vault.retire_old());
  EXPECT_EQ((*people.contacts(database, wang))[0].value, "+8613800138000");
  ASSERT_EQ(outcome([&](db::Transaction& tx) { return people.set_contact(tx, wang, mail("n@example.org"), 5); }), "");
  EXPECT_EQ((*people.contacts(database, wang))[0].value, "n@example.org");  // sealed by SM4, beside the other
}

/// Nothing that an erased person left is in the store's own files: neither what was sealed nor the key that opens it.
TEST_F(PeopleTest, TheStoreForgetsBytes) {
  if (db::test::on_postgres()) GTEST_SKIP() << "PostgreSQL's files are its own";
  std::vector<PersonId> many;
  for (int i = 0; i < 300; ++i) many.push_back(joined(mail(fmt::format("person-{}@example.org", i))));
  const PersonId wang = many[150];
  const auto stored = [&](const char* sql) { return *database.find<std::string>(sql, db::Bytes{text_of(wang.bytes)}); };
  const std::string sealed = stored("SELECT sealed FROM contact WHERE person = $1");
  const std::string wrapped = stored("SELECT wrapped_key FROM person WHERE id = $1");
  const std::string lookup = stored("SELECT lookup FROM contact WHERE person = $1");
  const auto on_disk = [&](std::string_view bytes) {
    bool found = false;
    for (const char* suffix : {"", "-wal"}) {
      const auto file = core::read_file(place.where() + suffix);
      found = found || (file && file->find(bytes) != std::string::npos);
    }
    return found;
  };
  EXPECT_TRUE(on_disk(sealed) && on_disk(wrapped) && on_disk(lookup));
  EXPECT_FALSE(on_disk("person-150@example.org"));  // readable it never was
  ASSERT_TRUE(database.transact([&](db::Transaction& tx) { return people.erase(tx, wang, 1'000); }));
  EXPECT_TRUE(database.compact(kErasedTables));
  EXPECT_FALSE(on_disk(sealed));
  EXPECT_FALSE(on_disk(wrapped));
  EXPECT_FALSE(on_disk(lookup));
  EXPECT_EQ((*people.contacts(database, many[151]))[0].value, "person-151@example.org");
}

class CodesTest : public PeopleTest {
 protected:
  CodesTest() : codes(safe, people) {}
  NewCode asked(core::Millis now_ms, CodePurpose purpose = CodePurpose::login) {
    return *database.transact([&](db::Transaction& tx) { return codes.ask(tx, purpose, mail(), false, now_ms); });
  }
  std::string ask_outcome(core::Millis now_ms) {
    return outcome([&](db::Transaction& tx) { return codes.ask(tx, CodePurpose::login, mail(), false, now_ms); });
  }
  /// The caller commits also when it is refused.
  std::string answer(const NewCode& code, std::string_view digits, core::Millis now_ms, CodePurpose purpose = CodePurpose::login,
                     std::string_view to = "wang@example.org") {
    db::Transaction tx = database.begin();
    const auto status = codes.answer(tx, purpose, mail(to), code.question.text(), digits, now_ms);
    tx.commit();
    return status ? "" : status.error().id;
  }
  Codes codes;
};

TEST_F(CodesTest, TheRightCodeOnce) {
  const NewCode code = asked(0);
  EXPECT_EQ(code.message.code.size(), 6u);
  const std::string other = code.message.code == "000000" ? "000001" : "000000";
  EXPECT_EQ(answer(code, other, 1), "code.wrong");
  EXPECT_EQ(answer(code, code.message.code, 1, CodePurpose::erase), "code.wrong");
  EXPECT_EQ(answer(code, code.message.code, 1, CodePurpose::login, "li@example.org"), "code.wrong");
  EXPECT_EQ(answer(code, code.message.code, 2), "");
  EXPECT_EQ(answer(code, code.message.code, 3), "code.wrong");
  EXPECT_EQ(database.find<std::int64_t>("SELECT COUNT(*) FROM one_time_code WHERE digest = $1", db::Bytes{code.message.code}), 0);
}

TEST_F(CodesTest, FiveWrongAnswersAndFiveMinutes) {
  const NewCode code = asked(0);
  const std::string other = code.message.code == "000000" ? "000001" : "000000";
  for (int i = 0; i < 5; ++i) EXPECT_EQ(answer(code, other, 1), "code.wrong");
  EXPECT_EQ(answer(code, code.message.code, 2), "code.wrong");
  const NewCode late = asked(100'000);
  EXPECT_EQ(answer(late, late.message.code, 400'000), "code.wrong");
  const NewCode last = asked(500'000);
  EXPECT_EQ(answer(last, last.message.code, 799'999), "");
}

TEST_F(CodesTest, ANewCodeEndsTheOldOne) {
  const NewCode first = asked(0), second = asked(60'000);
  EXPECT_EQ(answer(first, first.message.code, 60'001), "code.wrong");
  EXPECT_EQ(answer(second, second.message.code, 60'001), "");
}

TEST_F(CodesTest, CodesAreNotSentTooOften) {
  core::Millis now = 0;
  EXPECT_EQ(ask_outcome(now), "");
  EXPECT_EQ(ask_outcome(now + 59'999), "code.too-often");
  for (int i = 0; i < 4; ++i) EXPECT_EQ(ask_outcome(now += 60'000), "");
  EXPECT_EQ(ask_outcome(now += 60'000), "code.too-often");  // five in an hour
  now = 3'600'000;
  for (int i = 0; i < 5; ++i, now += 61'000) EXPECT_EQ(ask_outcome(now), "") << i;
  EXPECT_EQ(ask_outcome(now + 3'600'000), "code.too-often");  // ten in a day
  EXPECT_EQ(ask_outcome(now + 86'400'000), "");
  db::Transaction tx = database.begin();
  EXPECT_EQ(Codes::clear(tx, now + 86'400'000), 10);
}

TEST_F(CodesTest, CodesAreSpreadEvenly) {
  // 600 codes on ten first digits: 60 each, give or take five standard deviations (7.35 each).
  std::array<int, 10> first{};
  std::uint64_t state = 1;
  Safe seeded{vault, [&](std::span<std::uint8_t> bytes) {
                for (std::uint8_t& byte : bytes) byte = std::uint8_t((state = state * 6364136223846793005u + 1442695040888963407u) >> 56);
              }};
  const People their(seeded, kSecret);
  Codes many(seeded, their, {.between_ms = 1, .per_hour = 1'000'000, .per_day = 1'000'000});
  db::Transaction tx = database.begin();
  for (int i = 0; i < 600; ++i) ++first[std::size_t(many.ask(tx, CodePurpose::login, mail(), false, 2 * i)->message.code[0] - '0')];
  for (const int count : first) EXPECT_NEAR(count, 60, 37);
}

TEST(CodeText, SaysWhatItIsFor) {
  CodeMessage message{*normalise_contact(ContactKind::mail, "a@example.org"), CodePurpose::login, "012345", 0, false};
  EXPECT_NE(text_of_code(message, "Tanhui").body.find("012345 is your code to log in at Tanhui"), std::string::npos);
  message.chinese = true;
  message.purpose = CodePurpose::erase;
  EXPECT_NE(text_of_code(message, "碳惠").body.find("注销账户（碳惠），验证码：012345"), std::string::npos);
  SandboxSender sandbox;
  for (int i = 0; i < 101; ++i) EXPECT_TRUE(sandbox.send(message));
  EXPECT_EQ(sandbox.messages().size(), SandboxSender::kMessagesMax);
}

}  // namespace
}  // namespace tanhui::identity
