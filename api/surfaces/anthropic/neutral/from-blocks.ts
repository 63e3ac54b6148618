/** The blocks of Messages as parts of the neutral form. */
import { keyOnly, type Made, type Sent } from '../../../intake/translation/sent.ts';

/** The end of a sentence about what has no type. */
export const NO_TYPE = 'must say what type of block it is';

/** That all up to here is to be cached; `behind` if the block does not say so itself. */
export const cacheMark = (block: Sent, behind: Made = null): Made => {
  const own = block.get('cache_control');
  if (own.value === undefined) return behind;
  return own.read((mark) => mark.make({ type: mark.get('type'), ttl: mark.get('ttl') }));
};

export const textPart = (sent: Sent, behind: Made = null): Made =>
  sent.read((block) => {
    const type = block.get('type');
    if (type.value !== 'text') type.refuse('must be text');
    block.only('citations', []);
    return block.make({ type, text: block.get('text'), cache_control: cacheMark(block, behind) });
  });

/** A `data:` URL, named as what it is made of; what is no text is left to the neutral form. */
const dataUrl = (source: Sent, encode: (data: string) => string): Sent => {
  const [type, data] = [source.get('media_type'), source.get('data')];
  if (typeof data.value !== 'string') return data;
  return typeof type.value === 'string' ? source.as(`data:${type.value};base64,${encode(data.value)}`) : type;
};

const asItIs = (data: string): string => data;
const asBase64 = (data: string): string => Buffer.from(data).toString('base64');

const imagePart = (block: Sent, behind: Made): Made => {
  const source = block.open('source');
  const type = source.get('type');
  if (typeof type.value === 'string' && type.value !== 'base64' && type.value !== 'url') {
    return block.lack(keyOnly('an image from such a source'));
  }
  const url = type.value === 'url' ? source.get('url') : dataUrl(source, asItIs);
  source.close();
  return block.make({ type: 'image_url', image_url: source.make({ url }), cache_control: cacheMark(block, behind) });
};

const documentPart = (block: Sent, behind: Made): Made => {
  const source = block.open('source');
  const type = source.get('type');
  if (typeof type.value === 'string' && type.value !== 'base64' && type.value !== 'text') {
    return block.lack(keyOnly('a document from such a source'));
  }
  const citations = block.open('citations');
  citations.only('enabled', false);
  citations.close();
  const file_data = dataUrl(source, type.value === 'text' ? asBase64 : asItIs);
  source.close();
  return block.make({
    type: 'file',
    file: source.make({ file_data, filename: block.get('title', '') }),
    cache_control: cacheMark(block, behind),
  });
};

export const partOf = (sent: Sent, behind: Made = null): Made =>
  sent.read((block) => {
    const type = block.get('type');
    switch (type.value) {
      case 'text':
        return textPart(block, behind);
      case 'image':
        return imagePart(block, behind);
      case 'document':
        return documentPart(block, behind);
      default:
        return typeof type.value === 'string' ? block.lack(keyOnly('a block of this type')) : type.refuse(NO_TYPE);
    }
  });
