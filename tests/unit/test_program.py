"""From what was written to a checked tree: what is accepted, what is refused and where."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cit
from cit import lurch, program
from cit.errors import Bad
from cit.steps import Steps
from cit.wants import CODES, Node, ended

STEPS = Steps()


def parse(text: str) -> Node:
    return program.parse(text, STEPS)


def body(text: str) -> Node:
    return parse(f"(isolate (none) {text})").children[1]


def test_a_program_is_a_tree_of_steps() -> None:
    tree = parse('(isolate\n  (chroot "busybox")\n  (sequence (no-op 0) (no-op 3)))')

    assert tree == Node(
        "isolate",
        {"builder": 0, "body": 1},
        (
            Node("chroot", {"template": "busybox"}, (), 2, 3),
            Node(
                "sequence",
                {"steps": (0, 1)},
                (Node("no-op", {"code": 0}, (), 3, 13), Node("no-op", {"code": 3}, (), 3, 23)),
                3,
                3,
            ),
        ),
        1,
        1,
    )


@pytest.mark.parametrize(
    ("text", "args"),
    [
        ('(exec "/p")', ("/p", (), (), None, None)),
        ('(exec "/p" ("a" "b"))', ("/p", ("a", "b"), (), None, None)),
        ('(exec "/p" ("a") ("V=1" "W="))', ("/p", ("a",), ("V=1", "W="), None, None)),
        ('(exec "/p" ("a") () 2.5)', ("/p", ("a",), (), 2.5, None)),
        ('(exec "/p" () () null)', ("/p", (), (), None, None)),
        ('(exec "/dir" "/p")', ("/p", (), (), None, "/dir")),
        ('(exec "/dir" "/p" ("a") ("V=1") 10)', ("/p", ("a",), ("V=1",), 10, "/dir")),
        ('(exec null "/p" ("a"))', ("/p", ("a",), (), None, None)),
    ],
)
def test_exec_has_both_spellings_and_its_end_may_be_left_out(text: str, args: object) -> None:
    node = body(text)

    assert tuple(node.args.values()) == args


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("x", (1, 1), 'a step expected, such as (exec "/bin/true")'),
        ("()", (1, 1), 'a step expected, such as (exec "/bin/true")'),
        ('("exec")', (1, 1), 'a step expected, such as (exec "/bin/true")'),
        ("(sequence\n (no-opp 1))", (2, 3), "no step 'no-opp'; is it 'no-op'?"),
        ("(frobnicate)", (1, 2), "no step 'frobnicate'"),
        ("(__init__)", (1, 2), "no step '__init__'"),
        ('(sequence\n  (exec "/p"))', (2, 3), "'exec' outside 'isolate'"),
        ("(none)", (1, 1), "'none' builds an isolation: it stands first in 'isolate'"),
        ("(isolate (no-op 0) (no-op 0))", (1, 10), "'no-op' builds no isolation"),
        ("(isolate (none))", (1, 1), "'isolate' needs its argument 'body': "
                                     "the step that runs in it"),
        ("(isolate null (no-op 0))", (1, 10), "'isolate' needs its argument 'builder': "
         "what builds the isolation: none, chroot or docker"),
        ("(isolate (none) (no-op 0) (no-op 1))", (1, 27), "one argument too many for 'isolate'"),
        ("(break 0)", (1, 8), "'break': 'loops' is at least 1"),
        ("(break -1)", (1, 8), "'break': 'loops' is at least 1"),
        ("(retry (no-op 0) 0)", (1, 18), "'retry': 'attempts' is at least 1"),
        ("(retry (no-op 0) 2 (1 lots))", (1, 20),
         "'retry': 'lots' is no status or code of a failure"),
        ("(retry (no-op 0) 2 (256))", (1, 20), "'retry': '256' is no status or code of a failure"),
        ("(retry (no-op 0) 2 (1.5))", (1, 21),
         "'retry': 'on' is a list of words and whole numbers"),
        ('(for "a}" () (no-op 0))', (1, 6), "'for': 'variable' cannot be the name of a variable"),
        ("(for 1 () (no-op 0))", (1, 6), "'for': 'variable' is a name"),
        ("(if (no-op 0) (no-op 0))", (1, 1), "'if' needs its argument 'else': "
         "runs if it is not"),
        ("(no-op 256)", (1, 8), "'no-op': 'code' is at most 255"),
        ("(no-op -1)", (1, 8), "'no-op': 'code' is at least 0"),
        ("(no-op 1.0)", (1, 8), "'no-op': 'code' is a whole number"),
        ('(no-op "1")', (1, 8), "'no-op': 'code' is a whole number"),
        ("(isolate (chroot) (no-op 0))", (1, 10), "'chroot' needs its argument 'template': "
         "the template: busybox or host"),
        ('(isolate (chroot "") (no-op 0))', (1, 18), "'chroot': 'template' is empty"),
        ("(isolate (chroot busybox) (no-op 0))", (1, 18),
         "'chroot': 'template' is a string in double quotes"),
        ("(isolate (none) (exec))", (1, 17), "'exec' needs its argument 'path': "
         "the program; without a slash it is looked for in PATH"),
        ('(isolate (none) (exec ""))', (1, 23), "'exec': 'path' is empty"),
        ('(isolate (none) (exec "a" b))', (1, 27), "'exec': 'args' is a list in brackets"),
        ('(isolate (none) (exec "a" (b)))', (1, 28),
         "'exec': 'args' is a string in double quotes"),
        ('(isolate (none) (exec "a" ("b\\000")))', (1, 28),
         "'exec': 'args' holds a NUL byte, which no command can be given"),
        ('(isolate (none) (exec "a" () ("b")))', (1, 31),
         "'exec': 'env' is a list of \"VAR=VALUE\""),
        ('(isolate (none) (exec "a" () ("=b")))', (1, 31),
         "'exec': 'env' is a list of \"VAR=VALUE\""),
        ('(isolate (none) (exec "a" () () -1))', (1, 33), "'exec': 'timeout' is at least 0"),
        ('(isolate (none) (exec "a" () () "1"))', (1, 33), "'exec': 'timeout' is a number"),
        ('(isolate (none) (exec "a" () () 1 "/d"))', (1, 35), "one argument too many for 'exec'"),
        ('(isolate (none) (exec 1 "a"))', (1, 23), "'exec': 'cwd' is a string in double quotes"),
    ],
)  # fmt: skip
def test_what_is_no_program_is_refused_with_its_place(
    text: str, place: tuple[int, int], message: str
) -> None:
    with pytest.raises(Bad) as caught:
        parse(text)

    assert (str(caught.value), caught.value.line, caught.value.column) == (message, *place)
    assert caught.value.text == text.split("\n")[place[0] - 1]


def test_a_place_is_one_in_the_file_that_the_text_came_from() -> None:
    with pytest.raises(Bad) as caught:
        program.parse("(sequence\n  (frobnicate))", STEPS, first=12)

    assert caught.value.show("x.job").startswith(
        "x.job:13:4: no step 'frobnicate'\n    (frobnicate))\n     ^"
    )


def test_exec_may_stand_alone_where_the_job_has_an_isolation() -> None:
    assert program.parse('(exec "/p")', STEPS, isolated=True).step == "exec"


def test_a_program_as_deep_as_a_text_may_be_is_loaded() -> None:
    tree = parse("(sequence " * 199 + "(no-op 0)" + ")" * 199)

    for _ in range(199):
        tree = tree.children[0]
    assert tree.args == {"code": 0}


def test_a_script_is_one_run_with_an_isolation_of_its_own() -> None:
    tree = program.script("#!/bin/sh\ntrue\n", ("chroot", "host"), ["A=1"])

    assert (tree.step, tree.isolate, tree.children) == ("script", ("chroot", "host"), ())
    assert tree.args == {"text": "#!/bin/sh\ntrue\n", "env": ("A=1",), "timeout": None}


def test_a_script_has_the_arguments_that_its_step_declares() -> None:
    declared = [arg.name for arg in STEPS["script"].ARGS]

    assert list(program.script("true").args) == declared


def test_a_command_is_a_lurch_program() -> None:
    text = program.command(["/bin/echo", "hello world!"], ("chroot", "busybox"))

    assert text == (
        '(isolate\n  (chroot "busybox")\n  (exec "/bin/echo" ("hello world!") () null))\n'
    )
    assert program.command(["true"]) == '(isolate (none) (exec "true" () () null))\n'


WORDS = st.binary().map(lambda raw: raw.replace(b"\0", b"").decode("utf-8", "surrogateescape"))


@given(st.lists(WORDS, min_size=1).filter(lambda argv: argv[0] != ""))
def test_every_byte_of_a_command_survives(argv: list[str]) -> None:
    node = parse(program.command(argv)).children[1]

    assert [node.args["path"], *node.args["args"]] == argv


FORMS = st.recursive(
    st.sampled_from(
        [lurch.symbol(name) for name in [*STEPS, "null", "t"]]
        + [lurch.string(text) for text in ["", "a", "V=1", "\0"]]
        + [lurch.number(value) for value in [0, 1, -1, 1.5, 10**30]]
    ),
    lambda inner: st.builds(
        lambda name, rest: lurch.form(lurch.symbol(name), *rest),
        st.sampled_from(list(STEPS)),
        st.lists(inner, max_size=6),
    )
    | st.lists(inner, max_size=4).map(lambda items: lurch.form(*items)),
)


@given(FORMS)
def test_any_expression_is_a_program_or_bad_data(form: lurch.Node) -> None:
    try:
        tree = parse(lurch.write(form))
    except Bad as error:
        assert error.line >= 1
    else:
        assert tree.step in STEPS


def test_steps_are_found_by_name() -> None:
    assert {"exec", "sequence", "no-op", "isolate", "none", "chroot", "docker"} <= set(STEPS)
    assert len(STEPS) == len(set(STEPS))


@pytest.mark.parametrize(
    "name", ["nope", "", "-", "no_op", "no-op-", "if-", "if_", "NO-OP", "__init__", "os.path", "é"]
)
def test_what_is_no_step_is_not_found(name: str) -> None:
    assert name not in STEPS


def test_steps_are_found_in_a_zip_file(tmp_path: Path) -> None:
    zipped = shutil.make_archive(str(tmp_path / "cit"), "zip", Path(cit.__file__).parent.parent)
    code = "from cit.steps import Steps; s = Steps(); print(s['no-op'].HELP, len(s) > 3, *s)"

    run = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": zipped}, capture_output=True, text=True
    )

    assert run.stdout == " ".join(["do nothing True", *STEPS]) + "\n"


@pytest.mark.parametrize("name", STEPS)
def test_every_step_says_what_it_is_and_takes(name: str) -> None:
    step = STEPS[name]
    names = [arg.name for arg in step.ARGS]

    assert step.HELP
    assert all(arg.help for arg in step.ARGS)
    assert len(set(names)) == len(names)
    for state in step.SHOWS:
        assert state.format(**dict.fromkeys(names, "x"))


@pytest.mark.parametrize(
    ("state", "text"),
    [
        ("written", "/bin/echo a b"),
        ("waiting", "will run /bin/echo a b"),
        ("running", "runs /bin/echo a b"),
    ],
)
def test_a_step_shows_as_one_line(state: str, text: str) -> None:
    node = body('(exec "/bin/echo" ("a" "b"))')

    assert program.show(node, STEPS, state) == text


@pytest.mark.parametrize("status", CODES)
def test_every_status_has_its_codes(status: str) -> None:
    low, high = CODES[status]

    assert ended(status, code=low).code == low
    assert ended(status, code=high).code == high
    with pytest.raises(ValueError, match="does not go with"):
        ended(status, code=high + 1)


def test_a_signal_is_told_apart_from_a_code() -> None:
    outcome = ended("signal", signal=15)

    assert (outcome.status, outcome.code, outcome.signal) == ("signal", 143, 15)
