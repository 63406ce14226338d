"""Compares the chat template interpreter with Jinja2, byte for byte.

usage: chat_template_jinja2_test.py RENDERER TEMPLATE_FOLDER [--seed N] [--expressions N]

RENDERER is the program built from chat_template_renderer.cc. Jinja2 is set up as Hugging Face sets it
up for chat templates. Three sets of cases: the template files over random conversations, the lines
of snippets below, and random expressions. A case passes when both render the same text, or both
report an error.
"""

import argparse
import copy
import datetime
import json
import pathlib
import random
import subprocess
import sys
import warnings

import jinja2
import jinja2.ext
import jinja2.nodes
import jinja2.sandbox

NOW = datetime.datetime(2024, 7, 26, 12, 0, 0)


# Things Jinja2 does that are refused on purpose, with these messages.
REFUSALS = (
    "formatting a string with %",
    "printing is not possible with a value of type",
    "it needs '|list'",
    "a whole number overflows",
    "is too large for |int",
    "complex numbers",
    "with a value of type loop",
    "slicing is not possible",  # Jinja2 slices constants by another rule than variables
    "slicing by",
)


class GenerationBlock(jinja2.ext.Extension):
    """{% generation %} renders its body as it is."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_render"), [], [], body).set_lineno(line)

    def _render(self, caller):
        return caller()


def environment():
    env = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[GenerationBlock, "jinja2.ext.loopcontrols"]
    )

    def to_json(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(
            x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
        )

    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    env.filters["tojson"] = to_json
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = lambda format: NOW.strftime(format)
    return env


def expected(env, request):
    try:
        template = env.from_string(request["template"])
        return template.render(
            messages=copy.deepcopy(request["messages"]),  # indent() changes a list it is given
            tools=None,
            documents=None,
            add_generation_prompt=request["add_generation_prompt"],
            bos_token=request["bos_token"],
            eos_token=request["eos_token"],
        )
    except Exception as error:  # Whatever Jinja2 or Python reports, an error is expected.
        return error


PIECES = [
    "Hello", " ", "\n", "\t", "  two  ", "é", "日本", "😀", "'", '"', "\\", "{{", "}}", "{%", "%}", "{#",
    "<|close|>", "<|end|>", "</think>", "<think>", "[/Q]", "<r>", "</r>", "\u00a0", "\u2028", "a b c",
    "{{ bos_token }}", "0", "-5", "\x7f", "\r\n", "straight", "ÀÉ",
]


def random_text(rng):
    return "".join(rng.choice(PIECES) for _ in range(rng.randrange(7)))


def random_messages(rng, roles=("system", "user", "assistant", "tool")):
    if rng.random() < 0.7:  # A conversation as templates like it.
        messages = [{"role": "system", "content": random_text(rng)}] if rng.random() < 0.4 else []
        for i in range(rng.randrange(1, 7)):
            messages.append({"role": ("user", "assistant")[i % 2], "content": random_text(rng)})
        return messages
    return [
        {"role": rng.choice(roles), "content": random_text(rng)} for _ in range(rng.randrange(5))
    ]


def request(template, messages, rng):
    return {
        "template": template,
        "messages": messages,
        "add_generation_prompt": rng.random() < 0.5,
        "bos_token": "<s>",
        "eos_token": "</s>",
    }


# Small templates, one a line; \n in a line stands for itself inside of Jinja strings. A line that
# begins with a quote is a Python literal.
SNIPPETS = pathlib.Path(__file__).with_name("chat_template_snippets.txt")


def snippets():
    for line in SNIPPETS.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("# "):
            yield eval(line) if line[0] in "'\"" else line  # pylint: disable=eval-used


class Expressions:
    """Random expressions of everything that is supported."""

    ATOMS = [
        "0", "1", "2", "7", "-3", "1.5", "2.0", "1e20", "true", "false", "none", "nothing", "messages",
        "messages[0]", "messages[-1].content", "messages[0].role", "bos_token", "''", "'a'", "'Ab cD'",
        "' x '", "'ü😀z'", "'a,b,,c'", "'12'", "' 3.7 '", "[]", "[1, 2, 3]", "['b', 'A', 'a']", "{}",
        "{'k': 1, 'j': 'v'}", "(1, 2)", "('x',)", "range(4)", "[[1, 'a'], [0, 'b']]", "loop", "range",
        "{'b': 2, 'A': 1, 'a': [1, {'z': none}]}", "'it''s'", "\"it's\"", "'\\n\\x41\\u00e9\\t'", "x", "y",
        "[{'n': 2, 's': 'q'}, {'n': 1}]",
    ]
    BINARY = ["+", "-", "*", "/", "//", "%", "~", "==", "!=", "<", "<=", ">", ">=", "in", "not in",
              "and", "or"]
    FILTERS = [
        "trim", "trim('a ')", "length", "count", "tojson", "tojson(indent=2)", "tojson(sort_keys=true)",
        "tojson(ensure_ascii=true)", "tojson(separators=(',', ':'))", "join", "join(', ')", "upper",
        "join('-', attribute='n')", "lower", "default('d')", "default('d', true)", "d(1)", "first", "last",
        "list", "string", "int", "int(9)", "float", "replace('a', 'zz')", "replace('', '-', 2)",
        "map('upper') | list", "map(attribute='n') | list", "map(attribute='n', default=0) | list",
        "selectattr('n') | list", "selectattr('n', 'equalto', 1) | list", "rejectattr('s', 'defined') | list",
        "select('string') | list", "reject('odd') | list", "select | list", "items | list", "dictsort",
        "dictsort(by='value')", "dictsort(reverse=true)", "indent", "indent(2, true)", "indent('> ', blank=true)",
        "unique | list", "reverse | list", "reverse", "sort", "sort(reverse=true)", "sort(attribute='n')",
        "sort(case_sensitive=true)", "capitalize", "title", "abs", "map('trim') | join('|')",
        "unique(attribute='n') | list",
    ]
    TESTS = [
        "defined", "undefined", "none", "string", "mapping", "iterable", "sequence", "number", "integer",
        "float", "boolean", "true", "false", "odd", "even", "equalto 1", "eq('a')", "in [1, 'a', none]",
        "divisibleby 3", "callable", "lower", "upper", "ne none", "lt 3", "ge(2)",
    ]
    POSTFIX = [
        "[0]", "[-1]", "[1:]", "[:-1]", "[::-1]", "[::2]", "[5:1:-2]", "['k']", ".k", ".n", ".role", "[nothing]",
        ".strip()", ".strip('a ')", ".lstrip()", ".rstrip('cD')", ".split()", ".split(',')", ".split(',', 1)",
        ".rsplit(',', 1)", ".rsplit(none, 1)", ".split(none, 1)", ".splitlines()", ".startswith('a')", ".endswith(('D', 'c'))", ".upper()", ".lower()",
        ".title()", ".capitalize()", ".replace('a', 'b')", ".replace(',', ';', 1)", ".find('b')", ".rfind('b')",
        ".count('a')", ".join(['p', 'q'])", ".join('xyz')", ".get('k')", ".get('zz', 'dflt')", ".items()",
        ".keys()", ".values()", ".items() | list", ".removeprefix('a')", ".removesuffix('D')", ".index('A')",
        ".0", "[none]", "[true]",
    ]

    def __init__(self, rng):
        self.rng = rng

    def make(self, depth):
        rng = self.rng
        if depth == 0 or rng.random() < 0.1:
            return rng.choice(self.ATOMS)
        kind = rng.randrange(10)
        if kind < 3:
            return f"({self.make(depth - 1)} {rng.choice(self.BINARY)} {self.make(depth - 1)})"
        if kind < 6:
            return f"({self.make(depth - 1)} | {rng.choice(self.FILTERS)})"
        if kind < 8:
            return f"{self.wrapped(depth - 1)}{rng.choice(self.POSTFIX)}"
        if kind == 8:
            negation = rng.choice(["", "not "])
            return f"({self.make(depth - 1)} is {negation}{rng.choice(self.TESTS)})"
        return rng.choice([
            lambda: f"({self.make(depth - 1)} if {self.make(depth - 1)} else {self.make(depth - 1)})",
            lambda: f"(not {self.make(depth - 1)})",
            lambda: f"(-{self.wrapped(depth - 1)})",
            lambda: f"[{self.make(depth - 1)}, {self.make(depth - 1)}]",
            lambda: f"{{'k': {self.make(depth - 1)}, 'n': {self.make(depth - 1)}}}",
            lambda: f"({self.make(depth - 1)} < {self.make(depth - 1)} < {self.make(depth - 1)})",
        ])()

    def wrapped(self, depth):
        return f"({self.make(depth)})"

    def template(self):
        rng = self.rng
        body = "{{ %s }}" % self.make(rng.randrange(1, 4))
        frame = rng.randrange(5)
        if frame == 0:
            return "{%% for x in %s %%}%s,{{ loop.index }}{%% else %%}E{%% endfor %%}" % (self.make(1), body)
        if frame == 1:
            return "{%% for x, y in %s if %s %%}\n  %s {{ loop.last }}\n{%% endfor %%}" % (
                self.make(1), self.make(1), body)
        if frame == 2:
            return "{%% if %s %%}%s{%% else %%}no{%% endif %%}" % (self.make(2), body)
        if frame == 3:
            return "{%% set x = %s %%}%s" % (self.make(2), body)
        return body


def cases(folder, rng, expression_count):
    templates = sorted(pathlib.Path(folder).glob("*.jinja"))
    assert templates, f"no templates in {folder}"
    for path in templates:
        for _ in range(60):
            source = path.read_text(encoding="utf-8")
            if rng.random() < 0.2:
                source = source.replace("\n", "\r\n")
            yield path.name, request(source, random_messages(rng), rng)
    for snippet in snippets():
        yield "snippet", request(snippet, random_messages(rng), rng)
    expressions = Expressions(rng)
    fixed = [{"role": "user", "content": " Hi a,b "}, {"role": "assistant", "content": "Yo\nThere"}]
    for _ in range(expression_count):
        yield "random", request(expressions.template(), fixed, rng)


def has_address(text):
    """Python prints some objects with their address; such a text cannot be compared."""
    return isinstance(text, str) and (" object at 0x" in text or "<built-in method" in text or
                                      "<bound method" in text or "<function" in text or
                                      "<class " in text)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("renderer")
    parser.add_argument("templates")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**31))
    parser.add_argument("--expressions", type=int, default=1500, help="random expressions to try")
    flags = parser.parse_args()
    print("seed", flags.seed)
    warnings.simplefilter("ignore", SyntaxWarning)  # of the Python that Jinja2 generates
    env = environment()
    all_cases = list(cases(flags.templates, random.Random(flags.seed), flags.expressions))
    lines = "".join(json.dumps(case) + "\n" for _, case in all_cases)
    answers = subprocess.run(
        [flags.renderer], input=lines, capture_output=True, text=True, encoding="utf-8", check=True
    ).stdout.split("\n")
    failures = 0
    rendered = {}
    for (name, case), line in zip(all_cases, answers):
        actual = json.loads(line)
        want = expected(env, case)
        if isinstance(want, str) and not has_address(want):
            same = actual.get("text") == want
        else:
            same = "error" in actual
        same = same or any(refusal in actual.get("error", "") for refusal in REFUSALS)
        rendered[name] = rendered.get(name, 0) + ("text" in actual)
        if same:
            continue
        failures += 1
        if failures <= 20:
            print(f"--- {name}\n{case['template']!r}\nmessages {case['messages']}")
            print(f"expected {want!r}\nactual   {actual}")
    print(f"{len(all_cases)} cases, {failures} failures; rendered to text: {rendered}")
    # A comparison of errors alone would prove nothing.
    return 1 if failures or any(count == 0 for count in rendered.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
