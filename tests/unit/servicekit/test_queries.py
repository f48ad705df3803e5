"""Queries are files: one each, by their names."""

from pathlib import Path

import pytest

from servicekit.database import load_queries


def test_each_file_is_a_query_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "stores_of_a_test" / "sql"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").touch()
    (folder / "one.sql").write_text("SELECT 'ü'")
    (folder / "two.sql").write_text("SELECT 2")
    (folder / "notes.txt").write_text("no query")
    monkeypatch.syspath_prepend(tmp_path)
    assert load_queries("stores_of_a_test") == {"one": "SELECT 'ü'", "two": "SELECT 2"}
