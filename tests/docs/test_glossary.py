"""docs/glossary.md defines each term of mtui once, and is the only place that does."""

from __future__ import annotations

from tests.docs.markdown import documents, read, tables

# What a reader meets in messages, help and documents without being able to look it up elsewhere.
TERMS = {
    *("study", "step", "parameter combination", "row", "instance", "attempt", "workspace", "token", "label", "funnel"),
    *("plan", "driver", "lease", "epoch", "heartbeat", "claim", "revoked claim", "orphan job", "duplicate job"),
    *("bound", "allocation", "shared allocation", "pool", "leader", "worker", "submission", "tag", "poll", "throttle"),
    *("journal", "segment", "checkpoint", "inbox", "spool", "record", "target", "cause", "view", "site profile"),
}


def defined() -> list[str]:
    """The terms in the first columns of the glossary's tables."""
    rows = [row for table in tables("docs/glossary.md") for row in table[1:]]
    return [term for row in rows for term in row[0].split(", ")]


def test_every_term_is_defined() -> None:
    assert TERMS - set(defined()) == set()


def test_no_term_is_defined_twice() -> None:
    terms = defined()
    assert sorted(terms) == sorted(set(terms))


def test_no_other_document_has_a_table_of_terms() -> None:
    with_terms = [path for path in documents() for table in tables(path) if table[0][0] == "term"]
    assert set(with_terms) == {"docs/glossary.md"}


def test_the_readme_leads_to_the_glossary() -> None:
    assert "docs/glossary.md" in read("README.md")
