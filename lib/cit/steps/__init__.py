"""One module per step of the command language; found by name, never registered.

`no-op` is no_op.py; a step whose name is a word of Python has an underscore after it
(if_.py). What a module holds is said in wants.py, by Step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cit.wants import Step

    Base = Mapping[str, Step]
else:
    Base = Mapping


class Steps(Base):
    """The steps by name. A module is loaded when it is first asked for."""

    def __init__(self) -> None:
        self._loaded: dict[str, Step] = {}

    def __getitem__(self, name: str) -> Step:
        if name not in self._loaded:
            # Names come from programs: only what is listed becomes an import.
            if name not in _modules():
                raise KeyError(name)
            self._loaded[name] = import_module(f"{__name__}.{_modules()[name]}")
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(_modules()))

    def __len__(self) -> int:
        return len(_modules())


@cache
def _modules() -> dict[str, str]:
    """Module names by step name; also where the package is in a zip file."""
    from pkgutil import iter_modules

    names = [module.name for module in iter_modules(__path__)]
    return {name.rstrip("_").replace("_", "-"): name for name in names}
