/** Evidence of text in pixels, from headers alone: which attribute decides, and in which order. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { triage } from '../../../src/deid/burned-in/triage.ts';
import { type Attributes, imageFile } from '../../imaging/image-files.ts';

const CT = '1.2.840.10008.5.1.4.1.1.2';
const SECONDARY_CAPTURE = '1.2.840.10008.5.1.4.1.1.7';
const SLIDE = '1.2.840.10008.5.1.4.1.1.77.1.6';
const PRIMARY = ['ORIGINAL', 'PRIMARY', 'AXIAL'];

function triaged(attributes: Attributes) {
  return triage(
    imageFile({
      SOPClassUID: CT,
      Rows: 600,
      Columns: 800,
      BitsAllocated: 16,
      BitsStored: 12,
      HighBit: 11,
      ...attributes,
    }).dataSet,
  );
}

function kindOf(attributes: Attributes): string {
  return triaged(attributes).kind;
}

/** A region of (0018,6011), by its corners. */
function region(minX: number, minY: number, maxX: number, maxY: number) {
  return [
    ['RegionLocationMinX0', minX],
    ['RegionLocationMinY0', minY],
    ['RegionLocationMaxX1', maxX],
    ['RegionLocationMaxY1', maxY],
  ] as const;
}

describe('what an acquisition device stored', () => {
  test('is clean for slices and counts, and the reason says which', () => {
    for (const Modality of ['CT', 'MR', 'PT', 'NM', 'RTDOSE', 'SEG']) {
      const found = triaged({ Modality, ImageType: PRIMARY });
      assert.equal(found.kind, 'clean', Modality);
      assert.match(found.reason, new RegExp(`modality ${Modality}$`));
    }
  });

  test('has to be looked at for modalities that draw on their screens, or that nobody knows', () => {
    for (const Modality of ['XA', 'RF', 'ES', 'XC', 'OT', 'ZZ']) assert.equal(kindOf({ Modality }), 'scan', Modality);
  });

  test('may have text in a projection radiograph now and then, whatever it says of itself', () => {
    for (const Modality of ['CR', 'DX', 'MG', 'IO', 'PX', 'RTIMAGE']) {
      for (const said of [{}, { BurnedInAnnotation: 'NO' }]) {
        const found = triaged({ Modality, ImageType: PRIMARY, ...said });
        assert.equal(found.kind === 'scan' && found.evidence, 'possible', Modality);
      }
    }
  });

  test('is more likely clean by Burned In Annotation NO, which slices are believed unseen', () => {
    const angiography = triaged({ Modality: 'XA', BurnedInAnnotation: 'NO' });
    assert.equal(angiography.kind === 'scan' && angiography.evidence, 'possible');
    assert.equal(kindOf({ Modality: 'CT', BurnedInAnnotation: 'NO' }), 'clean');
  });

  test('may have text where a slice has the few grey levels of a screen', () => {
    const found = triaged({ Modality: 'MR', BitsAllocated: 8, BitsStored: 8, HighBit: 7 });
    assert.equal(found.kind === 'scan' && found.evidence, 'possible');
    assert.equal(kindOf({ Modality: 'NM', BitsAllocated: 8, BitsStored: 8, HighBit: 7 }), 'clean');
  });

  test('reads a few attributes and no more', () => {
    const { dataSet } = imageFile({ SOPClassUID: CT, Modality: 'CT', ImageType: PRIMARY, Rows: 512, Columns: 512 });
    // A count of work instead of a time: no rule reads more than a few attributes.
    let reads = 0;
    const counted = new Proxy(dataSet, {
      get: (target, name) => {
        const value = Reflect.get(target, name) as unknown;
        if (typeof value !== 'function') return value;
        reads++;
        return value.bind(target) as unknown;
      },
    });
    triage(counted);
    assert.ok(reads > 0 && reads < 2000, `${reads} reads of attributes`);
  });
});

describe('captures and screens', () => {
  test('have to be looked at, whatever Burned In Annotation denies', () => {
    const capture = { SOPClassUID: SECONDARY_CAPTURE, Modality: 'OT', ConversionType: 'SYN' };
    assert.equal(kindOf(capture), 'scan');
    assert.equal(kindOf({ ...capture, BurnedInAnnotation: 'NO' }), 'scan');
  });

  test('are known by Image Type too', () => {
    assert.equal(kindOf({ Modality: 'CT', ImageType: ['DERIVED', 'SECONDARY', 'SCREEN SAVE'] }), 'scan');
  });

  test('are known by what consoles call series of pages', () => {
    assert.equal(kindOf({ Modality: 'CT', ImageType: PRIMARY, SeriesDescription: 'Patient Protocol' }), 'scan');
    assert.equal(kindOf({ Modality: 'CT', ImageType: PRIMARY, SeriesDescription: 'Abdomen protocol' }), 'clean');
  });

  test('are what comes in colour from a detector that knows none', () => {
    const colour = { SamplesPerPixel: 3, PhotometricInterpretation: 'RGB' };
    assert.equal(kindOf({ ...colour, Modality: 'CT', ImageType: ['DERIVED', 'SECONDARY'] }), 'scan');
    assert.equal(kindOf({ ...colour, Modality: 'SM', ImageType: ['ORIGINAL', 'PRIMARY', 'VOLUME'] }), 'clean');
  });

  test('are not what a research export merely wrapped as Secondary Capture', () => {
    assert.equal(kindOf({ SOPClassUID: SECONDARY_CAPTURE, Modality: 'CT', ConversionType: 'WSD' }), 'clean');
    assert.equal(kindOf({ SOPClassUID: SECONDARY_CAPTURE, Modality: 'CR', ConversionType: 'DF' }), 'scan');
  });

  test('that say that they have text are suspect, since nothing says where', () => {
    assert.equal(kindOf({ Modality: 'CT', ImageType: PRIMARY, BurnedInAnnotation: 'YES' }), 'suspect');
  });
});

describe('ultrasound', () => {
  const us = { SOPClassUID: '1.2.840.10008.5.1.4.1.1.6.1', Modality: 'US' } as const;

  test('keeps its regions and nothing else', () => {
    const found = triaged({ ...us, SequenceOfUltrasoundRegions: [region(100, 50, 699, 549)] });
    assert.deepEqual(found, {
      kind: 'regions',
      reason: 'Sequence of Ultrasound Regions',
      blank: [],
      keep: [{ x: 100, y: 50, width: 600, height: 500 }],
    });
  });

  test('without regions is suspect; regions that are the whole image say too little', () => {
    assert.equal(kindOf(us), 'suspect');
    assert.equal(kindOf({ ...us, SequenceOfUltrasoundRegions: [region(0, 0, 799, 599)] }), 'scan');
    assert.equal(
      kindOf({ ...us, BurnedInAnnotation: 'NO', SequenceOfUltrasoundRegions: [region(0, 0, 799, 599)] }),
      'scan',
    );
  });

  test('ignores regions that are none', () => {
    assert.equal(kindOf({ ...us, SequenceOfUltrasoundRegions: [region(9, 9, 3, 3)] }), 'scan');
  });

  test('of known equipment is blanked where that equipment writes, and outside of its regions as well', () => {
    const known = { ...us, Manufacturer: 'Philips Medical Systems', ManufacturerModelName: 'iU22' };
    const found = triaged({ ...known, SequenceOfUltrasoundRegions: [region(0, 0, 799, 549)] });
    assert.equal(found.kind, 'regions');
    assert.match(found.reason, /^equipment rule: .* and Sequence of Ultrasound Regions$/);
    // RSNA CTP's rule for this model at 600 rows.
    assert.deepEqual(found.kind === 'regions' && found.blank, [{ x: 0, y: 0, width: 800, height: 59 }]);
    assert.equal(found.kind === 'regions' && found.keep.length, 1);
  });
});

describe('slides', () => {
  const slide = { SOPClassUID: SLIDE, Modality: 'SM' } as const;

  test('are clean, but for the label, which is all text', () => {
    assert.equal(kindOf({ ...slide, ImageType: ['ORIGINAL', 'PRIMARY', 'VOLUME', 'NONE'] }), 'clean');
    const label = triaged({ ...slide, ImageType: ['ORIGINAL', 'PRIMARY', 'LABEL', 'NONE'] });
    assert.equal(label.reason, 'label of a slide');
    assert.equal(label.kind, 'regions');
  });

  test('the overview is suspect unless it says that it shows no label', () => {
    const overview = { ...slide, ImageType: ['ORIGINAL', 'PRIMARY', 'OVERVIEW', 'NONE'] };
    assert.equal(kindOf(overview), 'suspect');
    assert.equal(kindOf({ ...overview, SpecimenLabelInImage: 'NO' }), 'clean');
  });
});

describe('equipment rules', () => {
  // Each condition form of the table, by a rule of RSNA CTP or pydicom/deid that uses it.
  test('compare without case, and leave other models alone', () => {
    assert.equal(kindOf({ Modality: 'US', ManufacturerModelName: 'logiqe9' }), 'regions');
    assert.equal(kindOf({ Modality: 'US', ManufacturerModelName: 'Sonoscape' }), 'suspect');
  });

  test('ask for all conditions: the same model with other rows has no known region', () => {
    const model = { Modality: 'US', Manufacturer: 'Philips Medical Systems', ManufacturerModelName: 'iU22' };
    assert.equal(kindOf({ ...model, Rows: 600 }), 'regions');
    assert.equal(kindOf({ ...model, Rows: 601 }), 'suspect');
  });
});
