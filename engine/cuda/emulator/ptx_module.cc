#include "engine/cuda/emulator/ptx_module.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "engine/cuda/emulator/fail.h"
#include "engine/cuda/emulator/opcodes.h"

namespace memory3::cuda::emulator {
namespace {

bool IsNameCharacter(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '$';
}

// Comments to blanks, line breaks kept.
std::string WithoutComments(absl::string_view text) {
  std::string result(text);
  for (size_t at = 0; (at = result.find("//", at)) != std::string::npos;) {
    const size_t end = std::min(result.find('\n', at), result.size());
    std::fill(result.begin() + at, result.begin() + end, ' ');
  }
  return result;
}

// Splits at commas that are not inside braces or brackets.
std::vector<absl::string_view> SplitOperands(absl::string_view text) {
  std::vector<absl::string_view> operands;
  int depth = 0;
  size_t begin = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '{' || text[i] == '[') ++depth;
    if (text[i] == '}' || text[i] == ']') --depth;
    if (text[i] != ',' || depth > 0) continue;
    operands.push_back(absl::StripAsciiWhitespace(text.substr(begin, i - begin)));
    begin = i + 1;
  }
  const absl::string_view last = absl::StripAsciiWhitespace(text.substr(begin));
  if (!last.empty()) operands.push_back(last);
  return operands;
}

class FunctionParser {
 public:
  // `text`: the module's, without comments; `head`: behind ".entry".
  FunctionParser(absl::string_view text, size_t head) : text_(text), at_(head) {}

  std::unique_ptr<Function> Parse();

 private:
  [[noreturn]] void Refuse(absl::string_view what) const {
    Fail(absl::StrCat("line ", LineOf(at_), " of ", function_->name, ": ", what));
  }
  int32_t LineOf(size_t at) const {
    return 1 + static_cast<int32_t>(std::count(text_.begin(), text_.begin() + at, '\n'));
  }

  void ParseHead();
  void AddParameter(absl::string_view declaration);
  void ParseBody();
  void ParseStatement(absl::string_view statement);
  void AddInstruction(absl::string_view text);
  void ResolveBranches();

  int32_t NewRegister() { return function_->registers++; }
  int32_t Constant(uint64_t value);
  int32_t OperandRegister(absl::string_view operand);
  std::optional<uint64_t> Literal(absl::string_view operand) const;
  void AddOperand(absl::string_view operand, Instruction& instruction, int& addresses);
  void AddRegister(absl::string_view operand, Instruction& instruction);

  const absl::string_view text_;
  size_t at_;
  int32_t line_ = 0;
  std::unique_ptr<Function> function_ = std::make_unique<Function>();
  std::map<std::string, int32_t, std::less<>> registers_;
  std::map<uint64_t, int32_t> constants_;
  std::map<std::string, int32_t, std::less<>> parameters_;  // their offsets
  std::map<std::string, int32_t, std::less<>> labels_;
  std::vector<std::pair<size_t, std::string>> branches_;  // instruction, label
};

std::unique_ptr<Function> FunctionParser::Parse() {
  ParseHead();
  ParseBody();
  ResolveBranches();
  return std::move(function_);
}

// name( .param ..., .param ... ) .maxntid 256, 1, 1 {
void FunctionParser::ParseHead() {
  const size_t open = text_.find('(', at_);
  const size_t close = text_.find(')', open);
  const size_t body = text_.find('{', close);
  function_->name = std::string(absl::StripAsciiWhitespace(text_.substr(at_, open - at_)));
  for (const absl::string_view declaration :
       SplitOperands(text_.substr(open + 1, close - open - 1))) {
    AddParameter(declaration);
  }
  const absl::string_view directives = text_.substr(close + 1, body - close - 1);
  const size_t most = directives.find(".maxntid");
  if (most != absl::string_view::npos) {
    function_->most_threads = std::atoi(directives.data() + most + sizeof(".maxntid"));
  }
  at_ = body + 1;
}

// .param .align 8 .b8 name[48], or .param .u64 name
void FunctionParser::AddParameter(absl::string_view declaration) {
  int32_t alignment = 0;
  int32_t element = 0;
  int32_t count = 1;
  absl::string_view name;
  const std::vector<absl::string_view> words =
      absl::StrSplit(declaration, absl::ByAnyChar(" \t\n"), absl::SkipEmpty());
  for (size_t i = 1; i < words.size(); ++i) {
    if (words[i] == ".align") {
      if (!absl::SimpleAtoi(words[++i], &alignment)) Refuse("an alignment");
    } else if (words[i][0] == '.') {
      if (!absl::SimpleAtoi(words[i].substr(2), &element)) Refuse("a parameter's type");
      element /= 8;
    } else {
      name = words[i];
    }
  }
  const size_t bracket = name.find('[');
  if (bracket != absl::string_view::npos) {
    const absl::string_view size = name.substr(bracket + 1, name.size() - bracket - 2);
    if (!absl::SimpleAtoi(size, &count)) Refuse("a parameter's size");
    name = name.substr(0, bracket);
  }
  if (alignment == 0) alignment = element;
  const int32_t offset = (function_->parameter_bytes + alignment - 1) / alignment * alignment;
  parameters_.emplace(name, offset);
  function_->parameters.push_back({offset, element * count});
  function_->parameter_bytes = offset + element * count;
}

void FunctionParser::ParseBody() {
  line_ = LineOf(at_);
  for (int depth = 1; depth > 0;) {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])) != 0) {
      line_ += text_[at_++] == '\n' ? 1 : 0;
    }
    if (at_ >= text_.size()) Refuse("the function does not end");
    if (text_[at_] == '{' || text_[at_] == '}') {
      depth += text_[at_++] == '{' ? 1 : -1;
      continue;
    }
    const size_t end = text_.find_first_of(";:", at_);
    if (text_[end] == ':') {
      const absl::string_view label = absl::StripAsciiWhitespace(text_.substr(at_, end - at_));
      labels_.emplace(label, static_cast<int32_t>(function_->instructions.size()));
    } else {
      ParseStatement(text_.substr(at_, end - at_));
    }
    line_ += static_cast<int32_t>(std::count(text_.begin() + at_, text_.begin() + end, '\n'));
    at_ = end + 1;
  }
}

void FunctionParser::ParseStatement(absl::string_view statement) {
  if (statement[0] != '.') return AddInstruction(statement);
  // Registers are made when they are first named.
  if (absl::StartsWith(statement, ".reg") || absl::StartsWith(statement, ".pragma")) return;
  Refuse(absl::StrCat("not understood: ", statement));
}

// @%p1 opcode operands
void FunctionParser::AddInstruction(absl::string_view text) {
  Instruction instruction;
  instruction.line = line_;
  if (text[0] == '@') {
    const size_t end = text.find_first_of(" \t");
    instruction.guard_negated = text[1] == '!';
    const size_t begin = instruction.guard_negated ? 2 : 1;
    instruction.guard = OperandRegister(text.substr(begin, end - begin));
    text = absl::StripLeadingAsciiWhitespace(text.substr(end));
  }
  const size_t end = std::min(text.find_first_of(" \t\n"), text.size());
  std::string name(text.substr(0, end));
  const std::vector<absl::string_view> operands = SplitOperands(text.substr(end));
  if (absl::StartsWith(name, "mov.") && operands[0][0] == '{') name += ".split";
  if (absl::StartsWith(name, "mov.") && operands[1][0] == '{') name += ".join";
  const std::optional<Opcode> opcode = FindOpcode(name);
  if (!opcode.has_value()) Refuse(absl::StrCat("unknown opcode ", name));
  instruction.opcode = *opcode;
  if (opcode->flow == Flow::kBranch) {
    branches_.emplace_back(function_->instructions.size(), operands[0]);
  } else {
    int addresses = 0;
    for (const absl::string_view operand : operands) AddOperand(operand, instruction, addresses);
    if (opcode->operands >= 0 && opcode->operands != instruction.register_count) {
      Refuse(absl::StrCat("unexpected operands of ", name));
    }
  }
  function_->instructions.push_back(instruction);
}

// A register or constant, {several}, one|another or [base+offset].
void FunctionParser::AddOperand(absl::string_view operand, Instruction& instruction,
                                int& addresses) {
  if (operand[0] == '{') {
    for (const absl::string_view part : SplitOperands(operand.substr(1, operand.size() - 2))) {
      AddRegister(part, instruction);
    }
  } else if (operand[0] == '[') {
    operand = operand.substr(1, operand.size() - 2);
    const size_t plus = operand.find('+');
    if (plus != absl::string_view::npos &&
        !absl::SimpleAtoi(operand.substr(plus + 1), &instruction.offsets[addresses])) {
      Refuse(absl::StrCat("the offset of ", operand));
    }
    ++addresses;
    AddRegister(operand.substr(0, plus), instruction);
  } else {
    for (const absl::string_view part : absl::StrSplit(operand, '|')) {
      AddRegister(part, instruction);
    }
  }
}

void FunctionParser::AddRegister(absl::string_view operand, Instruction& instruction) {
  if (instruction.register_count == static_cast<int>(instruction.registers.size())) {
    Refuse("too many operands");
  }
  instruction.registers[instruction.register_count++] =
      OperandRegister(absl::StripAsciiWhitespace(operand));
}

int32_t FunctionParser::Constant(uint64_t value) {
  const auto [found, is_new] = constants_.try_emplace(value, function_->registers);
  if (is_new) function_->constants.emplace_back(NewRegister(), value);
  return found->second;
}

int32_t FunctionParser::OperandRegister(absl::string_view operand) {
  static const auto* const specials = new std::map<std::string, Special, std::less<>>{
      {"%tid.x", Special::kThreadX},    {"%ntid.x", Special::kThreadsX},
      {"%ctaid.x", Special::kBlockX},   {"%ctaid.y", Special::kBlockY},
      {"%ctaid.z", Special::kBlockZ},   {"%nctaid.x", Special::kBlocksX},
      {"%nctaid.y", Special::kBlocksY}, {"%nctaid.z", Special::kBlocksZ}};
  if (operand[0] == '%') {
    const auto found = registers_.find(operand);
    if (found != registers_.end()) return found->second;
    const int32_t number = NewRegister();
    registers_.emplace(operand, number);
    const auto special = specials->find(operand);
    if (special != specials->end()) {
      function_->specials.emplace_back(number, special->second);
    } else if (operand.find('.') != absl::string_view::npos) {
      Refuse(absl::StrCat("unknown register ", operand));
    }
    return number;
  }
  if (const std::optional<uint64_t> value = Literal(operand)) return Constant(*value);
  const auto parameter = parameters_.find(operand);
  if (parameter != parameters_.end()) return Constant(parameter->second);
  // The only variables are names of all the dynamic shared memory, which begins at 0.
  if (absl::StrContains(text_, absl::StrCat(" ", operand, "[]"))) return Constant(0);
  Refuse(absl::StrCat("unknown operand ", operand));
}

// 12, -1, 0x1F, 0f3F800000 (a float's bits), 0d3FF0000000000000 (a double's)
std::optional<uint64_t> FunctionParser::Literal(absl::string_view operand) const {
  uint64_t bits = 0;
  if (absl::StartsWith(operand, "0f") || absl::StartsWith(operand, "0d")) {
    if (absl::SimpleHexAtoi(operand.substr(2), &bits)) return bits;
  } else if (absl::StartsWith(operand, "0x")) {
    if (absl::SimpleHexAtoi(operand, &bits)) return bits;
  } else if (int64_t number = 0; absl::SimpleAtoi(operand, &number)) {
    return static_cast<uint64_t>(number);
  } else if (absl::SimpleAtoi(operand, &bits)) {
    return bits;
  }
  return std::nullopt;
}

void FunctionParser::ResolveBranches() {
  for (const auto& [instruction, label] : branches_) {
    const auto found = labels_.find(label);
    if (found == labels_.end()) Refuse(absl::StrCat("no label ", label));
    function_->instructions[instruction].target = found->second;
  }
}

}  // namespace

Module::Module(absl::string_view text) : text_(WithoutComments(text)) {}

const Function* Module::Find(const std::string& name) {
  const auto found = functions_.find(name);
  if (found != functions_.end()) return found->second.get();
  const std::string kEntry = ".entry ";
  for (size_t at = 0; (at = text_.find(kEntry, at)) != std::string::npos;) {
    at += kEntry.size();
    const absl::string_view rest = absl::string_view(text_).substr(at);
    if (!absl::StartsWith(rest, name) || IsNameCharacter(rest[name.size()])) continue;
    return functions_.emplace(name, FunctionParser(text_, at).Parse()).first->second.get();
  }
  return nullptr;
}

}  // namespace memory3::cuda::emulator
