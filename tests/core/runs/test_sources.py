"""The code that a config names is part of a run: a change of it is noticed."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from marl_core import load
from marl_core.api.run import Run
from marl_core.config.yaml_file import load_run
from marl_core.errors import UserError
from marl_core.notes import RunWarning
from marl_core.reports.reading import read_experiments
from marl_core.reports.tables import improvement_tables
from marl_core.runs.folder import RunFolder
from marl_core.runs.sources import code_of_run, recorded
from tests.support.own_code import as_in_a_new_process, trained

OTHER = "\nRULES = 'others'\n"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mine")
    trained(folder, folder / "run")
    return folder


@pytest.fixture
def mine(kept: Path, tmp_path: Path) -> Path:
    """A run and its modules, to be changed; its folder remembers where they are now."""
    folder = tmp_path / "mine"
    shutil.copytree(kept, folder)
    versions = RunFolder(folder / "run").versions
    versions.write_text(versions.read_text().replace(str(kept), str(folder)))
    return folder


def test_a_run_remembers_its_modules_and_what_they_import(kept: Path) -> None:
    files = recorded(RunFolder(kept / "run"))["mine"]
    assert sorted(files) == [str(kept / "mine.py"), str(kept / "mine_neighbour.py")]


def test_what_is_registered_or_only_watches_is_not_remembered(tmp_path: Path) -> None:
    from tests.support.runs import run_data, start

    data = run_data(host="conc4hist", second="ppo_ma")
    data["callbacks"] = [{"name": "lightning.pytorch.callbacks:Timer"}]
    folder = start(tmp_path / "run", data)
    assert json.loads(folder.versions.read_text())["sources"] == {}


@pytest.mark.parametrize("file", ["mine.py", "mine_neighbour.py"])
def test_changed_code_is_refused(mine: Path, file: str) -> None:
    path = mine / file
    path.write_text(path.read_text() + OTHER)
    with as_in_a_new_process():
        with pytest.raises(UserError, match="is not what it was") as refusal:
            load_only(mine).resume(progress=False)
        assert str(path) in str(refusal.value)
        assert "\n" not in str(refusal.value)


def load_only(folder: Path) -> Run:
    return load(folder / "run", trust=True)


def test_one_may_go_on_with_changed_code(mine: Path) -> None:
    (mine / "mine.py").write_text((mine / "mine.py").read_text() + OTHER)
    with as_in_a_new_process():
        run = load_only(mine)
        with pytest.warns(RunWarning, match="goes on with changed code"):
            run.resume(progress=False, changed_code=True)
    said = json.loads((mine / "run" / "versions.json").read_text())
    assert len(said["earlier_sources"]) == 1
    with as_in_a_new_process():
        load_only(mine).resume(progress=False)  # it knows the code now


def test_looking_at_it_by_changed_code_is_noted(mine: Path) -> None:
    (mine / "mine.py").write_text((mine / "mine.py").read_text() + OTHER)
    with as_in_a_new_process(), pytest.warns(RunWarning, match="is not what it was"):
        load_only(mine).evaluate(2)


def test_a_module_that_has_moved_is_the_same(
    mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in ("mine.py", "mine_neighbour.py"):
        shutil.move(mine / name, elsewhere / name)
    with as_in_a_new_process():
        monkeypatch.syspath_prepend(elsewhere)
        load_only(mine).resume(progress=False)


def test_another_module_of_the_name_is_noticed(mine: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(mine, other)
    (other / "mine.py").write_text((other / "mine.py").read_text() + OTHER)
    with as_in_a_new_process():
        sys.path.insert(0, str(other))
        __import__("mine")
        with pytest.raises(UserError, match=r"other/mine\.py is not what it was"):
            load_only(mine).resume(progress=False)


def test_two_modules_of_a_name_are_two_experiments(kept: Path, tmp_path: Path) -> None:
    trained(tmp_path / "b", tmp_path / "b" / "run", OTHER)
    same = trained(tmp_path / "c", tmp_path / "c" / "run", seed=1).path
    paths = [kept / "run", tmp_path / "b" / "run", same]
    with as_in_a_new_process():
        experiments = read_experiments(paths)
        assert "mine" not in sys.modules
    assert [len(one.results) for one in experiments] == [2, 1]
    codes = [code_of_run(RunFolder(path))["mine"] for path in paths]
    assert codes[0] == codes[2] != codes[1]
    assert [one.name for one in experiments] == [f"mine={c}" for c in codes[:2]]
    assert improvement_tables(experiments) == []  # they are no environment's rivals


def test_a_config_that_gets_another_module_than_its_own_says_so(
    kept: Path, tmp_path: Path
) -> None:
    own = tmp_path / "own"
    shutil.copytree(kept, own)
    with as_in_a_new_process():
        load_run(kept / "run.yaml")
        load_run(own / "run.yaml")  # of the same content: nothing to say
        (own / "mine.py").write_text((own / "mine.py").read_text() + OTHER)
        with pytest.warns(RunWarning, match=r"not .*own/mine\.py, which is named"):
            load_run(own / "run.yaml")


@pytest.mark.parametrize(
    "said",
    ["", "[]", "{}", '{"sources": 3}', '{"sources": {"a": 1}}', "[" * 100_000],
)
def test_folders_that_say_nothing_of_it(mine: Path, said: str) -> None:
    folder = RunFolder(mine / "run")
    folder.versions.write_text(said)
    assert recorded(folder) == {}
    assert folder.module_folders() == ()
