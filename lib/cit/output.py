"""The output of a command, cut into log records without losing a byte.

A line that is not finished yet, or is longer than trace.LINE_CAP, is told in pieces: the
stream of all but the last has a `+`. So joining the texts of a stream, with a newline
after each that has no `+`, gives back exactly what was printed.
"""

from __future__ import annotations

from cit import trace


class Output:
    """One stream of one run: bytes in, log records out."""

    def __init__(self, run: str, stream: str) -> None:
        self.run, self.stream = run, stream
        self._rest = b""

    def feed(self, chunk: bytes, time: str) -> bytes:
        """The records of the lines that this chunk ends, and of what is too long to wait."""
        if self._rest:
            chunk = self._rest + chunk
        cut = chunk.rfind(b"\n") + 1
        whole, self._rest = chunk[:cut], chunk[cut:]
        records = self._lines(whole, time) if whole else b""
        while len(self._rest) > trace.LINE_CAP:
            piece, self._rest = self._rest[: trace.LINE_CAP], self._rest[trace.LINE_CAP :]
            records += self._piece(piece, time)
        return records

    def rest(self, time: str) -> bytes:
        """The record of a line that is not finished: a prompt, or the end of the output."""
        piece, self._rest = self._rest, b""
        return self._piece(piece, time) if piece else b""

    def _lines(self, whole: bytes, time: str) -> bytes:
        # Chunks are hardly longer than a line may be, so at most a few lines can be too long.
        if len(whole) <= trace.LINE_CAP:
            return trace.log(time, self.run, self.stream, whole)
        records = []
        start = 0
        for line in _long(whole):
            if start < line[0]:
                records.append(trace.log(time, self.run, self.stream, whole[start : line[0]]))
            at = line[0]
            while line[1] - at > trace.LINE_CAP:
                records.append(self._piece(whole[at : at + trace.LINE_CAP], time))
                at += trace.LINE_CAP
            records.append(trace.log(time, self.run, self.stream, whole[at : line[1] + 1]))
            start = line[1] + 1
        if start < len(whole):
            records.append(trace.log(time, self.run, self.stream, whole[start:]))
        return b"".join(records)

    def _piece(self, piece: bytes, time: str) -> bytes:
        return trace.log(time, self.run, self.stream + "+", piece + b"\n")


def _long(whole: bytes) -> list[tuple[int, int]]:
    """Where the lines over the cap begin and end, without looking at every line."""
    found = []
    start = 0
    while len(whole) - start > trace.LINE_CAP:
        # A line that begins at or after `start` and is too long has no newline in reach.
        at = whole.rfind(b"\n", start, start + trace.LINE_CAP + 1)
        if at >= 0:
            start = at + 1
            continue
        end = whole.find(b"\n", start)
        found.append((start, end))
        start = end + 1
    return found
