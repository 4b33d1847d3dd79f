/** The options of PS3.15 §E.3 and their codes of CID 7050 De-identification Method (PS3.16). */
import type { ColumnOption } from './tables.ts';

/** Most are columns of Table E.1-1. */
export type ProfileOption = ColumnOption | 'cleanPixelData' | 'cleanRecognizableVisualFeatures';

export const METHOD_CODES: Readonly<Record<ProfileOption, readonly [code: string, meaning: string]>> = {
  cleanPixelData: ['113101', 'Clean Pixel Data Option'],
  cleanRecognizableVisualFeatures: ['113102', 'Clean Recognizable Visual Features Option'],
  cleanGraphics: ['113103', 'Clean Graphics Option'],
  cleanStructuredContent: ['113104', 'Clean Structured Content Option'],
  cleanDescriptors: ['113105', 'Clean Descriptors Option'],
  retainLongitudinalFullDates: ['113106', 'Retain Longitudinal Temporal Information Full Dates Option'],
  retainLongitudinalModifiedDates: ['113107', 'Retain Longitudinal Temporal Information Modified Dates Option'],
  retainPatientCharacteristics: ['113108', 'Retain Patient Characteristics Option'],
  retainDeviceIdentity: ['113109', 'Retain Device Identity Option'],
  retainUIDs: ['113110', 'Retain UIDs Option'],
  retainSafePrivate: ['113111', 'Retain Safe Private Option'],
  retainInstitutionIdentity: ['113112', 'Retain Institution Identity Option'],
};

export const BASIC_METHOD_CODE = ['113100', 'Basic Application Confidentiality Profile'] as const;
