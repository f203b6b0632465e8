"""The shape of the code, as a test: layers, sizes, and what must not be written at all."""

import ast
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "personastream"
MODULES = sorted(PACKAGE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))

LAYERS = (
    ("__init__", "errors", "packed", "records", "settings"),
    ("core", "dedup", "licences", "templates", "limits", "guard", "job"),
    ("ports", "sandbox", "card", "test_sets"),
    ("engine",),
    ("sources", "transforms", "recipes", "providers", "sinks", "screens", "testing"),
    ("config", "build", "stages"),
    ("launch", "observe", "simulator", "samples", "export"),
    ("report", "serve"),
    ("cli", "__main__"),
)
LAYER_OF = {unit: layer for layer, units in enumerate(LAYERS) for unit in units}
ADAPTERS = set(LAYERS[4])
ABREAST = {("build", "config"), ("stages", "config"), ("__main__", "cli")}
"""Imports within a layer, from one unit to another."""

PURE_LAYER_MAX = 1
NOT_PURE = {"asyncio", "anyio", "trio", "os", "time", "random", "secrets", "pathlib", "logging", "socket", "threading"}
NETWORK = {"aiohttp", "aiolimiter", "uvloop"}
NOT_HERE: dict[str, set[str]] = {
    "providers": set(),
    "launch": set(),
    "serve": set(),
    "simulator": set(),
    "engine": {*NETWORK, "asyncio"},
}
"""Who may use the network libraries, and what the engine has to do without; all others do without the former."""
NOWHERE = {"pickle", "marshal", "shelve", "trio", "logging"}
ONLY_HERE = {"serve.foreign_log": {"logging"}}
"""What libraries say in their own way is heard in one place."""
CALLS_NOWHERE = {"print", "eval", "exec", "create_task", "ensure_future", "gather", "breakpoint"}
NAMES_NOWHERE = ("handler", "manager", "helper", "util", "processor", "context")

LINES_MAX = 400
FUNCTION_LINES_MAX = 70
METHODS_MAX = 19
UNFINISHED = ("TO" + "DO", "FIX" + "ME", "XX" + "X")


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def unit_of(module: str) -> str:
    """The file or folder right under the package: `core.rows` is in `core`; the package itself is `__init__`."""
    return module.split(".")[0] or "__init__"


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def imports(tree: ast.AST) -> Iterator[str]:
    """Dotted names of all imported modules, wherever the import stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield node.module or ""
            if node.module == "personastream":
                yield from (f"personastream.{alias.name}" for alias in node.names if alias.name != "__version__")


def import_faults(module: str, tree: ast.AST) -> Iterator[str]:
    """What a module imports and must not."""
    unit = unit_of(module)
    layer = LAYER_OF[unit]
    for name in imports(tree):
        top, _, rest = name.partition(".")
        if top == "personastream":
            target = unit_of(rest)
            below = LAYER_OF[target] < layer and not (unit in ADAPTERS and target == "engine")
            if not below and target != unit and (unit, target) not in ABREAST:
                yield f"{unit} (layer {layer}) imports {target} (layer {LAYER_OF[target]})"
        elif layer <= PURE_LAYER_MAX and top in NOT_PURE:
            yield f"{unit} is pure and imports {top}"
        elif top in (NOWHERE | NOT_HERE.get(unit, NETWORK)) - ONLY_HERE.get(module, set()):
            yield f"{unit} imports {top}"


def shape_faults(tree: ast.Module) -> Iterator[str]:
    """What is too long, or has a name that says nothing."""
    if not ast.get_docstring(tree):
        yield "the module has no docstring"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and body_lines(node) > FUNCTION_LINES_MAX:
            yield f"{node.name} has {body_lines(node)} lines"
        if isinstance(node, ast.ClassDef):
            methods = [part for part in node.body if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef)]
            if len(methods) > METHODS_MAX:
                yield f"{node.name} has {len(methods)} methods"
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from (f"{node.name} is named after a {word}" for word in NAMES_NOWHERE if word in node.name.lower())


def statement_faults(tree: ast.AST) -> Iterator[str]:
    """What must not be written at all."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler) and node.type is None:
            yield f"line {node.lineno}: a bare except"
        if isinstance(node, ast.Call):
            called = getattr(node.func, "id", None) or getattr(node.func, "attr", None)
            if called in CALLS_NOWHERE:
                yield f"line {node.lineno}: {called}"


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its head and docstring."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def text_faults(text: str) -> Iterator[str]:
    lines = text.splitlines()
    if len(lines) > LINES_MAX:
        yield f"{len(lines)} lines"
    yield from (f"{word} is left" for word in UNFINISHED if word in text)


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_a_module_keeps_the_rules(path: Path) -> None:
    text = path.read_text("utf-8")
    tree = ast.parse(text)
    faults = chain(import_faults(module_of(path), tree), shape_faults(tree), statement_faults(tree), text_faults(text))
    assert list(faults) == []


@pytest.mark.parametrize("path", TESTS, ids=named)
def test_a_test_file_keeps_its_size(path: Path) -> None:
    assert list(text_faults(path.read_text("utf-8"))) == []


def test_test_files_have_names_of_their_own() -> None:
    names = [path.name for path in TESTS if path.name.startswith("test_")]
    assert sorted(names) == sorted(set(names))


def test_every_unit_has_a_layer() -> None:
    units = {unit_of(module_of(path)) for path in MODULES}
    assert units <= set(LAYER_OF)


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("engine.feed", "from personastream.sinks.frames import Frames"),
        ("engine.feed", "import asyncio"),
        ("sinks.frames", "from personastream.engine import run"),
        ("sinks.frames", "from personastream.sources.jsonl import Jsonl"),
        ("sinks.frames", "import aiohttp"),
        ("providers.openai", "from personastream.testing import Echo"),
        ("core.rows", "import time"),
        ("core.rows", "from os import path"),
        ("core.rows", "from personastream.dedup import ExactIndex"),
        ("records", "from personastream.errors import RowError"),
        ("ports", "from personastream import build"),
        ("config", "from personastream.build import build"),
        ("launch.inline", "import pickle"),
        ("simulator.server", "from personastream.observe import rates"),
        ("core.rows", "def f():\n    import random"),
    ],
)
def test_an_import_against_the_layers_is_noticed(module: str, line: str) -> None:
    assert list(import_faults(module, ast.parse(line)))


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("engine.feed", "import anyio"),
        ("engine.feed", "from personastream.engine.settle import Settle"),
        ("sinks.frames", "from personastream.sinks.disk import OsDisk"),
        ("sinks.frames", "import os"),
        ("providers.openai", "import aiohttp"),
        ("providers.openai", "from personastream import __version__"),
        ("build", "from personastream.config import Config"),
        ("cli.run", "from personastream.launch.inline import run_config"),
    ],
)
def test_an_import_along_the_layers_is_no_fault(module: str, line: str) -> None:
    assert not list(import_faults(module, ast.parse(line)))


def test_long_functions_and_large_classes_are_noticed() -> None:
    long = "def f():\n" + '    """' + "words\n" * 80 + '    """\n' + "    x = 1\n" * 70
    assert not list(shape_faults(ast.parse('"""Doc."""\n' + long)))
    assert list(shape_faults(ast.parse('"""Doc."""\n' + long + "    x = 1\n")))
    large = '"""Doc."""\nclass A:\n' + "".join(f"    def m{number}(self): ...\n" for number in range(20))
    assert list(shape_faults(ast.parse(large))) == ["A has 20 methods"]
    assert list(shape_faults(ast.parse("x = 1"))) == ["the module has no docstring"]
    assert list(shape_faults(ast.parse('"""Doc."""\nclass RowManager: ...')))


@pytest.mark.parametrize(
    "line",
    ["print(1)", "asyncio.create_task(f())", "asyncio.gather(a, b)", "eval('1')", "try:\n    f()\nexcept:\n    pass"],
)
def test_forbidden_statements_are_noticed(line: str) -> None:
    assert list(statement_faults(ast.parse(line)))
