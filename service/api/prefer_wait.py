"""`Prefer: wait=N` (RFC 7240): a client that would rather wait for the end than ask again."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Annotated

from fastapi import Depends, Header
from starlette.requests import Request
from starlette.responses import Response

from service.api.dependencies import Parts, RunningParts
from service.assessments.states import Assessment

WAIT = re.compile(r'\s*wait\s*=\s*(?:"(\d{1,9})"|(\d{1,9}))\s*(?:;.*)?', re.IGNORECASE)
ANY_WAIT = re.compile(r"\s*wait\s*(?:[=;].*)?", re.IGNORECASE)
LOOK_FOR_CLIENT_SECONDS = 1.0


def seconds_of(preferences: Sequence[str]) -> int | None:
    """The seconds that `wait` asks for; None without it, or where it makes no sense. Of several the first counts."""
    for preference in ",".join(preferences).split(","):
        if ANY_WAIT.fullmatch(preference):
            found = WAIT.fullmatch(preference)
            return None if found is None else int(found.group(1) or found.group(2))
    return None


class Wait:
    """How long this request may wait, `seconds`; None when it does not want to."""

    def __init__(self, parts: Parts, request: Request, response: Response, seconds: int | None) -> None:
        self._parts = parts
        self._request = request
        self._response = response
        self.seconds = seconds

    async def for_end(self, assessment: Assessment) -> None:
        """Return when it has ended or is erased, the seconds are over, or the client has gone."""
        if self.seconds is None:
            return
        self._response.headers["Preference-Applied"] = f"wait={self.seconds}"
        if assessment.state.final:
            return
        deadline = asyncio.get_running_loop().time() + self.seconds
        with self._parts.watcher.follow(assessment.id, assessment.version) as feed:
            while (left := deadline - asyncio.get_running_loop().time()) > 0 and not feed.closed:
                change = await feed.next(min(left, LOOK_FOR_CLIENT_SECONDS))
                ended = change is not None and change.assessment.state.final
                if ended or await self._request.is_disconnected():
                    return


async def preferred_wait(
    parts: RunningParts,
    request: Request,
    response: Response,
    prefer: Annotated[
        list[str] | None,
        Header(
            description="`wait=N`: answer when the assessment has ended, or after N seconds, whichever is first",
            examples=["wait=30"],
        ),
    ] = None,
) -> Wait:
    """The wait that the request asks for, within the limit."""
    asked = seconds_of(prefer or ())
    longest = int(parts.settings.max_prefer_wait.total_seconds())
    return Wait(parts, request, response, None if asked is None else min(asked, longest))


PreferredWait = Annotated[Wait, Depends(preferred_wait)]
