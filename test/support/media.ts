/** Images and files, as small as they can be. */
import { deflateSync } from 'node:zlib';

export const dataUrl = (mediaType: string, bytes: Buffer | string): string =>
  `data:${mediaType};base64,${Buffer.from(bytes).toString('base64')}`;

const chunk = (type: string, data: Buffer): Buffer => {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  // Nobody here reads the check sum.
  return Buffer.concat([length, Buffer.from(type), data, Buffer.alloc(4)]);
};

/** A PNG whose header names this size, whatever it holds. */
export const png = (width = 2, height = 2): Buffer => {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.writeUInt8(8, 8);
  const signature = Buffer.from('89504e470d0a1a0a', 'hex');
  const pixels = deflateSync(Buffer.alloc(16));
  return Buffer.concat([signature, chunk('IHDR', header), chunk('IDAT', pixels), chunk('IEND', Buffer.alloc(0))]);
};

export const gif = (width: number, height: number): Buffer => {
  const bytes = Buffer.alloc(13);
  bytes.write('GIF89a');
  bytes.writeUInt16LE(width, 6);
  bytes.writeUInt16LE(height, 8);
  return bytes;
};

/** With a block of metadata before its frame. */
export const jpeg = (width: number, height: number, metadataBytes = 300): Buffer => {
  const metadata = Buffer.alloc(metadataBytes + 4);
  metadata.writeUInt16BE(0xffe1, 0);
  metadata.writeUInt16BE(metadataBytes + 2, 2);
  const frame = Buffer.alloc(19);
  frame.writeUInt16BE(0xffc2, 0);
  frame.writeUInt16BE(17, 2);
  frame.writeUInt8(8, 4);
  frame.writeUInt16BE(height, 5);
  frame.writeUInt16BE(width, 7);
  return Buffer.concat([Buffer.from('ffd8', 'hex'), metadata, frame, Buffer.from('ffd9', 'hex')]);
};

export const webp = (kind: 'VP8 ' | 'VP8L' | 'VP8X', width: number, height: number): Buffer => {
  const bytes = Buffer.alloc(32);
  bytes.write('RIFF');
  bytes.write('WEBP', 8);
  bytes.write(kind, 12);
  if (kind === 'VP8 ') {
    bytes.writeUInt16LE(width, 26);
    bytes.writeUInt16LE(height, 28);
  } else if (kind === 'VP8L') {
    bytes.writeUInt32LE(((height - 1) << 14) | (width - 1), 21);
  } else {
    bytes.writeUIntLE(width - 1, 24, 3);
    bytes.writeUIntLE(height - 1, 27, 3);
  }
  return bytes;
};

export const PDF = Buffer.from('%PDF-1.7\n1 0 obj <</Type /Pages /Count 1>>\n2 0 obj <</Type /Page>>\n%%EOF');
