import { type Answers, buffersOf, copyOf, type Question, type Reply } from './messages.ts';
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

/** The session keeps the current tree, so that one is copied; everything else is given away. */
function movable(answer: Answers[keyof Answers]): {
  answer: Answers[keyof Answers];
  transfer: Transferable[];
} {
  if ('tree' in answer) {
    const copy = { ...answer, ...copyOf(answer) };
    return { answer: copy, transfer: buffersOf(copy) };
  }
  if ('callers' in answer) {
    return { answer, transfer: [...buffersOf(answer.callers), ...buffersOf(answer.callees)] };
  }
  if ('matched' in answer) return { answer, transfer: [answer.matched.buffer] };
  return { answer, transfer: [] };
}
