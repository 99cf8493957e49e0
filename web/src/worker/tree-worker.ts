import { type Answers, buffersOf, copyOf, type Question, type Reply, type Shaped } from './messages.ts';
import { TreeSession } from './tree-session.ts';

const session = new TreeSession();
// The page's type library has no worker scope; this is the part of it that is used here.
const scope = self as unknown as {
  onmessage: (event: MessageEvent<{ id: number; question: Question }>) => void;
  postMessage(reply: Reply, transfer?: Transferable[]): void;
};

scope.onmessage = ({ data: { id, question } }) => {
  try {
    const { answer, transfer } = movable(session.answer(question));
    scope.postMessage({ id, answer }, transfer);
  } catch (error) {
    scope.postMessage({ id, error: error instanceof Error ? error.message : String(error) });
  }
};

type Answer = Answers[keyof Answers];

/** The session keeps the current tree, so that one is copied; everything else is given away. */
function movable(answer: Answer): { answer: Answer; transfer: Transferable[] } {
  if (!('tree' in answer)) return { answer, transfer: ownBuffers(answer) };
  const copy = { ...answer, ...copyOf(answer) };
  const extras = [copy.search, copy.sandwich].flatMap((extra) => (extra ? ownBuffers(extra) : []));
  return { answer: copy, transfer: [...buffersOf(copy), ...extras] };
}

function ownBuffers(answer: Exclude<Answer, Shaped>): Transferable[] {
  if ('callers' in answer) return [...buffersOf(answer.callers), ...buffersOf(answer.callees)];
  return 'matched' in answer ? [answer.matched.buffer] : [];
}
