"""The models that can be trained on compounds: one line each, imported when asked for."""

from iatros.core.registry import Registry

MODELS = Registry("model", group="iatros.molecules.models")
