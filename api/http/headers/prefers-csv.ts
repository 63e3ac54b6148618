import { parameterOf, partsOf } from './header-list.ts';

/** Whether a client would rather have CSV than JSON, by its `Accept` (RFC 9110, 12.5.1). JSON where it does not care. */
export const prefersCsv = (accept: string | undefined): boolean => {
  const ranges = partsOf(accept ?? '*/*', ',').map(parseRange);
  /** Of the ranges that hold a type, the narrowest counts. */
  const qualityOf = (type: string): number => {
    const names = [type, `${type.split('/')[0]}/*`, '*/*'];
    return names.flatMap((name) => ranges.find((range) => range.name === name)?.quality ?? [])[0] ?? 0;
  };
  return qualityOf('text/csv') > qualityOf('application/json');
};

const parseRange = (text: string): { name: string; quality: number } => {
  const [name = '', ...parameters] = partsOf(text, ';');
  const weight = parameters.map(parameterOf).find((parameter) => parameter?.name === 'q');
  // What is no number is no wish.
  return { name: name.toLowerCase(), quality: weight ? Number(weight.value) || 0 : 1 };
};
