"""The markup inside a cue: voices, tags and character references."""

from __future__ import annotations

import html
import re

# Neither pattern can begin a second time inside its own match, so that both take linear time.
_TAG = re.compile(r"<([^<>]*)>")
_OVERRIDE = re.compile(r"\{\\[^{}]*\}")
_REFERENCE = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_NAMED = re.compile(r"/?[A-Za-z][^\s.]{0,31}")
_TIME = re.compile(r"[0-9][0-9:.]{0,20}")
_UNCLOSED = re.compile(r"</?(?:v|c|i|b|u|lang|ruby|rt|font)(?:[\s.][^<>]*)?$", re.IGNORECASE)


def split_voices(payload: str) -> list[tuple[str | None, str]]:
    """Speaker and words of each voice of a cue, in order; the speaker of words before the first voice is None."""
    parts: list[tuple[str | None, list[str]]] = [(None, [])]
    position = 0
    for tag in _TAG.finditer(payload):
        inner = tag[1]
        if not _is_tag(inner):
            continue
        parts[-1][1].append(payload[position : tag.start()])
        position = tag.end()
        if _is_voice(inner):
            parts.append(((inner.split(None, 1)[1:] or [""])[0].strip() or None, []))
        elif inner.lower().startswith("br"):
            parts[-1][1].append("\n")
    parts[-1][1].append(_without_unclosed_tag(payload[position:]))
    voices = [(resolve(who) if who else None, _words("".join(texts))) for who, texts in parts]
    return [(who, words) for who, words in voices if words]


def has_inline_times(payload: str) -> bool:
    """Whether words of a cue carry times of their own, as in `<00:00:01.500>`."""
    return any(":" in tag[1] and _TIME.fullmatch(tag[1]) for tag in _TAG.finditer(payload))


def resolve(text: str) -> str:
    """The text with its character references (`&amp;`) replaced."""
    return _REFERENCE.sub(lambda reference: html.unescape(reference[0]), text)


def _words(markup: str) -> str:
    lines = (" ".join(resolve(line).split()) for line in _OVERRIDE.sub("", markup).split("\n"))
    return "\n".join(line for line in lines if line)


def _is_tag(inner: str) -> bool:
    return inner == "/" or _NAMED.match(inner) is not None or _TIME.fullmatch(inner) is not None


def _is_voice(inner: str) -> bool:
    return inner[:1] in {"v", "V"} and (len(inner) == 1 or inner[1] in ". \t\n")


def _without_unclosed_tag(tail: str) -> str:
    opening = tail.rfind("<")
    return tail[:opening] if opening >= 0 and _UNCLOSED.match(tail, opening) else tail
