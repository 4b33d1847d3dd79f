/**
 * The actions that make a new value: keyed identifiers, dummies, mapped UIDs, shifted dates, capped ages, cleaned texts.
 * Each answers the bytes of the new value, or undefined where the action cannot be carried out on what is there: the
 * caller then does what leaves less.
 */
import { latin1Text } from '../dicom/charset.ts';
import type { DataSet, Element } from '../dicom/data-set.ts';
import { attributeOf } from '../dicom/dictionary.ts';
import { type Tag, tagText } from '../dicom/tag.ts';
import { isStandardUid } from '../dicom/uids.ts';
import { splitText } from '../dicom/values.ts';
import { VRS, type Vr } from '../dicom/vr.ts';
import { encodeText } from '../dicom/writer.ts';
import { dummyValue } from './actions.ts';
import { cappedAge } from './ages.ts';
import { cleanText, scrubText } from './clean-text.ts';
import { isTime, shiftDate, shiftDateTime } from './dates.ts';
import type { Instance } from './instance.ts';
import { issuerOf, patientOf } from './patient.ts';
import { ruleValue } from './rule-values.ts';
import type { ProfileRule } from './rules.ts';
import { encodedText, meantVr, textValues } from './value-text.ts';

/** What some senders write where they have no UID. */
const NO_UID = '0';
const PATIENT_NAME = 0x00100010;
const PATIENT_ID = 0x00100020;
const ACCESSION_NUMBER = 0x00080050;
const STUDY_ID = 0x00200010;
const IDENTIFIERS: readonly Tag[] = [PATIENT_NAME, PATIENT_ID, ACCESSION_NUMBER, STUDY_ID];
const STUDY_ID_CHARACTERS = 16;
const KEYED_CHARACTERS = 16;
const KEYED = /(?:ID|Identifier|SerialNumber|StationName|Number)$/;
/** Those that can hold sixteen letters and digits. */
export const PSEUDONYM_VRS: readonly Vr[] = ['AE', 'CS', 'LO', 'LT', 'PN', 'SH', 'ST', 'UC', 'UR', 'UT'];
const KEYED_VRS: readonly Vr[] = ['LO', 'SH', 'UC', 'ST', 'LT', 'UT'];
/** Shorter numbers are too often equal by chance. */
const KNOWN_DIGITS_MIN = 6;
const UID_FORM = /^[0-9.]+$/;
const CODE_STRING = /^[A-Z0-9 _]{1,16}$/;
const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

export class ValueActions {
  /** UIDs that were compared with those of the instance. */
  readonly askedUids = new Set<string>();
  readonly #instance: Instance;

  constructor(instance: Instance) {
    this.#instance = instance;
  }

  /** The pseudonym of an attribute that has one of its own; undefined for every other. */
  identifier(element: Element, dataSet: DataSet): Uint8Array | undefined {
    if (!IDENTIFIERS.includes(element.tag)) return undefined;
    const instance = this.#instance;
    const isRoot = dataSet === instance.dataSet;
    const { pseudonyms } = instance;
    const original = textValues(element, meantVr(element), dataSet)?.[0] || undefined;
    switch (element.tag) {
      case PATIENT_NAME:
        return isRoot ? encodeText(pseudonyms.patientId(instance.patient), 'PN') : undefined;
      case PATIENT_ID:
        if (isRoot) return encodeText(pseudonyms.patientId(instance.patient), 'LO');
        if (original === undefined) return undefined;
        return encodeText(pseudonyms.patientId(patientOf(original, issuerOf(dataSet, instance.profile))), 'LO');
      case ACCESSION_NUMBER:
        if (!isRoot && original === undefined) return undefined;
        return encodeText(pseudonyms.accessionNumber(original, instance.studyInstanceUid), 'SH');
      case STUDY_ID:
        return original === undefined
          ? undefined
          : encodeText(
              pseudonyms.text('study id', `${instance.studyInstanceUid}\0${original}`, STUDY_ID_CHARACTERS),
              'SH',
            );
      default:
        return undefined;
    }
  }

  /** For a rule that asks for a pseudonym: of text and UIDs; of all that cannot hold one a dummy. */
  pseudonym(element: Element, vr: Vr, dataSet: DataSet): Uint8Array {
    if (vr === 'UI' && element.value !== undefined) return this.uids(element.value);
    const keyed = PSEUDONYM_VRS.includes(vr) ? this.#keyed(element, vr, dataSet) : undefined;
    return this.identifier(element, dataSet) ?? keyed ?? dummyValue(vr);
  }

  /** By a rule of the site; undefined where it cannot be done on what is there. @throws DEID_LOOKUP_MISSING */
  byRule(rule: ProfileRule, element: Element, vr: Vr, dataSet: DataSet): Uint8Array | undefined {
    const values = rule.action === 'replace' ? [''] : textValues(element, vr, dataSet);
    if (!VRS[vr].text || values === undefined) return undefined;
    const context = { vr, shiftDays: this.#instance.shiftDays, path: tagText(element.tag) };
    const made: string[] = [];
    for (const value of values) {
      const one = value === '' && rule.action !== 'replace' ? '' : ruleValue(rule, value, context);
      if (one === undefined) return undefined;
      made.push(one);
    }
    return encodedText(made, vr, dataSet);
  }

  /** A dummy that says nothing; of numbers and names of things one that is the same for the same thing. */
  dummy(element: Element, vr: Vr, dataSet: DataSet): Uint8Array {
    if (vr === 'UI' && element.value !== undefined) return this.uids(element.value);
    const isKeyed = KEYED_VRS.includes(vr) && KEYED.test(attributeOf(element.tag)?.keyword ?? '');
    return (isKeyed ? this.#keyed(element, vr, dataSet) : undefined) ?? dummyValue(vr);
  }

  /** Well-known UIDs stay (PS3.15 §E.1.1 asks for what identifies instances). */
  uids(value: Uint8Array): Uint8Array {
    if (this.#instance.profile.options.has('retainUIDs')) return value;
    return this.#mapped(value, (uid) => uid !== NO_UID && !isStandardUid(uid));
  }

  #knownUids(value: Uint8Array): Uint8Array {
    const { uids } = this.#instance.identity;
    return this.#mapped(value, (uid) => {
      this.askedUids.add(uid);
      return uids.has(uid) || !UID_FORM.test(uid);
    });
  }

  #mapped(value: Uint8Array, isMapped: (uid: string) => boolean): Uint8Array {
    let changed = false;
    const uids = splitText(latin1Text(value), 'UI').map((uid) => {
      if (uid === '' || !isMapped(uid)) return uid;
      changed = true;
      return this.#instance.pseudonyms.uid(uid);
    });
    return changed ? encodeText(uids, 'UI') : value;
  }

  /** The value without what identifies; the same bytes where nothing did. */
  clean(element: Element, vr: Vr, dataSet: DataSet, treatment: 'clean' | 'scrub'): Uint8Array | undefined {
    if (element.value === undefined) return undefined;
    if (vr === 'UI') return treatment === 'scrub' ? this.#knownUids(element.value) : this.uids(element.value);
    const values = textValues(element, vr, dataSet);
    if (values === undefined) return undefined;
    let changed = false;
    const cleaned: string[] = [];
    for (const value of values) {
      // No text holds a NUL (PS3.5 §6.1.3): behind it stands what most readers do not show, or another encoding.
      const [shown = ''] = value.split('\0', 1);
      const now = shown === '' ? '' : this.#cleanValue(shown, vr, treatment);
      if (now === undefined) return undefined;
      changed ||= now !== value;
      cleaned.push(now);
    }
    if (!changed) return element.value;
    return cleaned.every((value) => value === '') ? undefined : encodedText(cleaned, vr, dataSet);
  }

  #cleanValue(value: string, vr: Vr, treatment: 'clean' | 'scrub'): string | undefined {
    const { identity } = this.#instance;
    switch (vr) {
      case 'DA':
        return this.#date(value, shiftDate);
      case 'DT':
        return this.#date(value, shiftDateTime);
      case 'TM':
        return isTime(value) && !this.#areDatesRemoved() ? value : undefined;
      case 'AS':
        return cappedAge(value);
      case 'DS':
      case 'IS':
        if (!NUMBER.test(value)) return cleanText(value, identity);
        // A number that is, digit for digit, one of the instance's identifiers.
        return value.length >= KNOWN_DIGITS_MIN && identity.words.has(value) ? undefined : value;
      case 'PN':
      case 'AE':
      case 'UR':
        return undefined;
      case 'CS':
        // What no code string may hold (PS3.5 Table 6.2-1) was typed.
        return treatment === 'scrub' && CODE_STRING.test(value)
          ? scrubText(value, identity)
          : cleanText(value, identity);
      default:
        return treatment === 'scrub' ? scrubText(value, identity) : cleanText(value, identity);
    }
  }

  #date(value: string, shift: (value: string, days: number) => string | undefined): string | undefined {
    const { options } = this.#instance.profile;
    if (options.has('retainLongitudinalFullDates')) return shift(value, 0) === undefined ? undefined : value;
    return options.has('retainLongitudinalModifiedDates') ? shift(value, this.#instance.shiftDays) : undefined;
  }

  #areDatesRemoved(): boolean {
    const { options } = this.#instance.profile;
    return !options.has('retainLongitudinalFullDates') && !options.has('retainLongitudinalModifiedDates');
  }

  #keyed(element: Element, vr: Vr, dataSet: DataSet): Uint8Array | undefined {
    const values = textValues(element, vr, dataSet);
    if (values === undefined || values.length === 0) return undefined;
    const { pseudonyms } = this.#instance;
    const purpose = `element ${element.tag}`;
    return encodeText(
      values.map((value) => (value === '' ? '' : pseudonyms.text(purpose, value, KEYED_CHARACTERS))),
      vr,
    );
  }
}
