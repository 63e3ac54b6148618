/** Whether a client would rather have CSV than JSON, by its `Accept` (RFC 9110, 12.5.1). JSON where it does not care. */
export const prefersCsv = (accept: string | undefined): boolean => {
  const ranges = (accept ?? '*/*').toLowerCase().split(',').map(parseRange);
  /** Of the ranges that hold a type, the narrowest counts. */
  const qualityOf = (type: string): number => {
    const names = [type, `${type.split('/')[0]}/*`, '*/*'];
    return names.flatMap((name) => ranges.find((range) => range.name === name)?.quality ?? [])[0] ?? 0;
  };
  return qualityOf('text/csv') > qualityOf('application/json');
};

const parseRange = (text: string): { name: string; quality: number } => {
  const [name = '', ...parameters] = text.split(';').map((part) => part.trim());
  const weight = parameters.find((parameter) => parameter.startsWith('q='));
  // What is no number is no wish.
  return { name, quality: weight === undefined ? 1 : Number(weight.slice('q='.length)) || 0 };
};
