/** The messages of Chat Completions in the neutral form. */
import { keyOnly, type Made, Sent } from '../../../intake/translation/sent.ts';

/** OpenAI’s mark of what is to be cached; for how long is its own matter. */
const markOf = (sent: Sent): Made =>
  sent.get('prompt_cache_breakpoint').read((mark) => {
    mark.skip('mode');
    return mark.make({ type: 'ephemeral' });
  });

export const textPart = (sent: Sent): Made =>
  sent.read((part) => {
    const type = part.get('type');
    if (type.value !== 'text') type.refuse('must be text');
    return part.make({ type, text: part.get('text'), cache_control: markOf(part) });
  });

const imagePart = (part: Sent): object =>
  part.make({
    type: 'image_url',
    image_url: part.get('image_url').read((image) => {
      const detail = image.get('detail', 'auto');
      return image.make({
        url: image.get('url'),
        detail: detail.value === 'original' ? detail.lack(keyOnly('detail: original')) : detail,
      });
    }),
    cache_control: markOf(part),
  });

const filePart = (part: Sent): Made => {
  const file = part.get('file');
  const id = file.get('file_id');
  if (id.value !== undefined) return part.lack(keyOnly('a file by its id'));
  return part.make({
    type: 'file',
    file: file.read(() => file.make({ file_data: file.get('file_data'), filename: file.get('filename', '') })),
    cache_control: markOf(part),
  });
};

const partOf = (sent: Sent): Made =>
  sent.read((part) => {
    const type = part.get('type');
    switch (type.value) {
      case 'text':
        return textPart(part);
      case 'image_url':
        return imagePart(part);
      case 'file':
        return filePart(part);
      default:
        if (typeof type.value !== 'string') type.refuse('must say what type of part it is');
        return part.lack(keyOnly('a part of this type'));
    }
  });

export const instructionsOf = (message: Sent): object =>
  message.make({ role: message.get('role'), content: message.get('content').map(textPart) });

export const questionOf = (message: Sent): object =>
  message.make({ role: 'user', content: message.get('content').map(partOf) });

export const resultOf = (message: Sent): object => {
  // LangChain sends the tool's name, which its call has.
  message.skip('name');
  return message.make({
    role: 'tool',
    tool_call_id: message.get('tool_call_id'),
    content: message.get('content').map(partOf),
  });
};

/** As Google's endpoint has it; `toChatCompletion` gives it so. */
const signatureOf = (call: Sent): Sent => {
  const extra = call.open('extra_content');
  const google = extra.open('google');
  const signature = google.get('thought_signature');
  google.close();
  extra.close();
  return signature;
};

const callOf = (sent: Sent): Made =>
  sent.read((call) => {
    const type = call.get('type');
    if (type.value === 'custom') return call.lackForGood(keyOnly('a call of this type'));
    // Of a call that was put together from a stream.
    call.skip('index');
    return call.make({
      id: call.get('id'),
      type,
      function: call.get('function').read((called) => {
        // What the SDK’s `parse` read in them.
        called.skip('parsed_arguments');
        const text = called.get('arguments');
        return called.make({ name: called.get('name'), arguments: text.value === '' ? text.as('{}') : text });
      }),
      signature: signatureOf(call),
    });
  });

/** A refusal can be one of the parts, or stand beside them. */
const saidOf = (message: Sent): { content: object | null; refusal: Sent } => {
  let refusal = message.get('refusal', '');
  const content = message.get('content').map((part) => {
    if (part.get('type').value !== 'refusal' || refusal.value !== undefined) return textPart(part);
    refusal = part.get('refusal');
    part.close();
    return null;
  });
  const isNothing = content instanceof Sent ? content.value === undefined : Object.keys(content).length === 0;
  return { content: isNothing ? null : content, refusal };
};

export const answerOf = (message: Sent): object => {
  const { content, refusal } = saidOf(message);
  const calls = message.get('tool_calls', []);
  const parts = message.get('parts');
  // What the SDK’s `parse` read in the content.
  message.skip('parsed');
  const saysElse = [calls, refusal, parts].some(({ value }) => value !== undefined);
  return message.make({
    role: 'assistant',
    content: content ?? message.get('content').as(saysElse ? null : ''),
    tool_calls: calls.map(callOf),
    refusal,
    // Beyond OpenAI's own members, as `toChatCompletion` gives them.
    reasoning_details: message.get('reasoning_details'),
    parts,
    annotations: message.get('annotations', []),
  });
};
