// activity/programme_rules.h: what a programme says about methodologies, in the words of the rooms that choose and look them up.
#pragma once
#include "activity/rule_book.h"
#include "identity/programme.h"
#include "methodology/methodology.h"

namespace tanhui::activity {

methodology::Enabled enabled_of(const identity::MethodologyChoice& choice);
RuleBook::Lookup lookup_of(const identity::Programme& programme, const methodology::Library& library);

}  // namespace tanhui::activity
