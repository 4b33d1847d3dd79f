/**
 * Instances to measure whole pipelines with, as a scanner writes them: a CT slice of 512 x 512 in 16 bits and a
 * radiograph of 2500 x 2048, computed anatomy under detector noise, each with a header of about 130 elements of which 5 are
 * sequences and 34 private. UIDs are valid and every file's own; slices of 60 are a study.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Attributes, type PrivateElement, part10Of } from '../src/samples/instance.ts';
import { identifying, PEOPLE, type Person } from '../src/samples/people.ts';
import { CHEST, drawPlane, quantize, trunk } from '../src/samples/phantom.ts';
import { Seeded } from '../src/samples/random.ts';

export type Kind = 'CT' | 'DX';

const PRIVATE_ELEMENTS = 34;
const CT_STUDY_SLICES = 60;
/** Slices and radiographs that differ in their pixels; after these they repeat, under other UIDs. */
const PICTURES: Readonly<Record<Kind, number>> = { CT: 20, DX: 3 };
const WHITE = 4095;

/** Writes `count` files and answers their paths. */
export function writeInstances(folder: string, kind: Kind, count: number): string[] {
  mkdirSync(folder);
  const pictures = Array.from({ length: Math.min(count, PICTURES[kind]) }, (_, index) =>
    kind === 'CT' ? slice(index) : radiograph(index),
  );
  return Array.from({ length: count }, (_, index) => {
    const pixelData = pictures[index % pictures.length] ?? new Uint8Array();
    const path = join(folder, `${String(index).padStart(4, '0')}.dcm`);
    const attributes = kind === 'CT' ? ctAttributes(index) : dxAttributes(index);
    writeFileSync(path, part10Of({ attributes, privateElements: privateElements(), pixelData }));
    return path;
  });
}

function slice(index: number): Uint8Array {
  const ellipses = trunk(index / (PICTURES.CT - 1));
  const values = drawPlane({ rows: 512, columns: 512, background: 24, ellipses, noise: 14 }, new Seeded(100 + index));
  return bytesOf(quantize(values, new Uint16Array(512 * 512), { minimum: 0, maximum: WHITE }));
}

function radiograph(index: number): Uint8Array {
  const plane = { rows: 2500, columns: 2048, background: 500, ellipses: CHEST, noise: 12 };
  const values = drawPlane(plane, new Seeded(200 + index));
  return bytesOf(quantize(values, new Uint16Array(2500 * 2048), { minimum: 0, maximum: WHITE }));
}

function bytesOf(samples: Uint16Array): Uint8Array {
  return new Uint8Array(samples.buffer);
}

/** Under 2.25 (PS3.5 B.2), of fixed numbers. */
function uid(kind: Kind, what: 1 | 2 | 3 | 4, number: number): string {
  return `2.25.7190${kind === 'CT' ? 1 : 2}${what}${String(number).padStart(8, '0')}`;
}

function code(value: string, meaning: string, scheme = 'SCT'): Attributes {
  return { CodeValue: value, CodingSchemeDesignator: scheme, CodeMeaning: meaning };
}

function privateElements(): PrivateElement[] {
  const rest = Array.from({ length: PRIVATE_ELEMENTS - 1 }, (_, index): PrivateElement => {
    const tag = 0x00191001 + index;
    return index % 3 === 0 ? { tag, vr: 'DS', value: `${index}.5` } : { tag, vr: 'LO', value: `setting ${index}` };
  });
  return [{ tag: 0x00190010, vr: 'LO', value: 'PHANTOM WORKS 1.0' }, ...rest];
}

function common(kind: Kind, person: Person, of: { study: number; instance: number }): Attributes {
  return {
    ...identifying({ ...person, patientId: `${person.patientId}-${of.study}` }),
    SOPInstanceUID: uid(kind, 3, of.instance),
    StudyInstanceUID: uid(kind, 1, of.study),
    SeriesInstanceUID: uid(kind, 2, of.study),
    SeriesNumber: '1',
    InstanceNumber: String(of.instance + 1),
    AcquisitionNumber: '1',
    SeriesDate: person.studyDate,
    SeriesTime: person.studyTime,
    AcquisitionDate: person.studyDate,
    AcquisitionTime: person.studyTime,
    ContentDate: person.studyDate,
    ContentTime: person.studyTime,
    ProtocolName: 'Routine',
    BodyPartExamined: 'CHEST',
    KVP: '120',
    DateOfLastCalibration: '20251201',
    TimeOfLastCalibration: '060000',
    PatientPosition: 'HFS',
    ExposureTime: '500',
    XRayTubeCurrent: '220',
    Exposure: '110',
    FilterType: 'BODY',
    GeneratorPower: '42',
    FocalSpots: '1.2',
    DistanceSourceToDetector: '1040',
    DistanceSourceToPatient: '570',
    PerformedProcedureStepStartDate: person.studyDate,
    PerformedProcedureStepStartTime: person.studyTime,
    PerformedProcedureStepID: 'PPS1',
    PerformedProcedureStepDescription: 'Routine',
    BurnedInAnnotation: 'NO',
    LossyImageCompression: '00',
    SamplesPerPixel: [1],
    PhotometricInterpretation: 'MONOCHROME2',
    BitsAllocated: [16],
    BitsStored: [12],
    HighBit: [11],
    PixelRepresentation: [0],
    RescaleSlope: '1',
    ProcedureCodeSequence: [code('P1', 'Routine', '99LOCAL')],
  };
}

function ctAttributes(index: number): Attributes {
  const study = Math.floor(index / CT_STUDY_SLICES);
  const position = (index % CT_STUDY_SLICES) * 5 - 150;
  return {
    ...common('CT', PEOPLE.trunk, { study, instance: index }),
    SOPClassUID: '1.2.840.10008.5.1.4.1.1.2',
    Modality: 'CT',
    ImageType: 'ORIGINAL\\PRIMARY\\AXIAL',
    StudyDescription: 'CT trunk',
    SeriesDescription: 'Trunk 5 mm',
    FrameOfReferenceUID: uid('CT', 4, study),
    PositionReferenceIndicator: '',
    ScanOptions: 'HELICAL',
    SliceThickness: '5',
    SpacingBetweenSlices: '5',
    DataCollectionDiameter: '500',
    ReconstructionDiameter: '358',
    GantryDetectorTilt: '0',
    TableHeight: '141',
    RotationDirection: 'CW',
    ConvolutionKernel: 'STANDARD',
    RevolutionTime: [0.5],
    SingleCollimationWidth: [0.625],
    TotalCollimationWidth: [40],
    TableSpeed: [80],
    TableFeedPerRotation: [40],
    SpiralPitchFactor: [1],
    ImagePositionPatient: `-179.2\\-179.2\\${position}`,
    ImageOrientationPatient: '1\\0\\0\\0\\1\\0',
    SliceLocation: String(position),
    PixelSpacing: '0.7\\0.7',
    Rows: [512],
    Columns: [512],
    RescaleIntercept: '-1024',
    RescaleType: 'HU',
    WindowCenter: '40',
    WindowWidth: '400',
    ReferencedImageSequence: [
      { ReferencedSOPClassUID: '1.2.840.10008.5.1.4.1.1.2', ReferencedSOPInstanceUID: uid('CT', 3, 0) },
    ],
    AnatomicRegionSequence: [code('51185008', 'Chest')],
  };
}

function dxAttributes(index: number): Attributes {
  return {
    ...common('DX', PEOPLE.chest, { study: index, instance: index }),
    SOPClassUID: '1.2.840.10008.5.1.4.1.1.1.1',
    Modality: 'DX',
    ImageType: 'ORIGINAL\\PRIMARY\\',
    PresentationIntentType: 'FOR PRESENTATION',
    StudyDescription: 'Chest',
    SeriesDescription: 'Chest PA',
    PatientOrientation: 'L\\F',
    ImageLaterality: 'U',
    ViewPosition: 'PA',
    PositionerType: 'NONE',
    ImagerPixelSpacing: '0.15\\0.15',
    DetectorType: 'DIRECT',
    DetectorConfiguration: 'AREA',
    DetectorID: 'D1',
    DetectorActiveShape: 'RECTANGLE',
    FieldOfViewShape: 'RECTANGLE',
    FieldOfViewHorizontalFlip: 'NO',
    Grid: 'FIXED\\PARALLEL',
    Sensitivity: '400',
    ExposureControlMode: 'AUTOMATIC',
    RelativeXRayExposure: '320',
    PixelIntensityRelationship: 'LOG',
    PixelIntensityRelationshipSign: [1],
    PresentationLUTShape: 'IDENTITY',
    Rows: [2500],
    Columns: [2048],
    RescaleIntercept: '0',
    RescaleType: 'US',
    WindowCenter: '1400',
    WindowWidth: '2600',
    AcquisitionContextSequence: [],
    AnatomicRegionSequence: [code('43799004', 'Chest')],
    ViewCodeSequence: [{ ...code('272479007', 'postero-anterior'), ViewModifierCodeSequence: [] }],
  };
}
