import { parseArgs } from 'node:util';
import type { CostInputs } from './cost-inputs.ts';

/** What was asked for on the command line. */
export interface CostOptions {
  readonly inputs: CostInputs;
  readonly output: 'text' | 'json' | 'markdown';
  /** Whether CPU times are measured now; otherwise they are those of the last measurement, or given. */
  readonly measure: boolean;
  /** Whether the measurement is kept for runs that do not measure. */
  readonly save: boolean;
  /** Whether docs/cost.md gets the tables of the last measurement. */
  readonly writeDocs: boolean;
  readonly ingestMs: number | undefined;
  readonly processorMs: number | undefined;
  readonly help: boolean;
}

export const COST_HELP = `Prints what a hub on AWS costs a month, component by component, at list prices.

Usage: npm run cost -- [--option value]…

  --nodes N              nodes with an agent (default 1000)
  --flush-seconds S      how often a node makes a batch (default 60)
  --batch-kb KB          size of a batch, 1,000 bytes (default 100)
  --heartbeat-seconds S  how often a node says that it lives (default 300)
  --retention-days D     how long profiles are kept (default 14)
  --queries-per-day Q    flame graphs and tables that people look at (default 1000)
  --relay                merge the batches of a cluster's nodes there first (not built yet; modelled)
  --ingest-cpu-ms MS     CPU time of one core per 100 KB batch, instead of measuring
  --processor-cpu-ms MS  the same in the processor
  --no-measure           take the CPU times of bench/cost/last-measurement.json
  --save                 write what was measured there
  --write-docs           write the tables of docs/cost.md anew; with --no-measure, or with --save
  --output FORMAT        text (default), json, or markdown: the tables of docs/cost.md
`;

/** @throws Error that names the option, the value and what is wrong with it */
export function parseCostOptions(args: readonly string[]): CostOptions {
  const { values } = parseArgs({
    args: [...args],
    allowNegative: true,
    options: {
      nodes: { type: 'string', default: '1000' },
      'flush-seconds': { type: 'string', default: '60' },
      'batch-kb': { type: 'string', default: '100' },
      'heartbeat-seconds': { type: 'string', default: '300' },
      'retention-days': { type: 'string', default: '14' },
      'queries-per-day': { type: 'string', default: '1000' },
      'ingest-cpu-ms': { type: 'string' },
      'processor-cpu-ms': { type: 'string' },
      relay: { type: 'boolean', default: false },
      measure: { type: 'boolean', default: true },
      save: { type: 'boolean', default: false },
      'write-docs': { type: 'boolean', default: false },
      output: { type: 'string', default: 'text' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const number = (name: keyof typeof values, least: number, most: number) =>
    numberOf(name, String(values[name]), least, most);
  const optional = (name: keyof typeof values) =>
    values[name] === undefined ? undefined : number(name, 0, 1e6);
  const { output } = values;
  if (output !== 'text' && output !== 'json' && output !== 'markdown') {
    throw new Error(`--output must be text, json or markdown, not "${output}"`);
  }
  if (values['write-docs'] && values.measure && !values.save) {
    throw new Error('--write-docs needs --no-measure or --save: the page has what was measured last');
  }
  const given = [optional('ingest-cpu-ms'), optional('processor-cpu-ms')];
  return {
    inputs: {
      nodes: number('nodes', 1, 1e7),
      flushSeconds: number('flush-seconds', 1, 3600),
      batchKb: number('batch-kb', 1, 4194),
      heartbeatSeconds: number('heartbeat-seconds', 1, 86_400),
      retentionDays: number('retention-days', 1, 3650),
      queriesPerDay: number('queries-per-day', 0, 1e9),
      relay: values.relay,
    },
    output,
    measure: values.measure && given.includes(undefined),
    save: values.save,
    writeDocs: values['write-docs'],
    ingestMs: given[0],
    processorMs: given[1],
    help: values.help,
  };
}

function numberOf(name: string, value: string, least: number, most: number): number {
  const number = Number(value);
  if (value.trim() !== '' && number >= least && number <= most) return number;
  throw new Error(`--${name} must be a number from ${least} to ${most}, not "${value}"`);
}
