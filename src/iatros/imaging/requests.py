"""What can be asked about images: one frozen class per action. Defaults live here and nowhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, model_validator
from pydantic.config import JsonDict

from iatros.core.request import ImagesRef, ModelRef, Names, Request, TableRef

Task = Literal["auto", "binary", "multiclass", "multilabel", "ordinal", "continuous", "segmentation"]
Window = Annotated[str | None, Field(pattern=r"^-?\d+(\.\d+)?,\d+(\.\d+)?$")]
FileRef = Annotated[Path, PlainSerializer(lambda path: {"file": path.name})]

_POSITIONAL: JsonDict = {"positional": True}
_ADDRESS: JsonDict = {"address": True}
_IMAGES = (
    "a folder of DICOM files, a folder of PNG, JPEG or TIFF per class, a CSV or Parquet manifest, NIfTI volumes, "
    "a MedMNIST-style .npz, one file, or a DICOMweb query (https://pacs/dicom-web?Modality=CT)"
)
AUGMENTATIONS = ("flip", "rotate", "scale", "shift", "contrast", "gamma", "noise", "cutout")


class _ReadsImages(Request):
    """Fields of every request that reads images."""

    images: ImagesRef = Field(description=_IMAGES, json_schema_extra=_POSITIONAL)


class _ReadsLabels(Request):
    """Fields of every request that needs to know what is true of an image."""

    table: TableRef | None = Field(
        None,
        description="labels and patients of images that carry none: a CSV, Parquet or DataFrame with a column path, "
        "series_uid, study_uid or subject_id, and further columns",
    )
    label: Names = Field(
        (),
        description="the label column (several make a multi-label task), label where not given; of a segmentation the "
        "names of the labels 1, 2, ...",
    )
    subject: str = Field("subject_id", description="the patient column of the manifest or table")
    site: str = Field("site", description="the hospital column of the manifest or table; never learned from")


class ReadRequest(_ReadsImages):
    """List what can be read and what is refused, with the reason for each file."""

    window: Window = Field(None, description="grey scale window as CENTRE,WIDTH instead of the file's own")


class TrainRequest(_ReadsImages, _ReadsLabels):
    """Learn from images what an image shows, and show how far it can be trusted."""

    positive: str | None = Field(None, description="which class counts as the finding; the others are joined")
    task: Task = Field("auto", description="kind of answer; auto reads it off the labels")
    split: str = Field("split", description="the column of the manifest that names the side of each image")
    model: Names = Field(
        ("resnet",), description="networks to train (comma separated); the best on the tuning side is kept"
    )
    param: Annotated[tuple[str, ...], BeforeValidator(lambda v: (v,) if isinstance(v, str) else v)] = Field(
        (), description="a model parameter, as MODEL.NAME=VALUE; may be repeated"
    )
    weights: FileRef | None = Field(None, description="start from the weights in this .safetensors file")
    features: Names = Field(
        (), description="columns of the patient table that fusion learns from; all where not given"
    )
    size: int = Field(
        0,
        ge=0,
        le=1024,
        description="rows and columns the network sees; 0 takes what the images have, 224 at most",
        json_schema_extra={"unit": "px"},
    )
    channels: Literal["auto", "1", "3"] = Field("auto", description="grey (1) or colour (3)")
    fit: Literal["pad", "stretch"] = Field("pad", description="how an image that is not square is fitted")
    slices: int = Field(32, ge=1, le=512, description="most slices of a study that a network sees")
    window: Window = Field(None, description="grey scale window as CENTRE,WIDTH instead of the file's own")
    validation: Literal["auto", "held-out", "cross-validation", "site"] = Field(
        "auto", description="how performance is estimated; auto takes the source's own split where it has one"
    )
    held_out_fraction: float = Field(0.2, gt=0.0, lt=0.9, description="share of the patients held out")
    folds: int = Field(5, ge=2, le=20, description="folds of cross-validation")
    epochs: int = Field(30, ge=1, le=2000, description="passes over the training images")
    patience: int = Field(
        0, ge=0, le=2000, description="epochs without a better tuning score before stopping; 0 never"
    )
    batch_size: int = Field(
        0, ge=0, le=4096, description="images per step; 0 leaves it to the size of the images"
    )
    learning_rate: float = Field(
        0.0, ge=0.0, le=1.0, description="highest learning rate; 0 is the model's own"
    )
    weight_decay: float = Field(0.05, ge=0.0, le=1.0, description="of AdamW")
    loss: Literal["auto", "cross-entropy", "binary-cross-entropy", "ordinal", "squared-error"] = Field(
        "auto", description="training objective; auto goes by the task"
    )
    class_balanced: bool = Field(True, description="weigh classes by the inverse of their frequency")
    label_smoothing: float = Field(0.05, ge=0.0, lt=0.5, description="of the cross-entropy")
    augment: Names = Field(
        AUGMENTATIONS, description=f"augmentations, none to switch off: {', '.join(AUGMENTATIONS)}"
    )
    test_time: bool = Field(
        True, description="average over the mirror image where flip is among the augmentations"
    )
    ema: float = Field(
        0.995, ge=0.0, lt=1.0, description="decay of the moving average of the weights; 0 switches off"
    )
    ensemble: int = Field(
        1,
        ge=1,
        le=20,
        description="networks averaged, from different seeds and, unless the source names the sides, with other "
        "patients choosing the epoch",
    )
    int8: bool = Field(
        True, description="also store the network in 8-bit integers, and measure what that costs"
    )
    explain: Literal["gradcam", "gradcam++", "integrated-gradients", "occlusion"] = Field(
        "integrated-gradients", description="heat maps of the report"
    )
    subgroup: Names = Field(
        (), description="columns in which performance is compared, beside sex, age band, scanner and site"
    )
    calibration: Literal["auto", "none", "intercept", "slope", "isotonic"] = Field(
        "auto",
        description="calibration on patients the model has not seen; auto chooses by cross-validated loss",
    )
    confidence_level: float = Field(0.95, gt=0.5, lt=1.0, description="of the intervals of metrics")
    coverage: float = Field(0.9, gt=0.5, lt=1.0, description="of conformal sets and prediction intervals")
    near_duplicates: bool = Field(
        True,
        description="keep images that are nearly the same on one side, and leave out those that contradict",
    )
    seed: int = Field(0, ge=0, lt=2**31, description="of everything random")

    @model_validator(mode="after")
    def _goes_together(self) -> TrainRequest:
        unknown = sorted(set(self.augment) - {*AUGMENTATIONS, "none"})
        if unknown:
            raise ValueError(f"augment: no augmentation is called {', '.join(unknown)}")
        if self.task == "segmentation" and self.positive is not None:
            raise ValueError("positive is for classes of images, not for segmentation")
        return self


class _UsesModel(Request):
    """Fields of every request that asks a bundle about images."""

    model: ModelRef = Field(description="the bundle", json_schema_extra=_POSITIONAL)
    images: ImagesRef = Field(description=_IMAGES, json_schema_extra=_POSITIONAL)


class _AsksModel(_UsesModel):
    """Fields of every request that has a bundle answer for images without labels."""

    table: TableRef | None = Field(None, description="the patient table of a fusion model")


class PredictRequest(_AsksModel):
    """What each image or study shows, how sure the model is, and what is unusual about the image."""

    precision: Literal["fp32", "int8"] = Field("fp32", description="which stored form of the network answers")
    refuse: bool = Field(
        True, description="give no answer where a quality gate says that none can be trusted"
    )


class EvaluateRequest(_UsesModel, _ReadsLabels):
    """External validation: how the model does on images from elsewhere."""

    split: str = Field("split", description="the column of the manifest that names the side of each image")
    side: str | None = Field(None, description="judge only the images of this side, such as held_out")
    precision: Literal["fp32", "int8"] = Field("fp32", description="which stored form of the network answers")
    subgroup: Names = Field(
        (), description="columns in which performance is compared, beside sex, age band, scanner and site"
    )
    confidence_level: float = Field(0.95, gt=0.5, lt=1.0, description="of the intervals of metrics")
    seed: int = Field(0, ge=0, lt=2**31, description="of everything random")


class ExplainRequest(_AsksModel):
    """Where in the image the answer comes from: a heat map over each image, and checks of the map itself."""

    method: Literal["gradcam", "gradcam++", "integrated-gradients", "occlusion"] = Field(
        "integrated-gradients", description="how the heat map is made"
    )
    answer: str | None = Field(
        None, description="the class that is explained; the predicted one where not given"
    )
    most: int = Field(16, ge=1, le=1000, description="images to explain, the first ones of the source")
    seed: int = Field(0, ge=0, lt=2**31, description="of everything random")


class FindingsRequest(_AsksModel):
    """The answer as hospital systems take it: DICOM SR, Secondary Capture, SEG, and FHIR, under one run id."""

    objects: Names = Field(
        ("sr", "sc", "seg", "fhir"), description="what to write: sr, sc, seg (where there is a mask), fhir"
    )
    method: Literal["gradcam", "gradcam++", "integrated-gradients", "occlusion"] = Field(
        "integrated-gradients", description="how the overlay of the Secondary Capture is made"
    )
    deidentify: bool = Field(
        False, description="remove and replace what identifies the patient (PS3.15 basic profile)"
    )
    dicomweb: str | None = Field(
        None,
        description="store the objects here by STOW-RS, such as https://pacs/dicom-web",
        json_schema_extra=_ADDRESS,
    )
    cstore: str | None = Field(
        None, description="store the objects here by C-STORE, as AE@HOST:PORT", json_schema_extra=_ADDRESS
    )


class DeidentifyRequest(_ReadsImages):
    """Copies of DICOM files without what identifies the patient, and a list of what was removed."""

    keep_dates: bool = Field(False, description="keep dates as they are instead of shifting them by patient")
