"""Words of a text, in scripts with and without spaces between words.

Chinese, Japanese, Thai, Khmer, Lao and Burmese are written without spaces between words. Their words are estimated from
their characters, since a dictionary of each language would be needed to find them; see docs/transcripts.md.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from itertools import pairwise

_HAN = "\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_KANA = "\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9f"
_THAI = "\u0e01-\u0e3a\u0e40-\u0e4e"
_LAO = "\u0e81-\u0ebd\u0ec0-\u0ecd\u0edc-\u0edf"
_BURMESE = "\u1000-\u1049\u1050-\u109f\uaa60-\uaa7f"
_KHMER = "\u1780-\u17d3\u17dc-\u17dd"
# Punctuation of these scripts stands without spaces as well: ideographic, full-width and halfwidth forms.
_PUNCTUATION = "\u3001-\u3003\u3008-\u3011\u3014-\u301f\u30fb\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65"
_MARKS = "\u0e31\u0e33-\u0e3a\u0e45\u0e47-\u0e4e\u0eb1\u0eb3-\u0ebc\u0ec8-\u0ecd\u102b-\u103e\u17b4-\u17d3\u3099\u309a"
_LEADING_VOWELS = "\u0e40-\u0e44\u0ec0-\u0ec4"
_UNSPACED = _HAN + _KANA + _THAI + _LAO + _BURMESE + _KHMER

# Characters of a word. Chinese: 46.8 million characters in 33.5 million words of film subtitles (Cai and Brysbaert,
# SUBTLEX-CH, PLoS ONE 2010). Khmer: 1.1 million characters in 160,000 words (Bi and Taing, APSIPA 2014). The others are
# estimates, see docs/transcripts.md.
CHARACTERS_PER_WORD: dict[str, float] = {_HAN: 1.4, _KANA: 2.3, _THAI: 4.0, _LAO: 4.0, _BURMESE: 5.0, _KHMER: 6.9}

_PIECE = re.compile(
    rf"[{_LEADING_VOWELS}]?[{_UNSPACED}][{_MARKS}]*[{_PUNCTUATION}]*\s*"
    rf"|[^\s{_UNSPACED}{_PUNCTUATION}]+[{_PUNCTUATION}]*\s*|[{_PUNCTUATION}]+\s*|\s+"
)
_UNSPACED_END = re.compile(rf"[{_UNSPACED}{_PUNCTUATION}]$")
_UNSPACED_START = re.compile(rf"[{_UNSPACED}{_PUNCTUATION}]")
_UNSPACED_RUN = re.compile(rf"[{_UNSPACED}{_PUNCTUATION}]+")
_ANY_UNSPACED = re.compile(rf"[{_UNSPACED}]")


def count_words(text: str) -> int:
    """Number of words: those between spaces, and in scripts without spaces the characters over a word's length."""
    if text.isascii() or not _ANY_UNSPACED.search(text):
        return len(text.split())
    spaced = len(_UNSPACED_RUN.sub(" ", text).split())
    unspaced = sum(uses / length for character, uses in Counter(text).items() if (length := _word_length(character)))
    return spaced + max(1, round(unspaced))


def split_words(text: str) -> list[str]:
    """The words between spaces; in scripts without spaces the characters with their marks and punctuation."""
    return [piece.strip() for piece in split_pieces(text)]


def split_pieces(text: str) -> list[str]:
    """As `split_words`, each with the white space after it: joined without a separator they are the text."""
    if not _ANY_UNSPACED.search(text):
        return re.findall(r"\S+\s*", text)
    return [piece for piece in _PIECE.findall(text) if not piece.isspace()]


def join_words(words: Sequence[str]) -> str:
    """One text of words or sentences: a space between them, except between characters of a script without spaces."""
    spoken = [word for word in words if word]
    if not spoken:
        return ""
    joined = [spoken[0]]
    for before, after in pairwise(spoken):
        unspaced = _UNSPACED_END.search(before) is not None and _UNSPACED_START.match(after) is not None
        joined += ["" if unspaced else " ", after]
    return "".join(joined)


@cache
def _word_length(character: str) -> float:
    """Characters of a word in the script of a character; 0 for scripts with spaces and for punctuation."""
    return next((length for script, length in CHARACTERS_PER_WORD.items() if re.match(f"[{script}]", character)), 0.0)
