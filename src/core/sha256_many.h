// core/sha256_many.h: SHA-256 of many short messages, which is what Merkle trees are made of. One message at a time leaves most of a core
// idle: each round waits for the one before. Two messages side by side on the processor's SHA instructions are about four times as
// fast as OpenSSL's one-shot call; without those instructions OpenSSL does the work. Chosen at run time, same digests. Decision 0015.
#pragma once
#include <span>
#include <string_view>

#include "core/hash.h"

namespace tanhui::core {

/// digests[i] = SHA-256(messages[i]); as many digests as messages.
void sha256_many(std::span<const std::string_view> messages, std::span<Digest> digests);

/// The portable path, for tests and comparison.
void sha256_many_portable(std::span<const std::string_view> messages, std::span<Digest> digests);

}  // namespace tanhui::core
