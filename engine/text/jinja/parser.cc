#include "engine/text/jinja/parser.h"

#include <algorithm>
#include <initializer_list>
#include <memory>
#include <string>
#include <unordered_set>
#include <utility>

#include "engine/base/status_macros.h"
#include "engine/text/jinja/concat.h"
#include "engine/text/jinja/expression_parser.h"
#include "engine/text/jinja/functions.h"
#include "engine/text/jinja/token_stream.h"

namespace memory3::jinja {
namespace {

using StatementPtr = std::unique_ptr<Statement>;

StatementPtr NewStatement(StatementKind kind, int line) {
  auto statement = std::make_unique<Statement>();
  statement->kind = kind;
  statement->line = line;
  return statement;
}

// Gives a member its old value back at the end of a block.
template <typename T>
class Restore {
 public:
  Restore(T& member, T value) : member_(member), old_(member) { member_ = value; }
  ~Restore() { member_ = old_; }

 private:
  T& member_;
  const T old_;
};

class Parser {
 public:
  explicit Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)), expressions_(tokens_) {}

  absl::StatusOr<Block> Run() {
    M3_ASSIGN_OR_RETURN(Block block, ParseBlock({}));
    M3_RETURN_IF_ERROR(CheckCalledNames());
    return block;
  }

 private:
  // Statements up to a tag whose name is one of `ends`; that name is left current. Without `ends`
  // up to the end of the template.
  absl::StatusOr<Block> ParseBlock(std::initializer_list<std::string_view> ends) {
    const int opening_line = tokens_.line();
    const Restore depth(depth_, depth_ + 1);
    if (depth_ > kMaxBlockDepth) {
      return TemplateError(opening_line,
                           Concat("blocks are nested deeper than ", kMaxBlockDepth, " levels"));
    }
    Block block;
    while (!tokens_.Is(TokenKind::kEnd)) {
      const Token token = tokens_.Next();
      if (token.kind == TokenKind::kData) {
        block.push_back(NewStatement(StatementKind::kData, token.line));
        block.back()->data = Value::OfTemplateString(token.text);
      } else if (token.kind == TokenKind::kVariableBegin) {
        block.push_back(NewStatement(StatementKind::kOutput, token.line));
        M3_ASSIGN_OR_RETURN(block.back()->expr, expressions_.ParseOutput());
        M3_RETURN_IF_ERROR(tokens_.Expect(TokenKind::kVariableEnd, "'}}'"));
      } else {
        const bool ended = std::any_of(ends.begin(), ends.end(),
                                       [&](std::string_view name) { return tokens_.IsName(name); });
        if (ended) return block;
        M3_ASSIGN_OR_RETURN(StatementPtr statement, ParseStatement());
        block.push_back(std::move(statement));
        M3_RETURN_IF_ERROR(ExpectTagEnd());
      }
      M3_RETURN_IF_ERROR(expressions_.CheckNoSafeFilterLeft());
    }
    if (ends.size() == 0) return block;
    return TemplateError(opening_line,
                         Concat("the block is not closed: no {% ", *(ends.end() - 1), " %}"));
  }

  absl::Status ExpectTagEnd() { return tokens_.Expect(TokenKind::kBlockEnd, "'%}'"); }

  absl::StatusOr<StatementPtr> ParseStatement() {
    const Token name = tokens_.Current();
    M3_RETURN_IF_ERROR(tokens_.Expect(TokenKind::kName, "the name of a block"));
    if (name.text == "if") return ParseIf(name.line);
    if (name.text == "for") return ParseFor(name.line);
    if (name.text == "set") return ParseSet(name.line);
    if (name.text == "macro") return ParseMacro(name.line);
    if (name.text == "generation") return ParseGeneration(name.line);
    if (name.text == "break" || name.text == "continue") {
      if (!in_loop_) {
        return TemplateError(name.line, Concat("{% ", name.text, " %} outside of a loop"));
      }
      return NewStatement(name.text == "break" ? StatementKind::kBreak : StatementKind::kContinue,
                          name.line);
    }
    return TemplateError(name.line,
                         Concat("the block {% ", name.text, " %} is not supported here"));
  }

  absl::StatusOr<StatementPtr> ParseIf(int line) {
    StatementPtr statement = NewStatement(StatementKind::kIf, line);
    while (true) {
      Branch branch;
      M3_ASSIGN_OR_RETURN(branch.condition, expressions_.ParseTuple(/*conditional=*/false));
      M3_RETURN_IF_ERROR(ExpectTagEnd());
      M3_ASSIGN_OR_RETURN(branch.body, ParseBlock({"elif", "else", "endif"}));
      statement->branches.push_back(std::move(branch));
      if (tokens_.SkipName("elif")) continue;
      if (tokens_.SkipName("else")) {
        M3_RETURN_IF_ERROR(ExpectTagEnd());
        M3_ASSIGN_OR_RETURN(statement->otherwise, ParseBlock({"endif"}));
      }
      M3_RETURN_IF_ERROR(tokens_.ExpectName("endif"));
      return statement;
    }
  }

  absl::StatusOr<StatementPtr> ParseFor(int line) {
    StatementPtr statement = NewStatement(StatementKind::kFor, line);
    M3_ASSIGN_OR_RETURN(statement->targets, ParseTargets());
    for (const std::string& name : statement->targets.names) {
      if (name == "loop") return TemplateError(line, "'loop' cannot be assigned in a for loop");
    }
    M3_RETURN_IF_ERROR(tokens_.ExpectName("in"));
    M3_ASSIGN_OR_RETURN(statement->expr, expressions_.ParseTuple(/*conditional=*/false));
    if (tokens_.SkipName("if")) {
      M3_ASSIGN_OR_RETURN(statement->condition, expressions_.ParseExpression());
    }
    if (tokens_.IsName("recursive")) {
      return TemplateError(line, "a recursive {% for %} is not supported");
    }
    M3_RETURN_IF_ERROR(ExpectTagEnd());
    const Restore scope(in_inner_scope_, true);
    {
      const Restore loop(in_loop_, true);
      M3_ASSIGN_OR_RETURN(statement->body, ParseBlock({"else", "endfor"}));
    }
    if (tokens_.SkipName("else")) {
      M3_RETURN_IF_ERROR(ExpectTagEnd());
      M3_ASSIGN_OR_RETURN(statement->otherwise, ParseBlock({"endfor"}));
    }
    M3_RETURN_IF_ERROR(tokens_.ExpectName("endfor"));
    return statement;
  }

  absl::StatusOr<StatementPtr> ParseSet(int line) {
    StatementPtr statement = NewStatement(StatementKind::kSet, line);
    if (tokens_.Ahead().kind == TokenKind::kOperator && tokens_.Ahead().text == ".") {
      statement->kind = StatementKind::kSetAttribute;
      M3_ASSIGN_OR_RETURN(statement->name, ParseTargetName());
      tokens_.Next();
      statement->attribute = tokens_.Current().text;
      M3_RETURN_IF_ERROR(tokens_.Expect(TokenKind::kName, "the name of an attribute"));
    } else {
      M3_ASSIGN_OR_RETURN(statement->targets, ParseTargets());
    }
    if (tokens_.SkipOperator("=")) {
      M3_ASSIGN_OR_RETURN(statement->expr, expressions_.ParseTuple(/*conditional=*/true));
      return statement;
    }
    if (statement->kind == StatementKind::kSetAttribute || statement->targets.unpack) {
      return tokens_.Unexpected("'='");
    }
    if (tokens_.IsOperator("|")) {
      return TemplateError(line, "a filter on a {% set %} block is not supported");
    }
    statement->kind = StatementKind::kSetBlock;
    statement->name = statement->targets.names[0];
    M3_ASSIGN_OR_RETURN(statement->body, ParseCapturedBody("endset"));
    return statement;
  }

  absl::StatusOr<StatementPtr> ParseGeneration(int line) {
    StatementPtr statement = NewStatement(StatementKind::kGeneration, line);
    M3_ASSIGN_OR_RETURN(statement->body, ParseCapturedBody("endgeneration"));
    return statement;
  }

  absl::StatusOr<StatementPtr> ParseMacro(int line) {
    if (in_inner_scope_) {
      return TemplateError(line, "a {% macro %} inside of another block's scope is not supported");
    }
    StatementPtr statement = NewStatement(StatementKind::kMacro, line);
    M3_ASSIGN_OR_RETURN(statement->name, ParseTargetName());
    M3_RETURN_IF_ERROR(tokens_.ExpectOperator("("));
    while (!tokens_.IsOperator(")")) {
      if (!statement->parameters.empty()) M3_RETURN_IF_ERROR(tokens_.ExpectOperator(","));
      Parameter parameter;
      M3_ASSIGN_OR_RETURN(parameter.name, ParseTargetName());
      if (tokens_.SkipOperator("=")) {
        M3_ASSIGN_OR_RETURN(parameter.default_value, expressions_.ParseExpression());
      } else if (!statement->parameters.empty() &&
                 statement->parameters.back().default_value != nullptr) {
        return TemplateError(line, "a parameter without a default follows one with a default");
      }
      statement->parameters.push_back(std::move(parameter));
    }
    tokens_.Next();
    M3_ASSIGN_OR_RETURN(statement->body, ParseCapturedBody("endmacro"));
    return statement;
  }

  // The body of a block whose output is collected apart and whose assignments stay inside.
  absl::StatusOr<Block> ParseCapturedBody(std::string_view end) {
    M3_RETURN_IF_ERROR(ExpectTagEnd());
    const Restore scope(in_inner_scope_, true);
    const Restore loop(in_loop_, false);
    M3_ASSIGN_OR_RETURN(Block body, ParseBlock({end}));
    M3_RETURN_IF_ERROR(tokens_.ExpectName(end));
    return body;
  }

  absl::StatusOr<std::string> ParseTargetName() {
    const Token name = tokens_.Current();
    if (name.kind != TokenKind::kName || IsKeyword(name.text) || IsConstant(name.text)) {
      if (tokens_.IsOperator("(") || tokens_.IsOperator("[")) {
        return TemplateError(name.line, "unpacking into nested names is not supported");
      }
      return tokens_.Unexpected("a name to assign to");
    }
    tokens_.Next();
    assigned_names_.insert(name.text);
    return name.text;
  }

  static bool IsConstant(std::string_view name) {
    return name == "true" || name == "True" || name == "false" || name == "False" ||
           name == "none" || name == "None";
  }

  absl::StatusOr<Targets> ParseTargets() {
    Targets targets;
    const bool parenthesised = tokens_.SkipOperator("(");
    while (true) {
      M3_ASSIGN_OR_RETURN(std::string name, ParseTargetName());
      targets.names.push_back(std::move(name));
      if (!tokens_.SkipOperator(",")) break;
      targets.unpack = true;
      if (parenthesised && tokens_.IsOperator(")")) break;
    }
    if (parenthesised) M3_RETURN_IF_ERROR(tokens_.ExpectOperator(")"));
    return targets;
  }

  // A function that nothing in the template defines would fail only when it is reached.
  absl::Status CheckCalledNames() const {
    for (const auto& [name, line] : expressions_.called_names()) {
      if (!IsFunction(name) && assigned_names_.count(name) == 0) {
        return TemplateError(line, Concat("the function '", name, "' is not supported"));
      }
    }
    return absl::OkStatus();
  }

  TokenStream tokens_;
  ExpressionParser expressions_;
  int depth_ = 0;
  bool in_loop_ = false;
  bool in_inner_scope_ = false;
  std::unordered_set<std::string> assigned_names_;
};

}  // namespace

absl::StatusOr<Block> ParseTemplate(std::string_view source) {
  if (source.size() > kMaxTemplateBytes) {
    return absl::InvalidArgumentError(
        Concat("the chat template is longer than ", kMaxTemplateBytes, " bytes"));
  }
  M3_ASSIGN_OR_RETURN(std::vector<Token> tokens, Tokenize(source));
  return Parser(std::move(tokens)).Run();
}

}  // namespace memory3::jinja
