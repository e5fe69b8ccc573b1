"""The files at the top of the repository agree with each other and with the package."""

from __future__ import annotations

import os
import re
import tomllib
from typing import Any

import pytest
from packaging.requirements import Requirement
from ruamel.yaml import YAML

import marl_core
from tests.support.places import REPOSITORY


def _project() -> dict[str, Any]:
    text = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    project: dict[str, Any] = tomllib.loads(text)["project"]
    return project


def _yaml(name: str) -> Any:
    return YAML(typ="safe").load(REPOSITORY / name)


def test_the_version_is_that_of_the_project() -> None:
    assert marl_core.__version__ == _project()["version"]


def test_the_changelog_tells_of_this_version() -> None:
    changelog = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## \[(.+?)\]", changelog, re.MULTILINE)
    assert versions[0] == "Unreleased"
    assert versions[1] == _project()["version"]


@pytest.mark.parametrize("extra", [None, "dev", "docs"])
def test_every_dependency_is_pinned(extra: str | None) -> None:
    project = _project()
    optional = project["optional-dependencies"]
    requirements = project["dependencies"] if extra is None else optional[extra]
    names = {re.split(r"[\[<>=]", requirement)[0] for requirement in requirements}
    lines = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {line.partition("==")[0] for line in lines if "==" in line}
    assert names - {project["name"]} <= pinned


def test_both_versions_of_the_paper_are_cited() -> None:
    citation = _yaml("CITATION.cff")
    assert citation["license"] == _project()["license"]
    preprint, article = citation["references"]
    assert preprint["identifiers"][0]["value"] == "arXiv:2208.07753v3"
    assert article["doi"] == "10.1109/TNNLS.2024.3423417"
    assert preprint["authors"] == article["authors"]


def test_hooks_and_workflow_run_what_is_here() -> None:
    (hooks,) = _yaml(".pre-commit-config.yaml")["repos"]
    assert hooks["repo"] == "local"
    assert {hook["id"] for hook in hooks["hooks"]} == {"ruff", "ruff-format", "mypy"}
    jobs = _yaml(".github/workflows/ci.yml")["jobs"]
    programs = {name: job["steps"][-1]["run"] for name, job in jobs.items()}
    assert programs == {
        "check": ".ci/run",
        "lowest": ".ci/lowest",
        "audit": ".ci/audit",
    }
    for program in programs.values():
        assert os.access(REPOSITORY / program, os.X_OK)


def test_every_dependency_has_a_lower_and_an_upper_bound() -> None:
    """The lower ones are tried by ``.ci/lowest``; constraints.txt is within all of them."""
    lines = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = dict(line.split("==") for line in lines if "==" in line)
    for text in _project()["dependencies"]:
        requirement = Requirement(text)
        operators = {bound.operator for bound in requirement.specifier}
        assert operators == {">=", "<"}, text
        assert pinned[requirement.name] in requirement.specifier


def test_every_dependency_is_in_the_list_of_licences() -> None:
    page = (REPOSITORY / "docs/reference/licences.md").read_text(encoding="utf-8")
    for text in _project()["dependencies"]:
        assert f"| {Requirement(text).name} " in page
