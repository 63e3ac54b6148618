import { NEWEST_SCHEMA, type SchemaStore } from './schema-store.ts';

/** Whether the newest version is recorded everywhere, as a process knows it. Versions only rise. */
export type Raised = {
  isRaised: () => boolean;
  /** Reads it, as long as it is not so. */
  look: () => Promise<void>;
};

export const createRaised = (schema: Pick<SchemaStore, 'read'>): Raised => {
  let raised = false;
  return {
    isRaised: () => raised,
    look: async () => {
      if (!raised) raised = (await schema.read()).lowest >= NEWEST_SCHEMA;
    },
  };
};
