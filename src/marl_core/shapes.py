"""Shapes in signatures, where jaxtyping is installed.

A few modules are useful without the framework: the law of a joint action, and policy resonance.
They take their annotations from here, so that torch is all that they need. Annotations are not
evaluated where nothing checks them, and so the names may stand for nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int, Shaped
else:
    try:
        from jaxtyping import Bool, Float, Int, Shaped
    except ModuleNotFoundError:
        Bool = Float = Int = Shaped = None

__all__ = ["Bool", "Float", "Int", "Shaped"]
