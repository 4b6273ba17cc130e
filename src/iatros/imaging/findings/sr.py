"""The answer as a DICOM structured report: Comprehensive SR after template TID 1500 (PS3.16)."""

from __future__ import annotations

from typing import Any

from iatros.imaging.findings.answer import NOTICE, Answer, Quantity, TargetAnswer, name_uuid
from iatros.imaging.findings.coding import own, procedure, scheme
from iatros.imaging.findings.marking import MANUFACTURER, device, finish, identity, nameless

_MOST_SOURCES = 64
"""Images named with a measurement group; a group of hundreds of images helps no reader."""


def structured_report(answer: Answer, evidence: tuple[Any, ...], related: tuple[Any, ...] = ()) -> Any:
    """A Comprehensive SR (TID 1500): one measurement group for each target, and one for what was measured on the mask.

    A group holds the probability of each class as NUM (UCUM 1), the conformal set, whether the threshold is
    reached, quality flags and the research notice as coded evaluations, and the algorithm with version, bundle
    hash and run id (TID 4019). `evidence` are headers of the images that the answer comes from, at least one;
    `related` are the other objects of the same answer, which the report lists.
    """
    from highdicom.sr import ComprehensiveSR, MeasurementReport
    from pydicom.sr.codedict import codes

    images = [nameless(source) for source in evidence]
    groups = [_target_group(answer, target, images) for target in answer.targets]
    if answer.quantities:
        groups.append(_quantity_group(answer, images))
    report = MeasurementReport(
        observation_context=_observer(answer),
        procedure_reported=procedure(images[0].get("Modality")),
        imaging_measurements=groups,
        title=codes.DCM.ImagingMeasurementReport,
    )
    made = ComprehensiveSR(
        evidence=[*images, *related],
        content=report,
        is_complete=True,
        is_final=False,
        coding_schemes=[scheme()],
        **device(answer.software),
        **identity(answer, "sr"),
    )
    return finish(made, evidence[0], answer)


def _observer(answer: Answer) -> Any:
    from highdicom.sr import DeviceObserverIdentifyingAttributes, ObservationContext, ObserverContext
    from pydicom.sr.codedict import codes

    software = answer.software
    attributes = DeviceObserverIdentifyingAttributes(
        uid=f"2.25.{name_uuid('device', software.bundle_sha256).int}",
        name=software.bundle[:64] or MANUFACTURER,
        manufacturer_name=MANUFACTURER,
        model_name=software.model[:64],
        serial_number=software.bundle_sha256,
    )
    context = ObserverContext(observer_type=codes.DCM.Device, observer_identifying_attributes=attributes)
    return ObservationContext(observer_device_context=context)


def _algorithm(answer: Answer) -> Any:
    from highdicom.sr import AlgorithmIdentification

    software = answer.software
    parameters = (f"bundle_sha256={software.bundle_sha256}", f"run_id={answer.run_id}")
    return AlgorithmIdentification(
        name=f"{MANUFACTURER} {software.model}", version=software.version, parameters=parameters
    )


def _target_group(answer: Answer, target: TargetAnswer, images: list[Any]) -> Any:
    from highdicom.sr import MeasurementsAndQualitativeEvaluations, TrackingIdentifier

    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(
            uid=answer.uid("tracking", target.name), identifier=target.name[:64]
        ),
        finding_type=own(target.name),
        algorithm_id=_algorithm(answer),
        measurements=_measurements(target),
        qualitative_evaluations=_evaluations(answer, target),
        source_images=_sources(answer, images),
    )


def _quantity_group(answer: Answer, images: list[Any]) -> Any:
    from highdicom.sr import MeasurementsAndQualitativeEvaluations, TrackingIdentifier

    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid=answer.uid("tracking", "mask"), identifier="segmentation"),
        finding_type=own("segmentation"),
        algorithm_id=_algorithm(answer),
        measurements=[_measured(quantity) for quantity in answer.quantities],
        qualitative_evaluations=_remarks(answer),
        source_images=_sources(answer, images),
    )


def _sources(answer: Answer, images: list[Any]) -> list[Any]:
    """References to the images that count most: the key slices where there are, else the first ones."""
    from highdicom.sr import SourceImageForMeasurementGroup

    chosen = [images[k] for k in answer.key_slices if k < len(images)] or images
    return [
        SourceImageForMeasurementGroup(image.SOPClassUID, image.SOPInstanceUID)
        for image in chosen[:_MOST_SOURCES]
    ]


def _measurements(target: TargetAnswer) -> list[Any]:
    from highdicom.sr import Measurement
    from pydicom.sr.codedict import codes
    from pydicom.sr.coding import Code

    if target.value is not None:
        unit = Code(f"{{{target.unit}}}"[:16] if target.unit else "1", "UCUM", target.unit or "no units")
        return [Measurement(name=own(target.name), value=target.value, unit=unit)]
    return [
        Measurement(
            name=own(f"probability of {name}"), value=round(float(probability), 6), unit=codes.UCUM.NoUnits
        )
        for name, probability in zip(target.classes, target.probabilities, strict=True)
    ]


def _measured(quantity: Quantity) -> Any:
    from highdicom.sr import Measurement
    from pydicom.sr.coding import Code

    unit = Code(quantity.ucum, "UCUM", quantity.unit)
    return Measurement(name=own(quantity.name), value=round(float(quantity.value), 6), unit=unit)


def _evaluations(answer: Answer, target: TargetAnswer) -> list[Any]:
    from highdicom.sr import QualitativeEvaluation

    said = []
    if target.predicted is not None:
        said.append(QualitativeEvaluation(own("most probable class"), own(target.predicted)))
    if target.conformal_set is not None and target.confidence_level is not None:
        name = own(f"class not ruled out with {100 * target.confidence_level:g} % confidence")
        said += [
            QualitativeEvaluation(name, own(held)) for held in target.conformal_set or ("no class fits",)
        ]
    if target.crossed is not None:
        reached = "at or above threshold" if target.crossed else "below threshold"
        said.append(QualitativeEvaluation(own("operating point"), own(reached)))
    return said + _remarks(answer)


def _remarks(answer: Answer) -> list[Any]:
    from highdicom.sr import QualitativeEvaluation

    flags = [QualitativeEvaluation(own("quality remark"), own(flag)) for flag in answer.flags]
    return [*flags, QualitativeEvaluation(own("intended use"), own(NOTICE))]
