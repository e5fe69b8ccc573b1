"""What an environment must satisfy that has a table of distinct observations."""

from __future__ import annotations

from marl_core.observation_table import table_of
from marl_core.testing.layout import expected_shapes
from marl_core.testing.play import EnvironmentCase, play
from marl_core.testing.trajectories import check_same_observation
from marl_core.testing.verdicts import NotApplicableError
from marl_core.types import EnvironmentSpec, Observation

#: What a table may hold.
_POSSIBLE = {"features", "entities", "entity_mask", "action_mask", "state"}


def table_says_what_agents_see(case: EnvironmentCase) -> None:
    """The spec promises the table of distinct observations, and it is constant.

    It holds every row that is seen.

    Why:
        Networks are evaluated on the table alone.

    Broken by:
        A row too few, rows of another order, a table that changes in play.

    Args:
        case: the environment to check.
    """
    environment = case.build(3, 0)
    spec = environment.spec
    table = table_of(environment)
    assert (table is None) == (spec.table_rows is None), (
        "spec.table_rows and distinct_observations do not go together"
    )
    if table is None:
        raise NotApplicableError("it has no table of distinct observations")
    _check_layout(spec, table)
    seen = environment.reset()
    choice = case.generator(0)
    for _ in range(spec.max_steps):
        _check_rows(spec, seen, table)
        seen = play(
            environment,
            seen,
            choice,
            1,
        )[0].result.observation
    _check_rows(spec, seen, table)
    after = table_of(environment)
    assert after is not None
    check_same_observation(table, after, "the table before and after play")


def _check_layout(spec: EnvironmentSpec, table: Observation) -> None:
    assert spec.table_rows is not None
    shapes = expected_shapes(spec, spec.table_rows)
    for name, value in table.tensors().items():
        assert name in _POSSIBLE, f"the table cannot hold {name}"
        shape = tuple(value.shape)
        assert shape == shapes.get(name), f"the table's {name} has shape {shape}"


def _check_rows(
    spec: EnvironmentSpec,
    seen: Observation,
    table: Observation,
) -> None:
    row = seen.row
    assert spec.table_rows is not None
    assert row is not None, "an environment with a table must give rows"
    inside = (row >= 0) & (row < spec.table_rows)
    assert inside.all(), f"rows go beyond 0..{spec.table_rows - 1}"
    if table.state is not None:
        assert (row == row[:, :1]).all(), (
            "the table holds states, but agents of one game are in different rows"
        )
