"""Two users and one queue: each adds, neither touches, and who may look is the queue's word."""

from __future__ import annotations

import os
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from waiting import until

from cit import asked, job, layout, name, people, request, trace, wishes
from cit.queue import Queue

Cit = Callable[..., Any]
HERE = os.uname().nodename
SECONDS = 30


class Place:
    """A queue of one user's, reached by others."""

    def __init__(self, cit: Cit, owner: Any, path: Path) -> None:
        self.cit, self.owner, self.path = cit, owner, path

    def make(self, *options: str) -> Place:
        ended = self.cit("queue", "init", self.path, "--start", "cron", *options, user=self.owner)
        assert 0 == ended.code, ended  # of owners who may not push themselves something is said
        return self

    def push(self, user: Any, *words: str, code: int = 0) -> str:
        words = words or ("--isolate", "chroot:busybox", "--", "echo", "hello")
        ended = self.cit("push", "--queue", self.path, *words, user=user)
        assert code == ended.code, ended
        return str(ended.out.strip())

    def tick(self) -> None:
        assert 0 == self.cit("queue", "tick", self.path, user=self.owner).code

    def run(self) -> None:
        """Do what the owner's cron does."""
        self.tick()
        ended = self.cit("run", "--queue", self.path, "-j", "1", user=self.owner)
        assert (0, "", "") == tuple(ended)

    def look(self, id: str) -> job.Job:
        """With the eyes of root."""
        queue = Queue(str(self.path))
        return queue.job(queue.find(id))

    def state(self, id: str) -> str:
        return Queue(str(self.path)).find(id).state

    def why(self, id: str) -> str:
        """Why a job was refused."""
        [path] = (self.path / "bad").glob(f"{id}*.why")
        return path.read_text()

    def said(self) -> list[tuple[str, ...]]:
        """What was written down in its log."""
        records = [
            record
            for day in (self.path / "log").glob("*.tab")
            for record in trace.records(day.read_bytes())
        ]
        return [(record.kind, *record.fields) for record in records]


@pytest.fixture(scope="module")
def accounts(lasting_users: Callable[[str], Any]) -> tuple[Any, Any, Any]:
    return lasting_users("owner"), lasting_users("alice"), lasting_users("bob")


@pytest.fixture
def people3(accounts: tuple[Any, Any, Any]) -> Iterator[tuple[Any, Any, Any]]:
    """The owner of a queue, and two who push into it; their homes are empty."""
    yield accounts
    for user in accounts:
        subprocess.run(["find", user.home, "-mindepth", "1", "-delete"], check=True)


@pytest.fixture
def place(cit: Cit, people3: tuple[Any, Any, Any], public: Path) -> Place:
    owner = people3[0]
    path = public / "queues"
    path.mkdir()
    os.chown(path, owner.uid, owner.gid)
    return Place(cit, owner, path / "q")


@pytest.fixture
def shared(place: Place) -> Place:
    """A queue into which all may push, and which only its owner sees."""
    return place.make("--push", "*")


def as_user(user: Any, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run any command as a user."""
    return subprocess.run(
        words, user=user.uid, group=user.gid, extra_groups=[], cwd="/", text=True,
        capture_output=True, timeout=60,
    )  # fmt: skip


def who(user: Any) -> str:
    return f"{user.name}@{HERE}"


# --- pushing ---------------------------------------------------------------------------------


def test_each_can_add_and_the_kernel_says_who_did(
    shared: Place, people3: tuple[Any, Any, Any]
) -> None:
    owner, alice, bob = people3
    ids = [shared.push(alice), shared.push(bob), shared.push(owner, "--", "echo", "mine")]

    shared.run()

    told = [shared.look(id) for id in ids]
    assert [who(alice), who(bob), who(owner)] == [each.who for each in told]
    assert ["ok"] * 3 == [each.status for each in told]
    assert 0 == shared.cit("queue", "fsck", shared.path, user=owner).code


def test_neither_can_touch_or_see_the_jobs_of_the_other(
    shared: Place, people3: tuple[Any, Any, Any]
) -> None:
    owner, alice, bob = people3
    dropped = shared.path / "in" / f"{shared.push(alice)}-echo.job"
    waiting = shared.push(alice)
    shared.tick()
    done = shared.push(alice)
    shared.run()
    dropped = shared.path / "in" / f"{shared.push(alice)}-echo.job"

    queue = Queue(str(shared.path))
    files = [Path(queue.file(queue.find(id))) for id in (waiting, done)]
    files += [shared.path / name for name in ("locks", "number")]
    for path in files:
        before = path.read_bytes()
        for words in (["cat", path], ["rm", "-f", path], ["mv", path, "/tmp"], ["tee", path],
                      ["ln", path, bob.home / "x"], ["chmod", "777", path]):  # fmt: skip
            assert 0 != as_user(bob, *words).returncode, words
        assert before == path.read_bytes()
    for words in (["ls", shared.path / "in"], ["ls", shared.path / "done"], ["ls", shared.path],
                  ["rm", "-f", dropped], ["mv", dropped, dropped.with_name("x")],
                  ["mkdir", shared.path / "wait" / "x"], ["touch", shared.path / "x"],
                  ["tee", shared.path / "queue.toml"]):  # fmt: skip
        assert 0 != as_user(bob, *words).returncode, words
    assert dropped.exists()


@pytest.mark.parametrize(
    "command", ["show", "why", "logs", "note", "stop", "hold", "answer", "ls"]
)
def test_who_may_not_look_is_told_that_and_not_whether_there_is_such_a_job(
    shared: Place, people3: tuple[Any, Any, Any], command: str
) -> None:
    _, alice, bob = people3
    id = shared.push(alice)
    shared.tick()

    for word in (id, f"{id}.1", "nosuch"):
        words = [word, "text"] if command in ("note", "answer") else [word]
        ended = shared.cit(command, "--queue", shared.path, *words, user=bob)

        said = f"cit-{command}: cannot look into queue '{shared.path}': permission denied\n"
        assert (77, "", said) == tuple(ended)
    assert "wait" == shared.state(id)


def test_who_may_not_look_stops_a_run_of_his_own_job_in_the_dark(
    shared: Place, people3: tuple[Any, Any, Any]
) -> None:
    _, alice, _ = people3
    id = shared.push(alice)
    shared.tick()

    ended = shared.cit("stop", "--queue", shared.path, f"{id}.1", user=alice)

    assert (0, "", "") == tuple(ended)
    [wish] = wishes.pending(Queue(str(shared.path)))
    assert ("stop", id, "1") == (wish.kind, wish.id, wish.run)


@pytest.mark.parametrize(
    ("rules", "may"),
    [
        (["owner"], (True, False, False)), (["owner", "{alice}"], (True, True, False)),
        (["{bob}"], (False, False, True)), (["@{alice}"], (False, True, False)),
        (["*"], (True, True, True)), (["@no-such-group"], (False, False, False)),
    ],
)  # fmt: skip
def test_who_may_push_is_the_queues_word(
    place: Place, people3: tuple[Any, Any, Any], rules: list[str], may: tuple[bool, ...]
) -> None:
    owner, alice, bob = people3
    names = [rule.format(alice=alice.name, bob=bob.name) for rule in rules]
    gone = "@no-such-group"  # since the queue was made: it would have been refused
    there = ["@nogroup" if rule == gone else rule for rule in names]
    place.make(*[word for rule in there for word in ("--push", rule)])
    settings = place.path / "queue.toml"
    settings.write_text(settings.read_text().replace("@nogroup", gone))

    for user, yes in zip(people3, may, strict=True):
        place.push(user, code=0 if yes else 77)
        if rules != ["owner"]:
            drop(user, place, *made()[1:])  # whatever cit-push says
    place.tick()

    waiting = [place.look(found.id).who for found in Queue(str(place.path)).names("wait")]
    assert {who(user) for user, yes in zip(people3, may, strict=True) if yes} == set(waiting)
    refused = Queue(str(place.path)).names("bad")
    assert (0 if rules == ["owner"] else 3 - sum(may)) == len(refused)
    assert all("may not push into this queue" in place.why(found.id) for found in refused)


def test_why_a_job_was_refused_is_told(place: Place, people3: tuple[Any, Any, Any]) -> None:
    _, alice, _ = people3
    place.make("--push", "nobody", "--readers", "all")
    id, data, file = made()
    drop(alice, place, data, file)
    place.tick()

    ended = place.cit("why", "--queue", place.path, id, user=alice)

    assert (0, True) == (ended.code, "may not push" in ended.out)


# --- what is forged --------------------------------------------------------------------------


def drop(user: Any, place: Place, data: bytes, file: str) -> None:
    """Put bytes into the drop box as that user, whatever cit-push would say to them."""
    subprocess.run(
        ["tee", place.path / "in" / file], input=data, user=user.uid, group=user.gid,
        extra_groups=[], stdout=subprocess.DEVNULL, check=True,
    )  # fmt: skip
    subprocess.run(["chmod", "644", place.path / "in" / file], user=user.uid, check=True)


def made(extra: bytes = b"", called: str = "x") -> tuple[str, bytes, str]:
    """An id, the bytes of a job, and the name of its file."""
    id = request.Ids().next()
    text = b"%% job 1 toml\nisolate = 'chroot:busybox'\n%% program 1 sh\n#!/bin/sh\n"
    data = asked.compose(text, id, "q", called, {}).data
    return id, data + extra, name.drop(id, called)


def test_a_trace_that_claims_another_author_is_ignored(
    shared: Place, people3: tuple[Any, Any, Any]
) -> None:
    owner, alice, bob = people3
    push = trace.Record(trace.stamp(0), "push", "-", (who(bob), "sha256:0"))
    result = trace.Record(trace.stamp(0), "result", "-", ("failed", "9"))
    forged = b"%% trace 1 tab\n" + trace.render(push) + trace.render(result)
    id, data, file = made(forged)
    drop(alice, shared, data, file)

    shared.run()

    assert (who(alice), "ok") == (shared.look(id).who, shared.look(id).status)


def test_an_answer_that_claims_another_author_is_that_of_its_owner(
    shared: Place, people3: tuple[Any, Any, Any]
) -> None:
    _, alice, bob = people3
    id = shared.push(alice)
    shared.tick()
    lines = trace.render(trace.Record(trace.stamp(0), "stop", "-", ("enough", who(alice), "x")))
    path = shared.path / "answers" / f"{id}.--forged"
    subprocess.run(["tee", path], input=lines, user=bob.uid, group=bob.gid, extra_groups=[],
                   stdout=subprocess.DEVNULL, check=True)  # fmt: skip

    shared.tick()

    assert "wait" == shared.state(id)
    assert not path.exists()
    reason = f"cannot stop: {who(bob)} may not stop a job of {who(alice)}"
    assert ("refuse", who(bob), reason) in shared.said()


@pytest.mark.parametrize("verb", ["stop", "hold"])
def test_who_sees_a_job_and_may_not_ask_of_it_is_told_so(
    place: Place, people3: tuple[Any, Any, Any], verb: str
) -> None:
    _, alice, bob = people3
    shared = place.make("--push", "*", "--readers", "all")
    id = shared.push(alice)
    shared.tick()

    ended = shared.cit(verb, "--queue", shared.path, id, user=bob)

    said = f"cannot {verb} job '{id}': {who(bob)} may not {verb} a job of {who(alice)}"
    assert (77, "", f"cit-{verb}: {said}\n") == tuple(ended)
    shared.tick()
    assert "wait" == shared.state(id)
    refused = f"cannot {verb}: {who(bob)} may not {verb} a job of {who(alice)}"
    assert ("refuse", who(bob), refused) in shared.said()


@pytest.mark.parametrize("verb, state", [("stop", "done"), ("hold", "hold")])
def test_who_sees_his_job_in_the_drop_box_may_already_ask_of_it(
    place: Place, people3: tuple[Any, Any, Any], verb: str, state: str
) -> None:
    _, alice, _ = people3
    shared = place.make("--push", "*", "--readers", "all")
    id = shared.push(alice)

    ended = shared.cit(verb, "--queue", shared.path, id, user=alice)

    assert (0, "", "") == tuple(ended)
    shared.tick()
    assert state == shared.state(id)


def test_what_is_written_after_admission_changes_nothing(
    shared: Place, people3: tuple[Any, Any, Any]
) -> None:
    _, alice, _ = people3
    id, data, file = made()
    drop(alice, shared, data, file)
    script = f"exec 3>>'{shared.path / 'in' / file}'; echo; read x; echo 'exit 9' >&3"
    writer = subprocess.Popen(
        ["sh", "-c", script], user=alice.uid, group=alice.gid, extra_groups=[],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert writer.stdout
    writer.stdout.readline()
    shared.tick()
    writer.communicate(b"\n", timeout=SECONDS)

    shared.run()

    assert ("ok", "sha256:" + asked.parse(data).sha256) == (
        shared.look(id).status, shared.look(id).sha256,
    )  # fmt: skip


def test_a_link_to_a_file_of_another_shows_nothing_of_it(
    shared: Place, people3: tuple[Any, Any, Any]
) -> None:
    owner, alice, bob = people3
    secret = owner.home / "secret"
    secret.write_bytes(b"secret")
    os.chown(secret, owner.uid, owner.gid)
    id, data, file = made()
    as_user(bob, "ln", "-s", secret, shared.path / "in" / file)
    good = shared.push(alice)

    shared.run()

    assert "ok" == shared.look(good).status
    assert b"secret" == secret.read_bytes()
    found = [path for path in shared.path.rglob("*") if path.is_file() and not path.is_symlink()]
    assert [] == [path for path in found if b"secret" in path.read_bytes()]


def test_the_id_of_another_is_not_taken_over(
    shared: Place, people3: tuple[Any, Any, Any]
) -> None:
    _, alice, bob = people3
    id, data, file = made()
    drop(alice, shared, data, file)
    shared.tick()
    drop(bob, shared, data + b"exit 9\n", file)

    shared.run()

    assert (who(alice), "ok") == (shared.look(id).who, shared.look(id).status)
    assert "is taken by a job that asks something else" in shared.why(id)


@pytest.mark.parametrize("make", ["mkdir {}", "mkfifo {}", "mkdir -p {}/deep", "ln -s . {}"])
def test_what_a_stranger_drops_stops_nothing(
    shared: Place, people3: tuple[Any, Any, Any], make: str
) -> None:
    owner, alice, bob = people3
    for file in (made()[2], "-rf", "x y", ".hidden"):
        path = shared.path / "in" / file
        assert 0 == as_user(bob, "sh", "-c", make.format(f"'{path}'")).returncode
    id = shared.push(alice)

    began = time.monotonic()
    shared.tick()
    shared.run()

    assert "ok" == shared.look(id).status
    assert time.monotonic() - began < 10
    assert 0 == shared.cit("queue", "fsck", shared.path, user=owner).code


# --- reading ---------------------------------------------------------------------------------


@pytest.fixture
def team(people3: tuple[Any, Any, Any]) -> Iterator[str]:
    """A group of the owner and alice; bob is not in it."""
    called = f"citt-team-{os.getpid()}"
    subprocess.run(["groupadd", called], check=True)
    for user in people3[:2]:
        subprocess.run(["usermod", "-aG", called, user.name], check=True)
    yield called
    subprocess.run(["groupdel", called], check=True)


@pytest.mark.parametrize(
    ("readers", "narrowed", "seen"),
    [
        ("owner", None, (False, False)), ("owner", "all", (False, False)),
        ("group", None, (True, False)), ("group", "owner", (False, False)),
        ("all", None, (True, True)), ("all", "group", (True, False)),
        ("all", "owner", (False, False)),
    ],
)  # fmt: skip
def test_who_may_read_a_job_is_the_queues_word_or_the_jobs_if_that_is_narrower(
    place: Place, people3: tuple[Any, Any, Any], team: str, readers: str, narrowed: str | None,
    seen: tuple[bool, bool],
) -> None:  # fmt: skip
    owner, alice, bob = people3
    place.make("--push", "*", "--readers", readers)
    subprocess.run(["chgrp", "-R", team, place.path], check=True)
    head = f'readers = "{narrowed}"\n' if narrowed else ""
    text = f'%% job 1 toml\nname = "x"\n{head}%% program 1 sh\n#!/bin/sh\necho hello\n'
    (owner.home / "x.job").write_text(text)
    os.chown(owner.home / "x.job", owner.uid, owner.gid)
    id = place.push(owner, str(owner.home / "x.job"))
    place.tick()
    readable = []
    for _ in range(2):  # while it waits, and when it is done
        queue = Queue(str(place.path))
        path = queue.file(queue.find(id))
        for user in (alice, bob):
            # Alice is in the group of the queue, and in that of its owner.
            groups = [owner.gid, os.stat(place.path).st_gid] if user is alice else []
            cat = subprocess.run(["cat", path], user=user.uid, group=user.gid, extra_groups=groups,
                                 capture_output=True)  # fmt: skip
            readable.append(cat.returncode == 0)
        place.run()

    assert [*seen, *seen] == readable
    assert "ok" == place.look(id).status


def test_a_reader_sees_logs_and_lists_and_changes_nothing(
    place: Place, people3: tuple[Any, Any, Any]
) -> None:
    owner, alice, bob = people3
    place.make("--push", "*", "--readers", "all")
    id = place.push(alice)
    place.run()
    waiting = place.push(alice)
    place.tick()

    logs = place.cit("logs", "--queue", place.path, id, user=bob)
    ls = place.cit("ls", "--queue", place.path, user=bob)

    assert (0, "") == (logs.code, logs.err)
    assert "hello" in logs.out
    assert (0, "") == (ls.code, ls.err)
    assert {id, waiting} == {line.split("\t")[0] for line in ls.out.splitlines()}
    for verb in ("tick", "pause", "resume", "fsck", "prune"):
        ended = place.cit("queue", verb, place.path, user=bob)
        assert (77, "") == (ended.code, ended.out)
    for words in (["run", "--queue", place.path], ["run", "--queue", place.path, "--", "true"],
                  ["append", "--queue", place.path, waiting, "note", "-", "x"]):  # fmt: skip
        assert place.cit(*words, user=bob).code in (2, 66, 77)
    assert ("wait", "") == (place.state(waiting), place.look(waiting).status)


# --- asking ----------------------------------------------------------------------------------


@pytest.mark.parametrize("readers", ["all", "owner"])
def test_a_job_is_stopped_by_who_pushed_it_and_by_the_owner_and_nobody_else(
    place: Place, people3: tuple[Any, Any, Any], readers: str
) -> None:
    owner, alice, bob = people3
    place.make("--push", "*", "--readers", readers)
    ids = [place.push(alice) for _ in range(3)]
    place.tick()

    for user, id in zip((alice, owner, bob), ids, strict=True):
        place.cit("stop", "--queue", place.path, id, "--reason", "why", user=user)
    place.tick()

    assert ["cancelled", "cancelled", ""] == [place.look(id).status for id in ids]
    assert [who(alice), who(owner)] == [place.look(id).acts[0].fields[0] for id in ids[:2]]
    assert [] == place.look(ids[2]).acts


@pytest.mark.parametrize(("command", "kind"), [(["hold"], "hold"), (["note"], "note")])
def test_who_pushed_a_job_may_hold_it_and_write_into_it(
    place: Place, people3: tuple[Any, Any, Any], command: list[str], kind: str
) -> None:
    owner, alice, bob = people3
    place.make("--push", "*", "--readers", "all")
    mine, others = place.push(alice), place.push(bob)
    place.tick()

    for id in (mine, others):
        words = [id, "text"] if kind == "note" else [id]
        place.cit(*command, "--queue", place.path, *words, user=alice)
    place.tick()

    told = [place.look(id) for id in (mine, others)]
    assert [1, 0] == [len(each.acts) + len(each.notes) for each in told]
    assert "wait" == place.state(others)


def test_a_running_job_is_stopped_by_who_pushed_it(
    place: Place, people3: tuple[Any, Any, Any], public_programs: Path
) -> None:
    owner, alice, bob = people3
    place.make("--push", "*", "--readers", "all")
    id = place.push(alice, "--isolate", "chroot:busybox", "--", "sh", "-c", "echo on; sleep 1000")
    place.tick()
    runner = subprocess.Popen(
        [public_programs / "cit-run", "--queue", place.path, "-j", "1"], user=owner.uid,
        group=owner.gid, extra_groups=[], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        env={"HOME": str(owner.home), "PATH": f"{public_programs}:/usr/bin:/bin"}, cwd="/",
    )  # fmt: skip
    try:
        until(lambda: place.state(id) == "run" and place.look(id).runs, "the run")
        place.cit("stop", "--queue", place.path, id, user=bob)
        place.cit("stop", "--queue", place.path, id, user=alice)
        assert b"" == runner.communicate(timeout=SECONDS)[1]
    finally:
        runner.kill()
        runner.wait()

    assert ("cancelled", [who(alice)]) == (
        place.look(id).status, [act.fields[0] for act in place.look(id).acts],
    )  # fmt: skip
    refused = f"cannot stop: {who(bob)} may not stop a job of {who(alice)}"
    assert ("refuse", who(bob), refused) in place.said()


OUTER = '(sequence (spawn "inner") (approve "Go on?"))'
INNER = '(approve "Deploy?")'


@pytest.fixture
def spawned(place: Place, people3: tuple[Any, Any, Any]) -> tuple[str, str]:
    """A job of alice's in a queue of the owner's, and the one that it spawned; both ask."""
    owner, alice, _ = people3
    place.make("--push", "*", "--readers", "all")
    (owner.home / "inner.lurch").write_text(INNER)
    os.chown(owner.home / "inner.lurch", owner.uid, owner.gid)
    program = str(owner.home / "inner.lurch")
    stored = place.cit("program", "import", "--queue", place.path, "inner", program, user=owner)
    assert (0, "") == (stored.code, stored.err)
    (alice.home / "outer.lurch").write_text(OUTER)
    os.chown(alice.home / "outer.lurch", alice.uid, alice.gid)
    id = place.push(alice, str(alice.home / "outer.lurch"))
    for _ in range(2):
        place.run()
    [other] = {found.id for found in Queue(str(place.path)).names("park")} - {id}
    return id, other


@pytest.mark.parametrize(
    ("command", "words", "done"),
    [("stop", [], "cancelled"), ("hold", [], "hold"), ("note", ["text"], "text"),
     ("answer", ["no"], "no")],
)  # fmt: skip
def test_who_pushed_a_job_may_wish_the_same_of_what_it_spawned(
    place: Place, people3: tuple[Any, Any, Any], spawned: tuple[str, str], command: str,
    words: list[str], done: str,
) -> None:  # fmt: skip
    _, alice, bob = people3
    id = spawned[1]

    by_bob = place.cit(command, "--queue", place.path, id, *words, user=bob)
    by_alice = place.cit(command, "--queue", place.path, id, *words, user=alice)
    place.run()

    told = place.look(id)
    notes = [column for record in told.notes for column in record.fields]
    answers = [answer.fields[1] for answer in told.answers]
    assert (77, (0, "", "")) == (by_bob.code, tuple(by_alice))
    assert done in (told.status, place.state(id), *notes, *answers)
    assert who(alice) in [r.fields[0] for r in (*told.acts, *told.notes, *told.answers)]


def test_who_may_answer_what_was_spawned_is_told_in_the_list(
    place: Place, people3: tuple[Any, Any, Any], spawned: tuple[str, str]
) -> None:
    owner, alice, _ = people3

    listed = place.cit("ls", "--asking", "--queue", place.path, spawned[1], user=alice)

    assert f"{who(owner)},{who(alice)}" == listed.out.split("\t")[4]


@pytest.mark.parametrize("pusher", ["bob", "owner"])
def test_who_only_says_that_a_job_was_spawned_for_him_may_nothing(
    place: Place, people3: tuple[Any, Any, Any], spawned: tuple[str, str], pusher: str
) -> None:
    owner, alice, bob = people3
    (asks,) = place.look(spawned[1]).asks
    head = f'origin = {{ kind = "spawn", job = "{spawned[0]}", run = "1.1", who = "{who(alice)}" }}'
    user = owner if pusher == "owner" else bob
    (user.home / "x.job").write_text(f"%% job 1 toml\n{head}\n%% program 1 lurch\n{INNER}\n")
    os.chown(user.home / "x.job", user.uid, user.gid)
    id = place.push(user, str(user.home / "x.job"))
    place.run()

    ended = [
        place.cit(*words, "--queue", place.path, user=alice)
        for words in (["answer", f"{id}.{asks}", "no"], ["stop", id], ["hold", id])
    ]
    place.run()

    assert [77] * 3 == [each.code for each in ended]
    assert ("park", [], []) == (place.state(id), place.look(id).acts, place.look(id).answers)


@pytest.fixture
def running(
    place: Place, people3: tuple[Any, Any, Any], public_programs: Path
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A job of alice's that runs, in a queue that all may read, and its runner."""
    owner, alice, _ = people3
    place.make("--push", "*", "--readers", "all")
    id = place.push(alice, "--isolate", "chroot:busybox", "--", "sh", "-c", "echo on; sleep 1000")
    place.tick()
    runner = subprocess.Popen(
        [public_programs / "cit-run", "--queue", place.path, "-j", "1"], user=owner.uid,
        group=owner.gid, extra_groups=[], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={"HOME": str(owner.home), "PATH": f"{public_programs}:/usr/bin:/bin"}, cwd="/",
    )  # fmt: skip
    try:
        until(lambda: place.state(id) == "run" and place.look(id).runs, "the run")
        yield id, runner
    finally:
        runner.kill()
        runner.wait()
        place.cit("stop", "--queue", place.path, id, user=owner)
        place.cit("run", "--queue", place.path, "-j", "1", user=owner)


def test_others_see_whether_a_job_still_has_its_runner(
    place: Place, people3: tuple[Any, Any, Any], running: tuple[str, subprocess.Popen[bytes]]
) -> None:
    _, alice, bob = people3
    id, runner = running

    def told(user: Any) -> tuple[str, str]:
        why = place.cit("why", "--queue", place.path, id, user=user)
        listed = place.cit("ls", "--queue", place.path, id, user=user)
        assert [0, 0] == [why.code, listed.code]
        return why.out.splitlines()[0], listed.out.split("\t")[8]

    before = [told(user) for user in (alice, bob)]
    runner.kill()
    runner.wait()

    assert {"sh is running: 1.2 exec"} == {why.rpartition(" for ")[0] for why, _ in before}
    assert {"1.2 exec"} == {row for _, row in before}
    lost = "sh lost its runner: the next cit-run goes on with it", "no runner holds it"
    assert [lost] * 2 == [told(user) for user in (alice, bob)]


def test_others_are_told_that_they_cannot_see_the_runner_on_another_machine(
    place: Place, people3: tuple[Any, Any, Any], running: tuple[str, subprocess.Popen[bytes]]
) -> None:
    id, bob = running[0], people3[2]
    file = Path(Queue(str(place.path)).file(Queue(str(place.path)).find(id)))
    data = file.read_bytes()
    size = len(data)
    elsewhere = "x" * len(HERE)  # in place: its runner has the file open
    with file.open("r+b") as job_file:
        job_file.seek(data.index(b"\tclaim\t-\t") + 9)
        job_file.write(elsewhere.encode())
    assert size == file.stat().st_size

    why = place.cit("why", "--queue", place.path, id, user=bob).out.splitlines()[0]
    listed = place.cit("ls", "--queue", place.path, id, user=bob).out.split("\t")

    assert why.startswith("sh is running, as far as you can see: 1.2 exec for ")
    assert "; its last record is " in why
    assert listed[8].startswith("1.2 exec; as far as you can see, its last record is ")


# --- running ---------------------------------------------------------------------------------


def test_nobody_watches_over_the_queue_of_another(
    shared: Place, people3: tuple[Any, Any, Any]
) -> None:
    _, alice, _ = people3

    ended = shared.cit("run", "--watch", "--queue", shared.path, user=alice)

    assert 77 == ended.code
    assert f"belongs to {shared.owner.name}" in ended.err


NONE = [["--", "true"], ["--isolate", "none", "--", "true"], ["{home}/x.lurch"], ["{home}/x.sh"]]


@pytest.mark.parametrize("words", NONE)
@pytest.mark.parametrize("none", ["owner", "all"])
def test_others_run_unisolated_only_where_the_queue_says_so(
    place: Place, people3: tuple[Any, Any, Any], words: list[str], none: str
) -> None:
    _, alice, _ = people3
    place.make("--push", "*", "--none", none)
    run = '(exec "/bin/true" () () null)'
    deep = f'(isolate (chroot "busybox") (sequence (no-op) (isolate (none) {run})))'
    (alice.home / "x.lurch").write_text(deep)
    (alice.home / "x.sh").write_text("#!/bin/sh\n")
    for file in ("x.lurch", "x.sh"):
        os.chown(alice.home / file, alice.uid, alice.gid)

    words = [word.format(home=alice.home) for word in words]
    id = place.push(alice, *words, code=0 if none == "all" else 77)
    data = place.cit("push", "--dry-run", "--queue", place.path, *words, user=alice).out.encode()
    by_hand = asked.parse(data).job
    drop(alice, place, data, name.drop(by_hand["id"], by_hand["name"]))
    place.run()

    if none == "all":
        assert ["ok", "ok"] == [place.look(each).status for each in (id, by_hand["id"])]
    else:
        assert "" == id
        why = place.why(by_hand["id"])
        assert "isolation 'none' is only for jobs of the queue's owner" in why


def test_a_job_of_another_sees_nothing_of_the_owner(
    place: Place, people3: tuple[Any, Any, Any]
) -> None:
    owner, alice, _ = people3
    place.make("--push", "*", "--readers", "all")
    secret = owner.home / "secret"
    secret.write_text("secret")
    os.chown(secret, owner.uid, owner.gid)
    look = f"cat {secret}; ls {place.path}; cat {place.path}/queue.toml; kill -9 1; id -u; exit 0"

    ids = [
        place.push(alice, "--isolate", where, "--", "sh", "-c", look)
        for where in ("chroot:busybox", "chroot:host")
    ]
    place.run()

    for id in ids:
        queue = Queue(str(place.path))
        data = Path(queue.file(queue.find(id))).read_bytes().partition(b"%% trace")[2]
        out = [r.fields[1] for r in trace.only(data, "log") if r.fields[0] == "out"]
        assert ("ok", ["1000"]) == (place.look(id).status, out)


def test_workspaces_are_the_owners_alone(place: Place, people3: tuple[Any, Any, Any]) -> None:
    owner, alice, bob = people3
    place.make("--push", "*", "--readers", "all")
    id = place.push(alice, "--name", "x", "--isolate", "chroot:busybox", "--", "touch", "result")

    place.run()

    work = place.path.parent / "work"
    assert ["result"] == [f for f in os.listdir(work / "x" / id) if f != ".cit"]
    assert 0o700 == stat.S_IMODE(work.stat().st_mode) & 0o777
    assert 0 != as_user(bob, "ls", work).returncode


# --- several queues --------------------------------------------------------------------------


def test_queues_have_rights_of_their_own_and_users_know_their_own(
    place: Place, people3: tuple[Any, Any, Any], cit: Cit
) -> None:
    owner, alice, bob = people3
    place.make("--push", alice.name)
    other = Place(cit, owner, place.path.parent / "other").make("--push", bob.name, "--none", "all")
    place.push(alice)
    for_bob = other.push(bob, "--", "true")
    place.push(bob, code=77)
    place.tick()
    other.run()

    known = cit("queue", "ls", user=bob).out.splitlines()

    assert [who(alice)] == [place.look(f.id).who for f in Queue(str(place.path)).names("wait")]
    assert "ok" == other.look(for_bob).status
    assert [str(other.path)] == [line.split("\t")[0] for line in known]


def test_who_may_push_needs_nothing_but_the_way_to_the_drop_box(
    shared: Place, people3: tuple[Any, Any, Any]
) -> None:
    _, alice, _ = people3
    seen = stat.S_IMODE(shared.path.stat().st_mode)

    id = shared.push(alice)

    assert (0o711, "in") == (seen, shared.state(id))
    assert alice.uid == os.stat(shared.path / "in" / f"{id}-echo.job").st_uid
    assert layout.DROPS == ("in", "answers")
    assert people.user(alice.uid) == alice.name
