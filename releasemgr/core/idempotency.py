"""A POST that is sent twice happens once: the answer of the first is kept for a day and given again.

The row with the key is inserted in the transaction of the change, so a duplicate waits at the unique index until the
first has committed (then it gets that answer) or failed (then it takes its place). Errors leave no row.
"""

import json
from collections.abc import Callable
from uuid import UUID

from django.db import connection, transaction
from django.utils.crypto import salted_hmac
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response

from releasemgr.core.errors import Invalid
from releasemgr.core.models import IdempotencyKey

KEPT_HOURS = 24
MAX_KEY_LENGTH = 255
PURGED_AT_ONCE = 50
TABLE = IdempotencyKey._meta.db_table
# An expired row is taken over in the same statement, so that two late duplicates still meet at the index.
CLAIM = f"""
    INSERT INTO {TABLE} AS kept (id, fingerprint, answer, created_at) VALUES (%s, %s, '', now())
    ON CONFLICT (id) DO UPDATE SET fingerprint = EXCLUDED.fingerprint, answer = '', created_at = now()
    WHERE kept.created_at < now() - %s * interval '1 hour' RETURNING id"""  # noqa: S608
PURGE = f"""
    DELETE FROM {TABLE} WHERE id IN (
        SELECT id FROM {TABLE} WHERE created_at < now() - %s * interval '1 hour' LIMIT %s FOR UPDATE SKIP LOCKED
    )"""  # noqa: S608


def answer_once(
    perform: Callable[[], Response], *, key: str, user_id: UUID | None, path: str, request_fingerprint: bytes
) -> Response:
    """`perform`'s answer, or the kept one of the same `key`, user and `path` with `Idempotent-Replayed: true`.

    Raises Invalid when the key came with another `request_fingerprint`, or is no usable key.
    """
    row_id = _digest("key", f"{user_id}\n{path}\n{checked_key(key)}".encode())
    fingerprint = _digest("body", request_fingerprint)
    with transaction.atomic():
        if not _claim(row_id, fingerprint):
            return _replay(row_id, fingerprint)
        response = perform()
        if response.status_code >= 400:
            transaction.set_rollback(True)
        else:
            IdempotencyKey.objects.filter(pk=row_id).update(answer=_pack(response))
        return response


def checked_key(key: str) -> str:
    if not (0 < len(key) <= MAX_KEY_LENGTH and key.isascii() and key.isprintable()):
        sentence = f"Idempotency-Key must be 1 to {MAX_KEY_LENGTH} printable ASCII characters."
        raise Invalid(sentence, details={"Idempotency-Key": [sentence]})
    return key


def _digest(purpose: str, content: bytes) -> str:
    # Keyed: a body may hold a password, and a plain digest of it could be guessed.
    return salted_hmac(f"releasemgr.idempotency.{purpose}", content, algorithm="sha256").hexdigest()


def _claim(row_id: str, fingerprint: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(CLAIM, [row_id, fingerprint, KEPT_HOURS])
        claimed = cursor.fetchone() is not None
        if claimed:
            cursor.execute(PURGE, [KEPT_HOURS, PURGED_AT_ONCE])
    return claimed


def _replay(row_id: str, fingerprint: str) -> Response:
    kept = IdempotencyKey.objects.get(pk=row_id)
    if kept.fingerprint != fingerprint:
        sentence = "This Idempotency-Key was used for another request. Send a new key, or the same body again."
        raise Invalid(sentence, details={"Idempotency-Key": [sentence]})
    answer = json.loads(kept.answer)
    return Response(
        answer["data"], status=answer["status"], headers=answer["headers"] | {"Idempotent-Replayed": "true"}
    )


def _pack(response: Response) -> str:
    """Encrypted by the field: an answer may show a new token."""
    headers = {name: value for name, value in response.items() if name in ("ETag", "Location")}
    data = json.loads(JSONRenderer().render(response.data) or b"null")
    return json.dumps({"status": response.status_code, "headers": headers, "data": data})
