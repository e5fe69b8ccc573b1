"""The typed batches that environments, hosts and explorations exchange.

Letters of the shapes, everywhere in the project: ``E`` games in parallel, ``N`` agents, ``A``
actions, ``T`` steps, ``O`` observation features, ``K`` entities of ``F`` features, ``S`` state
features, ``M`` rows of a table of distinct observations, ``C`` components of a joint policy, ``D``
numbers of an action that lies in a box. ``*B`` stands for any leading axes: ``E`` in a step,
``T E`` in a rollout.
"""

from marl_core.types.batch import Memory, TensorBatch
from marl_core.types.box import Box
from marl_core.types.loss import Loss, ParameterGroup, Schedule
from marl_core.types.observation import NO_OP, Observation
from marl_core.types.pieces import Pieces
from marl_core.types.progress import Moment, Progress
from marl_core.types.rollout import Rollout
from marl_core.types.spec import EnvironmentSpec, Level
from marl_core.types.step import StepResult

__all__ = [
    "NO_OP",
    "Box",
    "EnvironmentSpec",
    "Level",
    "Loss",
    "Memory",
    "Moment",
    "Observation",
    "ParameterGroup",
    "Pieces",
    "Progress",
    "Rollout",
    "Schedule",
    "StepResult",
    "TensorBatch",
]
