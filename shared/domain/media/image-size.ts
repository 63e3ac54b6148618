/** The formats of images that every provider reads, and their sizes, from their first bytes. */

export const IMAGE_TYPES = ['image/png', 'image/jpeg', 'image/gif', 'image/webp'] as const;
export type ImageType = (typeof IMAGE_TYPES)[number];

/** So many bytes are looked at: a JPEG's size stands behind its metadata. */
export const IMAGE_HEAD_BYTES = 65_536;

export type Size = { width: number; height: number };

const starts = (bytes: Buffer, text: string, at = 0): boolean =>
  bytes.subarray(at, at + text.length).equals(Buffer.from(text, 'latin1'));

/** The format that bytes have; null if they have none of these. */
export const imageTypeOf = (bytes: Buffer): ImageType | null => {
  if (starts(bytes, '\x89PNG\r\n\x1a\n')) return 'image/png';
  if (starts(bytes, '\xff\xd8\xff')) return 'image/jpeg';
  if (starts(bytes, 'GIF87a') || starts(bytes, 'GIF89a')) return 'image/gif';
  return starts(bytes, 'RIFF') && starts(bytes, 'WEBP', 8) ? 'image/webp' : null;
};

/** Markers of a JPEG's frame, which holds its size: SOF0 to SOF15 without DHT, JPG and DAC (ITU T.81, table B.1). */
const isFrame = (marker: number): boolean =>
  marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;

const jpegSize = (bytes: Buffer): Size | null => {
  let at = 2;
  while (at + 9 <= bytes.length && bytes[at] === 0xff) {
    const marker = bytes.readUInt8(at + 1);
    if (isFrame(marker)) return { height: bytes.readUInt16BE(at + 5), width: bytes.readUInt16BE(at + 7) };
    // A marker may have fill bytes before it; the length holds its own two bytes.
    at += marker === 0xff ? 1 : 2 + Math.max(2, bytes.readUInt16BE(at + 2));
  }
  return null;
};

/** RFC 9649: lossy, lossless and extended. */
const webpSize = (bytes: Buffer): Size | null => {
  if (bytes.length < 30) return null;
  if (starts(bytes, 'VP8 ', 12)) {
    return { width: bytes.readUInt16LE(26) & 0x3fff, height: bytes.readUInt16LE(28) & 0x3fff };
  }
  if (starts(bytes, 'VP8L', 12)) {
    const packed = bytes.readUInt32LE(21);
    return { width: (packed & 0x3fff) + 1, height: ((packed >>> 14) & 0x3fff) + 1 };
  }
  if (starts(bytes, 'VP8X', 12)) return { width: bytes.readUIntLE(24, 3) + 1, height: bytes.readUIntLE(27, 3) + 1 };
  return null;
};

const SIZES = {
  'image/png': (bytes) =>
    bytes.length >= 24 && starts(bytes, 'IHDR', 12)
      ? { width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20) }
      : null,
  'image/jpeg': jpegSize,
  'image/gif': (bytes) => (bytes.length >= 10 ? { width: bytes.readUInt16LE(6), height: bytes.readUInt16LE(8) } : null),
  'image/webp': webpSize,
} as const satisfies Record<ImageType, (bytes: Buffer) => Size | null>;

/** In pixels; null if it does not stand in these bytes. */
export const imageSize = (bytes: Buffer): Size | null => {
  const type = imageTypeOf(bytes);
  return type === null ? null : SIZES[type](bytes);
};
