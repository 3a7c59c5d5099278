"""The errors a user can hint: each says what is wrong, where, and how to mend it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches


class FairbenchError(Exception):
    """Base of every error that fairbench raises on purpose.

    Parameters
    ----------
    what
        What is wrong, in one sentence with the offending value.
    where
        The file, line, column, flag or plugin it was found in.
    hint
        What the user can do about it.
    """

    exit_code = 2

    def __init__(self, what: str, /, *, where: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        lines = [self.what]
        if self.where:
            lines.append(f"  where: {self.where}")
        if self.hint:
            lines.append(f"  hint:  {self.hint}")
        return visible("\n".join(lines), keep="\n")

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.what, self.where, self.hint))


def _rebuild(kind: type[FairbenchError], what: str, where: str, hint: str) -> FairbenchError:
    return kind(what, where=where, hint=hint)


class StudyError(FairbenchError):
    """A study that cannot be run as written: a name, value or combination."""


class DataError(FairbenchError):
    """A dataset that is missing, altered or unusable as asked for."""


class PluginError(FairbenchError):
    """A plugin that breaks its contract."""


class RunFolderError(FairbenchError):
    """A run folder that cannot be written, read or continued."""


class BaselineError(FairbenchError):
    """A baseline file that cannot be written, read or held against a run."""


def near(name: str, known: Iterable[str]) -> str:
    """A hint for a misspelt `name`: the closest of `known`, or all of them."""
    names = sorted(set(known))
    if close := get_close_matches(name, names, n=3, cutoff=0.5):
        return f"did you mean {' or '.join(map(repr, close))}?"
    return f"known: {', '.join(names) or 'none'}"


_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def visible(text: str, /, keep: str = "") -> str:
    """`text` with control characters and lone surrogates as escapes, but for those in `keep`.

    What comes from a file can neither steer the terminal it is shown on nor fail to be encoded.
    """
    return _UNSEEN.sub(lambda found: found[0] if found[0] in keep else _escaped(found[0]), text)


def _escaped(character: str) -> str:
    return repr(character)[1:-1] if ord(character) < 0x200E else f"\\u{ord(character):04x}"


def first_line(error: BaseException, /) -> str:
    """The first line of what a stranger's error says, or its kind where it says nothing."""
    said = _text(error).strip()
    return said.splitlines()[0] if said else type(error).__name__


def transient(error: BaseException, /) -> bool:
    """Whether `error` lies in the machine, so that the same code may succeed another time.

    Memory, files, disks, the network, processes that died and what is not installed: the error
    itself, or one that it was raised from. Anything else is taken for what the same numbers
    will do again.
    """
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        names = {kind.__name__ for kind in type(cause).__mro__}
        if isinstance(cause, _TRANSIENT) or names & _TRANSIENT_NAMES:
            return True
        if type(cause) is RuntimeError and any(word in str(cause) for word in _OUT_OF_MEMORY):
            return True
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return False


_TRANSIENT = (MemoryError, OSError, ImportError, EOFError)
_TRANSIENT_NAMES = {"OutOfMemoryError", "BrokenExecutor"}  # torch's, and those of process pools
_OUT_OF_MEMORY = ("can't allocate memory", "CUDA error", "can't start new thread")


def told(error: BaseException, /) -> str:
    """The kind of a stranger's error and what it says, whatever asking it does."""
    return f"{type(error).__name__}: {_text(error)}"


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except KeyboardInterrupt:
        raise
    except BaseException as another:  # its __str__ is a stranger's code as well
        return f"(its text raises {type(another).__name__})"
