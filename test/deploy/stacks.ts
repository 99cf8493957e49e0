// Stacks as CloudFormation knows them.
import { setTimeout as sleep } from 'node:timers/promises';
import { type Caller, queryCall, textsOf } from './signed-call.ts';

const TIMEOUT_MS = 60_000;

export interface Template {
  Parameters?: Record<string, unknown>;
  Resources?: Record<string, Resource>;
  Outputs?: Record<string, unknown>;
}

export interface Resource {
  Type: string;
  DependsOn?: string | string[];
  Properties?: Record<string, unknown>;
}

/** Makes a stack of a template and waits until it stands. @throws Error with the reason when it does not */
export async function createStack(
  name: string,
  template: Template,
  parameters: Record<string, string>,
  caller: Caller,
): Promise<void> {
  const fields: Record<string, string> = {
    Action: 'CreateStack',
    StackName: name,
    TemplateBody: JSON.stringify(template),
    'Capabilities.member.1': 'CAPABILITY_NAMED_IAM',
  };
  Object.entries(parameters).forEach(([key, value], i) => {
    fields[`Parameters.member.${i + 1}.ParameterKey`] = key;
    fields[`Parameters.member.${i + 1}.ParameterValue`] = value;
  });
  await queryCall('cloudformation', fields, caller);
  for (const until = Date.now() + TIMEOUT_MS; Date.now() < until; await sleep(200)) {
    const xml = await queryCall('cloudformation', { Action: 'DescribeStacks', StackName: name }, caller);
    const [status] = textsOf(xml, 'StackStatus');
    if (status === 'CREATE_COMPLETE') return;
    if (!status.endsWith('_IN_PROGRESS'))
      throw new Error(`${name}: ${status} ${textsOf(xml, 'StackStatusReason')}`);
  }
  throw new Error(`${name} does not stand after ${TIMEOUT_MS} ms`);
}

/** Logical id → physical id. */
export async function resourcesOf(stack: string, caller: Caller): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (let token = ''; ; ) {
    const page: Record<string, string> = token === '' ? {} : { NextToken: token };
    const fields = { Action: 'ListStackResources', StackName: stack, ...page };
    const xml = await queryCall('cloudformation', fields, caller);
    const physical = textsOf(xml, 'PhysicalResourceId');
    textsOf(xml, 'LogicalResourceId').forEach((id, i) => {
      found.set(id, physical[i]);
    });
    token = textsOf(xml, 'NextToken')[0] ?? '';
    if (token === '') return found;
  }
}
