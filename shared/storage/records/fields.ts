/** A hash as a script answers it, field after value, as an object. */
export const fieldsOf = (flat: readonly string[]): Record<string, string> => {
  const fields: Record<string, string> = {};
  for (let index = 0; index < flat.length; index += 2) fields[flat[index] ?? ''] = flat[index + 1] ?? '';
  return fields;
};

export const timeText = (ms: string | undefined): string | null => (ms ? new Date(Number(ms)).toISOString() : null);
