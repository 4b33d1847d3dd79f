/** Invented people and places for the sample studies. Nobody here exists; numbers are from ranges reserved for fiction. */
import type { Attributes } from './instance.ts';

export interface Person {
  readonly name: string;
  readonly patientId: string;
  readonly birthDate: string;
  readonly sex: 'F' | 'M';
  readonly age: string;
  readonly accessionNumber: string;
  readonly studyId: string;
  readonly studyDate: string;
  readonly studyTime: string;
}

/** Patient and General Study, Equipment and the identifiers that a real header is full of. */
export function identifying(person: Person): Attributes {
  return {
    SpecificCharacterSet: 'ISO_IR 100',
    InstanceCreationDate: person.studyDate,
    InstanceCreationTime: person.studyTime,
    StudyDate: person.studyDate,
    StudyTime: person.studyTime,
    AccessionNumber: person.accessionNumber,
    Manufacturer: 'Phantom Works',
    InstitutionName: 'Saint Lethe Hospital',
    InstitutionAddress: '7 River Bank, 99999 Elysium',
    ReferringPhysicianName: 'Thornwick^Odalys^^Dr.',
    StationName: 'PHANTOM01',
    InstitutionalDepartmentName: 'Radiology East',
    PhysiciansOfRecord: 'Brackenfeld^Ysolde',
    PerformingPhysicianName: 'Quillane^Perrin',
    OperatorsName: 'Varrick^Tamsin',
    ManufacturerModelName: 'Computed 1',
    PatientName: person.name,
    PatientID: person.patientId,
    IssuerOfPatientID: 'SAINT_LETHE',
    PatientBirthDate: person.birthDate,
    PatientSex: person.sex,
    OtherPatientIDsSequence: [{ PatientID: `OLD-${person.patientId}`, TypeOfPatientID: 'TEXT' }],
    PatientAge: person.age,
    PatientSize: '1.71',
    PatientWeight: '68.5',
    PatientAddress: '12 Ferry Lane, 99998 Acheron',
    PatientTelephoneNumbers: '+1 555-0142',
    AdditionalPatientHistory: `Seen by Dr. Thornwick; call 555-0142.`,
    PatientComments: `${person.name.split('^')[0]} prefers mornings`,
    DeviceSerialNumber: 'PW-0007731',
    SoftwareVersions: '1.0',
    StudyID: person.studyId,
    RequestedProcedureDescription: 'Demonstration',
    RequestAttributesSequence: [
      {
        RequestedProcedureID: `RP-${person.studyId}`,
        ScheduledProcedureStepID: `SPS-${person.studyId}`,
        RequestedProcedureDescription: `For ${person.name.split('^')[0]}`,
      },
    ],
  };
}

export const PEOPLE = {
  chest: {
    name: 'Marrowby^Elspeth^Ann',
    patientId: 'MRN-4471902',
    birthDate: '19571103',
    sex: 'F',
    age: '068Y',
    accessionNumber: 'ACC-20260114-07',
    studyId: 'S1001',
    studyDate: '20260114',
    studyTime: '081533',
  },
  trunk: {
    name: 'Oakhollow^Bertrand',
    patientId: 'MRN-5580213',
    birthDate: '19330625',
    sex: 'M',
    age: '092Y',
    accessionNumber: 'ACC-20260211-19',
    studyId: 'S1002',
    studyDate: '20260211',
    studyTime: '134207',
  },
  ultrasound: {
    name: 'Silverthorn^Maribel',
    patientId: 'MRN-6692871',
    birthDate: '19900417',
    sex: 'F',
    age: '035Y',
    accessionNumber: 'ACC-20260303-02',
    studyId: 'S1003',
    studyDate: '20260303',
    studyTime: '101120',
  },
  head: {
    name: 'Pellinore^Casimir^J',
    patientId: 'MRN-7713398',
    birthDate: '20250809',
    sex: 'M',
    age: '007M',
    accessionNumber: 'ACC-20260318-11',
    studyId: 'S1004',
    studyDate: '20260318',
    studyTime: '160945',
  },
} as const satisfies Record<string, Person>;
