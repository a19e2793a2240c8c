"""From a quantized model to a fixed-point XIR graph whose ops know their device."""

from nerone.compilation.lowering.context import Decision
from nerone.compilation.lowering.lower import lower

__all__ = ["Decision", "lower"]
