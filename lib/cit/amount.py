"""Amounts as people write them: durations such as `1h30m`, sizes such as `64M`.

Sizes are in binary multiples: 1K is 1024 bytes. Plain numbers are seconds and bytes.
"""

from __future__ import annotations

import re

_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_POWERS = "KMGTP"
# An amount beyond these is a mistake, and would overflow what it is handed to.
LONGEST = 100 * 366 * 86400  # seconds
LARGEST = 1 << 60  # bytes


def duration(value: object) -> float:
    """Seconds of a duration: `90`, `1.5`, `"10m"`, `"1h30m"`, `"250ms"`.

    Units are ms, s, m, h, d, w, each at most once and the largest first. Raises
    ValueError, with what was expected.
    """
    if isinstance(value, str):
        seconds = _duration(value)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        seconds = value
    else:
        seconds = -1
    if not 0 <= seconds <= LONGEST:
        raise ValueError('expected a duration such as "10m" or "1h30m"')
    return float(seconds)


def size(value: object) -> int:
    """Bytes of a size: `4096`, `"64M"`, `"1.5G"`, `"512KiB"`; rounded down.

    Raises ValueError, with what was expected.
    """
    count = -1
    if isinstance(value, int) and not isinstance(value, bool):
        count = value
    elif isinstance(value, str):
        number = r"([0-9]{1,19}(?:\.[0-9]{1,9})?)"
        match = re.fullmatch(number + r"([KMGTP]?)(?:i?B)?", value, re.I | re.A)
        if match:
            factor = 1024 ** (_POWERS.find(match[2].upper()) + 1 if match[2] else 0)
            whole, _, part = match[1].partition(".")
            count = int(whole) * factor + int(part or 0) * factor // 10 ** len(part)
    if not 0 <= count <= LARGEST:
        raise ValueError('expected a size such as "64M" or "2G"')
    return count


def human_duration(seconds: float) -> str:
    """A duration at a glance, its two largest units: `1h30m`, `2m5s`, `1.5s`, `20ms`.

    duration() reads it back, rounded to what is shown.
    """
    if seconds < 1:
        return f"{round(seconds * 1000)}ms" if round(seconds * 1000) < 1000 else "1s"
    if seconds < 10:
        return f"{seconds:.1f}".removesuffix(".0") + "s"
    parts: list[str] = []
    rest = round(seconds)
    for unit in "wdhms":
        count, rest = divmod(rest, int(_SECONDS[unit]))
        if count or parts:
            parts.append(f"{count}{unit}" if count else "")
        if len(parts) == 2:
            break
    return "".join(parts)


def human_size(count: int) -> str:
    """A size at a glance, three digits or four: `0`, `512`, `1.5K`, `64M`, `1023G`.

    size() reads it back, rounded to what is shown.
    """
    if count < 1024:
        return str(count)
    amount = float(count)
    for unit in _POWERS:
        amount /= 1024
        if round(amount, 1) < 10:
            return f"{amount:.1f}".removesuffix(".0") + unit
        if round(amount) < 1024:
            break
    return f"{amount:.0f}{unit}"


def _duration(text: str) -> float:
    number = r"[0-9]{1,12}(?:\.[0-9]{1,9})?"
    if re.fullmatch(number, text, re.A):
        return float(text)
    if not text or not re.fullmatch(
        "".join(f"(?:{number}{unit})?" for unit in ("w", "d", "h", "m(?!s)", "s", "ms")), text, re.A
    ):
        return -1
    parts = re.findall(rf"({number})(ms|[wdhms])", text, re.A)
    return sum(float(count) * _SECONDS[unit] for count, unit in parts)
