"""A line of metrics, given to every logger in its own way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lightning.pytorch.loggers import Logger

from marl_core.runs.logged import Logged, RowCounter
from marl_core.runs.metrics_file import MetricsFile
from marl_core.types import Progress

#: Where a metric stands among the tags of a logger, by how its name begins.
_EVALUATIONS = ("exact/", "greedy/", "sampled/")
_COUPLING = "coupling/"
#: The x axis, so it is no metric.
_AXIS = "episodes"


def log_line(
    loggers: Sequence[Logger],
    metrics: Mapping[str, float],
    diagnostics: Mapping[str, float],
    progress: Progress,
) -> None:
    """Give a line of metrics to all loggers.

    ``metrics.csv`` counts updates and has no diagnostics, as equal runs must have equal files. For
    all others the x axis is the number of episodes, so that hosts can be compared, and tags are
    grouped: ``train/``, ``evaluation/``, ``coupling/``, ``diagnostics/``.

    Args:
        loggers: the run's.
        metrics: by name.
        diagnostics: what helps to see how learning goes, by name; also by the clock.
        progress: how far the run is.
    """
    tags = grouped(metrics)
    tags |= {f"diagnostics/{name}": value for name, value in diagnostics.items()}
    for logger in loggers:
        if isinstance(logger, MetricsFile):
            logger.log_metrics(dict(metrics), step=progress.updates)
        else:
            _log(logger, tags, progress.episodes)


def _log(logger: Logger, tags: Mapping[str, float], step: int) -> None:
    try:
        logger.log_metrics(dict(tags), step=step)
    except ValueError as error:
        # Lightning says of a full disk that a number is not supported.
        if isinstance(error.__cause__, OSError):
            raise error.__cause__ from None
        raise


def is_listened_to(loggers: Sequence[Logger]) -> bool:
    """Whether anybody besides ``metrics.csv`` gets the lines.

    Args:
        loggers: the run's.
    """
    return any(not isinstance(logger, MetricsFile) for logger in loggers)


def logged_by(loggers: Sequence[Logger]) -> Logged:
    """What ``metrics.csv`` holds; nothing where it is not among the loggers.

    Args:
        loggers: the run's.
    """
    for logger in loggers:
        if isinstance(logger, MetricsFile):
            return logger.logged
    return RowCounter().logged


def grouped(metrics: Mapping[str, float]) -> dict[str, float]:
    """Metrics by grouped tags.

    Args:
        metrics: by the names that ``metrics.csv`` has.
    """
    return {_tag(name): value for name, value in metrics.items() if name != _AXIS}


def _tag(name: str) -> str:
    if name.startswith(_COUPLING):
        return name
    if name.startswith(_EVALUATIONS):
        return f"evaluation/{name}"
    return f"train/{name.removeprefix('training_')}"
