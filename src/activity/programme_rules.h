// activity/programme_rules.h: what a programme says about methodologies, in the words of the rooms that choose and look them up.
#pragma once
#include "activity/rule_book.h"
#include "identity/programme.h"
#include "methodology/methodology.h"

namespace tanhui::activity {

methodology::Enabled enabled_of(const identity::MethodologyChoice& choice);
/// Whatever a programme names is in the library: methodologies that it switches on or off, activities that it caps or tries elsewhere.
/// Errors: programme.unknown-word (the first one).
core::Status check_names(const identity::Programme& programme, const methodology::Library& library);
RuleBook::Lookup lookup_of(const identity::Programme& programme, const methodology::Library& library);

}  // namespace tanhui::activity
