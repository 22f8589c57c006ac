#include "identity/blinding.h"

#include <fmt/format.h>

#include <charconv>

#include "core/base64.h"
#include "core/bytes.h"
#include "core/invariant.h"
#include "core/json.h"

namespace tanhui::identity {
namespace {

using core::Error, core::ErrorCode;
constexpr std::string_view kKinds[] = {"phone", "resident-id", "other"};
constexpr oprf::Mode kMode = oprf::Mode::voprf;

/// The blind of the `index`-th good id: HMAC-SHA512 under the seed, 64 uniform bytes, reduced. 0 does not happen.
oprf::Scalar blind_of(const SecretBytes<32>& seed, std::int64_t index) {
  const std::string number = core::ByteWriter().raw("blind").i64(index).take();
  SecretBytes<64> uniform;
  crypto_auth_hmacsha512(uniform.data(), bytes_of(number).data(), number.size(), seed.data());
  oprf::Scalar scalar = oprf::scalar_from(uniform.bytes());
  core::invariant(sodium_is_zero(scalar.data(), 32) == 0, "a blind is not 0");
  return scalar;
}

/// Digest of all ids, keyed: without the seed nobody can try ids against it.
class Check {
 public:
  explicit Check(const SecretBytes<32>& seed) { crypto_auth_hmacsha256_init(&state_, seed.data(), 32); }
  void add(std::string_view id) {
    const std::string framed = core::ByteWriter().str(id).take();
    crypto_auth_hmacsha256_update(&state_, bytes_of(framed).data(), framed.size());
  }
  core::Digest finish() {
    core::Digest digest;
    crypto_auth_hmacsha256_final(&state_, digest.data());
    return digest;
  }

 private:
  crypto_auth_hmacsha256_state state_;
};

/// Reads ids line by line; counts lines and keeps the first problems. Nothing at the end of the file.
class IdLines {
 public:
  IdLines(std::istream& in, IdKind kind, BatchReport& report) : in_(in), kind_(kind), report_(report) {}
  struct Line {
    std::optional<std::string> id;  // normalised; nothing when it is bad
  };
  std::optional<Line> next() {
    if (!std::getline(in_, text_)) return std::nullopt;
    ++report_.lines;
    auto id = normalise_id(kind_, text_);
    if (!id) {
      if (report_.problems.size() < kProblemsShownMax) report_.problems.push_back({report_.lines, id.error()});
      return Line{};
    }
    ++report_.good;
    return Line{*std::move(id)};
  }

 private:
  std::istream& in_;
  IdKind kind_;
  BatchReport& report_;
  std::string text_;
};

Error bad_lines(const BatchReport& report) {
  return {ErrorCode::invalid_input,
          "blind.bad-lines",
          fmt::format("{} of {} lines are no ids", report.bad(), report.lines),
          "mend them, or leave them out with --skip-bad: their lines stay empty",
          {{"bad", std::to_string(report.bad())}, {"lines", std::to_string(report.lines)}}};
}
Error bad_line(std::string id, std::string_view what, std::int64_t line) {
  return {ErrorCode::invalid_input,
          std::move(id),
          fmt::format("line {} is not {}", line, what),
          "give the file as the other side wrote it, whole and in its order",
          {{"line", std::to_string(line)}}};
}

void write_elements(std::ostream& out, std::span<const oprf::Element> elements) {
  out << "\"elements\":[";
  for (std::size_t i = 0; i < elements.size(); ++i) out << (i == 0 ? "\"" : ",\"") << core::to_base64url(elements[i]) << '"';
  out << ']';
}

struct Batch {
  std::uint32_t version = 0;
  std::vector<oprf::Element> elements;
  oprf::Element public_key{};  // of a response
  oprf::Proof proof;
};

/// Nothing when the line is no request, or no response.
std::optional<Batch> parse_batch(const std::string& line, bool response) {
  if (line.size() > kBatchLineMax) return std::nullopt;
  const auto json = core::parse_json(line);
  if (!json) return std::nullopt;
  try {
    const core::MemberReader members(*json, "a batch");
    Batch batch;
    const std::int64_t version = members.integer("version");
    if (version < 1 || version > std::int64_t(UINT32_MAX)) return std::nullopt;
    batch.version = std::uint32_t(version);
    for (const auto& value : members.array("elements")) {
      oprf::Element element;
      if (!value.is_string() || batch.elements.size() == oprf::kBatchMax || !core::parse_base64url_exactly(value.as_string(), element))
        return std::nullopt;
      batch.elements.push_back(element);
    }
    if (batch.elements.empty()) return std::nullopt;
    if (!response) return batch;
    std::array<std::uint8_t, 64> proof;
    if (!core::parse_base64url_exactly(members.text("public_key"), batch.public_key) ||
        !core::parse_base64url_exactly(members.text("proof"), proof))
      return std::nullopt;
    std::copy_n(proof.begin(), 32, batch.proof.c.begin());
    std::copy_n(proof.begin() + 32, 32, batch.proof.s.begin());
    return batch;
  } catch (const core::BadMember&) {
    return std::nullopt;
  }
}

}  // namespace

std::string_view name(IdKind kind) { return kKinds[std::size_t(kind)]; }
core::Result<IdKind> parse_id_kind(std::string_view text) {
  for (const IdKind kind : {IdKind::phone, IdKind::resident_id, IdKind::other})
    if (name(kind) == text) return kind;
  return Error{ErrorCode::invalid_input,
               "id.unknown-kind",
               fmt::format("there is no kind of id '{}'", text),
               "use phone, resident-id or other",
               {{"kind", std::string(text)}}};
}

std::string BlindState::text() const {
  return fmt::format("tanhui-blind 1\nkind {}\nversion {}\npublic-key {}\nskip-bad {}\nlines {}\ncheck {}\nseed {}\n", name(options.kind),
                     options.version, core::to_base64url(options.public_key), options.skip_bad ? 1 : 0, lines, core::to_base64url(check),
                     core::to_base64url(seed.bytes()));
}

core::Result<BlindState> parse_blind_state(std::string_view text) {
  BlindState state;
  std::string_view rest = text;
  const auto value = [&](std::string_view key) -> std::string_view {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    if (line.size() == rest.size() || !line.starts_with(key) || line.size() <= key.size() || line[key.size()] != ' ') return {};
    rest.remove_prefix(line.size() + 1);
    return line.substr(key.size() + 1);
  };
  const auto number = [](std::string_view digits, auto& into) {
    const auto end = std::from_chars(digits.data(), digits.data() + digits.size(), into);
    return !digits.empty() && end.ec == std::errc() && end.ptr == digits.data() + digits.size();
  };
  const bool first = value("tanhui-blind") == "1";
  const auto kind = parse_id_kind(value("kind"));
  int skip = 0;
  const bool good = first && kind && number(value("version"), state.options.version) &&
                    core::parse_base64url_exactly(value("public-key"), state.options.public_key) && number(value("skip-bad"), skip) &&
                    (skip == 0 || skip == 1) && number(value("lines"), state.lines) &&
                    core::parse_base64url_exactly(value("check"), state.check) &&
                    core::parse_base64url_exactly(value("seed"), state.seed.bytes()) && rest.empty();
  if (!good)
    return Error{ErrorCode::invalid_input, "blind.bad-state", "this is not a state of `pseudonym blind`",
                 "give the file that it wrote; without it the ids have to be blinded again"};
  state.options.kind = *kind;
  state.options.skip_bad = skip == 1;
  return state;
}

core::Result<Blinded> blind_lines(std::istream& ids, std::ostream& requests, const BlindOptions& options, const Randomness& randomness,
                                  BatchReport& report) {
  report = {};
  Blinded blinded{.state = {.options = options, .seed = SecretBytes<32>::random(randomness)}, .report = {}};
  Check check(blinded.state.seed);
  std::vector<oprf::Element> batch;
  const auto flush = [&] {
    if (batch.empty()) return;
    requests << fmt::format("{{\"version\":{},", options.version);
    write_elements(requests, batch);
    requests << "}\n";
    batch.clear();
  };
  IdLines lines(ids, options.kind, report);
  while (const auto line = lines.next()) {
    check.add(line->id.value_or(""));
    if (!line->id || (report.bad() > 0 && !options.skip_bad)) continue;  // then only problems are of interest
    const auto element = oprf::blind(kMode, *line->id, blind_of(blinded.state.seed, report.good - 1));
    if (!element) return element.error();
    batch.push_back(*element);
    if (batch.size() == oprf::kBatchMax) flush();
  }
  if (report.bad() > 0 && !options.skip_bad) return bad_lines(report);
  flush();
  blinded.state.lines = report.lines;
  blinded.state.check = check.finish();
  blinded.report = report;
  return blinded;
}

core::Result<std::int64_t> evaluate_lines(std::istream& requests, std::ostream& responses, const PseudonymKeys& keys,
                                          const Randomness& randomness) {
  std::string text;
  std::int64_t elements = 0;
  for (std::int64_t line = 1; std::getline(requests, text); ++line) {
    const auto batch = parse_batch(text, false);
    if (!batch) return bad_line("blind.bad-request", "a request", line);
    const auto evaluation = keys.evaluate(batch->version, batch->elements, randomness);
    if (!evaluation) return evaluation.error();
    oprf::Element public_key{};
    for (const auto& key : keys.live())
      if (key.version == batch->version) public_key = key.pair.public_key;
    std::array<std::uint8_t, 64> proof;
    std::copy_n(evaluation->proof.c.begin(), 32, proof.begin());
    std::copy_n(evaluation->proof.s.begin(), 32, proof.begin() + 32);
    responses << fmt::format("{{\"version\":{},\"public_key\":\"{}\",", batch->version, core::to_base64url(public_key));
    write_elements(responses, evaluation->elements);
    responses << ",\"proof\":\"" << core::to_base64url(proof) << "\"}\n";
    elements += std::int64_t(batch->elements.size());
  }
  return elements;
}

core::Result<BatchReport> finish_lines(std::istream& ids, std::istream& responses, std::ostream& pseudonyms, const BlindState& state) {
  BatchReport report;
  IdLines lines(ids, state.options.kind, report);
  Check check(state.seed);
  std::string text;
  std::int64_t response_line = 0, index = 0;
  std::vector<std::optional<std::string>> waiting;  // ids of this batch, bad lines among them
  std::size_t good = 0;
  const Error other_ids{ErrorCode::invalid_input, "blind.other-ids", "these are not the ids that were blinded, in their order",
                        "give the same file to blind and to finish"};
  const auto settle = [&]() -> core::Status {
    if (good > 0) {
      ++response_line;
      if (!std::getline(responses, text)) return bad_line("blind.bad-response", "there", response_line);
      const auto batch = parse_batch(text, true);
      if (!batch || batch->elements.size() != good) return bad_line("blind.bad-response", "the response to these ids", response_line);
      if (batch->version != state.options.version || batch->public_key != state.options.public_key)
        return Error{ErrorCode::refused, "blind.other-key",
                     fmt::format("line {} was evaluated by another key than was asked for", response_line),
                     "do not use it; ask the platform which key is in force"};
      std::vector<oprf::Element> blinded;
      for (std::size_t i = 0, at = 0; at < waiting.size(); ++at)
        if (waiting[at]) {
          auto element = oprf::blind(kMode, *waiting[at], blind_of(state.seed, index + std::int64_t(i++)));
          if (!element) return element.error();
          blinded.push_back(*element);
        }
      if (auto status = oprf::verify(batch->public_key, blinded, batch->elements, batch->proof); !status) return status;
      for (std::size_t i = 0, at = 0; at < waiting.size(); ++at) {
        if (waiting[at]) {
          const auto output = oprf::finalize(*waiting[at], blind_of(state.seed, index + std::int64_t(i)), batch->elements[i]);
          if (!output) return output.error();
          ++i;
          pseudonyms << blinded_pseudonym(state.options.version, *output).text();
        }
        pseudonyms << '\n';
      }
    } else {
      for (std::size_t at = 0; at < waiting.size(); ++at) pseudonyms << '\n';
    }
    index += std::int64_t(good);
    waiting.clear();
    good = 0;
    return core::Done{};
  };
  while (auto line = lines.next()) {
    if (report.lines > state.lines || (!line->id && !state.options.skip_bad)) return other_ids;
    check.add(line->id.value_or(""));
    good += line->id ? 1 : 0;
    waiting.push_back(std::move(line->id));
    if (good == oprf::kBatchMax)
      if (auto status = settle(); !status) return status.error();
  }
  if (auto status = settle(); !status) return status.error();
  const core::Digest is = check.finish();
  if (report.lines != state.lines || sodium_memcmp(is.data(), state.check.data(), is.size()) != 0) return other_ids;
  if (std::getline(responses, text)) return bad_line("blind.bad-response", "for any of these ids", response_line + 1);
  return report;
}

core::Result<BatchReport> hash_lines(std::istream& ids, std::ostream& hashes, IdKind kind, bool skip_bad, const DataKey& partner_key,
                                     BatchReport& report) {
  report = {};
  IdLines lines(ids, kind, report);
  while (const auto line = lines.next()) {
    if (line->id) hashes << core::to_base64url(partner_hash(partner_key, *line->id));
    hashes << '\n';
  }
  if (report.bad() > 0 && !skip_bad) return bad_lines(report);
  return report;
}

core::Result<std::int64_t> rekey_lines(std::istream& hashes, std::ostream& pseudonyms, const DataKey& rekey, std::string_view partner) {
  std::string text;
  std::int64_t count = 0;
  for (std::int64_t line = 1; std::getline(hashes, text); ++line) {
    PseudonymBytes hash;
    if (!text.empty()) {
      if (!core::parse_base64url_exactly(text, hash)) return bad_line("blind.bad-hash", "a hash of 32 bytes in base64url", line);
      pseudonyms << rekeyed_pseudonym(rekey, partner, hash).text();
      ++count;
    }
    pseudonyms << '\n';
  }
  return count;
}

}  // namespace tanhui::identity
