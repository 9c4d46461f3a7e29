"""Jobs in a list: which, and in what order.

Names and directories say id, name, state and order; no file is opened here. So the
first jobs of a queue of a hundred thousand cost no more than looking at its directories.
"""

from __future__ import annotations

from cit import config, home, name, sight
from cit.errors import DENIED, MISSING, USAGE, Failure
from cit.queue import WAY, Queue, listed
from cit.sight import AWAY, GONE, HIDDEN, OUTBOX, Seen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from cit.name import Name

# What needs somebody and what is at work first, then what is next; of what is finished the
# newest first.
ORDER = (OUTBOX, "run", "wait", "hold", "park", "in", "bad", "done", AWAY, HIDDEN, GONE)


class Listing:
    """The jobs of a queue in some states. The directories are read once, when it is made."""

    def __init__(
        self,
        queue: Queue,
        states: Collection[str],
        words: Collection[str] = (),
        kept: Sequence[Seen] = (),
    ) -> None:
        """With `words`, only files that have one of them in their name: a cheap sieve.

        `kept` are jobs of the outbox, which are told first.
        """
        self.queue, self.words, self.kept = queue, words, kept
        self._files = {state: listed(queue, state) for state in WAY if state in states}
        self.counts = {state: len(self._files[state]) for state in ORDER if state in self._files}

    def __iter__(self) -> Iterator[Seen]:
        told: set[str] = set()
        yield from self.kept
        for state in self.counts:
            files = sorted(self._files[state], reverse=state == "done")
            for day, file in files:
                if self.words and not any(word in file for word in self.words):
                    continue
                parsed = name.parse(state, file, day)
                if parsed and parsed.id not in told:
                    told.add(parsed.id)
                    yield Seen(self.queue, self.queue.path, parsed)


def jobs(wanted: Wanted, path: str = "") -> tuple[Iterable[Seen], Failure | None]:
    """The jobs of a queue and those in the outbox; or of that alone, with what is wrong.

    Without a path it is the caller's own queue. The jobs are not sifted yet.
    """
    outbox = kept(path)
    try:
        queue = Queue(path or config.queue())
    except Failure as failure:
        return outbox, failure
    if not (queue.readable or wanted.words):
        why = f"cannot look into queue '{queue.path}': permission denied"
        return outbox, Failure(DENIED, f"{why}; --mine lists what you pushed")
    return Listing(queue, wanted.states, wanted.sieve, outbox), None


def kept(path: str = "") -> list[Seen]:
    """The jobs in the outbox, or those there for one queue."""
    return [Seen(None, to, found) for found, to in home.kept() if not path or to == path]


def mine(path: str = "") -> list[Seen]:
    """Where the jobs are that this user pushed or ran anywhere, or to one queue."""
    ids: dict[str, dict[str, str]] = {}
    for receipt in home.receipts():
        if receipt.act not in ("kept", "stopped") and (not path or receipt.queue == path):
            ids.setdefault(receipt.queue, {})[receipt.id] = receipt.name
    found = kept(path) + [seen for queue in ids for seen in sight.pushed(queue, ids[queue])]
    found.sort(key=lambda seen: seen.name.id, reverse=True)
    return sorted(found, key=lambda seen: _place(seen.name))


class Wanted:
    """Which jobs are wanted: by state, by words that stand for jobs, and by name."""

    def __init__(self, states: Collection[str], words: Sequence[str], called: str | None) -> None:
        self.states, self.words, self.called = states, words, called
        self.missing = list(words)  # words that no job was found for yet

    @property
    def sieve(self) -> list[str]:
        """One of these is in the name of the file of every job that is wanted; or nothing is."""
        if self.words:
            return [word.lower() for word in self.words]
        return [self.called] if self.called and not _pattern(self.called) else []

    def __call__(self, found: Name) -> bool:
        words = [word for word in self.words if sight.means(word, found.id, found.name)]
        self.missing = [word for word in self.missing if word not in words]
        if found.state not in self.states or (self.words and not words):
            return False
        return not self.called or _called(self.called, found.name)

    def expect(self) -> None:
        """Raise Failure(MISSING) for a word that no job was found for."""
        if self.missing:
            some = len(self.states) < len(ORDER)
            among = f" in state {' or '.join(self.states)}" if some else ""
            raise Failure(MISSING, f"no job '{self.missing[0]}'{among}")


def _pattern(text: str) -> bool:
    return bool(set(text) & set("*?["))


def _called(pattern: str, name: str) -> bool:
    if not _pattern(pattern):
        return pattern == name
    import fnmatch

    return fnmatch.fnmatchcase(name, pattern)


def _place(found: Name) -> tuple[int, int, int]:
    order = ORDER.index(found.state)
    return (order, 0, 0) if found.state == "done" else (order, found.priority, found.number)


def check(states: Sequence[str], statuses: Sequence[str]) -> None:
    """Raises Failure for a word that is no state, or no status that a job can end with."""
    known: dict[str, tuple[Sequence[str], Collection[str]]] = {"state": (states, ORDER)}
    if statuses:
        from cit.wants import CODES  # most lists do without

        known["status"] = (statuses, CODES)
    for what, (words, all_) in known.items():
        for word in words:
            if word not in all_:
                raise Failure(USAGE, f"unknown {what} '{word}', known are {', '.join(all_)}")


def rest(counts: dict[str, int], shown: int) -> str:
    """How many jobs there are in each state, where more are there than are shown."""
    total = sum(counts.values())
    if total <= shown:
        return ""
    parts = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    return f"cit-ls: {shown} of {total} jobs: {parts}; --all shows them\n"
