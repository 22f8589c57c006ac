// identity/consent.h: what people agreed to, per source and purpose. Every word is kept; the latest one counts, and at the same
// millisecond a withdrawal counts more than an agreement. A person who was erased agrees to nothing, in no programme, for ever: the keys
// of their pseudonyms stay as tombstones (identity/people.h), and what comes under them is refused.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/hash.h"
#include "core/time.h"
#include "db/db.h"

namespace tanhui::identity {

constexpr std::string_view kEverySource = "*";

/// crediting: records are accounted. statistics: they are counted in tables that are published. marketing: the person is written to about
/// other things. sharing: results go to an organisation that the person belongs to (an employer, a bank).
enum class Purpose : std::uint8_t { crediting, statistics, marketing, sharing };
constexpr Purpose kPurposes[] = {Purpose::crediting, Purpose::statistics, Purpose::marketing, Purpose::sharing};
std::string_view name(Purpose purpose);
/// Errors: consent.unknown-purpose.
core::Result<Purpose> parse_purpose(std::string_view name);

/// Who gave the word: the person here, a partner that had it from the person, or the operator's door.
enum class SaidBy : std::uint8_t { person, partner, operator_ };
std::string_view name(SaidBy said_by);

/// What goes with a word. `wording`: version of the text that was shown, at most 60 characters; empty when it is not known.
struct Saying {
  Purpose purpose = Purpose::crediting;
  SaidBy said_by = SaidBy::operator_;
  std::string_view wording = "";
};

/// Repeating the same word is harmless; `source` is an id of the programme or kEverySource.
void record_consent(db::Transaction& tx, std::string_view programme, const core::PersonKey& person, std::string_view source,
                    core::Millis at_ms, const Saying& saying = {});
void withdraw_consent(db::Transaction& tx, std::string_view programme, const core::PersonKey& person, std::string_view source,
                      core::Millis at_ms, const Saying& saying = {});

/// Says it unless that is the last word already, and so that it is the last word even when the clock went back. Returns whether it was
/// said.
bool change_consent(db::Transaction& tx, std::string_view programme, const core::PersonKey& person, std::string_view source, bool given,
                    core::Millis now_ms, const Saying& saying = {});

/// A word as it was given.
struct ConsentWord {
  std::string programme, source, wording;
  Purpose purpose = Purpose::crediting;
  core::Millis at_ms = 0;
  bool given = false;
  SaidBy said_by = SaidBy::operator_;
};
/// All words of a person, in every programme, the oldest first.
std::vector<ConsentWord> consent_history(db::Reader& reader, const core::PersonKey& person);
/// Whether the person agrees now; `without_a_word` is the answer when nothing was said. False for ever after an erasure.
bool has_consent(db::Reader& reader, std::string_view programme, const core::PersonKey& person, std::string_view source, Purpose purpose,
                 bool without_a_word);

/// People who withdrew crediting from at least one source and did not agree again, ascending.
std::vector<core::PersonKey> withdrawn(db::Reader& reader, std::string_view programme);

/// Whether anybody ever said anything, or was erased.
bool anybody_spoke(db::Reader& reader, std::string_view programme);

/// The state of a programme's consents for a run: read once, asked by any thread.
class ConsentBook {
 public:
  /// `sources`: ids in the order of the indexes that allows() gets. `required`: without a word the answer is no.
  ConsentBook(db::Reader& reader, std::string_view programme, std::span<const std::string> sources, bool required,
              Purpose purpose = Purpose::crediting);
  /// The same for `people` only, as the transaction sees it: for a few records at a time.
  ConsentBook(db::Transaction& tx, std::string_view programme, std::span<const std::string> sources, bool required,
              std::span<const core::PersonKey> people, Purpose purpose = Purpose::crediting);
  /// Nobody ever said anything, nobody was erased and nothing is required: every answer is yes.
  bool always() const { return !required_ && words_.empty() && erased_.empty(); }
  bool allows(const core::PersonKey& person, std::size_t source) const;

 private:
  void take(const db::Row& row, std::span<const std::string> sources);
  struct Word {  // the latest of a person on a source
    core::PersonKey person;
    std::int64_t source;  // index, or -1 for all of them
    core::Millis at_ms;
    bool given;
  };
  std::vector<Word> words_;              // by person and source
  std::vector<core::PersonKey> erased_;  // ascending
  bool required_;
};

}  // namespace tanhui::identity
