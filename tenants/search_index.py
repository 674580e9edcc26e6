"""The databases' own indexes for searching, which Django does not know.

PostgreSQL: a generated column `vector` of SearchDocument with a GIN index together with the tenant,
and one for the beginnings of callers' names. SQLite: an FTS5 table over the documents (external
content), which triggers keep in step.

Migrations make them. Django rebuilds a table on SQLite to alter it, and its triggers go with it: a
migration that alters SearchDocument ends with `create` once more, and `problems` finds where one
did not.
"""

from __future__ import annotations

from typing import Any, Final

from django.db.backends.base.base import BaseDatabaseWrapper

TABLE: Final = "tenants_searchdocument"
FTS: Final = "tenants_search_fts"

POSTGRESQL: Final = (
    "CREATE EXTENSION IF NOT EXISTS btree_gin",
    f"ALTER TABLE {TABLE} ADD COLUMN IF NOT EXISTS vector tsvector"
    " GENERATED ALWAYS AS (to_tsvector('simple'::regconfig, body)) STORED",
    f"CREATE INDEX IF NOT EXISTS tenants_search_words ON {TABLE} USING gin (tenant_id, vector)"
    " WITH (fastupdate = off)",
    "CREATE INDEX IF NOT EXISTS call_caller_name ON tenants_call"
    " (tenant_id, upper(calling_name) varchar_pattern_ops)",
)
"""`simple`: bodies hold tokens that are folded already, in any language. New ones are sorted in
at once, else each search would read a list of all that came since the last VACUUM.
"""

SQLITE_TABLE: Final = (
    f"CREATE VIRTUAL TABLE IF NOT EXISTS {FTS} USING fts5("
    f"body, content='{TABLE}', content_rowid='id', tokenize='unicode61', prefix='2 3')"
)
_REMOVE_OLD: Final = f"INSERT INTO {FTS}({FTS}, rowid, body) VALUES ('delete', old.id, old.body)"  # noqa: S608
_ADD_NEW: Final = f"INSERT INTO {FTS}(rowid, body) VALUES (new.id, new.body)"  # noqa: S608
# The index holds no text of its own: to take words out it must be told those that were in.
SQLITE_TRIGGERS: Final = {
    "tenants_search_added": f"AFTER INSERT ON {TABLE} BEGIN {_ADD_NEW}; END",
    "tenants_search_removed": f"AFTER DELETE ON {TABLE} BEGIN {_REMOVE_OLD}; END",
    "tenants_search_changed": (f"AFTER UPDATE ON {TABLE} BEGIN {_REMOVE_OLD}; {_ADD_NEW}; END"),
}
SQLITE_FILL: Final = f"INSERT INTO {FTS}({FTS}) VALUES ('rebuild')"  # noqa: S608


def create(schema_editor: Any) -> None:
    """Make what is missing of the index, and index the documents that there are."""
    if schema_editor.connection.vendor == "postgresql":
        for statement in POSTGRESQL:
            schema_editor.execute(statement)
    elif schema_editor.connection.vendor == "sqlite":
        schema_editor.execute(SQLITE_TABLE)
        for name, body in SQLITE_TRIGGERS.items():
            schema_editor.execute(f"CREATE TRIGGER IF NOT EXISTS {name} {body}")
        schema_editor.execute(SQLITE_FILL)


def drop(schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(f"ALTER TABLE {TABLE} DROP COLUMN IF EXISTS vector")
        schema_editor.execute("DROP INDEX IF EXISTS call_caller_name")
    elif schema_editor.connection.vendor == "sqlite":
        for name in SQLITE_TRIGGERS:
            schema_editor.execute(f"DROP TRIGGER IF EXISTS {name}")
        schema_editor.execute(f"DROP TABLE IF EXISTS {FTS}")


def problems(connection: BaseDatabaseWrapper) -> list[str]:
    """What of the index is missing in a database that has the documents' table, in words."""
    with connection.cursor() as cursor:
        if TABLE not in connection.introspection.table_names(cursor):
            return []
        if connection.vendor == "sqlite":
            cursor.execute("SELECT name FROM sqlite_master WHERE type IN ('trigger', 'table')")
            there = {name for (name,) in cursor.fetchall()}
            wanted = {FTS, *SQLITE_TRIGGERS}
        else:
            columns = connection.introspection.get_table_description(cursor, TABLE)
            there, wanted = {column.name for column in columns}, {"vector"}
    return [
        f"{name} is missing, so calls are not found by their words."
        for name in sorted(wanted - there)
    ]
