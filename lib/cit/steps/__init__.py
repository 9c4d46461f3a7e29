"""One module per step of the command language; found by name, never registered.

`no-op` is no_op.py; a step whose name is a word of Python has an underscore after it
(if_.py). What a module holds is said in wants.py, by Step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from keyword import iskeyword

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cit.wants import Step

    Base = Mapping[str, Step]
else:
    Base = Mapping


class Steps(Base):
    """The steps by name. A module is loaded when it is first asked for."""

    def __init__(self) -> None:
        self._found: dict[str, Step] = {}

    def __getitem__(self, name: str) -> Step:
        if name in self._found:
            return self._found[name]
        # Names come from programs: nothing but lower-case words becomes an import.
        words = name.split("-")
        if not (name.isascii() and name.islower() and all(map(str.isalpha, words))):
            raise KeyError(name)
        module = f"{__name__}.{'_'.join(words)}{'_' if iskeyword(name) else ''}"
        try:
            step: Step = import_module(module)
        except ModuleNotFoundError as error:
            if error.name != module:
                raise  # a broken step is not a missing one
            raise KeyError(name) from None
        self._found[name] = step
        return step

    def __iter__(self) -> Iterator[str]:
        from pkgutil import iter_modules  # slow to import, and only for lists

        names = [module.name.rstrip("_").replace("_", "-") for module in iter_modules(__path__)]
        return iter(sorted(names))

    def __len__(self) -> int:
        return len(list(iter(self)))
