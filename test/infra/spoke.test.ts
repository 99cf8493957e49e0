import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LegacyStackSynthesizer } from 'aws-cdk-lib';
import { spokeTemplates } from '../../lib/spoke-templates.ts';
import { fromContext, SPOKE_MODES, spokeMode } from '../../lib/spoke-values.ts';
import { SpokeStack } from '../../lib/stacks/spoke-stack.ts';
import { brokenRulesOf, newApp, Synthesized } from './synthesized.ts';

const HUB_ROLE = 'arn:aws:iam::111111111111:role/cinderblock-prod-cluster-prod-eu-1';
const CONTEXT = {
  cluster: 'prod-eu-1',
  hubRoleArn: HUB_ROLE,
  clusterName: 'prod',
  oidcProviderArn: 'arn:aws:iam::222222222222:oidc-provider/oidc.eks.eu-central-1.amazonaws.com/id/A1',
};

function spokeApp(context: Record<string, string>) {
  const app = newApp();
  for (const [key, value] of Object.entries(context)) app.node.setContext(key, value);
  const synthesizer = new LegacyStackSynthesizer();
  const stack = new SpokeStack(app, 'Spoke', {
    mode: spokeMode(app.node),
    readValue: fromContext,
    synthesizer,
  });
  return { app, stack };
}

function spoke(context: Record<string, string>): Synthesized {
  const { app, stack } = spokeApp(context);
  return new Synthesized(app.synth().getStackArtifact(stack.artifactId).template);
}

for (const [mode, template] of spokeTemplates()) {
  test(`the plain template for ${mode} needs no CDK: no assets, no bootstrap, nothing from elsewhere`, () => {
    const text = JSON.stringify(template);
    assert.doesNotMatch(
      text,
      /BootstrapVersion|CheckBootstrapVersion|cdk-hnb659fds|GetStackOutput|ImportValue|aws:cdk/,
    );
    const parameters = Object.keys(new Synthesized(template).json.Parameters);
    for (const name of parameters) assert.match(text, new RegExp(`"Ref":"${name}"`), `${name} is used`);
  });

  test(`in ${mode} the role may become the hub's role for this cluster, and nothing else`, () => {
    const { Properties } = new Synthesized(template).one('AWS::IAM::Role');
    assert.equal(Properties.ManagedPolicyArns, undefined);
    assert.deepEqual(
      Properties.Policies.map(({ PolicyDocument }: { PolicyDocument: object }) => PolicyDocument),
      [
        {
          Version: '2012-10-17',
          Statement: [
            {
              Effect: 'Allow',
              Action: ['sts:AssumeRole', 'sts:TagSession', 'sts:SetSourceIdentity'],
              Resource: [{ Ref: 'HubRoleArn' }],
            },
          ],
        },
      ],
    );
    assert.deepEqual(Properties.RoleName, { 'Fn::Join': ['', ['cinderblock-agent-', { Ref: 'Cluster' }]] });
  });
}

test('there is a template for every mode', () => {
  assert.deepEqual([...spokeTemplates().keys()], [...SPOKE_MODES]);
});

test('pod identity is the default: one service account of one cluster, and agents assume the role of the hub', () => {
  const stack = spoke(CONTEXT);
  const [statement] = stack.one('AWS::IAM::Role').Properties.AssumeRolePolicyDocument.Statement;
  const { 'aws:RequestTag/eks-cluster-arn': arn, ...tags } = statement.Condition.StringEquals;
  assert.match(JSON.stringify(arn), /:cluster\/prod"/);
  assert.deepEqual(tags, {
    'aws:RequestTag/kubernetes-namespace': 'cinderblock',
    'aws:RequestTag/kubernetes-service-account': 'cinderblock-agent',
  });
  assert.equal(stack.one('AWS::EKS::PodIdentityAssociation').Properties.TargetRoleArn, undefined);
  assert.deepEqual(Object.keys(stack.json.Outputs), ['RoleArn']);
});

test('with a target role EKS assumes it, and says the external id that the hub has to know', () => {
  const stack = spoke({ ...CONTEXT, mode: 'pod-identity-target-role' });
  assert.equal(stack.one('AWS::EKS::PodIdentityAssociation').Properties.TargetRoleArn, HUB_ROLE);
  assert.deepEqual(Object.keys(stack.json.Outputs), ['RoleArn', 'ExternalId']);
});

test('IRSA trusts one service account by the issuer of the cluster', () => {
  const stack = spoke({ ...CONTEXT, mode: 'irsa', namespace: 'monitoring' });
  const {
    'Fn::Sub': [text, values],
  } = stack.one('AWS::IAM::Role').Properties.AssumeRolePolicyDocument;
  const { Issuer, ...others } = values;
  const issuer = Issuer['Fn::Select'] ? CONTEXT.oidcProviderArn.split(':oidc-provider/')[1] : Issuer;
  const filled = Object.entries<string>({ ...others, Issuer: issuer }).reduce(
    (document, [name, value]) => document.replaceAll(`\${${name}}`, value),
    text,
  );
  assert.deepEqual(JSON.parse(filled).Statement, [
    {
      Effect: 'Allow',
      Principal: { Federated: CONTEXT.oidcProviderArn },
      Action: ['sts:AssumeRoleWithWebIdentity'],
      Condition: {
        StringEquals: {
          'oidc.eks.eu-central-1.amazonaws.com/id/A1:sub':
            'system:serviceaccount:monitoring:cinderblock-agent',
          'oidc.eks.eu-central-1.amazonaws.com/id/A1:aud': 'sts.amazonaws.com',
        },
      },
    },
  ]);
});

test('what is missing or does not fit is told by name', () => {
  const { clusterName: _, ...without } = CONTEXT;
  assert.throws(() => spoke(without), /-c clusterName=… is missing: Name of the EKS cluster/);
  assert.throws(() => spoke({ ...CONTEXT, hubRoleArn: 'hub' }), /-c hubRoleArn=hub does not fit/);
  assert.throws(() => spoke({ ...CONTEXT, mode: 'key' }), /-c mode=key: there are pod-identity, /);
});

test('the checks of every synthesis find nothing in a spoke', () => {
  assert.deepEqual(brokenRulesOf(spokeApp(CONTEXT).app), []);
});
