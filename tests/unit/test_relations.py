"""Trees of jobs: who is below whom, and that what goes in circles comes to an end."""

from __future__ import annotations

import pytest

from cit import relations
from cit.relations import Edge


def shape(edges: list[Edge], *more: str) -> list[str]:
    jobs = {edge.child for edge in edges} | {edge.parent for edge in edges} | set(more)
    return [
        "  " * len(place.lasts) + place.job + (" again" if place.again else "")
        for place in relations.trees(edges, jobs)
    ]


def test_children_are_below_their_parents_and_the_newest_tree_comes_first() -> None:
    edges = [Edge("c", "a", "spawn"), Edge("b", "a", "again"), Edge("e", "d", "await"),
             Edge("f", "b", "again")]  # fmt: skip

    assert ["d", "  e", "a", "  b", "    f", "  c"] == shape(edges)


def test_a_job_without_relations_is_a_tree_of_its_own() -> None:
    assert ["b", "a"] == shape([], "a", "b")


def test_a_job_of_two_parents_is_unfolded_once() -> None:
    edges = [Edge("c", "a", "await"), Edge("c", "b", "await"), Edge("d", "c", "again")]

    assert ["b", "  c", "    d", "a", "  c again"] == shape(edges)


@pytest.mark.parametrize(
    ("pairs", "shown"),
    [
        ("aa", ["a", "  a again"]),
        ("ba ab", ["a", "  b", "    a again"]),
        ("ba cb ac dc", ["a", "  b", "    c", "      a again", "      d"]),
        ("xa ba ab", ["a", "  b", "    a again", "  x"]),
    ],
)
def test_what_awaits_itself_in_a_circle_comes_to_an_end(pairs: str, shown: list[str]) -> None:
    edges = [Edge(child, parent, "await") for child, parent in pairs.split()]

    assert shown == shape(edges)


def test_a_long_chain_is_no_matter_of_the_stack_and_no_square_of_indentation() -> None:
    edges = [Edge(f"{n + 1:06}", f"{n:06}", "again") for n in range(20_000)]

    places = list(relations.trees(edges, [edge.child for edge in edges] + ["000000"]))

    assert [f"{n:06}" for n in range(20_001)] == [place.job for place in places]
    assert max(len(place.lasts) for place in places) <= relations.DEEPEST + 1


def test_what_is_related_at_any_distance_is_near() -> None:
    edges = [Edge("b", "a", "spawn"), Edge("c", "b", "again"), Edge("z", "y", "again")]

    assert {"a", "b", "c"} == relations.near(edges, ["c"])
    assert {"x"} == relations.near(edges, ["x"])
