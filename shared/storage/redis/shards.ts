import { crc32 } from 'node:zlib';
import type { TenantId } from '../../domain/ids.ts';
import { shardTag } from './names.ts';

/** The shard that holds everything of a tenant. */
export const shardOf = (tenant: TenantId, shards: number): number => crc32(tenant) % shards;

/** The tag of a tenant's shard, which all its keys begin with. */
export const tenantTag = (tenant: TenantId, shards: number): string => shardTag(shardOf(tenant, shards));
