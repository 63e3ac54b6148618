/** The URLs of the configuration: their forms, and how safe they are. */

export const isHttpUrl = (text: string): boolean => {
  const url = URL.parse(text);
  return /^https?:$/.test(url?.protocol ?? '') && !url?.username && !url?.password && !url?.search && !url?.hash;
};

/**
 * Strict, because a password with "/", "?" or "#" that is not percent-encoded moves the host into another part, and the user's
 * name into its place.
 */
export const isRedisUrl = (text: string): boolean => {
  const url = URL.parse(text);
  if (url === null || !/^rediss?:$/.test(url.protocol)) return false;
  return url.hostname !== '' && /^(\/\d{0,4})?$/.test(url.pathname) && url.search === '' && url.hash === '';
};

/** Whether what is sent there never leaves this machine. Names but `localhost` are whatever a resolver makes of them. */
export const isLoopback = (hostname: string): boolean =>
  /^(?:localhost|127(?:\.\d{1,3}){3}|::1|\[::1\])$/.test(hostname);

/** Whether a URL of the form above crosses a network unencrypted. */
export const isInClear = (text: string): boolean => {
  const url = URL.parse(text);
  return url !== null && /^(?:http|redis):$/.test(url.protocol) && !isLoopback(url.hostname);
};
