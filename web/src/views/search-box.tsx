import { useEffect, useRef, useState } from 'preact/hooks';
import { announce } from '../state/announcer.ts';
import { formatCount, formatShare } from '../state/format.ts';
import { navigate, view } from '../state/navigation.ts';
import { searchAnswer, shaped } from '../state/profile-model.ts';
import { focusElement, jumpWhenSearched } from './actions.ts';

const TYPING_MS = 120;

/** Regular expression over function names, with the share of samples that match. */
export function SearchBox() {
  const { search } = view.value;
  const [typed, setTyped] = useState(search);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  /** What this field searched last: its own words, when they come back, are older than what is being typed. */
  const own = useRef(search);
  useEffect(() => {
    if (search === own.current) return;
    own.current = search;
    setTyped(search);
  }, [search]);
  const result = searchResult();
  useEffect(() => {
    if (result.text !== '') announce(result.text);
  }, [result.text]);
  const put = (text: string) => {
    clearTimeout(timer.current);
    own.current = text;
    if (text !== view.peek().search) navigate({ search: text }, 'replace');
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'Enter') {
      put(typed);
      if (typed !== '') jumpWhenSearched(event.shiftKey ? -1 : 1);
    } else if (event.key === 'Escape') {
      if (typed === '') focusElement('flame-graph');
      setTyped('');
      put('');
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div class="search" role="search">
      <input
        id="search"
        class={result.isError ? 'input input-error' : 'input'}
        type="search"
        aria-label="Search functions, a regular expression"
        aria-invalid={result.isError}
        aria-describedby="search-result"
        placeholder="Search: regular expression"
        autocomplete="off"
        spellcheck={false}
        value={typed}
        onInput={(event) => {
          const text = event.currentTarget.value;
          setTyped(text);
          clearTimeout(timer.current);
          timer.current = setTimeout(() => put(text), TYPING_MS);
        }}
        onKeyDown={onKeyDown}
      />
      <output
        id="search-result"
        class={result.isError ? 'search-result search-error' : 'search-result'}
        for="search"
      >
        {result.text}
      </output>
    </div>
  );
}

function searchResult(): { text: string; isError: boolean } {
  const answer = searchAnswer.value;
  const current = shaped.value;
  const { search } = view.value;
  if (search === '' || !answer || !current) return { text: '', isError: false };
  if (!answer.ok) return { text: answer.message, isError: true };
  if (answer.generation !== current.generation || answer.text !== search)
    return { text: '…', isError: false };
  const functions = `${formatCount(answer.left.names)} function${answer.left.names === 1 ? '' : 's'}`;
  const left = formatShare(answer.left.value, current.whole.left);
  if (!answer.right) return { text: `${left} · ${functions}`, isError: false };
  return {
    text: `A ${left} · B ${formatShare(answer.right.value, current.whole.right)} · ${functions}`,
    isError: false,
  };
}
