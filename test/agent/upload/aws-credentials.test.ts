import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadAwsCredentials, regionOfHost, sourceInWords } from '../../../agent/upload/aws-credentials.ts';
import { fakeAws } from '../fake-aws.ts';

const ROLE = 'arn:aws:iam::111111111111:role/cinderblock-prod-cluster-c';
const plain = {
  roleArn: undefined,
  externalId: undefined,
  keyPair: undefined,
  region: 'eu-central-1',
  sessionName: 'node/1',
};

test('EKS Pod Identity gives the credentials of the role at once', async (t) => {
  const aws = await fakeAws(t);
  process.env.AWS_CONTAINER_CREDENTIALS_FULL_URI = `${aws.url}/container`;
  process.env.AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE = aws.file('jwt-of-the-pod');
  assert.equal(sourceInWords(process.env), 'EKS Pod Identity');
  const found = await loadAwsCredentials(plain);
  assert.partialDeepStrictEqual(found, { accessKeyId: 'ASIAPOD1', sessionToken: 'pod-token' });
  assert.ok(found.expiration!.getTime() > Date.now() + 3_000_000);
  assert.equal(aws.asked[0]!.authorization, 'jwt-of-the-pod');
  assert.equal((await loadAwsCredentials(plain)).accessKeyId, 'ASIAPOD2', 'asked again, not remembered');
});

test('with IRSA the role of the service account assumes the role of the cluster, with its external id', async (t) => {
  const aws = await fakeAws(t);
  process.env.AWS_WEB_IDENTITY_TOKEN_FILE = aws.file('jwt-of-the-service-account');
  process.env.AWS_ROLE_ARN = 'arn:aws:iam::222222222222:role/cinderblock-agent-c';
  assert.match(sourceInWords(process.env), /IRSA.*cinderblock-agent-c/);
  const found = await loadAwsCredentials({ ...plain, roleArn: ROLE, externalId: 'ext-1' });
  assert.equal(found.accessKeyId, 'ASIAROLE2');
  const [web, role] = aws.asked.map(({ parameters }) => parameters);
  assert.partialDeepStrictEqual(web, {
    Action: 'AssumeRoleWithWebIdentity',
    WebIdentityToken: 'jwt-of-the-service-account',
  });
  assert.partialDeepStrictEqual(role, {
    ...{ Action: 'AssumeRole', RoleArn: ROLE, ExternalId: 'ext-1', RoleSessionName: 'node-node-1' },
  });
  assert.match(aws.asked[1]!.authorization, /Credential=ASIAWEB1\/\d{8}\/eu-central-1\/sts/);
});

test('a key pair can assume the role too', async (t) => {
  const aws = await fakeAws(t, { AWS_REGION: 'us-west-2' });
  const keyPair = { accessKeyId: 'AKIDOFUSER', secretAccessKey: 's' };
  await loadAwsCredentials({ ...plain, keyPair, roleArn: ROLE });
  assert.match(aws.asked[0]!.authorization, /Credential=AKIDOFUSER\/\d{8}\/us-west-2\/sts/);
  assert.ok(!('ExternalId' in aws.asked[0]!.parameters));
});

test('a refusal of STS, and an environment without any credentials, are told', async (t) => {
  const aws = await fakeAws(t);
  await assert.rejects(loadAwsCredentials({ ...plain, roleArn: ROLE }), /Could not load credentials/);
  assert.match(sourceInWords(process.env), /shared AWS files/);
  aws.deny('AccessDenied', 'User: u is not authorized to perform: sts:AssumeRole on resource: r');
  const keyPair = { accessKeyId: 'AKIDOFUSER', secretAccessKey: 's' };
  await assert.rejects(loadAwsCredentials({ ...plain, keyPair, roleArn: ROLE }), {
    name: 'AccessDenied',
    message: /not authorized to perform: sts:AssumeRole/,
  });
});

test('the region stands in the name of a host of API Gateway', () => {
  for (const [host, region] of [
    ['abc.execute-api.eu-central-1.amazonaws.com', 'eu-central-1'],
    ['abc.execute-api.cn-north-1.amazonaws.com.cn', 'cn-north-1'],
    ['abc.execute-api.eu-central-1.amazonaws.com.evil.example', undefined],
    ['profiles.example', undefined],
    ['127.0.0.1', undefined],
  ] as const) {
    assert.equal(regionOfHost(host), region, host);
  }
});
