import { type Audit, type AuditHour, auditLoss } from '../state/api.ts';
import { spooledAsOf, spoolWarnings } from '../state/audit.ts';
import { cliCommand } from '../state/cli-command.ts';
import { formatCount, formatShare } from '../state/format.ts';
import { view } from '../state/navigation.ts';
import { utc } from '../state/preferences.ts';
import { askedAgain, clock } from '../state/profile-model.ts';
import { resource } from '../state/resource.ts';
import { ageText, spanText } from '../state/time-range.ts';
import { Command } from './command.tsx';
import { PanelState } from './panel-state.tsx';

/** Batches come this late without anything being wrong. */
const LATE_MS = 3_600_000;
const AUDIT_MS = 24 * 3_600_000;

const audit = resource(() => {
  if (view.value.page !== 'clusters') return undefined;
  const end = Math.ceil(clock.value / 60_000) * 60_000;
  return { start: end - AUDIT_MS, end, again: askedAgain.value };
}, auditLoss);

/** What became of every sample, hour by hour. */
export function AuditSection() {
  const load = audit.value;
  return (
    <section class="panel padded" aria-labelledby="audit-title">
      <h2 id="audit-title">What became of every sample, last 24 hours</h2>
      <div class="panel-area">
        {load.data === undefined ? <div class="audit-space" /> : <AuditOf audit={load.data} />}
        <PanelState load={load} what="audit" />
      </div>
      <p class="rule">
        Taken = dropped by agent + spooled + acknowledged + unaccounted. Lost by kernel is no part of taken.
        Spooled: on disks of nodes. Unaccounted: nowhere, such as on a disk that is gone. The command line
        also counts what is stored in blocks and what waits to get there, for any range:
      </p>
      <Command text={cliCommand('audit --stored')} />
    </section>
  );
}

function AuditOf({ audit: { hours, spools } }: { audit: Audit }) {
  const asOf = spooledAsOf(spools);
  const warnings = spoolWarnings(spools, clock.value);
  return (
    <>
      <AuditTable hours={hours} />
      {asOf !== undefined && (
        <p class="rule">
          Spooled is as heard from agents, at most {ageText(Math.max(0, clock.value - asOf))} ago.
        </p>
      )}
      {warnings.length > 0 && (
        <ul class="audit-warnings" aria-label="Spools to look after">
          {warnings.map((text) => (
            <li key={text}>
              <span class="dot dot-warn" aria-hidden="true" /> {text}
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

function AuditTable({ hours }: { hours: AuditHour[] }) {
  if (hours.length === 0) return <p class="empty-line">No samples were taken in the last 24 hours.</p>;
  const newestFirst = [...hours].sort((a, b) => b.hourMs - a.hourMs || (a.cluster < b.cluster ? -1 : 1));
  return (
    <div class="table-scroll" tabIndex={0} role="region" aria-label="Audit per hour">
      <table class="data-table">
        <thead>
          <tr>
            <th scope="col">Hour</th>
            <th scope="col">Cluster</th>
            <th scope="col">Taken</th>
            <th scope="col">Lost by kernel</th>
            <th scope="col">Dropped by agent</th>
            <th scope="col">Spooled</th>
            <th scope="col">Acknowledged</th>
            <th scope="col">Unaccounted</th>
            <th scope="col">Missing batches</th>
            <th scope="col">Duplicate batches</th>
          </tr>
        </thead>
        <tbody>
          {newestFirst.map((hour) => (
            <AuditRow key={`${hour.cluster}/${hour.hourMs}`} hour={hour} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function AuditRow({ hour }: { hour: AuditHour }) {
  const span = { start: hour.hourMs, end: hour.hourMs + 3_600_000 };
  const isLate = clock.value - span.end >= LATE_MS;
  return (
    <tr>
      <th scope="row">{spanText(span, utc.value)}</th>
      <td>{hour.cluster}</td>
      <td>{formatCount(hour.taken)}</td>
      <td>{formatCount(hour.lostByKernel)}</td>
      <td>{formatCount(hour.droppedByAgent)}</td>
      <td class={hour.spooled > 0 && isLate ? 'cell-warn' : undefined}>{formatCount(hour.spooled)}</td>
      <td>
        {formatCount(hour.acknowledged)}{' '}
        <span class="soft">{formatShare(hour.acknowledged, hour.taken)}</span>
      </td>
      <td class={hour.unaccounted !== 0 ? 'cell-warn' : undefined}>{formatCount(hour.unaccounted)}</td>
      <td class={hour.missingBatches > 0 ? 'cell-warn' : undefined}>{hour.missingBatches}</td>
      <td>{hour.duplicateBatches}</td>
    </tr>
  );
}
