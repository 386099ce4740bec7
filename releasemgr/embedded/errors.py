"""What can go wrong with the embedded database, each with a sentence for the person at the terminal."""


class EmbeddedDatabaseError(RuntimeError):
    """The embedded PostgreSQL cannot be used; the message says why and what to do next."""
