"""An individual policy to check."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from marl_core.protocols import IndividualPolicy
from marl_core.testing.scenes import Scene
from marl_core.types import EnvironmentSpec

#: Makes a policy for what an environment gives.
MakePolicy = Callable[[EnvironmentSpec], IndividualPolicy]


@dataclass(frozen=True)
class PolicyCase:
    """An individual policy to check.

    Attributes:
        make: ``make(spec)`` gives one; often ``functools.partial(SomePolicy, config)``.
    """

    make: MakePolicy

    def log_policy(self, scene: Scene) -> Tensor:
        """What a fresh policy says of a scene.

        Args:
            scene: what it is asked about.
        """
        return log_policy_in(self.make(scene.spec), scene)


def log_policy_in(policy: IndividualPolicy, scene: Scene) -> Tensor:
    """What a policy says of a scene.

    Args:
        policy: is asked.
        scene: what it is asked about.
    """
    return policy.log_policy(
        scene.batch.scores,
        scene.batch.legal,
        scene.progress,
    )
