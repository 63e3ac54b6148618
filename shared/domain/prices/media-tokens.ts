/** What images and files count as input, before they are sent. */
import type { ImageTokens } from '../../../providers/takes.ts';
import type { FilePart, ImagePart } from '../conversation/content.ts';
import { type DataUrl, firstBytes, parseDataUrl } from '../media/data-url.ts';
import { FILE_TYPES, isFileType } from '../media/file-types.ts';
import { IMAGE_HEAD_BYTES, imageSize, type Size } from '../media/image-size.ts';
import { pdfPages } from '../media/pdf-pages.ts';
import { maxTokens } from './max-tokens.ts';

const PIXELS_A_TOKEN = 750;
/** Of a page, its text and its image (https://platform.claude.com/docs/en/build-with-claude/pdf-support). */
const TOKENS_A_PAGE = 3_500;
/** A packed text is seldom longer than so many times its bytes. */
const UNPACKED = 10;

export type MediaTokens = { likely: number; max: number };

const dataOf = (url: string): DataUrl | null => {
  const data = parseDataUrl(url);
  return data === 'broken' ? null : data;
};

const sizeOf = (url: string): Size | null => {
  const data = url.startsWith('data:') ? dataOf(url) : null;
  return data && imageSize(firstBytes(data, IMAGE_HEAD_BYTES));
};

/** By the first row whose models match; an image whose size is not known counts the row's cap. */
export const imageTokens = (
  { image_url }: ImagePart,
  model: string,
  rows: readonly [ImageTokens, ...ImageTokens[]],
): MediaTokens => {
  const { cap, size: rule } = rows.find(({ models }) => models.test(model)) ?? rows[0];
  const size = sizeOf(image_url.url);
  if (size === null) return { likely: cap, max: cap };
  const { width, height } = size;
  return {
    likely: Math.min(cap, Math.ceil((width * height) / PIXELS_A_TOKEN)),
    max: rule ? Math.min(cap, Math.ceil(((width + rule.edge) * (height + rule.edge)) / rule.pixelsAToken)) : cap,
  };
};

const textTokens = (bytes: Buffer): MediaTokens => {
  const max = maxTokens(bytes.toString());
  return { likely: Math.ceil(bytes.length / 3), max };
};

/** PDFs by their pages, other files as texts of their bytes. */
export const fileTokens = ({ file }: FilePart): MediaTokens => {
  const data = dataOf(file.file_data);
  if (data === null || !isFileType(data.mediaType)) return { likely: 0, max: 0 };
  const bytes = Buffer.from(data.base64, 'base64');
  if (data.mediaType === 'application/pdf') {
    const tokens = pdfPages(bytes) * TOKENS_A_PAGE;
    return { likely: tokens, max: tokens };
  }
  if (FILE_TYPES[data.mediaType].looks === 'text') return textTokens(bytes);
  const max = bytes.length * (FILE_TYPES[data.mediaType].packed ? UNPACKED : 1);
  return { likely: Math.ceil(max / 3), max };
};
