import {
  type App,
  type IPolicyValidationContext,
  type IPolicyValidationPlugin,
  type PolicyValidationPluginReport,
  type PolicyViolation,
  Validations,
} from 'aws-cdk-lib';
import { AwsSolutionsChecks, ServerlessChecks } from 'cdk-nag';
import type { IConstruct } from 'constructs';
import { isWildcardAcknowledged } from './acknowledge.ts';

/**
 * What every synthesis is held to; findings fail it. Reasons for exceptions stand beside the constructs. CloudFormation's
 * own validator comes with the CDK, and a flag of cdk.json makes its findings errors.
 */
export function addChecks(app: App): void {
  Validations.of(app).addPlugins(
    new WildcardsAcknowledged(app, new AwsSolutionsChecks(app)),
    new ServerlessChecks(app),
  );
}

/** Leaves out findings about wildcards that `acknowledgeWildcard` accepted, and no others. */
class WildcardsAcknowledged implements IPolicyValidationPlugin {
  readonly name: string;
  readonly #app: App;
  readonly #checks: AwsSolutionsChecks;

  constructor(app: App, checks: AwsSolutionsChecks) {
    this.name = checks.name;
    this.#app = app;
    this.#checks = checks;
  }

  validate(_context: IPolicyValidationContext): PolicyValidationPluginReport {
    const report = this.#checks.validateScope(this.#app);
    const violations = report.violations.flatMap((violation) => this.#openPart(violation));
    return { ...report, success: violations.length === 0, violations };
  }

  #openPart(violation: PolicyViolation): PolicyViolation[] {
    const [, resource] = /^AwsSolutions-IAM5\[Resource::(.+)\]$/.exec(violation.ruleName) ?? [];
    if (resource === undefined) return [violation];
    const violatingResources = violation.violatingResources.filter(({ constructPath }) => {
      const construct = constructAt(this.#app, constructPath);
      return construct === undefined || !isWildcardAcknowledged(construct, resource);
    });
    return violatingResources.length === 0 ? [] : [{ ...violation, violatingResources }];
  }
}

function constructAt(root: IConstruct, path: string | undefined): IConstruct | undefined {
  return path?.split('/').reduce<IConstruct | undefined>((at, id) => at?.node.tryFindChild(id), root);
}
