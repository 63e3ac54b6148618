/** What the transport itself saw of one HTTP exchange with a provider. Outcomes are decided from this, never from the wording of an SDK's error. */
export type Exchange = {
  /** Whether the request was handed to the network: before that, a failure is ours and nothing was billed. */
  sent: boolean;
  /** Null until the response's headers are here. */
  response: { status: number; header: (name: string) => string | null } | null;
};

export const newExchange = (): Exchange => ({ sent: false, response: null });
