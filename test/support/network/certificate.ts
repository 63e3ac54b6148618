import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { isIP } from 'node:net';

type Certificate = { key: string; cert: string };

const DAY_MS = 86_400_000;

/** A self-signed certificate (RFC 5280) for these names and IPv4 addresses, of a fresh Ed25519 key; valid for a day from `fromMs` on. */
export const makeCertificate = (names: readonly string[], fromMs: number = Date.now() - DAY_MS / 2): Certificate => {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const algorithm = sequence(tag(0x06, Buffer.from('2b6570', 'hex')));
  const commonName = tag(0x06, Buffer.from('550403', 'hex'));
  const subject = sequence(tag(0x31, sequence(commonName, tag(0x0c, Buffer.from('test endpoint')))));
  const alternatives = names.map((name) =>
    isIP(name) === 0 ? tag(0x82, Buffer.from(name)) : tag(0x87, Buffer.from(name.split('.').map(Number))),
  );
  const subjectAltName = sequence(tag(0x06, Buffer.from('551d11', 'hex')), tag(0x04, sequence(...alternatives)));
  const content = sequence(
    tag(0xa0, tag(0x02, Buffer.from([2]))),
    tag(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    algorithm,
    subject,
    sequence(time(fromMs), time(fromMs + DAY_MS)),
    subject,
    publicKey.export({ type: 'spki', format: 'der' }),
    tag(0xa3, sequence(subjectAltName)),
  );
  const signature = tag(0x03, Buffer.concat([Buffer.from([0]), sign(null, content, privateKey)]));
  const lines =
    sequence(content, algorithm, signature)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string, // PEM is text.
    cert: `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`,
  };
};

/** One DER value. */
const tag = (type: number, content: Buffer): Buffer => {
  const { length } = content;
  const head = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([type, ...head]), content]);
};

const sequence = (...parts: Buffer[]): Buffer => tag(0x30, Buffer.concat(parts));

const time = (ms: number): Buffer =>
  tag(0x17, Buffer.from(`${new Date(ms).toISOString().replace(/\D/g, '').slice(2, 14)}Z`));
