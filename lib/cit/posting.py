"""Jobs on their way to a queue: sent or kept, with a receipt, and somebody to take them up."""

from __future__ import annotations

from cit import home, send, start
from cit.errors import AWAY, DONE, Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

    from cit.asked import Asked
    from cit.follow import Tell
    from cit.home import Receipt
    from cit.queue import Queue


class Posting:
    """Jobs that are pushed together. On leaving it, however, there is a receipt for each one."""

    def __init__(self, queue: Queue | None, path: str, away: send.Away | None = None) -> None:
        """`queue` is that at `path`, None while it is away; `away` says why nothing can be sent."""
        self.queue, self.path, self.away = queue, path, away
        self._receipts: list[Receipt] = []

    def post(self, job: Asked, *, fresh: bool) -> None:
        """Publish a job, or keep it in the outbox; it is safe on return. Raises Failure.

        With `fresh` its id was made just now.
        """
        try:
            if self.queue and not self.away:
                send.send(self.queue, job, fresh=fresh)
        except send.Away as away:
            self.away = away
        if self.away:
            send.keep(job, self.path)
        self._receipts.append(send.receipt("kept" if self.away else "pushed", job, self.path))

    def settle(self, *, wait: bool, tell: Tell | None = None) -> int:
        """With `wait`, wait until all have ended; the highest of their codes.

        `tell` is called with the one that is waited for.

        Raises Failure(AWAY) where one had to be kept.
        """
        if self.away:
            raise Failure(AWAY, f"{self.away}; kept in the outbox")
        if not (wait and self.queue):
            return DONE
        from cit import follow  # few stay for that

        queue = self.queue
        codes = (follow.wait(queue, r.id, r.name, tell) for r in self._receipts)
        return max(codes, default=DONE)

    def __enter__(self) -> Posting:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Some may be on their way although the next one could not be sent.
        home.receive(self._receipts)
        if self.queue and self._receipts:
            home.know(self.queue.path)
        if self.queue and start.wanted(self.queue):
            start.command(self.queue, "queue", "tick")
