"""Connections as the superuser: readiness is judged by these and never by a pid."""

import psycopg
from psycopg import sql

from releasemgr.embedded.state import DATABASE, HOST, ROLE, SUPERUSER, State


def connect(state: State, database: str = "postgres") -> psycopg.Connection[tuple[object, ...]]:
    # hostaddr and options stand here so that PGHOSTADDR and PGOPTIONS of a person's shell cannot.
    return psycopg.connect(
        host=HOST,
        hostaddr=HOST,
        port=state.port,
        user=SUPERUSER,
        password=state.superuser_password,
        dbname=database,
        sslmode="disable",
        options="-c client_min_messages=warning",
        connect_timeout=5,
        autocommit=True,
    )


def is_serving(state: State) -> bool:
    """Whether this very data directory answers on the remembered port (a copied checkout has the same password)."""
    try:
        with connect(state) as connection:
            row = connection.execute("SHOW data_directory").fetchone()
    except psycopg.OperationalError:
        return False
    return row == (str(state.data),)


def other_sessions(state: State) -> int:
    """How many clients use the server now."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    with connect(state) as connection:
        row = connection.execute(query).fetchone()
    return int(str(row[0])) if row else 0


def create_role_and_database(state: State) -> None:
    """Idempotent: a start that was killed half-way is finished by the next one."""
    with connect(state) as connection:
        if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [ROLE]).fetchone():
            connection.execute(
                sql.SQL("CREATE ROLE {} LOGIN NOSUPERUSER CREATEDB PASSWORD {}").format(
                    sql.Identifier(ROLE), sql.Literal(state.password)
                )
            )
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
            connection.execute(
                sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(DATABASE), sql.Identifier(ROLE))
            )
