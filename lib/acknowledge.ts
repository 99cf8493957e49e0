import { Validations } from 'aws-cdk-lib';
import type { IConstruct } from 'constructs';

/** Accepts findings of the checks on a construct, each with its reason, beside the construct itself. */
export function acknowledge(construct: IConstruct, reasons: Readonly<Record<string, string>>): void {
  Validations.of(construct).acknowledge(...Object.entries(reasons).map(([id, reason]) => ({ id, reason })));
}

const WILDCARD = 'cinderblock:wildcard';

/**
 * Accepts that policies of a construct name resources that end like this, such as `/inbox/*`. cdk-nag names such a
 * finding by the whole resource, and the CDK makes up the name of another stack's resource only while it synthesizes.
 */
export function acknowledgeWildcard(construct: IConstruct, ending: string, reason: string): void {
  construct.node.addMetadata(WILDCARD, { ending, reason });
}

/** Whether a construct, or one that it is part of, may name such a resource. */
export function isWildcardAcknowledged(construct: IConstruct, resource: string): boolean {
  return construct.node.scopes.some(({ node }) =>
    node.metadata.some(({ type, data }) => type === WILDCARD && resource.endsWith(data.ending)),
  );
}
