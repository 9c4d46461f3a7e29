from __future__ import annotations

import pytest

from cit import usage
from cit.usage import Usage

CPU_STAT = """usage_usec 2345678
user_usec 1345678
system_usec 1000000
nice_usec 0
core_sched.force_idle_usec 0
nr_periods 0
"""
EVENTS = "low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 1\n"
OOM_CONTROL = "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n"
IO_STAT = """8:16 rbytes=1459200 wbytes=314773504 rios=192 wios=353 dbytes=0 dios=0
8:0 rbytes=90430464 wbytes=299008000 rios=8950 wios=1252 dbytes=50331648 dios=3021
259:0
"""


def test_cpu_stat_gives_user_and_system_seconds() -> None:
    assert usage.cpu(CPU_STAT) == (1.345678, 1.0)


def test_cpu_stat_of_an_old_kernel_without_times_is_unknown() -> None:
    assert usage.cpu("nr_periods 0\nnr_throttled 0\n") is None


def test_cpuacct_divides_the_exact_total_in_the_ratio_of_the_ticks() -> None:
    assert usage.cpuacct("4000000000\n", "30000000\n", "10000000\n") == (3.0, 1.0)


def test_cpuacct_of_a_command_shorter_than_a_tick_counts_as_user_time() -> None:
    assert usage.cpuacct("700000\n", "0\n", "0\n") == (0.0007, 0.0)


def test_cpuacct_without_a_total_is_unknown() -> None:
    assert usage.cpuacct("", "0\n", "0\n") is None


@pytest.mark.parametrize(("text", "expected"), [("524288\n", 524288), ("max\n", None), ("", None)])
def test_a_file_of_one_number(text: str, expected: int | None) -> None:
    assert usage.number(text) == expected


def test_memory_kills_are_counted_in_both_versions() -> None:
    assert usage.ooms(EVENTS) == 2
    assert usage.ooms(OOM_CONTROL) == 4


def test_memory_kills_of_a_kernel_that_does_not_count_them_are_unknown() -> None:
    assert usage.ooms("oom_kill_disable 0\nunder_oom 0\n") is None


def test_io_stat_adds_up_the_devices() -> None:
    assert usage.io(IO_STAT) == (1459200 + 90430464, 314773504 + 299008000)


def test_an_empty_io_stat_is_no_io() -> None:
    assert usage.io("") == (0, 0)


def test_rusage_is_turned_into_bytes() -> None:
    got = usage.rusage(
        wall=2.5, user=1.5, sys=0.5, maxrss=2048, inblock=2, oublock=8, own_maxrss=1000
    )

    assert got == Usage("rusage", 2.5, 1.5, 0.5, 2048 * 1024, 1024, 4096)


def test_a_peak_not_above_that_of_the_runner_is_unknown() -> None:
    got = usage.rusage(
        wall=1.0, user=0.0, sys=0.0, maxrss=9000, inblock=0, oublock=0, own_maxrss=9000
    )

    assert got.mem_peak is None


def test_fill_keeps_what_is_known_and_the_source() -> None:
    best = Usage("cgroup1", 1.0, 0.5, 0.0, 4096)
    other = Usage("rusage", 9.0, 9.0, 9.0, 9, 512, 1024)

    assert usage.fill(best, other) == Usage("cgroup1", 1.0, 0.5, 0.0, 4096, 512, 1024)


def test_times_and_io_add_up_and_memory_takes_the_maximum() -> None:
    one = Usage("cgroup2", 1.0, 0.5, 0.25, 100, 10, 20)
    two = Usage("cgroup2", 2.0, 0.5, 0.25, 300, 1, 2)

    assert usage.add(one, two) == Usage("cgroup2", 3.0, 1.0, 0.5, 300, 11, 22)


def test_a_sum_has_the_less_exact_source_and_skips_what_is_unknown() -> None:
    one = Usage("cgroup2", 1.0, 0.5, 0.25, 100, None, None)
    two = Usage("rusage", 2.0, 0.5, 0.25, None, 8, None)

    assert usage.add(one, two) == Usage("rusage", 3.0, 1.0, 0.5, 100, 8, None)


def test_merge_adds_many_and_nothing_is_nothing() -> None:
    one = Usage("cgroup1", 1.0, 1.0, 1.0, 5, 1, 1)

    assert usage.merge([one, one, one]) == Usage("cgroup1", 3.0, 3.0, 3.0, 5, 3, 3)
    assert usage.merge([]) is None


def test_fields_have_fixed_seconds_whole_bytes_and_nothing_for_the_unknown() -> None:
    one = Usage("cgroup1", 1.25, 0.0000004, None, 4096, None, 0)

    assert usage.fields(one) == ("cgroup1", "1.250000", "0.000000", "", "4096", "", "0")


@pytest.mark.parametrize(
    "one", [Usage("rusage"), Usage("cgroup2", 1.5, 2.25, 0.000001, 1 << 40, 0, 7)]
)
def test_fields_are_read_back(one: Usage) -> None:
    assert usage.parse(usage.fields(one)) == one


def test_columns_added_by_a_later_version_are_ignored() -> None:
    assert usage.parse((*usage.fields(Usage("rusage", 1.0)), "new")) == Usage("rusage", 1.0)


@pytest.mark.parametrize(
    "columns",
    [
        (),
        ("cgroup2",),
        ("guess", *"------"),
        ("rusage", "x", *"-----"),
        ("rusage", *"---", "1.5", *"--"),
    ],
)
def test_other_columns_are_not_a_usage(columns: tuple[str, ...]) -> None:
    assert usage.parse(columns) is None
