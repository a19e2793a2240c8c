"""NERONE's sources keep to the oldest Python that pyproject.toml allows, whichever runs the tests."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import nerone
from nerone.compat import OLDEST_PYTHON
from paths import REPOSITORY

PACKAGE = Path(nerone.__file__).parent
SOURCES = sorted({*PACKAGE.rglob("*.py")} - {PACKAGE / "compat.py"})
# What came after 3.9 and is likely to be reached for; from "What's New" of 3.10 to 3.13.
NEWER = {
    "asyncio": {"Barrier", "Runner", "TaskGroup", "timeout", "timeout_at"},
    "builtins": {"BaseExceptionGroup", "EncodingWarning", "ExceptionGroup", "aiter", "anext"},
    "contextlib": {"aclosing", "chdir"},
    "datetime": {"UTC"},
    "enum": {"EnumCheck", "FlagBoundary", "ReprEnum", "StrEnum", "member", "nonmember", "property", "verify"},
    "hashlib": {"file_digest"},
    "inspect": {"get_annotations", "markcoroutinefunction"},
    "itertools": {"batched", "pairwise"},
    "math": {"cbrt", "exp2", "fma", "sumprod"},
    "operator": {"call", "is_none"},
    "os": {"EFD_CLOEXEC", "eventfd", "process_cpu_count", "splice", "unshare"},
    "statistics": {"correlation", "covariance", "linear_regression"},
    "sys": {"activate_stack_trampoline", "exception", "monitoring", "orig_argv", "stdlib_module_names"},
    "tomllib": set(),
    "types": {"EllipsisType", "NoneType", "NotImplementedType", "UnionType", "get_original_bases"},
    "typing": {
        *("Concatenate", "LiteralString", "Never", "NotRequired", "ParamSpec", "ReadOnly", "Required", "Self"),
        *("TypeAlias", "TypeAliasType", "TypeGuard", "TypeIs", "TypeVarTuple", "Unpack", "assert_never"),
        *("assert_type", "dataclass_transform", "is_typeddict", "override", "reveal_type"),
    },
}
METHODS = {"add_note", "bit_count", "hardlink_to"}
KEYWORDS = {
    "dataclass": {"kw_only", "slots", "weakref_slot"},
    "zip": {"strict"},
    "field": {"kw_only"},
    "write_text": {"newline"},
    "glob": {"root_dir", "include_hidden"},
    "bisect_left": {"key"},
    "bisect_right": {"key"},
}
# A type, as the operand of a union: a name of one, a subscript of one, None.
TYPE = re.compile(r"None|str|int|float|bool|bytes|(tuple|list|dict|set|[A-Z]\w*[a-z]\w*)(\[.*\])?")


class Newer(ast.NodeVisitor):
    """Collects what 3.9 lacks. Annotations are not looked into: nothing evaluates them, but for those of commands."""

    def __init__(self, tree: ast.Module) -> None:
        self.found: list[tuple[int, str]] = []
        self.modules: dict[str, str] = {}
        self.replaced: set[str] = set()
        self.visit(tree)

    def add(self, node: ast.AST, what: str) -> None:
        self.found.append((getattr(node, "lineno", 0), what))

    def visit_If(self, node: ast.If) -> None:
        if not re.fullmatch(r"TYPE_CHECKING|sys\.version_info >= \(3, \d+\)", ast.unparse(node.test)):
            self.generic_visit(node)
        else:
            for each in node.orelse:
                self.visit(each)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.modules[alias.asname or alias.name] = alias.name
            if alias.name in NEWER and not NEWER[alias.name]:
                self.add(node, f"import {alias.name}")

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            if node.module == "nerone.compat":
                self.replaced.add(alias.name)
            elif alias.name in NEWER.get(node.module or "", ()):
                self.add(node, f"{node.module}.{alias.name}")

    def visit_Attribute(self, node: ast.Attribute) -> None:
        module = self.modules.get(ast.unparse(node.value), "")
        if node.attr in NEWER.get(module, ()) or node.attr in METHODS:
            self.add(node, f"{module or 'a method'}.{node.attr}")
        self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        if node.id in NEWER["builtins"]:
            self.add(node, node.id)

    def visit_Call(self, node: ast.Call) -> None:
        name = ast.unparse(node.func).split(".")[-1]
        given = {keyword.arg for keyword in node.keywords} & KEYWORDS.get(name, set())
        if given - ({"strict"} if name == "zip" else {"kw_only"} if name == "dataclass" else set()) or (
            given and name not in self.replaced
        ):
            self.add(node, f"{name}({', '.join(map(str, given))}=), which nerone.compat may have")
        if name == "zip" and not given and name not in self.replaced:
            self.add(node, "zip() without strict=, of nerone.compat")
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if isinstance(node.op, ast.BitOr) and any(
            TYPE.fullmatch(ast.unparse(each)) for each in (node.left, node.right)
        ):
            self.add(node, f"the union {ast.unparse(node)} at run time")
        self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        decorators = " ".join(ast.unparse(each) for each in node.decorator_list)
        is_command = "command" in decorators or "callback" in decorators
        for argument in [*node.args.args, *node.args.kwonlyargs] if is_command else ():
            if argument.annotation is not None:
                self.visit(argument.annotation)
        for each in [*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults), *node.body]:
            self.visit(each)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        for each in [*node.args.defaults, *node.body]:
            self.visit(each)


def newer(text: str) -> list[tuple[int, str]]:
    """Return (line, what) of all that the oldest Python does not take."""
    try:
        tree = ast.parse(text, feature_version=OLDEST_PYTHON)
    except SyntaxError as error:
        return [(error.lineno or 0, f"syntax: {error.msg}")]
    found = Newer(tree).found
    annotated = any(isinstance(node, ast.AnnAssign) or getattr(node, "returns", None) for node in ast.walk(tree))
    if annotated and "\nfrom __future__ import annotations\n" not in f"\n{text}":
        found.append((1, "annotations that are evaluated; begin with from __future__ import annotations"))
    return found


def test_one_number_says_how_old() -> None:
    text = (REPOSITORY / "pyproject.toml").read_text("utf-8")
    assert f'requires-python = ">={OLDEST_PYTHON[0]}.{OLDEST_PYTHON[1]}"' in text
    assert f'target-version = "py{OLDEST_PYTHON[0]}{OLDEST_PYTHON[1]}"' in text


def test_no_source_needs_a_newer_python() -> None:
    assert len(SOURCES) > 300
    problems = [f"{path}:{line}: {what}" for path in SOURCES for line, what in newer(path.read_text("utf-8"))]
    assert not problems, "\n".join(problems)


LINES = [
    "match 1:\n    case 1: pass",
    "with (open('a') as a, open('b') as b): pass\ntype X = int",
    "zip((), (), strict=True)",
    "zip((), ())",
    "from dataclasses import dataclass\n@dataclass(kw_only=True)\nclass A: pass",
    "from nerone.compat import dataclass\n@dataclass(slots=True)\nclass A: pass",
    "from typing import TypeAlias",
    "import itertools\nitertools.pairwise(())",
    "import tomllib",
    "Value = int | None",
    "Value = Sequence[int] | Mapping[str, int]",
    "isinstance(1, int | str)",
    "(5).bit_count()",
    "def f(x) -> int: pass",
    "from __future__ import annotations\n@application.command()\ndef f(x: str | None = None) -> None: pass",
    "async def f():\n    await anext(x)",
]


@pytest.mark.parametrize("text", LINES)
def test_the_test_sees_what_is_newer(text: str) -> None:
    assert newer(text)


def test_the_test_lets_pass_what_is_old() -> None:
    head = "from __future__ import annotations\nfrom nerone.compat import dataclass, zip\n"
    for text in (
        "x: int | None = None",
        "def f(x: str | None) -> int | None: return 1 | 2",
        "zip((), strict=True)",
        "@dataclass(kw_only=True)\nclass A: pass",
        "if sys.version_info >= (3, 11):\n    import tomllib\nelse:\n    import tomli as tomllib",
        "flags = os.W_OK | os.X_OK\nboth = {1: 2} | {3: 4}\nmask = (a == 1) | (b == 2)",
    ):
        assert newer(head + text) == [], text


ASK = """
import importlib, json, sys
missing = []
for module, name in json.load(sys.stdin):
    try:
        if not hasattr(importlib.import_module(module), name):
            importlib.import_module(module + "." + name)
    except ImportError as error:
        missing.append([module, name, str(error)])
print(json.dumps(missing))
"""


def standard_names() -> Iterator[tuple[str, str]]:
    """Yield (module, name) of what the sources import from the standard library, but for type checkers."""
    for path in SOURCES:
        tree = ast.parse(path.read_text("utf-8"))
        guards = [
            node
            for node in ast.walk(tree)
            if isinstance(node, ast.If) and re.search("TYPE_CHECKING|version_info", ast.unparse(node.test))
        ]
        skipped = {each for guard in guards for part in guard.body for each in ast.walk(part)}
        for node in ast.walk(tree):
            if not isinstance(node, ast.ImportFrom) or node in skipped or not node.module:
                continue
            if node.module.split(".")[0] in sys.stdlib_module_names:
                yield from ((node.module, alias.name) for alias in node.names)


def test_the_oldest_python_has_what_is_imported() -> None:
    """Asks it, where there is one."""
    program = shutil.which(f"python{OLDEST_PYTHON[0]}.{OLDEST_PYTHON[1]}")
    if program is None:
        pytest.skip("the oldest Python is not installed here")
    names = sorted(set(standard_names()) - {("__future__", "annotations")})
    assert len(names) > 50
    done = subprocess.run([program, "-c", ASK], input=json.dumps(names), capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"{program} does not start: {done.stderr.strip()[-200:]}")
    assert json.loads(done.stdout) == []


class Old:
    """What nerone.compat gives on the oldest Python, made on this one."""

    def __init__(self) -> None:
        specification = importlib.util.find_spec("nerone.compat")
        assert specification is not None
        text = Path(str(specification.origin)).read_text("utf-8")
        assert text.count("if sys.version_info >= (3, 10):") == 1
        namespace: dict[str, object] = {"__name__": "old_compat"}
        exec(compile(text.replace("sys.version_info >= (3, 10)", "False"), "compat.py", "exec"), namespace)
        self.zip, self.dataclass = namespace["zip"], namespace["dataclass"]


@pytest.mark.parametrize("lengths", [(), (0,), (2,), (2, 2), (2, 3), (3, 2), (2, 2, 1), (2, 2, 4), (0, 1), (1, 0)])
def test_zip_is_the_builtins(lengths: tuple[int, ...]) -> None:
    outcomes = []
    for make in (Old().zip, zip):
        read = []
        try:
            for row in make(*(range(length) for length in lengths), strict=True):
                read.append(row)
            outcomes.append((read, ""))
        except ValueError as error:
            outcomes.append((read, str(error)))
    assert outcomes[0] == outcomes[1]
    assert list(Old().zip(range(2), range(3))) == [(0, 0), (1, 1)]


def test_data_classes_take_values_by_name() -> None:
    dataclass = Old().dataclass

    @dataclass(frozen=True, kw_only=True)
    class Settings:
        count: int
        name: str = "x"

    assert Settings(count=1) == Settings(name="x", count=1)
    assert repr(Settings(count=1)).endswith("Settings(count=1, name='x')")
    with pytest.raises(TypeError, match="by name"):
        Settings(1)
    with pytest.raises(TypeError, match="count"):
        Settings(name="y")
    with pytest.raises(AttributeError):
        Settings(count=1).count = 2

    @dataclass
    class Plain:
        count: int

    assert Plain(3).count == 3
