import type { TestContext } from 'node:test';
import type { ClusterAccess } from '../../pipeline/hub.ts';
import type { ApiUnderTest } from '../api/api-under-test.ts';
import { openHttpHub } from './http-hub.ts';

const ROLES: ClusterAccess = {
  kind: 'role',
  account: '111111111111',
  region: 'eu-central-1',
  rolePrefix: 'cinderblock-prod-cluster-',
  ingestUrl: 'https://abc.execute-api.eu-central-1.amazonaws.com',
};

/** A hub whose clusters have roles, as on AWS, over HTTP on loopback. */
export function openRoleHub(t: TestContext): Promise<ApiUnderTest & { url: string }> {
  return openHttpHub(t, { openAdmin: true, access: ROLES });
}
