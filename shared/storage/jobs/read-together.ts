type Read<Item, Answer> = { item: Item; resolve: (answer: Answer) => void; reject: (error: unknown) => void };

/**
 * Joins the reads that are asked for in one turn of the event loop: thousands that wait for their jobs read again each second, and one call of Redis for each would cost more than the reads.
 * `readAll` gets items of one group, at most `most`, and answers them in order. Where it rejects, all of them do.
 */
export const readTogether = <Item, Answer>(
  most: number,
  groupOf: (item: Item) => string,
  readAll: (items: [Item, ...Item[]]) => Promise<Answer[]>,
): ((item: Item) => Promise<Answer>) => {
  let asked: Read<Item, Answer>[] = [];

  const readPart = async (part: Read<Item, Answer>[]): Promise<void> => {
    const [first, ...others] = part;
    if (!first) return;
    try {
      const answers = await readAll([first.item, ...others.map(({ item }) => item)]);
      // The cast says what `readAll` promises.
      for (const [index, { resolve }] of part.entries()) resolve(answers[index] as Answer);
    } catch (error) {
      for (const { reject } of part) reject(error);
    }
  };
  const readAsked = (): void => {
    const groups = Map.groupBy(asked, ({ item }) => groupOf(item));
    asked = [];
    for (const group of groups.values()) {
      for (let from = 0; from < group.length; from += most) void readPart(group.slice(from, from + most));
    }
  };
  return (item) => {
    if (asked.length === 0) setImmediate(readAsked);
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    asked.push({ item, resolve, reject });
    return promise;
  };
};
