import { Popover } from '../parts/popover.tsx';
import { completenessFacts, completenessSummary } from '../state/completeness.ts';
import { navigate } from '../state/navigation.ts';
import { utc } from '../state/preferences.ts';
import { isDiff, shaped } from '../state/profile-model.ts';

/** Says whether the answer is whole; a click says everything that is known about it. */
export function CompletenessBadge() {
  const current = shaped.value;
  if (!current) return null;
  const { header } = current;
  const whole = header.completeness.complete && header.completeness.samplesLost === 0;
  const { start } = header;
  const { continueBefore } = header.completeness;
  const canContinue = continueBefore !== undefined && continueBefore > start && !isDiff.value;
  const summary = completenessSummary(header.completeness);
  const button = (
    <>
      <span class={whole ? 'dot dot-good' : 'dot dot-warn'} aria-hidden="true" />
      {summary}
    </>
  );
  return (
    <Popover
      button={button}
      label={`Completeness: ${summary}`}
      title="Completeness of this answer"
      class="completeness"
    >
      {(close) => (
        <>
          <table class="facts">
            <tbody>
              {completenessFacts(header, utc.value).map(({ field, label, value, isProblem }) => (
                <tr key={field} class={isProblem ? 'fact-problem' : undefined}>
                  <th scope="row">{label}</th>
                  <td class="tabular">{value}</td>
                  <td class="fact-field">
                    <code>{field}</code>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
          {header.completeness.notes.length > 0 && (
            <ul class="notes">
              {header.completeness.notes.map((note) => (
                <li key={note}>{note}</li>
              ))}
            </ul>
          )}
          {canContinue && (
            <button
              type="button"
              class="button"
              onClick={() => {
                close();
                navigate({ selection: { start, end: continueBefore } });
              }}
            >
              Continue with what is older
            </button>
          )}
        </>
      )}
    </Popover>
  );
}
