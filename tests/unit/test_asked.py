"""What a job asks: made of any form, checked, and the same bytes for ever after."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from cit import asked, section
from cit.errors import Bad

ID = "01kak5jzc2v8e9j7m3t0q4w6xy"
OTHER = "01kak5jzc2v8e9j7m3t0q4w6xz"
LURCH = '(isolate (none) (exec "/bin/true" () () null))'
SCRIPT = "#!/bin/sh\necho $HOME\n"


def compose(text: str, called: str = "file", **changes: Any) -> asked.Asked:
    return asked.compose(text.encode(), ID, "main", called, changes)


@pytest.mark.parametrize(
    "text",
    [
        SCRIPT,
        LURCH,
        f'program = """\n{SCRIPT}"""\n',
        f"%% job 1 toml\n%% program 1 lurch\n{LURCH}\n",
        f"%% job 1 toml\n%% program 1 sh\n{SCRIPT}",
    ],
    ids=["script", "lurch", "toml", "lurch in a file", "script in a file"],
)
def test_a_job_in_any_form_becomes_a_job_file(text: str) -> None:
    made = compose(text)

    assert made.data.startswith(b"%% job 1 toml\n")
    assert (ID, "file", "main") == tuple(made.job[key] for key in ("id", "name", "queue"))
    assert made == asked.parse(made.data)
    assert hashlib.sha256(made.data).hexdigest() == made.sha256


def test_a_job_file_that_is_complete_stays_byte_for_byte() -> None:
    text = (
        f'%% job 1 toml\n# mine\nid = "{ID}"\nname = "x" # its name\nqueue = "main"\n'
        f"%% program 1 lurch\n{LURCH}\n%% history 1 tab\n2020\n"
    )

    assert text.encode() == compose(text).data


def test_comments_stay_where_only_keys_are_filled_in() -> None:
    made = compose(f"%% job 1 toml\n# why\npriority = 7\n%% program 1 sh\n{SCRIPT}")

    assert b"# why\n" in made.data
    assert (7, ID) == (made.job["priority"], made.job["id"])


def test_an_id_that_the_text_has_is_kept() -> None:
    made = compose(f'%% job 1 toml\nid = "{OTHER}"\n%% program 1 sh\n{SCRIPT}')

    assert OTHER == made.job["id"]


def test_a_name_comes_from_an_option_then_the_text_then_the_file() -> None:
    named = f'%% job 1 toml\nname = "text"\n%% program 1 sh\n{SCRIPT}'

    names = [compose(named, name="option"), compose(named), compose(SCRIPT, called="My File")]

    assert ["option", "text", "my-file"] == [made.job["name"] for made in names]


def test_the_queue_is_the_one_that_it_is_pushed_to() -> None:
    made = compose(f'%% job 1 toml\nqueue = "other"\n%% program 1 sh\n{SCRIPT}')

    assert "main" == made.job["queue"]


def test_changes_replace_values_and_join_tables() -> None:
    text = f'%% job 1 toml\npriority = 1\n[env]\nA = "1"\nB = "2"\n%% program 1 sh\n{SCRIPT}'

    made = compose(text, priority=9, env={"B": "3", "C": "4"}, vars={"V": "5"})

    assert 9 == made.job["priority"]
    assert {"A": "1", "B": "3", "C": "4"} == made.job["env"]
    assert {"V": "5"} == made.job["vars"]


def test_a_trace_that_somebody_ships_is_dropped() -> None:
    trace = "%% trace 1 tab\n2026-11-21T20:37:01.123Z\tresult\t-\tok\t0\n"

    made = compose(f"%% job 1 toml\n%% program 1 sh\n{SCRIPT}{trace}")

    assert b"result" not in made.data
    assert (made.data, b"") == section.split(made.data)


def test_sections_that_nobody_knows_are_carried_along() -> None:
    theirs = "%% mine 3 odd a=b nonl\n\0\xff\n%% x 1 y\n"

    made = compose(f"%% job 1 toml\n%% program 1 sh\n{SCRIPT}{theirs}")

    assert ["job", "program", "mine", "x"] == [part.kind for part in made.sections]
    assert "\0\xff".encode() == made.sections[2].body


def test_a_body_may_hold_what_looks_like_a_mark() -> None:
    made = compose("#!/bin/sh\ncat <<E\n%% trace 1 tab\n%%% x\nE\n")

    assert "#!/bin/sh\ncat <<E\n%% trace 1 tab\n%%% x\nE\n" == made.tree.args["text"]


def test_variables_of_a_script_are_its_environment() -> None:
    assert ("WHO=world",) == compose(SCRIPT, vars={"WHO": "world"}).tree.args["env"]


def test_a_script_runs_where_the_job_says() -> None:
    kinds = [asked.isolations(compose(SCRIPT, isolate=where)) for where in ("none", "chroot:host")]

    assert [{("none", "")}, {("chroot", "host")}] == kinds


def test_all_isolations_of_a_program_are_seen_however_deep() -> None:
    run = '(exec "/bin/true" () () null)'
    text = f'(sequence (isolate (none) {run}) (isolate (chroot "host") (isolate (none) {run})))'

    assert {("none", ""), ("chroot", "host")} == asked.isolations(compose(text))


def test_a_job_has_a_middle_priority_unless_it_says_otherwise() -> None:
    assert (50, 0) == (
        asked.priority(compose(SCRIPT)), asked.priority(compose(SCRIPT, priority=0)),
    )  # fmt: skip


def test_a_section_is_attached_to_a_job_in_any_form() -> None:
    for text in (SCRIPT, LURCH, f"%% job 1 toml\n%% program 1 sh\n{SCRIPT}"):
        with_files = asked.attach(text.encode(), "files", "tar", b"AAAA\n")

        made = asked.compose(with_files, ID, "main", "x", {})

        files = section.find(made.sections, "files")
        assert files and b"AAAA\n" == files.body


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", 1, "found nothing"),
        ("%% job 1 toml\n", 1, "program"),
        ("(exec", 1, "'"),
        ('\n\n(sequence (exec "/bin/true" () () null))', 3, "outside 'isolate'"),
        ("%% job 1 toml\npriorty = 1\n%% program 1 sh\n#!/bin/true\n", 2, "priority"),
        ("%% job 1 toml\npriority = 100\n%% program 1 sh\n#!/bin/true\n", 2, "99"),
        ('%% job 1 toml\n\nid = "x"\n%% program 1 sh\n#!/bin/true\n', 3, "ULID"),
        ('%% job 1 toml\nname = "A B"\n%% program 1 sh\n#!/bin/true\n', 2, "such as"),
        ("%% job 1 toml\n[limits]\ntime = 'soon'\n%% program 1 sh\n#!/bin/true\n", 3, "10m"),
        ("%% job 2 toml\n%% program 1 sh\n#!/bin/true\n", 1, "version"),
        ("%% job 1 toml\n%% job 1 toml\n%% program 1 sh\n#!/bin/true\n", 2, "second"),
        ("%% program 1 sh\n#!/bin/true\n", 1, "no section 'job'"),
        ("%% job 1 toml\n%% program 1 lurch\n(sequence\n  (wxyz))\n", 4, "no step 'wxyz'"),
        ("name = 3\nprogram = '#!/bin/true'\n", 1, "such as"),
        ("program = '#!/bin/true'\nname = [\n", 2, ""),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, line: int, message: str) -> None:
    with pytest.raises(Bad) as raised:
        compose(text)

    assert (line, 65) == (raised.value.line, raised.value.code)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    "changes",
    [{"priority": 100}, {"priority": -1}, {"isolate": "cage"}, {"limits": {"tim": "1s"}},
     {"limits": {"memory": "much"}}, {"env": {"A B": "1"}}, {"env": {"A": "\0"}}, {"name": "-rf"}],
)  # fmt: skip
def test_a_change_that_makes_no_sense_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(Bad):
        compose(SCRIPT, **changes)


@pytest.mark.parametrize("text", [SCRIPT, LURCH, "program = '#!/bin/true'\n"])
def test_only_a_job_file_with_its_id_is_admitted(text: str) -> None:
    with pytest.raises(Bad):
        asked.parse(text.encode())


def test_bytes_that_are_no_text_are_bad_data_and_no_bug() -> None:
    for data in (b"\xff\xfe", b"\0", b"#!/bin/sh\n\xff\n", b"%% job 1 toml\n\xff\n", b"(\xff)"):
        try:
            made = asked.compose(data, ID, "main", "x", {})
        except Bad:
            continue
        assert data in made.data


# --- stages ----------------------------------------------------------------------------------

STAGES = "# all\nbuild:\n    make\ntest: build\n    make test\n"
TABLES = '[[stage]]\nname = "build"\nrun = "make"\n'


@pytest.mark.parametrize(
    ("text", "form"),
    [
        (STAGES, "stages"),
        (f'program = """\n{STAGES}"""\n', "stages"),
        (f"%% job 1 toml\n%% program 1 stages\n{STAGES}", "stages"),
        (TABLES, "toml"),
        (f"%% job 1 toml\n%% program 1 toml\n{TABLES}", "toml"),
    ],
    ids=["text", "text in TOML", "text in a file", "tables", "tables in a file"],
)
def test_stages_in_any_form_become_a_job_file(text: str, form: str) -> None:
    made = compose(text)

    [written] = [part for part in made.sections if part.kind == "program"]
    assert form == written.format
    assert "stages" == made.tree.step
    assert made == asked.parse(made.data)


def test_the_tables_of_a_plain_file_are_kept_as_they_are_written() -> None:
    made = compose(f'name = "x"\n\n{TABLES}[stage.env] # why\nA = "1"\n\n[limits]\ntime = "1m"\n')

    assert made.data.decode().endswith(
        f'[limits]\ntime = "1m"\n%% program 1 toml\n{TABLES}[stage.env] # why\nA = "1"\n\n'
    )


def test_tables_in_braces_are_stages_too() -> None:
    made = compose('stage = [{ name = "a", run = "x" }, { name = "b", needs = ["a"] }]\n')

    assert ["a", "b"] == [stage.args["name"] for stage in made.tree.children]


def test_stages_run_where_the_job_says_and_else_where_they_say() -> None:
    text = (
        f'isolate = "chroot:busybox"\n{TABLES}[[stage]]\nname = "b"\nrun = "x"\nchroot = "host"\n'
        '[[stage]]\nname = "c"\nrun = "x"\nimage = "debian:12"\n'
    )

    own = {("chroot", "host"), ("docker", "debian:12")}
    assert own | {("chroot", "busybox")} == asked.isolations(compose(text))
    assert own | {("none", "")} == asked.isolations(compose(text, isolate="none"))


def test_the_slots_of_the_job_are_those_of_each_step_that_leaves_its_own_out() -> None:
    text = (
        '(sequence (stages 3 (stage "a" () (matrix v ("1") (no-op)))) (stages))'
        "\n"
    )

    trees = [compose(f"%% job 1 toml\n{head}%% program 1 lurch\n{text}").tree
             for head in ("", "slots = 7\n")]  # fmt: skip

    slots = [
        [tree.children[0].args["slots"], tree.children[1].args["slots"],
         tree.children[0].children[0].children[0].args["slots"]]
        for tree in trees
    ]  # fmt: skip
    assert [[3, None, None], [3, 7, 7]] == slots


def test_the_variables_of_the_job_are_in_the_environment_of_its_stages() -> None:
    made = compose(STAGES, vars={"who": "me"})

    assert ("who=${who}",) == made.tree.children[0].children[0].children[1].args["env"]


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("\n# c\na: b\n", (3, 1), "'stages': stage 'a' needs 'b': no stage 'b'"),
        ('name = "x"\n\n[[stage]]\nname = "a"\n\n[limits]\n[[stage]]\nname = "b"\nruns = ""\n',
         (9, 1), "unknown key 'runs', did you mean 'run'?"),
        ('[limits]\n\n[[stage]]\nname = "a"\nneeds = ["b"]\n', (3, 3),
         "'stages': stage 'a' needs 'b': no stage 'b'"),
        ("%% job 1 toml\n%% program 1 stages\na:\na:\n", (4, 1), "'stages': a second stage 'a'"),
        ("%% job 1 toml\n%% program 1 toml\n[[stage]]\nname = 'a'\nrun = 1\n", (5, 1),
         "expected a text or a list of lines, found 1"),
        ("%% job 1 toml\n%% program 1 toml\n[[stage]]\nnames = 'a'\n", (4, 1),
         "unknown key 'names', did you mean 'name'?"),
        ('program = """\n(no-op)"""\n[[stage]]\nname = "a"\n', (3, 3),
         "expected a key 'program' or tables [[stage]], found both"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_stages_is_said_at_its_place_in_the_file(
    text: str, place: tuple[int, int], message: str
) -> None:
    with pytest.raises(Bad) as caught:
        compose(text)

    assert (*place, message) == (caught.value.line, caught.value.column, str(caught.value))


def test_a_check_of_what_it_needs_runs_somewhere_too() -> None:
    """Else who may not run anything unisolated could have it done by such a check."""
    text = '(isolate (chroot "busybox") (exec "/bin/true"))'
    job = f'%% job 1 toml\n[needs]\ncheck = "id"\n%% program 1 lurch\n{text}\n'

    assert {("none", ""), ("chroot", "busybox")} == asked.isolations(compose(job))
