import { copyText } from './actions.ts';

/** A command to run elsewhere, with a button that copies it. */
export function Command({ text }: { text: string }) {
  return (
    <div class="command">
      <code>{text}</code>
      <button
        type="button"
        class="button"
        aria-label={`Copy: ${text}`}
        onClick={() => void copyText(text, 'Command')}
      >
        Copy
      </button>
    </div>
  );
}
