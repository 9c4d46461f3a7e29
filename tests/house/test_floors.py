"""A module imports only from lower floors, and the lower floors are pure."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
LIB = TOP / "lib" / "cit"
MODULES = sorted(path.relative_to(LIB).as_posix() for path in LIB.rglob("*.py"))
PURE_UP_TO = 3
NOWHERE = 99

# What a pure module may import: no clock, no file, no process, no chance. Of the
# decoders of TOML only what makes values of text is used.
PURE = {
    "__future__",
    "binascii",
    "bisect",
    "collections",
    "difflib",
    "functools",
    "hashlib",
    "heapq",
    "itertools",
    "json",
    "keyword",
    "math",
    "operator",
    "re",
    "string",
    "tomli",
    "tomllib",
    "types",
    "typing",
    "unicodedata",
}
# Slow to import, so never at the head of a module: only in the function that needs it.
SLOW = {
    "argparse",
    "asyncio",
    "contextlib",
    "dataclasses",
    "inspect",
    "logging",
    "pathlib",
    "shutil",
    "subprocess",
    "tempfile",
    "tomllib",
    "typing",
}
MAY_BE_SLOW = {"options.py": {"argparse"}, "cmd": {"argparse"}}

# The steps are found by looking which there are.
FINDS_STEPS = {"steps/__init__.py": {"importlib", "pkgutil"}}
IMPURE_NAMES = {"open", "print", "input", "exec", "eval", "breakpoint"}


def floors() -> dict[str, int]:
    """The table of HACKING.md: a module's path, or a pattern, and its floor."""
    rows = re.findall(r"^\| +(\d+) +\| `([^`]+)`", (TOP / "HACKING.md").read_text(), re.MULTILINE)
    return {module: int(floor) for floor, module in rows}


TABLE = floors()


def floor(module: str) -> int:
    if module.endswith("/__init__.py"):
        module = module.replace("__init__", "*")
    if module in TABLE:
        return TABLE[module]
    folder, _, _ = module.rpartition("/")
    if folder and f"{folder}/*.py" in TABLE:
        return TABLE[f"{folder}/*.py"]
    return NOWHERE


def module_of(dotted: str) -> str | None:
    """The file of `cit.x.y`, if it is a module and not a name inside one."""
    path = dotted.replace(".", "/").removeprefix("cit").removeprefix("/")
    for candidate in (f"{path}.py", f"{path}/__init__.py".removeprefix("/")):
        if (LIB / candidate).is_file():
            return candidate
    return None


def imports(module: str) -> list[tuple[int, str]]:
    """(line, dotted name) of all that a module imports, wherever it does."""
    found = []
    for node in ast.walk(ast.parse((LIB / module).read_text())):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}:{node.lineno}: relative import"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                is_module = inner.startswith("cit.") and module_of(inner)
                found.append((node.lineno, inner if is_module else str(node.module)))
    return found


@pytest.mark.parametrize("module", MODULES)
def test_a_module_is_on_a_floor(module: str) -> None:
    assert floor(module) != NOWHERE, "give it a row in the table of HACKING.md"


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_from_lower_floors(module: str) -> None:
    here = floor(module)

    wrong = [
        f"lib/cit/{module}:{line}: {name} is on floor {floor(target)}, this is {here}"
        for line, name in imports(module)
        if name.partition(".")[0] == "cit"
        and (target := module_of(name))
        # A package comes before its members, and finds them by their names.
        and target != f"{module.rpartition('/')[0]}/__init__.py"
        and floor(target) >= here
    ]

    assert [] == wrong


@pytest.mark.parametrize("module", [m for m in MODULES if floor(m) <= PURE_UP_TO])
def test_the_lower_floors_are_pure(module: str) -> None:
    tree = ast.parse((LIB / module).read_text())
    called = [
        (node.lineno, node.func.id)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    ]

    wrong = [
        f"lib/cit/{module}:{line}: {name}"
        for line, name in imports(module)
        if name.partition(".")[0] not in PURE | FINDS_STEPS.get(module, set()) | {"cit"}
    ]
    wrong += [f"lib/cit/{module}:{line}: {name}()" for line, name in called if name in IMPURE_NAMES]

    assert [] == wrong


@pytest.mark.parametrize("module", MODULES)
def test_nothing_slow_is_imported_at_the_head_of_a_module(module: str) -> None:
    head = ast.parse((LIB / module).read_text()).body
    names = [
        alias.name if isinstance(node, ast.Import) else str(node.module)
        for node in head
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
    ]

    folder = module.partition("/")[0]
    assert set() == (SLOW & set(names)) - MAY_BE_SLOW.get(folder, set())


def opens_for_writing(module: str) -> list[str]:
    """The places where a module calls open() or os.open() with a mode or flags that write."""
    found = []
    for node in ast.walk(ast.parse((LIB / module).read_text())):
        if not isinstance(node, ast.Call) or len(node.args) < 2:
            continue
        function = ast.unparse(node.func)
        how = ast.unparse(node.args[1])
        if (function in ("open", "io.open", "os.fdopen") and re.search("[wax+]", how)) or (
            function == "os.open" and re.search("O_(WRONLY|RDWR|CREAT|APPEND|TRUNC)", how)
        ):
            found.append(f"lib/cit/{module}:{node.lineno}: {function}({how})")
    return found


# The file of locks is never written; main.py keeps the traceback of a bug, which may be
# one in files.py, and fills closed descriptors; control files of a cgroup and devices of
# a child are not files on a disk; what a job brings along is unpacked for it alone, and
# anew after a crash.
OPENERS = {"files.py", "locks.py", "main.py", "cgroup.py", "cgroupfs.py", "proc.py", "bundle.py"}


@pytest.mark.parametrize("module", [m for m in MODULES if m not in OPENERS])
def test_only_files_py_opens_for_writing(module: str) -> None:
    assert [] == opens_for_writing(module)


def test_the_table_of_floors_goes_up_and_has_no_row_too_many() -> None:
    assert list(TABLE.values()) == sorted(TABLE.values())
    assert [] == [module for module in TABLE if not list(LIB.glob(module))]
