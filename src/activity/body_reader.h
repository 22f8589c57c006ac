// activity/body_reader.h: a request's body to records: NDJSON, or a JSON list, or one JSON object, with Tanhui's own field names (those of
// native_profile(), without `source`, which whoever sent the request is).
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "activity/intake.h"
#include "activity/record.h"
#include "core/result.h"
#include "identity/programme.h"
#include "methodology/methodology.h"

namespace tanhui::activity {

constexpr std::size_t kBodyRecordsMax = 10'000;

/// One for each source of a programme and thread; keeps its buffers. `names` are the open window's.
class BodyReader {
 public:
  /// Errors: not_found source.unknown when the programme has no such source; those of check_against().
  static core::Result<std::unique_ptr<BodyReader>> make(Names& names, const core::KeySecret& secret, const identity::Programme& programme,
                                                        const methodology::Library& library, std::string_view source);
  /// The same for bodies of another shape, which a profile explains (OCPI, MDS ...).
  static core::Result<std::unique_ptr<BodyReader>> make(Names& names, const core::KeySecret& secret, const identity::Programme& programme,
                                                        const methodology::Library& library, std::string_view source,
                                                        const Profile& profile);
  virtual ~BodyReader() = default;
  /// Every element becomes one record, in order; one that cannot be read is a record with a reason. `line` counts from 1: the line of
  /// NDJSON, the element of a list. Errors: invalid_input body.empty, body.broken-json, body.too-many-records.
  virtual core::Status read(std::string_view body, RecordBatch& records) = 0;
};

}  // namespace tanhui::activity
