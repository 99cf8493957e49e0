import { Stack, type StackProps } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { Compaction, type CompactionProps } from '../compaction.ts';

/** What keeps a hub small and quick: nothing else needs it, and without it blocks only pile up. */
export class CompactionStack extends Stack {
  readonly compaction: Compaction;

  constructor(scope: Construct, id: string, props: StackProps & CompactionProps) {
    super(scope, id, props);
    this.compaction = new Compaction(this, 'Compaction', props);
  }
}
