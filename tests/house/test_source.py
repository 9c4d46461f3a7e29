"""What holds for every file of the project."""

from __future__ import annotations

import ast
import io
import re
import subprocess
import tokenize
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
MODULES = sorted((TOP / "lib" / "cit").rglob("*.py"))
MODULE_LINES = 300
COMMAND_LINES = 120
GENERATED = {"tables.py"}
# What every module of its kind has is described once, in HACKING.md.
CONTRACT = {
    "cmd": {"main", "parser"},
    "steps": {"check", "run"},
    "isolate": {"check", "missing", "up", "enter", "ensure", "down"},
}


def name(path: Path) -> str:
    return path.relative_to(TOP).as_posix()


def sources() -> list[Path]:
    """The project's own text files: those git knows or would add."""
    listed = subprocess.run(
        ["git", "-c", f"safe.directory={TOP}", "ls-files", "-z", "-co", "--exclude-standard"],
        cwd=TOP,
        capture_output=True,
    )
    if listed.returncode == 0:
        paths = [TOP / entry for entry in listed.stdout.decode().split("\0") if entry]
    else:
        paths = [p for p in TOP.rglob("*") if not {".venv", "build", ".git"} & set(p.parts)]
    return sorted(p for p in paths if p.is_file() and b"\0" not in p.read_bytes()[:4096])


SOURCES = sources()


def lines_with(pattern: str, paths: list[Path]) -> list[str]:
    wanted = re.compile(pattern)
    return [
        f"{name(path)}:{number}: {line.strip()[:100]}"
        for path in paths
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if wanted.search(line)
    ]


def test_python_and_shell_are_indented_with_spaces() -> None:
    code = [p for p in SOURCES if p.suffix == ".py" or p.parent.name in ("bin", "tools")]

    assert [] == lines_with(r"^ *\t", code)


def test_no_line_ends_in_a_space() -> None:
    code = [p for p in SOURCES if p.suffix in {".py", ".md", ".toml", ".1", ".5", ".7", ""}]

    assert [] == lines_with(r"[ \t]$", code)


def test_open_questions_are_marked_one_way() -> None:
    # Spelled apart, so that this line is not one of them.
    others = "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X"))

    assert [] == lines_with(rf"\b({others})\b|\bNEEDS" + r"WORK(?!:)\b", SOURCES)


def test_no_file_names_the_checkout_it_was_written_in() -> None:
    assert [] == lines_with(rf"(?<![\w.]){re.escape(str(TOP))}(?!\w)", SOURCES)


def code_lines(source: str) -> int:
    """Lines of code: explaining it, in comments and docstrings, must not cost anything."""
    documented = set()
    for node in ast.walk(ast.parse(source)):
        kinds = (ast.Module, ast.FunctionDef, ast.ClassDef)
        if isinstance(node, kinds) and ast.get_docstring(node) is not None:
            text = node.body[0]
            documented |= set(range(text.lineno, (text.end_lineno or text.lineno) + 1))
    lines: set[int] = set()
    blank = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in blank | {tokenize.ENDMARKER}:
            lines |= set(range(token.start[0], token.end[0] + 1))
    return len(lines - documented)


@pytest.mark.parametrize("module", [m for m in MODULES if m.name not in GENERATED], ids=name)
def test_a_module_stays_small(module: Path) -> None:
    limit = COMMAND_LINES if module.parent.name == "cmd" else MODULE_LINES

    assert code_lines(module.read_text()) <= limit, "a noun is missing: look for it"


@pytest.mark.parametrize("module", MODULES, ids=name)
def test_what_is_public_says_what_it_is_for(module: Path) -> None:
    tree = ast.parse(module.read_text())
    # A name and a signature say enough of what is one statement long.
    public = [
        node
        for node in tree.body
        if isinstance(node, (ast.FunctionDef, ast.ClassDef))
        and not node.name.startswith("_")
        and len(node.body) > 1
    ]

    missing = [node.name for node in public if not ast.get_docstring(node)]
    missing = [f for f in missing if f not in CONTRACT.get(module.parent.name, set())]

    assert ast.get_docstring(tree), "the module has no docstring"
    assert [] == missing


@pytest.mark.parametrize("module", MODULES, ids=name)
def test_a_module_says_what_it_is_in_one_sentence(module: Path) -> None:
    first = (ast.get_docstring(ast.parse(module.read_text())) or "").splitlines()[:1]

    assert first and 0 < len(first[0]) <= 100
