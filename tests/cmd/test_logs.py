from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cit import logs, trace
from cit.section import Section
from cit.trace import Record

if TYPE_CHECKING:
    from tests.cmd.conftest import Made, Screen
    from tests.conftest import Cit

    Terminal = Callable[..., str]

TOP = Path(__file__).resolve().parents[2]
START = 1795293421.0


def at(seconds: float) -> str:
    return trace.stamp(START + seconds)


def log(seconds: float, run: str, stream: str, text: bytes) -> bytes:
    return trace.log(at(seconds), run, stream, text)


def begin(seconds: float, run: str, step: str = "exec") -> Record:
    return Record(at(seconds), "begin", run, (step, "1"))


def end(seconds: float, run: str, status: str = "ok", code: int = 0) -> Record:
    return Record(at(seconds), "end", run, (status, str(code), ""))


# --- what was printed ------------------------------------------------------------------------


NASTY = bytes(range(256)) + b"\n\\x1b \\\\ \\t\n\n-\n\xff\xfe\nlast"


def test_raw_gives_back_every_byte_of_each_stream(made: Made, cit: Cit) -> None:
    records = log(2, "1", "out", NASTY[:-4]) + log(3, "1", "err", b"oops\n")
    records += log(4, "1", "out+", NASTY[-4:])
    id = made.finished("nasty", records)

    code, out, err = cit("logs", "--raw", id)

    assert (0, NASTY, b"oops\n") == (
        code, out.encode(errors="surrogateescape"), err.encode(errors="surrogateescape"),
    )  # fmt: skip


def test_the_pieces_of_a_line_are_joined_even_with_another_stream_between(
    made: Made, cit: Cit
) -> None:
    records = [log(2, "1", "out+", b"a" * 65536), log(2, "1", "err", b"x\n")]
    records += [log(2, "1", "out+", b"b" * 65536), log(3, "1", "out", b"c\n")]
    made.finished("long", *records)

    _, out, err = cit("logs", "long")
    _, raw, _ = cit("logs", "--raw", "--stream", "out", "long")

    assert ("a" * 65536 + "b" * 65536 + "c\n", "x\n") == (out, err)
    assert out == raw


def test_a_last_line_without_newline_gets_one_unless_it_is_raw(made: Made, cit: Cit) -> None:
    made.finished("open", log(2, "1", "out+", b"no end"))

    assert "no end\n" == cit("logs", "open").out
    assert "no end" == cit("logs", "--raw", "open").out


def test_output_that_imitates_records_and_records_of_the_asked_part_are_not_log(
    made: Made, cit: Cit
) -> None:
    fake = trace.render(Record(at(0), "log", "1", ("out", "forged")))
    old = Section("history", 1, "tab", {}, fake)
    made.finished("imitator", log(2, "1", "out", fake), more=(old,))

    out = cit("logs", "--raw", "imitator").out

    assert fake.decode() == out


def test_a_torn_record_is_not_shown(made: Made, cit: Cit) -> None:
    torn = log(2, "1", "out", b"cut off here\n")[:-6] + trace.TEAR
    made.finished("torn", log(2, "1", "out", b"one\n"), torn, log(3, "1", "out", b"two\n"))

    assert "one\ntwo\n" == cit("logs", "torn").out


def test_streams_go_apart_on_a_pipe_and_one_that_is_asked_for_to_standard_output(
    made: Made, cit: Cit
) -> None:
    made.finished("two", log(2, "1", "out", b"o\n"), log(2, "1", "err", b"e\n"),
                  log(2, "1", "cit", b"c\n"))  # fmt: skip

    assert (0, "o\n", "e\nc\n") == cit("logs", "two")
    assert (0, "e\n", "") == cit("logs", "--stream", "err", "two")
    assert (0, "o\n", "e\n") == cit("logs", "--raw", "two")


# --- runs and times --------------------------------------------------------------------------


def runs(made: Made) -> str:
    return made.finished(
        "tree",
        begin(2, "1", "sequence"),
        begin(2, "1.2"), log(3, "1.2", "out", b"two\n"), end(3, "1.2"),
        begin(3, "1.2.1"), log(3.5, "1.2.1", "out", b"below\n"), end(3.5, "1.2.1"),
        begin(4, "1.20"), log(4, "1.20", "out", b"twenty\n"), end(4, "1.20", "failed", 7),
        end(4, "1"),
    )  # fmt: skip


def test_a_run_is_shown_with_those_below_it_and_no_other(made: Made, cit: Cit) -> None:
    id = runs(made)

    assert "two\nbelow\n" == cit("logs", "tree.1.2").out
    assert "twenty\n" == cit("logs", f"{id}.1.20").out


def test_a_run_that_is_not_there_is_an_error(made: Made, cit: Cit) -> None:
    id = runs(made)

    code, out, err = cit("logs", "tree.1.9")

    assert (66, "", f"cit-logs: job '{id}' has begun no run '1.9'\n") == (code, out, err)


def test_the_name_of_a_job_may_end_like_a_run(made: Made, cit: Cit) -> None:
    made.finished("v1.2", begin(2, "1"), log(2, "1", "out", b"of v1.2\n"), end(2, "1"))
    made.finished("v1", begin(2, "2"), log(2, "2", "out", b"of v1\n"), end(2, "2"))

    assert "of v1.2\n" == cit("logs", "v1.2").out
    assert "of v1.2\n" == cit("logs", "v1.2.1").out
    assert "of v1\n" == cit("logs", "v1").out


def test_runs_of_stages_that_were_added_and_of_pauses_are_found(made: Made, cit: Cit) -> None:
    made.finished(
        "v1.s2",
        *(r for run in ("1.1.s2.1", "1.2.1.pause")
          for r in (begin(2, run), log(2, run, "out", f"of {run}\n".encode()), end(2, run))),
    )  # fmt: skip

    assert "of 1.1.s2.1\n" == cit("logs", "v1.s2.1.1.s2").out
    assert "of 1.2.1.pause\n" == cit("logs", "v1.s2.1.2.1.pause").out
    assert "cit-logs: no job 'v1.s3' in" in cit("logs", "v1.s3").err


def test_times_and_runs_stand_before_each_line_with_tabs(made: Made, cit: Cit) -> None:
    runs(made)

    relative = cit("logs", "--time", "relative", "--runs", "tree").out
    absolute = cit("logs", "--time", "absolute", "tree").out

    assert "1.000\t1.2\ttwo\n1.500\t1.2.1\tbelow\n2.000\t1.20\ttwenty\n" == relative
    assert f"{at(3)}\ttwo\n" == absolute.splitlines(True)[0]


def test_since_takes_a_time_of_the_day_and_a_full_one(made: Made, cit: Cit) -> None:
    runs(made)

    assert "below\ntwenty\n" == cit("logs", "--since", "2026-11-21T20:37:04.1Z", "tree").out
    assert "" == cit("logs", "--since", "2026-11-22", "tree").out
    assert "two\nbelow\ntwenty\n" == cit("logs", "--since", "2026-11-21 20:37Z", "tree").out


def test_since_without_a_zone_is_local_time(made: Made, cit: Cit) -> None:
    runs(made)
    there = {"TZ": "<+05>-5"}

    told = cit("logs", "--since", "2026-11-22T01:37:04.1", "tree", env=there)

    assert ("below\ntwenty\n", "") == (told.out, told.err)
    assert "" == cit("logs", "--since", "2026-11-22T01:37:04.1", "tree", env={"TZ": "UTC0"}).out


@pytest.mark.parametrize("word", ["yesterday", "2026-13-01", "25:00", "", "10 minutes"])
def test_since_with_something_else_is_a_usage_error(made: Made, cit: Cit, word: str) -> None:
    runs(made)

    code, out, err = cit("logs", f"--since={word}x", "tree")

    assert (2, "") == (code, out)
    assert "cit-logs: --since: expected a time such as \"2h\", \"17:30\"" in err
    assert f", found '{word}x'" in err


# --- the last lines --------------------------------------------------------------------------


def test_the_last_lines_are_those_that_are_wanted(made: Made, cit: Cit) -> None:
    made.finished("some", log(2, "1", "out", b"1\n2\n3\n"), log(3, "2", "out", b"a\nb\n"),
                  log(4, "1", "out+", b"half "), log(4, "1", "err", b"e\n"),
                  log(5, "1", "out", b"line\n"))  # fmt: skip

    assert "half line\n" == cit("logs", "-n1", "--stream", "out", "some").out
    assert "b\nhalf line\n" == cit("logs", "-n2", "--stream", "out", "some").out
    assert "3\nhalf line\n" == cit("logs", "-n2", "--stream", "out", "some.1").out
    assert "" == cit("logs", "-n0", "some").out
    assert "1\n2\n3\na\nb\nhalf line\n" == cit("logs", "-n99", "--stream", "out", "some").out


def test_the_last_lines_of_a_log_longer_than_a_piece(made: Made, cit: Cit) -> None:
    lines = b"".join(b"%07d\n" % n for n in range(100_000))
    made.finished("many", begin(2, "1"), log(2, "1", "out", lines), end(3, "1"))

    out = cit("logs", "-n", "40000", "many").out

    assert [f"{n:07d}" for n in range(60_000, 100_000)] == out.splitlines()


# --- harmless --------------------------------------------------------------------------------


HARMFUL = (
    b"\x1b]0;title\x07\x1b[2Jred \x1b[31mtext\x1b[0m \x9b31m \xc2\x9b5n \xe2\x80\xaeabc\rx\tend\r\n"
)


def test_control_characters_are_shown_and_do_nothing(made: Made, cit: Cit) -> None:
    made.finished("evil", log(2, "1", "out", HARMFUL))

    out = cit("logs", "evil").out

    assert re.fullmatch(r"[\x20-\x7e\t]*\n", out)
    assert r"\x1b]0;title\x07\x1b[2Jred \x1b[31mtext" in out
    assert r"\x9b31m \x9b5n \u202eabc\rx" in out
    assert out.endswith("x\tend\n")


def test_a_terminal_gets_the_colours_of_the_job_and_no_other_control(
    made: Made, terminal: Terminal
) -> None:
    made.finished("evil", log(2, "1", "out", HARMFUL))

    out = terminal("logs", "--time=none", "evil")

    assert "red \x1b[31mtext\x1b[0m" in out
    controls = re.findall(r"\x1b\[[0-9;]*m|[\x00-\x08\x0b-\x1f\x7f-\x9f]", out)
    assert {"\x1b[31m", "\x1b[0m"} == set(controls)


def test_a_colour_ends_with_its_line(made: Made, cit: Cit) -> None:
    made.finished("bleeding", log(2, "1", "out", b"\x1b[41mred\nplain\n"))

    out = cit("logs", "--color=always", "bleeding").out

    assert "\x1b[41mred\x1b[0m\nplain\n" == out


def test_no_color_rules_out_colours_on_a_terminal(made: Made, terminal: Terminal) -> None:
    made.finished("evil", log(2, "1", "out", HARMFUL), log(2, "1", "err", b"e\n"))

    out = terminal("logs", "--color=always", "evil", NO_COLOR="1")

    assert "\x1b" not in out


def test_a_terminal_shows_the_time_since_the_job_began(made: Made, terminal: Terminal) -> None:
    made.finished("timed", log(63.25, "1", "out", b"hello\n"))

    out = terminal("logs", "--color=never", "timed")

    assert "   1:01.250  hello\n" == out


# --- runs side by side -----------------------------------------------------------------------


def turns(made: Made, step: str = "stages") -> None:
    made.finished(
        "turns", begin(2, "1", "sequence"), begin(2, "1.1"), log(2, "1.1", "out", b"first\n"),
        end(2, "1.1"), begin(2, "1.2", step), begin(2, "1.2.1"), begin(2, "1.2.10"),
        *(log(3, f"1.2.{n}", "out", b"of %d\n" % n) for n in (1, 10, 1)),
    )  # fmt: skip


@pytest.mark.parametrize("step", ["stages", "matrix"])
def test_a_terminal_says_which_of_the_runs_side_by_side_printed_a_line(
    made: Made, terminal: Terminal, step: str
) -> None:
    turns(made, step)

    shown = terminal("logs", "--color=never", "--time=none", "turns")

    lines = ["1.1    first", "1.2.1  of 1", "1.2.10  of 10", "1.2.1   of 1"]
    assert lines == shown.splitlines()
    some = terminal("logs", "--color=never", "--time=none", "-n", "1", "turns.1.2")
    assert "1.2.1  of 1\n" == some


def test_a_terminal_has_the_names_of_stages_and_cells_in_place_of_their_runs(
    made: Made, terminal: Terminal
) -> None:
    program = """
        (isolate (none) (stages
            (stage "build" () (exec "x"))
            (stage "test" () (matrix "py" ("3.10" "\x1b[2J%s") (exec "x")))))
    """ % ("x" * 60)
    ran = [begin(2, "1", "isolate"), begin(2, "1.2", "stages"), begin(2, "1.2.2.1.1.1", "exec")]
    lines = (("1.2.1.1", b"a\n"), ("1.2.2.1.1.1", b"b\n"), ("1.2.2.1.1.2", b"c\n"), ("-", b"d\n"))
    ran += [log(3, run, "out", text) for run, text in lines]
    made.finished("x", *ran, program=program, form="lurch")

    named = terminal("logs", "--color=never", "--time=none", "x").splitlines()
    paths = terminal("logs", "--color=never", "--time=none", "--runs", "x").splitlines()
    cell = terminal("logs", "--color=never", "--time=none", "x:py=3.10")

    assert ["build  a", "test:py=3.10  b"] == named[:2]
    assert re.fullmatch("test:py=\\\\x1b\\[2Jx+\u2026  c", named[2])
    assert 40 + len("  c") == len(named[2])
    assert re.fullmatch("- {39}  d", named[3])
    assert ["1.2.1.1  a", "1.2.2.1.1.1  b", "1.2.2.1.1.2  c", "-            d"] == paths
    assert "b\n" == cell


def test_runs_are_not_said_where_one_comes_after_the_other_or_only_one_is_wanted(
    made: Made, terminal: Terminal
) -> None:
    turns(made)
    runs(made)

    one = terminal("logs", "--color=never", "--time=none", "turns.1.2.1")
    unwanted = terminal("logs", "--color=never", "--time=none", "--no-runs", "turns")
    raw = terminal("logs", "--raw", "turns")
    in_order = terminal("logs", "--color=never", "--time=none", "tree")

    assert "of 1\nof 1\n" == one
    assert "first\nof 1\nof 10\nof 1\n" == unwanted == raw
    assert "two\nbelow\ntwenty\n" == in_order


def test_a_pipe_is_told_which_run_printed_only_where_that_is_asked_for(
    made: Made, cit: Cit
) -> None:
    turns(made)

    assert "first\nof 1\nof 10\nof 1\n" == cit("logs", "turns").out
    assert "1.2.10\tof 10\n" in cit("logs", "--runs", "turns").out


def test_who_follows_a_job_is_told_of_runs_from_where_they_go_on_side_by_side(
    made: Made, screen: Callable[..., Screen]
) -> None:
    id = made.put("run", "turns", begin(2, "1", "sequence"), log(2, "1.1", "out", b"first\n"))
    shown = screen("logs", "-f", "--color=never", "--time=none", id)
    shown.until("first")
    with made.file(id).open("ab") as file:
        file.write(trace.render(begin(2, "1.2", "matrix")))
        file.write(log(3, "1.2.1.1", "out", b"second\n"))
        file.write(trace.render(Record(at(3), "result", "-", ("ok", "0"))))

    text = shown.end()

    assert not re.search("1\\.1 *first", text)
    assert "1.2.1.1  second\n" in text


@pytest.mark.parametrize(
    "path", sorted((TOP / "lib" / "cit" / "steps").glob("*.py")), ids=lambda path: path.stem
)
def test_every_step_that_runs_things_side_by_side_is_known(path: Path) -> None:
    record = trace.render(begin(2, "1", path.stem.strip("_").replace("_", "-")))

    assert ("yield Fork(" in path.read_text()) == logs.forked(record, "")


# --- JSON ------------------------------------------------------------------------------------


def test_json_has_an_object_for_each_line_and_honours_the_filters(made: Made, cit: Cit) -> None:
    made.finished("objects", log(2, "1", "out", b"a\tb\n\xff\n"), log(2, "1", "err", b"no\n"),
                  log(2, "2", "out+", b"in "), log(3, "2", "out", b"pieces\n"),
                  log(4, "2", "out+", b"open"))  # fmt: skip

    out = cit("logs", "--json", "--stream=out", "objects").out

    objects = [json.loads(line) for line in out.splitlines()]
    assert ["a\tb", "\udcff", "in pieces", "open"] == [o["text"] for o in objects]
    assert {"time": at(4), "run": "2", "stream": "out", "text": "open", "ended": False} == (
        objects[3]
    )


# --- following -------------------------------------------------------------------------------


def test_following_a_finished_job_ends_with_its_code(made: Made, cit: Cit) -> None:
    made.finished("broken", begin(2, "1"), log(2, "1", "out", b"hi\n"), end(3, "1", "failed", 7),
                  status="failed", code=7)  # fmt: skip

    assert (7, "hi\n", "") == cit("logs", "-f", "broken")
    assert (7, "", "") == cit("logs", "-f", "-n0", "broken")


def test_following_a_run_ends_with_the_code_of_the_run(made: Made, cit: Cit) -> None:
    runs(made)

    assert (7, "twenty\n", "") == cit("logs", "-f", "tree.1.20")
    assert (0, "two\nbelow\n", "") == cit("logs", "-f", "tree.1.2")
    assert (7, "", "") == cit("logs", "-f", "-n0", "tree.1.20")


def follow(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [TOP / "bin" / "cit-logs", "-f", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def test_following_goes_from_the_drop_box_to_the_end_through_all_renames(
    made: Made, cit: Cit
) -> None:
    id = made.put("in", "live")
    follower = follow("live")
    assert follower.stdout is not None
    # As admission does: a copy with a trace in wait/, then the drop goes.
    dropped = made.file(id)
    waiting = made.path / "wait" / f"50-0000000001-{id}-live.job"
    made_of = dropped.read_bytes() + b"%% trace 1 tab\n"
    temporary = made.path / "copy"
    temporary.write_bytes(made_of + trace.render(Record(at(1), "admit", "-", ("alice", "1"))))
    temporary.rename(waiting)
    dropped.unlink()

    running = made.path / "run" / waiting.name
    waiting.rename(running)
    with running.open("ab", buffering=0) as file:
        file.write(log(2, "1", "out", b"first\n"))
        assert b"first\n" == follower.stdout.readline()
        file.write(log(2, "1", "out", b"second\n")[:-3])
        file.write(log(2, "1", "out", b"second\n")[-3:])
        assert b"second\n" == follower.stdout.readline()
        done = made.path / "done" / "2026-11-21"
        done.mkdir()
        running.rename(done / f"{id}-live.job")
        file.write(trace.render(Record(at(3), "result", "-", ("failed", "3"))))
    rest, err = follower.communicate(timeout=30)

    assert (3, b"", b"") == (follower.returncode, rest, err)


def test_the_last_lines_are_there_before_anything_new_comes(made: Made) -> None:
    id = made.put("run", "live", log(2, "1", "out", b"old\nlast\n"))
    follower = follow("-n1", "live")
    assert follower.stdout is not None

    assert b"last\n" == follower.stdout.readline()
    with made.file(id).open("ab") as file:
        file.write(trace.render(Record(at(3), "result", "-", ("ok", "0"))))
    assert (b"", b"") == follower.communicate(timeout=30)


def test_following_what_is_refused_says_so(made: Made, cit: Cit) -> None:
    id = made.put("in", "refused")
    follower = follow("refused")
    made.file(id).rename(made.path / "bad" / f"{id}-refused.job.4711")

    _, err = follower.communicate(timeout=30)

    assert 65 == follower.returncode
    assert f"cit-logs: job '{id}' was refused: cit-why tells why\n" == err.decode()


def test_a_terminal_shows_how_far_the_job_is_by_earlier_ones(
    made: Made, screen: Callable[..., Screen]
) -> None:
    made.finished("again", began=0, ended=3600)
    id = made.put("run", "again", Record(trace.stamp(time.time() - 60), "claim", "-", ("node1",)),
                  Record(trace.stamp(time.time()), "begin", "1", ("exec", "1")))  # fmt: skip
    shown = screen("logs", "-f", id)
    shown.until("of about 1h")
    with made.file(id).open("ab") as file:
        file.write(log(0, "1", "out", b"line\n"))
        file.write(trace.render(Record(at(3), "result", "-", ("ok", "0"))))

    text = shown.end()

    assert "[--------------------]  again  1 exec  1m of about 1h" in text
    # The line is wiped out before the log goes on.
    assert re.search(r"\r\x1b\[K[^\r]*line", text)


# --- what is not there -----------------------------------------------------------------------


def test_an_unknown_job_and_one_without_a_log_are_told_apart(made: Made, cit: Cit) -> None:
    made.put("wait", "waiting")

    assert (66, "") == cit("logs", "nobody")[:2]
    assert (0, "", "") == cit("logs", "waiting")


def test_a_reader_that_goes_away_is_no_error(made: Made) -> None:
    made.finished("many", log(2, "1", "out", b"line\n" * 100_000))

    done = subprocess.run(
        [f"'{TOP}/bin/cit-logs' many | head -n 1; echo ${{PIPESTATUS[0]}}"],
        shell=True, executable="/bin/bash", capture_output=True, text=True,
    )  # fmt: skip

    assert ("line\n141\n", "") == (done.stdout, done.stderr)
