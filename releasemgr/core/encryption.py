"""Secrets at rest: a model field that stores Fernet ciphertext and shows nothing by accident."""

from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models


@lru_cache(maxsize=8)
def _cipher(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def encrypt(plain: str) -> str:
    return _cipher(tuple(settings.ENCRYPTION_KEYS)).encrypt(plain.encode()).decode()


def decrypt(token: str) -> str:
    try:
        return _cipher(tuple(settings.ENCRYPTION_KEYS)).decrypt(token.encode()).decode()
    except InvalidToken:
        raise ImproperlyConfigured(
            "A stored secret cannot be read with ENCRYPTION_KEYS. Put the key it was written with back into the list."
        ) from None


class Secret(str):
    """Text that does not show itself: `str.__str__` still gives the plain text where it is needed on purpose."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret(…)"


class EncryptedField(models.TextField):  # type: ignore[type-arg]
    """Stores ciphertext; the first key of `ENCRYPTION_KEYS` writes, every key may read (rotation)."""

    def get_prep_value(self, value: Any) -> Any:
        return encrypt(str(value)) if value else ""

    def from_db_value(self, value: str | None, *_: Any) -> Secret:
        return Secret(decrypt(value)) if value else Secret("")
