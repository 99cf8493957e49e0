import { App, LegacyStackSynthesizer } from 'aws-cdk-lib';
import { fromParameter, SPOKE_MODES, type SpokeMode } from './spoke-values.ts';
import { SpokeStack } from './stacks/spoke-stack.ts';

/** Plain CloudFormation, one template per mode, for accounts without the CDK: values are parameters. */
export function spokeTemplates(): Map<SpokeMode, object> {
  return new Map(SPOKE_MODES.map((mode) => [mode, templateOf(mode)]));
}

function templateOf(mode: SpokeMode): object {
  const app = new App({
    analyticsReporting: false,
    context: { 'aws:cdk:disable-stack-trace': true, 'aws:cdk:enable-path-metadata': false },
  });
  const synthesizer = new LegacyStackSynthesizer();
  const stack = new SpokeStack(app, 'Spoke', { mode, readValue: fromParameter, synthesizer });
  return app.synth().getStackArtifact(stack.artifactId).template;
}
