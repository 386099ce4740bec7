"""What a page offers."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Choice:
    """A button: `why_not` is the sentence for who may not press it, empty for who may."""

    why_not: str = ""
