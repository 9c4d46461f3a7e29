"""cit-ls --tree: who spawned, awaited or repeated whom."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from cit import trace
from cit.trace import Record

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cmd.conftest import Made
    from tests.conftest import Cit

    Terminal = Callable[..., str]

GONE = "01kak5jzc2v8e9j7m3t0q4w6xy"


def record(kind: str, run: str, *fields: str) -> Record:
    return Record(trace.stamp(1795293421.0), kind, run, fields)


def origin(kind: str, job: str, run: str = "") -> str:
    return f'[origin]\nkind = "{kind}"\njob = "{job}"\n' + (f'run = "{run}"\n' if run else "")


def lines(text: str) -> list[list[str]]:
    return [line.split("\t") for line in text.splitlines()]


def family(made: Made) -> dict[str, str]:
    """A job that spawned another, that one done again twice, and one that awaits it all."""
    ids = {"top": made.finished("top")}
    ids["spawned"] = made.finished("spawned", head=origin("spawn", ids["top"], "1.2"))
    ids["again"] = made.finished(
        "spawned", head=origin("again", ids["spawned"], "1.3"), status="failed", code=1
    )
    ids["waits"] = made.put("park", "waits", head='[needs]\njob = ["top", "spawned"]\n', due=9)
    ids["alone"] = made.put("wait", "alone")
    return ids


def test_each_relation_is_a_line_of_child_parent_and_kind(made: Made, cit: Cit) -> None:
    ids = family(made)

    code, out, err = cit("ls", "--tree")

    assert (0, "") == (code, err)
    assert [
        [ids["spawned"], ids["top"], "spawn"],
        [ids["again"], ids["spawned"], "again"],
        [ids["waits"], ids["again"], "await"],
        [ids["waits"], ids["top"], "await"],
    ] == lines(out)


def test_a_name_that_is_awaited_is_the_newest_before_it(made: Made, cit: Cit) -> None:
    first = made.finished("build")
    waits = made.put("wait", "waits", head='[needs]\nartefact = ["build/app", "never/x"]\n')
    made.finished("build")

    out = cit("ls", "--tree").out

    assert [[waits, "never", "await"], [waits, first, "await"]] == sorted(
        lines(out), key=lambda line: line[1] != "never"
    )


def test_what_a_program_spawned_and_awaited_is_in_its_trace(made: Made, cit: Cit) -> None:
    build = made.finished("build")
    top = made.put(
        "park", "top", record("spawn", "1.1", GONE, "nightly", "2"),
        record("park", "-", "", "job build, artefact other/tree"),
        program='(sequence (spawn "nightly") (await job "build"))', form="lurch", due=9,
    )  # fmt: skip

    told = lines(cit("ls", "--tree").out)

    assert sorted(told) == sorted(
        [[GONE, top, "spawn"], [top, build, "await"], [top, "other", "await"]]
    )


def test_what_was_over_already_is_awaited_as_well(cit: Cit, tmp_path: Path) -> None:
    program = tmp_path / "top.lurch"
    program.write_text('(await job "build")')
    build = cit("push", "--name", "build", "--", "true").out.strip()
    assert 0 == cit("run").code
    top = cit("push", program).out.strip()
    assert 0 == cit("run").code

    assert [[top, build, "await"]] == lines(cit("ls", "--tree").out)


def test_a_spawn_that_was_taken_over_belongs_to_the_first_job(made: Made, cit: Cit) -> None:
    program = '(spawn "nightly")'
    first = made.finished("top", program=program, form="lurch")
    child = made.finished("nightly", head=origin("spawn", first, "1"))
    spawn = record("spawn", "1", child, "nightly", "2")
    again = made.finished(
        "top", spawn, head=origin("again", first, "1.9"), program=program, form="lurch"
    )

    told = lines(cit("ls", "--tree").out)

    assert sorted([[child, first, "spawn"], [again, first, "again"]]) == sorted(told)


def test_the_trees_of_some_jobs_are_all_that_is_related_to_them(made: Made, cit: Cit) -> None:
    ids = family(made)
    other = made.finished("other", head=origin("again", GONE))

    mine = cit("ls", "--tree", ids["again"])
    gone = cit("ls", "--tree", GONE)
    alone = cit("ls", "--tree", "alone")

    assert (0, 4) == (mine.code, len(lines(mine.out)))
    assert [[other, GONE, "again"]] == lines(gone.out)
    assert (0, "", "") == alone


def test_json_says_more(made: Made, cit: Cit) -> None:
    ids = family(made)

    told = [json.loads(line) for line in cit("ls", "--tree", "--json").out.splitlines()]

    assert {"child": ids["again"], "parent": ids["spawned"], "relation": "again", "run": "1.3",
            "name": "spawned", "state": "done"} in told  # fmt: skip


def test_jobs_that_cannot_be_read_hide_no_others(made: Made, cit: Cit) -> None:
    ids = family(made)
    made.file(made.put("wait", "torn")).write_bytes(b"%% job 1 toml\norigin = [[[\n")

    out = cit("ls", "--tree").out

    assert [ids["again"], ids["spawned"], "again"] in lines(out)


def test_a_job_that_nobody_knows_is_an_error(made: Made, cit: Cit) -> None:
    ended = cit("ls", "--tree", "nobody")

    assert (66, "", f"cit-ls: no job 'nobody' in '{made.path}'\n") == ended


def test_what_does_not_go_with_a_tree_is_refused(made: Made, cit: Cit) -> None:
    ended = cit("ls", "--tree", "--state", "done")

    message = "--tree: only with JOB, --queue, --json, -0, --color"
    assert (2, "") == ended[:2]
    assert ended.err.startswith(f"cit-ls: {message}")


@pytest.mark.parametrize(
    ("lang", "leads"),
    [("C.UTF-8", ["", "\u251c\u2500 ", "\u2502  \u2514\u2500 ", "\u2502     \u2514\u2500 ",
                  "\u2514\u2500 "]),
     ("C", ["", "  ", "    ", "      ", "  "])],
)  # fmt: skip
def test_a_terminal_shows_trees(
    made: Made, lang: str, leads: list[str], terminal: Terminal
) -> None:
    ids = family(made)

    shown = terminal("ls", "--tree", "--color=never", LANG=lang).splitlines()

    texts = [
        f"{ids['top']}  top  ok",
        f"{ids['spawned']}  spawned  ok  spawned by run 1.2",
        f"{ids['again']}  spawned  failed  again from run 1.3",
        f"{ids['waits']}  waits  park  waits for it",
        f"{ids['waits']}  waits  park  waits for it",
    ]
    assert [lead + text for lead, text in zip(leads, texts, strict=True)] == shown


def test_a_job_that_does_one_run_again_is_told_from_one_that_goes_on(
    made: Made, terminal: Terminal
) -> None:
    top = made.finished("top")
    cell = made.finished("cell", head=origin("again", top, "1.2.1") + "only = true\n")

    shown = terminal("ls", "--tree", "--color=never", LANG="C").splitlines()

    assert [f"{top}  top  ok", f"  {cell}  cell  ok  again only run 1.2.1"] == shown


def test_a_parent_that_is_not_here_is_shown_by_its_id(made: Made, terminal: Terminal) -> None:
    child = made.finished("other", head=origin("again", GONE))

    shown = terminal("ls", "--tree", "--color=never", LANG="C").splitlines()

    assert [f"{GONE}  not here", f"  {child}  other  ok  again"] == shown
