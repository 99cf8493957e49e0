import type { Answers, Question, Reply } from './messages.ts';

type Kind = Question['kind'];

/** Asks the worker. Of several questions of one kind only the newest is answered; the others fail with `Superseded`. */
export class TreeClient {
  readonly #worker = new Worker(new URL('./tree-worker.ts', import.meta.url), { type: 'module' });
  readonly #waiting = new Map<
    number,
    { kind: Kind; resolve: (answer: never) => void; reject: (e: Error) => void }
  >();
  readonly #newest = new Map<Kind, number>();
  #nextId = 1;

  constructor() {
    this.#worker.onmessage = ({ data }: MessageEvent<Reply>) => this.#settle(data);
    this.#worker.onerror = () => {
      for (const { reject } of this.#waiting.values())
        reject(new Error('the page’s worker could not be started'));
      this.#waiting.clear();
    };
  }

  ask<K extends Kind>(question: Extract<Question, { kind: K }>): Promise<Answers[K]> {
    const id = this.#nextId++;
    this.#newest.set(question.kind, id);
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { kind: question.kind, resolve, reject });
      const transfer = 'bytes' in question ? [question.bytes.buffer as ArrayBuffer] : [];
      this.#worker.postMessage({ id, question }, transfer);
    });
  }

  #settle(reply: Reply): void {
    const waiting = this.#waiting.get(reply.id);
    if (waiting === undefined) return;
    this.#waiting.delete(reply.id);
    if (this.#newest.get(waiting.kind) !== reply.id) waiting.reject(new Superseded());
    else if ('error' in reply) waiting.reject(new Error(reply.error));
    else waiting.resolve(reply.answer as never);
  }
}

export class Superseded extends Error {
  override name = 'Superseded';
}
