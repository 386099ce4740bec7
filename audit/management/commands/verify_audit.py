"""`manage.py verify_audit`: exit status 1 and the first thing that is wrong, or what was proven."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from audit.verification import Anchor, verify


class Command(BaseCommand):
    help = "Checks every event and seal of the audit log, and names the first that was changed, removed or added."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--anchor",
            metavar="NUMBER:HASH",
            help="the last seal of an earlier check, kept outside the database: finds a log that was cut or rewritten",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        verdict = verify(_anchor(options["anchor"]))
        if verdict.problem:
            raise CommandError(verdict.problem)
        self.stdout.write(self.style.SUCCESS(f"{verdict.events} events and {verdict.seals} seals are as written."))
        if verdict.last_seal:
            self.stdout.write(f"Last seal: {verdict.last_seal} (keep it elsewhere, give it as --anchor next time)")


def _anchor(text: str | None) -> Anchor | None:
    if text is None:
        return None
    number, _, digest = text.partition(":")
    if not number.isdecimal() or len(digest) != 64:
        raise CommandError("The anchor must be NUMBER:HASH, as an earlier check printed it.")
    return Anchor(int(number), digest)
