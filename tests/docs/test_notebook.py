"""The notebook runs from top to bottom, and shows what it says that it shows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.places import REPOSITORY

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

NOTEBOOK = REPOSITORY / "docs" / "tutorials" / "thirty_agents.ipynb"


def _rewards(notebook: Any) -> list[dict[str, float]]:
    """The tables of scores that the notebook prints, in order."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    texts = [output.text for output in outputs if output.output_type == "stream"]
    found = [re.findall(r"^ *(\w+)  ([\d.]+)$", text, re.MULTILINE) for text in texts]
    return [{name: float(value) for name, value in rows} for rows in found if rows]


def test_thirty_agents_fall_into_the_trap_and_leave_it(tmp_path: Path) -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = nbclient.NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path)}},
    )
    client.execute()
    alone, together = _rewards(notebook)
    assert alone["C1"] == alone["C2"] == 0
    assert together["C1"] > 0.5
    assert together["C2"] > 0.5
    assert together["return"] > alone["return"] + 1
    assert not list(tmp_path.iterdir()), "the notebook leaves no files beside it"


def test_the_notebook_is_kept_with_its_outputs() -> None:
    """The site shows them: it does not run the notebook."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    alone, together = _rewards(notebook)
    assert alone["C1"] == 0
    assert together["C1"] > 0.5
