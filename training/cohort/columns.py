"""The columns of a manifest: those that must be there, and what a name that is not known was meant to be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches

from training.cohort.problem import Problem
from training.cohort.row import LABEL, NAMED, NOTE, OPTIONAL, REQUIRED

_USUAL_TASK = "spectrum"


def check_columns(columns: Sequence[str], task: str | None) -> Iterator[Problem]:
    """Columns that lack, and names that nobody reads: a typo must never drop labels silently."""
    known = [*REQUIRED, *OPTIONAL, LABEL + (task or _USUAL_TASK)]
    for name in REQUIRED:
        if name not in columns:
            advice = "add it; its cells may be empty" if name in ("recording", "transcript") else "add it"
            yield Problem(line=None, column=name, detail="the column is missing", advice=advice)
    for name in dict.fromkeys(columns):
        if name and name not in known and not NAMED.fullmatch(name):
            yield Problem(line=None, column=name, detail="no such column is known", advice=_advise(name, known))
    if task is not None and LABEL + task not in columns:
        advice = _advise_task(LABEL + task, columns)
        yield Problem(line=None, column=LABEL + task, detail="the task's column of labels is missing", advice=advice)
    elif not any(name.startswith(LABEL) for name in columns):
        detail, advice = "there is no column of labels", "add label_ and the task's name"
        yield Problem(line=None, column=None, detail=detail, advice=advice, warning=True)


def tasks_of(columns: Sequence[str]) -> tuple[str, ...]:
    """The tasks that have a column of labels, in the order of the columns."""
    return tuple(name.removeprefix(LABEL) for name in columns if _is(LABEL, name))


def notes_of(columns: Sequence[str]) -> tuple[str, ...]:
    """The names of the notes, in the order of the columns."""
    return tuple(name.removeprefix(NOTE) for name in columns if _is(NOTE, name))


def _is(prefix: str, name: str) -> bool:
    return name.startswith(prefix) and NAMED.fullmatch(name) is not None


def _advise(name: str, known: Sequence[str]) -> str:
    keep = f"call it {NOTE}{_plain(name) or 'something'} to keep it without using it"
    near = _nearest(name, known)
    return f"did you mean {near}? Else {keep}" if near else keep


def _nearest(name: str, known: Sequence[str]) -> str | None:
    plain = _plain(name)
    prefix, _, rest = plain.partition("_")
    for named in (LABEL, NOTE):
        if rest and get_close_matches(prefix, [named.removesuffix("_")], cutoff=0.7):
            return named + rest
    bare = {each.removeprefix(LABEL): each for each in reversed(known)}
    found = get_close_matches(plain, [*known, *bare], n=1, cutoff=0.7)
    return bare.get(found[0], found[0]) if found else None


def _advise_task(wanted: str, columns: Sequence[str]) -> str:
    labelled = [LABEL + task for task in tasks_of(columns)]
    near = get_close_matches(wanted, labelled, n=1)
    if near:
        return f"did you mean {near[0]}?"
    return f"add it, or ask for another task (columns of labels: {', '.join(labelled) or 'none'})"


def _plain(name: str) -> str:
    """A name as columns are written: lower case, underscores for all else."""
    return "_".join("".join(letter if letter.isalnum() else " " for letter in name.lower()).split())
