// identity/consent.h: what people agreed to, per source and purpose. Every word is kept; the latest one counts, and at the same
// millisecond a withdrawal counts more than an agreement.
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

/// Repeating the same word is harmless; `source` is an id of the programme or kEverySource. Purpose: crediting.
void record_consent(db::Transaction& tx, std::string_view programme, const core::PersonKey& person, std::string_view source,
                    core::Millis at_ms);
void withdraw_consent(db::Transaction& tx, std::string_view programme, const core::PersonKey& person, std::string_view source,
                      core::Millis at_ms);

/// Says it unless that is the last word already, and so that it is the last word even when the clock went back. Returns whether it was
/// said.
bool change_consent(db::Transaction& tx, std::string_view programme, const core::PersonKey& person, std::string_view source, bool given,
                    core::Millis now_ms);

/// People who withdrew from at least one source and did not agree again, ascending.
std::vector<core::PersonKey> withdrawn(db::Reader& reader, std::string_view programme);

/// Whether anybody ever said anything.
bool anybody_spoke(db::Reader& reader, std::string_view programme);

/// The state of a programme's consents for a run: read once, asked by any thread.
class ConsentBook {
 public:
  /// `sources`: ids in the order of the indexes that allows() gets. `required`: without a word the answer is no.
  ConsentBook(db::Reader& reader, std::string_view programme, std::span<const std::string> sources, bool required);
  /// The same for `people` only, as the transaction sees it: for a few records at a time.
  ConsentBook(db::Transaction& tx, std::string_view programme, std::span<const std::string> sources, bool required,
              std::span<const core::PersonKey> people);
  /// Nobody ever said anything and nothing is required: every answer is yes.
  bool always() const { return !required_ && words_.empty(); }
  bool allows(const core::PersonKey& person, std::size_t source) const;

 private:
  void take(const db::Row& row, std::span<const std::string> sources);
  struct Word {  // the latest of a person on a source
    core::PersonKey person;
    std::int64_t source;  // index, or -1 for all of them
    core::Millis at_ms;
    bool given;
  };
  std::vector<Word> words_;  // by person and source
  bool required_;
};

}  // namespace tanhui::identity
