/** The queue that the bare API and the bare worker share. */
export const BARE_QUEUE = 'bare';
