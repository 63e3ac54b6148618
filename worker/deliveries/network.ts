/** What the egress guard does its work with: the only way out for tenants' URLs. */
import { lookup, Resolver } from 'node:dns/promises';
import { connect, type Socket } from 'node:net';

export type Network = {
  /** All addresses of a name. Rejects, or gives none, where it has none. */
  resolve: (name: string) => Promise<readonly string[]>;
  /** Begins a connection to this one address. */
  dial: (address: string, port: number) => Socket;
  /** Certificates to trust, as PEM; null: those that Node trusts. */
  trust: string | null;
};

type NetworkNeeds = {
  allowPrivate: boolean;
  /** `address:port` each; null: those of the machine. */
  nameServers?: readonly string[] | null;
};

/** `allowPrivate` resolves as the machine does, `/etc/hosts` and names of one label included; without it only DNS is asked, with no search list. */
export const createNetwork = ({ allowPrivate, nameServers = null }: NetworkNeeds): Network => {
  // `lookup` runs on Node's few threads: one tenant's slow name servers would hold up the resolving of everything else, providers included.
  const resolver = new Resolver({ timeout: 1_000, tries: 2 });
  if (nameServers !== null) resolver.setServers(nameServers);
  const askDns = async (name: string): Promise<string[]> => {
    const answers = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
    return answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
  };
  const askMachine = async (name: string): Promise<string[]> => {
    const answers = await lookup(name, { all: true });
    return answers.map(({ address }) => address);
  };
  return {
    resolve: allowPrivate ? askMachine : askDns,
    dial: (address, port) => connect({ host: address, port, noDelay: true }),
    trust: null,
  };
};
