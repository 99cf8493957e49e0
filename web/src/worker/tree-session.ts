import { callersOf, focusRows } from '../../../core/flamegraph/sandwich.ts';
import { compileSearch, matchNames, summarizeMatches } from '../../../core/flamegraph/search.ts';
import { topTable } from '../../../core/flamegraph/top-table.ts';
import { applyTransforms, reorder } from '../../../core/flamegraph/transforms.ts';
import { type DecodedTree, decodeTree } from '../../../core/flamegraph/tree-codec.ts';
import type { TreeSides } from '../../../core/flamegraph/tree-sides.ts';
import type {
  Answers,
  Question,
  SandwichAnswer,
  SearchAnswer,
  Shaped,
  Shaping,
  TableAnswer,
} from './messages.ts';

/** Holds the tree that the page shows and answers questions about it. Runs in a worker; knows nothing of one. */
export class TreeSession {
  #base: DecodedTree | undefined;
  #current: TreeSides | undefined;
  #generation = 0;

  answer(question: Question): Answers[keyof Answers] {
    switch (question.kind) {
      case 'load':
        this.#base = decodeTree(question.bytes);
        return this.#shape(question.shaping);
      case 'reshape':
        return this.#shape(question.shaping);
      case 'search':
        return this.#search(question.text);
      case 'table':
        return this.#table();
      case 'sandwich':
        return this.#sandwich(question.name, question.order);
    }
  }

  #shape({ steps, order, search, table, pivot }: Shaping): Shaped {
    const base = this.#loaded(this.#base);
    // The server sends trees in heavy order and diffs in name order.
    const sent = base.right ? 'name' : 'heavy';
    const ordered = order === sent || steps.length > 0 ? base : reorder(base, order);
    const { sides, dropped } = applyTransforms(ordered, steps, order);
    this.#current = sides;
    this.#generation++;
    return {
      ...sides,
      generation: this.#generation,
      header: base.header,
      whole: { left: base.tree.total[0], right: base.right?.total[0] ?? 0 },
      dropped,
      ...(search !== '' && { search: this.#search(search) }),
      ...(table && { table: this.#table() }),
      ...(pivot !== '' && { sandwich: this.#sandwich(pivot, order) }),
    };
  }

  #search(text: string): SearchAnswer {
    const { tree, right } = this.#loaded(this.#current);
    const generation = this.#generation;
    const pattern = compileSearch(text);
    if (!pattern.ok) return { generation, text, ok: false, message: pattern.message };
    const matched = matchNames(tree, pattern.regex);
    const left = summarizeMatches(tree, matched);
    const other = right && summarizeMatches(tree, matched, right.total);
    return { generation, text, ok: true, matched, left, ...(other && { right: other }) };
  }

  #table(): TableAnswer {
    const { tree, right } = this.#loaded(this.#current);
    const left = topTable(tree);
    return { generation: this.#generation, left, ...(right && { right: topTable(tree, right) }) };
  }

  #sandwich(name: string, order: 'name' | 'heavy'): SandwichAnswer {
    const sides = this.#loaded(this.#current);
    return {
      generation: this.#generation,
      name,
      callers: callersOf(sides, name, order),
      callees: focusRows(sides, name, order),
    };
  }

  #loaded<T>(value: T | undefined): T {
    if (value === undefined) throw new Error('no tree is loaded yet');
    return value;
  }
}
