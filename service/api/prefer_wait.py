"""`Prefer: wait=N` (RFC 7240): respond when the assessment is final, instead of having the client poll."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Annotated

from fastapi import Depends, Header
from starlette.requests import Request
from starlette.responses import Response

from service.api.dependencies import Components, ComponentsDep
from service.assessments.states import Assessment

WAIT_PATTERN = re.compile(r'\s*wait\s*=\s*(?:"(\d{1,9})"|(\d{1,9}))\s*(?:;.*)?', re.IGNORECASE)
ANY_WAIT_PATTERN = re.compile(r"\s*wait\s*(?:[=;].*)?", re.IGNORECASE)
DISCONNECT_CHECK_SECONDS = 1.0
"""A client that disconnects holds its subscription at most this long."""


def parse_wait(preferences: Sequence[str]) -> int | None:
    """The seconds of the first `wait` preference; None without one, or when its value is not a number."""
    # Several Prefer fields are one list (RFC 7240, section 2).
    for preference in ",".join(preferences).split(","):
        if ANY_WAIT_PATTERN.fullmatch(preference):
            match = WAIT_PATTERN.fullmatch(preference)
            return None if match is None else int(match.group(1) or match.group(2))
    return None


class PreferWait:
    """The wait that a request asks for: `seconds`, or None without the preference."""

    def __init__(self, components: Components, request: Request, response: Response, seconds: int | None) -> None:
        self._components = components
        self._request = request
        self._response = response
        self.seconds = seconds

    async def until_final(self, assessment: Assessment) -> None:
        """Return when the assessment is final or erased, `seconds` have passed, or the client has disconnected."""
        if self.seconds is None:
            return
        self._response.headers["Preference-Applied"] = f"wait={self.seconds}"
        if assessment.state.final:
            return
        deadline = asyncio.get_running_loop().time() + self.seconds
        with self._components.change_feed.subscribe(assessment.id, assessment.version) as subscription:
            while (left := deadline - asyncio.get_running_loop().time()) > 0 and not subscription.closed:
                change = await subscription.next(min(left, DISCONNECT_CHECK_SECONDS))
                ended = change is not None and change.assessment.state.final
                if ended or await self._request.is_disconnected():
                    return


async def prefer_wait(
    components: ComponentsDep,
    request: Request,
    response: Response,
    prefer: Annotated[
        list[str] | None,
        Header(
            description="`wait=N`: respond when the assessment has ended, or after N seconds, whichever is first",
            examples=["wait=30"],
        ),
    ] = None,
) -> PreferWait:
    """The wait that the request asks for, bounded by the setting."""
    asked = parse_wait(prefer or ())
    longest = int(components.settings.max_prefer_wait.total_seconds())
    return PreferWait(components, request, response, None if asked is None else min(asked, longest))


PreferWaitDep = Annotated[PreferWait, Depends(prefer_wait)]
