"""A run, as an object: what it came to, its policy, and how it goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from marl_core.api.driving import config_with, drive, drive_held, held
from marl_core.api.metrics_table import MetricsTable
from marl_core.api.policy import Policy
from marl_core.api.summary import Scores, Summary, read_summary
from marl_core.base_config import MOST_TEST_EPISODES
from marl_core.config.run import RunConfig, StageConfig
from marl_core.errors import UserError
from marl_core.evaluation.evaluate import Mode, evaluate
from marl_core.export.export import export_run
from marl_core.runs.assembly import newest_state
from marl_core.runs.continuation import take_over
from marl_core.runs.folder import RunFolder
from marl_core.runs.metrics_rows import metrics_rows
from marl_core.runs.sources import check_sources
from marl_core.runs.transfer import Transferred, begin_from, read_transferred
from marl_core.training.devices import on_its_device
from marl_core.training.place import place_of
from marl_core.training.watchers import Watchers

if TYPE_CHECKING:
    from lightning import Callback
    from lightning.pytorch.loggers import Logger

#: A stage of training: a config, or plain values as a file would give them.
AnyStage = StageConfig | Mapping[str, Any]


def load(
    path: str | Path, *, trust: bool = False, checkpoint: str | None = None
) -> Run:
    """A run that has been begun, finished or not.

    Args:
        path: its folder.
        trust: whether the code that the folder names as ``module:Class`` may be run. Say so of
            folders whose author you know: a module can do whatever you can do.
        checkpoint: which kept checkpoint is looked at (``training.keep``), as ``best``, or
            ``start``, the team before any training; None: the newest. A run always goes on from its
            newest.

    Raises:
        UserError: there is no run, or it needs code and is not trusted.
    """
    run = Run(path, trust=trust, checkpoint=checkpoint)
    _ = run.config
    return run


@final
class Run:
    """A run in its folder. ``train`` and ``load`` give one.

    Args:
        path: of the folder.
        trust: whether the code that the folder names may be run.
        checkpoint: which kept checkpoint is looked at; None: the newest.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        trust: bool = False,
        checkpoint: str | None = None,
    ) -> None:
        self.path = Path(path)
        self._folder = RunFolder(self.path, trust=trust, checkpoint=checkpoint)

    @property
    def config(self) -> RunConfig:
        """The run's config."""
        return self._folder.load_config()

    @property
    def summary(self) -> Summary:
        """What the run came to, as evaluated at the end of training.

        Raises:
            UserError: the run is not finished.
        """
        return read_summary(self._folder.summary)

    @property
    def trained_episodes(self) -> int:
        """How many episodes the newest checkpoint has been trained; 0 where there is none."""
        saved = self._folder.load_checkpoint()
        return 0 if saved is None else int(saved["marl"]["progress"]["episodes"])

    @property
    def finished(self) -> bool:
        """Whether every episode of the config has been trained, and the run has been evaluated."""
        if not self._folder.summary.exists():
            return False
        return self.summary.training_episodes == self.config.episodes

    @property
    def transferred(self) -> Transferred | None:
        """What the run took over from another one when it began; None where it began anew."""
        return read_transferred(self._folder)

    def metrics(self) -> MetricsTable:
        """What was logged: a column for each metric, a row for each logged update.

        Raises:
            UserError: nothing was logged yet.
        """
        try:
            return MetricsTable(metrics_rows(self._folder.metrics))
        except FileNotFoundError as error:
            message = "nothing was logged yet"
            raise UserError(f"{self._folder.metrics}: {message}") from error

    def policy(
        self,
        mode: Mode = "greedy",
        seed: int = 0,
    ) -> Policy:
        """The team of the newest checkpoint, to act step by step.

        Args:
            mode: ``greedy``: each agent takes its most probable action; ``sampled``: it draws one
                from its individual policy.
            seed: of the draws.

        Raises:
            UserError: there is no checkpoint yet.
        """
        return Policy(newest_state(self._folder), mode, seed)

    def export(self, out: str | Path) -> dict[str, Any]:
        """Write the policy of the newest checkpoint as a program that needs no framework.

        Resonance is not in it. It is run on random observations before it is written, and compared
        with the host.

        Args:
            out: the file: ``.pt2`` for torch.export, ``.onnx`` for ONNX (the extra ``onnx``).

        Returns:
            What the file says of itself: config, spec, inputs, outputs, names of actions, versions.

        Raises:
            UserError: there is no checkpoint, the host cannot be exported, or the file cannot be
                written.
        """
        return export_run(self._folder, Path(out))

    def evaluate(self, episodes: int = 192) -> Scores:
        """How good the team of the newest checkpoint is, without its coupling.

        Args:
            episodes: test episodes, greedy and sampled each.

        Raises:
            UserError: there is no checkpoint yet, or there are too few or too many episodes.
        """
        if not 2 <= episodes <= MOST_TEST_EPISODES:
            asked = f"{episodes} test episodes"
            raise UserError(f"{asked}, where 2 to {MOST_TEST_EPISODES:,} are possible")
        state = newest_state(self._folder)
        return Scores(evaluate(state, episodes, on_its_device(state)))

    def resume(
        self,
        *,
        callbacks: Sequence[Callback] = (),
        loggers: Sequence[Logger] = (),
        progress: bool = True,
        changed_code: bool = False,
    ) -> Run:
        """Go on after an interruption, exactly as if there had been none.

        Args:
            callbacks: Lightning's; the trainer of every stage gets them.
            loggers: Lightning's; they get every line of metrics.
            progress: whether progress is shown on standard error.
            changed_code: whether to go on though a module that the config names has changed since
                the run began. The run folder then remembers both.

        Returns:
            The run itself, finished.

        Raises:
            UserError: another process trains the run, or its config or its code has changed.
        """
        watchers = Watchers(callbacks, loggers, progress)
        drive(self._folder, watchers, changed_code=changed_code)
        return self

    def extend(
        self,
        stages: Sequence[AnyStage],
        out: str | Path,
        *,
        callbacks: Sequence[Callback] = (),
        loggers: Sequence[Logger] = (),
        progress: bool = True,
    ) -> Run:
        """Train more stages in another folder, exactly from the newest checkpoint on.

        Args:
            stages: come after the run's own.
            out: the new run's folder. This run stays as it is.
            callbacks: Lightning's; the trainer of every stage gets them.
            loggers: Lightning's; they get every line of metrics.
            progress: whether progress is shown on standard error.

        Returns:
            The new run, finished.

        Raises:
            UserError: a stage is not valid, there is no checkpoint, or a run in the folder already.
        """
        check_sources(self._folder)
        begun = self.config.model_dump(mode="json")["stages"]
        added = [_plain(stage) for stage in stages]
        config = config_with(self.config, {"stages": [*begun, *added]})
        folder = RunFolder(Path(out), trust=self._folder.trust)
        place = place_of(config.training)
        with held(folder, place):
            if place.rank == 0:
                folder.refuse_another_run(config)
                take_over(self._folder, folder, config)
            drive_held(folder, Watchers(callbacks, loggers, progress), config)
        return Run(folder.path, trust=folder.trust)

    def transfer(
        self,
        environment: Mapping[str, Any],
        out: str | Path,
        *,
        stages: Sequence[AnyStage] | None = None,
        callbacks: Sequence[Callback] = (),
        loggers: Sequence[Logger] = (),
        progress: bool = True,
    ) -> Run:
        """Train the team in a changed environment, as with another number of agents.

        The new run begins with the parameters of this one whose names and shapes fit; the others
        are drawn anew. ``Run.transferred`` names both.

        Args:
            environment: settings over those of this run's environment: ``{"agents": 40}``.
            out: the new run's folder. This run stays as it is.
            stages: of the new run; by default those of this one.
            callbacks: Lightning's; the trainer of every stage gets them.
            loggers: Lightning's; they get every line of metrics.
            progress: whether progress is shown on standard error.

        Returns:
            The new run, finished.

        Raises:
            UserError: the host has no parameter that fits, or the config cannot be run.
        """
        before = self.config.model_dump(mode="json")
        kept = before["stages"] if stages is None else [_plain(s) for s in stages]
        changed = {**before["environment"], **environment}
        config = config_with(self.config, {"environment": changed, "stages": kept})
        folder = RunFolder(Path(out), trust=self._folder.trust)
        place = place_of(config.training)
        with held(folder, place):
            if place.rank == 0:
                begin_from(self._folder, folder, config)
            drive_held(folder, Watchers(callbacks, loggers, progress), config)
        return Run(folder.path, trust=folder.trust)

    def __repr__(self) -> str:
        return f"Run('{self.path}')"


def _plain(stage: AnyStage) -> dict[str, Any]:
    if isinstance(stage, StageConfig):
        return stage.model_dump(mode="json")
    return dict(stage)
