"""The action table of de-identification: PS3.15 Table E.1-1, column "Basic Profile", for what images carry.

Attributes that are not listed go by their value representation (`by_representation`): text is removed or
emptied unless it is known to describe the machine or a code, dates are shifted, UIDs are mapped, sequences are
searched.
"""

from __future__ import annotations

from typing import Literal

Action = Literal["X", "Z", "D", "U", "C", "K"]

MEANINGS: dict[str, str] = {
    "X": "removed",
    "Z": "emptied",
    "D": "replaced by a pseudonym or dummy",
    "U": "replaced by another UID",
    "C": "shifted by the patient's number of days",
    "K": "kept",
}

_TABLE: tuple[tuple[Action, str], ...] = (
    (
        "X",
        """
        AcquisitionComments AcquisitionContextSequence AcquisitionDeviceProcessingDescription
        AcquisitionProtocolDescription ActualHumanPerformersSequence AdditionalPatientHistory AddressTrial
        AdmissionID AdmittingDate AdmittingDiagnosesCodeSequence AdmittingDiagnosesDescription AdmittingTime
        Allergies Arbitrary AuthorObserverSequence BranchOfService CassetteID
        ClinicalTrialCoordinatingCenterName ClinicalTrialProtocolEthicsCommitteeApprovalNumber
        ClinicalTrialProtocolEthicsCommitteeName ClinicalTrialProtocolID ClinicalTrialProtocolName
        ClinicalTrialSeriesDescription ClinicalTrialSeriesID ClinicalTrialSiteID ClinicalTrialSiteName
        ClinicalTrialSponsorName ClinicalTrialSubjectID ClinicalTrialSubjectReadingID
        ClinicalTrialTimePointDescription ClinicalTrialTimePointID CommentsOnThePerformedProcedureStep
        ConfidentialityConstraintOnPatientDataDescription ConsentForClinicalTrialUseSequence
        ContentCreatorIdentificationCodeSequence ContentSequence ContributingEquipmentSequence
        ContributionDescription CountryOfResidence CurrentPatientLocation CustodialOrganizationSequence
        DataSetTrailingPadding DerivationDescription DetectorID DigitalSignatureUID
        DigitalSignaturesSequence DischargeDiagnosisDescription DistributionAddress DistributionName
        EncapsulatedDocument EthnicGroup EthnicGroupCodeSequence FrameComments GPSAltitude GPSDateStamp
        GPSLatitude GPSLongitude GPSTimeStamp GantryID GeneratorID GraphicAnnotationSequence
        HumanPerformerName HumanPerformerOrganization IconImageSequence IdentifyingComments ImageComments
        ImagePresentationComments ImagingServiceRequestComments Impressions InstitutionAddress
        InstitutionCodeSequence InstitutionName InstitutionalDepartmentName
        InstitutionalDepartmentTypeCodeSequence InsurancePlanIdentification
        IntendedRecipientsOfResultsIdentificationSequence InterpretationApproverSequence
        InterpretationAuthor InterpretationDiagnosisDescription InterpretationIDIssuer
        InterpretationRecorder InterpretationText InterpretationTranscriber IssuerOfAdmissionID
        IssuerOfAdmissionIDSequence IssuerOfPatientID IssuerOfPatientIDQualifiersSequence
        IssuerOfServiceEpisodeID IssuerOfServiceEpisodeIDSequence LastMenstrualDate MAC
        MACParametersSequence MedicalAlerts MedicalRecordLocator MilitaryRank ModifiedAttributesSequence
        ModifiedImageDescription ModifyingDeviceID ModifyingDeviceManufacturer ModifyingSystem
        NameOfPhysiciansReadingStudy NamesOfIntendedRecipientsOfResults NonconformingDataElementValue
        NonconformingModifiedAttributesSequence Occupation OperatorIdentificationSequence OperatorsName
        OrderCallbackPhoneNumber OrderCallbackTelecomInformation OrderEnteredBy OrderEntererLocation
        OriginalAttributesSequence OtherPatientIDs OtherPatientIDsSequence OtherPatientNames
        ParticipantSequence PatientAddress PatientAge PatientAlternativeCalendar
        PatientBirthDateInAlternativeCalendar PatientBirthName PatientBirthTime PatientComments
        PatientDeathDateInAlternativeCalendar PatientInstitutionResidence PatientInsurancePlanCodeSequence
        PatientMotherBirthName PatientPrimaryLanguageCodeSequence PatientPrimaryLanguageModifierCodeSequence
        PatientReligiousPreference PatientSexNeutered PatientSize PatientSizeCodeSequence PatientState
        PatientTelecomInformation PatientTelephoneNumbers PatientTransportArrangements PatientWeight
        PerformedLocation PerformedProcedureStepDescription PerformedProcedureStepID PerformedStationAETitle
        PerformedStationGeographicLocationCodeSequence PerformedStationName PerformedStationNameCodeSequence
        PerformingPhysicianIdentificationSequence PerformingPhysicianName PersonAddress
        PersonIdentificationCodeSequence PersonTelecomInformation PersonTelephoneNumbers
        PhysicianApprovingInterpretation PhysiciansOfRecord PhysiciansOfRecordIdentificationSequence
        PhysiciansReadingStudyIdentificationSequence PlateID PreMedication PregnancyStatus ProtocolName
        ReasonForRequestedProcedureCodeSequence ReasonForStudy ReasonForTheImagingServiceRequest
        ReasonForTheRequestedProcedure ReasonForVisit ReasonForVisitCodeSequence
        ReferencedDigitalSignatureSequence ReferencedPatientAliasSequence ReferencedPatientPhotoSequence
        ReferencedPatientSequence ReferencedPerformedProcedureStepSequence ReferencedSOPInstanceMACSequence
        ReferringPhysicianAddress ReferringPhysicianIdentificationSequence
        ReferringPhysicianTelephoneNumbers RegionOfResidence RequestAttributesSequence
        RequestedContrastAgent RequestedProcedureComments RequestedProcedureDescription RequestedProcedureID
        RequestedProcedureLocation RequestingPhysician RequestingPhysicianIdentificationSequence
        RequestingService ResponsibleOrganization ResponsiblePerson ResultsComments
        ResultsDistributionListSequence ResultsIDIssuer ReviewerName ScheduledHumanPerformersSequence
        ScheduledPatientInstitutionResidence ScheduledPerformingPhysicianIdentificationSequence
        ScheduledPerformingPhysicianName ScheduledProcedureStepDescription ScheduledProcedureStepID
        ScheduledProcedureStepLocation ScheduledStationAETitle ScheduledStationName ScheduledStudyLocation
        ScheduledStudyLocationAETitle SeriesDescription SeriesDescriptionCodeSequence
        ServiceEpisodeDescription ServiceEpisodeID SlideIdentifier SmokingStatus SpecialNeeds
        SpecimenAccessionNumber StationName StudyComments StudyDescription StudyIDIssuer TextComments
        TextString TimezoneOffsetFromUTC TopicAuthor TopicKeywords TopicSubject TopicTitle UDISequence
        UniqueDeviceIdentifier VerifyingOrganization VisitComments
        """,
    ),
    (
        "Z",
        """
        AccessionNumber ContentCreatorName ContrastBolusAgent FillerOrderNumberImagingServiceRequest
        PatientBirthDate PatientSex PlacerOrderNumberImagingServiceRequest ROIName RTPlanName
        ReferringPhysicianName StructureSetName StudyID VerifyingObserverIdentificationCodeSequence
        """,
    ),
    (
        "D",
        """
        DeviceSerialNumber PatientID PatientName PersonName RTPlanLabel StructureSetLabel
        VerifyingObserverName
        """,
    ),
    # text that describes the machine, a code or a segment
    (
        "K",
        """
        AcquisitionDeviceProcessingCode AlgorithmName AlgorithmSource AlgorithmVersion CodeMeaning CodeValue
        CodingSchemeDesignator CodingSchemeVersion
        CollimatorGridName ContrastBolusRoute ConvolutionKernel DeidentificationMethod
        DimensionDescriptionLabel FilterType ImagedNucleus ImplementationVersionName LUTExplanation LUTLabel
        LongCodeValue Manufacturer ManufacturerModelName MaskOperationExplanation ModalityLUTType
        PhosphorType PlateType PositionReferenceIndicator PostprocessingFunction ProcessingFunction
        PulseSequenceName ReceiveCoilManufacturerName ReceiveCoilName ReconstructionMethod RescaleType
        SegmentAlgorithmName SegmentLabel SequenceName SoftwareVersions TransmitCoilManufacturerName
        TransmitCoilName URNCodeValue WindowCenterWidthExplanation
        """,
    ),
    # UIDs that name a class, a syntax or a coding scheme
    (
        "K",
        """
        AvailableTransferSyntaxUID CodingSchemeUID ContextGroupExtensionCreatorUID ContextUID
        EncryptedContentTransferSyntaxUID MACCalculationTransferSyntaxUID MappingResourceUID
        MediaStorageSOPClassUID OriginalSpecializedSOPClassUID ReferencedRelatedGeneralSOPClassUIDInFile
        ReferencedSOPClassUID ReferencedSOPClassUIDInFile ReferencedTransferSyntaxUIDInFile
        RelatedGeneralSOPClassUID SOPClassUID SOPClassesInStudy SOPClassesSupported TransferSyntaxUID
        """,
    ),
)

RULES: dict[str, Action] = {keyword: action for action, keywords in _TABLE for keyword in keywords.split()}
"""By keyword; what is not here goes by its value representation."""

_IDENTITY = """
AccessionNumber AdmissionID ClinicalTrialSubjectID InstitutionAddress InstitutionName IssuerOfPatientID
MedicalRecordLocator OtherPatientIDs PatientAddress PatientID PatientTelephoneNumbers PerformedProcedureStepID
PlacerOrderNumberImagingServiceRequest RequestedProcedureID ScheduledProcedureStepID StudyID
"""
IDENTITY = frozenset(_IDENTITY.split())
"""Beside names of persons: values that must not stand in any text that is kept."""

_GENERIC = """
anonymized anonymous center centre clinic clinical department diagnostic general health hospital image imaging
institute medical medicine name none patient radiology research scanner school state street system systems test
university unknown
"""
GENERIC = frozenset(_GENERIC.split())
"""Words in the names of hospitals that say nothing about a person or place."""

_BY_REPRESENTATION: dict[str, Action] = {
    **dict.fromkeys(("PN", "LT", "ST", "UT", "UC", "UR", "AE", "AS", "UN"), "X"),
    **dict.fromkeys(("LO", "SH"), "Z"),
    **dict.fromkeys(("DA", "DT"), "C"),
    "UI": "U",
}


def by_representation(vr: str) -> Action:
    """What happens to an attribute that the table does not list: K for numbers, codes, times, pixels and sequences.

    >>> by_representation("LT"), by_representation("DA"), by_representation("US")
    ('X', 'C', 'K')
    """
    return _BY_REPRESENTATION.get(vr, "K")


def by_group(group: int) -> Action | None:
    """X for whole groups that go: private (odd), curves (50xx), overlays (60xx) and what is before or after a dataset.

    >>> by_group(0x6002), by_group(0x0029), by_group(0x0028)
    ('X', 'X', None)
    """
    if group % 2 or group & 0xFF00 in (0x5000, 0x6000) or group < 0x0008 or group in (0xFFFA, 0xFFFC):
        return "X"
    return None
