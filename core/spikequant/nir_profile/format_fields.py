"""Formats and choices of a plugin's node among its metadata fields, to a NIR file and back."""

from __future__ import annotations

from enum import Enum
from typing import TypeVar

from spikequant.errors import NirError
from spikequant.formats import QFormat
from spikequant.nir_profile.fields import Fields

Choice = TypeVar("Choice", bound=Enum)


def format_fields(prefix: str, fmt: QFormat) -> dict[str, int | bool]:
    """Return the fields of one format.

    >>> format_fields("v", QFormat(1, 6))
    {'v_int_bits': 1, 'v_frac_bits': 6, 'v_signed': True}
    """
    return {
        f"{prefix}_int_bits": fmt.int_bits,
        f"{prefix}_frac_bits": fmt.frac_bits,
        f"{prefix}_signed": fmt.signed,
    }


def format_from(fields: Fields, prefix: str) -> QFormat:
    """Return the format that :func:`format_fields` wrote.

    Raises:
        NirError: A field is missing or of another type.
        UsageError: They make no format.
    """
    return QFormat(
        fields.integer(f"{prefix}_int_bits"), fields.integer(f"{prefix}_frac_bits"), fields.flag(f"{prefix}_signed")
    )


def choice_from(fields: Fields, key: str, kind: type[Choice]) -> Choice:
    """Return the member of ``kind`` whose value, a text, is that of ``key``.

    Raises:
        NirError: The field is missing or no such value.
    """
    return kind(word_from(fields, key, tuple(member.value for member in kind)))


def word_from(fields: Fields, key: str, allowed: tuple[str, ...]) -> str:
    """Return the text of ``key``, one of ``allowed``.

    Raises:
        NirError: The field is missing or another text.
    """
    value = fields.text(key)
    if value not in allowed:
        raise NirError(
            f"{fields.owner}: '{key}' in the metadata is {value[:80]!r}; it must be one of {', '.join(allowed)}"
        )
    return value
