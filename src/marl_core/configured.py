"""A small base for parts that are made from settings alone: individual policies and couplings."""

from __future__ import annotations

from typing import ClassVar, Generic, TypeVar, get_args

from marl_core.base_config import PartConfig
from marl_core.types import EnvironmentSpec

AnyConfig = TypeVar("AnyConfig", bound=PartConfig)


class Configured(Generic[AnyConfig]):
    """A part whose settings come as a config, or as keywords: ``EpsilonGreedy(end=0.05)``.

    The base is offered, not demanded: any class that takes ``(config, spec)`` can be named in a
    config. A subclass is written as ``class EpsilonGreedy(Configured[EpsilonGreedyConfig])``, which
    also sets its ``Config``.

    Args:
        config: the settings; None: they are given by keywords.
        spec: what the environment gives; None where a part is made by hand and does not need it.
        settings: the config's fields, where ``config`` is None.
    """

    Config: ClassVar[type[PartConfig]]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for base in vars(cls).get("__orig_bases__", ()):
            arguments = get_args(base)
            if arguments and isinstance(arguments[0], type):
                cls.Config = arguments[0]

    def __init__(
        self,
        config: AnyConfig | None = None,
        spec: EnvironmentSpec | None = None,
        **settings: object,
    ) -> None:
        chosen = self.Config(**settings) if config is None else config  # type: ignore[arg-type]
        self.config: AnyConfig = chosen  # type: ignore[assignment]
        self.spec = spec

    def __repr__(self) -> str:
        shown = self.config.model_dump(exclude={"name"})
        settings = ", ".join(f"{name}={value!r}" for name, value in shown.items())
        return f"{type(self).__name__}({settings})"
