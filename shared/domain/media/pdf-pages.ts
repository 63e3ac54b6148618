/** How many pages a PDF has, at most, as far as its bytes say it without being unpacked. */

/** A page whose object is packed cannot be counted; none is shorter than this. */
const BYTES_A_PAGE = 1_500;
/** Not `/Pages`, which holds pages. */
const PAGE = /\/Type\s*\/Page(?![A-Za-z])/g;

export const pdfPages = (bytes: Buffer): number => {
  const counted = bytes.toString('latin1').match(PAGE)?.length ?? 0;
  return counted > 0 ? counted : Math.ceil(bytes.length / BYTES_A_PAGE);
};
