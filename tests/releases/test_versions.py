"""The next version, as the form suggests it."""

import pytest

from releases.versions import next_version


@pytest.mark.parametrize(
    ("last", "suggested"),
    [
        ("1.4.2", "1.4.3"),
        ("v1.4.9", "v1.4.10"),
        ("2.0.0-rc.1", "2.0.0-rc.2"),
        ("1.0.0+build.5", "1.0.1"),
        ("2024.1", ""),
        ("banana", ""),
        ("", ""),
    ],
)
def test_the_next_version_follows_the_last_one(last: str, suggested: str) -> None:
    assert next_version(last) == suggested
