"""Version strings as people write them: with or without a leading v, semantic or not. Pure."""

import semver


def next_version(last: str) -> str:
    """What follows `last` ("v1.4.2" → "v1.4.3", "2.0.0-rc.1" → "2.0.0-rc.2"), or "" where semver does not apply."""
    prefix = "v" if last.startswith("v") else ""
    try:
        version = semver.Version.parse(last.removeprefix("v"))
    except ValueError:
        return ""
    return f"{prefix}{version.bump_prerelease() if version.prerelease else version.bump_patch()}"
