/**
 * Attributes that PS3.15 Table E.1-1 does not list but PS3.6 knows: how far their text is trusted. What is a code, a
 * number or names equipment stays (freed of the instance's known identifiers); what an operator may have typed is cleaned
 * word by word, whatever the profile's options.
 */
import { attributeOf } from '../dicom/dictionary.ts';
import type { Tag } from '../dicom/tag.ts';
import type { Vr } from '../dicom/vr.ts';
import type { Because } from './element-policy.ts';
import { rowOf } from './tables.ts';

/** `scrub`: only what is known to identify goes; `clean`: only what is known to be harmless stays. */
export type TextTreatment = 'keep' | 'scrub' | 'clean' | 'dummy' | 'remove';

/**
 * Icon Image Sequence: a copy of the pixels that would have to be cleaned as they are (PS3.15 §E.3.1). Length to End
 * counts bytes that change. Data Set Trailing Padding may hold anything. Byte strings that are documents or may hold text:
 * Record Keys of an inventory, HPGL Document, Signature, Encrypted Content.
 */
export const UNLISTED_TO_REMOVE: ReadonlySet<Tag> = new Set([
  0x00080001, 0x0008041b, 0x0008041c, 0x00686300, 0x00880200, 0x04000120, 0x04000500, 0x04000520, 0xfffcfffc,
]);

const SPECIFIC_CHARACTER_SET = 0x00080005;
/** UIDs that name kinds of things, not things; scrubbed, since some senders put an instance's UID there. */
const KIND_UID =
  /(?:SOPClassUID|SOPClassesSupported|TransferSyntaxUID|CodingSchemeUID|ContextUID|MappingResourceUID|ContextGroupExtensionCreatorUID|SOPClassesInStudy)$/;
/** Long strings that name equipment and how it works. */
const TECHNICAL =
  /^(?:.*Manufacturer.*|MIMEType.*|SoftwareVersions|.*ModelName|.*Kernel|.*Filter.*|Rescale(?:Type|Slope)|.*CorrectionMethod|ReconstructionMethod.*|.*AlgorithmName|.*AlgorithmVersion|.*AlgorithmParameters|PositionReferenceIndicator|.*Units?|CodingScheme(?:Designator|Version|Name)|Mapping.*|.*CodeValue|URNCodeValue|.*ChannelLabel|.*SequenceName|ContentLabel|.*CollimatorType|Plate.*|Cassette.*|.*TypeDesignation|UniversalEntityID|.*FormulaType|LUTExplanation|.*LUTExplanation|ModalityLUTType|SpecimenPreparation.*|.*ColorSpace|ReferencedColorSpace|.*Isotope.*|ImageType|.*Version|Radiopharmaceutical|Radionuclide.*)$/;
/** Short strings of the same kind, and those that one part of an object refers to another by. */
const SHORT_TECHNICAL =
  /^(?:.*Material|ImagedNucleus|.*Format.*|TimeSource|OutputPower|.*Priority|StackID|(?:Referenced)?OpticalPathIdentifier|.*Position|TemplateType|.*ModelNumber)$/;

export function textTreatment(tag: Tag, vr: Vr, because: Because): TextTreatment {
  if (tag === SPECIFIC_CHARACTER_SET || because === 'rule') return 'keep';
  // Characteristics of the patient are kept cleaned (PS3.15 §E.3.7): an operator types into some of them.
  const isListed = because !== 'unlisted' && rowOf(tag)?.options.retainPatientCharacteristics === undefined;
  const keyword = attributeOf(tag)?.keyword ?? '';
  switch (vr) {
    case 'UI':
      return KIND_UID.test(keyword) ? 'scrub' : 'clean';
    case 'DA':
    case 'DT':
    case 'TM':
    case 'AS':
    case 'DS':
    case 'IS':
      return 'clean';
    case 'PN':
    case 'AE':
    case 'UR':
      return because === 'unlisted' ? 'dummy' : 'remove';
    case 'CS':
      // Of a retired attribute nobody needs a code that is no known word.
      return because === 'unlisted' && attributeOf(tag)?.retired === true ? 'clean' : 'scrub';
    case 'SH':
      if (because === 'table') return isListed ? 'scrub' : 'clean';
      return isListed || TECHNICAL.test(keyword) || SHORT_TECHNICAL.test(keyword) ? 'scrub' : 'clean';
    case 'LO':
      return isListed || TECHNICAL.test(keyword) ? 'scrub' : 'clean';
    default:
      return 'clean';
  }
}
