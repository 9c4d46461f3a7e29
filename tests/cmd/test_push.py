"""cit-push: whatever form a job has, its id is printed when it is safe."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from waiting import until

from cit import asked, home, name
from cit.queue import Queue

Cit = Callable[..., Any]
SCRIPT = "#!/bin/sh\necho hello\n"
LURCH = '(isolate (none) (exec "/bin/echo" ("hello") () null))\n'


@pytest.fixture
def queue(cit: Cit, world: Path) -> Queue:
    assert 0 == cit("queue", "init").code
    return Queue(str(world / ".cit" / "queue"))


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "hello.sh"
    path.write_text(SCRIPT)
    return path


def dropped(queue: Queue) -> list[asked.Asked]:
    """What lies in the drop box, the oldest first."""
    box = Path(queue.path) / "in"
    return [asked.parse(path.read_bytes()) for path in sorted(box.iterdir())]


# --- forms -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("hello.sh", SCRIPT), ("hello", SCRIPT), ("hello.lurch", LURCH),
        ("hello.toml", f'program = """\n{SCRIPT}"""\n'),
        ("other.toml", f"name = 'hello'\nprogram = '''{LURCH}'''\n"),
        ("hello.job", f"%% job 1 toml\n%% program 1 lurch\n{LURCH}"),
    ],
)  # fmt: skip
def test_a_file_in_any_form_is_a_job(
    cit: Cit, queue: Queue, tmp_path: Path, file: str, text: str
) -> None:
    (tmp_path / file).write_text(text)

    ended = cit("push", file)

    [job] = dropped(queue)
    assert (0, job.job["id"] + "\n", "") == (ended.code, ended.out, ended.err)
    assert ("hello", "queue") == (job.job["name"], job.job["queue"])


def test_standard_input_is_a_job(cit: Cit, queue: Queue) -> None:
    ended = cit("push", "-", "--name", "x", input=SCRIPT)

    [job] = dropped(queue)
    assert (0, job.job["id"], "x") == (ended.code, ended.out.strip(), job.job["name"])


def test_a_command_is_a_job_with_every_byte_of_it(cit: Cit, queue: Queue) -> None:
    words = ["printf", "%s", "", "a\nb", "\udcff", "--wait", "-0", "${x}"]

    ended = cit("push", "-q", "--", *words)

    [job] = dropped(queue)
    run = next(node for node in job.tree.children if node.step == "exec")
    assert (0, "") == (ended.code, ended.out)
    assert tuple(words) == (run.args["path"], *run.args["args"])


def test_many_jobs_are_pushed_at_once_and_keep_their_order(
    cit: Cit, queue: Queue, tmp_path: Path
) -> None:
    names = [f"j{number:02d}" for number in range(30)]
    for file in names:
        (tmp_path / file).write_text(SCRIPT)

    ended = cit("push", *names)
    cit("queue", "tick")

    assert ended.out.split() == [found.id for found in queue.names("wait")]
    assert names == [found.name for found in queue.names("wait")]


def test_options_go_into_the_job(cit: Cit, queue: Queue, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("1")

    ended = cit(
        "push", "--name", "x", "--priority", "7", "--isolate", "chroot:busybox", "--set", "V=1",
        "--env", "E=2", "--limit", "time=10m", "--limit", "log=1M", "--files", "data", "-",
        input=SCRIPT,
    )  # fmt: skip

    assert (0, "") == (ended.code, ended.err)
    [job] = dropped(queue)
    assert {
        "id": job.job["id"], "name": "x", "queue": "queue", "priority": 7,
        "isolate": "chroot:busybox", "vars": {"V": "1"}, "env": {"E": "2"},
        "limits": {"time": "10m", "log": "1M"},
    } == job.job  # fmt: skip
    assert ["job", "program", "files"] == [part.kind for part in job.sections]


# --- what is printed -------------------------------------------------------------------------


def test_ids_end_with_nul_where_that_is_asked(cit: Cit, queue: Queue, script: Path) -> None:
    ended = cit("push", "-0", script, script)

    *ids, last = ended.out.split("\0")
    assert ("", [True, True]) == (last, [name.is_id(id) for id in ids])


def test_nothing_is_printed_where_that_is_asked(cit: Cit, queue: Queue, script: Path) -> None:
    assert (0, "", "") == tuple(cit("push", "-q", script))
    assert 1 == len(dropped(queue))


def test_a_dry_run_prints_the_job_and_does_nothing(
    cit: Cit, world: Path, script: Path
) -> None:
    ended = cit("push", "--dry-run", "--name", "x", script, "-", input=LURCH)

    assert 0 == ended.code
    first, second = ended.out.split("%% job 1 toml\n")[1:]
    jobs = [asked.parse(b"%% job 1 toml\n" + text.encode()) for text in (first, second)]
    assert ["x", "x"] == [job.job["name"] for job in jobs]
    assert not (world / ".cit").exists()


def test_what_a_dry_run_prints_can_be_pushed(cit: Cit, queue: Queue, script: Path) -> None:
    text = cit("push", "--dry-run", script).out

    ended = cit("push", "-", input=text)

    [job] = dropped(queue)
    assert (0, text.encode()) == (ended.code, job.data)
    assert job.job["id"] == ended.out.strip()


def test_an_id_that_nobody_read_is_no_success(cit: Cit, queue: Queue, script: Path) -> None:
    with open("/dev/full", "wb") as full:
        ended = subprocess.run(
            ["cit-push", script], stdout=full, stderr=subprocess.PIPE, timeout=30
        )

    assert 75 == ended.returncode
    assert b"cannot write the output" in ended.stderr


# --- once ------------------------------------------------------------------------------------


def test_the_same_job_pushed_twice_is_one_job_and_a_success(
    cit: Cit, queue: Queue, script: Path
) -> None:
    text = cit("push", "--dry-run", script).out

    ends = [cit("push", "-", input=text)]
    ends.append(cit("push", "-", input=text))
    cit("queue", "tick")
    ends.append(cit("push", "-", input=text))
    cit("queue", "tick")

    assert [0, 0, 0] == [ended.code for ended in ends]
    assert 1 == len({ended.out for ended in ends})
    assert ["wait"] == [found.state for found in queue.every()]


@pytest.mark.parametrize("tick", [False, True])
def test_an_id_that_another_job_has_is_refused(
    cit: Cit, queue: Queue, script: Path, tick: bool
) -> None:
    text = cit("push", "--dry-run", script).out
    cit("push", "-", input=text)
    if tick:
        cit("queue", "tick")

    ended = cit("push", "-", input=text + "exit 1\n")

    assert (65, "") == (ended.code, ended.out)
    assert "is taken by a job that asks something else" in ended.err
    assert 1 == len(list(queue.every()))


# --- what is wrong ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        [], ["--"], ["--flush", "x"], ["x", "--", "ls"], ["--set", "x", "y"], ["--limit", "=", "y"],
        ["--priority", "high", "y"], ["--nonsense"], ["--nam", "x", "y"],
    ],
)  # fmt: skip
def test_a_wrong_call_is_told_in_a_line(cit: Cit, world: Path, arguments: list[str]) -> None:
    ended = cit("push", *arguments)

    assert (2, "") == (ended.code, ended.out)
    assert ended.err.startswith("cit-push: ")
    assert 1 == ended.err.count("\n")
    assert not (world / ".cit").exists()


def test_bad_data_is_told_with_file_line_column_and_a_caret(
    cit: Cit, queue: Queue, tmp_path: Path
) -> None:
    (tmp_path / "x.lurch").write_text('(sequence\n  (exce "/bin/true"))\n')

    ended = cit("push", "x.lurch")

    assert (65, "") == (ended.code, ended.out)
    assert (
        "cit-push: x.lurch:2:4: no step 'exce'; is it 'exec'?\n"
        '    (exce "/bin/true"))\n'
        "     ^\n"
    ) == ended.err  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (["none.sh"], 66, "cannot open 'none.sh': no such file"),
        (["."], 66, "cannot read '.': is a directory"),
        (["--priority", "100", "hello.sh"], 2, "99"),
        (["--isolate", "cage", "hello.sh"], 2, "cage"),
        (["--isolate", "chroot:moon", "hello.sh"], 2, "moon"),
        (["--limit", "time=soon", "hello.sh"], 2, "10m"),
        (["--limit", "tim=1s", "hello.sh"], 2, "time"),
        (["--name", "../x", "hello.sh"], 2, "../x"),
        (["--env", "A B=1", "hello.sh"], 2, "A B"),
        (["--files", "none", "hello.sh"], 66, "cannot open 'none': no such file"),
        (["--queue", "none", "hello.sh"], 66, "no queue"),
        (["--queue", "hello.sh", "hello.sh"], 77, "cannot open queue"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_pushed(
    cit: Cit, queue: Queue, script: Path, arguments: list[str], code: int, why: str
) -> None:
    ended = cit("push", *arguments)

    assert (code, "") == (ended.code, ended.out)
    assert why in ended.err
    assert ended.err.startswith("cit-push: ")
    assert [] == dropped(queue)


def test_what_was_pushed_before_something_went_wrong_is_safe_and_said(
    cit: Cit, queue: Queue, script: Path
) -> None:
    ended = cit("push", script, "none.sh", script)

    [job] = dropped(queue)
    assert (66, job.job["id"] + "\n") == (ended.code, ended.out)
    assert [job.job["id"]] == [receipt.id for receipt in home.receipts()]


# --- one's own queue -------------------------------------------------------------------------


def test_the_first_push_makes_a_queue_of_ones_own(cit: Cit, world: Path, script: Path) -> None:
    ended = cit("push", script)

    queue = Queue(str(world / ".cit" / "queue"))
    assert (0, "") == (ended.code, ended.err)
    assert ("main", "push", ["owner"]) == tuple(
        queue.setting(key) for key in ("name", "start", "push")
    )
    assert [queue.path] == home.queues()
    assert 1 == len(dropped(queue))


def test_a_push_starts_what_is_needed_where_the_queue_wants_that(
    cit: Cit, world: Path, script: Path
) -> None:
    ended = cit("push", script, env={"CIT_START": None})
    cit("logs", "--follow", ended.out.strip())

    queue = Queue(str(world / ".cit" / "queue"))
    assert "ok" == queue.job(queue.find(ended.out.strip())).status
    assert b"" == (Path(queue.path) / "log" / "background.txt").read_bytes()


def test_a_push_can_wait_and_end_with_the_code_of_its_job(cit: Cit, queue: Queue) -> None:
    ended = cit("push", "--wait", "--", "sh", "-c", "exit 7", env={"CIT_START": "push"})

    assert (7, "") == (ended.code, ended.err)
    assert "failed" == queue.job(queue.find(ended.out.strip())).status


def test_to_wait_for_several_is_to_end_with_the_worst_code(
    cit: Cit, queue: Queue, tmp_path: Path
) -> None:
    for code in (0, 5, 3):
        (tmp_path / f"c{code}").write_text(f"#!/bin/sh\nexit {code}\n")

    ended = cit("push", "-w", "c0", "c5", "c3", env={"CIT_START": "push"})

    assert (5, 3) == (ended.code, len(ended.out.split()))


def test_a_push_into_the_queue_of_another_can_wait_where_that_lets_look(
    users: Callable[[str], Any], public: Path, cit: Cit
) -> None:
    alice, bob = users("alice"), users("bob")
    public.chmod(0o1777)
    queue, script = public / "q", ["sh", "-c", "exit 7"]
    options = ["--push", "*", "--none", "all", "--readers", "all"]
    assert 0 == cit("queue", "init", queue, *options, user=alice).code

    with ThreadPoolExecutor() as pool:
        push = pool.submit(cit, "push", "--wait", "--queue", queue, "--", *script, user=bob)
        until(lambda: push.done() or os.listdir(queue / "in"), "the drop")
        cit("queue", "tick", queue, user=alice)
        cit("run", "--queue", queue, user=alice)

    assert (7, "") == (push.result().code, push.result().err)


def test_a_push_that_cannot_see_the_end_says_that_it_was_pushed(
    users: Callable[[str], Any], public: Path, cit: Cit
) -> None:
    alice, bob = users("alice"), users("bob")
    public.chmod(0o1777)
    queue = public / "q"
    assert 0 == cit("queue", "init", queue, "--push", "*", "--none", "all", user=alice).code

    with ThreadPoolExecutor() as pool:
        push = pool.submit(cit, "push", "--wait", "--queue", queue, "--", "true", user=bob)
        until(lambda: push.done() or os.listdir(queue / "in"), "the drop")
        cit("queue", "tick", queue, user=alice)

    assert 77 == push.result().code
    assert f"{alice.name} lets nobody look into the queue" in push.result().err


def test_an_unisolated_job_of_another_is_refused_before_it_is_pushed(
    users: Callable[[str], Any], public: Path, cit: Cit
) -> None:
    alice, bob = users("alice"), users("bob")
    public.chmod(0o1777)
    queue = public / "q"
    assert 0 == cit("queue", "init", queue, "--push", "*", user=alice).code

    ended = cit("push", "--queue", queue, "--", "true", user=bob)
    isolated = cit("push", "--queue", queue, "--isolate", "chroot:busybox", "--", "true", user=bob)

    assert (77, "", 0) == (ended.code, ended.out, isolated.code)
    assert "isolation 'none' is only for jobs of the queue's owner" in ended.err
    assert 1 == len(os.listdir(queue / "in"))


# --- receipts --------------------------------------------------------------------------------


def test_a_receipt_tells_what_was_pushed_where(cit: Cit, queue: Queue, script: Path) -> None:
    id = cit("push", script).out.strip()

    [receipt] = home.receipts()
    [job] = dropped(queue)
    assert ("pushed", id, "hello", queue.path, job.sha256) == receipt[1:]


# --- the outbox ------------------------------------------------------------------------------


@pytest.fixture
def away(cit: Cit, tmp_path: Path) -> Path:
    """A queue that this user knows, and which is not there at present."""
    path = tmp_path / "far"
    assert 0 == cit("queue", "init", path).code
    path.rename(tmp_path / "gone")
    return path


def come_back(away: Path) -> Queue:
    (away.parent / "gone").rename(away)
    return Queue(str(away))


def test_what_is_pushed_to_a_queue_that_is_away_is_kept_and_its_id_is_good(
    cit: Cit, away: Path, script: Path
) -> None:
    ended = cit("push", "--queue", away, script, script)

    ids = ended.out.split()
    assert (69, 2) == (ended.code, len(ids))
    assert f"cit-push: queue '{away}' is away; kept in the outbox\n" == ended.err
    assert [(id, str(away)) for id in ids] == [(kept.id, to) for kept, to in home.kept()]
    assert ["kept", "kept"] == [receipt.act for receipt in home.receipts()]


def test_the_next_push_sends_what_was_kept_before_its_own(
    cit: Cit, away: Path, script: Path
) -> None:
    kept = cit("push", "--queue", away, script).out.split()
    queue = come_back(away)

    ended = cit("push", "--queue", away, script)

    assert (0, "") == (ended.code, ended.err)
    cit("queue", "tick", away)
    assert kept + ended.out.split() == [found.id for found in queue.names("wait")]
    assert [] == home.kept()
    assert ["kept", "pushed", "pushed"] == [receipt.act for receipt in home.receipts()]


def test_what_was_kept_is_sent_when_that_is_asked(cit: Cit, away: Path, script: Path) -> None:
    kept = cit("push", "--queue", away, script).out.strip()
    queue = come_back(away)

    ended = cit("push", "--flush", "--queue", away)

    assert (0, "", "") == (ended.code, ended.out, ended.err)
    assert [kept] == [job.job["id"] for job in dropped(queue)]


def test_what_cannot_be_sent_yet_stays(cit: Cit, away: Path, script: Path) -> None:
    cit("push", "--queue", away, script)

    ended = cit("push", "--flush", "--queue", away)

    assert 69 == ended.code
    assert 1 == len(home.kept())


def test_what_is_kept_for_another_queue_is_sent_there_alone(
    cit: Cit, away: Path, queue: Queue, script: Path
) -> None:
    kept = cit("push", "--queue", away, script).out.strip()
    far = come_back(away)

    assert 0 == cit("push", script).code
    still = [letter.id for letter, _ in home.kept()]
    assert 0 == cit("push", "--flush").code

    assert [kept] == still
    assert [] == home.kept()
    assert ([kept], 1) == ([job.job["id"] for job in dropped(far)], len(dropped(queue)))


def test_a_flush_makes_no_queue(cit: Cit, world: Path) -> None:
    ended = cit("push", "--flush")

    assert (0, "", "") == (ended.code, ended.out, ended.err)
    assert not (world / ".cit" / "queue").exists()


def test_a_cut_after_it_was_sent_makes_no_second_job(
    cit: Cit, away: Path, script: Path, world: Path
) -> None:
    cit("push", "--queue", away, script)
    shutil.copytree(world / ".cit" / "outbox", world / "copy")
    queue = come_back(away)
    cit("push", "--flush", "--queue", away)
    shutil.rmtree(world / ".cit" / "outbox")
    (world / "copy").rename(world / ".cit" / "outbox")

    for act in (["queue", "tick", away], ["push", "--flush", "--queue", away]) * 2:
        assert 0 == cit(*act).code

    assert 1 == len(list(queue.every()))
    assert [] == home.kept()


@pytest.mark.parametrize("spoil", ["other bytes", "nonsense"])
def test_a_letter_that_can_never_be_sent_does_not_hold_up_the_others(
    cit: Cit, away: Path, script: Path, world: Path, spoil: str
) -> None:
    bad = cit("push", "--queue", away, script).out.strip()
    good = cit("push", "--queue", away, script).out.strip()
    letter = world / ".cit" / "outbox" / f"{bad}-hello.job"
    queue = come_back(away)
    if spoil == "nonsense":
        letter.write_bytes(b"nonsense")
    else:
        other = letter.read_bytes() + b"exit 1\n"
        (Path(queue.path) / "in" / letter.name).write_bytes(other)

    ended = cit("push", "--queue", away, script)

    assert good in {path.name[:26] for path in (away / "in").iterdir()}
    assert ended.out.strip() in {path.name[:26] for path in (away / "in").iterdir()}
    assert f"cit-push: cannot send job '{bad}'" in ended.err
    assert [bad] == [kept.id for kept, _ in home.kept()]


def test_two_that_flush_at_once_send_each_letter_once(
    cit: Cit, away: Path, script: Path
) -> None:
    ids = cit("push", "--queue", away, *[script] * 30).out.split()
    queue = come_back(away)

    both = [
        subprocess.Popen(["cit-push", "--flush", "--queue", away], stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    told = [process.communicate(timeout=60)[1] for process in both]

    assert [(0, b"")] * 3 == [(p.returncode, t) for p, t in zip(both, told, strict=True)]
    assert ids == [job.job["id"] for job in dropped(queue)]
    assert [] == home.kept()


def test_where_there_are_no_nameless_files_a_job_is_published_all_the_same(
    cit: Cit, queue: Queue, script: Path, tmp_path: Path
) -> None:
    if not shutil.which("strace"):
        pytest.skip("needs strace")
    box = Path(queue.path) / "in"
    log = tmp_path / "log"

    # The first open of the drop box is that of the directory, the second one O_TMPFILE.
    ended = subprocess.run(
        ["strace", "-f", "-qq", "-o", log, "-P", box, "-e", "trace=openat",
         "-e", "inject=openat:error=EOPNOTSUPP:when=2", "cit-push", script],
        capture_output=True, timeout=60,
    )  # fmt: skip

    assert (0, b"") == (ended.returncode, ended.stderr)
    assert "O_TMPFILE" in next(line for line in log.read_text().splitlines() if "INJECT" in line)
    [file] = os.listdir(box)
    assert file == f"{ended.stdout.decode().strip()}-hello.job"
    assert 1 == (box / file).stat().st_nlink
    assert 1 == len(dropped(queue))
