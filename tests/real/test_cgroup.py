"""Groups: found in texts of other machines, and made for real on this one."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from waiting import until

from cit import cgroup, cgroupfs, hierarchy
from cit.cgroup import Group, Limits
from cit.errors import CONFIG, Failure
from cit.hierarchy import Hierarchy, Place, Tree

JOB = "01jd0000000000000000000000"
OTHER = "01jd0000000000000000000001"
MIB = 1 << 20

# A systemd machine with v2 alone; a user's shell.
V2 = """21 28 0:20 / /sys rw,nosuid shared:6 - sysfs sysfs rw
31 21 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot
"""
V2_OWN = "0::/user.slice/user-1000.slice/user@1000.service/app.slice/run-1.scope\n"
# An older one with both: controllers in v1, some together, and an empty v2.
HYBRID = """30 25 0:26 / /sys/fs/cgroup ro,nosuid shared:9 - tmpfs tmpfs ro,mode=755
31 30 0:27 / /sys/fs/cgroup/unified rw,nosuid shared:10 - cgroup2 cgroup2 rw
32 30 0:28 / /sys/fs/cgroup/systemd rw shared:11 - cgroup cgroup rw,xattr,name=systemd
33 30 0:30 / /sys/fs/cgroup/cpu,cpuacct rw shared:13 - cgroup cgroup rw,cpu,cpuacct
34 30 0:31 / /sys/fs/cgroup/memory rw shared:14 - cgroup cgroup rw,memory
"""
HYBRID_OWN = """4:memory:/user.slice
3:cpu,cpuacct:/
1:name=systemd:/user.slice/user-0.slice
0::/user.slice/user-0.slice
"""


@pytest.fixture(autouse=True)
def nobody_limits_us(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CIT_CGROUP", raising=False)


# --- finding, in texts -----------------------------------------------------------------------


def test_v2_is_found_with_the_group_we_are_in() -> None:
    own = "/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/app.slice/run-1.scope"

    assert [Hierarchy(2, frozenset(), "/sys/fs/cgroup", own)] == hierarchy.hierarchies(V2, V2_OWN)


def test_controllers_are_found_wherever_and_with_whomever_they_are_mounted() -> None:
    found = {h.controllers: h for h in hierarchy.hierarchies(HYBRID, HYBRID_OWN)}

    both = found[frozenset(("cpu", "cpuacct"))]
    assert (1, "/sys/fs/cgroup/cpu,cpuacct") == (both.version, both.own)
    assert "/sys/fs/cgroup/memory/user.slice" == found[frozenset(("memory",))].own
    assert "/sys/fs/cgroup/unified/user.slice/user-0.slice" == found[frozenset()].own


def test_a_mount_point_with_a_space_is_read() -> None:
    line = r"31 21 0:26 / /mnt/a\040b\134c rw - cgroup2 cgroup2 rw" + "\n"

    assert ["/mnt/a b\\c"] == [h.mount for h in hierarchy.hierarchies(line, "0::/\n")]


def test_a_container_that_sees_a_part_of_the_hierarchy_finds_itself_in_it() -> None:
    line = "31 21 0:26 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"

    assert ["/sys/fs/cgroup/job"] == [
        h.own for h in hierarchy.hierarchies(line, "0::/docker/abc/job\n")
    ]


@pytest.mark.parametrize("own", ["0::/../../other\n", "0::/docker/abcdef\n", ""])
def test_a_group_outside_of_what_is_mounted_is_not_guessed(own: str) -> None:
    line = "31 21 0:26 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"

    assert [None] == [h.own for h in hierarchy.hierarchies(line, own)]


# --- finding, in directories that look like a cgroup file system -------------------------------


def fake(tmp_path: Path, version: int, controllers: str, own: str = "/") -> tuple[str, Path]:
    """A /proc/self and a mounted hierarchy; `cit` is prepared, for mkdir makes no files here."""
    top, proc = tmp_path / "groups of a test", tmp_path / "proc"
    top.mkdir()
    proc.mkdir()
    where = str(top).replace(" ", r"\040")
    kind, options = ("cgroup2", "rw") if version == 2 else ("cgroup", f"rw,{controllers}")
    (proc / "mountinfo").write_text(f"31 21 0:26 / {where} rw - {kind} {kind} {options}\n")
    (proc / "cgroup").write_text(f"{0 if version == 2 else 3}:{controllers}:{own}\n")
    (top / "cit").mkdir()
    if version == 2:
        for directory in (top, top / "cit"):
            for name in ("cgroup.controllers", "cgroup.subtree_control"):
                (directory / name).write_text("memory pids io\n")
            (directory / "cgroup.procs").write_text("")
        (top / "cit/cpu.stat").write_text("usage_usec 0\nuser_usec 0\nsystem_usec 0\n")
        (top / "cit/cgroup.type").write_text("domain\n")
    return str(proc), top


def test_v2_gives_everything_in_one_place(tmp_path: Path) -> None:
    proc, top = fake(tmp_path, 2, "")

    place = Place(f"{top}/cit", 2, frozenset(("memory", "pids", "io")))
    assert Tree("cgroup2", place, place, place, place, None) == hierarchy.find(None, proc)


def test_a_v1_hierarchy_gives_what_it_controls(tmp_path: Path) -> None:
    proc, top = fake(tmp_path, 1, "cpuacct,memory")

    place = Place(f"{top}/cit", 1, frozenset(("memory", "cpuacct")))
    assert Tree("cgroup1", place, place, None, None, None) == hierarchy.find(None, proc)


def test_a_v1_hierarchy_of_no_use_is_no_tree(tmp_path: Path) -> None:
    proc, top = fake(tmp_path, 1, "cpu")

    assert hierarchy.find(None, proc) is None


def test_a_threaded_group_is_no_place_for_runs(tmp_path: Path) -> None:
    proc, top = fake(tmp_path, 2, "")
    (top / "cit/cgroup.type").write_text("domain threaded\n")

    assert hierarchy.find(None, proc) is None


def test_a_machine_without_cgroups_is_no_tree_and_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "mountinfo").write_text("21 28 0:20 / /sys rw - sysfs sysfs rw\n")
    (tmp_path / "cgroup").write_text("")

    facts = cgroup.report(hierarchy.find(None, str(tmp_path)), str(tmp_path))

    assert [("groups", False)] == [(f.what, f.ok) for f in facts]
    assert "mount -t cgroup2 cgroup2 /sys/fs/cgroup" == facts[0].fix


def test_a_run_inside_a_run_stays_inside(tmp_path: Path) -> None:
    proc, top = fake(tmp_path, 1, "memory", f"/cit/{JOB}.1")

    tree = hierarchy.find(None, proc)

    assert tree and tree.memory
    assert f"{top}/cit/{JOB}.1/cit" == tree.memory.home


def test_a_group_that_limits_us_is_not_left(tmp_path: Path) -> None:
    proc, top = fake(tmp_path, 1, "memory", "/batch")
    (top / "batch").mkdir()
    (top / "batch/memory.stat").write_text("cache 0\nhierarchical_memory_limit 1073741824\n")

    tree = hierarchy.find(None, proc)

    assert tree and tree.memory
    assert f"{top}/batch/cit" == tree.memory.home


def test_a_group_without_a_limit_is_left_for_the_root(tmp_path: Path) -> None:
    proc, top = fake(tmp_path, 1, "memory", "/shell")
    (top / "shell").mkdir()
    (top / "shell/memory.stat").write_text("hierarchical_memory_limit 9223372036854771712\n")

    tree = hierarchy.find(None, proc)

    assert tree and tree.memory
    assert f"{top}/cit" == tree.memory.home


def test_an_override_is_the_parent(tmp_path: Path) -> None:
    proc, top = fake(tmp_path, 1, "memory")
    (top / "builds").mkdir()

    tree = hierarchy.find(f"{top}/builds", proc)

    assert tree and tree.memory
    assert f"{top}/builds/cit" == tree.memory.home


def test_an_override_can_switch_groups_off(tmp_path: Path) -> None:
    proc, _ = fake(tmp_path, 2, "")

    assert hierarchy.find("none", proc) is None


@pytest.mark.parametrize("name", ["missing", "../elsewhere"])
def test_an_override_that_is_no_group_is_bad_configuration(tmp_path: Path, name: str) -> None:
    proc, top = fake(tmp_path, 2, "")
    (tmp_path / "elsewhere").mkdir()

    with pytest.raises(Failure) as caught:
        hierarchy.find(f"{top}/{name}", proc)

    assert CONFIG == caught.value.code


AS_HIM = """
import sys
sys.path.insert(0, sys.argv[1])
from cit import cgroup, hierarchy
tree = hierarchy.find(None, sys.argv[2])
print(tree.memory.home if tree else cgroup.report(None, sys.argv[2])[0].fix)
"""


def test_in_v1_each_account_is_given_groups_of_its_own(
    users: Callable[[str], Any], public: Path, public_programs: Path
) -> None:
    proc, top = fake(public, 1, "memory")

    def told(user: Any) -> str:
        argv = ["/usr/bin/python3", "-c", AS_HIM, public_programs.parent / "lib", proc]
        return subprocess.run(
            argv, user=user.uid, group=user.gid, extra_groups=[], cwd="/", capture_output=True,
            text=True, check=True,
        ).stdout.strip()  # fmt: skip

    alice, bob = users("alice"), users("bob")
    subprocess.run(["sh", "-c", told(alice)], check=True)
    before = told(bob)
    subprocess.run(["sh", "-c", before], check=True)

    assert before.startswith("mkdir -p ")
    assert [f"{top}/cit-{user.name}/cit" for user in (alice, bob)] == [told(alice), told(bob)]
    assert 0 == (top / "cit").stat().st_uid


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "a.b/../c", "a b", "é", "1..2"])
def test_a_name_that_is_none_never_becomes_a_directory(tmp_path: Path, name: str) -> None:
    place = Place(str(tmp_path), 1, frozenset(("memory",)))
    tree = Tree("cgroup1", place, None, None, None, None)

    for job, run in ((JOB, name), (name, "1")):
        with pytest.raises(ValueError, match="not the name of a group"):
            cgroup.make(tree, job, run)
    assert [] == list(tmp_path.iterdir())


# --- for real --------------------------------------------------------------------------------


def without_v2(mounted: list[Hierarchy], name: str) -> Tree | None:
    """This machine's groups as if it had no v2; None if that has the controllers."""

    def place(controller: str) -> Place | None:
        for h in mounted:
            if controller in h.controllers:
                os.makedirs(f"{h.mount}/{name}/cit", exist_ok=True)
                return Place(f"{h.mount}/{name}/cit", 1, h.controllers)
        return None

    memory, cpu, pids, freezer = map(place, ("memory", "cpuacct", "pids", "freezer"))
    if not (memory and cpu and pids and freezer):
        return None
    return Tree("cgroup1", memory, cpu, pids, None, freezer)


@pytest.fixture(params=["as found", "without v2"])
def tree(request: pytest.FixtureRequest, system: None) -> Iterator[Tree]:
    """A tree of our own, in a group beside that of the machine's runners."""
    mounted = hierarchy.known("/proc/self")
    name = f"cit-test-{os.getpid()}"
    made = without_v2(mounted, name) if request.param == "without v2" else None
    if made is None and mounted:  # v2 alone is tested as it is, twice
        os.makedirs(f"{mounted[0].mount}/{name}", exist_ok=True)
        made = hierarchy.find(f"{mounted[0].mount}/{name}")
    if made is None:
        pytest.skip("no cgroup can be made here")
    yield made
    for h in mounted:
        assert cgroupfs.remove(f"{h.mount}/{name}")


def started(group: Group, *argv: str) -> int:
    """The pid of a command in a group."""
    pid = os.fork()
    if pid == 0:
        try:
            for entry in group.entries:
                os.write(entry, b"0")
            os.execv(argv[0], argv)
        finally:
            os._exit(70)
    return pid


def python(group: Group, code: str) -> int:
    return started(group, "/usr/bin/python3", "-Ic", code)


def ended(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def cpu(group: Group) -> float:
    used = group.read()
    return (used.user or 0) + (used.sys or 0)


BURN = """
import time
kept = b"x" * (40 << 20)
end = time.process_time() + 0.2
while time.process_time() < end: pass
"""


def test_cpu_and_memory_are_those_of_the_run(tree: Tree) -> None:
    with cgroup.make(tree, JOB, "1") as group:
        code = ended(python(group, BURN))
        used = group.read(1.5)

    assert 0 == code
    assert (tree.source, 1.5) == (used.source, used.wall)
    assert 0.2 <= (used.user or 0) + (used.sys or 0) < 5
    assert 40 * MIB < (used.mem_peak or 0) < 120 * MIB


def test_runs_are_measured_apart(tree: Tree) -> None:
    with cgroup.make(tree, JOB, "1.1") as one, cgroup.make(tree, JOB, "1.2") as two:
        assert 0 == ended(python(one, BURN))
        assert 0 == ended(started(two, "/bin/true"))

        used = two.read()

    assert (used.user or 0) + (used.sys or 0) < 0.1
    assert (used.mem_peak or 0) < 20 * MIB


def test_children_are_counted_even_if_nobody_waits_for_them(tree: Tree) -> None:
    code = f"import os\nif os.fork() == 0: exec({BURN!r})\nelse: os._exit(0)"
    with cgroup.make(tree, JOB, "1") as group:
        assert 0 == ended(python(group, code))
        until(lambda: not group.pids(), "its end")

        used = group.read()

    assert (used.user or 0) + (used.sys or 0) >= 0.2


def test_a_running_command_can_be_read(tree: Tree) -> None:
    with cgroup.make(tree, JOB, "1") as group:
        pid = python(group, "while True: pass")
        until(lambda: cpu(group) > 0.05, "its work")
        before = group.pids()
        group.kill()
        ended(pid)

    assert {pid} == before


def test_a_memory_limit_ends_a_hog(tree: Tree) -> None:
    with cgroup.make(tree, JOB, "1", Limits(memory=48 * MIB)) as group:
        code = ended(python(group, "x = []\nwhile True: x.append(b'x' * (1 << 20))"))
        ooms, peak = group.ooms(), group.read().mem_peak

    assert -signal.SIGKILL == code
    assert ooms > 0
    assert peak is not None and peak <= 49 * MIB


def test_a_command_within_its_limits_meets_none(tree: Tree) -> None:
    with cgroup.make(tree, JOB, "1", Limits(memory=512 * MIB, procs=50)) as group:
        code = ended(started(group, "/bin/sh", "-c", "true | true | true"))
        met = group.ooms(), group.refusals()

    assert 0 == code
    assert (0, 0) == met


def test_a_limit_of_processes_is_kept(tree: Tree) -> None:
    code = "import os, time\nwhile True:\n    if os.fork() == 0: time.sleep(60)"
    with cgroup.make(tree, JOB, "1", Limits(procs=6)) as group:
        assert 1 == ended(python(group, code))  # BlockingIOError
        refusals, left = group.refusals(), group.pids()

    assert refusals > 0
    assert 5 == len(left)


BOMB = """
import os, signal, time
for n in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT): signal.signal(n, signal.SIG_IGN)
end = time.time() + 30
while time.time() < end:
    try:
        if os.fork() == 0: os.setsid()
    except OSError: time.sleep(0.01)
"""


def test_a_fork_bomb_in_sessions_of_its_own_is_ended_for_sure(tree: Tree) -> None:
    group = cgroup.make(tree, JOB, "1", Limits(procs=120))
    pid = python(group, BOMB)
    until(lambda: len(group.pids()) > 60, "the bomb")

    killed = group.kill()

    assert -signal.SIGKILL == ended(pid)
    assert killed
    assert set() == group.pids()
    assert group.remove()


def test_a_stopped_and_a_frozen_command_are_ended_too(tree: Tree) -> None:
    group = cgroup.make(tree, JOB, "1")
    pid = python(group, "import time\ntime.sleep(60)")
    until(group.pids, "the process")
    os.kill(pid, signal.SIGSTOP)
    os.waitpid(pid, os.WUNTRACED)
    place = tree.unified or tree.freezer
    assert place
    state = ("cgroup.freeze", "1") if place.version == 2 else ("freezer.state", "FROZEN")
    cgroupfs.write(f"{place.home}/{JOB}.1/{state[0]}", state[1])

    killed = group.kill()

    assert killed
    assert -signal.SIGKILL == ended(pid)
    assert group.remove()


def test_removing_ends_what_is_left_and_closes_what_is_open(tree: Tree) -> None:
    group = cgroup.make(tree, JOB, "1")
    pid = python(group, "import time\ntime.sleep(60)")
    until(group.pids, "the process")
    entries = list(group.entries)

    assert group.remove()

    assert -signal.SIGKILL == ended(pid)
    assert [] == cgroup.jobs(tree)
    for entry in entries:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(entry)


def test_a_second_attempt_starts_from_nothing(tree: Tree) -> None:
    first = cgroup.make(tree, JOB, "1")
    pid = python(first, BURN + "time.sleep(60)")
    until(lambda: cpu(first) > 0.1, "its work")

    with cgroup.make(tree, JOB, "1") as second:
        used = second.read()

    assert -signal.SIGKILL == ended(pid)
    assert (0, 0) == (used.user, used.mem_peak or 0)
    first.remove()


def test_what_a_dead_runner_left_is_found_by_its_job_alone(tree: Tree) -> None:
    mine, other = cgroup.make(tree, JOB, "1.2"), cgroup.make(tree, OTHER, "1")
    pid, spared = (python(g, "import time\ntime.sleep(60)") for g in (mine, other))
    until(lambda: mine.pids() and other.pids(), "both processes")
    before = cgroup.jobs(tree)

    done = cgroup.kill_job(JOB)

    assert done
    assert -signal.SIGKILL == ended(pid)
    assert [JOB, OTHER] == before
    assert [OTHER] == cgroup.jobs(tree)
    assert {spared} == other.pids()
    other.remove()
    ended(spared)
    mine.remove()


def test_limits_that_an_administrator_set_stay(tree: Tree) -> None:
    assert tree.memory
    name = "memory.max" if tree.memory.version == 2 else "memory.limit_in_bytes"
    cgroupfs.write(f"{tree.memory.home}/{name}", str(32 * MIB))

    with cgroup.make(tree, JOB, "1", Limits(memory=1024 * MIB)) as group:
        code = ended(python(group, "x = []\nwhile True: x.append(b'x' * (1 << 20))"))

    assert -signal.SIGKILL == code
    assert f"{32 * MIB}\n" == cgroupfs.text(f"{tree.memory.home}/{name}")


def test_who_gave_up_his_rights_can_still_join(tree: Tree) -> None:
    with cgroup.make(tree, JOB, "1") as group:
        pid = os.fork()
        if pid == 0:
            try:
                os.setgroups([])
                os.setgid(61999)
                os.setuid(61999)
                for entry in group.entries:
                    os.write(entry, b"0")
                os.execv("/bin/sleep", ["sleep", "60"])
            finally:
                os._exit(70)
        until(lambda: pid in group.pids(), "the process")
        group.kill()

        assert -signal.SIGKILL == ended(pid)


def test_the_descriptors_do_not_reach_the_command(tree: Tree) -> None:
    with cgroup.make(tree, JOB, "1"):
        shown = subprocess.run(
            ["/bin/ls", "-l", "/proc/self/fd"], close_fds=False, capture_output=True, text=True
        )

    assert "cgroup" not in shown.stdout


def test_groups_are_made_again_where_somebody_took_all_away(tree: Tree) -> None:
    for place in {p.home: p for p in tree[1:] if isinstance(p, Place)}.values():
        assert cgroupfs.remove(place.home)

    with cgroup.make(tree, JOB, "1") as group:
        assert 0 == ended(started(group, "/bin/true"))
        assert group.read().user is not None


def test_the_report_of_this_machine_names_what_it_found(tree: Tree) -> None:
    facts = {fact.what: fact for fact in cgroup.report(tree)}

    assert all(facts[name].ok for name in ("groups", "cpu", "memory peak", "procs limit", "kill"))
    assert tree.cpu and tree.cpu.home in facts["groups"].detail
