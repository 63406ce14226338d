#include "engine/sched/answer.h"

#include <utility>

#include "engine/base/check.h"

namespace memory3 {

Answer::Answer(const Tokenizer& tokenizer, std::vector<std::string> stops, int min_tokens)
    : stops_(std::move(stops)),
      min_tokens_(min_tokens),
      decoder_(tokenizer, /*skip_special_tokens=*/true),
      matcher_(stops_) {}

void Answer::Add(TokenInfo token, GenerationEvent* piece) {
  M3_CHECK(!piece->finish.has_value());
  ++tokens_;
  const std::string text = decoder_.Push(token.id);
  decoded_bytes_ += text.size();
  // New text begins with the character that earlier tokens had left incomplete.
  if (!text.empty()) {
    for (HeldToken& held : held_) {
      if (!held.is_cut) continue;
      held.is_cut = false;
      held.end = decoded_bytes_;
    }
  }
  held_.push_back({std::move(token), decoded_bytes_, decoder_.HoldsBack()});
  AddText(text, piece);
  ReleaseTokens(/*all=*/piece->finish.has_value(), piece);
}

void Answer::AddText(std::string_view text, GenerationEvent* piece) {
  if (tokens_ <= min_tokens_) {
    emitted_bytes_ += text.size();
    piece->text.append(text);
    return;
  }
  const StopMatcher::Result result = matcher_.Push(text);
  emitted_bytes_ += result.text.size();
  piece->text.append(result.text);
  if (!result.stop.has_value()) return;
  piece->finish = FinishReason::kStop;
  piece->stop_match = stops_[*result.stop];
}

void Answer::ReleaseTokens(bool all, GenerationEvent* piece) {
  size_t count = 0;
  while (count < held_.size() &&
         (all || (!held_[count].is_cut && held_[count].end <= emitted_bytes_))) {
    piece->tokens.push_back(std::move(held_[count].token));
    ++count;
  }
  held_.erase(held_.begin(), held_.begin() + count);
}

void Answer::Finish(FinishReason reason, GenerationEvent* piece) {
  M3_CHECK(!piece->finish.has_value());
  AddText(decoder_.Finish(), piece);
  piece->text.append(matcher_.Finish());
  if (!piece->finish.has_value()) piece->finish = reason;
  ReleaseTokens(/*all=*/true, piece);
}

void Answer::FinishWithStopToken(TokenInfo token, GenerationEvent* piece) {
  Finish(FinishReason::kStop, piece);
  piece->tokens.push_back(std::move(token));
}

}  // namespace memory3
