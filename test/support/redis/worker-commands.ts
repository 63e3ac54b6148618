/** How a worker's commands look on their way to Redis, for tests that stop one of them half way. */

/** A worker's mark of one try: `<worker>.<number>`. Only `claim` and `settle` carry it. */
const MARK = String.raw`\r\n[0-9a-f]{8}\.\d+\r\n\$\d+\r\n`;

const CLAIM = new RegExp(`${MARK}\\d+\\r\\n`);
const SETTLE = new RegExp(`${MARK}[a-z_]+\\r\\n`);

export const isClaim = (bytes: string): boolean => CLAIM.test(bytes);
export const isSettle = (bytes: string): boolean => SETTLE.test(bytes);
/** BullMQ waits for work in no other way. */
export const isBlockingWait = (bytes: string): boolean => /\r\nbzpopmin\r\n/i.test(bytes);
