/** AWS credentials as AWS's default chain finds them: environment, profile files, container or instance. */
import { defaultProvider } from '@aws-sdk/credential-provider-node';

/**
 * By these names AWS refuses credentials as such: rotated, expired, or so new that it does not know them yet
 * (https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency).
 * COMMON: https://docs.aws.amazon.com/bedrock/latest/APIReference/CommonErrors.html
 * S3: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
 * SDK: `CLOCK_SKEW_ERROR_CODES` in AWS's own SDK.
 */
export const REFUSED_CREDENTIALS: readonly string[] = [
  'ExpiredTokenException', // COMMON
  'ExpiredToken', // COMMON
  'InvalidClientTokenId', // COMMON
  'UnrecognizedClientException', // COMMON
  'InvalidAccessKeyId', // S3
  'InvalidToken', // S3
  'TokenRefreshRequired', // S3
  'AuthFailure', // SDK
];

/**
 * No credentials were to be had just now. Whatever the cause was (a file, a metadata service, STS), it may have passed at
 * the next look. The cause itself is left out: it may quote what was read.
 */
export class CredentialsUnavailable extends Error {
  constructor() {
    super('no AWS credentials could be found');
    this.name = 'CredentialsUnavailable';
  }
}

/** `find` is for an SDK client; it throws `CredentialsUnavailable` only. Call `renew` when AWS does not accept what it found. */
export const createAwsCredentials = () => {
  // Without its cache of files: the operator rotates keys in them while this process runs.
  const lookUp = defaultProvider({ ignoreCache: true });
  let isRefused = false;
  const find = async (properties?: Parameters<typeof lookUp>[0]) => {
    try {
      const found = await lookUp({ ...properties, forceRefresh: isRefused });
      isRefused = false;
      return found;
    } catch {
      throw new CredentialsUnavailable();
    }
  };
  return {
    // `lookUp` remembers what it found. Unsaid, the SDK would remember it too, and never ask again.
    find: Object.assign(find, { memoized: true }),
    renew: () => {
      isRefused = true;
    },
  };
};
