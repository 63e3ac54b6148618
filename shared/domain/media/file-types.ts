/** The types of files that some provider reads, and what their bytes say of them. */
import { isUtf8 } from 'node:buffer';
import type { FileMediaType } from '../../../providers/takes.ts';
import { type DataUrl, firstBytes } from './data-url.ts';

/** `packed`: its text is compressed, so that it is longer than its bytes. */
type FileType = { looks: 'pdf' | 'zip' | 'ole' | 'text'; packed: boolean };

export const FILE_TYPES = {
  'application/pdf': { looks: 'pdf', packed: true },
  'text/plain': { looks: 'text', packed: false },
  'text/csv': { looks: 'text', packed: false },
  'text/html': { looks: 'text', packed: false },
  'text/markdown': { looks: 'text', packed: false },
  'application/msword': { looks: 'ole', packed: false },
  'application/vnd.openxmlformats-officedocument.wordprocessingml.document': { looks: 'zip', packed: true },
  'application/vnd.ms-excel': { looks: 'ole', packed: false },
  'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet': { looks: 'zip', packed: true },
} as const satisfies Record<FileMediaType, FileType>;

export const isFileType = (mediaType: string): mediaType is FileMediaType => Object.hasOwn(FILE_TYPES, mediaType);

/** A PDF's header may have other bytes before it (ISO 32000, implementation note 13). */
const PDF_HEAD_BYTES = 1_024;

const LOOKS = {
  pdf: (bytes) => bytes.includes('%PDF-'),
  zip: (bytes) => bytes.subarray(0, 4).equals(Buffer.from('PK\x03\x04', 'latin1')),
  ole: (bytes) => bytes.subarray(0, 8).equals(Buffer.from('d0cf11e0a1b11ae1', 'hex')),
  text: (bytes) => isUtf8(bytes) && !bytes.includes(0),
} as const satisfies Record<FileType['looks'], (bytes: Buffer) => boolean>;

/** Whether a file's bytes can be what its type says; of texts all of them are looked at. */
export const looksLike = (type: FileMediaType, data: DataUrl): boolean => {
  const { looks } = FILE_TYPES[type];
  return LOOKS[looks](looks === 'text' ? Buffer.from(data.base64, 'base64') : firstBytes(data, PDF_HEAD_BYTES));
};
