"""The models of affinity that can be trained: one line each, imported when asked for."""

from iatros.core.registry import Registry

MODELS = Registry("model", group="iatros.molecules.affinity.models")

_HERE = "iatros.molecules.affinity.models"

MODELS.add(
    "kron-rls",
    f"{_HERE}.kron_rls:KronRls",
    "kernel ridge regression: similarity of drugs times similarity of targets",
    extra="molecules",
)
MODELS.add(
    "matrix-factorisation",
    f"{_HERE}.matrix_factorisation:MatrixFactorisation",
    "offsets and factors of drugs and targets, found for new ones by their likes",
    extra="molecules",
)
MODELS.add(
    "dti-hybrid",
    f"{_HERE}.hybrid:Hybrid",
    "boosted trees over kernel regressions, neighbours, descriptors and sequence composition",
    extra="molecules",
)
MODELS.add(
    "dti-cnn",
    f"{_HERE}.cnn:Cnn",
    "convolutions over the letters of SMILES and of the protein (DeepDTA)",
    extra="molecules",
)
