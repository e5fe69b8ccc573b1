"""The authors' trained teams: from the tensors of their program to those of host ``conc4hist``.

Their program is binary-husky/hmp2g; its network is ``conc_4hist`` as of commit e822c6c.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from marl_core.runs.checkpoint_file import load_data
from marl_core.runs.regular_files import read_bytes
from marl_core.runs.weights import read_weights
from marl_core.runs.whole_writes import create_output_folder, write_output

#: A tensor by which their state dict is known.
_SIGN: Final = "AT_obs_encoder.0.weight"
#: Their layers and ours. Theirs multiply from the left, ours from the right.
_LAYERS: Final = {
    "AT_obs_encoder.0": "network.encoder.first",
    "AT_obs_encoder.2": "network.encoder.second",
    "MIX_conc_core_f.CT_motivate_mlp.0": "network.now.motive",
    "MIX_conc_core_f.AT_forward_mlp.0": "network.now.focus",
    "MIX_conc_core_h.CT_motivate_mlp.0": "network.past.motive",
    "MIX_conc_core_h.AT_forward_mlp.0": "network.past.focus",
    "AT_get_logit_db.0": "trunk.layers.0",
    "AT_get_logit_db.2": "head.layers.0",
    "AT_get_logit_db.4": "head.layers.1",
    "CT_get_value.0": "critic.layers.0",
    "CT_get_value.2": "critic.layers.1",
}
#: Their tensors that are ours as they are.
_TENSORS: Final = {
    "MIX_conc_core_f.CT_W_query": "network.now.query",
    "MIX_conc_core_f.CT_W_key": "network.now.key",
    "MIX_conc_core_f.CT_W_val": "network.now.value",
    "MIX_conc_core_h.CT_W_query": "network.past.query",
    "MIX_conc_core_h.CT_W_key": "network.past.key",
    "MIX_conc_core_h.CT_W_val": "network.past.value",
    "_batch_norm.mean": "norm.mean",
    "_batch_norm.var": "norm.variance",
    "_batch_norm.one_hot_filter": "norm.one_hot",
}
_ROWS_SEEN: Final = "_batch_norm.n_sample"


def translated(theirs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The parameters of host ``conc4hist``, from those of the authors' network.

    The head that predicts a threat is left out: our host has none. The number of rows that the
    normaliser has seen comes along, or the first update would replace its statistics.

    Args:
        theirs: their state dict.

    Raises:
        KeyError: a tensor is missing.
    """
    ours = {name: theirs[source] for source, name in _TENSORS.items()}
    for source, name in _LAYERS.items():
        ours[f"{name}.weight"] = theirs[f"{source}.weight"].T
        ours[f"{name}.bias"] = theirs[f"{source}.bias"]
    encoded, features = len(ours["network.now.query"]), len(ours["norm.mean"])
    for block in ("now", "past"):
        name = f"network.{block}.focus.weight"
        ours[name] = _encoded_first(ours[name], encoded, features)
    ours["norm.count"] = theirs[_ROWS_SEEN].reshape(()).long()
    return {name: tensor.contiguous() for name, tensor in ours.items()}


def with_our_names(weights: Path, folder: Path) -> Path:
    """A file of weights, with a file of the authors' replaced by its translation.

    Args:
        weights: any file of weights.
        folder: where the translation goes.

    Returns:
        The file itself, where it is none of the authors'.

    Raises:
        UserError: it cannot be read, or the translation cannot be written.
    """
    theirs = _theirs_in(weights) if weights.is_file() else None
    if theirs is None:
        read_weights(weights)  # Jobs would find out only one by one.
        return weights
    translation = folder / "translated" / weights.name
    create_output_folder(translation.parent, "folder of translated weights")
    content = _saved(translated(theirs))
    write_output(translation, content, "translated weights")
    return translation


def _encoded_first(weight: Tensor, encoded: int, features: int) -> Tensor:
    """Reorder the rows of a focus layer: theirs takes encoded rows and their features by turns."""
    entities = len(weight) // (encoded + features)
    by_turns = weight.split([encoded, features] * entities)
    return torch.cat([*by_turns[0::2], *by_turns[1::2]])


def _theirs_in(file: Path) -> Mapping[str, Tensor] | None:
    """The authors' state dict in a file; None: there is none."""
    saved = load_data(file, read_bytes(file), "file of weights")
    return next((found for found in _mappings(saved) if _SIGN in found), None)


def _mappings(saved: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield saved
    for value in saved.values():
        if isinstance(value, Mapping):
            yield value


def _saved(tensors: dict[str, Tensor]) -> bytes:
    buffer = io.BytesIO()
    torch.save(tensors, buffer)
    return buffer.getvalue()
