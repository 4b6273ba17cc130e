"""The public datasets about images: where each one is, its licence, and what others reached on it."""

from __future__ import annotations

from iatros.core.cards import Card, CardFile, Cards, Published

_ZENODO = "https://zenodo.org/records/10519652/files"
_MEDMNIST = "MedMNIST v2, Yang et al., Sci Data 2023;10:41, official test split"
_MEDMNIST_CITATION = (
    "Yang J, Shi R, Wei D, et al. MedMNIST v2. Scientific Data 2023;10:41. doi:10.1038/s41597-022-01721-8"
)
_FOLDERS = "iatros.imaging.dataset_folders"

# (network, AUROC, accuracy), each at the size in px that was given to it
_PNEUMONIA = (
    ("ResNet-18, 28 px", 0.944, 0.854),
    ("ResNet-18, 224 px", 0.956, 0.864),
    ("ResNet-50, 28 px", 0.948, 0.854),
    ("ResNet-50, 224 px", 0.962, 0.884),
    ("auto-sklearn", 0.942, 0.855),
    ("AutoKeras", 0.947, 0.878),
    ("Google AutoML Vision", 0.991, 0.946),
)
_BREAST = (
    ("ResNet-18, 28 px", 0.901, 0.863),
    ("ResNet-18, 224 px", 0.891, 0.833),
    ("ResNet-50, 28 px", 0.857, 0.812),
    ("ResNet-50, 224 px", 0.866, 0.842),
    ("auto-sklearn", 0.836, 0.803),
    ("AutoKeras", 0.871, 0.831),
    ("Google AutoML Vision", 0.919, 0.861),
)


def _published(rows: tuple[tuple[str, float, float], ...]) -> tuple[Published, ...]:
    return tuple(
        Published(metric, value, f"{network}; {_MEDMNIST}")
        for network, auroc, accuracy in rows
        for metric, value in (("auroc", auroc), ("accuracy", accuracy))
    )


CARDS = Cards(
    (
        Card(
            name="simulated-radiographs",
            title="Simulated chest radiographs, 1500 at 64 px, with lesions of known place (no patients)",
            domain="imaging",
            page="",
            licence="Apache-2.0",
            citation="simulated by iatros itself",
            writer=f"{_FOLDERS}:write_simulated",
            embedded=True,
            notes="nothing in it was learned from patients: it shows that heat maps find what is there, and says "
            "nothing about how well a model does on real images; a quarter of the subjects have two images",
        ),
        Card(
            name="simulated-ultrasound",
            title="Simulated breast ultrasound, 16,000 at 128 px, with seven properties of the mass (no patients)",
            domain="imaging",
            page="",
            licence="Apache-2.0",
            citation="simulated by iatros itself",
            writer=f"{_FOLDERS}:write_simulated_ultrasound",
            embedded=True,
            notes="nothing in it was learned from patients: a network that learned the properties is a start (weights) "
            "for real ultrasound where there is little of it; takes two minutes to make",
        ),
        Card(
            name="pneumoniamnist",
            title="PneumoniaMNIST, paediatric chest radiographs at 28 px, with the official splits",
            domain="imaging",
            page="https://medmnist.com",
            licence="CC BY 4.0",
            citation=f"{_MEDMNIST_CITATION}; images of Kermany D, et al. Cell 2018;172:1122",
            writer=f"{_FOLDERS}:use_pneumoniamnist",
            files=(
                CardFile(
                    "pneumoniamnist.npz",
                    (f"{_ZENODO}/pneumoniamnist.npz?download=1",),
                    "",
                    None,
                    md5="28209eda62fecd6e6a2d98b1501bb15f",
                ),
            ),
            published=_published(_PNEUMONIA),
            notes="label 1 is pneumonia: 74 % of the training and validation images and 63 % of the test images",
        ),
        Card(
            name="breastmnist",
            title="BreastMNIST, breast ultrasound (BUSI) at 28 px, with the official splits",
            domain="imaging",
            page="https://medmnist.com",
            licence="CC BY 4.0",
            citation=f"{_MEDMNIST_CITATION}; images of Al-Dhabyani W, et al. Data in Brief 2020;28:104863",
            writer=f"{_FOLDERS}:use_breastmnist",
            files=(
                CardFile(
                    "breastmnist.npz",
                    (f"{_ZENODO}/breastmnist.npz?download=1",),
                    "",
                    None,
                    md5="750601b1f35ba3300ea97c75c52ff8f6",
                ),
            ),
            published=_published(_BREAST),
            notes="label 0 is malignant, 1 is normal or benign; BUSI, from which it is made, holds images that are "
            "nearly the same and some whose labels contradict each other, and the official splits do not part them",
        ),
        Card(
            name="msd-hippocampus",
            title="Hippocampus in T1 MR, 260 volumes with the anterior and posterior part outlined (Decathlon task 4)",
            domain="imaging",
            page="https://medicaldecathlon.com",
            licence="CC BY-SA 4.0",
            citation="Antonelli M, Reinke A, Bakas S, et al. The Medical Segmentation Decathlon. Nature Communications "
            "2022;13:4128. doi:10.1038/s41467-022-30695-9",
            writer=f"{_FOLDERS}:unpack_hippocampus",
            files=(
                CardFile(
                    "Task04_Hippocampus.tar",
                    ("https://msd-for-monai.s3-us-west-2.amazonaws.com/Task04_Hippocampus.tar",),
                    "",
                    None,
                    md5="9d24dba78a72977dbd1d2e110310f31b",
                ),
            ),
            published=(
                Published(
                    "dice_anterior", 0.90, "nnU-Net, Isensee et al., Nat Methods 2021;18:203, hidden test set"
                ),
                Published(
                    "dice_posterior",
                    0.89,
                    "nnU-Net, Isensee et al., Nat Methods 2021;18:203, hidden test set",
                ),
            ),
            notes="about 35 x 50 x 35 voxels of 1 mm; the MD5 is the one that MONAI publishes for this copy; the "
            "labels of the test volumes are not public",
        ),
    )
)
