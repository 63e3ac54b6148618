/** What messages are made of: texts, images and files. */
import { z } from 'zod';
import { FILE_MEDIA_TYPES } from '../../../providers/takes.ts';
import { firstBytes, parseDataUrl } from '../media/data-url.ts';
import { isFileType, looksLike } from '../media/file-types.ts';
import { IMAGE_HEAD_BYTES, IMAGE_TYPES, imageSize, imageTypeOf } from '../media/image-size.ts';

const MAX_PARTS = 100;
const MAX_URL = 8_192;
const MAX_MEGAPIXELS = 100;

const BROKEN = 'ends within its base64: send the whole of it';

/** What is wrong with an image’s URL, as the end of a sentence; null if nothing is. */
const imageProblem = (url: string): string | null => {
  if (url.startsWith('https://')) {
    if (url.length > MAX_URL) return `must have ${MAX_URL} or fewer characters if it is no data: URL`;
    return URL.canParse(url) ? null : 'must be a URL';
  }
  const data = parseDataUrl(url);
  if (data === null) return 'must begin with https:// or data:<media type>;base64,';
  if (data === 'broken') return BROKEN;
  if (!IMAGE_TYPES.some((type) => type === data.mediaType)) return `must be one of ${IMAGE_TYPES.join(', ')}`;
  const head = firstBytes(data, IMAGE_HEAD_BYTES);
  const type = imageTypeOf(head);
  if (type !== data.mediaType) return `says ${data.mediaType}, and its bytes are ${type ?? 'of no image'}`;
  const size = imageSize(head);
  if (size === null) return null;
  const pixels = size.width * size.height;
  if (pixels === 0) return 'is an image without pixels';
  return pixels > MAX_MEGAPIXELS * 1e6 ? `is an image of more than ${MAX_MEGAPIXELS} megapixels` : null;
};

/** As `imageProblem`. */
const fileProblem = (url: string): string | null => {
  const data = parseDataUrl(url);
  if (data === null) return 'must begin with data:<media type>;base64,';
  if (data === 'broken') return BROKEN;
  if (!isFileType(data.mediaType)) return `must be one of ${FILE_MEDIA_TYPES.join(', ')}`;
  return looksLike(data.mediaType, data) ? null : `says ${data.mediaType}, and its bytes are something else`;
};

const checkedUrl = (problemOf: (url: string) => string | null) =>
  z.string().superRefine((url, context) => {
    const problem = problemOf(url);
    if (problem !== null) context.addIssue({ code: 'custom', message: problem, input: url });
  });

export const cacheControl = z
  .strictObject({ type: z.literal('ephemeral'), ttl: z.enum(['5m', '1h']).optional() })
  .optional()
  .describe('The provider is to cache all up to here.');

export const textPart = z.strictObject({
  type: z.literal('text'),
  text: z.string().min(1),
  cache_control: cacheControl,
});
const imagePart = z.strictObject({
  type: z.literal('image_url'),
  image_url: z.strictObject({
    url: checkedUrl(imageProblem).describe(`A \`data:\` URL of ${IMAGE_TYPES.join(', ')}, or one of \`https\`.`),
    detail: z.enum(['auto', 'low', 'high']).optional(),
  }),
  cache_control: cacheControl,
});
const filePart = z.strictObject({
  type: z.literal('file'),
  file: z.strictObject({
    file_data: checkedUrl(fileProblem).describe(`A \`data:\` URL of ${FILE_MEDIA_TYPES.join(', ')}.`),
    filename: z.string().min(1).max(256).optional(),
  }),
  cache_control: cacheControl,
});

export type TextPart = z.infer<typeof textPart>;
export type ImagePart = z.infer<typeof imagePart>;
export type FilePart = z.infer<typeof filePart>;
export type Part = TextPart | ImagePart | FilePart;

export const textParts = z.array(textPart).min(1).max(MAX_PARTS);
export const parts = z
  .array(z.discriminatedUnion('type', [textPart, imagePart, filePart]))
  .min(1)
  .max(MAX_PARTS);

/** The texts of a content, in their order. */
export const textsOf = (content: string | readonly Part[] | null): string[] =>
  partsOf(content).flatMap((part) => (part.type === 'text' ? [part.text] : []));

/** A content as the parts that it stands for; an empty text is none. */
export const partsOf = (content: string | readonly Part[] | null): readonly Part[] => {
  if (typeof content !== 'string') return content ?? [];
  return content === '' ? [] : [{ type: 'text', text: content }];
};
