#include "activity/record.h"

namespace tanhui::activity {
namespace {

struct ReasonText {
  std::string_view id, english, chinese;
};

// In the order of the enumeration.
constexpr std::array<ReasonText, kReasons> kReasonTexts{{
    {"credited", "accepted as it is", "正常入账"},
    {"paired", "entry tap of a ride that is credited on its exit tap", "进站记录，减排量计入对应的出站记录"},
    {"reading", "meter reading of a day whose saving is credited on the day's last reading", "电表读数，当日节电量计入当日最后一条读数"},
    {"reversal", "reversal that unwound an earlier record", "冲正记录，已撤销原记录"},
    {"nothing-saved", "quantified, but nothing was saved against the baseline", "已核算，相对基线无减排"},
    {"daily-cap", "the day's limit for this activity was already reached", "已达到当日该行为的上限"},
    {"daily-cap-part", "only the part below the day's limit was credited", "仅计入当日上限以内的部分"},
    {"same-event", "the source sent this event id before", "同一来源的相同事件编号已存在"},
    {"overlap", "another report of the same time was kept", "同一时段的另一条报告已被采用"},
    {"same-object", "the item, document or meter was already counted", "该物品、单据或计量表已计入"},
    {"same-day", "one act a day counts, another was kept", "每日仅计一次，另一条已被采用"},
    {"bad-row", "the row is broken (number of columns, quoting or JSON)", "行结构错误（列数、引号或 JSON）"},
    {"bad-encoding", "the row is not valid text in the declared encoding", "文本编码错误"},
    {"too-long-line", "the line is longer than the limit", "行过长"},
    {"missing-person", "no person id", "缺少用户标识"},
    {"missing-event", "no event id", "缺少事件编号"},
    {"missing-quantity", "no quantity", "缺少数量"},
    {"bad-number", "the quantity is not a number", "数量不是数字"},
    {"bad-time", "the time is not in a declared format", "时间格式错误"},
    {"unknown-activity", "the activity is not in the catalogue or the profile", "未知的行为类型"},
    {"unknown-source", "the source is not registered in the programme", "来源未在本项目登记"},
    {"unknown-region", "the region code is not known", "未知的行政区代码"},
    {"unknown-station", "the station is not in the table", "站点不在表中"},
    {"clock-out-of-range", "the time lies before the programme's earliest day (clock reset?)", "时间早于允许的最早日期（时钟复位？）"},
    {"in-the-future", "the time lies in the future", "时间在未来"},
    {"time-order", "it ends before it starts", "结束早于开始"},
    {"too-short", "shorter than the methodology allows", "时长过短"},
    {"too-long", "longer than the methodology allows", "时长过长"},
    {"too-slow", "slower than the methodology allows", "速度过低"},
    {"too-fast", "faster than the methodology allows", "速度过高"},
    {"quantity-too-small", "the quantity is below the methodology's bound", "数量低于方法学下限"},
    {"quantity-too-large", "the quantity is above the methodology's bound", "数量高于方法学上限"},
    {"not-moved", "start and end are the same place", "起终点相同，未移动"},
    {"path-jumps", "the recorded path is far longer than its ends allow", "轨迹跳变，路径远长于起终点距离"},
    {"position-out-of-range", "a position lies outside the area", "位置超出范围"},
    {"other-unit", "the unit does not fit the quantity", "单位与数量不符"},
    {"no-methodology", "no methodology is in force for this activity, region and day", "该行为、地区和日期没有有效的方法学"},
    {"no-baseline", "the meter has too little history for a baseline", "历史读数不足，无法确定基线"},
    {"reversed", "unwound by a later reversal", "已被冲正"},
    {"event-reused", "the event id is already used for another person", "事件编号已用于其他用户"},
    {"too-many-records", "one person has more records than one run takes", "同一用户的记录数超过单次核算上限"},
    {"awaiting-entry", "exit tap whose entry tap has not been seen", "缺少对应的进站记录"},
    {"awaiting-exit", "entry tap whose exit tap has not been seen", "缺少对应的出站记录"},
    {"unknown-reversal", "reversal of a record that is not here", "冲正的原记录不存在"},
    {"no-consent", "the person has not agreed to this source and purpose", "用户未授权该来源"},
}};

}  // namespace

std::string_view name(Outcome outcome) {
  constexpr std::array<std::string_view, kOutcomes> names{"accepted", "duplicate", "capped", "rejected", "held", "no-consent"};
  return names[std::size_t(outcome)];
}

std::string_view name(Evidence evidence) {
  constexpr std::array<std::string_view, 3> names{"metered", "inferred", "declared"};
  return names[std::size_t(evidence)];
}

std::string_view name(Reason reason) { return kReasonTexts[std::size_t(reason)].id; }

std::string_view explanation(Reason reason, bool chinese) {
  const ReasonText& text = kReasonTexts[std::size_t(reason)];
  return chinese ? text.chinese : text.english;
}

Outcome refusal_outcome(Reason reason) {
  if (reason == Reason::no_consent) return Outcome::no_consent;
  return reason >= Reason::event_reused && reason <= Reason::unknown_reversal ? Outcome::held : Outcome::rejected;
}

void RecordBatch::clear() {
  person.clear();
  event.clear();
  object.clear();
  start_ms.clear();
  end_ms.clear();
  activity.clear();
  source.clear();
  region.clear();
  evidence.clear();
  quantity.clear();
  for (auto& column : extra) column.clear();
  line.clear();
  reason.clear();
  reversal.clear();
}

}  // namespace tanhui::activity
