/**
 * The sample studies of the demo, computed from a seed: the same bytes on every machine. Each shows something that a
 * gateway must get right: 16-bit MONOCHROME1, a signed CT series, colour frames with a name burned in, compressed input,
 * and an object without an image.
 */
import { encodeJpeg2000Lossless } from '../imaging/codecs/jpeg-2000.ts';
import { drawText } from './glyphs.ts';
import { type Attributes, type PrivateElement, part10Of } from './instance.ts';
import { identifying, PEOPLE, type Person } from './people.ts';
import { CHEST, drawPlane, HEAD, quantize, trunk } from './phantom.ts';
import { Seeded } from './random.ts';

export interface SampleFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

export interface SampleStudy {
  readonly title: string;
  readonly files: readonly SampleFile[];
}

const SEED = 20260101;
const CT_SLICES = 40;
const US_FRAMES = 8;

/** All studies, one after the other: only one is in memory at a time. */
export async function* makeSampleStudies(): AsyncGenerator<SampleStudy> {
  yield chestStudy();
  yield trunkStudy();
  yield ultrasoundStudy();
  yield await headStudy();
  yield reportStudy();
}

/** UIDs under 2.25 from fixed numbers (PS3.5 §B.2): the samples' own, never a real study's. */
function uid(study: number, series: number, instance: number): string {
  return `2.25.3190157${String(study).padStart(4, '0')}${String(series).padStart(4, '0')}${String(instance).padStart(6, '0')}77`;
}

/** Private elements as vendors leave them, with somebody's name inside. */
function privateOf(person: Person): PrivateElement[] {
  return [
    { tag: 0x00090010, vr: 'LO', value: 'PHANTOM WORKS 1.0' },
    { tag: 0x00091001, vr: 'LO', value: `Ordered for ${person.name.replaceAll('^', ' ')}` },
    { tag: 0x00091002, vr: 'SH', value: person.patientId },
  ];
}

function series(study: number, number: number, extra: Attributes): Attributes {
  return {
    StudyInstanceUID: uid(study, 0, 0),
    SeriesInstanceUID: uid(study, number, 0),
    SeriesNumber: String(number),
    ...extra,
  };
}

function image(rows: number, columns: number, extra: Attributes): Attributes {
  return {
    Rows: [rows],
    Columns: [columns],
    SamplesPerPixel: [1],
    BitsAllocated: [16],
    BitsStored: [12],
    HighBit: [11],
    PixelRepresentation: [0],
    ...extra,
  };
}

function chestStudy(): SampleStudy {
  const person = PEOPLE.chest;
  const [rows, columns] = [2500, 2048];
  const random = new Seeded(SEED);
  const values = drawPlane({ rows, columns, background: 500, ellipses: CHEST, noise: 12 }, random);
  const stored = quantize(
    values.map((value) => 4095 - value),
    new Uint16Array(rows * columns),
    { minimum: 0, maximum: 4095 },
  ); // MONOCHROME1: low is bright
  const attributes: Attributes = {
    ...identifying(person),
    ...series(1, 1, {
      SeriesDate: person.studyDate,
      SeriesTime: person.studyTime,
      SeriesDescription: 'Chest PA',
      BodyPartExamined: 'CHEST',
    }),
    ...image(rows, columns, { PhotometricInterpretation: 'MONOCHROME1' }),
    SOPClassUID: '1.2.840.10008.5.1.4.1.1.1.1',
    SOPInstanceUID: uid(1, 1, 1),
    ImageType: 'ORIGINAL\\PRIMARY\\',
    Modality: 'DX',
    PresentationIntentType: 'FOR PRESENTATION',
    StudyDescription: 'Chest for Marrowby',
    InstanceNumber: '1',
    AcquisitionDate: person.studyDate,
    AcquisitionTime: person.studyTime,
    ContentDate: person.studyDate,
    ContentTime: person.studyTime,
    PatientOrientation: 'L\\F',
    ViewPosition: 'PA',
    PositionerType: 'NONE',
    KVP: '120',
    ImageLaterality: 'U',
    ImagerPixelSpacing: '0.15\\0.15',
    DetectorType: 'DIRECT',
    PixelIntensityRelationship: 'LOG',
    PixelIntensityRelationshipSign: [-1],
    BurnedInAnnotation: 'NO',
    LossyImageCompression: '00',
    RescaleIntercept: '0',
    RescaleSlope: '1',
    RescaleType: 'US',
    PresentationLUTShape: 'INVERSE',
    WindowCenter: '2048',
    WindowWidth: '3600',
    AcquisitionContextSequence: [],
    AnatomicRegionSequence: [{ CodeValue: '43799004', CodingSchemeDesignator: 'SCT', CodeMeaning: 'Chest' }],
    ViewCodeSequence: [
      {
        CodeValue: '272479007',
        CodingSchemeDesignator: 'SCT',
        CodeMeaning: 'postero-anterior',
        ViewModifierCodeSequence: [],
      },
    ],
  };
  return {
    title: 'Chest X-ray, 2500 × 2048, 12 of 16 bits, MONOCHROME1',
    files: [
      {
        name: 'chest.dcm',
        bytes: part10Of({ attributes, privateElements: privateOf(person), pixelData: bytesOf(stored) }),
      },
    ],
  };
}

function trunkStudy(): SampleStudy {
  const person = PEOPLE.trunk;
  const size = 512;
  const files = Array.from({ length: CT_SLICES }, (_, slice): SampleFile => {
    const random = new Seeded(SEED + 100 + slice);
    const values = drawPlane(
      { rows: size, columns: size, background: -1000, ellipses: trunk(slice / (CT_SLICES - 1)), noise: 14 },
      random,
    );
    const stored = quantize(values, new Int16Array(size * size), { minimum: -1024, maximum: 3071 });
    const position = -100 + slice * 5;
    const attributes: Attributes = {
      ...identifying(person),
      ...series(2, 1, {
        SeriesDate: person.studyDate,
        SeriesTime: person.studyTime,
        SeriesDescription: 'Trunk 5 mm',
        BodyPartExamined: 'CHEST',
        FrameOfReferenceUID: uid(2, 9, 9),
        PositionReferenceIndicator: '',
      }),
      ...image(size, size, { PhotometricInterpretation: 'MONOCHROME2', PixelRepresentation: [1] }),
      SOPClassUID: '1.2.840.10008.5.1.4.1.1.2',
      SOPInstanceUID: uid(2, 1, slice + 1),
      ImageType: 'ORIGINAL\\PRIMARY\\AXIAL',
      Modality: 'CT',
      StudyDescription: 'CT trunk',
      PatientPosition: 'HFS',
      InstanceNumber: String(slice + 1),
      AcquisitionNumber: '1',
      AcquisitionDate: person.studyDate,
      AcquisitionTime: person.studyTime,
      ContentDate: person.studyDate,
      ContentTime: person.studyTime,
      KVP: '120',
      SliceThickness: '5',
      PixelSpacing: '0.7\\0.7',
      ImagePositionPatient: `-179.2\\-179.2\\${position}`,
      ImageOrientationPatient: '1\\0\\0\\0\\1\\0',
      SliceLocation: String(position),
      RescaleIntercept: '0',
      RescaleSlope: '1',
      RescaleType: 'HU',
      WindowCenter: '40',
      WindowWidth: '400',
      ReferencedImageSequence: [
        {
          ReferencedSOPClassUID: '1.2.840.10008.5.1.4.1.1.2',
          ReferencedSOPInstanceUID: uid(2, 1, 1),
          PurposeOfReferenceCodeSequence: [
            { CodeValue: '121311', CodingSchemeDesignator: 'DCM', CodeMeaning: 'Localizer' },
          ],
        },
      ],
    };
    return {
      name: `ct-${String(slice + 1).padStart(3, '0')}.dcm`,
      bytes: part10Of({ attributes, privateElements: privateOf(person), pixelData: bytesOf(stored) }),
    };
  });
  return { title: `CT series of ${CT_SLICES}, 512 × 512, signed`, files };
}

/** Frames in colour: a banner with name, number and date, and below it the scan, which the regions describe. */
function ultrasoundStudy(): SampleStudy {
  const person = PEOPLE.ultrasound;
  const [rows, columns, banner] = [480, 640, 56];
  const pixels = new Uint8Array(rows * columns * 3 * US_FRAMES);
  const scan = { x0: 60, y0: banner + 4, x1: columns - 61, y1: rows - 21 };
  const lines = [
    `${person.name.replaceAll('^', ' ')}  ${person.patientId}`,
    `03/03/2026 10:11:20  SAINT LETHE HOSPITAL`,
  ];
  for (let frame = 0; frame < US_FRAMES; frame++) {
    const frameBytes = pixels.subarray(frame * rows * columns * 3, (frame + 1) * rows * columns * 3);
    paintScan(frameBytes, scan, { columns, frame, random: new Seeded(SEED + 500 + frame) });
    for (const [line, text] of lines.entries())
      drawText(text, { x: 12, y: 8 + line * 24, scale: 2 }, (x, y) =>
        frameBytes.fill(235, (y * columns + x) * 3, (y * columns + x) * 3 + 3),
      );
  }
  const attributes: Attributes = {
    ...identifying(person),
    ...series(3, 1, {
      SeriesDate: person.studyDate,
      SeriesTime: person.studyTime,
      SeriesDescription: 'Abdomen',
      BodyPartExamined: 'ABDOMEN',
    }),
    ...image(rows, columns, {
      SamplesPerPixel: [3],
      PhotometricInterpretation: 'RGB',
      PlanarConfiguration: [0],
      BitsAllocated: [8],
      BitsStored: [8],
      HighBit: [7],
    }),
    SOPClassUID: '1.2.840.10008.5.1.4.1.1.3.1',
    SOPInstanceUID: uid(3, 1, 1),
    ImageType: 'ORIGINAL\\PRIMARY\\ABDOMINAL\\0001',
    Modality: 'US',
    StudyDescription: 'US abdomen',
    InstanceNumber: '1',
    ContentDate: person.studyDate,
    ContentTime: person.studyTime,
    NumberOfFrames: String(US_FRAMES),
    FrameTime: '40',
    FrameIncrementPointer: [0x00181063],
    PatientOrientation: '',
    BurnedInAnnotation: 'YES',
    LossyImageCompression: '00',
    SequenceOfUltrasoundRegions: [regionOf(scan)],
  };
  return {
    title: `Ultrasound, ${US_FRAMES} colour frames, a name burned in`,
    files: [
      {
        name: 'ultrasound.dcm',
        bytes: part10Of({ attributes, privateElements: privateOf(person), pixelData: pixels }),
      },
    ],
  };
}

/** PS3.3 §C.8.5.5.1: a tissue region in two dimensions, in centimetres. */
function regionOf(scan: ScanArea): Attributes {
  return {
    RegionSpatialFormat: [1],
    RegionDataType: [1],
    RegionFlags: [0],
    RegionLocationMinX0: [scan.x0],
    RegionLocationMinY0: [scan.y0],
    RegionLocationMaxX1: [scan.x1],
    RegionLocationMaxY1: [scan.y1],
    PhysicalUnitsXDirection: [3],
    PhysicalUnitsYDirection: [3],
    PhysicalDeltaX: [0.03],
    PhysicalDeltaY: [0.03],
  };
}

interface ScanArea {
  readonly x0: number;
  readonly y0: number;
  readonly x1: number;
  readonly y1: number;
}

/** A sector of speckle with a dark vessel that moves from frame to frame, and a little colour flow in it. */
function paintScan(
  frameBytes: Uint8Array,
  area: ScanArea,
  by: { columns: number; frame: number; random: Seeded },
): void {
  const middle = (area.x0 + area.x1) / 2;
  for (let y = area.y0; y <= area.y1; y++) {
    const half = (y - area.y0) * 0.62 + 20;
    for (let x = area.x0; x <= area.x1; x++) {
      const speckle = Math.abs(by.random.noise());
      if (Math.abs(x - middle) > half) continue;
      const vessel = ((x - middle - 30 * Math.sin(by.frame)) / 60) ** 2 + ((y - area.y0 - 210) / 26) ** 2 < 1;
      const grey = Math.min(255, (vessel ? 12 : 70 + 25 * Math.sin(y / 30)) * (0.4 + speckle * 0.55));
      const at = (y * by.columns + x) * 3;
      frameBytes[at] = vessel ? Math.min(255, grey + 90) : grey;
      frameBytes[at + 1] = grey;
      frameBytes[at + 2] = grey;
    }
  }
}

async function headStudy(): Promise<SampleStudy> {
  const person = PEOPLE.head;
  const size = 256;
  const values = drawPlane(
    { rows: size, columns: size, background: 18, ellipses: HEAD, noise: 9 },
    new Seeded(SEED + 900),
  );
  const stored = quantize(values, new Uint16Array(size * size), { minimum: 0, maximum: 4095 });
  const codestream = await encodeJpeg2000Lossless(stored, {
    rows: size,
    columns: size,
    samplesPerPixel: 1,
    bitsStored: 12,
    signed: false,
  });
  const attributes: Attributes = {
    ...identifying(person),
    ...series(4, 1, {
      SeriesDate: person.studyDate,
      SeriesTime: person.studyTime,
      SeriesDescription: 'T1 axial',
      BodyPartExamined: 'HEAD',
      FrameOfReferenceUID: uid(4, 9, 9),
      PositionReferenceIndicator: '',
    }),
    ...image(size, size, { PhotometricInterpretation: 'MONOCHROME2' }),
    SOPClassUID: '1.2.840.10008.5.1.4.1.1.4',
    SOPInstanceUID: uid(4, 1, 1),
    ImageType: 'ORIGINAL\\PRIMARY\\M\\SE',
    Modality: 'MR',
    StudyDescription: 'MR head',
    PatientPosition: 'HFS',
    InstanceNumber: '1',
    AcquisitionNumber: '1',
    AcquisitionDate: person.studyDate,
    AcquisitionTime: person.studyTime,
    ContentDate: person.studyDate,
    ContentTime: person.studyTime,
    ScanningSequence: 'SE',
    SequenceVariant: 'NONE',
    ScanOptions: '',
    MRAcquisitionType: '2D',
    RepetitionTime: '500',
    EchoTime: '12',
    EchoTrainLength: '1',
    SliceThickness: '4',
    PixelSpacing: '0.9\\0.9',
    ImagePositionPatient: '-115.2\\-115.2\\20',
    ImageOrientationPatient: '1\\0\\0\\0\\1\\0',
    WindowCenter: '400',
    WindowWidth: '900',
  };
  const pixelData = { transferSyntaxUid: '1.2.840.10008.1.2.4.90', frames: [codestream] };
  return {
    title: 'MR of an infant, JPEG 2000 lossless',
    files: [{ name: 'mr.dcm', bytes: part10Of({ attributes, privateElements: privateOf(person), pixelData }) }],
  };
}

function code(value: string, scheme: string, meaning: string): Attributes {
  return { CodeValue: value, CodingSchemeDesignator: scheme, CodeMeaning: meaning };
}

/** A Basic Text SR about the chest X-ray (PS3.3 §A.35.1): names in the text, the image by reference. */
function reportStudy(): SampleStudy {
  const person = PEOPLE.chest;
  const contains = (item: Attributes): Attributes => ({ RelationshipType: 'CONTAINS', ...item });
  const attributes: Attributes = {
    ...identifying(person),
    ...series(1, 2, { SeriesDescription: 'Report' }),
    SOPClassUID: '1.2.840.10008.5.1.4.1.1.88.11',
    SOPInstanceUID: uid(1, 2, 1),
    Modality: 'SR',
    ReferencedPerformedProcedureStepSequence: [],
    InstanceNumber: '1',
    ContentDate: person.studyDate,
    ContentTime: person.studyTime,
    CompletionFlag: 'COMPLETE',
    VerificationFlag: 'UNVERIFIED',
    PerformedProcedureCodeSequence: [],
    CurrentRequestedProcedureEvidenceSequence: [
      {
        StudyInstanceUID: uid(1, 0, 0),
        ReferencedSeriesSequence: [
          {
            SeriesInstanceUID: uid(1, 1, 0),
            ReferencedSOPSequence: [
              { ReferencedSOPClassUID: '1.2.840.10008.5.1.4.1.1.1.1', ReferencedSOPInstanceUID: uid(1, 1, 1) },
            ],
          },
        ],
      },
    ],
    ValueType: 'CONTAINER',
    ContinuityOfContent: 'SEPARATE',
    ConceptNameCodeSequence: [code('18748-4', 'LN', 'Diagnostic imaging report')],
    ContentSequence: [
      {
        RelationshipType: 'HAS OBS CONTEXT',
        ValueType: 'PNAME',
        ConceptNameCodeSequence: [code('121008', 'DCM', 'Person Observer Name')],
        PersonName: 'Quillane^Perrin',
      },
      contains({
        ValueType: 'TEXT',
        ConceptNameCodeSequence: [code('121071', 'DCM', 'Finding')],
        TextValue: 'Mrs. Marrowby was seen on 14 January. The lungs are clear.',
      }),
      contains({
        ValueType: 'IMAGE',
        ReferencedSOPSequence: [
          { ReferencedSOPClassUID: '1.2.840.10008.5.1.4.1.1.1.1', ReferencedSOPInstanceUID: uid(1, 1, 1) },
        ],
      }),
    ],
  };
  const own = Object.fromEntries(
    Object.entries(attributes).filter(([keyword]) => keyword !== 'RequestAttributesSequence'),
  );
  return {
    title: 'Structured report on the chest X-ray',
    files: [{ name: 'report.dcm', bytes: part10Of({ attributes: own }) }],
  };
}

function bytesOf(samples: Uint16Array | Int16Array): Uint8Array {
  return new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);
}
