"""Loggers and callbacks of Lightning that a config names: they watch a run, and change nothing."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from marl_core.base_config import LONGEST_NAME, code_of, mistake
from marl_core.errors import suggestion
from marl_core.registry import check_known, imported, is_code

#: Loggers that go by a short name. ``csv`` is ``metrics.csv``, which is always there.
LOGGERS = {
    "csv": "",
    "tensorboard": "lightning.pytorch.loggers:TensorBoardLogger",
    "wandb": "lightning.pytorch.loggers:WandbLogger",
    "mlflow": "lightning.pytorch.loggers:MLFlowLogger",
}
#: Those that need a package which is not installed with this one.
_EXTRAS = ("wandb", "mlflow")


class PluginConfig(BaseModel):
    """A class that is named in a config, and the keywords it is made with."""

    model_config = ConfigDict(frozen=True, extra="allow")
    known: ClassVar[dict[str, str]] = {}
    what: ClassVar[str]

    name: str = Field(
        max_length=LONGEST_NAME,
        description="A known name, or package.module:Class.",
    )

    @model_validator(mode="after")
    def _can_be_made(self, info: object) -> Self:
        code = code_of(info)
        if code == "leave" and is_code(self.name):
            return self
        try:
            if code == "known" and is_code(self.name):
                check_known(self.name)
            made = self.find()
        except LookupError as error:
            raise mistake(str(error.args[0]), "name") from None
        if made is not None:
            self._check_settings(made)
        return self

    @property
    def settings(self) -> dict[str, Any]:
        """The keywords that the config gives."""
        return dict(self.model_extra or {})

    def find(self) -> type | None:
        """The class; None for what is always there, and for a known one before it is needed.

        Raises:
            LookupError: there is none; the argument is a sentence for the user.
        """
        if self.name in _EXTRAS and importlib.util.find_spec(self.name) is None:
            advice = f"pip install 'policy-resonance[{self.name}]'"
            raise LookupError(f"{self.what} '{self.name}' is not installed: {advice}")
        path = self.known.get(self.name, self.name)
        if not path:
            return None
        module_name, colon, class_name = path.partition(":")
        if not colon:
            hint = suggestion(self.name, self.known)
            known = "".join(f"{name}, " for name in self.known)
            named = hint or f" (known: {known}package.module:Class)"
            raise LookupError(f"unknown {self.what} '{self.name}'{named}")
        described = f"{self.what} '{self.name}'"
        module = imported(described, lambda: importlib.import_module(module_name))
        found = getattr(module, class_name, None)
        if not inspect.isclass(found):
            hint = suggestion(class_name, vars(module))
            message = f"module '{module_name}' has no class '{class_name}'{hint}"
            raise LookupError(message)
        return found

    def _check_settings(self, made: type) -> None:
        try:
            inspect.signature(made).bind_partial(**self.settings)
        except TypeError as error:
            raise mistake(f"{self.what} '{self.name}': {error}", "name") from None


class LoggerConfig(PluginConfig):
    """A logger: ``tensorboard``, ``wandb``, ``mlflow``, or ``module:Class`` of any of Lightning's.

    All further keys are keywords of its class.
    """

    known: ClassVar[dict[str, str]] = LOGGERS
    what: ClassVar[str] = "logger"


class CallbackConfig(PluginConfig):
    """A callback: ``module:Class`` of any of Lightning's. All further keys are its keywords."""

    what: ClassVar[str] = "callback"
