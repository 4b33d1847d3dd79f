/**
 * What takes the place of an encapsulated document (PS3.3 §C.24) where the profile removes documents instead of holding
 * them: the smallest document of its kind that says nothing, so that the object stays valid.
 */
import type { DataSet } from '../dicom/data-set.ts';

const MIME_TYPE_OF_ENCAPSULATED_DOCUMENT = 0x00420012;
/** Binary STL: 80 bytes of header, a count of triangles. */
const STL_BYTES = 84;
const CDA = '<?xml version="1.0" encoding="UTF-8"?>\n<ClinicalDocument xmlns="urn:hl7-org:v3"/>\n';
const COMMENT = '# removed\n'; // of OBJ and MTL

/** The bytes, of even length. */
export function emptyDocument(dataSet: DataSet): Uint8Array {
  const type = dataSet.string(MIME_TYPE_OF_ENCAPSULATED_DOCUMENT)?.toLowerCase() ?? '';
  if (type === 'application/pdf') return even(blankPage());
  if (type === 'text/xml') return even(CDA);
  if (type === 'model/stl' || type === 'application/sla') return new Uint8Array(STL_BYTES);
  return type.startsWith('model/') ? even(COMMENT) : new Uint8Array(2);
}

/** ISO 32000-1 §7.5: header, three objects, the table of where they are, the trailer. */
function blankPage(): string {
  const objects = [
    '<</Type/Catalog/Pages 2 0 R>>',
    '<</Type/Pages/Kids[3 0 R]/Count 1>>',
    '<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Resources<<>>>>',
  ];
  let file = '%PDF-1.4\n';
  let table = 'xref\n0 4\n0000000000 65535 f \n';
  for (const [index, object] of objects.entries()) {
    table += `${String(file.length).padStart(10, '0')} 00000 n \n`;
    file += `${index + 1} 0 obj\n${object}\nendobj\n`;
  }
  return `${file}${table}trailer\n<</Size 4/Root 1 0 R>>\nstartxref\n${file.length}\n%%EOF\n`;
}

function even(text: string): Uint8Array {
  return Buffer.from(text.length % 2 === 0 ? text : `${text}\n`, 'latin1');
}
