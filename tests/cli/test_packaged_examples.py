"""``marl examples``: what comes with the package can be copied, run and changed."""

from __future__ import annotations

import subprocess

from tests.support.command import Command, refused
from tests.support.places import EXAMPLES, REPOSITORY

FILES = {path.name for path in EXAMPLES.glob("*.*")}
#: With those of the plugin; where something was built or run, there is more.
ALL = {
    path: (EXAMPLES / path).read_bytes()
    for path in subprocess.run(
        ["git", "ls-files", "."],
        cwd=EXAMPLES,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
}


def test_there_is_one_copy_of_each() -> None:
    link = REPOSITORY / "src" / "marl_pr" / "examples"
    assert link.resolve() == EXAMPLES
    assert link.readlink().as_posix() == "../../examples"


def test_they_are_listed_with_what_they_are(marl: Command) -> None:
    listed = marl("examples").out
    assert all(name in listed for name in FILES)
    assert "The two-stage training of Fig. 3" in listed
    assert "A host algorithm of one's own" in listed
    assert "plugin/" in listed


def test_they_are_copied_with_the_classes_that_they_name(marl: Command) -> None:
    said = marl("examples", "--to", "examples").out
    copied = marl.folder / "examples"
    found = {
        path.relative_to(copied).as_posix(): path.read_bytes()
        for path in copied.rglob("*")
        if path.is_file()
    }
    assert found == ALL
    assert "plugin/src/marl_harbour/host.py" in found
    assert "marl train --config examples/fme_pr.yaml" in said
    marl("config", "show", "--config", "examples/custom_environment.yaml")
    # Again: they are there already.
    marl("examples", "--to", "examples")


def test_what_somebody_changed_is_never_replaced(marl: Command) -> None:
    marl.write("seed: 7\n", "fme_pr.yaml")
    said = refused(marl, "examples", "--to", ".")
    assert "fme_pr.yaml: there is another file of this name" in said


def test_a_place_that_is_no_folder_is_refused(marl: Command) -> None:
    marl.write("", "there")
    said = refused(marl, "examples", "--to", "there")
    assert said.startswith("there: ")
