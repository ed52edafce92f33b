"""What this server's repository has for a request: read here, or excerpted from a database for workers that reach none.

Rules: no picture is opened here; a database that is away is `StateUnavailable`; nothing is ever written.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from fastapi import Request

from assay.provenance.repository import Repository, RepositoryRefused, default_place, is_there, open_repository
from assay.scanning import excerpting, resolving
from assay.scanning.service.base import StateUnavailable
from assay.scanning.service.examining import ASK, LOOK, Answer, Task
from assay.scanning.service.receiving import Malformed
from assay.scanning.service.refusing import Unknown
from assay.scanning.service.state import service_of
from assay.scanning.worker import ParserCrashed

T = TypeVar("T")


def require() -> None:
    """Raise `Unknown` where nothing is remembered."""
    if not is_there(default_place()):
        raise Unknown("no manifests are remembered on this server", "remember some with `assay repository add`")


def in_database() -> bool:
    """Whether workers cannot read the repository by themselves."""
    return isinstance(default_place(), str)


async def reading(ask: Callable[[Repository], T]) -> T:
    """Ask the repository in a thread of its own. Raises `Unknown`, `Malformed` or `StateUnavailable`."""
    require()

    def read() -> T:
        with open_repository(reading=True) as kept:
            return ask(kept)

    try:
        return await asyncio.to_thread(read)
    except resolving.QueryRefused as error:
        raise Malformed(error.message, error.hint) from error
    except resolving.UnknownManifest as error:
        raise Unknown(error.message) from error
    except RepositoryRefused as error:
        raise StateUnavailable(error.message, error.hint) from error


async def excerpted(request: Request, task: Task) -> Task | Answer:
    """The task with what the database has for it, since confined workers reach none; or why the picture cannot be searched for."""
    most = min(task.most, resolving.MAX_RESULTS)

    def first(kept: Repository) -> tuple[bytes, bool, int]:
        return excerpting.same_bytes(kept, task.sha256, most=most), excerpting.marks_are_kept(kept), len(kept)

    excerpt, marks, searched = await reading(first)
    if not excerpt:
        wanted = marks and (task.thorough or task.do != LOOK)  # reading a mark takes long
        answer = await service_of(request).examine(request, replace(task, do=ASK, marks=wanted))
        if answer.error:
            return answer
        try:
            said = excerpting.heard(answer.body)
        except ValueError as error:
            raise ParserCrashed(f"its answer is malformed: {error}"[:300]) from None
        excerpt = await reading(lambda kept: excerpting.alike(kept, said, hint=task.hint, most=most))
    return replace(task, excerpt=excerpt, searched=searched)
