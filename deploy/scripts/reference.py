"""Writes the tables of `deploy/docs/api-reference.md` and `database-schema.md` from the program itself.

Run it from the project's folder after a change: `.venv/bin/python -m deploy.scripts.reference`. The text around the
tables is written by hand; each table stands between a pair of comments.
"""

import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import django
from django.apps import apps
from django.db import connection
from django.db.models import UniqueConstraint

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "deploy" / "docs"
METHODS = ("get", "post", "patch", "put", "delete")
LOOKUPS = {"": "=", "in": "in", "gte": "≥", "gt": ">", "lte": "≤", "lt": "<"}
APPS = ("accounts", "releases", "deployments", "audit", "core")

Schema = Mapping[str, Any]


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "releasemgr.settings")
    django.setup()
    api = openapi()
    replace("api-reference.md", "endpoints", endpoint_tables(api))
    replace("api-reference.md", "bodies", body_tables(api))
    replace("database-schema.md", "picture", picture())
    replace("database-schema.md", "tables", model_tables())
    return 0


def replace(document: str, block: str, lines: Iterable[str]) -> None:
    path = DOCS / document
    text = path.read_text()
    begin, end = f"<!-- begin {block} -->", f"<!-- end {block} -->"
    before, _, rest = text.partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise SystemExit(f"{path} has no block {begin} … {end}.")
    path.write_text("\n".join([before + begin, "", *lines, "", end + after]))


def openapi() -> Schema:
    # Reads the settings as it is imported.
    from drf_spectacular.generators import SchemaGenerator  # noqa: PLC0415

    schema: Schema = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return schema


def endpoint_tables(api: Schema) -> Iterator[str]:
    groups: dict[str, list[str]] = {}
    for path, operations in api["paths"].items():
        short = path.removeprefix("/api/v1")
        for method in (each for each in METHODS if each in operations):
            row = f"| `{method.upper()} {short}` | {' | '.join(_operation(operations[method]))} |"
            groups.setdefault(short.split("/")[1], []).append(row)
    for group, rows in groups.items():
        yield from (f"### {group}", "", "| method and path | body | answer | query |", "|---|---|---|---|", *rows, "")


def _operation(operation: Schema) -> tuple[str, str, str]:
    answers = []
    for status, answer in operation["responses"].items():
        if status != "default":
            answers.append(" ".join(part for part in (status, _type(_content(answer))) if part))
    query = [f"`{each['name']}`" for each in operation.get("parameters", []) if each["in"] == "query"]
    return _type(_content(operation.get("requestBody", {}))), "; ".join(answers), " ".join(query)


def _content(message: Schema) -> Schema:
    """The schema of what a request or an answer carries; empty without a body."""
    for carried in message.get("content", {}).values():
        schema: Schema = carried.get("schema", {})
        return schema
    return {}


def body_tables(api: Schema) -> Iterator[str]:
    for name, schema in sorted(api["components"]["schemas"].items()):
        if "properties" not in schema or name.startswith(("Paginated", "Patched")):
            continue
        yield from (f"#### {name}", "")
        if description := schema.get("description"):
            yield from (_one_line(description), "")
        yield from ("| field | type | |", "|---|---|---|")
        for field, about in schema["properties"].items():
            required = () if name.endswith("Output") else schema.get("required", ())
            yield f"| `{field}` | {_type(about)} | {_notes(field, about, required)} |"
        yield ""


def _type(schema: Schema) -> str:
    """Where PATCH leaves fields out and pages wrap their rows, the row's own body is named."""
    if reference := schema.get("$ref"):
        name = reference.rpartition("/")[2]
        if name.startswith("Paginated"):
            return f"page of {_link(name.removeprefix('Paginated').removesuffix('List'))}"
        return _link(name.removeprefix("Patched")) if not _is_enum(name) else "choice"
    if parts := schema.get("allOf") or schema.get("oneOf") or schema.get("anyOf"):
        return _type(next((part for part in parts if part.get("$ref") or part.get("type")), {}))
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}"
    if schema.get("type") == "object" and "results" in schema.get("properties", {}):
        return f"{{results: {_type(schema['properties']['results'])}}}"
    kind = schema.get("format") or schema.get("type") or ""
    return {"date-time": "time", "uuid": "id", "int64": "integer"}.get(str(kind), str(kind))


def _is_enum(name: str) -> bool:
    return name.endswith("Enum")


def _link(name: str) -> str:
    return f"[{name}](#{name.lower()})"


def _notes(field: str, about: Schema, required: Iterable[str]) -> str:
    notes = ["required"] if field in required and not about.get("readOnly") else []
    notes += ["may be null"] if about.get("nullable") else []
    notes += [f"at most {about['maxLength']} characters"] if "maxLength" in about else []
    notes += ["never shown"] if about.get("writeOnly") else []
    notes += [_one_line(about["description"])] if about.get("description") else []
    return "; ".join(notes)


def _one_line(text: str) -> str:
    # Choices are described as a list of `* value - Label`: only the values are needed.
    choices = re.findall(r"^\* `([^`]*)` - ", text, re.MULTILINE)
    said = re.sub(r"^\* `[^`]*` - .*$", "", text, flags=re.MULTILINE)
    parts = [" ".join(said.split()), ", ".join(f"`{choice}`" for choice in choices)]
    return " ".join(part for part in parts if part).replace("|", "\\|")


def models() -> list[Any]:
    return [model for label in APPS for model in apps.get_app_config(label).get_models(include_auto_created=True)]


def picture() -> Iterator[str]:
    tables = {model._meta.db_table for model in models()}
    yield from ("```mermaid", "erDiagram")
    for model in models():
        for field in model._meta.local_fields:
            if field.is_relation and field.related_model._meta.db_table in tables:
                many = "|o" if field.null else "||"
                yield f"    {field.related_model._meta.db_table} {many}--o{{ {model._meta.db_table} : {field.name}"
    yield "```"


def model_tables() -> Iterator[str]:
    for model in models():
        meta = model._meta
        yield from (f"### {meta.db_table}", "")
        if model.__doc__ and not model.__doc__.startswith(f"{model.__name__}("):
            yield from (_one_line(model.__doc__), "")
        yield from ("| column | type | |", "|---|---|---|")
        yield from (
            f"| `{field.column}` | {_column_type(field)} | {_column_notes(field)} |" for field in meta.local_fields
        )
        rules = [f"- `{rule.name}`: {_rule(rule)}" for rule in meta.constraints]
        together = [f"- unique together: {', '.join(columns)}" for columns in meta.unique_together]
        indexes = [f"- index `{index.name}` on {', '.join(index.fields)}{_where(index)}" for index in meta.indexes]
        yield from ("", *rules, *together, *indexes, "")


def _column_type(field: Any) -> str:
    return str(field.db_parameters(connection)["type"])


def _column_notes(field: Any) -> str:
    notes = ["primary key"] if field.primary_key else []
    notes += ["unique"] if field.unique and not field.primary_key else []
    notes += ["may be null"] if field.null else []
    if field.is_relation:
        notes.append(f"→ `{field.related_model._meta.db_table}`")
    elif field.choices:
        notes.append(", ".join(f"`{value}`" for value, _ in field.flatchoices))
    notes += ["encrypted"] if type(field).__name__ == "EncryptedField" else []
    notes += [str(field.help_text)] if field.help_text else []
    return "; ".join(notes)


def _rule(rule: Any) -> str:
    if isinstance(rule, UniqueConstraint):
        what = rule.fields or [str(expression) for expression in rule.expressions]
        return f"unique {', '.join(what)}{_where(rule)}"
    return f"check {_condition(rule.condition)}"


def _where(rule: Any) -> str:
    return f" where {_condition(rule.condition)}" if getattr(rule, "condition", None) else ""


def _condition(condition: Any) -> str:
    """`Q` as people write it: `status = in_progress`; a condition that is negated or nested as Django prints it."""
    parts = [part for part in condition.children if isinstance(part, tuple)]
    if len(parts) < len(condition.children) or condition.negated:
        return f"`{condition}`"
    return " and ".join(f"`{_comparison(name, value)}`" for name, value in parts)


def _comparison(name: str, value: Any) -> str:
    field, _, lookup = name.partition("__")
    if lookup == "isnull":
        return f"{field} is {'' if value else 'not '}null"
    told = ", ".join(map(str, value)) if isinstance(value, list | tuple) else getattr(value, "value", value)
    return f"{field} {LOOKUPS.get(lookup, lookup)} {told}"


if __name__ == "__main__":
    sys.exit(main())
