"""What one rank plays and learns from: its games, generators and replay."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, final

import torch

from marl_core.abilities import Closes, SavesState
from marl_core.collection.collector import Collector
from marl_core.collection.free_memory import tell_if_too_large
from marl_core.collection.pieces import PieceCollector
from marl_core.collection.replay import Replay
from marl_core.construction import build_environment
from marl_core.notes import note
from marl_core.protocols import ExplorationStrategy, HostAlgorithm
from marl_core.rng import Generators, seed_for
from marl_core.run_state import RunState
from marl_core.runs.saved_tensors import check_alike, check_names
from marl_core.training.saved_episodes import check_episodes
from marl_core.types import Progress, Rollout


@final
class RankGames:
    """The games of one rank in one stage, and the episodes that it keeps.

    Args:
        state: the run at the start of the stage.
        rank: of this process, from 0.
        ranks: how many processes train together; each plays its share of the episodes.
        device: where the games are.
    """

    def __init__(
        self, state: RunState, rank: int, ranks: int, device: torch.device
    ) -> None:
        config = state.config
        training = config.training
        # A stage has streams of its own: with the run's it would play the games of the stage before
        # once more.
        seed = seed_for(config.seed, "stage", state.progress.stage)
        self._generators = Generators(seed, rank, device)
        games = training.parallel_games or training.episodes_per_update
        self.environment = build_environment(
            config.environment,
            games=games // ranks,
            device=device,
            generator=self._generators["environment"],
        )
        draws = self._generators["exploration"]
        #: Plays pieces of episodes, where those are what is learnt from.
        self._pieces: PieceCollector | None = None
        if training.rollout_steps is not None:
            steps = training.rollout_steps
            self._pieces = PieceCollector(self.environment, draws, steps)
            if rank == 0 and not isinstance(self.environment, SavesState):
                _tell_that_games_are_lost(config.environment.name)
        self._collector = Collector(
            self.environment,
            draws,
            episodes=training.episodes_per_update // ranks,
            use_table=training.use_table,
        )
        self._device = device
        self._replay: Replay | None = None
        self._batch = 0
        self._batches = 0
        #: How many single steps are drawn; None: whole episodes are.
        self._single_steps: int | None = None
        #: How many replays share this device's memory; 0: another rank counts them.
        self._replays_here = 0
        self._capacity = 0
        settings = state.host.capabilities.replay
        if settings is not None:
            self._batch = settings.batch // ranks
            self._batches = settings.batches
            if settings.steps is not None:
                self._single_steps = settings.steps // ranks
            self._capacity = settings.capacity // ranks
            self._replay = Replay(self._capacity, self.environment.spec)
            if rank == 0:
                # The processes of a machine share its memory; other devices have their own.
                self._replays_here = training.devices if device.type == "cpu" else 1

    def collect(
        self, host: HostAlgorithm, exploration: ExplorationStrategy, progress: Progress
    ) -> Rollout:
        """This rank's share of the episodes of an update.

        Args:
            host: scores actions.
            exploration: how the team explores.
            progress: how far the run is.
        """
        collector = self._pieces or self._collector
        return collector.collect(host, exploration, progress)

    def recall(self, rollout: Rollout) -> Iterator[Rollout]:
        """What to learn from once a rollout has been played, one after the other.

        The rollout itself or, off-policy, batches of episodes out of the replay: none where there
        are too few yet.

        Args:
            rollout: the newest one.
        """
        if self._replay is None:
            yield rollout
            return
        if len(self._replay) == 0:
            needed = self._replays_here * self._replay.bytes_for(rollout)
            tell_if_too_large(needed, self._device)
        self._replay.add(rollout)
        generator = self._generators["replay"]
        for _ in range(self._batches):
            if self._single_steps is None:
                drawn = self._replay.sample(self._batch, generator, rollout.progress)
            elif len(self._replay) < self._batch:
                drawn = None
            else:
                steps = self._single_steps
                drawn = self._replay.sample_steps(steps, generator, rollout.progress)
            if drawn is None:
                return
            yield drawn

    def close(self) -> None:
        """Give back what the environment holds."""
        if isinstance(self.environment, Closes):
            self.environment.close()

    def state_dict(self) -> dict[str, Any]:
        """Generators, games and replay, as a checkpoint holds them."""
        state: dict[str, Any] = {"generators": self._generators.state_dict()}
        if isinstance(self.environment, SavesState):
            state["environment"] = self.environment.state_dict()
            if self._pieces is not None:
                state["pieces"] = self._pieces.state_dict()
        if self._replay is not None:
            state["replay"] = self._replay.state_dict()
        return state

    def load_state_dict(
        self,
        state: Mapping[str, Any],
        host: HostAlgorithm,
        exploration: ExplorationStrategy,
    ) -> None:
        """Continue where ``state_dict`` was taken.

        Args:
            state: what ``state_dict`` gave.
            host: says with ``exploration`` whether episodes are kept with a table of distinct
                observations.
            exploration: how the team explores.

        Raises:
            ValueError: the state is of other games. The message says in what.
            UserError: it is of another kind of device.
        """
        self._check(state, host, len(exploration.coupling.component_names) or 1)
        self._generators.load_state_dict(state["generators"])
        if isinstance(self.environment, SavesState) and "environment" in state:
            self.environment.load_state_dict(state["environment"])
            if self._pieces is not None:
                self._pieces.load_state_dict(state["pieces"])
        if self._replay is not None:
            table = self._collector.table(host, exploration)
            self._replay.load_state_dict(state["replay"], self._device, table)

    def _check(
        self, state: Mapping[str, Any], host: HostAlgorithm, components: int
    ) -> None:
        """Refuse a state of other games, before anything is done with it."""
        streams = {"environment", "exploration"}
        if self._replay is not None:
            streams.add("replay")
        check_names("random stream", state["generators"], streams)
        parts = set(state) - {"generators"}
        expected = {"replay"} if self._replay is not None else set()
        if isinstance(self.environment, SavesState) and "environment" in parts:
            expected.add("environment")
            built = self.environment.state_dict()
            check_alike("state of the games", state["environment"], built)
            if self._pieces is not None:
                expected.add("pieces")
        check_names("part", parts, expected)
        if self._pieces is not None and state.get("pieces"):
            fresh = self._pieces.fresh_state(host, components)
            check_alike("state of the games", state["pieces"], fresh)
        if self._replay is not None:
            spec = self.environment.spec
            check_episodes(state["replay"], self._capacity, spec, components)


def _tell_that_games_are_lost(environment: str) -> None:
    note(
        f"training.rollout_steps: games of environment '{environment}' cannot be saved, so where "
        "this run is resumed they begin anew, and it does not go on exactly as it would have"
    )
