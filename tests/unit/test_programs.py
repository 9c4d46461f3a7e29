"""Stored programs: what may be stored, which version is found, and the job that each makes."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from cit import asked, demo, layout, locks, name, programs, trace
from cit.errors import BAD, DENIED, MISSING, NO, USAGE, Bad, Failure
from cit.queue import Queue

HELLO = b'; greets\n(isolate (chroot "busybox") (exec "/bin/echo" ("hello ${who}") () null))\n'
SCRIPT = b"#!/bin/sh\necho hello\n"
TOML = b'# nightly\nisolate = "chroot:busybox"\nprogram = "#!/bin/sh\\necho hi"\n'
STAGES = b"build:\n    cc --version\ntest: build\n    true\n"
STAGED = b'[[stage]]\nname = "a"\nrun = "true"\n'
ID = name.make(1795293421000, bytes(10))


def failure(act: object, *arguments: object, **more: object) -> Failure:
    with pytest.raises(Failure) as caught:
        act(*arguments, **more)  # type: ignore[operator]
    return caught.value


def files(queue: Queue, called: str) -> list[str]:
    return sorted(os.listdir(Path(queue.path) / "programs" / called))


# --- names -----------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["hello", "test build", "build+test ramen", "A", "7", "x" * 64])
def test_a_name_may_have_capitals_spaces_and_plus(text: str) -> None:
    assert programs.is_name(text)


@pytest.mark.parametrize(
    "text",
    ["", ".", "..", "../x", "a/b", "/x", ".x", "-x", "+x", " x", "x ", "a\nb", "a\tb", "a\0b", "é",
     "x" * 65, "x" * 300],
)  # fmt: skip
def test_what_is_no_safe_name_for_a_directory_is_refused(queue: Queue, text: str) -> None:
    assert not programs.is_name(text)
    assert USAGE == failure(programs.store, queue, text, HELLO).code
    assert MISSING == failure(programs.find, queue, text).code
    assert [] == os.listdir(Path(queue.path) / "programs")


# --- what can be stored ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "form"),
    [(HELLO, "lurch"), (SCRIPT, "sh"), (TOML, "toml"), (STAGES, "stages"), (STAGED, "toml")],
)
def test_a_text_is_kept_as_its_author_wrote_it(queue: Queue, text: bytes, form: str) -> None:
    made = programs.store(queue, "hello", text)

    assert programs.Program("hello", 1, form, text) == made == programs.find(queue, "hello")
    assert [f"1.{form}"] == files(queue, "hello")


@pytest.mark.parametrize(
    ("text", "place", "complaint"),
    [
        (b" \n", (1, 1), "expected a program, found nothing"),
        (b"(isolate (chroot \"busybox\")\n  (exce \"/bin/true\"))", (2, 4), "no step 'exce'"),
        (b'(isolate (chroot "nothing") (no-op))', (1, 18), "nothing"),
        (b"%% job 1 toml\n%% program 1 sh\n#!/bin/sh\n", (1, 1), "found a job file"),
        (b'note = "x"\nid = "' + ID.encode() + b'"\nprogram = "#!/bin/sh"\n', (2, 1), "'id' is"),
        (b'program = "#!/bin/sh"\n[origin]\njob = "' + ID.encode() + b'"\n', (2, 2), "'origin' is"),
        (b"hello", (1, 1), "expected a job"),
    ],
)  # fmt: skip
def test_a_text_with_a_mistake_is_refused_at_its_place_and_leaves_nothing(
    queue: Queue, text: bytes, place: tuple[int, int], complaint: str
) -> None:
    wrong = failure(programs.store, queue, "hello", text)

    assert isinstance(wrong, Bad)
    assert place == (wrong.line, wrong.column)
    assert complaint in str(wrong)
    assert [] == programs.names(queue)
    assert not (Path(queue.path) / "programs" / "hello").exists()


def test_a_text_that_is_too_long_is_refused(queue: Queue) -> None:
    assert BAD == failure(programs.store, queue, "hello", SCRIPT + b"#" * (1 << 20)).code


@pytest.mark.parametrize("called", sorted(demo.PROGRAMS))
def test_a_demo_program_can_be_stored(queue: Queue, called: str) -> None:
    assert "lurch" == programs.store(queue, called, demo.PROGRAMS[called].encode()).format


# --- versions --------------------------------------------------------------------------------


def test_versions_are_counted_from_1_and_kept(queue: Queue) -> None:
    for text in (HELLO, SCRIPT, HELLO):
        programs.store(queue, "hello", text)

    assert {1: "lurch", 2: "sh", 3: "lurch"} == programs.versions(queue, "hello")
    assert (2, SCRIPT) == programs.find(queue, "hello", 2)[1::2]
    assert 3 == programs.find(queue, "hello").version


def test_what_is_the_newest_version_already_makes_no_new_one(queue: Queue) -> None:
    programs.store(queue, "hello", SCRIPT)

    assert [2, 2] == [programs.store(queue, "hello", HELLO).version for _ in range(2)]


def test_the_tenth_version_is_newer_than_the_ninth(queue: Queue) -> None:
    for number in range(10):
        programs.store(queue, "hello", SCRIPT + b"# %d\n" % number)

    assert SCRIPT + b"# 9\n" == programs.find(queue, "hello").text


def test_what_is_not_there_is_missing(queue: Queue) -> None:
    programs.store(queue, "hello", HELLO)

    for called, version in (("nobody", None), ("hello", 2), ("hello", 0), ("hello", -1)):
        assert MISSING == failure(programs.find, queue, called, version).code


def test_what_others_leave_in_its_directory_is_no_version(queue: Queue) -> None:
    programs.store(queue, "hello", HELLO)
    directory = Path(queue.path) / "programs"
    for left in ("9.lurch~", "9.orig", "x.lurch", "9", ".4711.left", "\u0669.lurch"):
        (directory / "hello" / left).write_bytes(SCRIPT)
    (directory / "empty").mkdir()
    (directory / "a file").touch()

    assert ["hello"] == programs.names(queue)
    assert {1: "lurch"} == programs.versions(queue, "hello")


def test_imports_at_once_make_a_version_each(queue: Queue) -> None:
    texts = [SCRIPT + b"# %d\n" % number for number in range(4)] + [
        HELLO + b"; %d\n" % number for number in range(4)
    ]

    def store(text: bytes) -> None:
        programs.store(Queue(queue.path), "hello", text)  # with a lock of its own

    threads = [threading.Thread(target=store, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert list(range(1, 9)) == list(programs.versions(queue, "hello"))
    assert sorted(texts) == sorted(programs.find(queue, "hello", n).text for n in range(1, 9))


def test_an_import_waits_for_another(queue: Queue) -> None:
    made: list[int] = []

    def store() -> None:
        made.append(programs.store(Queue(queue.path), "hello", HELLO).version)

    thread = threading.Thread(target=store)
    with locks.Locks(os.path.join(queue.path, "locks")) as other:
        assert other.hold(locks.PROGRAMS)
        thread.start()
        thread.join(0.1)
        before = list(made)
    thread.join()

    assert ([], [1]) == (before, made)


def test_a_text_whose_base_is_not_the_newest_any_more_is_refused(queue: Queue) -> None:
    programs.store(queue, "hello", HELLO)
    programs.store(queue, "hello", SCRIPT)

    wrong = failure(programs.store, queue, "hello", TOML, base=1)

    assert (NO, "program 'hello' has version 2 meanwhile") == (wrong.code, str(wrong))
    assert 3 == programs.store(queue, "hello", TOML, base=2).version


# --- removal ---------------------------------------------------------------------------------


def test_a_number_is_not_taken_again_after_a_removal(queue: Queue) -> None:
    programs.store(queue, "hello", HELLO)
    programs.store(queue, "hello", SCRIPT)

    programs.remove(queue, "hello")

    assert [] == programs.names(queue)
    assert MISSING == failure(programs.find, queue, "hello", 1).code
    assert MISSING == failure(programs.remove, queue, "hello").code
    assert 4 == programs.store(queue, "hello", HELLO).version
    assert ["3.removed", "4.lurch"] == files(queue, "hello")


def test_a_removal_that_was_cut_is_one(queue: Queue) -> None:
    programs.store(queue, "hello", HELLO)
    removed = Path(queue.path) / "programs" / "hello" / "2.removed"
    removed.touch()  # and the text is still there

    assert [] == programs.names(queue)
    assert MISSING == failure(programs.find, queue, "hello", 1).code
    assert 3 == programs.store(queue, "hello", HELLO).version


def test_what_is_done_to_programs_is_in_the_log_of_the_queue(queue: Queue) -> None:
    programs.store(queue, "test build", HELLO, reason="first try")
    programs.remove(queue, "test build")

    [log] = (Path(queue.path) / "log").glob("*.tab")
    acts = [(r.kind, r.run, r.fields[1]) for r in trace.records(log.read_bytes())]
    assert ("import", "test build", "version 1: first try") in acts
    assert ("remove", "test build", "version 1") in acts


# --- rights ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("readers", "directory", "file"), [("owner", 0o700, 0o600), ("all", 0o755, 0o644)]
)
def test_who_may_read_the_queue_may_read_its_programs(
    tmp_path: Path, readers: str, directory: int, file: int
) -> None:
    layout.create(str(tmp_path / "q"), {"readers": readers})
    before = os.umask(0o077)
    try:
        programs.store(Queue(str(tmp_path / "q")), "hello", HELLO)
    finally:
        os.umask(before)

    made = tmp_path / "q" / "programs" / "hello"
    assert directory == stat.S_IMODE(made.stat().st_mode)
    assert file == stat.S_IMODE((made / "1.lurch").stat().st_mode)


def test_only_the_owner_of_a_queue_changes_its_programs(queue: Queue) -> None:
    programs.store(queue, "hello", HELLO)
    queue.owner += 1  # as another user finds it

    assert DENIED == failure(programs.store, queue, "hello", SCRIPT).code
    assert DENIED == failure(programs.remove, queue, "hello").code
    assert HELLO == programs.find(queue, "hello").text


# --- the job of a program --------------------------------------------------------------------


@pytest.mark.parametrize("text", [HELLO, SCRIPT, TOML, STAGES, STAGED])
def test_the_same_request_is_the_same_bytes(queue: Queue, text: bytes) -> None:
    program = programs.store(queue, "Test build", text)
    origin = {"kind": "spawn", "job": ID, "run": "1.2"}
    changes = {"vars": {"who": "bob"}, "priority": 3}

    one, two = (programs.request(queue, program, ID, origin, changes) for _ in range(2))

    assert one.data == two.data == asked.parse(one.data).data
    assert (ID, "test-build", "main", 3) == tuple(
        one.job[key] for key in ("id", "name", "queue", "priority")
    )
    assert {"program": "Test build", "version": 1, **origin} == one.job["origin"]


def test_a_job_that_was_started_says_so(queue: Queue) -> None:
    program = programs.store(queue, "hello", HELLO)

    made = programs.request(queue, program, ID, {}, {})

    assert {"kind": "program", "program": "hello", "version": 1} == made.job["origin"]


def test_the_keys_of_a_toml_program_hold_but_its_name(queue: Queue) -> None:
    text = b'name = "other"\n[vars]\na = "1"\nb = "2"\n'
    program = programs.store(queue, "hello", b'program = "#!/bin/sh"\n' + text)

    made = programs.request(queue, program, ID, {}, {"vars": {"b": "3"}, "name": "mine"})

    assert ("hello", {"a": "1", "b": "3"}) == (made.job["name"], made.job["vars"])


def test_what_no_machine_of_ours_can_isolate_is_not_started(queue: Queue) -> None:
    program = programs.Program("hello", 1, "sh", SCRIPT)

    wrong = failure(programs.request, queue, program, ID, {}, {"isolate": "chroot:nothing"})

    assert BAD == wrong.code


def test_the_canonical_text_is_that_of_lurch_alone(queue: Queue) -> None:
    hello = programs.store(queue, "hello", HELLO)
    script = programs.store(queue, "script", SCRIPT)

    assert (
        b'(isolate\n  (chroot "busybox")\n  (exec "/bin/echo" ("hello ${who}") () null))\n'
        == programs.canonical(hello)
    )
    assert USAGE == failure(programs.canonical, script).code
