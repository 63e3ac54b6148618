/** What a person reads once the gateway answers: the mode, and lines to paste. */
export const describeGateway = (gateway: {
  address: string;
  sandbox: boolean;
  redis: string;
  hasPlatformKeys: boolean;
  /** Whether credentials for requests without a user's key were found. */
  hasPlatformAccount: boolean;
  /** What commands need to find this gateway and not another one on this machine, `NAME=value` each. */
  commandSettings: readonly string[];
}): string => {
  const { address, sandbox, redis, hasPlatformKeys, hasPlatformAccount, commandSettings } = gateway;
  const key = '-H "X-API-Key: your-platform-key"';
  const json = '-H "Content-Type: application/json"';
  const mode = sandbox
    ? [
        'Mode: sandbox. A local stand-in answers for the providers: no account is used and nothing is spent.',
        'The demo key "your-platform-key" works in this mode only.',
      ]
    : [
        'Mode: live. Calls go to the real providers and cost money.',
        hasPlatformKeys
          ? 'Put one of your PLATFORM_API_KEYS, or a key from npm run tenants, where the lines say your-platform-key.'
          : 'Put a key where the lines say your-platform-key: issue one with npm run tenants, or set PLATFORM_API_KEYS.',
        'Put a real key where they say sk-user-openai-key.',
      ];
  const onPlatform = hasPlatformAccount
    ? [
        'A completion on the platform’s account:',
        `  curl -X POST ${address}/v1/complete ${json} ${key} -d '{"messages":[{"role":"user","content":"Hello!"}]}'`,
      ]
    : ['No AWS credentials were found here: without a role of the machine, only requests with a user’s key will work.'];
  return [
    '',
    `The gateway is ready on http://${address}   (Redis: ${redis})`,
    ...mode,
    '',
    ...onPlatform,
    'One on a user’s own key:',
    `  curl -X POST ${address}/v1/complete ${json} ${key} -H "X-User-API-Key: sk-user-openai-key" -H "X-User-Provider: openai" -d '{"model":"gpt-4o","messages":[{"role":"user","content":"Hello!"}]}'`,
    'Its answer (put in the id that you got; waits up to 10 seconds for it):',
    `  curl "${address}/v1/jobs/JOB_ID?wait=10" ${key}`,
    'Usage:',
    `  curl ${address}/v1/usage ${key}`,
    '',
    ...(commandSettings.length > 0
      ? ['Commands need the same settings:', `  ${commandSettings.join(' ')} npm run tenants -- list`]
      : []),
    `Everything else: http://${address}/docs`,
    'Ctrl-C stops everything; the data stays.',
    '',
  ].join('\n');
};
