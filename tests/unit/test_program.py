"""From what was written to a checked tree: what is accepted, what is refused and where."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cit
from cit import lurch, program, template
from cit.errors import Bad
from cit.steps import Steps, chroot
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
        ("(retry (no-op 0) 1001)", (1, 18), "'retry': 'attempts' is at most 1000"),
        ("(retry (no-op 0) 2 () -1)", (1, 23), "'retry': 'back-off' is at least 0"),
        ("(pause)", (1, 1), "'pause' needs its argument 'seconds': how long"),
        ("(pause -1)", (1, 8), "'pause': 'seconds' is at least 0"),
        ("(pause 1e300)", (1, 8), "'pause': 'seconds' is at most 3155760000"),
        ('(pause "1")', (1, 8), "'pause': 'seconds' is a number"),
        ("(wait (60))", (1, 8), "'wait': 'minutes' is at most 59"),
        ("(wait () (-1))", (1, 11), "'wait': 'hours' is at least 0"),
        ("(wait () () (0))", (1, 14), "'wait': 'days' is at least 1"),
        ("(wait () () () (13))", (1, 17), "'wait': 'months' is at most 12"),
        ("(wait () () ()\n () (8))", (2, 6), "'wait': 'weekdays' is at most 7"),
        ("(wait (1.0))", (1, 8), "'wait': 'minutes' is a whole number"),
        ("(wait 0)", (1, 7), "'wait': 'minutes' is a list in parentheses"),
        ("(wait () () (31) (2))", (1, 13),
         "'wait': it never comes: none of these months has such a day"),
        ("(wait () () (31) (2 4 6 9 11) ())", (1, 13),
         "'wait': it never comes: none of these months has such a day"),
        ("(wait () () () () () ())", (1, 22), "one argument too many for 'wait'"),
        ('(approve "1" "Go?")', (1, 14), "'approve': 'default' is t or f"),
        ('(approve 1 "Go?" yes)', (1, 18), "'approve': 'default' is t or f"),
        ('(approve 1 "Go?" f "alice")', (1, 20), "'approve': 'who' is a list in parentheses"),
        ('(approve 1 "Go?" f (alice))', (1, 21), "'approve': 'who' is a list of users and groups, "
         "such as (\"alice\" \"@team\")"),
        *[(f'(approve 1 "Go?" f ("{who}"))', (1, 21), "'approve': 'who' can hold names of users "
           "and groups only, such as \"@team\"")
          for who in ("", "@", "a,b", "a b", "@@a", "a@host", "${team}", "a\\n")],
        ('(let "" "" "" (no-op))', (1, 6), "'let': 'variable' cannot be the name of a variable"),
        ('(let v "" "")', (1, 1), "'let' needs its argument 'body': the step"),
        ('(let v "\\000" "" (no-op))', (1, 8),
         "'let': 'default' holds a NUL byte, which no command can be given"),
        ('(let v 1 "" (no-op))', (1, 8), "'let': 'default' is a string in double quotes"),
        ('(spawn "")', (1, 8), "'spawn': 'program' is empty"),
        ('(spawn "p" 0)', (1, 12), "'spawn': 'version' is at least 1"),
        ('(spawn "p" "newest")', (1, 12), "'spawn': 'version' is a whole number"),
        ('(await tea "x")', (1, 8), "'await': 'tea' is neither job nor artefact"),
        ('(await job "")', (1, 12), "'await': 'name' is empty"),
        ('(await job "a/b")', (1, 12), "'await': 'a/b' is no id or name of a job"),
        ('(await artefact "a")', (1, 17), "'await': 'a' is not JOB/ARTEFACT"),
        ('(await artefact "/a")', (1, 17), "'await': '/a' is not JOB/ARTEFACT"),
        ('(await_ job "a")', (1, 2), "no step 'await_'; is it 'await'?"),
        ('(isolate (chroot "debian") (no-op))', (1, 18),
         "'chroot': no template 'debian', only busybox and host"),
        ('(isolate (isolate (none) (no-op)) (no-op))', (1, 10), "'isolate' builds no isolation"),
        ('(isolate (none) (chroot "host"))', (1, 17),
         "'chroot' builds an isolation: it stands first in 'isolate'"),
        ('(sequence (isolate (none) (no-op)) (for v () (if (no-op) (script "x") (no-op))))',
         (1, 58), "'script' outside 'isolate'"),
        ("(no-op 256)", (1, 8), "'no-op': 'code' is at most 255"),
        ("(no-op -1)", (1, 8), "'no-op': 'code' is at least 0"),
        ("(no-op 1.0)", (1, 8), "'no-op': 'code' is a whole number"),
        ('(no-op "1")', (1, 8), "'no-op': 'code' is a whole number"),
        ("(isolate (chroot) (no-op 0))", (1, 10), "'chroot' needs its argument 'template': "
         "the template: busybox or host"),
        ('(isolate (chroot "") (no-op 0))', (1, 18), "'chroot': 'template' is empty"),
        ("(isolate (chroot busybox) (no-op 0))", (1, 18),
         "'chroot': 'template' is a string in double quotes: write \"busybox\""),
        ("(isolate (none) (exec))", (1, 17), "'exec' needs its argument 'path': "
         "the program; without a slash it is looked for in PATH"),
        ('(isolate (none) (exec ""))', (1, 23), "'exec': 'path' is empty"),
        ('(isolate (none) (exec "a" b))', (1, 27), "'exec': 'args' is a list in parentheses"),
        ('(isolate (none) (exec "a" (b)))', (1, 28),
         "'exec': 'args' is a string in double quotes: write \"b\""),
        ("(stages (stage a () (no-op)))", (1, 16),
         "'stage': 'name' is a string in double quotes: write \"a\""),
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


@pytest.mark.parametrize(
    "text",
    [
        '(isolate (none) (isolate (chroot "busybox") (isolate (none) (exec "/p"))))',
        '(isolate (none) (isolate (chroot "${template}") (no-op)))',
        "(break 5)",
        "(sequence (retry (break 1) 3))",
        "(wait () () (29) (2))",
        "(wait () () (31) (2) (1))",
        "(wait (0 0) null () (12) (0 7))",
        "; before\n(no-op null) ; after",
        "(approve 0.5 null t null)",
    ],
)
def test_what_looks_odd_and_means_something_is_a_program(text: str) -> None:
    assert parse(text).step in STEPS


MANUAL = (Path(__file__).parents[2] / "man" / "cit-program.5").read_text()
SHOWN = [
    line.replace("\\(dq", '"')
    for line in re.findall(r"^\.Dl (\(.*\))$", MANUAL, re.MULTILINE)
    + re.findall(r"^\.Bd -literal.*\n(\([^.]*\))\n\.Ed$", MANUAL, re.MULTILINE)
]


@pytest.mark.parametrize("text", SHOWN)
def test_the_programs_of_the_manual_are_programs(text: str) -> None:
    assert program.parse(text, STEPS, isolated=True).step in STEPS


def test_the_manual_has_a_program_with_each_step() -> None:
    shown = {word for text in SHOWN for word in re.findall(r"\((?!\")([a-z][a-z-]*)", text)}

    assert {"approve", "await", "break", "exec", "for", "if", "isolate", "let", "no-op", "pause",
            "retry", "sequence", "spawn", "wait", "chroot", "stages", "stage",
            "matrix", "check"} <= shown  # fmt: skip


def test_the_templates_that_are_accepted_are_those_that_can_be_built() -> None:
    assert set(chroot.TEMPLATES) == set(template.WRITABLE)


# Inputs that are refused or read; none gives a traceback, and none takes a second.

PROGRAMS = [
    *SHOWN,
    '(isolate (none) (exec "/d" "/p" ("a\\255\\n" "${x}") ("A=1") 1.5)) ; done',
    '(sequence (retry (no-op 1) 3 (lost timeout 75) 2) (approve null "x" t ("a" "@b")))',
    '(let "v" "1" "c" (for w ("a" "${v}") (if (no-op) (break 2) (wait (0) () (1) () (7)))) 5)',
    '(sequence (spawn "p" 3) (await artefact "j/a" 1e3) (pause .5) (no-op 007))',
]
PIECES = [
    "(", ")", "()", '"', '""', "\\", ";", "\n", " ", "null", "t", "f", "-", "1", "9" * 39, "1e308",
    "1e309", "-0.0", "\0", "\udc80", "\ud800", "\u2028", "é", "${", "}", "(" * 300, "a" * 5000,
    "(sequence ", "(exec ", "(wait (", "\\u{110000}", "\\999", "@",
]  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A right program after a few cuts, swaps and insertions."""
    text = draw(st.sampled_from(PROGRAMS))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(text)))
        end = draw(st.integers(at, min(len(text), at + 20)))
        put = draw(st.sampled_from([*PIECES, text[at:end] * 2, text[end : end + 30], ""]))
        text = text[:at] + put + text[end:]
    return text


def quickly(text: str) -> Node | None:
    begun = time.process_time()
    try:
        return program.parse(text, STEPS)
    except Bad as error:
        assert error.line >= 1
        assert error.column >= 1
        assert str(error)
        assert len(error.show("x")) < 2000
        return None
    finally:
        assert time.process_time() - begun < 1


@given(mutated() | st.text())
def test_any_text_is_a_program_or_bad_data_at_once(text: str) -> None:
    tree = quickly(text)

    if tree:
        again = program.parse(lurch.write(lurch.read(text)), STEPS)
        assert bare(again) == bare(tree)


def bare(node: Node) -> Node:
    """The tree without its places."""
    return node._replace(children=tuple(map(bare, node.children)), line=0, column=0)


@pytest.mark.parametrize(
    "text",
    [
        "(sequence " * 200 + ")" * 200,
        "(" * 500_000,
        "(no-op " + "9" * 500_000 + ")",
        f"(no-op {'9' * 40})",
        "(pause 1e308)",
        "(for v (" + '"x" ' * 49_000 + ") (no-op))",
        '(isolate (none) (exec "' + "x" * 1_000_000 + '"))',
        '(isolate (none) (exec "' + "\\255" * 250_000 + '"))',
        '(isolate (none) (exec "' + "${" * 250_000 + '"))',
        '(isolate (none) (exec "\\000"))',
        '(isolate (none) (exec "\ud800"))',
        '(isolate (none) (exec "/p" ("\udcff")))',
        "(wait (" + "1 " * 100_000 + ") () (31) (2 " * 1 + "2 " * 100_000 + "))",
        "(sequence " + "(no-op)" * 24_000 + ")",
        "(sequence " + "(pause 1)" * 16_000 + ")",
        "(sequence " + "(pause 1)" * 110_000 + ")",
        "(wait (" + "1 " * 500_000 + ") () (31) (2))",
        "(" + "x" * 1_000_000 + ")",
        "(no-op 1\0)",
        '(approve 1 "' + "\n" * 100_000 + '" x)',
    ],
    ids=range(20),
)
def test_what_is_huge_or_strange_is_a_program_or_bad_data_at_once(text: str) -> None:
    quickly(text)


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
