"""Keys of a TOML file as fields of dataclasses: each with its type, its default and its sentence.

A `Kind` is a type as people write it. Its default is written as in the file, so that the reference,
what is shown and the reader have one source.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any, NamedTuple, get_args

REQUIRED: Any = object()
HERE = Path()


class Kind(NamedTuple):
    """A type: what the reference calls it, how a value is read, what stands for one that is faulty.

    `read` takes the value and the directory that relative paths start from; it raises `ValueError`
    saying what is wrong and what to write.
    """

    word: str
    read: Callable[[Any, Path], Any]
    blank: Any = None
    each: Kind | None = None  # of a list: of what


def key(kind: Kind, sentence: str, default: Any = REQUIRED, name: str | None = None) -> Any:
    """A field read from the file: `default` as it would be written there, None where there is none.

    `name` is the key's, where the field's is another.
    """
    about = {"kind": kind, "sentence": sentence, "default": default, "name": name}
    if default is REQUIRED:
        return field(metadata=about)
    return field(
        default_factory=lambda: None if default is None else kind.read(default, HERE),
        metadata=about,
    )


def _text(value: Any, _: Path) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError('is not text; write it in quotes, as in "cdn"')
    return value


def _name(value: Any, _: Path) -> str:
    if not isinstance(value, str) or not value.strip() or not set(value).isdisjoint("/\\{}\n"):
        raise ValueError('is no name; write text without / \\ { }, as in "cdn"')
    return value


def _flag(value: Any, _: Path) -> bool:
    if not isinstance(value, bool):
        raise ValueError("is neither true nor false; write one of them, without quotes")
    return value


def _count(value: Any, _: Path) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError("is no count; write a whole number from 0 on, without quotes")
    return value


def _share(value: Any, _: Path) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
        raise ValueError("is no share; write a number from 0 to 1, as in 0.05")
    return float(value)


def path_of(value: Any, folder: Path) -> Path:
    """A path, relative to the folder; `ValueError` for what is none."""
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise ValueError('is no path; write it in quotes, as in "/var/lib/l7meter/store"')
    return folder / home(value)


def home(text: str) -> str:
    """A path whose `~/` is the home of who runs this; nothing else is replaced."""
    return str(Path(text).expanduser()) if text == "~" or text.startswith("~/") else text


def many(kind: Kind, example: str) -> Kind:
    """A list of values of a kind."""

    def read(value: Any, folder: Path) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple):
            raise ValueError(f"is no list; write it as in {example}")
        return tuple(kind.read(each, folder) for each in value)

    return Kind(f"list of {kind.word}s", read, (), kind)


def choice(type_: Any) -> Kind:
    """One of the words of a `Literal`."""
    words: Sequence[str] = get_args(type_)

    def read(value: Any, _: Path) -> str:
        if value not in words:
            raise ValueError(f"is none of {', '.join(words)}{nearest(value, words)}")
        return str(value)

    return Kind(" or ".join(f"`{word}`" for word in words), read)


def nearest(value: Any, words: Sequence[str]) -> str:
    """`; did you mean …?`, where a known word is near."""
    near = difflib.get_close_matches(str(value), words, n=1)
    return f"; did you mean {near[0]}?" if near else ""


TEXT = Kind("text", _text, "")
NAME = Kind("name", _name, "")
FLAG = Kind("true or false", _flag)
COUNT = Kind("number", _count)
SHARE = Kind("share, 0 to 1", _share)
PATH = Kind("path", path_of, HERE)
