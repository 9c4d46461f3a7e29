"""cit-answer: a person answers what a job asks, and what cannot be one is refused at once."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cit import held, people, trace, wishes
from cit.queue import Queue

Cit = Callable[..., Any]
Ask = Callable[..., str]

AGO = re.compile(r"just now|[0-9ms]+ ago")


@pytest.fixture
def queue(cit: Cit, world: Path) -> Queue:
    assert 0 == cit("queue", "init").code
    return Queue(str(world / ".cit" / "queue"))


@pytest.fixture
def asking(cit: Cit, queue: Queue) -> Ask:
    """Have a parked job that asks something in each of these runs; its id."""

    def put(*runs: str, verb: str = "approve", who: str = "", deadline: str = "") -> str:
        id = str(cit("push", "--name", "deploy", "--", "true").out.strip())
        assert 0 == cit("queue", "tick").code
        with held.take(queue, queue.find(id)) or pytest.fail("held") as hold:
            hold.move("run")
            hold.record("claim", "-", "host", "1", "boot", "1", "0")
            for run in runs:
                hold.record("begin", run, verb, "1")
                hold.record("ask", run, verb, "deploy\x1b[2J?", "no", deadline, who)
            hold.park(9_999_999_999)
        return id

    return put


def given(queue: Queue, id: str) -> list[tuple[str, ...]]:
    return [(r.run, *r.fields[:3]) for r in queue.job(queue.find(id)).answers]


def refused(queue: Queue) -> list[str]:
    days = sorted((Path(queue.path) / "log").glob("*.tab"))
    return [r.fields[1] for day in days for r in trace.records(day.read_bytes())]


@pytest.mark.parametrize(("word", "value"), [("yes", "yes"), ("Y", "yes"), ("f", "no")])
def test_a_job_that_is_answered_goes_on(
    cit: Cit, queue: Queue, asking: Ask, word: str, value: str
) -> None:
    id = asking("1.2")

    ended = cit("answer", f"{id}.1.2", word, "--reason", "looks good")

    assert (0, "", "") == (ended.code, ended.out, ended.err)
    assert [("1.2", people.who(), value, "looks good")] == given(queue, id)
    assert "wait" == queue.find(id).state


def test_a_job_that_asks_one_thing_is_answered_by_its_name(
    cit: Cit, queue: Queue, asking: Ask
) -> None:
    id = asking("1.2", verb="let")

    assert 0 == cit("answer", "deploy", "a value\twith anything").code
    assert [("1.2", people.who(), "a value\twith anything", "")] == given(queue, id)


def test_one_that_asks_several_things_says_which(cit: Cit, queue: Queue, asking: Ask) -> None:
    id = asking("1.1", "1.2")

    ended = cit("answer", id, "yes")

    said = f"cit-answer: job '{id}' asks several things: {id}.1.1 {id}.1.2\n"
    assert (1, said, []) == (ended.code, ended.err, given(queue, id))


def test_without_a_value_the_question_is_shown_and_nothing_else_happens(
    cit: Cit, queue: Queue, asking: Ask
) -> None:
    id = asking("1.2", who="alice,@ops", deadline="2036-11-21T20:37:01.123Z")

    ended = cit("answer", id)

    told = dict(line.split(maxsplit=1) for line in ended.out.splitlines())
    sha256 = queue.job(queue.find(id)).sha256.removeprefix("sha256:")
    assert (0, "", []) == (ended.code, ended.err, given(queue, id))
    assert {
        "run": f"{id}.1.2", "job": "deploy", "asks": "approve", "comment": "deploy\\x1b[2J?",
        "until": "2036-11-21T20:37:01.123Z", "else": "no", "who": "alice, @ops", "sha256": sha256,
    } == told  # fmt: skip


@pytest.mark.parametrize(("typed", "answers"), [("yes\n", ["yes"]), ("\n", []), ("\4", [])])
def test_on_a_terminal_the_value_is_asked_for(
    queue: Queue, asking: Ask, terminal: Callable[..., str], typed: str, answers: list[str]
) -> None:
    id = asking("1.2")

    text = terminal("answer", id, typed=typed)

    assert "yes or no: " in text
    assert answers == [answer[2] for answer in given(queue, id)]


@pytest.mark.parametrize(("typed", "answers"), [("2.0\n", ["2.0"]), ("\n", ["no"]), ("\4", [])])
def test_on_a_terminal_an_empty_line_is_the_value_that_a_let_offers(
    queue: Queue, asking: Ask, terminal: Callable[..., str], typed: str, answers: list[str]
) -> None:
    id = asking("1.2", verb="let")

    text = terminal("answer", id, typed=typed)

    assert "value [no]: " in text
    assert answers == [answer[2] for answer in given(queue, id)]


def test_a_word_that_is_neither_yes_nor_no_is_a_wrong_call(
    cit: Cit, queue: Queue, asking: Ask
) -> None:
    id = asking("1.2")

    ended = cit("answer", id, "perhaps")

    assert (2, "cit-answer: expected yes or no, found 'perhaps'\n") == (ended.code, ended.err)
    assert [] == given(queue, id)


def test_a_second_answer_a_late_one_and_one_to_no_question_are_refused_and_recorded(
    cit: Cit, queue: Queue, asking: Ask
) -> None:
    late = asking("1.2", deadline=trace.stamp(time.time() - 5))
    twice = asking("1.2")
    cit("answer", f"{twice}.1.2", "no")

    ended = [
        cit("answer", word, "yes") for word in (late, f"{twice}.1.2", f"{twice}.1.7", twice)
    ]

    assert [1] * 4 == [each.code for each in ended]
    whys = [each.err.partition("': ")[2].strip() for each in ended]
    assert whys[0].startswith("it had to be answered until ")
    answered = f"{people.who()} answered no NOW"
    assert [answered, "run 1.7 asks nothing", answered] == [AGO.sub("NOW", why) for why in whys[1:]]
    # What was answered may be for fewer people than the log of the queue.
    noted = f"{people.who()} has answered it"
    assert [
        f"cannot answer: {why}" for why in (whys[0], noted, "run 1.7 asks nothing", noted)
    ] == refused(queue)
    assert [("1.2", people.who(), "no", "")] == given(queue, twice)


def test_who_answers_or_looks_after_the_end_of_the_job_is_told_so_and_who_had_answered(
    cit: Cit, queue: Queue, asking: Ask
) -> None:
    id, silent = asking("1.2", verb="let"), asking("1.2")
    cit("answer", id, "2.0\x1b")
    for each in (id, silent):
        with held.take(queue, queue.find(each)) or pytest.fail("held") as hold:
            hold.finish("ok", 0)

    ended = [cit("answer", *words) for words in ([id, "1.9"], [id], [silent, "yes"], [silent])]

    answered = f"it has ended; {people.who()} answered 2.0\\x1b NOW"
    whys = [AGO.sub("NOW", each.err.partition("': ")[2].strip()) for each in ended]
    assert [1] * 4 == [each.code for each in ended]
    assert [answered, answered, "it has ended", "it has ended"] == whys


def test_an_answer_that_lies_there_already_comes_before_that_of_the_owner(
    cit: Cit, queue: Queue, asking: Ask
) -> None:
    id = asking("1.2")
    asks = queue.job(queue.find(id)).sha256.removeprefix("sha256:")
    wishes.send(queue, queue.find(id), "answer", "not today", "1.2", ("no", asks))

    ended = cit("answer", f"{id}.1.2", "yes")

    assert 1 == ended.code
    said = AGO.sub("NOW", ended.err.partition("': ")[2])
    assert f"{people.who()} answered no NOW\n" == said
    assert [("1.2", people.who(), "no", "not today")] == given(queue, id)


def test_who_may_not_is_told_so_and_who_is_named_may(
    users: Callable[[str], Any], public: Path, cit: Cit
) -> None:
    alice, bob, carol = users("alice"), users("bob"), users("carol")
    public.chmod(0o1777)
    path = public / "q"
    assert 0 == cit("queue", "init", path, "--push", "*", "--readers", "all", user=alice).code
    pushed = cit("push", "--queue", path, "--isolate", "chroot:host", "--", "true", user=bob)
    id = pushed.out.strip()
    assert 0 == cit("queue", "tick", path, user=alice).code
    queue = Queue(str(path))
    with held.take(queue, queue.find(id)) or pytest.fail("held") as hold:
        hold.record("claim", "-", "host", "1", "boot", "1", "0")
        hold.record("begin", "1.2", "approve", "1")
        hold.record("ask", "1.2", "approve", "deploy?", "no", "", carol.name)
        hold.park(9_999_999_999)

    codes = [
        cit("answer", "--queue", path, f"{id}.1.2", "yes", user=user).code
        for user in (bob, alice, carol)
    ]
    assert 0 == cit("queue", "tick", path, user=alice).code

    told = Queue(str(path)).job(queue.find(id))
    assert [77, 77, 0] == codes
    assert [carol.name] == [answer.fields[0].partition("@")[0] for answer in told.answers]
    assert 2 == len(refused(queue))


@pytest.fixture
def shared(users: Callable[[str], Any], public: Path, cit: Cit) -> tuple[Queue, str, list[Any]]:
    """A queue of alice's, and a job of bob's there that asks carol and dave; the four."""
    those = alice, bob, carol, dave = [users(name) for name in ("alice", "bob", "carol", "dave")]
    public.chmod(0o1777)
    path = public / "q"
    assert 0 == cit("queue", "init", path, "--push", "*", "--readers", "all", user=alice).code
    pushed = cit("push", "--queue", path, "--isolate", "chroot:host", "--", "true", user=bob)
    assert 0 == cit("queue", "tick", path, user=alice).code
    queue = Queue(str(path))
    with held.take(queue, queue.find(pushed.out.strip())) or pytest.fail("held") as hold:
        hold.record("claim", "-", "host", "1", "boot", "1", "0")
        hold.record("begin", "1.2", "approve", "1")
        hold.record("ask", "1.2", "approve", "deploy?", "no", "", f"{carol.name},{dave.name}")
        hold.park(9_999_999_999)
    return queue, pushed.out.strip(), those


def test_who_answers_after_somebody_else_is_told_so_before_the_tick(
    cit: Cit, shared: tuple[Queue, str, list[Any]]
) -> None:
    queue, id, (alice, _, carol, dave) = shared

    first = cit("answer", "--queue", queue.path, id, "no", user=carol)
    second = cit("answer", "--queue", queue.path, id, "yes", user=dave)
    again = cit("answer", "--queue", queue.path, id, "yes", user=carol)
    assert 0 == cit("queue", "tick", queue.path, user=alice).code

    whose = f"{carol.name}@{people.who().partition('@')[2]}"
    said = f"cit-answer: cannot answer job '{id}': {whose} has answered it\n"
    assert (0, "") == (first.code, first.err)
    assert [(1, said)] * 2 == [(each.code, each.err) for each in (second, again)]
    assert [("1.2", whose, "no", "")] == given(queue, id)
    assert [f"cannot answer: {whose} has answered it"] * 2 == refused(queue)
    assert [] == os.listdir(Path(queue.path) / "answers")


def test_who_may_not_read_what_he_pushed_is_told_that_he_has_answered_it(
    cit: Cit, shared: tuple[Queue, str, list[Any]]
) -> None:
    queue, id, (_, bob, _, _) = shared
    os.chmod(queue.file(queue.find(id)), 0o600)

    ended = [
        cit("answer", "--queue", queue.path, f"{id}.1.2", "yes", user=bob) for _ in range(2)
    ]

    assert [0, 1] == [each.code for each in ended]
    assert f"': {bob.name}@" in ended[1].err


def test_who_may_not_answer_keeps_nobody_from_it(
    cit: Cit, shared: tuple[Queue, str, list[Any]]
) -> None:
    queue, id, (alice, bob, _, dave) = shared
    mark = Path(queue.path) / "answers" / f"{id}.1.2-{wishes.MARK}"
    mark.touch()
    os.chown(mark, bob.uid, bob.gid)

    ended = cit("answer", "--queue", queue.path, id, "yes", user=dave)
    assert 0 == cit("queue", "tick", queue.path, user=alice).code

    assert (0, "") == (ended.code, ended.err)
    assert ["yes"] == [answer[2] for answer in given(queue, id)]
    assert [] == os.listdir(Path(queue.path) / "answers")


def test_an_answer_for_other_bytes_than_were_pushed_is_refused(
    cit: Cit, queue: Queue, asking: Ask
) -> None:
    id = asking("1.2")
    file = Path(queue.file(queue.find(id)))
    file.write_bytes(file.read_bytes().replace(b"true", b"fals", 1))

    ended = cit("answer", id, "yes")

    assert (1, []) == (ended.code, given(queue, id))
    assert "asks something else" in ended.err


def test_a_value_that_is_too_long_is_refused(cit: Cit, queue: Queue, asking: Ask) -> None:
    id = asking("1.2", verb="let")

    ended = cit("answer", id, "x" * 65_537)

    assert (2, []) == (ended.code, given(queue, id))
    assert 0 == cit("answer", id, "x" * 65_536).code


def test_a_job_that_is_not_there_is_missing(cit: Cit, queue: Queue) -> None:
    assert 66 == cit("answer", "nothing", "yes").code


# --- what is asked ---------------------------------------------------------------------------


def test_open_questions_are_listed(cit: Cit, queue: Queue, asking: Ask) -> None:
    first = asking("1.1", "1.2", who="alice,@ops", deadline="2036-11-21T20:37:01.123Z")
    second = asking("1.2", verb="let")
    cit("answer", f"{first}.1.1", "yes")
    cit("hold", first)  # it would be on its way to a runner

    listed = [line.split("\t") for line in cit("ls", "--asking").out.splitlines()]

    assert [
        [f"{second}.1.2", "let", "-", "no", people.who(), "deploy"],
        [f"{first}.1.2", "approve", "2036-11-21T20:37:01.123Z", "no", "alice,@ops", "deploy"],
    ] == sorted((line[:6] for line in listed), key=lambda line: line[1], reverse=True)
    assert {"deploy\\x1b[2J?"} == {line[6] for line in listed}
    assert "" == cit("ls", "--asking", "nothing").out


def test_an_open_question_is_an_object(cit: Cit, asking: Ask) -> None:
    id = asking("1.2", who="alice")

    [line] = cit("ls", "--asking", "--json", id).out.splitlines()

    told = json.loads(line)
    assert (id, "1.2", "approve", None, ["alice"], "deploy\x1b[2J?") == tuple(
        told[key] for key in ("id", "run", "verb", "deadline", "who", "comment")
    )


def test_a_list_and_cit_why_say_what_is_waited_for(cit: Cit, queue: Queue, asking: Ask) -> None:
    id = asking("1.2", deadline="2036-11-21T20:37:01.123Z")
    says = (
        f"asks 'deploy\\x1b[2J?' (cit-answer {id}.1.2 yes|no), until 2036-11-21T20:37:01.123Z,"
        " else no"
    )

    listed, why = cit("ls", id).out.split("\t"), cit("why", id).out

    assert says == listed[8].replace("\\\\", "\\")
    assert f"is parked, without a slot: it {says}" in why
    cit("hold", "--until", "2046-11-21", "--reason", "not now", id)
    assert f"\theld by {people.who()} until 2046-11-2" in cit("ls", id).out
    why = cit("why", id).out
    assert "is held until 2046-11-2" in why and "not now" in why and says in why
