/** Whether two requests are the same goes by what they mean. The events of a webhook are a set: neither their order nor a repetition says anything. */

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A body as it was parsed, or what stands for one, with its sets in order. */
export const asMeant = (body: unknown): unknown => {
  if (!isObject(body) || !isObject(body.webhook) || !Array.isArray(body.webhook.events)) return body;
  return { ...body, webhook: { ...body.webhook, events: [...new Set(body.webhook.events.map(String))].toSorted() } };
};
