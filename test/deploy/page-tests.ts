import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { test } from 'node:test';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { type Deployment, deployHub, writeConfig } from './hub-stacks.ts';
import type { Lane } from './lane.ts';
import { resourcesOf } from './stacks.ts';
import { HUB_ACCOUNT, rootOf } from './stand-in-cloud.ts';

const PAGE = join(import.meta.dirname, '../../web/dist');
const TYPES: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css' };

/** A hub as it is by default: people sign in at Cognito, and the page is there. */
export function pageTests(open: () => Lane): void {
  let deployment: Deployment;

  test('a hub with everything that it has by default is deployed beside the other', async (t) => {
    const { cloud } = open();
    deployment = await deployHub(cloud, await writeConfig(cloud, { stage: 'default' }));
    const { synthSeconds, deploySeconds, adapted } = deployment;
    t.diagnostic(`synth ${synthSeconds.toFixed(0)} s, deploy ${deploySeconds.toFixed(0)} s`);
    for (const [gap, places] of adapted) t.diagnostic(`adapted to the stand-in: ${gap}: ${places}`);
    const issuer = /^https:\/\/cognito-idp\.eu-central-1\.amazonaws\.com\/eu-central-1_/;
    assert.match(deployment.output('Query', 'SignInIssuer'), issuer);
  });

  test('CloudFront answers every view with the page, under strict headers', async () => {
    await uploadPage(open());
    const url = deployment.output('Query', 'PageUrl');
    for (const view of ['', 'explore/shop']) {
      const page = await fetch(url + view);
      assert.equal(page.status, 200);
      assert.match(await page.text(), /<!doctype html>/i);
      assert.match(page.headers.get('content-security-policy') ?? '', /default-src 'self'/);
      assert.equal(page.headers.get('x-frame-options'), 'DENY');
      assert.match(page.headers.get('strict-transport-security') ?? '', /max-age=31536000/);
    }
  });

  test('known gap of the stand-in: CloudFront sends calls on to an API', async () => {
    const url = deployment.output('Query', 'PageUrl');
    for (const path of [
      'healthz',
      'querier.v1.QuerierService/LabelNames',
      'cinderblock.v1.AdminService/ListTokens',
    ]) {
      // It dials no host of AWS, and would answer with the page if the path were not the API's.
      const { status } = await fetch(url + path, { method: 'POST' });
      assert.equal(
        status,
        502,
        `${path} answered ${status}: when the stand-in has closed this gap, ask for more here`,
      );
    }
  });
}

/** In place of the CDK's uploader: see known-gaps.ts. */
async function uploadPage(lane: Lane): Promise<void> {
  const resources = await resourcesOf('Cinderblock-Default-Query', rootOf(lane.cloud, HUB_ACCOUNT));
  const [, Bucket] = [...resources].find(([id]) => /^WebPage[0-9A-F]{8}$/.test(id))!;
  const s3 = new S3Client({});
  for (const name of readdirSync(PAGE, { recursive: true, encoding: 'utf8' })) {
    const ContentType = TYPES[extname(name)];
    if (ContentType === undefined) continue;
    const Body = readFileSync(join(PAGE, name));
    await s3.send(new PutObjectCommand({ Bucket, Key: name, Body, ContentType }));
  }
}
